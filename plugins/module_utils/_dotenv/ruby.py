# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the Ruby gem dotenv reads a file: Mastodon itself on a source install.

Each release of Mastodon locks one version in its Gemfile.lock: 3.5 has 2.7.6, 4.0 to 4.2 have 2.8.1, 4.3 has 3.1.4,
4.4 and 4.5 have 3.1.8, 4.6 has 3.2.0. Debian's packages have 2.4.

From 2.7 on the gem matches one regular expression over the whole text, so blanks (including line ends) may separate the
parts of a statement. If the match fails with a quoted value, it falls back to a bare value that takes the rest of the
line.
Source: bkeepers/dotenv, lib/dotenv/parser.rb and lib/dotenv/substitutions/ at those versions.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .source import UNKNOWABLE, Brought, Reading, Source, Statement, Trap


@dataclasses.dataclass(frozen=True)
class Rules:
    """The differences between the generations of the gem."""

    whole_text: bool = True
    lone_words: bool = False  # a word without a separator is an empty variable
    bare_backslash_goes: bool = True
    line_breaks: bool = False  # backslash-n in double quotes is a line break
    commands_first: bool = False  # if false, $(...) that comes from a variable's value is run, too


GENERATIONS: dict[str, Rules] = {
    "2.4": Rules(whole_text=False, bare_backslash_goes=False, line_breaks=True),
    "2.7": Rules(bare_backslash_goes=False, line_breaks=True),
    "2.8": Rules(line_breaks=True),
    "3.0-3.1.4": Rules(),
    "3.1.5-3.1.8": Rules(lone_words=True),
    "3.2": Rules(lone_words=True, commands_first=True),
}

#: Generation -> its first version, and the first one after it. Versions in no row were not read.
_VERSIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "2.4": ((2, 4), (2, 5)),
    "2.7": ((2, 7), (2, 8)),
    "2.8": ((2, 8), (2, 9)),
    "3.0-3.1.4": ((3, 0), (3, 1, 5)),
    "3.1.5-3.1.8": ((3, 1, 5), (3, 1, 9)),
    "3.2": ((3, 2), (3, 3)),
}
#: The gem's line in a Gemfile.lock (four blanks; what others require of it has six).
_LOCKED = re.compile(r"^ {4}dotenv \((\d{1,4}(?:\.\d{1,4}){1,3})\)\r?$", re.MULTILINE)

_VALUE = r"""\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|[^#\n]+"""
_REST = r"\s*(?:#.*)?$"
_NEEDS_SEPARATOR = re.compile(rf"(export\s+)?([\w.]+)(\s*=\s*?|:\s+?)({_VALUE})?{_REST}", re.ASCII | re.MULTILINE)
_LONE_WORD_TOO = re.compile(rf"(export\s+)?([\w.]+)(?:(\s*=\s*?|:\s+?)({_VALUE})?)?{_REST}", re.ASCII | re.MULTILINE)
#: 2.4 reads each line separately, and a quoted string extends to the last matching quote.
_ONE_LINE = re.compile(r"""\s*(export\s+)?([\w.]+)(\s*=\s*|:\s+?)('.*'|".*"|[^#\n]+)?\s*(?:#.*)?""", re.ASCII)
_LINES = re.compile(r"[^\n\r]+")
_BLANKS = re.compile(r"\s*", re.ASCII)
_STRIPPED = " \t\n\v\f\r\0"

_VARIABLE = re.compile(r"(\\)?\$(?!\()\{?([A-Z0-9_]+)?\}?", re.IGNORECASE | re.ASCII)
_ESCAPED = re.compile(r"\\([^$])")
_WITH_DEFAULT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:?[-+?=]")


def locked(gemfile_lock: str) -> str | None:
    """The generation that a Gemfile.lock names; None if it names none, or one that was not read."""
    found = _LOCKED.search(gemfile_lock)
    version = tuple(map(int, found[1].split("."))) if found else ()
    return next((name for name, (first, after) in _VERSIONS.items() if first <= version < after), None)


