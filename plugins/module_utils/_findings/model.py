# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check can conclude: one shape for every step, and what to do with many of them."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._text import shown

Severity = t.Literal["error", "warning", "unknown", "info"]

#: Worst first. "unknown" (the question could not be answered) outranks "info" and never blocks.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "unknown", "info")
#: What a message begins with that says at once what to do, as those about DNS records do.
_ADVISING = frozenset({"Publish", "Correct", "Remove", "Take"})


@dataclasses.dataclass(frozen=True)
class Code:
    """One row of the table of codes: what a stable finding code means.

    :ivar code: kebab-case, stable across releases; operators name it in O(accept).
    :ivar severity: the severity a finding of this code has unless the rule decides otherwise.
    :ivar meaning: one sentence for the documentation.
    :ivar remedy: one sentence for the documentation: what usually helps.
    :ivar source: where the fact comes from (a Mastodon file or issue, an RFC, a manual); may be empty.
    :ivar formerly: the codes that earlier releases had for it; O(accept) still takes them.
    :ivar of_test: it says that a test could not be made, and nothing about the mail or its settings: a rollout fails by
        it, but takes nothing back.
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
        """The same as a person may read it: each text on one line, without what a terminal or CI runner would obey."""
        return dataclasses.replace(self, subject=shown(self.subject), message=shown(self.message), fix=shown(self.fix))

    def told(self) -> str:
        """What is wrong, for a person; a message that begins with the subject says it once."""
        named = re.match(re.escape(self.subject) + r"(?!\w)", self.message)
        return self.message if named else f"{self.subject}: {self.message}"

    def advice(self) -> str:
        """What to do, for a person; empty where the message has begun with it ("Publish ...", "Correct ...")."""
        verb = self.message.partition(" ")[0]
        return "" if verb in _ADVISING and verb == self.fix.partition(" ")[0] else self.fix

    def sentence(self) -> str:
        """The finding as one line for a person."""
        advice = self.advice()
        return f"{ended(self.told())} {advice} [{self.code}]" if advice else f"{self.told()} [{self.code}]"


def ended(text: str) -> str:
    """The text with a full stop, for another sentence to follow; what a program said often has none."""
    return text if text.rstrip("\"')").endswith((".", "!", "?", ":", "…")) else f"{text}."


class Table:
    """The codes of one area of the collection, and the only way to make a finding of that area.

    Making a finding with a code that has no row is a programming error (KeyError), so the documentation that is
    generated from the rows is complete.
    """

    def __init__(self, *rows: Code) -> None:
        self.rows: dict[str, Code] = {row.code: row for row in rows}
        names = [name for row in rows for name in (row.code, *row.formerly)]
        if len(set(names)) != len(names):
            raise ValueError("a finding code is listed twice")

    def finding(
        self, code: str, subject: str, message: str, fix: str = "", *, severity: Severity | None = None
    ) -> Finding:
        """A finding of this area; the row's severity and remedy stand in where none is given."""
        row = self.rows[code]
        return Finding(code, severity or row.severity, subject, message, fix or row.remedy)

    def accept(self, findings: t.Iterable[Finding], codes: t.Container[str]) -> list[Finding]:
        """Turn the errors whose code the operator knowingly accepts into infos; nothing else changes."""
        accepted = {row.code for row in self.rows.values() if any(one in codes for one in (row.code, *row.formerly))}
        return [
            dataclasses.replace(one, severity="info", message=f"{one.message} (Accepted by the operator.)")
            if one.severity == "error" and one.code in accepted
            else one
            for one in findings
        ]


def worst_first(findings: t.Iterable[Finding]) -> list[Finding]:
    """Sorted by severity, otherwise in the given order; equal findings once."""
    return sorted(dict.fromkeys(findings), key=lambda one: SEVERITIES.index(one.severity))


def errors(findings: t.Iterable[Finding]) -> list[Finding]:
    """Only those that block."""
    return [one for one in findings if one.severity == "error"]


class FindingError(Exception):
    """Carries one finding, or the one that counts of several, out of code that cannot go on.

    The edge turns it into a module failure.
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
