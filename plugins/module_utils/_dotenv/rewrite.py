# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change or remove one variable in the text: which characters are replaced, and by what."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._findings.env_file import TABLE
from .._findings.model import Finding
from .dialects import Generation
from .encoder import encode
from .placement import Extent
from .source import Source, Statement

What = t.Literal["added", "changed", "requoted", "removed"]


@dataclasses.dataclass(frozen=True)
class Change:
    """What happened to one variable. C(requoted): some readers already saw the wanted value, others did not."""

    name: str
    what: What


class Splice(t.NamedTuple):
    """Replace the text between two offsets."""

    start: int
    end: int
    text: str


def apply(text: str, splices: t.Sequence[Splice]) -> str:
    """The text with all replacements made; those at the same place in the given order."""
    parts: list[str] = []
    position = 0
    for splice in sorted(splices, key=lambda one: (one.start, one.end)):
        start = max(splice.start, position)
        parts.extend((text[position:start], splice.text))
        position = max(splice.end, position)
    return "".join((*parts, text[position:]))


def rewritten(
    source: Source,
    name: str,
    value: str,
    views: t.Sequence[Statement],
    extent: Extent,
    targets: tuple[Generation, ...],
    newline: str,
) -> tuple[Splice | None, list[Finding]]:
    """Give a statement a new value, replacing only the text from its separator to the value's end if possible.

    The form of the line (C(export), blanks, a colon) is kept if all targets understand it, and a comment after the
    value is kept, after one blank, if all targets read it as a comment. Otherwise the line becomes C(NAME=value), and
    the comment moves to a separate line above. Both are reported as findings.

    :param views: the statement as each reader sees it that has it.
    """
    text = source.text
    line = f"line {source.line(extent.start)} ({name})"
    end = _end(source, extent)
    if end <= extent.start:
        message = "The quote on this line is never closed, so it is unclear where the old value ends."
        return None, [TABLE.finding("env-quote-open", line, message, severity="error")]
    value_start = min(one.value_start for one in views)
    prefix = text[extent.start : value_start]
    if not re.search(r"[=:]\s*$", prefix) or "\n" in prefix or "\r" in prefix:
        prefix = f"{name}="
    comment, end = _comment(source, views, end)
    following = text[end:].lstrip()[:1]
    quoted = not value and following in ("'", '"', "`")
    for form in dict.fromkeys((prefix, f"{name}=")):
        for tail in dict.fromkeys((f" {comment}" if comment else "", "")):
            spelling = encode(name, value, targets, prefix=form, tail=tail, quoted=quoted)
            if spelling is None:
                continue
            notes = []
            above = ""
            if form != prefix or prefix != text[extent.start : value_start]:
                notes.append(TABLE.finding("env-line-normalised", line, "The line is now written as NAME=value."))
            if comment and not tail:
                notes.append(TABLE.finding("env-comment-moved", line, "The comment is above the line now."))
                above = comment + newline + (newline if comment.endswith("\\") else "")
            return Splice(extent.start, end, f"{above}{form}{spelling}{tail}"), notes
    return None, [TABLE.finding("env-edit-unsafe", line, "The value cannot be written safely at this place.")]


def _end(source: Source, extent: Extent) -> int:
    """The end of the value, without a carriage return of the line end (which a shell includes)."""
    end = extent.end
    while end > extent.start and source.text[end - 1] == "\r" and source.text[end : end + 1] == "\n":
        end -= 1
    return end


def _comment(source: Source, views: t.Sequence[Statement], end: int) -> tuple[str, int]:
    """The comment after the value (blank, then a number sign), as the reader with the shortest value sees it.

    Text directly after the value is never kept: it is part of the old value, which that reader cuts off.
    """
    text = source.text
    shortest = min(one.value_end for one in views)
    line_end = source.line_end(shortest)
    found = re.compile(r"[^\S\r\n]+(#.*)").match(text, shortest, line_end)
    if found:
        return found[1].rstrip(), max(end, line_end)
    rest = text[end : source.line_end(end)]
    return "", end + len(rest) if not rest.strip() or end == shortest else end


def removals(source: Source, name: str, own: t.Sequence[Extent], known: t.Sequence[Extent]) -> list[Splice]:
    """Remove all lines of a variable, since an earlier duplicate would take effect if only the last one were removed.

    Lines that only export it are removed as well.
    """
    splices = []
    for extent in own:
        end = source.next_line(max(_end(source, extent), extent.start))
        start = source.line_start(extent.start)
        splices.append(Splice(max(start, 1) if source.starts_with_mark else start, end, ""))
    if own:
        exports = re.compile(rf"^[ \t]*export[ \t]+{name}[ \t]*$", re.MULTILINE)
        for found in exports.finditer(source.text):
            inside = any(one.start < found.start() < one.end for one in known)
            if not inside:
                splices.append(Splice(found.start(), source.next_line(found.start()), ""))
    return splices
