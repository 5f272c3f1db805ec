# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a new variable is inserted: next to related ones, as a person would do."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from .source import Reading, Source

#: Prefixes of blocks in Mastodon's .env.production.sample; other blocks go by the first word of the name.
_BLOCKS = ("BULK_SMTP_", "SMTP_")


class Extent(t.NamedTuple):
    """The extent of a statement in the text: from its start to the end of its value as written."""

    name: str
    start: int
    end: int


def extents(readings: t.Iterable[Reading], length: int) -> list[Extent]:
    """The statements that any reader sees, in order, each once with its longest value.

    Of a value that runs to the end of the text because its quote is never closed, only the start counts.
    """
    widest: dict[tuple[str, int], int] = {}
    for reading in readings:
        swallowed = {one.position for one in reading.traps if one.kind == "quote-swallows"}
        for name, _value, start, _value_start, value_end in reading.statements:
            end = start if start in swallowed and value_end >= length else value_end
            key = (name, start)
            if end > widest.get(key, -1):
                widest[key] = end
    return [Extent(name, start, end) for (name, start), end in sorted(widest.items(), key=lambda item: item[0][1])]


def block_of(name: str) -> str:
    """The prefix that a variable shares with the others of its block."""
    return next((one for one in _BLOCKS if name.startswith(one)), name.split("_")[0] + "_")


def place(source: Source, name: str, known: t.Sequence[Extent]) -> int | None:
    """The start of the line before which a new variable is inserted, or None for the end of the text.

    That is below a commented-out line with the same name, else below the last variable of the same block.
    """
    twin = _commented_twin(source, name, known)
    if twin is not None:
        return source.next_line(twin)
    block = block_of(name)
    last = next((one for one in reversed(known) if one.name.startswith(block)), None)
    return None if last is None else source.next_line(max(last.end, last.start))


def _commented_twin(source: Source, name: str, known: t.Sequence[Extent]) -> int | None:
    pattern = re.compile(rf"^[ \t]*#[# \t]*(?:export[ \t]+)?{name}[ \t]*[=:]", re.MULTILINE)
    last = None
    for found in pattern.finditer(source.text):
        if not any(one.start < found.start() < one.end for one in known):
            last = found.start()
    return last
