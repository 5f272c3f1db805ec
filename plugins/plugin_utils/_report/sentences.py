# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""The report in sentences that more than one format needs."""

from __future__ import annotations

import typing as t

from .document import FINISHED, RUNNING
from .words import HOST_STATES, duration, label_of, plural

Document = t.Mapping[str, t.Any]

GOOD = ("changed", "rolled_back", "in_order", "checked", "partly")
BAD = ("failed", "drifted", "unreachable", "without")


def verdict(made: Document) -> tuple[str, str]:
    """The whole run in one sentence, and its tone (good, info, bad, busy or idle)."""
    totals, run = made["totals"], made["run"]
    number = sum(totals.values())
    bad = sum(totals[key] for key in BAD)
    if run["state"] == RUNNING:
        return (f"Unfinished: {_so_far(totals, number)}", "busy")
    if run["state"] != FINISHED:
        return (f"Interrupted: {_so_far(totals, number)}", "bad")
    if not number:
        return ("No host ran a step of the rollout.", "idle")
    if bad and bad == totals["drifted"]:
        return (f"{bad} of {plural(number, 'host')} {'is' if bad == 1 else 'are'} not as the inventory says.", "bad")
    if bad:
        return (f"{bad} of {plural(number, 'host')} did not pass.", "bad")
    if totals["stopped"] or totals["unfinished"]:
        left = plural(totals["stopped"] + totals["unfinished"], "host")
        return (f"The run stopped before it was done with {left}.", "bad")
    if run["check_mode"]:
        would = totals["would_change"]
        if would:
            return (f"{would} of {plural(number, 'host')} would change.", "info")
        return (f"{_all(number)} in order.", "good")
    done = [(totals[key], HOST_STATES[key].label) for key in ("changed", "rolled_back") if totals[key]]
    what = "in order" if done or totals["in_order"] else "checked"
    some = "".join(f", {how_many} {word}" for how_many, word in done) if number > 1 else ""
    return (f"{_all(number)} {what}{some}.", "good")


def _all(number: int) -> str:
    return {1: "The host is", 2: "Both hosts are"}.get(number, f"All {number} hosts are")


def _so_far(totals: t.Mapping[str, int], number: int) -> str:
    done = sum(totals[key] for key in (*GOOD, "would_change"))
    bad = sum(totals[key] for key in BAD)
    return f"{done} of {plural(number, 'host')} done" + (f", {bad} did not pass." if bad else ".")


def note(made: Document) -> str:
    """What a reader of an incomplete report must know; empty for a complete one."""
    run = made["run"]
    if run["state"] == RUNNING:
        return (
            f"This is the state of {clock(run['updated'])}, written while the run went on. "
            "If the run is over by now, it was killed, and nothing later is known."
        )
    if run["state"] != FINISHED:
        return (
            f"The run was interrupted at {clock(run['updated'])}: {run['detail']} "
            "Run it again: it finishes what is missing and leaves alone what is done."
        )
    return ""


def under_way(made: Document) -> list[str]:
    """What an incomplete report has seen begin and not end, one line for each step."""
    steps: dict[str, list[t.Any]] = {}
    for one in made["waiting"]:
        steps.setdefault(label_of(one["step"]) or one["task"], []).append(one)
    return [
        f"{where}: {names([one['host'] for one in some], 8)}, for {duration(max(one['seconds'] for one in some))}"
        for where, some in steps.items()
    ]


def counts(made: Document) -> list[tuple[str, int]]:
    """How many hosts are in each state that any is in, worst first."""
    return [(key, made["totals"][key]) for key in HOST_STATES if made["totals"][key]]


def clock(stamp: str) -> str:
    """An ISO time as a person reads it."""
    return stamp.replace("T", " ").replace("Z", " UTC") if stamp else ""


def fixes(cause: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """Each error of a cause as what is wrong and what to do; the task's own message where there are none."""
    found = [(f"{one['subject']}: {one['message']}", one["fix"]) for one in cause["findings"]]
    return found or [(cause["message"], "")]


def names(hosts: t.Sequence[str], limit: int) -> str:
    """Host names, the first few of many."""
    more = len(hosts) - limit
    return ", ".join(hosts[:limit]) + (f" and {more} more" if more > 0 else "")
