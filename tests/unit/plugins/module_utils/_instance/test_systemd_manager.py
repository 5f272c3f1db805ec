# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemctl and journalctl as scripts on the PATH, for answers that a healthy systemd does not give.

What the real ones answer is in recorded/ and in the tests on the lab.
"""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import LogLine
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.process import Account
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd import manager as systemd_manager
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd import places
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


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder in which systemd looks for units."""
    folder = tmp_path / "units"
    folder.mkdir()
    monkeypatch.setattr(places, "PLACES", (str(folder), f"{folder}/*.wants", "/nonexistent*"))
    return folder


def test_names_come_from_both_lists_once(scripts, files):
    calls = scripts("systemctl", 'echo "a.service x"')
    for name in ("a.service", "b.service", "c@.service", "d.socket"):
        (files / name).touch()
    assert Manager().unit_names(lambda _name, _files: True) == (["a.service", "b.service"], 2)
    assert [call.split()[1] for call in calls()] == ["list-units"]
    assert "--all" in calls()[0]


def test_only_those_that_may_be_looked_for_are_named_and_all_are_counted(scripts, files):
    scripts("systemctl", 'echo "a.service x"')
    (files / "b.service").touch()
    assert Manager().unit_names(lambda name, _files: name == "b.service") == (["b.service"], 2)


@pytest.mark.parametrize(
    ("unit", "leads"),
    [
        ("WorkingDirectory=/srv/live", True),
        ("WorkingDirectory=-/srv/live", True),
        ("  WorkingDirectory = /srv/live/public", True),
        ("WorkingDirectory=~", True),
        ("WorkingDirectory=/home/%i/live", True),
        ("ExecStart=/bin/sh -c 'cd /srv/live && exec bin/x'", True),
        ("ExecStart=@-/usr/bin/env X=1 \\\n  /srv/live/bin/puma", True),
        ("ExecStart=/bin/sh -c 'cd /srv\\x2flive'", True),
        ("ExecStart=/usr/sbin/sshd -D\nExecStartPre=/srv/live/bin/x", False),
        ("WorkingDirectory=/srv/other\nExecStart=/usr/bin/x", False),
        ("", False),
    ],
)
def test_a_unit_may_lead_where_its_file_names_a_path_there(files, unit, leads):
    (files / "a.service").write_text(f"[Service]\n{unit}\n".replace("\\n", "\n"))
    assert places.UnitFiles().may_lead("a.service", lambda path: path == "/srv/live") is leads


@pytest.mark.parametrize(
    ("folder", "leads"),
    [
        ("a-b@1.service.d", True),
        ("a-b@.service.d", True),
        ("a-.service.d", True),
        ("service.d", True),
        ("a.service.d", False),
    ],
)
def test_settings_that_are_added_to_a_unit_count(files, folder, leads):
    (files / "a-b@.service").write_text("[Service]\nExecStart=/usr/bin/x\n")
    (files / folder).mkdir()
    (files / folder / "own.conf").write_text("[Service]\nWorkingDirectory=/srv/live\n")
    assert places.UnitFiles().may_lead("a-b@1.service", lambda path: path == "/srv/live") is leads


@pytest.mark.usefixtures("files")
def test_a_unit_without_a_file_may_lead_anywhere():
    assert places.UnitFiles().may_lead("transient.service", lambda _path: False)


def test_a_unit_that_is_masked_or_unreadable_is_no_fault(files):
    (files / "a.service").symlink_to("/dev/null")
    (files / "b.service").symlink_to("/nonexistent")
    (files / "c.service").mkdir()
    found = places.UnitFiles()
    leads = [found.may_lead(name, lambda _path: True) for name in ("a.service", "b.service", "c.service")]
    assert leads == [False, True, True]  # of what cannot be read, systemd is asked


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
        Manager().unit_names(lambda _name, _files: True)
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


