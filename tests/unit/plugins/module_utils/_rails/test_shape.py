# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hostile application answers in place of the program: each such answer ends as a finding, never as a defect."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from test_queue_check import ANSWER as PUT
from test_queue_check import Case, Question, place
from test_verdict import ANSWER, INSTANCE, PLAN, SENT

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Completed
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.answer import marked
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.check import Asked, Request
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.shape import (
    Misshapen,
    account_answer,
    check_answer,
    queue_answer,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.verdict import Verdict, conclude_from

ERROR = {"stage": "auth", "chain": [{"class": "Net::SMTPAuthenticationError", "message": "535 no"}]}
FULL: dict[str, t.Any] = {
    **copy.deepcopy(ANSWER),
    "rehearsals": {"main": copy.deepcopy(ERROR)},
    "messages": [SENT, {**SENT, "error": copy.deepcopy(ERROR)}],
    "accounts": {"account": {"state": "gets_mail", "throttled_for": None, "error": "x"}},
    "waiting": {
        "groups": [
            {
                "place": "retry",
                "mailer": "UserMailer",
                "method": "welcome",
                "error_class": "Net::OpenTimeout",
                "error_message": "timeout",
                "count": 1,
                "fresh": 1,
                "expired": 0,
                "gone": 0,
                "unknown": 0,
                "oldest": 10.5,
                "newest": 10.5,
                "next_try": None,
                "last_failed": 99.0,
            }
        ],
        "complete": True,
        "now": 100.0,
        "started": 50.0,
        "error": None,
    },
}
WRONG: list[t.Any] = [
    None,
    7,
    -1,
    "x",
    "",
    [],
    {},
    [1],
    {"a": 1},
    True,
    float("nan"),
    1e300,
    "9" * 9000,
    [[[[]]]],
    10**400,
]

#: For what takes longer to ask.
FEW: list[t.Any] = [[1]]


def concluded(answer: dict[str, t.Any], **request: t.Any) -> Verdict:
    asked = Request(send_to="a@b.example", accounts={"account": "a@b.example"}, **request)
    return conclude_from(INSTANCE, asked, Asked(answer, Completed(0)), PLAN)


def forged(value: t.Any, kinds: t.Sequence[t.Any]) -> t.Iterator[t.Any]:
    """The answer with one thing in it missing, or of each wrong kind."""

    def ways(found: t.Any, way: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
        if way:
            yield way
        inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
        for key, one in inner:
            yield from ways(one, (*way, key))

    for way in list(ways(value)):
        for wrong in (*kinds, "gone"):
            made = copy.deepcopy(value)
            spot = made
            for key in way[:-1]:
                spot = spot[key]
            if wrong == "gone":
                del spot[way[-1]]
            else:
                spot[way[-1]] = wrong
            yield made


def test_what_the_programs_answer_has_its_form() -> None:
    check_answer(FULL)
    check_answer(ANSWER)
    check_answer({"failure": ERROR})
    queue_answer({**PUT, **place("retry", error_class="A", error_message="b")}, {"send": {}, "follow": 1})
    account_answer(FULL["accounts"]["account"])


def test_every_forged_answer_to_the_check_ends_as_a_verdict() -> None:
    """Before, most of these ended as a defect of ours: KeyError, TypeError, AttributeError, OverflowError."""
    unreadable = 0
    for answer in forged(FULL, WRONG):
        verdict = concluded(answer)
        unreadable += [one.code for one in verdict.findings] == ["rails-answer-unreadable"]
        json.dumps(verdict.as_dict(), allow_nan=False)
    assert unreadable > 300


@pytest.mark.parametrize("answer", [{}, {"failure": None}, {"failure": {"stage": "x", "chain": []}}, {"seen": True}])
def test_an_answer_of_another_form_is_named(answer: dict[str, t.Any]) -> None:
    (finding,) = concluded(answer).findings
    assert finding.code == "rails-answer-unreadable" and "cannot be read: " in finding.message


def test_the_place_is_named() -> None:
    answer = copy.deepcopy(FULL)
    answer["messages"][1]["error"]["chain"][0]["message"] = 7
    with pytest.raises(Misshapen, match=r"^messages\[1\]\.error\.chain\[0\]\.message is not a text"):
        check_answer(answer)


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        ({"refused": True}, {"follow": 1, "job": {}}),
        ({"requested": False}, {"send": {}}),
        ({"requested": False}, {"follow": 1, "job": {}}),
        ({"unserved": True, "served": []}, {"follow": 1, "job": {}}),
        ({"requested": True, **place("done")}, {"follow": 1, "look_for": {}}),
        ({"queue": "mailers", **place("done")}, {"follow": 1, "look_for": {}}),
        ({}, {"send": {}}),
    ],
)
def test_an_answer_to_another_question_is_none(answer: dict[str, t.Any], asked: dict[str, t.Any]) -> None:
    with pytest.raises(Misshapen):
        queue_answer(answer, asked)


def test_every_forged_answer_about_the_queue_ends_as_a_verdict() -> None:
    question = Question(enqueue="a@b.example", deadline=30)
    for answer in forged(copy.deepcopy(PUT), FEW):
        verdict = Case([], answers=[answer, {**place("done")}], question=question)
        try:
            verdict.run()
        except AssertionError as left:  # a boot that was not needed any more
            assert "did not come" in str(left)


def test_every_forged_place_in_redis_ends_as_a_verdict() -> None:
    question = Question(enqueue="a@b.example", deadline=1)
    for answer in forged(place("retry", error_class="A", error_message="b"), FEW):
        try:
            Case([], answers=[PUT, answer, {"removed": 1}], question=question).run()
        except AssertionError as left:
            assert "did not come" in str(left) or "unexpected boot" in str(left)


@pytest.mark.parametrize("text", ['{"a": NaN', "[1]", '"x"', "9" * 5000, '{"a":' * 100_000, "{" + " " * 600_000 + "}"])
def test_what_is_no_answer_at_all_is_none(text: str) -> None:
    assert marked(f"m:{text}\n".encode(), "m:") is None
