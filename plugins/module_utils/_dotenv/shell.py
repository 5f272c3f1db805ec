# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a POSIX shell reads a sourced file (C(set -a; . ./.env.production)), as administrators' scripts do.

Only assignments are evaluated, with their quoting and C($NAME), C(${NAME}) and C(${NAME:-text}). Other expansions are
marked as UNKNOWABLE, and a line that is a command is a trap. Source: POSIX.1-2017, Shell Command Language, 2.2 Quoting,
2.3 Token Recognition, 2.6 Word Expansions, 2.9.1 Simple Commands.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from .source import UNKNOWABLE, Brought, Reading, Source, Statement, Trap

_SKIPPED = re.compile(r"(?:[ \t\n]|\\\n)*")
_BLANKS = re.compile(r"(?:[ \t]|\\\n)*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BARE = re.compile(r"[^\s'\"\\$`;&|<>()#~\x00]+")
_IN_DOUBLE = re.compile(r'[^"\\$`]*')
_PARAMETER = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}'\"\\$`]*))?\})")
_BACKTICKS = re.compile(r"`(?:[^`\\]|\\[\s\S])*`")
#: A token inside the braces or parentheses of an expansion; quoted and escaped ones do not count as nesting.
_INSIDE = re.compile(r"""\\[\s\S]|'[^']*'|"(?:[^"\\]|\\[\s\S])*"|\$\{|[\s\S]""")
#: Characters after which a dollar sign has a meaning; C($[) is bash's old arithmetic.
_SPECIAL = "0123456789@*#?$!-{(["
_OPERATORS = ";&|<>()"


class _Broken(Exception):
    """A syntax error for dash, which then rejects the whole file."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def read(source: Source, environment: t.Mapping[str, str]) -> Reading:
    """The variables that the shell has after sourcing the file."""
    return _Shell(source, environment).read()


class _Shell:
    def __init__(self, source: Source, environment: t.Mapping[str, str]) -> None:
        self.source = source
        self.text = source.text
        self.environment = environment
        self.values: dict[str, str] = {}
        self.brought = Brought()  # by all references of the file
        self.statements: list[Statement] = []
        #: Assigned earlier on the same line; already visible in some shells (bash), not yet in others (dash).
        self.pending: list[Statement] = []
        self.traps: list[Trap] = []

    def read(self) -> Reading:
        text, plain, end = self.text, self.source.plain, len(self.text)
        position = 0
        while True:
            harmless = plain.get(position)
            if harmless is None:
                skipped = _SKIPPED.match(text, position)
                position = skipped.end() if skipped else position
                harmless = plain.get(position)
            if harmless is not None:
                self.values[harmless.name] = harmless.value or ""
                self.statements.append(harmless)
                position = harmless.value_end
            elif position >= end:
                return Reading(self.statements, self.traps)
            elif text[position] == "#":
                position = self.line_end(position)
            else:
                try:
                    position = self.line(position)
                except _Broken as broken:
                    trap = Trap(broken.kind, position)
                    return Reading(self.statements, [*self.traps, trap], trap)

    def line_end(self, position: int) -> int:
        feed = self.text.find("\n", position)
        return len(self.text) if feed < 0 else feed

    def line(self, start: int) -> int:
        """Read one simple command: only assignments, C(export) with assignments, or a command that runs."""
        text = self.text
        position = start
        pending = self.pending = []
        exporting = False
        while True:
            blanks = _BLANKS.match(text, position)
            position = blanks.end() if blanks else position
            char = text[position : position + 1]
            if char in ("", "\n", "#"):
                break
            if char in _OPERATORS:
                return self.operator(start, position, pending)
            found = _ASSIGNMENT.match(text, position)
            if found:
                value, behind = self.word(found.end(), in_assignment=True)
                begin = position if pending or not exporting else start
                pending.append(Statement(found[1], value, begin, found.end(), behind))
                position = behind
                continue
            word, behind = self.word(position, in_assignment=False)
            if word == "export" and not exporting and not pending:
                exporting = True
            elif not exporting or not _NAME.fullmatch(word):
                self.traps.append(Trap("runs-command", start))
                return self.rest_of_line(behind)
            position = behind
        for one in pending:
            self.values[one.name] = one.value or ""
        self.statements.extend(pending)
        return self.line_end(position)

    def rest_of_line(self, position: int) -> int:
        """The offset after the remaining words of a command, respecting quotes; stops at a C(;) or C(&)."""
        while True:
            blanks = _BLANKS.match(self.text, position)
            position = blanks.end() if blanks else position
            char = self.text[position : position + 1]
            if char in ("", "\n", "#"):
                return self.line_end(position)
            if char in "()":
                raise _Broken("shell-syntax")
            position = position + 1 if char in _OPERATORS else self.word(position, in_assignment=False)[1]

    def operator(self, start: int, position: int, pending: list[Statement]) -> int:
        """C(K=a;b) sets K and runs b; with any other operator K is set somewhere else or not at all."""
        char = self.text[position]
        if char in "()" or (position == start and char in ";&|"):
            raise _Broken("shell-syntax")
        self.traps.append(Trap("runs-command", start, pending[0].name if pending else ""))
        if char == ";" and not self.text.startswith(";;", position):
            for one in pending:
                self.values[one.name] = one.value or ""
            self.statements.extend(pending)
            return position + 1
        return self.rest_of_line(position + 1)

    def word(self, position: int, *, in_assignment: bool) -> tuple[str, int]:
        """The word at an offset, with its quotes removed, and the offset after it."""
        text, start = self.text, position
        parts: list[str] = []
        while position < len(text):
            char = text[position]
            if char == "'":
                close = text.find("'", position + 1)
                if close < 0:
                    raise _Broken("quote-not-closed")
                parts.append(text[position + 1 : close])
                position = close + 1
            elif char == '"':
                value, position = self.double(position + 1)
                parts.append(value)
            elif char == "\\":
                following = text[position + 1 : position + 2]
                parts.append("" if following == "\n" else (following or "\\"))
                position += 2
            elif char in "$`":
                value, position = self.expansion(position, quoted=False)
                parts.append(value)
            elif char in " \t\n" or char in _OPERATORS:
                break
            elif char == "~" and in_assignment and (position == start or text[position - 1] == ":"):
                parts.append(UNKNOWABLE + "~")
                position += 1
            else:
                bare = _BARE.match(text, position)
                parts.append(bare[0] if bare else char)
                position = bare.end() if bare else position + 1
        return "".join(parts), min(position, len(text))

    def double(self, position: int) -> tuple[str, int]:
        text = self.text
        parts: list[str] = []
        while True:
            found = _IN_DOUBLE.match(text, position)
            parts.append(found[0] if found else "")
            position = found.end() if found else position
            char = text[position : position + 1]
            if char == '"':
                return "".join(parts), position + 1
            if char == "":
                raise _Broken("quote-not-closed")
            if char == "\\":
                following = text[position + 1 : position + 2]
                parts.append(following if following in '$`"\\' else "" if following == "\n" else char + following)
                position += 2
            else:
                value, position = self.expansion(position, quoted=True)
                parts.append(value)

    def expansion(self, position: int, *, quoted: bool) -> tuple[str, int]:
        text = self.text
        found = _PARAMETER.match(text, position)
        if found:
            name = found[1] or found[2]
            goes_on = found[1] and text.startswith("\\\n", found.end())  # the name continues on the next line
            if name == "_" or goes_on or any(one.name == name for one in self.pending):
                return UNKNOWABLE + found[0], found.end()
            value = self.values.get(name, self.environment.get(name, ""))
            if found[3] is not None and not value:
                value = found[3]
            value = self.brought.take(value)
            return UNKNOWABLE + found[0] if self.brought.too_much else value, found.end()
        if text[position] == "`":
            command = _BACKTICKS.match(text, position)
            if not command:
                raise _Broken("quote-not-closed")
            return UNKNOWABLE + command[0], command.end()
        following = text[position + 1 : position + 2]
        if text.startswith("\\\n", position + 1):  # the name may continue on the next line
            return UNKNOWABLE + "$", position + 3
        if following and (following in _SPECIAL or (not quoted and following in "'\"")):
            return UNKNOWABLE + "$", self.behind_special(position + 1)
        return "$", position + 1

    def behind_special(self, position: int) -> int:
        """The offset after C($(...)), C(${...}) or a one-character parameter."""
        pair = {"(": ")", "{": "}", "[": "]"}.get(self.text[position])
        if pair is None:
            return position if self.text[position] in "'\"" else position + 1
        opening, depth = self.text[position].replace("{", "${"), 0
        for found in _INSIDE.finditer(self.text, position - 1):
            depth += (found[0] == opening) - (found[0] == pair)
            if not depth and found.end() > position:
                return found.end()
        raise _Broken("quote-not-closed")
