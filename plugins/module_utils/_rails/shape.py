# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validates answers of Rails against the form that our programs produce. No I/O.

The program runs in an application that may be hostile, which can read the mark and answer in its place. So no answer is
used before it has been validated against what the program can answer (program.py, queue_program.py, accounts.py,
retry_program.py).
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .._diagnosis.model import STAGES
from .._waiting.model import PLACES
from .._waiting.retry import STOPPED

#: Characters of one text (the programs cut theirs at 2000); and the number of items in a list or dictionary.
_LONGEST = 4096
_MOST = 200
_HIGHEST = 2**53
#: The year 9999, in seconds since 1970.
_LATEST = 253_370_764_800

#: Checks a value: returns the path to the problem and its description; empty if the value is valid.
Rule = t.Callable[[t.Any], str]


class Misshapen(Exception):
    """An answer that the program cannot have given; the message says where and why."""


def _text(value: t.Any) -> str:
    return "" if isinstance(value, str) and len(value) <= _LONGEST else " is not a text of a sensible length"


def _flag(value: t.Any) -> str:
    return "" if isinstance(value, bool) else " is neither true nor false"


def _count(value: t.Any) -> str:
    number = isinstance(value, int) and not isinstance(value, bool)
    return "" if number and 0 <= value < _HIGHEST else " is not a sensible number"


def _seconds(value: t.Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "" if number and 0 <= value < _HIGHEST else " is not a sensible number"


def _time(value: t.Any) -> str:
    """Seconds since 1970 that a date can be made of."""
    return _seconds(value) or ("" if value < _LATEST else " is not a sensible time")


def _scalar(value: t.Any) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, (int, float)):
        return "" if -_HIGHEST < value < _HIGHEST else " is not a sensible number"
    return _text(value)


def _or_none(rule: Rule) -> Rule:
    return lambda value: "" if value is None else rule(value)


def _one_of(*known: t.Any) -> Rule:
    return lambda value: "" if any(value is one or value == one for one in known) else " is not a known word"


def _each(rule: Rule, *names: str) -> Rule:
    """A rule for a dictionary whose values all follow one rule."""

    def look(value: t.Any) -> str:
        if not isinstance(value, dict) or len(value) > _MOST:
            return " is not a dictionary of a sensible size"
        strange = next((one for one in value if _text(one) or (names and one not in names)), None)
        if strange is not None:
            return " has an unknown key"
        return _first(value, dict.fromkeys(value, rule))

    return look


def _list(rule: Rule, least: int = 0) -> Rule:
    def look(value: t.Any) -> str:
        if not isinstance(value, list) or not least <= len(value) <= _MOST:
            return " is not a list of a sensible length"
        problems = ((number, rule(one)) for number, one in enumerate(value))
        return next((f"[{number}]{problem}" for number, problem in problems if problem), "")

    return look


def _record(optional: t.Mapping[str, Rule] | None = None, /, **rules: Rule) -> Rule:
    """A rule for a dictionary with these keys and, optionally, some others; unknown keys are ignored."""

    def look(value: t.Any) -> str:
        if not isinstance(value, dict):
            return " is not a dictionary"
        there = {name: rule for name, rule in (optional or {}).items() if name in value}
        return _first(value, {**rules, **there})

    return look


def _first(value: t.Mapping[str, t.Any], rules: t.Mapping[str, Rule]) -> str:
    """The first problem among the entries, with the path to it."""
    for name, rule in rules.items():
        problem = rule(value[name]) if name in value else " is missing"
        if problem:
            return f".{name}{problem}"
    return ""


