# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that does not run our modules and answers what it likes: what reaches the terminal, the log and the report.

The host's Python is a script that prints a forged answer for each module.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import report_runs as runs
from test_runs import CHECKOUT, Run

PLAYBOOKS = CHECKOUT / "playbooks"
HOSTILE = (
    "x\n::stop-commands::t\n \x1b]0;owned\x07\x1b[2J\x9b1m\x85 ##[set-output name=x;]y ##vso[task.x]z "
    "\u202e\u2066\u2028\u200b\ufeff \r::error::e"
)
SCRIPT = """#!/bin/sh
for module in instance_info env_file mailer_check mail_services queued_mail_check smtp_relay_info smtp_adopt; do
  case "$1" in *AnsiballZ_$module.py) cat "{folder}/answers/$module.json"; cat "{folder}/noise" >&2; exit 0;; esac
done
exec {python} "$@"
"""
#: What the later steps need of the first.
INSTANCE = {
    "readers": ["ruby", "node"], "roles": ["web", "sidekiq"], "deployment": "systemd", "mail_variables": [],
    "env_file_checksum": "0", "unproved": [],
}  # fmt: skip
ANSWERS: dict[str, dict[str, t.Any]] = {
    "instance_info": {**runs.instance("a.example"), "instance": {**runs.instance("a")["instance"], **INSTANCE}},
    "env_file": runs.EDIT,
    "mailer_check": runs.rails("a.example"),
    "mail_services": runs.services(),
    "queued_mail_check": runs.QUEUE,
    "smtp_relay_info": runs.relay(),
    "smtp_adopt": {"changed": False},
}


def poisoned(value: t.Any) -> t.Any:
    """The same with the hostile text in all texts but those by which the next steps go on, and as a key."""
    if isinstance(value, dict):
        same = {*INSTANCE, "findings", "role", "severity", "tls_mode", "auth_mode", "what", "outcome"}
        return {**{key: one if key in same else poisoned(one) for key, one in value.items()}, HOSTILE: HOSTILE}
    if isinstance(value, list):
        return [poisoned(one) for one in value]
    return f"{HOSTILE} {value} {HOSTILE}" if isinstance(value, str) else value


def forged(kind: str, answer: dict[str, t.Any]) -> str:
    """A module's answer as a lying host gives it."""
    finding = {"code": "x", "severity": "error", "subject": HOSTILE, "message": HOSTILE, "fix": HOSTILE}
    if kind == "poisoned":
        return json.dumps({**poisoned(answer), "warnings": [HOSTILE], "failed": False, "changed": False})
    if kind == "failing":
        return json.dumps({**poisoned(answer), "failed": True, "msg": HOSTILE, "findings": [finding, HOSTILE]})
    if kind == "noisy":
        return f"{HOSTILE}\n{json.dumps(answer)}\n{HOSTILE}"
    return f"{HOSTILE}\nno answer at all {HOSTILE}"


def obeyed(text: str) -> list[str]:
    """The lines that a terminal or a runner would obey."""
    return [
        line
        for line in text.split("\n")
        if not all(char.isprintable() or char in "\t\u00a0" for char in line)
        or line.strip().startswith("::")
        or "##[" in line
        or "##vso[" in line
    ]


@pytest.fixture
def lying(tmp_path: Path) -> t.Callable[..., Run]:
    def start(playbook: str, answers: dict[str, str], *arguments: str, **variables: t.Any) -> Run:
        run = Run(tmp_path)
        (tmp_path / "answers").mkdir()
        for name, answer in answers.items():
            (tmp_path / "answers" / f"{name}.json").write_text(answer, encoding="utf-8")
        (tmp_path / "noise").write_text(HOSTILE, encoding="utf-8")
        python = tmp_path / "python"
        python.write_text(SCRIPT.format(folder=tmp_path, python="/usr/bin/env python3"))
        python.chmod(0o755)
        run.settings = {"ANSIBLE_LOG_PATH": str(tmp_path / "ansible.log"), "ANSIBLE_PIPELINING": "0"}
        hosts = {"a.example": {"ansible_python_interpreter": str(python)}}
        run.start(hosts, *arguments, playbook=str(PLAYBOOKS / playbook), mastodon_smtp_hosts="fleet", **variables)
        return run

    return start


SETTINGS = {
    "mastodon_smtp_host": "smtp.example.org",
    "mastodon_smtp_port": 587,
    "mastodon_smtp_tls": "starttls",
    "mastodon_smtp_login": "postmaster",
    "mastodon_smtp_password": "correct horse battery staple",
    "mastodon_smtp_from_address": "notifications@example.org",
    "mastodon_smtp_dns_servers": ["127.0.0.1"],
}


@pytest.mark.parametrize("kind", ["poisoned", "failing", "noisy", "mute"])
def test_nothing_that_a_host_answers_is_obeyed(lying: t.Callable[..., Run], kind: str) -> None:
    answers = {name: forged(kind, answer) for name, answer in ANSWERS.items()}
    run = lying("smtp_check.yml", answers, "-v", "--diff", **SETTINGS)
    _status, output = run.end()
    assert "a.example" in output and "PLAY RECAP" in output
    if kind == "poisoned":  # it came to the end of the check
        assert "In order, with 1 warning." in output, output
    assert obeyed(output) == []
    assert obeyed((run.folder / "ansible.log").read_text(encoding="utf-8")) == []
    assert (run.report / "rollout.html").exists()
    assert obeyed(run.texts()) == []


def test_no_host_gives_orders_to_ansible(lying: t.Callable[..., Run]) -> None:
    orders = {
        "add_host": {"host_name": "evil.example", "groups": ["fleet"], "host_vars": {}},
        "ansible_facts": {"mastodon_smtp_adopt_dir": "/evil", "mastodon_smtp_result": {"outcome": "changed"}},
        "changed": True,
    }
    answers = {name: json.dumps({**answer, **orders}) for name, answer in ANSWERS.items()}
    _status, output = lying("smtp_check.yml", answers, "-v", **SETTINGS).end()
    assert "evil" not in output


def test_an_answer_of_a_hundred_megabytes_is_an_error_and_makes_no_large_report(lying: t.Callable[..., Run]) -> None:
    large = json.dumps({"changed": False, "findings": [], "instance": {"release": "x" * 10**8}})
    run = lying("smtp_check.yml", dict.fromkeys(("instance_info", "smtp_adopt"), large), **SETTINGS)
    status, output = run.end()
    assert status == 2 and "The host answered with 95 MB" in output and len(output) < 20_000
    assert sum(one.stat().st_size for one in run.report.iterdir()) < 500_000


def test_a_payload_that_vanishes_is_told_as_that(lying: t.Callable[..., Run]) -> None:
    run = lying("smtp_check.yml", {}, **SETTINGS)
    run.end()
    script = run.folder / "python"
    script.write_text('#!/bin/sh\nrm -f "$1"\nexec /usr/bin/env python3 "$@"\n')
    run.start(
        {"a.example": {"ansible_python_interpreter": str(script)}},
        playbook=str(PLAYBOOKS / "smtp_check.yml"),
        mastodon_smtp_hosts="fleet",
        **SETTINGS,
    )
    status, output = run.end()
    assert status == 2 and "disappeared from the host before Python could run it" in output
    assert "Python 3.9" not in output