def test_a_linked_unit_of_a_tenant_keeps_nobody_waiting(files, tmp_path):
    """systemctl link takes a file from anybody's folder; its owner may put a pipe there, or a text made to be slow."""
    tenant = tmp_path / "home"
    tenant.mkdir()
    os.mkfifo(tenant / "pipe.service")
    (tenant / "long.service").write_text("[Service]\nExecStart=" + "/a" * 100_000 + "\n")
    for name in ("pipe.service", "long.service"):
        (files / name).symlink_to(tenant / name)
    asked: list[str] = []
    assert places.UnitFiles().may_lead("pipe.service", lambda _path: False)
    assert not places.UnitFiles().may_lead("long.service", lambda path: bool(asked.append(path)))
    assert not asked


def test_two_slashes_lead_nowhere_and_end(files):
    """docker.service has -H fd://, and dirname('//') is '//'."""
    (files / "docker.service").write_text("[Service]\nExecStart=/usr/sbin/dockerd -H fd:// --x=//srv/live //\n")
    asked: list[str] = []
    assert not places.UnitFiles().may_lead("docker.service", lambda path: bool(asked.append(path)))
    assert sorted(asked) == ["//srv", "//srv/live", "/usr", "/usr/sbin", "/usr/sbin/dockerd"]


# A user's own systemd


def own():
    """The systemd of the user that the tests run as."""
    return Manager(Account.named(str(os.geteuid())))


def test_a_users_systemd_is_asked_as_the_user(scripts):
    calls = scripts("systemctl", 'echo "runtime: $XDG_RUNTIME_DIR" >> $(dirname $0)/calls; echo "a.service x"')
    assert own().unit_names(lambda _name, _files: False) == (["a.service"], 1)
    own().restart(["a.service"])
    asked = [call for call in calls() if call.startswith("systemctl")]
    assert asked[0].startswith("systemctl --user list-units --all")
    assert asked[1].startswith("systemctl --user list-unit-files")
    assert asked[2:] == [
        "systemctl --user reset-failed -- a.service",
        "systemctl --user restart --no-block -- a.service",
    ]
    assert f"runtime: /run/user/{os.geteuid()}" in calls()


def test_a_users_unit_runs_as_him_whatever_it_says(scripts):
    said = "Id=a.service\nUser=root\nGroup=disk\nSupplementaryGroups=shadow root\nLoadState=loaded"
    calls = scripts("systemctl", answer(said))
    (unit,) = own().show(["a.service"])
    assert (unit.user, unit.group, unit.supplementary_groups) == (Account.named(str(os.geteuid())).name, "", ())
    assert calls()[0].endswith(" -- a.service")
    (unit,) = Manager().show(["a.service"])
    assert (unit.user, unit.group, unit.supplementary_groups) == ("root", "disk", ("shadow", "root"))


def test_the_log_of_a_users_units_is_chosen_by_the_journals_fields(scripts):
    by_unit = {**LINE, "MESSAGE": "boot", "_SYSTEMD_UNIT": "user@1000.service", "_SYSTEMD_USER_UNIT": "a.service"}
    about = {**LINE, "MESSAGE": "Failed.", "_PID": "77", "_SYSTEMD_UNIT": "user@1000.service", "USER_UNIT": "a.service"}
    calls = scripts("journalctl", answer(f"{json.dumps(by_unit)}\n{json.dumps(about)}"))
    lines = own().log_since(["a.service", "b.service"], "s=1")
    assert [(one.service, one.pid, one.text) for one in lines] == [
        ("a.service", 812, "boot"),
        ("a.service", 1, "Failed."),
    ]
    (call,) = calls()
    owner = f"_UID={os.geteuid()}"
    assert call.endswith(
        f"_SYSTEMD_USER_UNIT=a.service {owner} + USER_UNIT=a.service {owner} + "
        f"_SYSTEMD_USER_UNIT=b.service {owner} + USER_UNIT=b.service {owner}"
    )
    assert "--unit" not in call and "--user" not in call


def test_a_user_without_a_systemd_has_none(monkeypatch, tmp_path):
    assert Manager.of_user("nobody-of-this-name") is None
    monkeypatch.setattr(systemd_manager, "_runtime", lambda _account: str(tmp_path))
    assert Manager.of_user(str(os.geteuid())) is None
    (tmp_path / "systemd").mkdir()
    found = Manager.of_user(str(os.geteuid()))
    assert found is not None and found.account is not None and found.account.current
