# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sentences of the report that several formats use."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding

from .document import FINISHED, RUNNING
from .words import HOST_STATES, PURPOSES, TOUCHING, Purpose, duration, label_of, mode_label, plural, title_of, touches

Document = t.Mapping[str, t.Any]

GOOD = ("changed", "rolled_back", "adopted", "in_order", "checked", "partly")
BAD = ("failed", "drifted", "unreachable", "without")


def verdict(made: Document) -> tuple[str, str]:
    """The whole run in one sentence, and its tone (good, info, bad, busy or idle)."""
    totals, run = made["totals"], made["run"]
    number = sum(totals.values())
    bad = sum(totals[key] for key in BAD)
    if run["state"] == RUNNING:
        return (f"Unfinished: {_so_far(totals, number)}", "busy")
    if run["state"] != FINISHED and not made["hosts"]:
        return f"The run ended at {clock(run['updated'])}, before its first step: {run['detail']} Nothing was changed."
    if run["state"] != FINISHED:
        return (f"Interrupted: {_so_far(totals, number)}", "bad")
    if not number:
        return (f"No host ran a step of the {mode(made)}.", "idle")
    if bad and bad == totals["drifted"]:
        return (f"{_some(bad, number)} {'differs' if bad == 1 else 'differ'} from the inventory.", "bad")
    if bad == number > 1:
        return (f"None of the {number} hosts passed.", "bad")
    if bad:
        return (f"{_some(bad, number)} did not pass.", "bad")
    if totals["not_proved"]:
        few = totals["not_proved"]
        verb = "is" if few == 1 else "are"
        return (f"{_some(few, number)} {verb} done, but not proved.", "bad" if made["problems"] else "info")
    if totals["stopped"] or totals["unfinished"]:
        left = plural(totals["stopped"] + totals["unfinished"], "host")
        return (f"The run stopped before it finished {left}.", "bad")
    if totals["skipped"]:
        return (f"{_some(totals['skipped'], number)} ran no step, so nothing is known about {_them(totals)}.", "idle")
    return _all_well(totals, number, purpose_of(made).key)


def _them(totals: t.Mapping[str, int]) -> str:
    return "it" if totals["skipped"] == 1 else "them"


#: Purpose of a dry run -> what would happen to the hosts.
_WOULD = {"rollback": "be rolled back", "adopt": "be written into the inventory"}
#: Purpose -> the state of all hosts if nothing had to be done.
_WELL = {"drift_check": "as the inventory says", "rollback": "as before the last edit", "adopt": "in the inventory"}


def _all_well(totals: t.Mapping[str, int], number: int, purpose: str) -> tuple[str, str]:
    if totals["would_change"]:
        what = _WOULD.get(purpose, "change")
        return (f"{_some(totals['would_change'], number)} would {what}.", "info")
    done = [(totals[key], HOST_STATES[key].label) for key in ("changed", "rolled_back", "adopted") if totals[key]]
    what = _WELL.get(purpose, "in order") if done or totals["in_order"] else "checked"
    every = {1: "The host is", 2: "Both hosts are"}.get(number, f"All {number} hosts are")
    if purpose in ("rollback", "adopt") and done and done[0][0] == number:
        return (f"{every} {done[0][1]}.", "good")
    some = "".join(f", {how_many} {word}" for how_many, word in done) if number > 1 else ""
    return (f"{every} {what}{some}.", "good")


def purpose_of(made: Document) -> Purpose:
    """The purpose of the run; a rollout's if there are several."""
    found = made["run"]["purposes"]
    return PURPOSES[found[0] if len(found) == 1 else "rollout"]


UNREACHED = "Did not answer"


def lead_of(made: Document, problem: Document) -> str:
    """The heading above a problem: a host that did not answer differs from nothing that is known."""
    return UNREACHED if problem["state"] == "unreachable" else purpose_of(made).failed


def mode(made: Document) -> str:
    """The purpose of the run, and whether it may change anything."""
    return mode_label(made["run"]["purposes"], made["run"]["check_mode"])


def heading(made: Document) -> str:
    """The title of the report; a title given by the operator is followed by the purpose."""
    run = made["run"]
    usual = title_of(run["purposes"], run["check_mode"])
    return str(usual if run["title"] == usual else f"{run['title']} ({mode(made)})")


def _some(few: int, number: int) -> str:
    return "The host" if number == 1 else f"{few} of {number} hosts"


