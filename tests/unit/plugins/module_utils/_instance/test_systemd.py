# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import installed_ruby
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import file_times
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Hints, InstanceError, LogLine
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Listener
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.driver import find
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.units import (
    EnvironmentFile,
    Unit,
    start_times,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._instance.conftest import VERSION_RB

METADATA = "\n    def build_metadata\n      version_configuration[:metadata]\n    end\n"
SECRET = "correct-horse-battery"


def driver(host, **hints):
    return find(Hints(**hints), host, host)


def faults(host, **hints):
    with pytest.raises(InstanceError) as raised:
        driver(host, **hints)
    return raised.value


def test_everything_about_a_usual_instance(host):
    env = f"LOCAL_DOMAIN=social.example\nSMTP_SERVER=r.example\nSMTP_PASSWORD={SECRET}\nBULK_SMTP_SERVER=b.example\n"
    app_dir = host.app(env=env)
    host.usual(app_dir)
    instance = driver(host).instance
    assert instance.as_dict() == {
        "deployment": "systemd",
        "app_dir": app_dir,
        "user": host.units["mastodon-web.service"].user,
        "env_file": f"{app_dir}/.env.production",
        "env_file_checksum": hashlib.sha256(env.encode()).hexdigest(),
        "release": "4.3.8",
        "local_domain": "social.example",
        "readers": ["ruby", "node"],
        "roles": ["web", "sidekiq"],
        "services": instance.as_dict()["services"],
        "mail_variables": ["BULK_SMTP_SERVER", "SMTP_PASSWORD", "SMTP_SERVER"],
        "overrides": [],
        "mark": instance.mark,
    }
    assert {one.name: one.role for one in instance.services} == {
        "mastodon-web.service": "web",
        "mastodon-sidekiq.service": "sidekiq",
        "mastodon-streaming.service": "streaming",
    }
    assert instance.findings == ()
    assert SECRET not in repr(instance) and SECRET not in str(instance.as_dict())
    assert instance.variables["SMTP_PASSWORD"] == SECRET  # for the code that has to redact


def test_a_password_that_dotenv_reads_otherwise_is_a_warning(host):
    host.usual(host.app(env="LOCAL_DOMAIN=social.example\nSMTP_SERVER=r.example\nSMTP_PASSWORD=Abc123#Def456\n"))
    told = [one for one in driver(host).instance.findings if one.code == "env-secret-altered"]
    assert [one.severity for one in told] == ["warning"] and "Abc123" not in repr(told)
    assert all(one.subject.endswith("line 3 (SMTP_PASSWORD)") for one in told)


@pytest.mark.parametrize(
    ("locked", "refused"),
    [("2.7.6", False), ("2.8.1", False), ("3.1.4", False), ("3.1.5", True), ("3.1.8", True), ("3.2.0", True),
     ("3.9.0", True), ("", True)],
)  # fmt: skip
def test_the_file_is_read_as_the_installed_dotenv_does(host, locked, refused):
    app_dir = Path(host.app(env="export SMTP_LOGIN=\nSMTP_SERVER=relay.example\n"))
    if locked:
        gems = f"GEM\n  specs:\n    dotenv ({locked})\n    dotenv-rails (1.0)\n      dotenv (= 9.9.9)\n"
        (app_dir / "Gemfile.lock").write_text(gems)
    host.usual(str(app_dir))
    if refused:
        assert "env-file-refused" in {one.code for one in faults(host).findings}
        return
    instance = driver(host).instance
    assert instance.mail_variables == ("SMTP_LOGIN", "SMTP_SERVER")
    assert instance.variables["SMTP_LOGIN"] == ""
    assert instance.readers == (installed_ruby(f"    dotenv ({locked})\n"), "node") and "ruby" not in instance.readers


def test_a_linked_environment_file_is_known_by_its_target(host):
    app_dir = host.app(env=None)
    (host.folder / "shared").write_text("LOCAL_DOMAIN=x.example\n")
    os.symlink(host.folder / "shared", f"{app_dir}/.env.production")
    host.usual(app_dir)
    assert driver(host).instance.env_file == str(host.folder / "shared")


def test_an_override_is_a_warning_and_never_shows_its_value(host):
    app_dir = host.app()
    with open(f"{app_dir}/.env.production.local", "w") as file:
        file.write(f"SMTP_PASSWORD={SECRET}\n")
    host.usual(app_dir)
    host.change("mastodon-sidekiq.service", environment={"SMTP_PORT": "2525", "DB_POOL": "25"})
    host.change("mastodon-streaming.service", environment={"SMTP_SERVER": "is no business of Node's"})
    instance = driver(host).instance
    assert [(one.variable, one.layer) for one in instance.overrides] == [
        ("SMTP_PORT", "Environment"),
        ("SMTP_PASSWORD", ".env.production.local"),
    ]
    assert {one.code for one in instance.findings} == {"override-hides-file"}
    assert {one.severity for one in instance.findings} == {"warning"}
    assert SECRET not in str([one.as_dict() for one in instance.findings])


def test_a_file_that_units_read_too_has_systemd_among_its_readers(host):
    app_dir = host.app()
    host.usual(app_dir, environment_files=(EnvironmentFile(f"{app_dir}/.env.production", False),))
    instance = driver(host).instance
    assert instance.readers == ("ruby", "node", "systemd")
    assert instance.overrides == ()  # it does not win over itself


def test_settings_that_only_systemd_reads(host):
    app_dir = host.app(env=None)
    (host.folder / "environment").write_text("LOCAL_DOMAIN=a.example\nSMTP_SERVER=r.example\n")
    (host.folder / "later").write_text("SMTP_PORT=25\n")
    files = tuple(EnvironmentFile(str(host.folder / name), False) for name in ("environment", "later"))
    host.usual(app_dir, environment={"SMTP_LOGIN": "loses against the files"}, environment_files=files)
    finding = faults(host).finding
    assert finding.code == "env-file-missing" and f"{host.folder}/environment" in finding.message
    instance = driver(host, env_file=str(host.folder / "environment")).instance
    assert (instance.readers, instance.local_domain) == (("systemd",), "a.example")
    assert instance.mail_variables == ("SMTP_SERVER",)
    assert [(one.variable, one.layer) for one in instance.overrides] == [("SMTP_PORT", "EnvironmentFile")]


def test_patterns_of_environment_files(host):
    app_dir = host.app()
    for name in ("10.conf", "20.conf"):
        (host.folder / name).write_text(f"SMTP_DOMAIN={name}\n")
    host.usual(app_dir, environment_files=(EnvironmentFile(f"{host.folder}/*.conf", True),))
    found = driver(host).instance
    assert found.variables["SMTP_DOMAIN"] == "20.conf"
    assert len(found.overrides) == 2


def test_a_withheld_unit_variable_is_said(host):
    host.usual(host.app())
    host.change("mastodon-web.service", environment_hidden=True)
    (finding,) = driver(host).instance.findings
    assert finding.code == "unit-environment-hidden" and finding.severity == "unknown"


def test_a_fork_that_says_so_in_mastodon_yml(host):
    app_dir = host.app(version=VERSION_RB.replace("  end\nend\n", f"{METADATA}  end\nend\n"))
    host.usual(app_dir)
    assert driver(host).instance.release == "4.3.8"
    (Path(app_dir) / "config").mkdir()
    (Path(app_dir) / "config/mastodon.yml").write_text("shared:\n  version:\n    metadata: fork\n")
    assert driver(host).instance.release == "4.3.8+fork"


# Faults: each keeps what is known


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda app: (app / ".env.production").unlink(), "env-file-missing"),
        (lambda app: [(app / ".env.production").unlink(), (app / ".env.production").mkdir()], "env-file-not-regular"),
        (lambda app: (app / ".env.production").write_bytes(b"A=\xff\n"), "env-file-not-utf8"),
        (lambda app: (app / "lib/mastodon/version.rb").write_text("broken"), "release-unreadable"),
    ],
    ids=["missing", "directory", "not utf8", "version.rb"],
)
def test_a_fault_keeps_what_is_known(host, spoil, code):
    app_dir = host.app()
    host.usual(app_dir)
    spoil(Path(app_dir))
    faulty = faults(host)
    assert faulty.finding.code == code
    assert faulty.instance.app_dir == app_dir and len(faulty.instance.services) == 3
    assert (faulty.instance.release == "4.3.8") is (code != "release-unreadable")


