# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The characters of a YAML file, and the parts that libyaml reads in one step: scalars, anchors, tags.

Source: reader.c and scanner.c of libyaml 0.2.5, which Psych uses for config/email.yml.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from .ruby_value import YamlRefusal

BREAKS = "\r\n\x85\u2028\u2029"
END = "\0"
BLANKS = " \t"
BLANK_OR_END = BLANKS + BREAKS + END
BREAK_OR_END = BREAKS + END
_DIGITS = "0123456789"

_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TO_BREAK = re.compile(f"[^{BREAK_OR_END}]*")
_WORD = re.compile("[0-9A-Za-z_-]*")
_URI = re.compile(r"(?:[0-9A-Za-z_;/?:@&=+$.!~*'()-]|%[0-9A-Fa-f]{2})*")
_VERBATIM = re.compile(r"(?:[0-9A-Za-z_;/?:@&=+$.!~*'(),\[\]-]|%[0-9A-Fa-f]{2})*")
_PLAIN = re.compile(rf"[^:,\[\]{{}}{BLANK_OR_END}]+")
_SINGLE = re.compile(f"[^'{BLANK_OR_END}]*")
_DOUBLE = re.compile(rf'[^"\\{BLANK_OR_END}]*')


def syntax(reason: str) -> YamlRefusal:
    """The error that Psych raises for a text that libyaml cannot parse."""
    return YamlRefusal("Psych::SyntaxError", reason)


class Cursor:
    """A position in a text.

    :ivar line: counted from 0, by what libyaml treats as line ends.
    :ivar column: counted from 0.
    """

    def __init__(self, text: str) -> None:
        if _UNREADABLE.search(text):
            raise syntax("it contains a control character or another one that YAML forbids")
        self._text = text + END * 5
        self.at = self.line = self.column = 0

    def peek(self, ahead: int = 0) -> str:
        """A character, or END."""
        return self._text[self.at + ahead]

    def skip(self, count: int = 1) -> None:
        """Skip characters that are not line ends."""
        self.at += count
        self.column += count

    def run(self, pattern: t.Pattern[str]) -> str:
        """Skip everything from here on that the pattern matches; it must not match line ends."""
        found = pattern.match(self._text, self.at)
        text = found[0] if found else ""
        self.skip(len(text))
        return text

    def take_break(self) -> str:
        """Skip a line end and return it: as a line feed, except for the two Unicode separators."""
        mark = self.peek()
        self.at += 2 if mark == "\r" and self.peek(1) == "\n" else 1
        self.line += 1
        self.column = 0
        return mark if mark in "\u2028\u2029" else "\n"

    def document_mark(self) -> bool:
        """Whether a document marker (--- or ...) begins here."""
        return self.column == 0 and self._text[self.at : self.at + 3] in ("---", "...") and self.peek(3) in BLANK_OR_END


def _folded(first: str, others: str) -> str:
    """What the line ends inside a scalar are folded to."""
    return (others or " ") if first == "\n" else first + others


def comment(cursor: Cursor) -> None:
    """Skip blanks and a comment."""
    while cursor.peek() in BLANKS:
        cursor.skip()
    if cursor.peek() == "#":
        cursor.run(_TO_BREAK)


def plain(cursor: Cursor, indent: int, flow: bool) -> tuple[str, bool]:
    """An unquoted scalar, and whether it ended at a line end.

    :param indent: the smallest column at which a further line belongs to it.
    :param flow: whether it is inside brackets.
    """
    parts: list[str] = []
    pending, broken = "", False
    while not cursor.document_mark() and cursor.peek() != "#":
        while cursor.peek() not in BLANK_OR_END:
            text = cursor.run(_PLAIN)
            if not text:
                mark, following = cursor.peek(), cursor.peek(1)
                if flow and mark == ":" and following in ",?[]{}":
                    raise syntax("a colon is before a bracket or comma")
                if (mark == ":" and following in BLANK_OR_END) or (flow and mark != ":"):
                    break
                text = mark
                cursor.skip()
            parts += pending, text
            pending, broken = "", False
        if cursor.peek() not in BLANKS + BREAKS:
            break
        pending, broken = _between(cursor, broken, indent)
        if not flow and cursor.column < indent:
            break
    return "".join(parts), broken


def _between(cursor: Cursor, broken: bool, indent: int = 0) -> tuple[str, bool]:
    """The blanks and line ends between two words of a scalar: (what they become, whether there was a line end)."""
    blanks = first = others = ""
    while cursor.peek() in BLANKS + BREAKS:
        if cursor.peek() in BREAKS:
            if broken:
                others += cursor.take_break()
            else:
                blanks, first, broken = "", cursor.take_break(), True
            continue
        if broken and cursor.column < indent and cursor.peek() == "\t":
            raise syntax("a further line begins with a tab")
        blanks += "" if broken else cursor.peek()
        cursor.skip()
    return (_folded(first, others) if broken else blanks), broken


def quoted(cursor: Cursor) -> str:
    """A scalar in quotes."""
    quote = cursor.peek()
    cursor.skip()
    parts: list[str] = []
    while True:
        if cursor.document_mark() or cursor.peek() == END:
            raise syntax("a quote is not closed")
        broken = _quoted_words(cursor, quote, parts)
        if cursor.peek() == quote:
            cursor.skip()
            return "".join(parts)
        parts.append(_between(cursor, broken)[0])


def _quoted_words(cursor: Cursor, quote: str, parts: list[str]) -> bool:
    """Read up to a blank or the closing quote; return whether it ended with an escaped line end."""
    while True:
        parts.append(cursor.run(_SINGLE if quote == "'" else _DOUBLE))
        if cursor.peek() in BLANK_OR_END:
            return False
        if quote == "'" == cursor.peek(1):
            parts.append("'")
            cursor.skip(2)
        elif cursor.peek() == quote:
            return False
        elif cursor.peek(1) in BREAKS:
            cursor.skip()
            cursor.take_break()
            return True
        else:
            parts.append(_escape(cursor))


