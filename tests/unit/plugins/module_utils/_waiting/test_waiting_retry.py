# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a retry of waiting mails is asked to do, and what is told of it."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.mailer import TABLE as MAILER
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._waiting.model import Group, Waiting
from ansible_collections.fediops.mastodon.plugins.module_utils._waiting.retry import (
    REFUSED,
    Outcome,
    Wish,
    asked,
    findings,
)

NOTHING = Waiting((), True, 1000.0)


def cause(kind: str, message: str) -> Finding:
    return MAILER.finding("effective-differs", "relay", f"{kind} said {message}.", "Correct it.")


def told(outcome: Outcome, wish: Wish | None = None, waiting: Waiting = NOTHING) -> dict[str, Finding]:
    return {one.code: one for one in findings(outcome, wish or Wish("fresh"), waiting, cause)}


@pytest.mark.parametrize(
    ("which", "verdicts"), [("none", []), ("fresh", ["fresh"]), ("all", ["fresh", "unknown", "expired"])]
)
def test_which_mails_are_retried(which: t.Any, verdicts: list[str]) -> None:
    assert asked(Wish(which))["verdicts"] == verdicts
    assert asked(Wish(which))["act"] == (which != "none")


@pytest.mark.parametrize(("rate", "batch", "each"), [(1, 1, 60), (20, 6, 3), (60, 10, 1), (600, 10, 0.1)])
def test_the_rate(rate: int, batch: int, each: float) -> None:
    given = asked(Wish("fresh", rate=rate))
    assert (given["batch"], given["each"]) == (batch, pytest.approx(each))


@pytest.mark.parametrize(
    ("which", "drop", "act", "dropped"),
    [
        ("fresh", True, True, True),
        ("fresh", False, True, False),
        ("none", True, True, False),
        ("all", True, True, False),
    ],
)
def test_only_mails_that_are_left_as_expired_are_deleted(which: t.Any, drop: bool, act: bool, dropped: bool) -> None:
    assert asked(Wish(which, drop_expired=drop, act=act))["drop"] is dropped


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("550 5.1.1 <[address]>: Recipient address rejected: User unknown", True),
        ("550-5.1.1 The email account that you tried to reach does not exist", True),
        ("550 Mailbox not found", True),
        ("535 5.7.8 Error: authentication failed", False),
        ("554 5.7.1 Sender address rejected", False),
        ("550 5.7.1 sender not allowed", False),
        ("451 4.7.1 try later", False),
        ("execution expired", False),
    ],
)
def test_the_words_that_say_that_there_is_no_such_recipient(said: str, refused: bool) -> None:
    assert bool(re.search(REFUSED, said, re.IGNORECASE)) is refused


def test_everything_was_sent() -> None:
    found = told(Outcome(chosen=14, sent=14))
    assert list(found) == ["mails-retried"]
    assert found["mails-retried"].message == "14 of 14 mails that failed earlier were handed to the relay."
    assert found["mails-retried"].severity == "info"


def test_nothing_was_to_be_sent() -> None:
    assert told(Outcome())["mails-retried"].message == "No mail that failed earlier waits to be retried."
    assert findings(Outcome(), Wish("none"), NOTHING, cause) == []


def test_a_dry_run_says_what_would_be_sent() -> None:
    message = told(Outcome(chosen=1), Wish("fresh", act=False))["mails-retried"].message
    assert message == "1 mail that failed earlier would be retried, at most 20 a minute."


def test_all_ends_are_counted() -> None:
    outcome = Outcome(chosen=12, sent=1, failed=3, passed=1, moving=1, refused=2, stopped="time")
    message = told(outcome)["mails-retried"].message
    assert message == (
        "1 of 12 mails that failed earlier was handed to the relay; 3 failed again; 1 is on the way, or of unknown "
        "outcome; 1 had already been taken by Sidekiq; 6 were left as they were. 2 were left because the recipient "
        "does not exist."
    )
    assert outcome.as_dict()["left"] == 6


