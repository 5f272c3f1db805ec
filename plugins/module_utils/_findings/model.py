# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings: the one form in which all steps report what they conclude, and functions for lists of them."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._text import shown

Severity = t.Literal["error", "warning", "unknown", "info"]

#: Worst first. "unknown" (the question could not be answered) outranks "info" and never blocks.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "unknown", "info")
#: First words of messages that already say what to do, as those about DNS records do.
_ADVISING = frozenset({"Publish", "Correct", "Remove", "Take"})


@dataclasses.dataclass(frozen=True)
class Code:
    """One row of the table of codes: what a stable finding code means.

    :ivar code: kebab-case, stable across releases; operators name it in O(accept).
    :ivar severity: the default severity of a finding with this code.
    :ivar meaning: one sentence for the documentation.
    :ivar remedy: one sentence for the documentation: what usually helps.
    :ivar source: where the fact comes from (a Mastodon file or issue, an RFC, a manual); may be empty.
    :ivar formerly: the codes that earlier releases had for it; O(accept) still accepts them.
    :ivar of_test: it means that a test could not be made, or that the relay puts the mail off, and says nothing about
        the settings: a rollout fails, but undoes nothing, and a queue job is given time for its next try.
    """

    code: str
    severity: Severity
    meaning: str
    remedy: str
    source: str = ""
    formerly: tuple[str, ...] = ()
    of_test: bool = False


@dataclasses.dataclass(frozen=True)
class Finding:
    """One conclusion of one check.

    :ivar code: a row of the table of codes.
    :ivar severity: how bad it is here.
    :ivar subject: what it is about: a variable, option, file and line, host and port. Never a secret.
    :ivar message: what is wrong, in one or two sentences. Never a secret.
    :ivar fix: what to do about it. Never a secret.
    """

    code: str
    severity: Severity
    subject: str
    message: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """The finding as modules return it: five strings."""
        return {
            "code": self.code,
            "severity": self.severity,
            "subject": self.subject,
            "message": self.message,
            "fix": self.fix,
        }

    def shown(self) -> Finding:
        """The finding, safe to show: each text on one line, with nothing that a terminal or CI runner would obey."""
        return dataclasses.replace(self, subject=shown(self.subject), message=shown(self.message), fix=shown(self.fix))

    def told(self) -> str:
        """What is wrong, for people: subject and message; the subject is not repeated if the message begins with it."""
        named = re.match(re.escape(self.subject) + r"(?!\w)", self.message)
        return self.message if named else f"{self.subject}: {self.message}"

    def advice(self) -> str:
        """What to do, for people; empty if the message already says it ("Publish ...", "Correct ...")."""
        verb = self.message.partition(" ")[0]
        return "" if verb in _ADVISING and verb == self.fix.partition(" ")[0] else self.fix

    def sentence(self) -> str:
        """The finding as one line, for people."""
        advice = self.advice()
        return f"{ended(self.told())} {advice} [{self.code}]" if advice else f"{self.told()} [{self.code}]"


def ended(text: str) -> str:
    """The text with a full stop, so that another sentence can follow; messages of programs often have none."""
    return text if text.rstrip("\"')").endswith((".", "!", "?", ":", "…")) else f"{text}."


class Table:
    """The codes of one area of the collection, and the only way to create its findings.

    A code without a row is a programming error (KeyError), so the documentation generated from the rows is complete.
    """

    def __init__(self, *rows: Code) -> None:
        self.rows: dict[str, Code] = {row.code: row for row in rows}
        names = [name for row in rows for name in (row.code, *row.formerly)]
        if len(set(names)) != len(names):
            raise ValueError("a finding code is listed twice")

    def finding(
        self, code: str, subject: str, message: str, fix: str = "", *, severity: Severity | None = None
    ) -> Finding:
        """Create a finding of this area; severity and fix default to the row's severity and remedy."""
        row = self.rows[code]
        return Finding(code, severity or row.severity, subject, message, fix or row.remedy)

    def named(self, codes: t.Container[str]) -> frozenset[str]:
        """The codes of this area among these, which may be former ones."""
        return frozenset(
            row.code for row in self.rows.values() if any(one in codes for one in (row.code, *row.formerly))
        )

    def accept(self, findings: t.Iterable[Finding], codes: t.Container[str]) -> list[Finding]:
        """The findings of this area, weighed with the codes that the operator accepts."""
        return weigh(findings, self.named(codes))


#: From which severity on a finding stops a step -> the severities that change because of it.
_COUNTS: dict[str, dict[str, Severity]] = {
    "error": {},
    "warning": {"warning": "error"},
    "never": {"error": "info", "warning": "info"},
}


def weigh(findings: t.Iterable[Finding], accepted: t.Container[str], fail_on: str = "error") -> list[Finding]:
    """The findings with the severities that count: for the step, the rollout, the drift check and every headline.

    :param accepted: the codes that the operator accepts; their errors and warnings become infos.
    :param fail_on: which of the others are errors: C(error), C(warning) (warnings too), or C(never) (all are infos).
    """
    weighed = []
    for one in findings:
        if one.code in accepted and one.severity in ("error", "warning"):
            weighed.append(
                dataclasses.replace(one, severity="info", message=f"{one.message} (Accepted by the operator.)")
            )
        else:
            weighed.append(dataclasses.replace(one, severity=_COUNTS[fail_on].get(one.severity, one.severity)))
    return weighed


def worst_first(findings: t.Iterable[Finding]) -> list[Finding]:
    """The findings sorted by severity, otherwise in the given order, without duplicates."""
    return sorted(dict.fromkeys(findings), key=lambda one: SEVERITIES.index(one.severity))


def errors(findings: t.Iterable[Finding]) -> list[Finding]:
    """Only the findings that block: those with severity error."""
    return [one for one in findings if one.severity == "error"]


class FindingError(Exception):
    """Raised by code that cannot continue, with a finding (the decisive one of several).

    _edge turns it into a failure of the module.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence())
        self.finding = finding
        self.findings: tuple[Finding, ...] = (finding,)


def explain(findings: t.Iterable[Finding]) -> str:
    """The error message of a failing step: every error, worst first, one line each."""
    blocking = errors(worst_first(findings))
    if len(blocking) == 1:
        return blocking[0].sentence()
    return f"{len(blocking)} problems:\n" + "\n".join(f"- {one.sentence()}" for one in blocking)