class _Match(t.NamedTuple):
    exported: bool
    separated: bool
    raw: str | None
    statement: Statement


def read(source: Source, rules: Rules, environment: t.Mapping[str, str]) -> Reading:
    """The variables that a generation of the gem sees. Positions are those of the original text."""
    if rules.whole_text:
        unified = source.unified
        matches, others = _shared_scan(unified, rules.lone_words)
        return source.of_unified(_interpret(unified, matches, others, rules, environment))
    return _interpret(source, *_scan_lines(source), rules, environment)


def _shared_scan(source: Source, lone_words: bool) -> tuple[list[_Match], list[int]]:
    key = f"ruby scan {lone_words}"
    if key not in source.shared:
        source.shared[key] = _scan_text(source, _LONE_WORD_TOO if lone_words else _NEEDS_SEPARATOR)
    found: tuple[list[_Match], list[int]] = source.shared[key]
    return found


def _scan_text(source: Source, pattern: re.Pattern[str]) -> tuple[list[_Match], list[int]]:
    """The matches of the gem's expression, and the starts of the lines that it does not match.

    Every attempt begins at the start of a line and first takes all blanks. If it fails after them, it also fails from
    every line in between, so the next attempt skips those. That makes this linear, unlike the expression itself.
    """
    text, plain = source.text, source.plain
    matches: list[_Match] = []
    others: list[int] = []
    position, end = (1 if source.starts_with_mark else 0), len(text)
    while position < end:
        harmless = plain.get(position)
        if harmless is None:
            blanks = _BLANKS.match(text, position)
            position = blanks.end() if blanks else position
            harmless = plain.get(position)
        if harmless is not None:
            matches.append(_Match(False, True, None, harmless))
            position = harmless.value_end + 1
            continue
        if position >= end:
            break
        found = None if text[position] == "#" else pattern.match(text, position)
        if found:
            matches.append(_match(found))
            position = found.end()
        elif text[position] != "#":
            others.append(position)
        feed = text.find("\n", position)
        position = end if feed < 0 else feed + 1
    return matches, others


def _scan_lines(source: Source) -> tuple[list[_Match], list[int]]:
    plain = source.plain
    matches: list[_Match] = []
    others: list[int] = []
    for line in _LINES.finditer(source.text):
        start = line.start() + (1 if line.start() == 0 and source.starts_with_mark else 0)
        harmless = plain.get(start)
        if harmless is not None:
            matches.append(_Match(False, True, None, harmless))
            continue
        found = _ONE_LINE.fullmatch(source.text, start, line.end())
        if found:
            matches.append(_match(found))
        elif not line[0].lstrip(_STRIPPED).startswith("#"):
            others.append(start)
    return matches, others


def _match(found: re.Match[str]) -> _Match:
    exported, name, separator, raw = found.groups()
    after = found.end(3) if separator is not None else found.end(2)
    value_start = value_end = after
    if raw is not None:
        stripped = raw.strip(_STRIPPED)
        if stripped:
            value_start = found.start(4) + raw.index(stripped[0])
            value_end = value_start + len(stripped)
    start = found.start(1) if exported else found.start(2)
    statement = Statement(name, None, start, value_start, value_end)
    return _Match(bool(exported), separator is not None, raw, statement)


def _interpret(
    source: Source,
    matches: list[_Match],
    others: list[int],
    rules: Rules,
    environment: t.Mapping[str, str],
) -> Reading:
    values: dict[str, str] = {}
    statements: list[Statement] = []
    traps: list[Trap] = []
    refusal: Trap | None = None
    for exported, separated, raw, statement in matches:
        name, value = statement.name, statement.value
        if value is None:
            start = statement.start
            if rules.lone_words and exported and raw is None:
                if name not in values:
                    traps.append(Trap("export-without-value", start, name))
                    refusal = refusal or Trap("export-without-value", start, name)
                continue
            if not separated:
                traps.append(Trap("lone-word", start, name))
            value = _value(raw or "", rules, values, environment, traps, start, name)
            statement = statement._replace(value=value)
        values[name] = value
        statements.append(statement)
    for position in others:
        words = source.text[position : source.line_end(position)].split()
        known = values if rules.whole_text else {one.name for one in statements if one.start < position}
        if not rules.lone_words and words and words[0] == "export" and not all(word in known for word in words[1:]):
            traps.append(Trap("export-without-value", position))
            refusal = refusal or Trap("export-without-value", position)
        elif rules.whole_text:
            traps.append(Trap("skipped-line", position))
    if not rules.whole_text:
        # 2.4 reads the lines of a quoted value one by one, so these traps are not about what the author wrote.
        traps = [one for one in traps if one.kind not in ("quote-not-closed", "text-after-quote")]
    return Reading(statements, traps, refusal)