_RELAYS = ("main", "bulk")
_FAILURE = _record(stage=_one_of(None, *STAGES), chain=_list(_record(**{"class": _text, "message": _text}), 1))
_ACCOUNT = _record({"state": _or_none(_text), "error": _or_none(_text), "throttled_for": _or_none(_count)})
_GROUP = _record(
    place=_one_of(*PLACES),
    **dict.fromkeys(("mailer", "method", "error_class", "error_message"), _text),
    **dict.fromkeys(("count", "fresh", "expired", "gone", "unknown"), _count),
    **dict.fromkeys(("oldest", "newest"), _time),
    **dict.fromkeys(("next_try", "last_failed"), _or_none(_time)),
)
_WAITING = _record(groups=_list(_GROUP), complete=_flag, now=_time, started=_or_none(_time), error=_or_none(_text))
_CHECK = _record(
    {"accounts": _each(_ACCOUNT, "account", "recipient"), "waiting": _or_none(_WAITING)},
    versions=_record(**dict.fromkeys(("release", "rails", "mail", "net_smtp", "ruby"), _or_none(_text))),
    delivery_method=_text,
    **{name: _or_none(_text) for name in ("from", "reply_to", "return_path")},
    relays=_each(_record(settings=_each(_scalar), login_set=_flag, password_set=_flag), *_RELAYS),
    matches=_each(_each(_flag, "password", "login"), *_RELAYS),
    perform_deliveries=_flag,
    raise_delivery_errors=_flag,
    planned_read=_or_none(_flag),
    rehearsals=_each(_or_none(_FAILURE), *_RELAYS),
    messages=_list(
        _record(
            relay=_one_of(*_RELAYS),
            **{name: _or_none(_text) for name in ("to", "message_id", "envelope_from", "answer")},
            error=_or_none(_FAILURE),
        )
    ),
)
_RETRY = _record(
    waiting=_WAITING,
    **dict.fromkeys(("chosen", "sent", "failed", "passed", "moving", "dropped", "refused", "old"), _count),
    stopped=_one_of(None, *STOPPED),
    errors=_list(_record(**{"class": _text, "message": _text, "count": _count})),
)
_PLACE = _record(
    {"attempts": _count, "error_class": _text, "error_message": _text},
    state=_one_of("queued", "busy", "retry", "dead", "gone", "done"),
    waited=_seconds,
)
_QUEUE = _record(
    {
        "job_id": _text,
        "jid": _text,
        "queue": _text,
        "served": _list(_text),
        "unserved": _flag,
        "quiet": _flag,
        "refused": _flag,
        "requested": _flag,
        "removed": _count,
        "processes": _list(_text),
        "place": _PLACE,
        "failure": _FAILURE,
        "put": _flag,
    }
)


def check_answer(answer: t.Mapping[str, t.Any]) -> None:
    """Validate an answer of program.py.

    :raises Misshapen: the program cannot have given it.
    """
    problem = _record(failure=_FAILURE)(answer) if "failure" in answer else _CHECK(answer)
    if not problem and "failure" not in answer:
        named = {*answer["matches"], *answer["rehearsals"], *(one["relay"] for one in answer["messages"])}
        problem = "" if named <= set(answer["relays"]) else ".relays lacks one that is named elsewhere"
    if problem:
        raise Misshapen(problem.lstrip("."))


def queue_answer(answer: t.Mapping[str, t.Any], asked: t.Mapping[str, t.Any]) -> None:
    """Validate an answer of queue_program.py to what it was asked.

    :raises Misshapen: the program cannot have given it.
    """
    problem = _QUEUE(answer)
    short = "failure" in answer or ("send" in asked and "refused" in answer)
    short = short or ("look_for" in asked and answer.get("requested") is False)
    if not problem and not short:
        wanted = {"job_id", "jid", "queue", "served"} if "send" in asked else set()
        wanted |= {"requested", "queue"} if "look_for" in asked else set()
        wanted |= (
            {"place", "processes"} if "follow" in asked and not ("send" in asked and "unserved" in answer) else set()
        )
        problem = next((f".{name} is missing" for name in sorted(wanted - answer.keys())), "")
        place = answer.get("place", {})
        if not problem and place.get("state") in ("retry", "dead"):
            problem = "" if {"error_class", "error_message"} <= place.keys() else ".place.error_class is missing"
    if problem:
        raise Misshapen(problem.lstrip("."))


def account_answer(answer: t.Mapping[str, t.Any]) -> None:
    """Validate an answer of FediopsAccounts.look.

    :raises Misshapen: the program cannot have given it.
    """
    problem = _ACCOUNT(answer)
    if problem:
        raise Misshapen(problem.lstrip("."))


def retry_answer(answer: t.Mapping[str, t.Any]) -> None:
    """Validate an answer of retry_program.py.

    :raises Misshapen: the program cannot have given it.
    """
    if "failure" in answer:
        problem = _record(failure=_FAILURE)(answer)
    else:
        problem = _record(waiting=_or_none(_WAITING))(answer) if answer.get("waiting") is None else _RETRY(answer)
    if problem:
        raise Misshapen(problem.lstrip("."))