def _so_far(totals: t.Mapping[str, int], number: int) -> str:
    done = sum(totals[key] for key in (*GOOD, "would_change", "not_proved"))
    bad = sum(totals[key] for key in BAD)
    return f"{done} of {plural(number, 'host')} done" + (f", {bad} did not pass." if bad else ".")


_AGAIN = ": it completes the missing steps and leaves finished ones alone"


def note(made: Document) -> str:
    """What a reader of an incomplete report must know; empty for a complete one."""
    run = made["run"]
    if run["state"] == RUNNING:
        return (
            f"This is the state at {clock(run['updated'])}, written during the run. If the run is no longer active, "
            "it was killed, and nothing later is known."
        )
    if run["state"] != FINISHED:
        return (
            f"The run was interrupted at {clock(run['updated'])}: {run['detail']} "
            f"Run it again{_AGAIN if 'rollout' in run['purposes'] else ''}."
        )
    return ""


def under_way(made: Document) -> list[str]:
    """The unfinished tasks in an incomplete report, one line for each step."""
    steps: dict[str, list[t.Any]] = {}
    for one in made["waiting"]:
        steps.setdefault(label_of(one["step"]) or one["task"], []).append(one)
    return [
        f"{where}: {names([one['host'] for one in some], 8)}, for {duration(max(one['seconds'] for one in some))}"
        for where, some in steps.items()
    ]


def counts(made: Document) -> list[tuple[str, int]]:
    """The number of hosts in each state, worst first, without empty states."""
    return [(key, made["totals"][key]) for key in HOST_STATES if made["totals"][key]]


def clock(stamp: str) -> str:
    """An ISO time, formatted for people."""
    return stamp.replace("T", " ").replace("Z", " UTC") if stamp else ""


def told(one: t.Mapping[str, str]) -> str:
    """A finding's subject and message; a subject that begins the message is not repeated."""
    return _finding(one).told()


def advice(one: t.Mapping[str, str]) -> str:
    """A finding's fix; empty if its message already says what to do."""
    return _finding(one).advice()


def _finding(one: t.Mapping[str, str]) -> Finding:
    return Finding(**{name: t.cast(t.Any, one[name]) for name in ("code", "severity", "subject", "message", "fix")})


def where(one: Document) -> str:
    """The step or task of a cause; empty if the heading already says it."""
    if one.get("state") == "drifted":
        return ""
    return label_of(one["step"]) or ("Connection" if one.get("state") == "unreachable" else str(one["task"]))


def fixes(cause: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """The errors of a cause as (problem, fix); the task's message if there are none."""
    found = [(told(one), advice(one)) for one in cause["findings"]]
    return found or [(cause["message"], "")]


def afterwards(made: Document, hosts: t.Collection[str]) -> str:
    """The state in which hosts with the same cause were left, if one sentence covers all of them; else empty."""
    run = made["run"]
    if not touches(run["purposes"], run["check_mode"]):
        return ""  # the mode already says it
    some = [one for one in made["hosts"] if one["name"] in hosts]
    reached = {key for one in some for key, cell in one["steps"].items() if cell["state"] != "skipped"}
    if not TOUCHING & reached:
        return "Nothing was changed."
    ends = {one["undone"] for one in some}
    if len(ends) == 1:
        return str(ends.pop())
    back = all(one["variables"] and one["variables"]["put_back"] for one in some)
    return "Everything was rolled back: the previous settings are in effect again." if back else ""


def names(hosts: t.Sequence[str], limit: int) -> str:
    """A list of host names, shortened to the first few."""
    more = len(hosts) - limit
    return ", ".join(hosts[:limit]) + (f" and {more} more" if more > 0 else "")


#: Codes and hosts named at most in each line about the last run.
_MOST_CODES, _MOST_HOSTS = 8, 4


def since(made: Document) -> list[tuple[str, str]]:
    """What differs from the last run, as lines of (label, words); empty if there is none to compare with."""
    last = made.get("since")
    if not last:
        return []
    labels = (("new", f"New since {clock(last['started'])}"), ("gone", "Gone"), ("still", "Still"))
    return [(label, _codes(last[group])) for group, label in labels]


def _codes(some: t.Sequence[Document]) -> str:
    told = [f"{one['code']} ({names(one['hosts'], _MOST_HOSTS)})" for one in some[:_MOST_CODES]]
    more = len(some) - _MOST_CODES
    return ", ".join(told) + (f" and {more} more" if more > 0 else "") if told else "nothing"
