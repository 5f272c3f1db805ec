# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._files import gate
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import running
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.keepers import Keeper
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Hints
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.process import Account
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.running import Running
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd import places
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.find import choose, choose_anywhere
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.manager import Manager


def refusal(host, **hints):
    return refusal_of(host, Hints(**hints))


def refusal_of(host, hints):
    with pytest.raises(FindingError) as raised:
        choose(hints, host, host)
    return raised.value.finding


def names(choice):
    return sorted(unit.name for unit in choice.units)


def test_the_usual_units_lead_to_the_usual_instance(host):
    app_dir = host.app()
    host.usual(app_dir)
    host.unit("ssh.service", exec_start=("/usr/sbin/sshd /usr/sbin/sshd -D",))
    choice = choose(Hints(), host, host)
    assert choice.app_dir == app_dir
    assert choice.roles == {
        "mastodon-web.service": "web",
        "mastodon-sidekiq.service": "sidekiq",
        "mastodon-streaming.service": "streaming",
    }


def test_renamed_units_are_found_by_where_they_lead(host):
    app_dir = host.app()
    host.usual(app_dir, prefix="fedi")
    assert len(choose(Hints(), host, host).units) == 3


def test_several_sidekiqs_by_hand_and_by_template(host):
    app_dir = host.app()
    host.unit("mastodon-web.service", app_dir)
    for name in ("mastodon-sidekiq@25.service", "mastodon-sidekiq-mailers.service", "jobs.service"):
        host.unit(name, app_dir, "sidekiq")
    choice = choose(Hints(), host, host)
    assert list(choice.roles.values()).count("sidekiq") == 3


@pytest.mark.parametrize(
    "program",
    [
        "/bin/bash /bin/bash -lc cd {app} && exec bundle exec puma",
        "{app}/bin/puma {app}/bin/puma -C config/puma.rb",
        "/usr/bin/env /usr/bin/env BUNDLE_GEMFILE={app}/Gemfile bundle exec puma",
        "/bin/x /bin/x -b //::1 // {app}/bin/puma",
    ],
    ids=["cd in a shell", "program inside", "as a value", "after two slashes"],
)
def test_a_unit_without_working_directory_leads_there_by_its_program(host, program):
    app_dir = host.app()
    host.unit("w.service", exec_start=(program.format(app=app_dir),))
    assert choose(Hints(), host, host).app_dir == app_dir


def test_the_home_directory_itself_as_app_directory(host, monkeypatch):
    app_dir = host.app()
    entry = type("Entry", (), {"pw_dir": app_dir})()
    monkeypatch.setattr("pwd.getpwnam", lambda _unused: entry)
    host.unit("mastodon-web.service", "~")
    assert choose(Hints(), host, host).app_dir == app_dir


def test_programs_beside_mastodon_are_no_services_of_it(host):
    app_dir = host.app()
    host.usual(app_dir)
    host.unit("mastodon-media.service", app_dir, exec_start=("/usr/bin/env /usr/bin/env bin/tootctl media remove",))
    assert len(choose(Hints(), host, host).units) == 3


def test_a_masked_unit_belongs_to_the_only_instance(host):
    app_dir = host.app()
    host.usual(app_dir)
    host.unit("mastodon-sidekiq-2.service", load_state="masked", exec_start=())
    assert "mastodon-sidekiq-2.service" in names(choose(Hints(), host, host))


def test_a_masked_unit_of_nobody_knows_which_instance(host):
    host.usual(host.app("one"), "one")
    host.usual(host.app("two"), "two")
    host.unit("mastodon-sidekiq-2.service", load_state="masked", exec_start=())
    choice = choose(Hints(app_dir=str(host.folder / "one")), host, host)
    assert "mastodon-sidekiq-2.service" not in names(choice)


# Units that only their processes show to be Mastodon's


@pytest.fixture
def runs(monkeypatch):
    """Have these processes run: (role, directory, unit) with the user that the tests run as, or another."""

    def made(*rows, uid=None, kind="unit"):
        uid = os.getuid() if uid is None else uid
        found = [
            Running(50 + pid, role, app_dir, uid, "masto", "4.3.8", Keeper(kind, unit))
            for pid, (role, app_dir, unit) in enumerate(rows)
        ]
        monkeypatch.setattr(running, "mastodons", lambda _unused: found)

    return made


