# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lying host's answer is by the time that Ansible reads it."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._text import LINE, WHOLE, shown
from ansible_collections.fediops.mastodon.plugins.plugin_utils._answer import LARGEST, MOST_FINDINGS, gated

HOSTILE = "x\n::stop-commands::t \x1b]0;a\x07 ##[set-output name=x;]y \u202e"
FINDING = {"code": "a-code", "severity": "error", "subject": "relay", "message": "It is off.", "fix": "Look."}


def read(answer: t.Any, stderr: str = "") -> dict[str, t.Any]:
    found: dict[str, t.Any] = json.loads(gated(json.dumps(answer), stderr).stdout)
    return found


def test_an_honest_answer_stays() -> None:
    answer = {
        "changed": True,
        "findings": [],
        "instance": {"env_file": "/srv/a b/.env", "pids": [1, 2], "release": None},
    }
    assert read(answer) == answer


@pytest.mark.parametrize(
    "order", ["add_host", "add_group", "ansible_facts", "ansible_stats", "results", "_ansible_notify"]
)
def test_no_answer_gives_orders_to_ansible(order: str) -> None:
    assert read({"changed": False, order: {"a": 1}}) == {"changed": False}


def test_all_its_texts_are_shown() -> None:
    answer = gated(
        f"junk {HOSTILE}\n"
        + json.dumps({HOSTILE: [HOSTILE], "msg": HOSTILE, "diff": {"before": HOSTILE}})
        + f"\n{HOSTILE}",
        HOSTILE,
    )
    found = json.loads(answer.stdout)
    assert found[shown(HOSTILE)] == [shown(HOSTILE)] and found["msg"] == shown(HOSTILE)
    assert all(shown(one) == one for one in found["diff"]["before"].split("\n"))
    assert all(shown(one) == one for one in answer.stderr.split("\n"))
    assert answer.warnings and all(shown(one) == one for one in answer.warnings)


def test_output_without_an_answer_is_shown_and_is_none_for_ansible_either() -> None:
    """Written out, a line break within a text would make JSON of it."""
    answer = gated('{"changed": true,\n"add_host": "a\rb"}', "")
    assert "add_host" in answer.stdout
    assert not any(line.lstrip().startswith("{") for line in answer.stdout.split("\n"))


@pytest.mark.parametrize(
    "stdout", ["x" * (LARGEST + 1), json.dumps({"msg": "x" * LARGEST}), '{"a": ' + "[" * 200_000 + "]" * 200_000 + "}"]
)
def test_an_answer_beyond_all_bounds_is_an_error_that_says_so(stdout: str) -> None:
    answer = gated(stdout, "")
    found = json.loads(answer.stdout)
    assert found["failed"] is True and "discarded" in found["msg"] and len(answer.stdout) < 1000


def test_what_is_beside_the_answer_is_bounded_too() -> None:
    answer = gated("no json\n" * 300_000, "x" * 10**7)
    assert len(answer.stdout) <= WHOLE and len(answer.stderr) <= LINE


def test_its_message_is_that_of_its_findings() -> None:
    found = read(
        {"failed": True, "msg": "Forged\nTASK [all is well]", "findings": [FINDING, {**FINDING, "subject": "x\ny"}]}
    )
    assert found["msg"].splitlines() == [
        "2 problems:",
        "- relay: It is off. Look. [a-code]",
        r"- x\ny: It is off. Look. [a-code]",
    ]


@pytest.mark.parametrize(
    "findings",
    [None, 7, "text", {"a": 1}, [None, 1, "x", []], [{}], [{"severity": "worst"}], [{"severity": ["error"]}]],
)
def test_findings_that_are_none_are_left_out(findings: t.Any) -> None:
    assert read({"findings": findings})["findings"] == []


def test_findings_have_their_form_and_their_bounds() -> None:
    found = read({"findings": [{"severity": "info", "code": 1, "message": ["x" * 9999], "more": 1}] * 50})["findings"]
    assert len(found) == 1  # equal ones are told once
    assert set(found[0]) == set(FINDING) and all(isinstance(one, str) and len(one) <= LINE for one in found[0].values())
    many = read({"findings": [{**FINDING, "subject": str(number)} for number in range(9999)]})["findings"]
    assert len(many) == MOST_FINDINGS


def test_numbers_that_are_none_are_named() -> None:
    found = json.loads(gated('{"a": NaN, "b": Infinity, "c": 1e999, "d": ' + "9" * 4000 + "}", "").stdout)
    assert set(found.values()) == {"(a number out of range)"}
