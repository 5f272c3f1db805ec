# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decisions between the plays, as Ansible gets them: what is shown, what is recorded, what a bad option does."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible import constants
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import action_loader
from ansible.template import Templar

from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry, Record

HOSTS = ["a", "b", "c"]
#: What group_by of ansible-core returns; from 2.21 on it adds the host itself.
JOINED = {"changed": True, "add_group": "__mastodon_smtp_ready", "parent_groups": ["all"]}


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))


def left(host: str, key: str, step_ended: str = "ok", **result: t.Any) -> None:
    Record(host).leave(key, Entry("A task", step_ended, ("No.",) if step_ended == "failed" else (), result))


@pytest.fixture(autouse=True)
def grouping(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(name: str, task: Task, **_how: t.Any) -> SimpleNamespace:
        assert (name, task.args) == ("ansible.builtin.group_by", {"key": "__mastodon_smtp_ready"})
        return SimpleNamespace(run=lambda task_vars: dict(JOINED))  # noqa: ARG005

    monkeypatch.setattr(action_loader, "get", get)


class Task(SimpleNamespace):
    def copy(self) -> Task:
        return Task(**vars(self))


def run(step: str, host: str, passed: list[str], batch: list[str] | None = None, **options: t.Any) -> dict[str, t.Any]:
    task = Task(
        args=options, async_val=0, check_mode=False, diff=False, environment=[], action=step, name="It", no_log=False
    )
    module = importlib.import_module(f"ansible_collections.fediops.mastodon.plugins.action.{step}")
    action = module.ActionModule(
        task,
        SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)),
        SimpleNamespace(check_mode=False),
        DataLoader(),
        Templar(DataLoader(), variables={}),
        SimpleNamespace(action_loader=action_loader),
    )
    of_play = {"hosts_all": HOSTS, "hosts": passed, "batch": batch or passed}
    done: dict[str, t.Any] = action.run(
        task_vars={"inventory_hostname": host, **{f"ansible_play_{name}": one for name, one in of_play.items()}}
    )
    return done


def fleet(at: str, passed: list[str], batch: list[str] | None = None, **options: t.Any) -> dict[str, t.Any]:
    return run("smtp_fleet", passed[0], passed, batch, chain="rollout", at=at, **options)


def test_a_stop_shows_its_message_alone_and_leaves_the_rest_for_the_report() -> None:
    left("b", "settings", "failed")
    done = fleet("preflight", ["a", "c"])
    shown = {name: one for name, one in done.items() if not name.startswith("_ansible_")}
    assert set(shown) == {"changed", "failed", "msg"} and done["failed"] is True
    assert done["msg"].startswith("The preflight failed on b, so the rollout does not begin (passed: a, c).")
    entry = Record("a").entry("fleet")
    assert entry and entry.outcome == "failed" and entry.result["not_started"] == ["a", "c"]
    assert entry.problems == (done["msg"],)


def test_a_silent_fleet_shows_nothing_and_absent_hosts_are_shown() -> None:
    assert fleet("preflight", HOSTS) == {"changed": False}
    left("b", "instance", "unreachable")
    done = fleet("preflight", ["a", "c"])
    assert done["msg"][0] == "Did not answer: b" and done["_ansible_verbose_always"] is True
    assert fleet("preflight", ["a", "c"], require_all="yes")["failed"] is True
    assert fleet("preflight", ["a", "c"], require_all="no").get("failed") is None


@pytest.mark.parametrize(("tolerated", "stops"), [("0", True), ("49.5", True), (50, False)])
def test_options_may_be_texts_as_extra_variables_are(tolerated: t.Any, stops: bool) -> None:
    left("a", "result", outcome="failed", label="Failed, undone", fails=True)
    left("b", "result", outcome="changed", label="Done and proved", fails=False)
    done = fleet("batch", ["b", "c"], ["c"], batches=[2, "100%"], max_fail_percentage=tolerated)
    assert done.get("failed", False) is stops
    if not stops:
        assert done["msg"] == "Rollout, batch 2: c"


def test_an_option_that_is_no_number_fails_with_its_name() -> None:
    done = fleet("batch", HOSTS, max_fail_percentage="a few")
    assert done["failed"] is True and "max_fail_percentage" in done["msg"]


def test_the_end_tells_of_all_hosts_and_fails_nobody() -> None:
    left("a", "result", outcome="failed", label="Failed, undone", fails=True)
    left("b", "result", outcome="in order", label="In order", fails=False)
    done = fleet("end", ["b", "c"])
    assert done["msg"] == ["In order (1 of 3): b.", "Failed, undone (1 of 3): a.", "Not started (1 of 3): c."]
    assert not done.get("failed")


def summary(host: str, passed: list[str], part: str = "preflight", **options: t.Any) -> dict[str, t.Any]:
    return run("smtp_summary", host, passed, chain=part, **options)


def test_a_host_that_passed_in_a_fleet_joins_the_hosts_of_the_rollout() -> None:
    left("a", "settings")
    assert "add_group" not in summary("a", HOSTS)
    assert summary("a", HOSTS, fleet=True)["add_group"] == "__mastodon_smtp_ready"


def test_a_host_that_failed_joins_nobody_and_speaks_of_the_others_in_a_fleet_alone() -> None:
    left("b", "settings", "failed")
    left("c", "instance", "unreachable")
    done = summary("b", ["a", "b"], fleet="true")
    assert done["msg"] == "No.\nDid not answer: c. Nothing has been changed on any host." and "add_group" not in done
    assert summary("b", ["a", "b"])["msg"] == "No.\nNothing has been changed on this host."


@pytest.mark.parametrize(("strict", "told"), [("false", "continues without it"), ("true", "on any host.")])
def test_whether_a_host_without_mastodon_stops_the_others_is_a_variable_of_the_playbook(strict: str, told: str) -> None:
    left("b", "variables", variables={"require_all": strict})
    Record("b").leave("instance", Entry("Find", "failed", ("None.",), {"findings": [{"code": "no-instance"}]}))
    assert told in summary("b", ["a", "c"], fleet=True)["msg"]


def test_a_host_whose_rollout_failed_says_where_the_others_stand() -> None:
    left("a", "result", outcome="changed", label="Done and proved", fails=False)
    left("b", "edit", "failed")
    done = run("smtp_summary", "b", ["a", "b", "c"], ["b"], chain="undo", fleet=True)
    assert done["summary"].endswith("Finished: a. The rollout stops here; not started: c.")


def test_what_is_shown_is_the_message_alone_and_the_fact_and_the_record_keep_the_rest() -> None:
    left("b", "edit", "failed")
    fact = run("smtp_summary", "b", ["b"], chain="undo")
    assert fact["outcome"] == "failed" and not fact.get("failed")
    done = run("smtp_summary", "b", ["b"], chain="rollout", show=True)
    assert done == {"changed": False, "failed": True, "msg": fact["summary"]}
    for key in ("result", "shown"):
        entry = Record("b").entry(key)
        assert entry and entry.result["cause"] == fact["cause"], key
    left("a", "result", outcome="in order", summary=["In order."])
    done = run("smtp_summary", "a", ["a"], chain="rollout", show=True)
    assert done == {"changed": False, "msg": ["In order."], "_ansible_verbose_always": True}
    left("c", "result", outcome="in part", label="Done in part", fails=False)
    assert run("smtp_summary", "c", ["c"], chain="rollout", show=True)["outcome"] == "in part"