SCRIPT = ("/usr/local/bin/start /usr/local/bin/start jobs",)


def test_a_script_without_directory_is_found_by_what_it_runs(host, runs):
    app_dir = host.app()
    host.unit("fedi-web.service", app_dir)
    host.unit("jobs.service", exec_start=SCRIPT)
    runs(("sidekiq", app_dir, "jobs.service"))
    choice = choose(Hints(), host, host)
    assert choice.roles == {"fedi-web.service": "web", "jobs.service": "sidekiq"}
    assert names(choice) == ["fedi-web.service", "jobs.service"]


def test_an_instance_of_scripts_alone(host, runs):
    app_dir = host.app()
    host.unit("a.service", exec_start=SCRIPT)
    host.unit("mastodon-b.service", exec_start=SCRIPT, user="")
    runs(("web", app_dir, "a.service"), ("sidekiq", app_dir, "mastodon-b.service"))
    choice = choose(Hints(), host, host)
    assert (choice.app_dir, names(choice)) == (app_dir, ["a.service", "mastodon-b.service"])


def test_on_an_ordinary_host_no_process_is_looked_at(host, monkeypatch):
    host.usual(host.app())
    monkeypatch.setattr(running, "mastodons", None)
    assert len(choose(Hints(), host, host).units) == 3


@pytest.mark.parametrize("user", ["", "root"])
def test_what_a_user_has_cron_run_does_not_make_cron_a_service_of_mastodon(host, runs, user):
    app_dir = host.app()
    host.unit("fedi-web.service", app_dir)
    host.unit("cron.service", exec_start=("/usr/sbin/cron /usr/sbin/cron -f",), user=user)
    runs(("sidekiq", app_dir, "cron.service"), uid=48765)
    assert names(choose(Hints(), host, host)) == ["fedi-web.service"]


def test_processes_of_other_keepers_and_of_another_root_are_left_alone(host, runs):
    app_dir = host.app()
    host.unit("fedi-web.service", app_dir)
    host.unit("jobs.service", exec_start=SCRIPT)
    runs(("sidekiq", app_dir, "jobs.service"), kind="user-unit")
    assert names(choose(Hints(), host, host)) == ["fedi-web.service"]
    runs(("sidekiq", "/nowhere", "jobs.service"))
    assert names(choose(Hints(), host, host)) == ["fedi-web.service"]


@pytest.mark.parametrize("known", [True, False], ids=["with a directory", "without"])
def test_one_unit_for_all_is_refused_before_anything_is_changed(host, runs, known):
    app_dir = host.app()
    more = {"working_directory": app_dir} if known else {}
    host.unit("mastodon.service", exec_start=("/usr/bin/foreman /usr/bin/foreman start",), **more)
    host.change("mastodon.service", control_group="/system.slice/mastodon.service")
    host.titles["/system.slice/mastodon.service"] = {
        60: "puma 6.6.1 (x) [live]",
        61: "sidekiq 7.3.9 live [0 of 5 busy]",
    }
    runs(("web", app_dir, "mastodon.service"), ("sidekiq", app_dir, "mastodon.service"))
    finding = refusal(host)
    assert (finding.code, finding.subject) == ("unit-with-two-roles", "mastodon.service")
    assert finding.message == f"It runs both web and sidekiq of {app_dir}." or known


def test_one_unit_for_all_of_another_instance_does_not_matter(host, runs):
    app_dir, other = host.app("one"), host.app("two")
    host.unit("one-web.service", app_dir)
    host.unit("two.service", exec_start=SCRIPT)
    runs(("web", other, "two.service"), ("sidekiq", other, "two.service"))
    assert names(choose(Hints(app_dir=app_dir), host, host)) == ["one-web.service"]