def test_several_faults_are_said_at_once(host):
    app_dir = host.app(version="broken", env=None)
    host.usual(app_dir, user="nobody-of-that-name")
    assert {one.code for one in faults(host).findings} == {"user-unknown", "env-file-missing", "release-unreadable"}


def test_an_empty_file_is_a_warning(host):
    host.usual(host.app(env="\n"))
    instance = driver(host).instance
    assert [one.code for one in instance.findings] == ["env-file-empty"]
    assert (instance.local_domain, instance.mail_variables) == ("", ())


# Stale


def service(host, name="mastodon-web.service"):
    return next(one for one in driver(host).services() if one.name == name)


def started(host, name, at):
    offset = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    host.change(name, started_monotonic=at - offset)


def touch(path, at):
    with open(path, "a"):
        os.utime(path, (at, at))


@pytest.mark.parametrize(
    ("process", "file", "stale"),
    [(-100, -200, False), (-100, -50, True), (-100, -100.5, False), (-100, -99.5, True)],
)
def test_a_service_is_stale_when_the_file_is_newer_than_its_process(host, process, file, stale):
    app_dir = host.app()
    host.usual(app_dir)
    now = time.time()
    touch(f"{app_dir}/.env.production", now + file)
    started(host, "mastodon-web.service", now + process)
    assert service(host).stale is stale


