# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recorded outputs are of the lab's Debian 13 (systemd 257) and Debian 12 (252), with units made difficult."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Life
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.units import (
    EnvironmentFile,
    Unit,
    parse_names,
    parse_show,
    role_of,
    split_words,
)

RECORDED = Path(__file__).parent / "recorded"
RELEASES = ["systemd-252", "systemd-257"]


@pytest.fixture(params=RELEASES)
def units(request):
    return {unit.name: unit for unit in parse_show((RECORDED / f"{request.param}.txt").read_text())}


def test_every_unit_is_there_once(units):
    assert list(units) == [
        "mastodon-web.service",
        "mastodon-sidekiq.service",
        "mastodon-sidekiq@5.service",
        "mastodon-sidekiq-old.service",
        "mastodon-streaming.service",
        "mastodon-media-remove.service",
        "nothere.service",
    ]


@pytest.mark.parametrize(
    ("name", "state", "detail", "exists", "masked", "wanted"),
    [
        ("mastodon-web.service", "running", "active (running)", True, False, True),
        ("mastodon-sidekiq@5.service", "stopped", "inactive (dead)", True, False, True),
        ("mastodon-sidekiq-old.service", "stopped", "inactive (dead)", True, True, False),
        ("mastodon-streaming.service", "failed", "failed (failed)", True, False, True),
        ("mastodon-media-remove.service", "stopped", "inactive (dead)", True, False, False),
        ("nothere.service", "stopped", "inactive (dead)", False, False, False),
    ],
)
def test_the_state_of_a_unit(units, name, state, detail, exists, masked, wanted):
    unit = units[name]
    assert (unit.state, unit.detail, unit.exists, unit.masked, unit.wanted) == (state, detail, exists, masked, wanted)


def test_where_and_as_whom_it_runs(units):
    web = units["mastodon-web.service"]
    assert (web.user, web.group, web.working_directory) == ("mastodon", "", "/home/mastodon/live")
    assert web.control_group == "/system.slice/mastodon-web.service"
    assert len(web.exec_start) == 1 and web.exec_start[0].endswith("bundle exec puma -C config/puma.rb")
    assert web.environment_files == (EnvironmentFile("/etc/default/mastodon", True),)
    assert web.unset_environment == ("FOO", "BAR=x y")


def test_environment_values_are_what_the_unit_file_meant(units):
    web = units["mastodon-web.service"]
    assert not web.environment_hidden
    assert web.environment == {
        "RAILS_ENV": "production",
        "PORT": "3000",
        "WITH_BLANK": "a b",
        "PLAIN": "x=y",
        "QUOTE": 'say "hi" \\ back',
        "DOLLAR": "$HOME",
        "PERCENT": "100%",
        "TAB": "a\tb",
        "EMPTY": "",
        "NL": "a\nb",
        "SINGLE": "it's",
    }


def test_when_the_process_started(units):
    web = units["mastodon-web.service"]
    assert web.main_pid > 1 and web.started_monotonic is not None and 2000 < web.started_monotonic < 3000
    assert web.started_recorded == pytest.approx(1795426661, abs=60)  # 2026-11-23 09:37:41 UTC, and a minute
    idle = units["mastodon-sidekiq@5.service"]
    assert (idle.main_pid, idle.started_monotonic, idle.started_recorded) == (0, None, None)


def test_the_roles_of_recorded_units(units):
    assert {name: role_of(unit) for name, unit in units.items()} == {
        "mastodon-web.service": "web",
        "mastodon-sidekiq.service": "sidekiq",
        "mastodon-sidekiq@5.service": "sidekiq",
        "mastodon-sidekiq-old.service": "sidekiq",
        "mastodon-streaming.service": "streaming",
        "mastodon-media-remove.service": None,
        "nothere.service": None,
    }


@pytest.mark.parametrize(
    ("active", "job", "state"),
    [
        ("active", "", "running"),
        ("reloading", "", "running"),
        ("activating", "", "changing"),
        ("deactivating", "", "changing"),
        ("failed", "", "failed"),
        ("active", "4711", "changing"),  # a restart has been asked for and has not begun
        ("failed", "4711", "changing"),
        ("inactive", "0", "stopped"),
    ],
)
def test_a_pending_job_counts_more_than_the_state(active, job, state):
    (unit,) = parse_show(f"Id=x.service\nActiveState={active}\nJob={job}\n")
    assert unit.state == state


@pytest.mark.parametrize(
    "output", ["", "\n\n", "nonsense\nmore", "NRestarts=3\n"], ids=["empty", "blank", "no equals", "no Id"]
)
def test_output_without_units(output):
    assert parse_show(output) == []


def test_counters_that_are_not_set():
    (unit,) = parse_show("Id=x.service\nNRestarts=[not set]\nMainPID=18446744073709551615\n")
    assert (unit.restarts, unit.main_pid) == (0, 0)


def test_an_alias_shows_its_unit_only_once():
    assert [unit.name for unit in parse_show("Id=a.service\nNames=a.service b.service\n\nId=a.service\n")] == [
        "a.service"
    ]


def test_a_directory_that_may_be_missing():
    (unit,) = parse_show("Id=x.service\nWorkingDirectory=!/home/mastodon/live\n")
    assert unit.working_directory == "/home/mastodon/live"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", []),
        ("A=1 B=2", ["A=1", "B=2"]),
        ('"A=x y" B=', ["A=x y", "B="]),
        (r'"A=\"q\" \\ \$HOME \`x\`"', ['A="q" \\ $HOME `x`']),
        (r"$'A=line\nbreak\x41\101'", ["A=line\nbreakAA"]),  # systemd 246 to 251 for control characters
        ("A=it's B=2", ["A=it's", "B=2"]),
        ("A=$HOME", ["A=$HOME"]),
        ("A=[unprintable]", ["A=[unprintable]"]),
        ('"A=never closed', ['"A=never closed']),
    ],
)
def test_words_of_a_list_property(value, words):
    assert split_words(value) == words