def test_a_unit_found_so_stays_found_while_its_process_is_being_restarted(host, runs, monkeypatch):
    app_dir = host.app()
    host.unit("fedi-web.service", app_dir)
    host.unit("fedi-sidekiq.service", exec_start=SCRIPT)
    runs()
    monkeypatch.setattr(places, "mark", lambda: "m")
    for mark in ("m", "changed since"):
        seen = Hints(seen=("fedi-web.service", "fedi-sidekiq.service"), mark=mark)
        assert names(choose(seen, host, host)) == ["fedi-sidekiq.service", "fedi-web.service"]


# Several instances


@pytest.fixture
def two(host):
    host.usual(host.app("one"), "one", user="alice")
    host.usual(host.app("two"), "two", user="bob")
    return host


def test_two_instances_are_listed_with_the_hint_to_give(two):
    finding = refusal(two)
    assert finding.code == "several-instances"
    for part in (f"{two.folder}/one (one-sidekiq.service", f"{two.folder}/two (two-sidekiq.service"):
        assert part in finding.message
    assert f"mastodon_smtp_app_dir, for example to {two.folder}/one" in finding.fix


@pytest.mark.parametrize(
    "hints",
    [
        {"app_dir": "{0}/two"},
        {"app_dir": "{0}/link/"},
        {"user": "bob"},
        {"env_file": "{0}/two/.env.production"},
        {"services": ("two-web", "two-sidekiq.service")},
    ],
    ids=["directory", "link to it", "user", "environment file", "services"],
)
def test_each_hint_says_which_one_is_meant(two, hints):
    (two.folder / "link").symlink_to("two")
    given = {name: value.format(two.folder) if isinstance(value, str) else value for name, value in hints.items()}
    choice = choose(Hints(**given), two, two)
    assert os.path.realpath(choice.app_dir) == f"{two.folder}/two" and choice.user == "bob"


def test_a_hint_that_fits_neither_does_not_choose(two):
    assert refusal(two, user="carol").code == "several-instances"


def test_one_instance_reached_by_two_paths_is_one(host):
    app_dir = host.app("releases")
    (host.folder / "current").symlink_to("releases")
    host.unit("mastodon-web.service", app_dir)
    host.unit("mastodon-sidekiq.service", str(host.folder / "current"), "sidekiq")
    assert len(choose(Hints(), host, host).units) == 2


# Hints


def test_only_the_named_services_are_used(host):
    host.usual(host.app())
    choice = choose(Hints(services=("mastodon-sidekiq",)), host, host)
    assert names(choice) == ["mastodon-sidekiq.service"]


def test_a_named_service_by_its_alias(host):
    host.usual(host.app())
    host.change("mastodon-web.service", aliases=("mastodon-web.service", "puma.service"))
    assert names(choose(Hints(services=("puma",)), host, host)) == ["mastodon-web.service"]


def test_named_services_behind_scripts_belong_to_the_named_directory(host):
    app_dir = host.app()
    host.unit("fedi-web.service", exec_start=("/srv/start /srv/start web",))
    host.unit("fedi-jobs.service", control_group="/x", exec_start=("/srv/start /srv/start jobs",))
    host.titles["/x"] = {99: "sidekiq 7.3.2 live [0 of 25 busy]"}
    choice = choose(Hints(app_dir=app_dir, services=("fedi-web", "fedi-jobs")), host, host)
    assert choice.roles == {"fedi-web.service": "web", "fedi-jobs.service": "sidekiq"}


def test_a_named_service_that_does_not_exist(host):
    host.usual(host.app())
    finding = refusal(host, services=("mastodon-web", "mastodon-nope"))
    assert (finding.code, finding.subject) == ("service-unknown", "mastodon-nope.service")


def test_a_named_service_of_unknown_role(host):
    app_dir = host.app()
    host.unit("fedi.service", app_dir, exec_start=("/srv/start /srv/start",))
    assert refusal(host, services=("fedi",)).code == "service-role-unknown"


def test_the_user_hint_outranks_the_unit(host):
    host.usual(host.app())
    assert choose(Hints(user="daemon"), host, host).user == "daemon"