def test_any_layer_counts_also_one_that_only_this_unit_reads(host):
    app_dir = host.app()
    host.usual(app_dir)
    host.change("mastodon-web.service", environment_files=(EnvironmentFile(f"{host.folder}/web.env", True),))
    now = time.time()
    touch(f"{app_dir}/.env.production", now - 1000)
    touch(f"{host.folder}/web.env", now - 10)
    for name in ("mastodon-web.service", "mastodon-sidekiq.service"):
        started(host, name, now - 100)
    assert service(host).stale and not service(host, "mastodon-sidekiq.service").stale
    touch(f"{app_dir}/.env.local", now - 10)
    assert service(host, "mastodon-sidekiq.service").stale


def test_an_unknown_start_is_a_doubt_and_counts_as_stale(host):
    app_dir = host.app()
    host.usual(app_dir)
    touch(f"{app_dir}/.env.production", 1000)
    assert service(host).stale and service(host).since is None


def test_what_does_not_run_is_not_stale(host):
    host.usual(host.app(), active_state="failed")
    assert not service(host).stale


def test_services_are_looked_at_anew_each_time(host):
    app_dir = host.app()
    host.usual(app_dir)
    touch(f"{app_dir}/.env.production", time.time() - 1000)
    started(host, "mastodon-web.service", time.time() - 100)
    found = driver(host)
    assert not found.services()[0].stale
    touch(f"{app_dir}/.env.production", time.time())
    host.change("mastodon-web.service", main_pid=99)
    assert found.services()[0].stale and found.services()[0].pid == 99


@pytest.mark.parametrize(
    ("monotonic", "recorded", "expected"),
    [
        (None, None, (None, None)),
        (500.0, None, (1500.0, 1500.0)),
        (500.9, 1500.0, (1500.9, 1500.9)),  # the date that was noted has whole seconds only
        (500.0, 300.0, (1500.0, 300.0)),  # the clock was put forward after the start
        (500.0, 9000.0, (1500.0, 1500.0)),  # it was put back
    ],
)
def test_the_start_of_a_process_by_two_clocks(monotonic, recorded, expected):
    unit = Unit("x.service", started_monotonic=monotonic, started_recorded=recorded)
    assert start_times(unit, 1000.0) == expected


# The clock is set back after the edit


HOUR = 3600


def set_back(monkeypatch, seconds):
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - seconds)


def restarted(host, driver):
    """What systemd does when the driver asks for it."""
    driver.restart([one for one in driver.services() if one.holds_mail_settings])
    for name in host.restarted[-1]:
        host.change(name, started_monotonic=time.clock_gettime(time.CLOCK_MONOTONIC))


def stale(driver):
    return [one.name for one in driver.services() if one.stale and one.holds_mail_settings]


def test_a_file_time_in_the_future_restarts_once_and_says_so(host, monkeypatch):
    """Edited while the clock was an hour ahead, by whom ever: nothing tells whether the processes are older."""
    host.usual(host.app())
    set_back(monkeypatch, HOUR)
    found = driver(host)
    (finding,) = found.instance.findings
    assert (finding.code, finding.severity) == ("file-time-ahead", "warning")
    assert finding.subject.endswith("/.env.production") and "60 minutes ahead" in finding.message
    assert "timedatectl" in finding.fix
    assert stale(found) == ["mastodon-web.service", "mastodon-sidekiq.service"]
    restarted(host, found)
    assert stale(found) == [] and stale(driver(host)) == []