def test_a_withheld_value_is_noticed():
    (unit,) = parse_show("Id=x.service\nEnvironment=RAILS_ENV=production [unprintable] PORT=3000\n")
    assert unit.environment_hidden
    assert unit.environment == {"RAILS_ENV": "production", "PORT": "3000"}


def test_several_programs_and_files():
    (unit,) = parse_show(
        "Id=x.service\n"
        "ExecStart={ path=/bin/a ; argv[]=/bin/a one ; ignore_errors=no ; pid=0 }\n"
        "ExecStart={ path=/bin/b ; argv[]=/bin/b ; two ; ignore_errors=yes ; pid=0 }\n"
        "EnvironmentFiles=/etc/a (ignore_errors=no)\n"
        "EnvironmentFiles=/etc/with blank (ignore_errors=yes)\n"
    )
    assert unit.exec_start == ("/bin/a /bin/a one", "/bin/b /bin/b ; two")
    assert unit.environment_files == (EnvironmentFile("/etc/a", False), EnvironmentFile("/etc/with blank", True))


@pytest.mark.parametrize(
    ("program", "name", "titles", "role"),
    [
        ("/usr/bin/bundle /usr/bin/bundle exec puma -C config/puma.rb", "mastodon-web.service", [], "web"),
        (
            "/usr/bin/bundle /usr/bin/bundle exec sidekiq -c 5 -q mailers",
            "mastodon-sidekiq@mailers.service",
            [],
            "sidekiq",
        ),
        ("/usr/bin/node /usr/bin/node ./streaming", "mastodon-streaming@4000.service", [], "streaming"),
        ("/usr/bin/node /usr/bin/node /srv/live/streaming/index.js", "x.service", [], "streaming"),
        ("/usr/bin/yarn /usr/bin/yarn workspace @mastodon/streaming start", "x.service", [], "streaming"),
        ("/bin/bash /bin/bash -lc 'exec bundle exec sidekiq'", "fedi-jobs.service", [], "sidekiq"),
        ("/bin/bash /bin/bash -lc cd /srv/live && bin/rails s -p 3000", "fedi.service", [], "web"),
        ("/usr/bin/sidekiqswarm /usr/bin/sidekiqswarm", "x.service", [], "sidekiq"),
        ("/srv/start /srv/start jobs", "fedi-a.service", ["sidekiq 7.3.2 live [0 of 25 busy]"], "sidekiq"),
        ("/srv/start /srv/start", "fedi-b.service", ["puma 6.4 (tcp://127.0.0.1:3000) [live]"], "web"),
        ("/srv/start /srv/start", "fedi-c.service", ["puma: cluster worker 0: 12 [live]"], "web"),
        ("/srv/start /srv/start", "glitch-sidekiq.service", [], "sidekiq"),
        ("/srv/start /srv/start", "glitch_web.service", [], "web"),
        ("/srv/start /srv/start", "webhook.service", [], None),
        ("/srv/start /srv/start", "fedi.service", ["/bin/sh /srv/start"], None),
        # beside Mastodon, in its directory and under its name
        ("/usr/bin/env /usr/bin/env bundle exec bin/tootctl media remove", "mastodon-media.service", [], None),
        ("/usr/bin/bundle /usr/bin/bundle exec prometheus_exporter", "mastodon-web-metrics.service", [], None),
        ("/usr/bin/bundle /usr/bin/bundle exec rake sidekiq:health", "mastodon-sidekiq-check.service", [], None),
    ],
)
def test_what_a_unit_does_for_mastodon(program, name, titles, role):
    assert role_of(Unit(name, exec_start=(program,)), titles) == role


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("", []),
        ("mastodon-web.service loaded active running mastodon-web\n", ["mastodon-web.service"]),
        ("  ● a.service loaded failed failed x\n* b.service masked inactive dead b\n", ["a.service", "b.service"]),
        ("sidekiq@.service indirect enabled\nsidekiq@5.service enabled\n", ["sidekiq@5.service"]),
        ("a.service static -\na.service static -\nx.timer enabled enabled\n", ["a.service"]),
    ],
)
def test_names_of_units(output, names):
    assert parse_names(output) == names


def test_what_a_unit_keeps_from_its_processes():
    text = """Id=x.service
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=tmpfs
InaccessiblePaths=-/etc/foo +/srv "/a b"
BindPaths=/etc:/opt/x:rbind /usr:/usr:rbind
BindReadOnlyPaths=-/home/mastodon
TriggeredBy=x.socket
"""
    (unit,) = parse_show(text)
    assert (unit.no_new_privileges, unit.private_tmp, unit.protect_home) == (True, True, "tmpfs")
    assert unit.inaccessible_paths == ("/etc/foo", "/srv", "/a b")
    assert unit.binds == ("/opt/x", "/usr", "/home/mastodon")
    assert unit.wanted  # by its socket
    (plain,) = parse_show("Id=y.service\nNoNewPrivileges=no\nPrivateTmp=no\nProtectHome=no\nInaccessiblePaths=\n")
    assert not (plain.no_new_privileges or plain.private_tmp or plain.inaccessible_paths or plain.binds or plain.wanted)


def test_one_start_of_a_unit_differs_from_the_next_and_its_restarts_are_counted():
    unit = Unit("x.service", active_state="active", main_pid=7, restarts=2, started_monotonic=5.25)
    assert unit.as_service("web", started=1.0, stale=False).lives == (Life("x.service", "7 5.25", 2),)
    assert unit.as_service("web", started=3601.0, stale=False).lives == (Life("x.service", "7 5.25", 2),)
