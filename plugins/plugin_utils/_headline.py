# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The headline of a host, computed from the findings below it.

This is the one place for the terminal, the report, the facts and the exit status, so that they cannot contradict each
other: "proved" stands above no missing proof, and "in order" above no error.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import SEVERITIES, Finding, ended

Findings = t.Sequence[t.Mapping[str, str]]
#: What became of the edit of a failed host; empty if there was none to undo, as in a rollback.
Left = t.Literal["undone", "not undone", "nothing changed", ""]

#: All short forms of a rollout's headline, in the order in which a fleet's summary reports them.
LABELS = (
    "Done and proved",
    "Done",
    "Done, not proved",
    "In order",
    "In order with warnings",
    "Not in order",
    "Would change",
    "Done in part",
    "Failed, undone",
    "Failed, not undone",
    "Failed, nothing changed",
)
#: What a host lacks as long as no mail has gone through its queue.
QUEUE_LACKS = "the queue is not proved"
_AGAIN = "Then run the rollout again."


@dataclasses.dataclass(frozen=True)
class Headline:
    """How a host ended.

    :ivar label: the short form.
    :ivar text: the whole first line.
    :ivar fails: whether the host has failed.
    """

    label: str
    text: str
    fails: bool = False

    def as_dict(self) -> dict[str, t.Any]:
        """The keys of the facts."""
        return {"label": self.label, "headline": self.text, "fails": self.fails}


def of_rollout(
    outcome: str, findings: Findings, missing: Findings, *, proved: bool, fails: bool, lack: str = QUEUE_LACKS
) -> Headline:
    """The headline of a host on which every step of the rollout had its turn, and no mail failed.

    :param outcome: changed, in order, would change or not proved.
    :param findings: all findings of the host.
    :param missing: those of them that say why no mail has proved the queue.
    :param proved: whether a mail of this run has proved the queue.
    :param fails: whether a missing proof fails the host.
    :param lack: what is missing, as a clause.
    """
    rest = [one for one in findings if one not in missing]
    if outcome == "not proved":
        what = f"the mail settings are in place and in use, but {lack}"
        return Headline("Done, not proved", f"Done, not proved{_with(rest)}: {what}. {_told(missing)}", fails)
    if outcome == "changed":
        label = "Done and proved" if proved else "Done"
        return Headline(label, f"{label}{_with(rest)}: the mail settings are in place and in use.")
    label, number = _order(rest, ("error",))
    dash = ":" if label == "In order" else ";"
    return Headline(label, f"{label.partition(' with ')[0]}{number}{dash} there was nothing to change.")


def of_dry_run(outcome: str, findings: Findings, missing: Findings, *, fails: bool) -> Headline:
    """The headline of a dry run.

    :param outcome: would change or in order; the rest is as for of_rollout.
    """
    rest = [one for one in findings if one not in missing]
    what = "would change" if outcome == "would change" else "is in order"
    why = f", but the queue would not be proved. {_told(missing)}" if missing else "."
    label = "Would change" if outcome == "would change" else _order(rest, ("error",))[0]
    text = f"Dry run, nothing was touched: this instance {what}{_with(rest)}{why}"
    return Headline(label, text, fails and bool(missing))


def of_failure(left: Left, task: str) -> Headline:
    """The headline of a host whose mail failed.

    :param task: the task that failed first.
    """
    label = f"Failed, {left}" if left else "Failed"
    return Headline(label, f"{label}: {task}", fails=True)


def of_check(findings: Findings, fail_on: str) -> Headline:
    """The headline of a drift check.

    :param fail_on: the lowest severity that fails it, or C(never).
    """
    severe = SEVERITIES[: SEVERITIES.index(t.cast(t.Any, fail_on)) + 1] if fail_on in SEVERITIES else ()
    label, number = _order(findings, ("error", *severe))
    fails = any(one["severity"] in severe for one in findings)
    if label == "In order":
        return Headline(label, "In order: file, effective settings and running services are as the inventory says.")
    tolerated = "" if fails or label != "Not in order" else f" (mastodon_smtp_fail_on is {fail_on}, so this passes)"
    return Headline(label, f"{label.partition(' with ')[0]}{number}{tolerated}.", fails)


def to_prove(missing: Findings) -> list[str]:
    """What to do to have the queue proved, one line for each finding."""
    lines = []
    for one in missing:
        advice = ended(_finding(one).fix)
        again = "" if "run the rollout again" in advice else f" {_AGAIN}"
        lines.append(f"To prove it: {advice}{again}")
    return lines


def _told(missing: Findings) -> str:
    return " ".join(f"{ended(_finding(one).told())} [{one['code']}]" for one in missing)


def _finding(one: t.Mapping[str, str]) -> Finding:
    return Finding(**t.cast(t.Any, one))


def _order(findings: Findings, against: t.Sequence[str]) -> tuple[str, str]:
    """Whether this is in order, and how many findings there are.

    :param against: the severities that are not in order.
    """
    if any(one["severity"] in against for one in findings):
        return "Not in order", f": {_counted(findings, dict.fromkeys((*against, 'warning')))}"
    if any(one["severity"] == "warning" for one in findings):
        return "In order with warnings", _with(findings)
    return "In order", ""


def _with(findings: Findings) -> str:
    number = _counted(findings, ("error", "warning"))
    return f", with {number}" if number else ""


def _counted(findings: Findings, severities: t.Iterable[str]) -> str:
    """How many findings there are of each severity, in words: V(1 error and 2 warnings)."""
    words = {"error": "error", "warning": "warning", "unknown": "open question", "info": "note"}
    counts = [(sum(one["severity"] == severity for one in findings), words[severity]) for severity in severities]
    return " and ".join(f"{number} {word}{'' if number == 1 else 's'}" for number, word in counts if number)
