# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of an environment file, and its plain lines, which make all reader models fast.

An environment file of thousands of lines mostly has lines like C(NAME=plain). All readers agree about them, so they are
recognised once, by one regular expression, and shared. A model uses them only where it is at the beginning of a
statement, so text inside a quoted value is never mistaken for a line.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import bisect
import re
import typing as t

BYTE_ORDER_MARK = "\ufeff"

#: Characters without special meaning to any reader, which never need quotes.
HARMLESS = r"A-Za-z0-9_./:@%+,=^-"

#: White space in Go (unicode.IsSpace), in which Compose, docker and podman are written.
GO_SPACE = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

_PLAIN_LINE = re.compile(rf"^([A-Za-z_][A-Za-z0-9_]*)=([{HARMLESS}]+)$", re.MULTILINE)

#: Placeholder in a value for what no model can know (the output of a command, a process id). Files cannot contain NUL.
UNKNOWABLE = "\0"


#: Characters that references may add to one value: a few lines could otherwise need more than all memory. Linux accepts
#: no longer variable (MAX_ARG_STRLEN, execve(2)).
LONGEST = 131_072


class Brought:
    """Counts the characters that references have added so far."""

    def __init__(self) -> None:
        self._room = LONGEST

    def take(self, text: str) -> str:
        """The text; empty if it would exceed the limit."""
        self._room -= len(text)
        return text if self._room >= 0 else ""

    def into(self, value: str) -> str:
        """The value if all references fit into it; UNKNOWABLE if they were too long."""
        return UNKNOWABLE if self.too_much else value

    @property
    def too_much(self) -> bool:
        """Whether the limit was exceeded."""
        return self._room < 0


class Statement(t.NamedTuple):
    """One assignment as one reader sees it; the positions are offsets into the text.

    C(value) is None where the reader takes the variable from elsewhere (a lone word).
    C(start) is where the statement begins (C(export) or the name). C(value_start) and C(value_end) enclose the value as
    written, with quotes, but without the blanks around it.
    """

    name: str
    value: str | None
    start: int
    value_start: int
    value_end: int


class Trap(t.NamedTuple):
    """Something that a reader reads differently from what it looks like; C(kind) is a row of the table in traps.py."""

    kind: str
    position: int
    name: str = ""


class Reading:
    """What one generation of one reader sees in a file.

    :ivar statements: the assignments, in order.
    :ivar refusal: why the reader rejects the whole file, or None.
    :ivar traps: what a person would not expect.
    """

    def __init__(self, statements: list[Statement], traps: t.Sequence[Trap] = (), refusal: Trap | None = None) -> None:
        self.statements = statements
        self.traps = list(traps)
        self.refusal = refusal
        self._last: dict[str, Statement] | None = None

    def values(self) -> dict[str, str | None]:
        """Name -> value, the last assignment winning, as in every reader."""
        return {name: one.value for name, one in self.last().items()}

    def value(self, name: str) -> str | None:
        """The final value of a variable; None also if there is no such variable."""
        found = self.last().get(name)
        return found.value if found else None

    def last(self) -> dict[str, Statement]:
        """Name -> the statement that wins."""
        if self._last is None:
            self._last = {one.name: one for one in self.statements}
        return self._last


class Source:
    """A text with its shared analysis. C(unified) is the same text with all line ends converted to line feeds."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts_with_mark = text.startswith(BYTE_ORDER_MARK)
        #: Cache for what the generations of a reader share.
        self.shared: dict[str, t.Any] = {}
        self._plain: dict[int, Statement] | None = None
        self._line_starts: list[int] | None = None
        self._unified: Source | None = None
        self._collapsed: list[int] = []

    @property
    def plain(self) -> dict[int, Statement]:
        """Start of a line -> its statement, for the plain lines that all readers read the same way."""
        if self._plain is None:
            self._plain = {
                found.start(): Statement(found[1], found[2], found.start(), found.start(2), found.end(2))
                for found in _PLAIN_LINE.finditer(self.text)
            }
        return self._plain

    @property
    def unified(self) -> Source:
        """The text with line ends converted, as the Ruby gem and npm dotenv do before parsing."""
        if "\r" not in self.text:
            return self
        if self._unified is None:
            for dropped, found in enumerate(re.finditer("\r\n", self.text)):
                self._collapsed.append(found.start() - dropped)
            self._unified = Source(self.text.replace("\r\n", "\n").replace("\r", "\n"))
        return self._unified

    def original(self, statements: list[Statement]) -> list[Statement]:
        """Statements of the unified text with positions in this text."""
        if not self._collapsed:
            return statements
        return [
            one._replace(
                start=self.position(one.start),
                value_start=self.position(one.value_start),
                value_end=self.position(one.value_end),
            )
            for one in statements
        ]

    def of_unified(self, reading: Reading) -> Reading:
        """A reading of the unified text with positions in this text."""
        if self.unified is self:
            return reading
        traps = [one._replace(position=self.position(one.position)) for one in reading.traps]
        refusal = reading.refusal and reading.refusal._replace(position=self.position(reading.refusal.position))
        return Reading(self.original(reading.statements), traps, refusal)

    def position(self, unified: int) -> int:
        """An offset of the unified text as an offset of this text."""
        return unified + bisect.bisect_left(self._collapsed, unified)

    def line(self, position: int) -> int:
        """The number, from 1, of the line at an offset."""
        if self._line_starts is None:
            self._line_starts = [found.end() for found in re.finditer(r"\r\n|\n|\r", self.text)]
        return bisect.bisect_right(self._line_starts, position) + 1

    def line_end(self, position: int) -> int:
        """The offset of the line break that ends the line at an offset, or the end of the text."""
        feed = self.text.find("\n", position)
        end = len(self.text) if feed < 0 else feed
        back = self.text.find("\r", position, end)
        return end if back < 0 else back

    def line_start(self, position: int) -> int:
        """The offset of the first character of the line at an offset."""
        return max(self.text.rfind("\n", 0, position), self.text.rfind("\r", 0, position)) + 1

    def next_line(self, position: int) -> int:
        """The offset of the line after the one at an offset, or the end of the text."""
        end = self.line_end(position)
        return end + 2 if self.text.startswith("\r\n", end) else min(end + 1, len(self.text))
