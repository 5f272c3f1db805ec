# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose turn it is to log in: many hosts at once, each with what it will meet at the relay."""

from __future__ import annotations

import threading
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.fediops.mastodon.plugins.action import smtp_relay_info as step
from ansible_collections.fediops.mastodon.plugins.plugin_utils import _run
from ansible_collections.fediops.mastodon.plugins.plugin_utils._run import Note

#: What becomes of a login: accepted, refused, cut off in the middle, not tried because the way there is blocked, or put
#: off by a relay that is busy or does not know the host's address.
Fate = t.Literal["in", "refused", "cut", "blocked", "busy", "unknown address"]
BESIDE = {"busy": "relay-busy", "unknown address": "address-not-allowed"}


class Fleet:
    """Hosts that run the step side by side, as workers of a strategy without any order do.

    :ivar tried: hosts that sent the login, in order.
    :ivar told: host -> the host that was named to it as refused.
    """

    def __init__(self, folder: Path, fates: t.Mapping[str, Fate]) -> None:
        self.folder, self.fates = folder, fates
        self.tried: list[str] = []
        self.told: dict[str, str] = {}
        self.left_out: list[str] = []
        self.results: dict[str, dict[str, t.Any]] = {}
        self.lock = threading.Lock()

    def probe(self, host: str, **changes: t.Any) -> dict[str, t.Any]:
        """What the module on the target would return."""
        fate = self.fates[host]
        if fate == "blocked":
            return {"failed": True, "relay": {"auth": {"tried": False, "accepted": None}}}
        with self.lock:
            if changes.get("refused_on"):
                self.told[host] = changes["refused_on"]
                return {"failed": True, "relay": {"auth": {"tried": False, "accepted": None}}}
            if changes.get("skip_auth"):
                self.left_out.append(host)
                return {"relay": {"auth": {"tried": False, "accepted": None}}}
            self.tried.append(host)
        if fate in BESIDE:
            found = [{"code": BESIDE[fate], "severity": "error"}]
            return {"failed": True, "findings": found, "relay": {"auth": {"tried": True, "accepted": False}}}
        accepted = {"in": True, "refused": False, "cut": None}[fate]
        return {"failed": fate != "in", "relay": {"auth": {"tried": True, "accepted": accepted}}}

    def run(self) -> Fleet:
        """All of them at once."""
        start = threading.Barrier(len(self.fates))

        def one(host: str) -> None:
            note = Note("login", "relay", "me", "secret", folder=self.folder)
            start.wait(60)
            self.results[host] = step.take_turn(lambda **changes: self.probe(host, **changes), note, host)

        threads = [threading.Thread(target=one, args=(host,)) for host in self.fates]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert set(self.results) == set(self.fates)
        return self


@pytest.fixture(autouse=True)
def quick_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "_PAUSE", 0.001)


HOSTS = [f"masto{number}" for number in range(12)]


def test_who_is_let_in_is_followed_by_all(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, dict.fromkeys(HOSTS, "in")).run()
    assert sorted(fleet.tried) == sorted(HOSTS)
    assert not any(one.get("failed") for one in fleet.results.values())


@pytest.mark.parametrize("fate", ["refused", "cut"])
def test_a_refused_login_is_tried_once_and_fails_everywhere(tmp_path: Path, fate: Fate) -> None:
    fleet = Fleet(tmp_path, dict.fromkeys(HOSTS, fate)).run()
    (first,) = fleet.tried
    assert fleet.told == dict.fromkeys(set(HOSTS) - {first}, first)
    assert all(one["failed"] for one in fleet.results.values())


def test_hosts_that_do_not_get_there_say_nothing_about_the_login(tmp_path: Path) -> None:
    fates: dict[str, Fate] = {host: "blocked" if number % 2 else "refused" for number, host in enumerate(HOSTS)}
    fleet = Fleet(tmp_path, fates).run()
    (first,) = fleet.tried
    assert fates[first] == "refused"
    assert set(fleet.told.values()) == {first} and len(fleet.told) >= len(HOSTS) // 2 - 1