_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_ESCAPED = {mark: re.compile(f"[0-9A-Fa-f]{{{count}}}") for mark, count in (("x", 2), ("u", 4), ("U", 8))}


def _escape(cursor: Cursor) -> str:
    mark = cursor.peek(1)
    cursor.skip(2)
    if mark in _ESCAPES:
        return _ESCAPES[mark]
    digits = cursor.run(_ESCAPED[mark]) if mark in _ESCAPED else ""
    code = int(digits or "-1", 16)
    if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise syntax("an escape in double quotes is unknown")
    return chr(code)


def block(cursor: Cursor, parent: int) -> str:
    """A block scalar, which begins with | or >.

    :param parent: the indentation of the enclosing block.
    """
    literal = cursor.peek() == "|"
    cursor.skip()
    chomping, increment = _block_header(cursor)
    indent = max(parent, 0) + increment if increment else 0
    indent, blank_lines = _block_breaks(cursor, indent, parent)
    parts: list[str] = []
    line_end, was_blank = "", False
    while cursor.column == indent and cursor.peek() != END:
        is_blank = cursor.peek() in BLANKS
        if not literal and line_end == "\n" and not was_blank and not is_blank:
            line_end = "" if blank_lines else " "
        parts += line_end, blank_lines, cursor.run(_TO_BREAK)
        was_blank = is_blank
        line_end = cursor.take_break() if cursor.peek() in BREAKS else ""
        indent, blank_lines = _block_breaks(cursor, indent, parent)
    parts += "" if chomping == "-" else line_end, blank_lines if chomping == "+" else ""
    return "".join(parts)


def _block_header(cursor: Cursor) -> tuple[str, int]:
    chomping, increment = "", 0
    for _unused in range(2):
        if not chomping and cursor.peek() in "+-":
            chomping = cursor.peek()
            cursor.skip()
        elif not increment and cursor.peek() in _DIGITS:
            increment = int(cursor.peek())
            if not increment:
                raise syntax("the indentation after | or > is 0")
            cursor.skip()
    comment(cursor)
    if cursor.peek() not in BREAK_OR_END:
        raise syntax("text follows | or >, which begin a text of several lines")
    if cursor.peek() in BREAKS:
        cursor.take_break()
    return chomping, increment


def _block_breaks(cursor: Cursor, indent: int, parent: int) -> tuple[int, str]:
    """Skip empty lines. If the indentation is unknown (0), the first line with text determines it."""
    breaks, deepest = "", 0
    while True:
        while (not indent or cursor.column < indent) and cursor.peek() == " ":
            cursor.skip()
        deepest = max(deepest, cursor.column)
        if (not indent or cursor.column < indent) and cursor.peek() == "\t":
            raise syntax("a further line begins with a tab")
        if cursor.peek() not in BREAKS:
            return indent or max(deepest, parent + 1, 1), breaks
        breaks += cursor.take_break()


def anchor(cursor: Cursor) -> str:
    """The name after & or *."""
    cursor.skip()
    name = cursor.run(_WORD)
    if not name or cursor.peek() not in BLANK_OR_END + "?:,]}%@`":
        raise syntax("it begins with & or *, which YAML reserves")
    return name


def tag(cursor: Cursor, flow: bool) -> tuple[str, str]:
    """Handle and suffix of a tag; C(!<x>) has no handle."""
    if cursor.peek(1) == "<":
        cursor.skip(2)
        handle, suffix = "", _uri(cursor, _VERBATIM)
        if not suffix or cursor.peek() != ">":
            raise syntax("it begins with !, which YAML reserves")
        cursor.skip()
    else:
        handle, suffix = _tag_parts(cursor)
    if cursor.peek() not in BLANK_OR_END and not (flow and cursor.peek() == ","):
        raise syntax("it begins with !, which YAML reserves")
    return handle, suffix


def _tag_parts(cursor: Cursor) -> tuple[str, str]:
    cursor.skip()
    name = cursor.run(_WORD)
    if cursor.peek() != "!":
        suffix = name + _uri(cursor, _URI)
        return ("!", suffix) if suffix else ("", "!")
    cursor.skip()
    suffix = _uri(cursor, _URI)
    if not suffix:
        raise syntax("it begins with !, which YAML reserves")
    return f"!{name}!", suffix


def _uri(cursor: Cursor, pattern: t.Pattern[str]) -> str:
    found = cursor.run(pattern)
    octets = re.sub("%(..)", lambda one: chr(int(one[1], 16)), found)
    try:
        return octets.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise syntax("a tag contains a broken escape") from None


_DIRECTIVES = {
    "YAML": re.compile(r"[ \t]+\d{1,9}\.\d{1,9}", re.ASCII),
    "TAG": re.compile(rf"[ \t]+!(?:{_WORD.pattern}!)?[ \t]+{_VERBATIM.pattern}", re.ASCII),
}


def directive(cursor: Cursor) -> tuple[str, str]:
    """A directive line (beginning with %): its name, and its version or its handle and prefix."""
    cursor.skip()
    name = cursor.run(_WORD)
    value = cursor.run(_DIRECTIVES[name]).strip(BLANKS) if name in _DIRECTIVES else ""
    if not value or cursor.peek() not in BLANK_OR_END:
        raise syntax("a line begins with %")
    comment(cursor)
    if cursor.peek() not in BREAK_OR_END:
        raise syntax("a line begins with %")
    if cursor.peek() in BREAKS:
        cursor.take_break()
    return name, value