def test_no_restart_when_ours_was_before_the_clock_was_set_back(host, monkeypatch):
    app_dir = host.app()
    host.usual(app_dir)
    restarted(host, driver(host))
    set_back(monkeypatch, HOUR)
    found = driver(host)
    assert stale(found) == [] and [one.code for one in found.instance.findings] == ["file-time-ahead"]
    Path(app_dir, ".env.production").write_text("LOCAL_DOMAIN=other.example\n")  # and then one that is new
    assert stale(found) == ["mastodon-web.service", "mastodon-sidekiq.service"]


def test_services_that_were_not_restarted_with_the_others_stay_current(host, monkeypatch):
    host.usual(host.app())
    for name in ("mastodon-web.service", "mastodon-sidekiq.service"):
        started(host, name, time.time() + 1)
    found = driver(host)
    found.restart([one for one in found.services() if one.role == "web"])
    set_back(monkeypatch, HOUR)
    assert "mastodon-sidekiq.service" not in stale(found)


def test_a_time_that_was_set_into_the_future_by_hand_is_no_doubt(host):
    """touch -d: the inode's own time tells when."""
    app_dir = host.app()
    host.usual(app_dir)
    touch(f"{app_dir}/.env.production", time.time() + HOUR)
    for name, at in (("mastodon-web.service", 1), ("mastodon-sidekiq.service", -1)):
        started(host, name, time.time() + at)
    assert stale(driver(host)) == ["mastodon-sidekiq.service"]


def test_an_edit_while_the_clock_is_behind_is_not_taken_for_an_old_one(host):
    app_dir = host.app()
    host.usual(app_dir)
    found = driver(host)
    restarted(host, found)
    assert stale(found) == []
    touch(f"{app_dir}/.env.production", time.time() - HOUR)
    assert stale(driver(host)) == ["mastodon-web.service", "mastodon-sidekiq.service"]


def test_a_sighting_of_another_boot_or_of_somebody_else_is_none(host, monkeypatch, notes_of_sightings):
    host.usual(host.app())
    restarted(host, driver(host))
    set_back(monkeypatch, HOUR)
    (note,) = notes_of_sightings.iterdir()
    whole = note.read_text()
    for spoilt in (whole.replace(file_times.boot_id(), "another"), whole[:40], "[]", '{"boot": 1}', ""):
        note.write_text(spoilt)
        assert len(stale(driver(host))) == 2, spoilt
    note.write_text(whole)
    assert stale(driver(host)) == []
    note.rename(note.with_suffix(".real"))
    note.symlink_to(note.with_suffix(".real"))
    assert len(stale(driver(host))) == 2


def test_where_nothing_can_be_noted_the_restart_is_done_all_the_same(host, notes_of_sightings):
    notes_of_sightings.write_text("not a folder")
    host.usual(host.app())
    restarted(host, driver(host))
    assert host.restarted == [["mastodon-web.service", "mastodon-sidekiq.service"]]


# Running something, readiness, log


def test_runs_a_command_in_the_app_with_the_units_environment(host):
    app_dir = host.app()
    host.usual(app_dir)
    (host.folder / "sidekiq.env").write_text("FROM_FILE='a b'\n")
    host.change(
        "mastodon-sidekiq.service",
        environment={"FROM_UNIT": "1", "UNSET_ME": "1"},
        environment_files=(EnvironmentFile(str(host.folder / "sidekiq.env"), False),),
    )
    done = driver(host).run_in_app(
        ["sh", "-c", 'pwd; cat; echo "$FROM_UNIT|$FROM_FILE|$RAILS_ENV|$MINE|${UNSET_ME-unset}"'],
        stdin=b"in\n",
        environment={"MINE": "x", "UNSET_ME": None},
        timeout=30,
    )
    assert done.stdout.decode().splitlines() == [app_dir, "in", "1|a b|production|x|unset"]


