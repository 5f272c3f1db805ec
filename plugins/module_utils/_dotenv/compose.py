# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Docker Compose v2 reads an C(env_file:).

Its parser (derived from godotenv) fails at the first line that it cannot parse, and then uses nothing of the file.
Source: compose-spec/compose-go, dotenv/parser.go and template/template.go.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t
import unicodedata

from .source import GO_SPACE, Brought, Reading, Source, Statement, Trap

_BLANK = "\t\v\f\r \u0085\u00a0"
_EXPORT = re.compile(r"export[\t\n\f\r ]+")
_NAME = re.compile(r"[A-Za-z0-9_.\[\]\t\v\f\r \u0085\u00a0-]*")
_SPACES = re.compile(f"[{GO_SPACE}]*")
_BLANKS = re.compile(f"[{_BLANK}]*")
_ESCAPE = re.compile(r'\\(?:[abcfnrtv$"\\]|0[0-9]{0,3})')
_NAMED_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}
_REFERENCE = re.compile(r"\$(?:(\$)|([_a-z][_a-z0-9]*)|\{)", re.IGNORECASE)
_BRACED = re.compile(r"[_a-z][_a-z0-9]*(\}|:?[-+?])", re.IGNORECASE)
_OPERATORS = (":?", "?", ":-", "-", ":+", "+")

Lookup = t.Callable[[str], t.Optional[str]]


class _Refused(Exception):
    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def read(source: Source, environment: t.Mapping[str, str]) -> Reading:
    """The variables that Compose sees, or why it rejects the file."""
    return _Parser(source, environment).read()


class _Parser:
    def __init__(self, source: Source, environment: t.Mapping[str, str]) -> None:
        self.source = source
        self.text = source.text
        self.environment = environment
        self.values: dict[str, str] = {}
        self.statements: list[Statement] = []
        self.traps: list[Trap] = []

    def lookup(self, name: str) -> str | None:
        return self.environment[name] if name in self.environment else self.values.get(name)

    def read(self) -> Reading:
        text, plain, end = self.text, self.source.plain, len(self.text)
        position = 1 if self.source.starts_with_mark else 0
        while True:
            harmless = plain.get(position)
            if harmless is None:
                spaces = _SPACES.match(text, position)
                position = spaces.end() if spaces else position
                harmless = plain.get(position)
            if harmless is not None:
                self.values[harmless.name] = harmless.value or ""
                self.statements.append(harmless)
                position = harmless.value_end
            elif position >= end:
                return Reading(self.statements, self.traps)
            elif text[position] == "#":
                feed = text.find("\n", position)
                position = end if feed < 0 else feed
            else:
                try:
                    position = self.statement(position)
                except _Refused as refused:
                    trap = Trap(refused.kind, position)
                    return Reading(self.statements, [*self.traps, trap], trap)

    def statement(self, start: int) -> int:
        """Read the statement at an offset; return the offset after it."""
        text = self.text
        export = _EXPORT.match(text, start)
        position = start
        if export:
            blanks = _BLANKS.match(text, start + len("export"))
            position = blanks.end() if blanks else position
        name, position, separator = self.name(position)
        if " " in name:
            raise _Refused("refused-line")
        if separator == "\n":
            self.traps.append(Trap("lone-word", start, name))
            if name in self.environment:
                self.values[name] = self.environment[name]
                self.statements.append(Statement(name, self.environment[name], start, position - 1, position - 1))
            return position
        blanks = _BLANKS.match(text, position)
        position = blanks.end() if blanks else position
        value, value_end, behind = self.value(position)
        self.values[name] = value
        self.statements.append(Statement(name, value, start, position, value_end))
        return behind

    def name(self, position: int) -> tuple[str, int, str]:
        """The name at an offset, the offset after its separator, and the separator (empty at the end of the text)."""
        text, start = self.text, position
        while position < len(text):
            found = _NAME.match(text, position)
            position = found.end() if found else position
            if position >= len(text):
                break
            char = text[position]
            if char in "=:\n":
                return text[start:position].rstrip(GO_SPACE), position + 1, char
            # Go's unicode.IsLetter and IsNumber
            if unicodedata.category(char)[0] not in "LN":
                raise _Refused("refused-line")
            position += 1
        # The parser falls through here: the word becomes the value of a variable without a name.
        return "", start, ""

    def value(self, start: int) -> tuple[str, int, int]:
        """The value at an offset, the offset where its text ends, and the offset from which to continue."""
        text = self.text
        quote = text[start : start + 1]
        if quote not in ("'", '"') or not quote:
            feed = text.find("\n", start)
            line_end = len(text) if feed < 0 else feed
            raw = text[start:line_end].split(" #", 1)[0].rstrip(GO_SPACE)
            return self.expand(raw), start + len(raw), min(line_end + 1, len(text))
        content: list[str] = []
        position = start + 1
        while True:
            found = re.compile(r"[^\\" + quote + "]*").match(text, position)
            content.append(found[0] if found else "")
            position = found.end() if found else position
            char = text[position : position + 1]
            if char == "":
                raise _Refused("quote-not-closed")
            if char == quote:
                break
            after = text[position + 1 : position + 2]
            content.append(after if after == quote else char + after)
            position += 2
        value = "".join(content)
        if quote == '"':
            value = self.expand(_ESCAPE.sub(_unescape, value))
        following = _BLANKS.match(text, position + 1)
        behind = text[following.end() : following.end() + 1] if following else ""
        if behind not in ("", "\n", "#"):
            self.traps.append(Trap("text-after-quote", start))
        return value, position + 1, position + 1

    def expand(self, value: str) -> str:
        try:
            brought = Brought()
            return brought.into(_expand(value, self.lookup, brought)) if "$" in value else value
        except RecursionError:  # defaults within defaults, hundreds deep
            raise _Refused("refused-template") from None