@pytest.mark.parametrize("fate", ["busy", "unknown address"])
def test_a_refusal_that_is_not_about_the_login_keeps_no_other_host_from_it(tmp_path: Path, fate: Fate) -> None:
    note = Note("login", "relay", "me", "secret", folder=tmp_path)
    fleet = Fleet(tmp_path, {"a": fate, "b": "in", "c": "in"})
    results = {
        host: step.take_turn(lambda _host=host, **changes: fleet.probe(_host, **changes), note, host) for host in "abc"
    }
    assert (fleet.tried, fleet.told) == (["a", "b", "c"], {})
    assert [bool(results[host].get("failed")) for host in "abc"] == [True, False, False]


def test_a_relay_that_nobody_reaches_costs_no_login_and_no_queue(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, dict.fromkeys(HOSTS, "blocked")).run()
    assert (fleet.tried, fleet.told) == ([], {})
    assert all(one["failed"] for one in fleet.results.values())


def test_a_later_refusal_stops_those_that_have_not_begun(tmp_path: Path) -> None:
    """One host's address is not allowed at the relay, although the password is right."""
    note = Note("login", "relay", "me", "secret", folder=tmp_path)
    fleet = Fleet(tmp_path, {"a": "in", "b": "refused", "c": "in"})
    for host in fleet.fates:
        step.take_turn(lambda _host=host, **changes: fleet.probe(_host, **changes), note, host)
    assert (fleet.tried, fleet.told) == (["a", "b"], {"c": "b"})


def test_who_waits_too_long_leaves_the_login_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "PATIENCE", 0.0)
    note = Note("login", "relay", "me", "secret", folder=tmp_path)
    fleet = Fleet(tmp_path, {"a": "in"})
    with note.locked(0):
        step.take_turn(lambda **changes: fleet.probe("a", **changes), note, "a")
    assert (fleet.tried, fleet.left_out) == ([], ["a"])


LOGIN = {"host": "relay.test", "login": "me", "password": "correct horse"}


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({}, True),
        ({"host": "RELAY.test"}, True),
        ({"share_verdict": "yes"}, True),
        ({"share_verdict": "no"}, False),
        ({"share_verdict": False}, False),
        ({"skip_auth": True}, False),
        ({"auth": "none"}, False),
        ({"login": None}, False),
        ({"password": ""}, False),
    ],
)
def test_only_logins_are_shared_and_only_as_asked(changes: dict[str, t.Any], shared: bool) -> None:
    note, plain = step.note_about({**LOGIN, **changes}), step.note_about(LOGIN)
    assert plain is not None
    assert (note is not None and note._file == plain._file) is shared


@pytest.mark.parametrize("other", [{"host": "other.test"}, {"login": "you"}, {"password": "battery staple"}])
def test_other_credentials_are_another_matter(other: dict[str, str]) -> None:
    one, two = step.note_about(LOGIN), step.note_about({**LOGIN, **other})
    assert one and two and one._file != two._file


def test_the_module_gets_the_tasks_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "folder_of_this_run", lambda: tmp_path)
    given: list[dict[str, t.Any]] = []

    def execute(
        _self: t.Any,
        module_args: dict[str, t.Any],
        task_vars: dict[str, t.Any],
    ) -> dict[str, t.Any]:
        given.append({**module_args, "on": task_vars["inventory_hostname"]})
        return {"changed": False, "failed": True, "relay": {"auth": {"tried": True, "accepted": False}}}

    monkeypatch.setattr(step.ActionModule, "_execute_module", execute)
    for host, relay in (("a", "relay.test"), ("b", "relay.test"), ("c", "smtp.resend.com")):
        task = SimpleNamespace(
            args={**LOGIN, "port": 587, "host": relay},
            async_val=0,
            check_mode=True,
            diff=True,
            environment=[],
            action="x",
            no_log=False,
        )
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        action = step.ActionModule(
            task, connection, SimpleNamespace(check_mode=True), DataLoader(), Templar(DataLoader()), None
        )
        result = action.run(task_vars={"inventory_hostname": host})
        assert result["failed"] is True
    assert given[:2] == [{**LOGIN, "port": 587, "on": "a"}, {**LOGIN, "port": 587, "refused_on": "a", "on": "b"}]
    assert given[2]["provider_hint"].startswith("Resend: ")