def test_without_user_in_any_unit_it_is_the_owner_of_the_directory_not_root(host):
    app_dir = host.app()
    host.usual(app_dir, user="")
    if os.geteuid() == 0:
        os.chown(app_dir, 1, 1)
        assert choose(Hints(), host, host).user == "daemon"


# Nothing found


def test_a_host_without_mastodon(host):
    host.unit("ssh.service", "/", exec_start=("/usr/sbin/sshd /usr/sbin/sshd -D",))
    finding = refusal(host)
    assert (finding.code, "1 units" in finding.message) == ("no-instance", True)


def test_units_whose_directory_is_gone(host):
    host.usual(str(host.folder / "live"))
    finding = refusal(host)
    assert (finding.code, finding.subject) == ("app-dir-missing", str(host.folder / "live"))
    assert "mastodon-web.service" in finding.message


def test_units_whose_directory_holds_something_else(host):
    host.usual(host.app(version=None))
    finding = refusal(host)
    assert finding.code == "app-dir-not-mastodon" and "lib/mastodon/version.rb" in finding.message


@pytest.mark.parametrize(
    ("name", "code"),
    [("nowhere", "app-dir-missing"), ("empty", "app-dir-not-mastodon"), ("live", "no-mail-services")],
)
def test_a_named_directory_without_units(host, name, code):
    host.app("live")
    (host.folder / "empty").mkdir()
    finding = refusal(host, app_dir=str(host.folder / name))
    assert (finding.code, finding.subject) == (code, str(host.folder / name))


def test_only_streaming_sends_no_mail(host):
    app_dir = host.app()
    host.unit("mastodon-streaming.service", app_dir, "streaming")
    finding = refusal(host)
    assert finding.code == "no-mail-services" and "mastodon-streaming.service" in finding.message


def test_official_units_that_say_nothing(host):
    host.unit("mastodon-web.service", exec_start=("/srv/start /srv/start",))
    assert refusal(host).code == "no-instance"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_closed_home_is_a_matter_of_permission_not_of_absence(host):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        host.folder = Path(folder)
        host.usual(host.app())
        os.chmod(f"{folder}/live", 0o700)
        os.seteuid(65534)
        try:
            finding = refusal(host)
        finally:
            os.seteuid(0)
    assert finding.code == "not-permitted" and "become: true" in finding.fix


# What a step before has seen


@pytest.fixture
def seen(host, monkeypatch):
    """An instance, and the hints with which a later step begins; C(searched) says whether it looked through all."""
    monkeypatch.setattr(places, "mark", lambda: "as it was")
    app_dir = host.app()
    host.usual(app_dir)
    before = choose(Hints(), host, host)
    host.searched = False

    search = host.unit_names

    def unit_names(may_lead):
        host.searched = True
        return search(may_lead)

    monkeypatch.setattr(host, "unit_names", unit_names)
    host.hints = Hints(app_dir=app_dir, seen=tuple(unit.name for unit in before.units), mark=before.mark)
    return host


def test_what_was_seen_is_not_looked_for_again(seen):
    seen.change("mastodon-web.service", main_pid=77)
    choice = choose(seen.hints, seen, seen)
    assert not seen.searched
    assert choice.mark == "as it was" and choice.app_dir == seen.hints.app_dir and len(choice.units) == 3
    assert {unit.main_pid for unit in choice.units if unit.name == "mastodon-web.service"} == {77}


@pytest.mark.parametrize("change", ["mark", "no mark", "gone", "elsewhere", "no app", "came"])
def test_what_may_have_changed_is_looked_for_again(seen, monkeypatch, change):
    if change == "mark":
        monkeypatch.setattr(places, "mark", lambda: "another")
    elif change == "came":
        seen.unit("mastodon-sidekiq-2.service", seen.hints.app_dir, "sidekiq")
        monkeypatch.setattr(places, "mark", lambda: "another")
    elif change == "no mark":
        seen.hints = dataclasses.replace(seen.hints, mark="")
    elif change == "gone":
        seen.change("mastodon-streaming.service", load_state="not-found")
    elif change == "elsewhere":
        seen.change("mastodon-sidekiq.service", working_directory=seen.app("other"))
    else:
        seen.change("mastodon-sidekiq.service", working_directory="/nowhere", exec_start=("/bin/true /bin/true",))
    choice = choose(seen.hints, seen, seen)
    assert seen.searched and choice.app_dir == seen.hints.app_dir
    assert ("mastodon-sidekiq-2.service" in names(choice)) is (change == "came")


