# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the traps that the reader models report into findings with line numbers."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .._findings.env_file import TABLE
from .._findings.model import Finding
from . import altered
from .dialects import REFUSALS, Generation, named
from .source import Reading, Source


class _Row(t.NamedTuple):
    code: str
    message: str
    named: bool  # whether the trap's name is a variable (a lone word may be part of a secret, so it is not shown)


#: Kind of trap -> finding. C({readers}) is replaced.
ROWS: dict[str, _Row] = {
    "command": _Row("env-command-runs", "A value holds $(...), which is run as a command by {readers}.", True),
    "quote-not-closed": _Row("env-quote-open", "A quote is not closed: the line is misread by {readers}.", True),
    "quote-swallows": _Row(
        "env-quote-open", "A quote is never closed: all lines below become part of the value for {readers}.", True
    ),
    "text-after-quote": _Row(
        "env-text-after-quote",
        "Text follows a closing quote: the value is misread by {readers}.",
        True,
    ),
    "lone-word": _Row(
        "env-lone-word", "The line holds a single word; it is read as a variable or dropped by {readers}.", False
    ),
    "export-without-value": _Row("env-export-empty", "export without a value; rejected by {readers}.", False),
    "shell-default": _Row("env-shell-default", "A value uses ${{NAME:-text}}, not supported by {readers}.", True),
    "skipped-line": _Row("env-line-skipped", "Not understood and skipped by {readers}.", False),
    "name-dropped": _Row("env-line-skipped", "The name is invalid; the line is dropped by {readers}.", False),
    "runs-command": _Row("env-line-runs", "The line, or a part of it, is run as a command by {readers}.", False),
    "comment-continues": _Row(
        "env-comment-continues", "The comment ends in a backslash and continues on the next line for {readers}.", False
    ),
    "reference-lost": _Row(
        "env-secret-altered",
        "What follows a $ in the value is replaced (it is no variable of this file) by {readers}.",
        True,
    ),
    "value-cut": _Row("env-secret-altered", "The value is cut off from the # on by {readers}.", True),
    "backslash-lost": _Row("env-secret-altered", "A backslash in the value is dropped or changed by {readers}.", True),
    "quotes-lost": _Row("env-secret-altered", "The quotes inside the value are dropped by {readers}.", True),
    "quote-closes": _Row(
        "env-quote-open", "The value ends with a quote that nothing opens; it is part of the value for {readers}.", True
    ),
}

#: Kinds that change what the lines below mean, so they matter whatever their variable is.
_REACHES_FURTHER = frozenset({"quote-not-closed", "quote-swallows"})

_LINES_TOLD = 5


def find(
    source: Source,
    readings: t.Sequence[tuple[Generation, Reading]],
    known: t.Collection[str] = (),
    only: t.Callable[[str], bool] | None = None,
) -> list[Finding]:
    """The findings about the content of a file, in the order of its lines; a rejected file is an error.

    A trap is reported once with all its readers; the same trap on many lines is one finding.

    :param known: variables that the readers have from elsewhere, so that a reference to one is no loss.
    :param only: the names of the variables that matter; all if left out.
    """
    refused: dict[tuple[int, str], list[Generation]] = {}
    sites: dict[tuple[int, str], list[Generation]] = {}
    names: dict[tuple[int, str], str] = {}
    for generation, reading in readings:
        refusal = reading.refusal
        if refusal:
            refused.setdefault((source.line(refusal.position), refusal.kind), []).append(generation)
        for trap in (*reading.traps, *altered.find(source, reading, known)):
            row = ROWS.get(trap.kind)
            matters = only is None or only(trap.name) or trap.kind in _REACHES_FURTHER
            if row and trap != refusal and matters:
                site = (source.line(trap.position), trap.kind)
                sites.setdefault(site, []).append(generation)
                names[site] = trap.name if row.named else ""
    findings = [
        TABLE.finding(
            "env-file-refused", f"line {line}", f"The whole file is rejected by {named(those)}: {REFUSALS[kind]}."
        )
        for (line, kind), those in sorted(refused.items(), key=lambda item: item[0])
    ]
    if source.starts_with_mark:
        findings.append(TABLE.finding("env-byte-order-mark", "line 1", TABLE.rows["env-byte-order-mark"].meaning))
    alike: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for (line, kind), those in sorted(sites.items(), key=lambda item: item[0]):
        alike.setdefault((kind, named(those)), []).append((line, names[(line, kind)]))
    for (kind, readers), where in alike.items():
        row = ROWS[kind]
        findings.extend(
            TABLE.finding(row.code, subject, row.message.format(readers=readers)) for subject in _subjects(where)
        )
    return findings


def _subjects(where: list[tuple[int, str]]) -> list[str]:
    if len(where) <= _LINES_TOLD:
        return [f"line {line} ({name})" if name else f"line {line}" for line, name in where]
    told = ", ".join(str(line) for line, _name in where[:_LINES_TOLD])
    return [f"lines {told} and {len(where) - _LINES_TOLD} more"]
