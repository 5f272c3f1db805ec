# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""From what the reading models stumble over to findings with line numbers."""

from __future__ import annotations

import typing as t

from .._findings.env_file import TABLE
from .._findings.model import Finding
from .dialects import Generation
from .source import Reading, Source, Trap


class _Row(t.NamedTuple):
    code: str
    message: str
    named: bool  # whether the trap's name is a variable (a word may be a piece of a secret)


#: Kind of trap -> finding. C({readers}) is filled in.
ROWS: dict[str, _Row] = {
    "command": _Row("env-command-runs", "The value holds $(...), and {readers} runs it as a command.", True),
    "quote-not-closed": _Row("env-quote-open", "A quote is opened and not closed on the line ({readers}).", True),
    "quote-swallows": _Row(
        "env-quote-open",
        "A quote is opened and never closed: {readers} takes all lines below as part of the value.",
        True,
    ),
    "text-after-quote": _Row(
        "env-text-after-quote", "Text follows a closed quote, or a quote stands inside the value ({readers}).", True
    ),
    "lone-word": _Row(
        "env-lone-word", "A word stands alone on the line; {readers} takes it as a variable or drops it.", False
    ),
    "export-without-value": _Row("env-export-empty", "export without a value: {readers} raises FormatError.", False),
    "shell-default": _Row("env-shell-default", "The value uses ${{NAME:-text}}, which {readers} does not know.", True),
    "skipped-line": _Row("env-line-skipped", "The line is not understood and skipped by {readers}.", False),
    "name-dropped": _Row("env-line-skipped", "The name is not valid for {readers}, which drops the line.", False),
    "runs-command": _Row("env-line-runs", "{readers} runs the line, or a part of it, as a command.", False),
    "comment-continues": _Row("env-comment-continues", "The comment ends in a backslash ({readers}).", False),
}

#: Why a reader refuses the whole file -> the words for it.
REFUSALS: dict[str, str] = {
    "refused-line": "it does not understand this line",
    "refused-template": "it does not understand the ${...} in this value, or a variable that it requires is not set",
    "quote-not-closed": "a quote is opened here and not closed",
    "export-without-value": "an export here has no value",
    "shell-syntax": "an unquoted parenthesis or operator here is a syntax error",
}


def find(source: Source, readings: t.Sequence[tuple[Generation, Reading]]) -> list[Finding]:
    """The findings about what stands in a file, in the order of its lines; a refused file is an error.

    A trap that several readers share is reported once and names them all.
    """
    sites: dict[tuple[int, str], tuple[Trap, list[str]]] = {}
    refused: dict[tuple[int, str], list[str]] = {}
    for generation, reading in readings:
        if reading.refusal:
            at = (source.line(reading.refusal.position), reading.refusal.kind)
            refused.setdefault(at, []).append(generation.label)
        for trap in reading.traps:
            row = ROWS.get(trap.kind)
            if row is None or trap == reading.refusal:
                continue
            _first, labels = sites.setdefault((source.line(trap.position), row.code), (trap, []))
            if generation.label not in labels:
                labels.append(generation.label)
    findings = [
        TABLE.finding("env-file-refused", f"line {line}", f"{_join(labels)} refuses the whole file: {REFUSALS[kind]}.")
        for (line, kind), labels in sorted(refused.items())
    ]
    if source.starts_with_mark:
        findings.append(TABLE.finding("env-byte-order-mark", "line 1", TABLE.rows["env-byte-order-mark"].meaning))
    for (line, code), (trap, labels) in sorted(sites.items(), key=lambda item: item[0]):
        row = ROWS[trap.kind]
        where = f"line {line} ({trap.name})" if row.named and trap.name else f"line {line}"
        findings.append(TABLE.finding(code, where, row.message.format(readers=_join(labels))))
    return findings


def _join(labels: t.Sequence[str]) -> str:
    return ", ".join(labels)