def test_an_instance_that_is_gone_is_not_found_by_what_was_seen(seen):
    os.unlink(os.path.join(seen.hints.app_dir, "lib/mastodon/version.rb"))
    assert refusal_of(seen, seen.hints).code == "app-dir-not-mastodon"


def test_services_that_the_operator_names_outrank_what_was_seen(seen):
    hints = dataclasses.replace(seen.hints, services=("mastodon-web",), mark="as it was")
    assert names(choose(hints, seen, seen)) == ["mastodon-web.service"]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    units, active = tmp_path / "units", tmp_path / "active"
    for folder in (units / "multi-user.target.wants", active):
        folder.mkdir(parents=True)
    monkeypatch.setattr(places, "PLACES", (str(units), f"{units}/*.wants"))
    monkeypatch.setattr(places, "ACTIVE", str(active))
    (active / "invocation:mastodon-web.service").touch()
    return tmp_path


def test_the_mark_stays_as_long_as_no_unit_comes_or_goes(tree):
    before = places.mark()
    (tree / "active" / "invocation:apt-daily.service").touch()
    assert before and places.mark() == before


@pytest.mark.parametrize(
    "come",
    [
        "units/mastodon-sidekiq-2.service",
        "units/multi-user.target.wants/x",
        "active/invocation:mastodon-sidekiq@2.service",
    ],
)
def test_the_mark_differs_when_a_unit_came(tree, come):
    before = places.mark()
    (tree / come).touch()
    os.utime((tree / come).parent, ns=(1, 1))
    assert places.mark() != before


def test_without_the_list_of_active_units_there_is_no_mark(tree, monkeypatch):
    monkeypatch.setattr(places, "ACTIVE", str(tree / "missing"))
    assert places.mark() == ""


# Units of a user's own systemd


@pytest.fixture
def lingering(host, tmp_path, monkeypatch):
    """The systemd of the user that the tests run as, beside one of the host that has nothing."""
    own = type(host)(tmp_path)
    own.account = Account.named(str(os.geteuid()))
    own.usual(own.app(), user="", file_state="enabled")
    asked = []
    monkeypatch.setattr(Manager, "of_user", lambda name: asked.append(name) or own)
    own.asked = asked
    return own


def test_the_systemd_of_the_named_user_is_asked_where_the_hosts_has_none(host, lingering):
    choice, manager = choose_anywhere(Hints(user="mastodon"), host, host)
    assert (manager, lingering.asked) == (lingering, ["mastodon"])
    assert names(choice) == ["mastodon-sidekiq.service", "mastodon-streaming.service", "mastodon-web.service"]
    assert (choice.user, choice.mark) == (lingering.account.name, "")


def test_the_hosts_own_units_come_first(host, lingering):
    host.usual(host.app("other"))
    choice, manager = choose_anywhere(Hints(user="mastodon"), host, host)
    assert manager is host and choice.app_dir.endswith("other") and lingering.asked == []


def test_units_of_the_host_that_are_not_meant_to_run_are_passed_over_for_those_of_the_user(host, lingering):
    """Left there from before."""
    host.usual(host.app("left"), active_state="inactive", sub_state="dead", file_state="disabled", main_pid=0)
    assert choose_anywhere(Hints(user="mastodon"), host, host)[1] is lingering
    lingering.units.clear()
    assert choose_anywhere(Hints(user="mastodon"), host, host)[1] is host


@pytest.mark.parametrize(("number", "asked"), [(0, []), (4711, ["4711"])])
def test_without_a_name_only_our_own_systemd_is_asked(host, lingering, monkeypatch, number, asked):
    monkeypatch.setattr(os, "geteuid", lambda: number)
    if asked:
        assert choose_anywhere(Hints(), host, host)[1] is lingering
    else:
        with pytest.raises(FindingError):
            choose_anywhere(Hints(), host, host)
    assert lingering.asked == asked