def _value(
    raw: str,
    rules: Rules,
    values: t.Mapping[str, str],
    environment: t.Mapping[str, str],
    traps: list[Trap],
    start: int,
    name: str,
) -> str:
    text = raw.strip(_STRIPPED)
    quote = text[0] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else ""
    if quote:
        text = text[1:-1]  # whatever is in it: a quote inside is read as it looks
    elif text[:1] in ("'", '"') and text:
        traps.append(Trap("quote-not-closed" if text.count(text[0]) == 1 else "text-after-quote", start, name))
    if quote == "'":
        return text
    if quote == '"':
        text = _escapes(text, rules.line_breaks or _legacy(values, environment))
    elif rules.bare_backslash_goes:
        text = _ESCAPED.sub(r"\1", text)
    if "$" not in text:
        return text
    if _WITH_DEFAULT.search(text):
        traps.append(Trap("shell-default", start, name))
    brought = Brought()
    steps: list[t.Callable[[str], str]] = [
        lambda text: _VARIABLE.sub(lambda found: brought.take(_variable(found, values, environment)), text),
        lambda text: _commands(text, traps, Trap("command", start, name)),
    ]
    for step in reversed(steps) if rules.commands_first else steps:
        text = step(text)
    return brought.into(text)


def _legacy(values: t.Mapping[str, str], environment: t.Mapping[str, str]) -> bool:
    mode = values.get("DOTENV_LINEBREAK_MODE") or environment.get("DOTENV_LINEBREAK_MODE")
    return mode == "legacy"


def _escapes(text: str, line_breaks: bool) -> str:
    if "\\" not in text:
        return text
    for written, meant in ((r"\n", "\n"), (r"\r", "\r")):
        text = text.replace(written, meant if line_breaks else "\\" + written)
    return _ESCAPED.sub(r"\1", text)


def _variable(found: re.Match[str], values: t.Mapping[str, str], environment: t.Mapping[str, str]) -> str:
    escaped, name = found.groups()
    if escaped:
        return found[0][1:]
    if not name:
        return found[0]
    return environment[name] if name in environment else values.get(name, "")


def _commands(text: str, traps: list[Trap], trap: Trap) -> str:
    """The value with each C($(...)) that the gem would run marked as UNKNOWABLE; an escaped one loses its backslash."""
    parts: list[str] = []
    position = 0
    closing = _closing(text)
    while True:
        at = text.find("$(", position)
        if at < 0:
            return "".join((*parts, text[position:]))
        end = closing.get(at + 1)
        if end is None:
            parts.append(text[position : at + 2])
            position = at + 2
        elif at > position and text[at - 1] == "\\":
            parts.extend((text[position : at - 1], text[at:end]))
            position = end
        else:
            parts.extend((text[position:at], UNKNOWABLE, text[at:end]))
            traps.append(trap)
            position = end


def _closing(text: str) -> dict[int, int]:
    """Offset of an opening parenthesis -> offset after its closing one; without those around an empty pair."""
    found: dict[int, int] = {}
    opened: list[int] = []
    empty = -1  # where the last empty pair was opened
    for each in re.finditer(r"[()]", text):
        position = each.start()
        if each[0] == "(":
            opened.append(position)
        elif opened:
            start = opened.pop()
            if start == position - 1:
                empty = start
            elif empty < start:
                found[start] = position + 1
    return found
