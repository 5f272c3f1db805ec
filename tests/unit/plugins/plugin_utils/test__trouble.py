# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of the steps that went wrong on a host."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, explain
from ansible_collections.fediops.mastodon.plugins.plugin_utils._trouble import trouble

GOOD: dict[str, t.Any] = {"changed": False, "failed": False, "findings": []}
SKIPPED: dict[str, t.Any] = {"skipped": True, "msg": "left out"}


def failed(*messages: str) -> dict[str, t.Any]:
    findings = [Finding("some-code", "error", "host", one, "Mend it.") for one in messages]
    return {"failed": False, "msg": explain(findings), "findings": [one.as_dict() for one in findings]}


def test_steps_that_went_well_or_did_not_run_say_nothing() -> None:
    assert trouble([("Look", GOOD), ("Plan", {}), ("Ask", SKIPPED)]) == {}


def test_one_problem_is_one_sentence() -> None:
    told = trouble([("Look", GOOD), ("Plan", failed("no name"))])
    assert told["message"] == "host: no name Mend it. [some-code]" and told["step"] == "Plan"
    assert [one["message"] for one in told["findings"]] == ["no name"]


def test_the_problems_of_several_steps_are_one_list_and_each_is_told_once() -> None:
    told = trouble([("Relay", failed("first", "second")), ("DNS", failed("second")), ("Other", {"msg": "a\n- b"})])
    assert told["step"] == "Relay"
    assert told["message"].splitlines() == [
        "3 problems:",
        "- host: first Mend it. [some-code]",
        "- host: second Mend it. [some-code]",
        "- a",
        "- b",
    ]


def test_a_step_that_broke_off_has_only_its_message() -> None:
    assert trouble([("Look", {"msg": "MODULE FAILURE: no Python", "rc": 1})])["message"] == "MODULE FAILURE: no Python"