def _unescape(found: re.Match[str]) -> str:
    escape = found[0][1:]
    if escape == "$":
        return "$$"
    if escape[0] == "0":
        digits = escape[1:]
        if re.fullmatch("[0-3][0-7]{2}", digits):
            return chr(int(digits, 8))
        return "\\" + digits
    return _NAMED_ESCAPES.get(escape, found[0])


def _expand(template: str, lookup: Lookup, brought: Brought) -> str:
    parts: list[str] = []
    position = 0
    while True:
        found = _REFERENCE.search(template, position)
        if not found:
            return "".join((*parts, template[position:]))
        parts.append(template[position : found.start()])
        position = found.end()
        if found[1]:
            parts.append("$")
        elif found[2]:
            parts.append(brought.take(lookup(found[2]) or ""))
        else:
            position = _braces_end(template, position)
            parts.append(brought.take(_braced(template[found.end() : position - 1], lookup, brought)))


def _braces_end(template: str, start: int) -> int:
    """The offset after the closing brace that matches an opening one; after the line's last brace if none matches."""
    found = _BRACED.match(template, start)
    if not found:
        raise _Refused("refused-template")
    if found[1] == "}":
        return found.end()
    line_end = template.find("\n", found.end())
    last = template.rfind("}", found.end(), line_end if line_end >= 0 else len(template))
    if last < 0:
        raise _Refused("refused-template")
    closing = _closing_brace(template[start - 1 : last + 1])
    return start + closing if closing >= 0 else last + 1


def _braced(content: str, lookup: Lookup, brought: Brought) -> str:
    found = [(content.index(one), rank, one) for rank, one in enumerate(_OPERATORS) if one in content]
    if not found:
        return lookup(content) or ""
    operator = min(found)[2]
    name, operand = content.split(operator, 1)
    operand = _expand(operand, lookup, brought)
    value = lookup(name)
    present = value is not None and (value != "" or not operator.startswith(":"))
    if operator.endswith("?"):
        if not present:
            raise _Refused("refused-template")
        return value or ""
    if operator.endswith("-"):
        return (value or "") if present else operand
    return operand if present else (value or "")


def _closing_brace(text: str) -> int:
    depth, position = 0, 0
    while position < len(text):
        if text[position] == "}":
            depth -= 1
            if not depth:
                return position
        if text[position] == "{":
            depth += 1
            position += 1
        position += 1
    return -1
