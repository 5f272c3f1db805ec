# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tokens of a YAML file, as libyaml finds them.

Source: scanner.c of libyaml 0.2.5. A key without a question mark is recognised only at its colon, so tokens are held
back until no key can begin before them.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .yaml_text import (
    BLANK_OR_END,
    BREAKS,
    END,
    Cursor,
    anchor,
    block,
    comment,
    directive,
    plain,
    quoted,
    syntax,
    tag,
)

#: Characters with which no token begins; | and > only inside brackets, % except at the start of a line outside them.
_NO_START = "|>%@`"


class Token(t.NamedTuple):
    """One token.

    :ivar kind: such as C([), C(key), C(block end) or C(scalar).
    :ivar text: text of a scalar, name of an anchor, alias or directive, handle of a tag.
    :ivar more: suffix of a tag, value of a directive, style of a scalar (C(plain), C(quoted)).
    """

    kind: str
    text: str = ""
    more: str = ""


@dataclasses.dataclass
class _Key:
    """The place where a key without a question mark may have begun."""

    number: int
    at: int
    line: int
    column: int
    required: bool


class Scanner:
    """Returns the tokens of a text one by one."""

    def __init__(self, text: str) -> None:
        self._cursor = Cursor(text)
        self._tokens: list[Token] = []
        self._taken = 0
        self._indent = -1
        self._indents: list[int] = []
        self._key_allowed = True
        #: One entry for the block context and one for each open bracket.
        self._keys: list[_Key | None] = [None]

    def peek(self) -> Token:
        """The next token."""
        while not self._tokens or self._key_may_begin_here():
            self._fetch()
        return self._tokens[0]

    def take(self) -> Token:
        """The next token, which is consumed."""
        token = self.peek()
        self._taken += 1
        self._tokens.pop(0)
        return token

    def _key_may_begin_here(self) -> bool:
        self._drop_stale_keys()
        return any(key and key.number == self._taken for key in self._keys)

    @property
    def _flow(self) -> bool:
        return len(self._keys) > 1

    def _add(self, kind: str, text: str = "", more: str = "") -> None:
        self._tokens.append(Token(kind, text, more))

    def _fetch(self) -> None:
        cursor = self._cursor
        self._to_next()
        self._drop_stale_keys()
        self._unroll(cursor.column)
        mark, following = cursor.peek(), cursor.peek(1)
        if mark == END:
            self._outermost("end")
        elif cursor.column == 0 and mark == "%":
            self._outermost("")
            self._add("directive", *directive(cursor))
        elif cursor.document_mark():
            self._outermost("document start" if mark == "-" else "document end")
            cursor.skip(3)
        elif mark in "[{":
            self._save_key()
            self._keys.append(None)
            self._mark(mark, True)
        elif mark in "]}":
            self._remove_key()
            if self._flow:
                self._keys.pop()
            self._mark(mark, False)
        elif mark == ",":
            self._remove_key()
            self._mark(",", True)
        elif mark == "-" and following in BLANK_OR_END:
            self._entry()
        elif mark == "?" and (self._flow or following in BLANK_OR_END):
            self._explicit("key")
        elif mark == ":" and (self._flow or following in BLANK_OR_END):
            self._value()
        else:
            self._fetch_content(mark)

    def _fetch_content(self, mark: str) -> None:
        cursor = self._cursor
        if mark in "|>" and not self._flow:
            self._remove_key()
            self._key_allowed = True
            self._add("scalar", block(cursor, self._indent), "quoted")
            return
        if mark in BLANK_OR_END + _NO_START:
            raise syntax("it begins with a character that YAML reserves (such as @ ` % |), or a tab indents a line")
        self._save_key()
        self._key_allowed = False
        if mark in "*&":
            self._add("alias" if mark == "*" else "anchor", anchor(cursor))
        elif mark == "!":
            self._add("tag", *tag(cursor, self._flow))
        elif mark in "'\"":
            self._add("scalar", quoted(cursor), "quoted")
        else:
            text, broken = plain(cursor, self._indent + 1, self._flow)
            self._key_allowed = broken
            self._add("scalar", text, "plain")

    def _to_next(self) -> None:
        cursor = self._cursor
        while True:
            if cursor.column == 0 and cursor.peek() == "\ufeff":
                cursor.skip()
            while cursor.peek() == " " or (cursor.peek() == "\t" and (self._flow or not self._key_allowed)):
                cursor.skip()
            if cursor.peek() == "#":
                comment(cursor)
            if cursor.peek() not in BREAKS:
                return
            cursor.take_break()
            self._key_allowed = self._key_allowed or not self._flow

    def _mark(self, kind: str, key_allowed: bool) -> None:
        self._key_allowed = key_allowed
        self._cursor.skip()
        self._add(kind)

    def _outermost(self, kind: str) -> None:
        self._unroll(-1)
        self._remove_key()
        self._key_allowed = False
        if kind:
            self._add(kind)

    def _entry(self) -> None:
        if not self._flow:
            if not self._key_allowed:
                raise syntax("it begins with - and a space, which starts a list where none is allowed")
            self._roll(self._cursor.column, "sequence")
        self._remove_key()
        self._mark("-", True)

    def _explicit(self, kind: str) -> None:
        if not self._flow:
            if not self._key_allowed:
                raise syntax("it contains a colon before a space or at its end, or begins with ? and a space")
            self._roll(self._cursor.column, "mapping")
        if kind == "key":
            self._remove_key()
        self._mark(kind, not self._flow)

    def _value(self) -> None:
        key = self._keys[-1]
        if key is None:
            self._explicit("value")
            return
        place = key.number - self._taken
        self._tokens.insert(place, Token("key"))
        self._roll(key.column, "mapping", place)
        self._keys[-1] = None
        self._mark("value", False)

    def _roll(self, column: int, kind: str, place: int | None = None) -> None:
        if not self._flow and self._indent < column:
            self._indents.append(self._indent)
            self._indent = column
            self._tokens.insert(len(self._tokens) if place is None else place, Token(kind))

    def _unroll(self, column: int) -> None:
        while not self._flow and self._indent > column:
            self._add("block end")
            self._indent = self._indents.pop()

    def _save_key(self) -> None:
        cursor = self._cursor
        if self._key_allowed:
            self._remove_key()
            required = not self._flow and self._indent == cursor.column
            number = self._taken + len(self._tokens)
            self._keys[-1] = _Key(number, cursor.at, cursor.line, cursor.column, required)

    def _remove_key(self) -> None:
        self._drop(len(self._keys) - 1)

    def _drop_stale_keys(self) -> None:
        cursor = self._cursor
        for level, key in enumerate(self._keys):
            if key and (key.line < cursor.line or key.at + 1024 < cursor.at):
                self._drop(level)

    def _drop(self, level: int) -> None:
        key = self._keys[level]
        if key and key.required:
            raise syntax("a further line is neither indented nor a key with a colon")
        self._keys[level] = None