def test_a_program_of_the_app_that_is_missing(host):
    host.usual(host.app())
    with pytest.raises(FindingError) as raised:
        driver(host).run_in_app(["bin/rails", "runner", "-"], timeout=30)
    assert (raised.value.finding.code, raised.value.finding.subject) == ("app-command-missing", "bin/rails")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_without_root_nobody_elses_programs_are_run(host):
    host.usual(host.app())
    found = driver(host, user="daemon")
    os.seteuid(65534)
    try:
        with pytest.raises(FindingError) as raised:
            found.run_in_app(["true"], timeout=30)
    finally:
        os.seteuid(0)
    assert raised.value.finding.code == "not-permitted" and "daemon" in raised.value.finding.message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_root_becomes_the_instances_user(host):
    host.usual(host.app())
    done = driver(host, user="daemon").run_in_app(["id", "-un"], timeout=30)
    assert done.stdout == b"daemon\n"


def test_ready_by_role(host):
    host.usual(host.app())
    for role, titles in (("web", {1: "puma 6.4 (tcp://x) [live]"}), ("sidekiq", {2: "ruby bin/sidekiq -c 25"})):
        host.change(f"mastodon-{role}.service", control_group=f"/{role}")
        host.titles[f"/{role}"] = titles
    found = driver(host)
    ready = {one.role: found.ready(one) for one in found.services()}
    assert (ready["web"], ready["sidekiq"]) == (True, False)
    host.titles["/sidekiq"] = {2: "sidekiq 7.3.2 live [0 of 25 busy]"}
    assert all(found.ready(one) for one in found.services() if one.role == "sidekiq")
    host.change("mastodon-web.service", active_state="activating")
    assert not any(found.ready(one) for one in found.services() if one.role == "web")


def test_a_restart_names_the_services(host):
    host.usual(host.app())
    found = driver(host)
    found.restart([one for one in found.services() if one.holds_mail_settings])
    assert host.restarted == [["mastodon-web.service", "mastodon-sidekiq.service"]]
    assert found.log_cursor(found.services()) == "s=1"


# Hosts with one half of the mail


def codes(host, **hints):
    return [one.code for one in driver(host, **hints).instance.findings]


def test_a_host_with_web_only(host):
    host.unit("mastodon-web.service", host.app())
    found = driver(host)
    assert (found.instance.roles, codes(host)) == (("web",), ["sidekiq-elsewhere"])
    assert "(no such service was found)" in found.instance.findings[0].message
    assert found.run_in_app(["pwd"], timeout=30).returncode == 0
    assert [one.name for one in found.services()] == ["mastodon-web.service"]


def test_a_host_with_sidekiq_only(host):
    host.unit("mastodon-sidekiq.service", host.app(), "sidekiq", environment={"DB_POOL": "25"})
    found = driver(host)
    assert (found.instance.roles, codes(host)) == (("sidekiq",), ["web-elsewhere"])
    assert found.run_in_app(["sh", "-c", "echo $DB_POOL"], timeout=30).stdout == b"25\n"


@pytest.mark.parametrize(
    ("change", "roles"),
    [
        ({"active_state": "inactive", "file_state": "disabled"}, ("sidekiq",)),
        ({"active_state": "inactive", "file_state": "masked", "load_state": "masked"}, ("sidekiq",)),
        ({"active_state": "inactive"}, ("web", "sidekiq")),  # enabled: somebody has stopped it
        ({"active_state": "inactive", "file_state": "disabled", "pulled_in": True}, ("web", "sidekiq")),
        ({"active_state": "failed", "file_state": "disabled"}, ("web", "sidekiq")),
        ({"file_state": "disabled"}, ("web", "sidekiq")),  # it runs
        ({"file_state": "masked"}, ("web", "sidekiq")),
    ],
)
def test_what_is_meant_to_run_on_a_host(host, change, roles):
    host.usual(host.app())
    host.change("mastodon-web.service", **change)
    assert driver(host).instance.roles == roles


def test_a_unit_that_is_not_meant_to_run_does_not_stand_for_the_instance(host):
    host.usual(host.app())
    host.change(
        "mastodon-web.service",
        active_state="inactive",
        sub_state="dead",
        file_state="disabled",
        environment={"SMTP_PORT": "1", "ONLY": "web"},
    )
    found = driver(host)
    assert found.instance.overrides == () and found.web_url() == ""
    assert found.run_in_app(["sh", "-c", "echo $ONLY"], timeout=30).stdout == b"\n"
    assert "(mastodon-web.service: inactive (dead), not enabled)" in found.instance.findings[0].message


