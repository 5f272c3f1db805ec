# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How systemd reads an C(EnvironmentFile=).

A state machine over characters: quotes may appear at the beginning of a value or after another quoted part, nothing
after a value is a comment, C($) has no meaning, and C(export) is part of the name (which is then invalid and dropped).
Source: systemd, src/basic/env-file.c (parse_env_file_internal) and load_env_file's callers.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re

from .source import Reading, Source, Statement, Trap


@dataclasses.dataclass(frozen=True)
class Rules:
    """Before 254 a comment that ends in a backslash continues on the next line (systemd NEWS, 254)."""

    comments_continue: bool


GENERATIONS: dict[str, Rules] = {"before 254": Rules(True), "254 and later": Rules(False)}

_BLANKS = " \t\n\r"
_SPACES = re.compile(r"[ \t\n\r]*")
_VALID_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[^=\n\r]*")
_COMMENT = {True: re.compile(r"(?:[^\\\n\r]|\\[\s\S])*"), False: re.compile(r"[^\n\r]*")}
_SINGLE = re.compile(r"[^']*")
_DOUBLE = re.compile(r'(?:[^"\\]|\\[\s\S])*')
_BARE = re.compile(r"(?:[^\\\n\r]|\\[\s\S])*")
_BARE_ESCAPE = re.compile(r"\\([\s\S])")
_DOUBLE_ESCAPE = re.compile(r"\\([\s\S])")


def read(source: Source, rules: Rules) -> Reading:
    """The variables that systemd sees."""
    text, plain, end = source.text, source.plain, len(source.text)
    statements: list[Statement] = []
    traps: list[Trap] = []
    position = 0
    while position < end:
        statement = plain.get(position)
        if statement is None:
            spaces = _SPACES.match(text, position)
            position = spaces.end() if spaces else position
            statement = plain.get(position)
        if statement is not None:
            statements.append(statement)
            position = statement.value_end
        elif position >= end:
            break
        elif text[position] in "#;":
            comment = _COMMENT[rules.comments_continue].match(text, position)
            behind = comment.end() if comment else position
            if "\n" in text[position:behind] or "\r" in text[position:behind]:
                traps.append(Trap("comment-continues", position))
            position = behind
        else:
            position = _assignment(text, position, statements, traps)
        position += 1
    return Reading(statements, traps)


def _assignment(text: str, start: int, statements: list[Statement], traps: list[Trap]) -> int:
    """Read one line that is neither blank nor a comment; return the offset of the line break that ends it."""
    found = _NAME.match(text, start)
    separator = found.end() if found else start
    name = text[start:separator].rstrip(_BLANKS)
    if not text.startswith("=", separator):
        traps.append(Trap("lone-word" if _VALID_NAME.fullmatch(name) else "skipped-line", start, name))
        return separator
    before = len(traps)
    value, value_start, value_end, behind = _value(text, separator + 1, Trap("", start, name), traps)
    if _VALID_NAME.fullmatch(name):
        statements.append(Statement(name, value, start, value_start, value_end))
    else:
        # systemd drops this line, so its value does not matter unless it swallows other lines.
        traps[before:] = [one for one in traps[before:] if one.position != start or one.kind == "quote-swallows"]
        traps.append(Trap("name-dropped", start))
    return behind


def _value(text: str, position: int, trap: Trap, traps: list[Trap]) -> tuple[str, int, int, int]:
    """The value, the offsets where its text starts and ends, and the offset where its last line ends."""
    parts: list[str] = []
    end = len(text)
    value_start, value_end = -1, position
    while position < end and text[position] not in "\n\r":
        char = text[position]
        if char in " \t":
            position += 1
            continue
        if value_start < 0:
            value_start = position
        elif char not in "'\"":
            traps.append(trap._replace(kind="text-after-quote"))
        if char not in "'\"":
            bare = _BARE.match(text, position)
            behind = bare.end() if bare else position
            written = text[position:behind]
            # A backslash at the very end of the file keeps the blanks before it.
            parts.append(_bare(written + ("\\\n" if text.startswith("\\", behind) else "")))
            return (
                "".join(parts),
                value_start,
                position + len(written.rstrip(_BLANKS)),
                _skip_lone_backslash(text, behind),
            )
        content = (_SINGLE if char == "'" else _DOUBLE).match(text, position + 1)
        position = content.end() if content else position
        inner = content[0] if content else ""
        parts.append(inner if char == "'" else _DOUBLE_ESCAPE.sub(_in_double, inner))
        if not text.startswith(char, position):
            traps.append(trap._replace(kind="quote-swallows"))
            return "".join(parts), value_start, end, end
        position += 1
        value_end = position
    return "".join(parts), (value_end if value_start < 0 else value_start), value_end, position


def _skip_lone_backslash(text: str, behind: int) -> int:
    return behind + 1 if text.startswith("\\", behind) else behind


def _bare(written: str) -> str:
    """The value with escapes undone and trailing blanks removed, unless those are escaped."""
    value: list[str] = []
    kept = 0
    position = 0
    while position < len(written):
        found = _BARE_ESCAPE.match(written, position)
        if found:
            if found[1] not in "\n\r":
                value.append(found[1])
            kept = len(value)
            position = found.end()
            continue
        value.append(written[position])
        if written[position] not in _BLANKS:
            kept = len(value)
        position += 1
    return "".join(value[:kept])


def _in_double(found: re.Match[str]) -> str:
    char = found[1]
    if char in '"\\`$':
        return char
    return "" if char == "\n" else "\\" + char
