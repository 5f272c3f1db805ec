# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How python-dotenv reads a file: podman-compose, and docker-compose v1 from 1.26 on.

Source: theskumar/python-dotenv, src/dotenv/parser.py, variables.py and main.py, 0.21.0 to 1.2.4.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .source import BYTE_ORDER_MARK, Brought, Reading, Source, Statement, Trap


@dataclasses.dataclass(frozen=True)
class Rules:
    """From 1.2.3 on escapes are read in pairs and a byte order mark is skipped; 1.2.4 reads C(K= # c) as empty."""

    paired_escapes: bool
    skips_mark: bool
    comment_after_equals: bool


GENERATIONS: dict[str, Rules] = {
    "0.21": Rules(False, False, False),
    "1.2.1": Rules(False, False, False),
    "1.2.4": Rules(True, True, True),
}

_SPACES = re.compile(r"\s*")
_BLANKS = re.compile(r"[^\S\r\n]*")
_EXPORT = re.compile(r"export[^\S\r\n]+")
_NAME = re.compile(r"'([^']+)'|(?!')([^=#\s]+)")
_COMMENT_AND_END = re.compile(r"(?:[^\S\r\n]*#[^\r\n]*)?[^\S\r\n]*(?:\r\n|\n|\r|\Z)")
_LINE = re.compile(r"[^\r\n]*")
_BARE_COMMENT = re.compile(r"(?<!\s)\s+#.*")
_QUOTED = {
    False: {"'": re.compile(r"'((?:\\'|[^'])*)'"), '"': re.compile(r'"((?:\\"|[^"])*)"')},
    True: {"'": re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL), '"': re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)},
}
_ESCAPES = {"'": re.compile(r"\\([\\'])"), '"': re.compile(r"\\([\\'\"abfnrtv])")}
_MEANING = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NAME_END = re.compile("[}:]")


class _Unreadable(Exception):
    def __init__(self, position: int, kind: str) -> None:
        super().__init__(kind)
        self.position = position
        self.kind = kind


def read(source: Source, rules: Rules, environment: t.Mapping[str, str]) -> Reading:
    """The variables that python-dotenv sees; lines that it cannot parse are skipped.

    It opens the file as text, so Python converts all line ends before the parser sees them.
    """
    unified = source.unified
    text, plain, end = unified.text, unified.plain, len(unified.text)
    statements: list[Statement] = []
    traps: list[Trap] = []
    values: dict[str, str | None] = {}
    position = 1 if rules.skips_mark and source.starts_with_mark else 0
    while position < end:
        statement = plain.get(position)
        if statement is None:
            spaces = _SPACES.match(text, position)
            position = spaces.end() if spaces else position
            statement = plain.get(position)
        if statement is not None:
            position = statement.value_end
        elif position < end and text[position] != "#":
            try:
                statement, position = _binding(text, position, rules, traps)
            except _Unreadable as unreadable:
                traps.append(Trap(unreadable.kind, position))
                position = unreadable.position
        if statement is not None:
            resolved = statement
            if statement.value is not None and "${" in statement.value:
                resolved = statement._replace(value=_resolve(statement.value, values, environment))
            values[resolved.name] = resolved.value
            statements.append(resolved)
        position = _behind_line(text, position)
    return source.of_unified(Reading(statements, traps))


def _behind_line(text: str, position: int) -> int:
    rest = _LINE.match(text, position)
    end = rest.end() if rest else position
    return end + 2 if text.startswith("\r\n", end) else end + 1


def _binding(text: str, start: int, rules: Rules, traps: list[Trap]) -> tuple[Statement, int]:
    """The statement at an offset, and the offset of the end of its last line (without the line break)."""
    export = _EXPORT.match(text, start)
    position = export.end() if export else start
    if text.startswith("#", position):  # "export # comment"
        raise _Unreadable(position, "skipped-line")
    found = _NAME.match(text, position)
    name = (found[1] or found[2]) if found else ""
    if not found or not name:
        raise _Unreadable(position, "skipped-line")
    blanks = _BLANKS.match(text, found.end())
    position = blanks.end() if blanks else found.end()
    if not text.startswith("=", position):
        statement = Statement(name, None, start, found.end(), found.end())
        _expect_end(text, position, "skipped-line")
        traps.append(Trap("lone-word", start, name.lstrip(BYTE_ORDER_MARK)))
        return statement, position
    blanks = _BLANKS.match(text, position + 1)
    value_start = blanks.end() if blanks else position + 1
    value, value_end = _value(text, value_start, rules, spaced=value_start > position + 1)
    _expect_end(text, value_end, "text-after-quote")
    return Statement(name, value, start, value_start, value_end), value_end


def _expect_end(text: str, position: int, kind: str) -> None:
    if not _COMMENT_AND_END.match(text, position):
        raise _Unreadable(position, kind)


def _value(text: str, start: int, rules: Rules, spaced: bool) -> tuple[str, int]:
    first = text[start : start + 1]
    if first == "#" and spaced and rules.comment_after_equals:
        return "", start
    if first in ("'", '"') and first:
        found = _QUOTED[rules.paired_escapes][first].match(text, start)
        if not found:
            raise _Unreadable(start, "quote-not-closed")
        return _ESCAPES[first].sub(lambda escape: _MEANING.get(escape[1], escape[1]), found[1]), found.end()
    line = _LINE.match(text, start)
    bare = _BARE_COMMENT.sub("", line[0] if line else "", count=1).rstrip()
    return bare, start + len(bare)


def _resolve(value: str, values: t.Mapping[str, str | None], environment: t.Mapping[str, str]) -> str:
    """Expand C(${NAME}) and C(${NAME:-default}); a name may be any text without a closing brace or a colon."""
    parts: list[str] = []
    brought = Brought()
    position = 0
    while True:
        start = value.find("${", position)
        name_end = _NAME_END.search(value, start + 2) if start >= 0 else None
        end = value.find("}", name_end.start()) if name_end else -1
        if name_end is None or end < 0:
            return brought.into("".join((*parts, value[position:])))
        at = name_end.start()
        if at == end or value.startswith(":-", at):
            name, default = value[start + 2 : at], value[at + 2 : end]
            known = values.get(name) or "" if name in values else environment.get(name, default)
            parts.extend((value[position:start], brought.take(known)))
            position = end + 1
        else:
            parts.append(value[position:at])
            position = at
