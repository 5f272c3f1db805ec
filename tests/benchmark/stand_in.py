# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-ins answer: results as large as the real ones, and the real note of what is not proved."""

from __future__ import annotations

import collections
import hashlib
import json
import os
import sys
import types
import typing as t

from ansible.module_utils import basic

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import values
from ansible_collections.fediops.mastodon.plugins.module_utils._files.unproved import about, proving

SINCE = "2026-11-01T03:12:09Z"
STATE = {"state": "running", "detail": "active (running)", "since": SINCE, "pid": 812, "restarts": 0}
ROLES = ("web", "sidekiq", "streaming")


def run(answer: t.Callable[[dict[str, t.Any]], dict[str, t.Any]]) -> None:
    """Take whatever options there are, and answer as the module would."""
    options = collections.defaultdict(lambda: None, basic._load_params())
    options.setdefault("handed", {})
    driver = types.SimpleNamespace(instance=types.SimpleNamespace(env_file=options["env_file"]))
    proof_of = {"mailer_check": "mailer", "mail_services": "services", "queued_mail_check": "queue"}
    with proving(driver, options["handed"].get("ticket"), proof_of.get(answer.__name__, "")) as proof:
        result = {**answer(options), **fault(options["env_file"], answer.__name__)}
        if not result.get("failed"):
            proof.done()
    print(json.dumps({"findings": [], **result}))
    sys.exit(0)


def fault(env_file: str, step: str) -> dict[str, t.Any]:
    """What a test has laid beside the file for this step to answer instead."""
    try:
        with open(os.path.join(os.path.dirname(env_file), f"{step}.json")) as stream:
            found: dict[str, t.Any] = json.load(stream)
    except FileNotFoundError:
        return {}
    return found


def instance_info(options: dict[str, t.Any]) -> dict[str, t.Any]:
    path = options["env_file"]
    with open(path, "rb") as stream:
        data = stream.read()
    journal, findings = about(path)
    names = sorted(name for name in values(data, "ruby", {}) if name.startswith("SMTP_"))
    instance = {
        "deployment": "systemd",
        "app_dir": os.path.dirname(path),
        "user": "mastodon",
        "env_file": path,
        "env_file_checksum": hashlib.sha256(data).hexdigest(),
        "release": "4.5.3",
        "local_domain": "social.example",
        "readers": ["ruby", "node"],
        "services": [{"name": f"mastodon-{role}.service", "role": role, "stale": False, **STATE} for role in ROLES],
        "roles": ["web", "sidekiq"],
        "mail_variables": names,
        "overrides": [],
        "effective": None,
        **journal,
    }
    return {"changed": False, "instance": instance, "findings": [one.as_dict() for one in findings]}


def mailer_check(options: dict[str, t.Any]) -> dict[str, t.Any]:
    rails = {"release": "4.5.3", "rails": "8.0.3", "mail": "2.8.1", "net_smtp": "0.5.1", "ruby": "3.4.7"}
    sent = {"relay": "main", "to": options["send_to"], "message_id": "x@social.example", "envelope_from": "a@b.example"}
    return {
        "changed": False,
        "rails": rails,
        "effective": options["expected"],
        "differences": [],
        "password_matches": True,
        "test_message": [{**sent, "answer": "250 2.0.0 Ok: queued as 4XyZ1q0000", "accepted": True}]
        if options["send_to"]
        else [],
        "queue": {"way": "form", "to": options["queue_account"] or options["queue_recipient"], "reason": ""},
        "planned": False,
    }


def mail_services(options: dict[str, t.Any]) -> dict[str, t.Any]:
    restarted = bool(options["handed"].get("ticket"))
    both = {"restarted": restarted, "before": STATE, "after": STATE}
    services = [{"name": f"mastodon-{role}.service", "role": role, "stale": False, **both} for role in ROLES]
    return {"changed": restarted, "services": services, "ready_after": 0.0}


def queued_mail_check(options: dict[str, t.Any]) -> dict[str, t.Any]:
    known = options["handed"].get("queue") or {"way": "form", "to": options["reset"] or options["enqueue"]}
    way = {"way": known["way"], "to": known["to"]}
    job = {"id": "82325230-88b1-4b09-a22b-6622c812af6d", "queue": "mailers", "attempts": 1}
    return {
        "changed": False,
        "outcome": "delivered",
        **way,
        "job": job,
        "message_id": None,
        "error": None,
        "waited": 0.4,
    }