def test_failures_in_a_row_tell_the_cause() -> None:
    found = told(Outcome(chosen=9, failed=3, stopped="failures", error=("Net::SMTPFatalError", "535 no")))
    one = found["retry-incomplete"]
    assert one.severity == "warning"
    assert one.message == (
        "3 mails failed again, the last 3 or more in a row, so 6 mails were left: Net::SMTPFatalError said 535 no."
    )
    assert one.fix == "Correct it."


@pytest.mark.parametrize(
    ("stopped", "message"),
    [
        ("idle", "No running Sidekiq process takes these mails, so 2 mails were left."),
        ("time", "The time was up, so 2 mails were left."),
        (
            "elsewhere",
            "Sidekiq on other hosts takes these mails too and may not have the new settings yet, so 2 mails were left.",
        ),
        ("error", "The retry ended early: IOError: gone. 2 mails were left."),
    ],
)
def test_why_mails_were_left(stopped: str, message: str) -> None:
    error = ("IOError", "gone") if stopped == "error" else ("", "")
    found = told(Outcome(chosen=3, sent=1, stopped=stopped, error=error))
    assert found["retry-incomplete"].message == message
    assert "again" in found["retry-incomplete"].fix or "smtp_waiting" in found["retry-incomplete"].fix


def test_a_search_that_was_cut_short_is_told() -> None:
    found = told(Outcome(chosen=2, sent=2), waiting=Waiting((), False, 1000.0))
    assert "more mails may wait" in found["retry-incomplete"].message


def test_one_failure_tells_its_cause() -> None:
    found = told(Outcome(chosen=3, sent=2, failed=1, error=("Net::OpenTimeout", "late")))
    assert found["retry-incomplete"].message == "1 mail failed again: Net::OpenTimeout said late."


def group(method: str, count: int, expired: int) -> Group:
    return Group("retry", "UserMailer", method, count, 1.0, 2.0, expired=expired, fresh=count - expired)


WAITING = Waiting((group("reset_password_instructions", 5, 2), group("confirmation_instructions", 9, 1)), True, 1000.0)


def test_people_with_expired_links_are_counted() -> None:
    found = told(Outcome(chosen=11, sent=11, expired=3), waiting=WAITING)
    assert found["mails-expired"].severity == "warning"
    assert found["mails-expired"].message == (
        "3 mails (2 password resets and 1 confirmation) are expired, so they are not retried. Whoever waits for one "
        "must ask again."
    )
    dropped = told(Outcome(chosen=11, sent=11, expired=3, dropped=3), Wish("fresh", drop_expired=True), WAITING)
    assert "so they are deleted." in dropped["mails-expired"].message


def answer(**more: t.Any) -> dict[str, t.Any]:
    numbers = dict.fromkeys(("chosen", "sent", "failed", "passed", "moving", "dropped", "refused", "old"), 0)
    return {**numbers, "stopped": None, "errors": [], **more}


def test_the_outcome_of_an_answer() -> None:
    errors = [{"class": "A", "message": "a", "count": 1}, {"class": "B", "message": "b", "count": 2}]
    made = Outcome.told(answer(chosen=4, failed=3, errors=errors), WAITING, "fresh")
    assert (made.expired, made.error, made.left) == (3, ("B", "b"), 1)
    assert Outcome.told(answer(), WAITING, "all").expired == 0


def test_mails_that_are_never_retried_do_not_vanish() -> None:
    lost = Group("dead", "UserMailer", "welcome", 40, 1.0, 2.0, gone=30, unknown=10)
    waiting = Waiting((lost,), True, 1000.0)
    found = told(Outcome(old=3), waiting=waiting)
    assert found["mails-retried"].message.startswith("None of the 40 mails that failed earlier was to be retried.")
    assert found["mails-retried"].message.endswith("3 were left because the last failure is more than 14 days ago.")
    assert found["mails-lost"].message == (
        "Not retried: 30 mails are about something that no longer exists, and 10 mails could not be judged."
    )
    assert "could not be judged" not in told(Outcome(), Wish("all"), waiting)["mails-lost"].message