def test_named_services_say_what_runs_on_a_host(host):
    host.usual(host.app())
    found = driver(host, services=("mastodon-sidekiq",)).instance
    assert found.roles == ("sidekiq",)
    assert [one.code for one in found.findings] == ["web-elsewhere"]
    assert "mastodon_smtp_services lists none" in found.findings[0].message


# A service that was failing before


def test_a_crash_loop_is_told_with_the_end_of_its_log(host):
    host.usual(host.app(env=f"LOCAL_DOMAIN=x.example\nSMTP_PASSWORD={SECRET}\n"))
    host.change("mastodon-sidekiq.service", active_state="activating", sub_state="auto-restart", restarts=14)
    host.log = [
        LogLine(1.0, "mastodon-sidekiq.service", 7, f"boot of alice@example.org with {SECRET}"),
        LogLine(2.0, "mastodon-web.service", 8, "another's"),
    ]
    (finding,) = driver(host).instance.findings
    assert (finding.code, finding.severity) == ("service-failing-before", "warning")
    assert finding.message == (
        "It is activating (auto-restart), and was restarted 14 times. The end of its log: boot of [address] with "
        "[secret]"
    )


@pytest.mark.parametrize(("restarts", "codes"), [(3, ["service-failing-before"]), (0, [])])
def test_a_crash_loop_is_told_in_the_moment_of_its_next_start_too(host, restarts, codes):
    host.usual(host.app())
    host.change(
        "mastodon-sidekiq.service", active_state="activating", sub_state="start-pre", job=True, restarts=restarts
    )
    assert [finding.code for finding in driver(host).instance.findings] == codes


# Where web listens


def web_listens(host, *listeners, pid=50, name="mastodon-web.service"):
    host.change(name, control_group=f"/{name}")
    host.titles[f"/{name}"] = {pid: "puma 6.4 (tcp://x) [live]"}
    host.listening[pid] = list(listeners)


def test_the_environment_file_does_not_say_where_web_listens(host):
    host.usual(host.app(env="LOCAL_DOMAIN=x.example\nSOCKET=/run/x.sock\nBIND=10.0.0.1\nPORT=3999\n"))
    assert driver(host).web_url() == "http://127.0.0.1:3000"  # what config/puma.rb binds without a word
    web_listens(host, Listener(0, "127.0.0.1", 3100))
    assert driver(host).web_url() == "http://127.0.0.1:3100"


def test_the_unit_or_its_process_says_where_web_listens(host):
    app_dir = host.app()
    host.usual(app_dir)
    (host.folder / "web.env").write_text("PORT=3200\n")
    files = (EnvironmentFile(str(host.folder / "web.env"), False),)
    host.change("mastodon-web.service", environment={"PORT": "3100", "BIND": "0.0.0.0"}, environment_files=files)
    assert driver(host).web_url() == "http://127.0.0.1:3200"  # nothing can be seen
    both = [Listener(0, "127.0.0.1", 3000), Listener(0, "0.0.0.0", 3200), Listener(0, "127.0.0.1", 3300)]
    web_listens(host, *both)
    assert driver(host).web_url() == "http://127.0.0.1:3200"
    host.environments[50] = {"PORT": "3300"}  # a script in front of Puma has the last word
    assert driver(host).web_url() == "http://127.0.0.1:3300"


def test_a_socket_in_a_directory_that_only_the_unit_has(host):
    host.usual(host.app())
    web_listens(host, Listener(0, path="/tmp/web.sock"), pid=50)
    assert driver(host).web_url() == "unix:/tmp/web.sock"
    web_listens(host, Listener(0, path="/tmp/web.sock"), pid=9001)
    assert driver(host).web_url() == "unix:/proc/9001/root/tmp/web.sock"


def test_the_web_unit_that_listens_is_asked(host):
    app_dir = host.app()
    host.usual(app_dir)
    host.unit("mastodon-web2.service", app_dir)
    web_listens(host, Listener(0, "127.0.0.1", 3001), name="mastodon-web2.service")
    assert driver(host).web_url() == "http://127.0.0.1:3001"


def test_without_a_web_service_there_is_no_address(host):
    host.unit("mastodon-sidekiq.service", host.app(), "sidekiq")
    assert driver(host).web_url() == ""
