# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How npm dotenv (15 and later) reads a file: Mastodon's streaming server loads .env.production with it.

It expands only the escapes backslash-n and backslash-r in double quotes, accepts the backtick as a third quote, and
does not interpolate. Source: motdotla/dotenv, lib/main.js; white space is ECMAScript's.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re

from .source import Reading, Source, Statement, Trap

_SPACES = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_STRIPPED = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_S = f"[{_SPACES}]"
_ENDS = r"(?=[\n\r\u2028\u2029]|\Z)"
_STATEMENT = re.compile(
    rf"(?:export{_S}+)?([\w.-]+)({_S}*={_S}*?|:{_S}+?)"
    rf"({_S}*'(?:\\'|[^'])*'|{_S}*\"(?:\\\"|[^\"])*\"|{_S}*`(?:\\`|[^`])*`|[^#\r\n]+)?"
    rf"{_S}*(?:#[^\n\r\u2028\u2029]*)?{_ENDS}",
    re.ASCII,
)
_BLANKS = re.compile(f"{_S}*")
_LINE_BREAK = re.compile("[\n\u2028\u2029]")
_QUOTED = re.compile(rf"(?:^|(?<=[\n\r\u2028\u2029]))(['\"`])([\s\S]*)\1{_ENDS}")


def read(source: Source) -> Reading:
    """The variables that npm dotenv sees. Positions are those of the original text."""
    unified = source.unified
    text, plain = unified.text, unified.plain
    statements: list[Statement] = []
    traps: list[Trap] = []
    position, end = 0, len(text)
    while position < end:
        harmless = plain.get(position)
        if harmless is None:
            blanks = _BLANKS.match(text, position)
            position = blanks.end() if blanks else position
            harmless = plain.get(position)
        if harmless is not None:
            statements.append(harmless)
            position = harmless.value_end + 1
            continue
        if position >= end:
            break
        found = None if text[position] == "#" else _STATEMENT.match(text, position)
        if found:
            statements.append(_statement(found, traps))
            position = found.end()
        following = _LINE_BREAK.search(text, position)
        position = following.end() if following else end
    return source.of_unified(Reading(statements, traps))


def _statement(found: re.Match[str], traps: list[Trap]) -> Statement:
    name, raw = found[1], found[3] or ""
    value = raw.strip(_STRIPPED)
    value_start = value_end = found.end(2)
    if value:
        value_start = found.start(3) + raw.index(value[0])
        value_end = value_start + len(value)
        value = _unquoted(value, traps, Trap("text-after-quote", found.start(), name))
    return Statement(name, value, found.start(), value_start, value_end)


def _unquoted(value: str, traps: list[Trap], odd: Trap) -> str:
    first = value[0]
    if first in "'\"`" and (len(value) == 1 or value[-1] != first):  # a quote between two others is read as it looks
        traps.append(odd._replace(kind="quote-not-closed") if value.count(first) == 1 else odd)
    # Not only at the start of the value: quotes after a Unicode line separator are removed as well.
    value = _QUOTED.sub(lambda found: found[2], value)
    if first == '"':
        value = value.replace(r"\n", "\n").replace(r"\r", "\r")
    return value