def test_a_user_cannot_have_the_directory_of_somebody_else_edited(host, lingering, monkeypatch):
    """He can write any WorkingDirectory= into his units."""
    monkeypatch.setattr(gate, "owner", lambda _path: lingering.account.uid + 1)
    with pytest.raises(FindingError) as raised:
        choose_anywhere(Hints(user="mastodon"), host, host)
    assert raised.value.finding.subject == "systemd" and "No Mastodon was found here" in raised.value.finding.message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give folders away")
@pytest.mark.parametrize(("of_app", "found"), [(0, False), (1, True)])
def test_a_folder_of_roots_in_that_of_a_user_is_not_his(host, lingering, tmp_path, of_app, found):
    lingering.account = nobody = Account.named("nobody")
    os.chown(tmp_path, nobody.uid, nobody.gid)
    os.chown(lingering.units["mastodon-web.service"].working_directory, of_app * nobody.uid, 0)
    if found:
        assert choose_anywhere(Hints(user="nobody"), host, host)[1] is lingering
    else:
        with pytest.raises(FindingError):
            choose_anywhere(Hints(user="nobody"), host, host)


def test_a_folder_of_somebody_else_that_a_process_leads_to_is_not_his(lingering, monkeypatch):
    uid = lingering.account.uid
    lingering.units.clear()
    lingering.unit("x.service", "", user="", exec_start=("/usr/bin/sh sh x",))
    app_dir = lingering.app("other")
    kept = Keeper("user-unit", "x.service", uid)
    monkeypatch.setattr(running, "mastodons", lambda _unused: [Running(8, "web", app_dir, uid, "me", "4.5.3", kept)])
    assert choose(Hints(), lingering, lingering).app_dir == app_dir
    answers = iter([uid, uid + 1])  # replaced by a link meanwhile
    monkeypatch.setattr(gate, "owner", lambda _path: next(answers, uid + 1))
    with pytest.raises(FindingError):
        choose(Hints(), lingering, lingering)


def test_what_his_systemd_says_about_an_instance_is_told(host, lingering):
    lingering.usual(lingering.app("second"), prefix="mastodon-second", user="")
    with pytest.raises(FindingError) as raised:
        choose_anywhere(Hints(user="mastodon"), host, host)
    assert raised.value.finding.code == "several-instances"
    host.usual(host.app("left"), active_state="inactive", sub_state="dead", file_state="disabled", main_pid=0)
    with pytest.raises(FindingError) as raised:
        choose_anywhere(Hints(user="mastodon"), host, host)
    assert raised.value.finding.code == "several-instances"


@pytest.mark.parametrize("hints", [{"services": ("mastodon-web",)}, {"app_dir": "left"}, {}])
def test_the_hosts_instance_counts_where_the_user_has_none(host, lingering, tmp_path, hints):
    lingering.units.clear()
    host.usual(host.app("left"), active_state="inactive", sub_state="dead", file_state="disabled", main_pid=0)
    named = {**hints, **({"app_dir": str(tmp_path / "left")} if "app_dir" in hints else {})}
    assert choose_anywhere(Hints(user="mastodon", **named), host, host)[1] is host


def test_a_users_unit_that_starts_a_script_is_found_by_its_process(lingering, monkeypatch):
    app_dir = lingering.units["mastodon-web.service"].working_directory
    lingering.change("mastodon-sidekiq.service", working_directory="", exec_start=("/usr/bin/sh sh x",))
    uid = lingering.account.uid
    found = [
        Running(8, "sidekiq", app_dir, uid, "me", "4.5.3", Keeper("user-unit", "mastodon-sidekiq.service", uid)),
        Running(9, "sidekiq", app_dir, uid, "me", "4.5.3", Keeper("unit", "mastodon-streaming.service")),
    ]
    monkeypatch.setattr(running, "mastodons", lambda _unused: found)
    assert choose(Hints(), lingering, lingering).roles["mastodon-sidekiq.service"] == "sidekiq"
