# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemctl and journalctl as scripts on the PATH, for answers that a healthy systemd does not give.

What the real ones answer is in recorded/ and in the tests on the lab.
"""

from __future__ import annotations

import json

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import LogLine
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd import manager as systemd_manager
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.manager import Manager

LINE = {"__REALTIME_TIMESTAMP": "1795426747595879", "__CURSOR": "s=1;i=2", "_SYSTEMD_UNIT": "a.service", "_PID": "812"}


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """Put a script in the place of a program; every call is noted with its arguments."""
    monkeypatch.setitem(systemd_manager._ENVIRONMENT, "PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(program, body):
        (tmp_path / program).write_text(f'#!/bin/sh\necho "{program} $*" >> {tmp_path}/calls\n{body}\n')
        (tmp_path / program).chmod(0o755)
        return lambda: (tmp_path / "calls").read_text().splitlines()

    return make


def answer(text, status=0, stderr=""):
    return f"cat <<'END'\n{text}\nEND\necho '{stderr}' >&2\nexit {status}"


def test_names_come_from_both_lists_once(scripts):
    calls = scripts(
        "systemctl",
        'case "$1" in list-units) echo "a.service x";; *) echo "b.service x"; echo "a.service x";; esac',
    )
    assert Manager().unit_names() == ["a.service", "b.service"]
    assert [call.split()[1] for call in calls()] == ["list-units", "list-unit-files"]
    assert "--all" in calls()[0]


def test_all_units_are_shown_in_one_call(scripts):
    calls = scripts("systemctl", answer("Id=a.service\n\nId=b.service"))
    assert [unit.name for unit in Manager().show(["a.service", "b.service"])] == ["a.service", "b.service"]
    (call,) = calls()
    assert call.endswith(" a.service b.service") and "MainPID" in call


def test_no_units_need_no_call(scripts):
    scripts("systemctl", "exit 1")
    assert Manager().show([]) == []


def test_a_restart_gives_starts_back_and_queues_all_at_once(scripts):
    calls = scripts("systemctl", "exit 0")
    Manager().restart(["a.service", "b.service"])
    assert calls() == [
        "systemctl reset-failed -- a.service b.service",
        "systemctl restart --no-block -- a.service b.service",
    ]


@pytest.mark.parametrize(
    ("stderr", "code"),
    [
        ("Failed to restart a.service: Unit a.service is masked.", "restart-refused"),
        ("Failed to restart a.service: Interactive authentication required.", "not-permitted"),
        ("Failed to restart a.service: Access denied", "not-permitted"),
        ("System has not been booted with systemd as init system (PID 1). Can't operate.", "no-systemd"),
        ("Failed to connect to bus: No such file or directory", "no-systemd"),
    ],
)
def test_a_refused_restart_says_why(scripts, stderr, code):
    scripts("systemctl", answer("", 1, stderr.replace("'", "'\\''")))
    with pytest.raises(FindingError) as raised:
        Manager().restart(["a.service"])
    assert raised.value.finding.code == code
    assert stderr.split(":")[0] in raised.value.finding.message


def test_a_question_that_fails_otherwise_keeps_the_words(scripts):
    scripts("systemctl", answer("", 4, "Something new happened"))
    with pytest.raises(FindingError) as raised:
        Manager().show(["a.service"])
    assert (raised.value.finding.code, raised.value.finding.subject) == ("systemd-answer", "systemctl show")
    assert "Something new happened" in raised.value.finding.message


def test_without_systemctl_there_is_no_systemd(tmp_path, monkeypatch):
    monkeypatch.setitem(systemd_manager._ENVIRONMENT, "PATH", str(tmp_path))
    with pytest.raises(FindingError) as raised:
        Manager().unit_names()
    assert raised.value.finding.code == "no-systemd"


def test_a_systemd_that_hangs_is_left_alone(scripts, monkeypatch):
    monkeypatch.setattr(systemd_manager, "_PATIENCE", 0.3)
    scripts("systemctl", "sleep 300")
    with pytest.raises(FindingError) as raised:
        Manager().show(["a.service"])
    assert raised.value.finding.code == "systemd-answer"


# The journal


def journal(*entries):
    return "\n".join(json.dumps({**LINE, **entry}) for entry in entries)


def test_the_cursor_is_the_last_entrys(scripts):
    scripts("journalctl", answer(journal({}, {"__CURSOR": "s=9"})))
    assert Manager().log_end() == "s=9"


def test_an_empty_journal_has_no_cursor(scripts):
    calls = scripts("journalctl", "exit 0")
    assert Manager().log_end() == ""
    assert Manager().log_since(["a.service"], "") == []
    assert "--boot" in calls()[1] and "--after-cursor" not in calls()[1]


def test_what_units_and_systemd_wrote_about_them(scripts):
    calls = scripts(
        "journalctl",
        answer(
            journal(
                {"MESSAGE": "hello\n"},
                {"MESSAGE": [111, 104, 255], "_PID": "813"},
                {"MESSAGE": None},
                {"MESSAGE": "Started a.", "_PID": "1", "_SYSTEMD_UNIT": "init.scope", "UNIT": "a.service"},
                {"MESSAGE": "Failed to attach", "SYSLOG_IDENTIFIER": "(bundle)"},
            )
            + "\nno json"
        ),
    )
    at = 1795426747.595879
    assert Manager().log_since(["a.service", "b.service"], "s=1;i=2") == [
        LogLine(at, "a.service", 812, "hello"),
        LogLine(at, "a.service", 813, "oh\ufffd"),
        LogLine(at, "a.service", 1, "Started a."),
        LogLine(at, "a.service", 1, "Failed to attach"),
    ]
    (call,) = calls()
    assert "--after-cursor=s=1;i=2" in call and call.endswith("--unit=a.service --unit=b.service")


def test_a_journal_that_may_not_be_read(scripts):
    scripts("journalctl", answer("", 1, "No journal files were opened: Permission denied"))
    with pytest.raises(FindingError) as raised:
        Manager().log_since(["a.service"], "s=1")
    assert raised.value.finding.code == "not-permitted"
