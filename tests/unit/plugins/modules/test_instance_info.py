# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge of the module: options in, result out. How an instance is found is tested with the core and on the lab."""

from __future__ import annotations

import dataclasses
import json
import types

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.instance import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import find as finding
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import (
    Elsewhere,
    Hints,
    Instance,
    InstanceError,
    Sender,
    Service,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.elsewhere import digest
from ansible_collections.fediops.mastodon.plugins.modules import instance_info
from ansible_collections.fediops.mastodon.tests.unit.plugins.of_core import patch_module_args

SECRET = "correct-horse-battery"
INSTANCE = Instance(
    "systemd",
    "/live",
    "mastodon",
    "/live/.env.production",
    "ab" * 32,
    "4.3.8",
    "social.example",
    readers=("ruby", "node"),
    services=(Service("mastodon-web.service", "web", "running", "active (running)", started=0.5, pid=7),),
    mail_variables=("SMTP_LOGIN", "SMTP_PASSWORD"),
    senders=(
        Sender(
            "mastodon-sidekiq.service",
            "sidekiq",
            (
                Elsewhere("SMTP_PORT", ".env.local", "/live/.env.local", 2, value="587"),
                Elsewhere("SMTP_PASSWORD", ".env", "/live/.env", wins=False, value=SECRET),
            ),
        ),
    ),
    findings=(TABLE.finding("override-hides-file", "SMTP_PORT", "It is set elsewhere, too."),),
    variables=types.MappingProxyType(
        {"SMTP_SERVER": "relay.example", "SMTP_PORT": "587", "SMTP_LOGIN": "x", "SMTP_PASSWORD": SECRET}
    ),
)


@pytest.fixture
def run(monkeypatch, capsys):
    def with_options(outcome, options=None, check=False):
        asked = []

        def find(hints):
            asked.append(hints)
            if isinstance(outcome, Exception):
                raise outcome
            return types.SimpleNamespace(instance=outcome)

        monkeypatch.setattr(finding, "find", find)
        with patch_module_args({**(options or {}), "_ansible_check_mode": check}), pytest.raises(SystemExit) as ended:
            instance_info.main()
        result = json.loads(capsys.readouterr().out)
        assert SECRET not in json.dumps(result)
        assert (ended.value.code != 0) is result.get("failed", False)
        return result, asked

    return with_options


def test_what_is_found_is_returned_with_the_effective_settings(run):
    result, asked = run(INSTANCE)
    assert asked == [Hints()]
    assert result["changed"] is False
    instance = result["instance"]
    added = {"effective": instance["effective"], "senders": instance["senders"], "unproved": [], "ticket": None}
    assert result["instance"] == {**json.loads(json.dumps(INSTANCE.as_dict())), **added}
    effective = result["instance"]["effective"]
    assert effective["main"]["settings"]["address"] == "relay.example"
    assert effective["main"]["login_set"] and effective["main"]["password_set"] and effective["bulk"] is None
    assert [one["code"] for one in result["findings"]] == ["override-hides-file"]


def test_what_the_settings_do_and_nobody_meant_is_a_finding(run):
    blank = types.MappingProxyType({"SMTP_SERVER": "relay.example", "SMTP_LOGIN": "", "SMTP_PASSWORD": SECRET})
    names = ("SMTP_HOST", "SMTP_LOGIN", "SMTP_PASSWORD", "SMTP_SERVER")
    instance = dataclasses.replace(INSTANCE, release="4.4.3", variables=blank, mail_variables=names)
    result, _unused = run(instance)
    told = {one["code"]: one["subject"] for one in result["findings"]}
    assert told["credential-blank"] == "SMTP_LOGIN" and told["variable-unread"] == "SMTP_HOST"
    assert "4.4.3 logs in with an empty user name" in json.dumps(result["findings"])
    older, _unused = run(dataclasses.replace(instance, release="4.3.8"))
    assert "credential-blank" not in json.dumps(older["findings"])
    unknown, _unused = run(dataclasses.replace(instance, release=""))
    assert [one["code"] for one in unknown["findings"]] == ["override-hides-file", "variable-unread"]


def test_a_sidekiq_that_a_rollout_would_leave_stopped_is_a_warning(run):
    sidekiq = Service("mastodon-sidekiq.service", "sidekiq", "stopped", "inactive (dead)")
    result, _unused = run(dataclasses.replace(INSTANCE, services=(*INSTANCE.services, sidekiq), findings=()))
    assert [(one["code"], one["severity"]) for one in result["findings"]] == [("mail-not-served", "warning")]
    restarted = dataclasses.replace(sidekiq, state="failed")
    assert run(dataclasses.replace(INSTANCE, services=(restarted,), findings=()))[0]["findings"] == []


def test_what_a_sender_has_from_elsewhere_is_returned_and_its_credentials_are_digests_with_the_key(run):
    (sender,) = run(INSTANCE)[0]["instance"]["senders"]
    assert (sender["service"], sender["role"]) == ("mastodon-sidekiq.service", "sidekiq")
    port, password = sender["elsewhere"]
    assert port == {
        "variable": "SMTP_PORT",
        "layer": ".env.local",
        "path": "/live/.env.local",
        "line": 2,
        "wins": True,
        "set": True,
        "value": "587",
        "digest": None,
    }
    assert (password["value"], password["digest"], password["wins"]) == (None, None, False)
    keyed = run(INSTANCE, {"handed": {"digest_key": "k" * 32}})[0]["instance"]["senders"][0]["elsewhere"][1]
    assert keyed["value"] is None and keyed["digest"] == digest(SECRET, "k" * 32)


def test_every_hint_reaches_the_search(run):
    options = {
        "deployment": "systemd",
        "app_dir": "/srv/masto",
        "user": "fedi",
        "env_file": "/etc/env",
        "services": ["a", "b.service"],
    }
    _unused, asked = run(INSTANCE, options)
    assert asked == [Hints("systemd", "/srv/masto", "fedi", "/etc/env", ("a", "b.service"))]


def test_an_empty_hint_is_none(run):
    """A role passes an empty string where nothing is set."""
    _unused, asked = run(INSTANCE, {"app_dir": "", "user": "", "env_file": "", "services": []})
    assert asked == [Hints()]


def test_an_unknown_deployment_is_refused(run):
    result, asked = run(INSTANCE, {"deployment": "kubernetes"})
    assert result["failed"] and "systemd" in result["msg"] and asked == []


def test_check_mode_does_the_same(run):
    assert run(INSTANCE, check=True)[0]["instance"]["release"] == "4.3.8"


def test_none_found_says_why(run):
    refusal = FindingError(TABLE.finding("no-instance", "systemd", "None of the 80 units leads to one."))
    result, _unused = run(refusal)
    assert result["failed"] and "None of the 80 units" in result["msg"] and "[no-instance]" in result["msg"]
    assert result["instance"] is None and result["findings"][0]["code"] == "no-instance"


def test_none_found_names_what_the_search_went_by(run):
    refusal = FindingError(TABLE.finding("no-instance", "systemd", "None of the units leads to one"))
    given = {"app_dir": "/srv/live", "services": ["a", "b"]}
    went = "to one. The search used mastodon_smtp_app_dir (/srv/live) and mastodon_smtp_services (a, b) from the"
    assert went in run(refusal, given)[0]["msg"]
    assert "The search used" not in run(refusal)[0]["msg"]
    other = FindingError(TABLE.finding("not-permitted", "systemctl", "It said: no."))
    assert "The search used" not in run(other, given)[0]["msg"]


def test_a_defect_is_one_sentence_and_names_its_place(run):
    result, _unused = run(ZeroDivisionError("division by zero"))
    assert result["failed"] and "\n" not in result["msg"]
    assert result["msg"].startswith("Unexpected error in test_instance_info.py, line ")
    assert ": ZeroDivisionError: division by zero. This is a bug in fediops.mastodon" in result["msg"]


def test_a_faulty_instance_fails_with_the_evidence(run):
    faulty = dataclasses.replace(INSTANCE, env_file_checksum="", findings=())
    missing = TABLE.finding("user-unknown", "/live/.env.production", "There is no such user.")
    result, _unused = run(InstanceError(faulty, [*INSTANCE.findings, missing]))
    assert result["failed"] and "/live/.env.production" in result["msg"]
    assert result["instance"]["release"] == "4.3.8" and result["instance"]["effective"] is None
    assert [one["code"] for one in result["findings"]] == ["user-unknown", "override-hides-file"]
