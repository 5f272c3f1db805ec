# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets whose text in the file and value differ, for any reader.

A reader model says where a value is written and what it becomes. A secret seldom contains references or escapes on
purpose, so a difference that the text does not clearly ask for means that the secret was pasted without quotes.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from .._masking import SECRET_NAME
from .source import UNKNOWABLE, Reading, Source, Statement, Trap

_REFERENCE = re.compile(r"(?<![\\$])\$\{?(\w+)", re.ASCII)
#: A value that is only a reference, written as people write one on purpose.
_WHOLE = re.compile(r"\$(?:\{\w+(?::?[-+?][^}]*)?\}|[A-Z_][A-Z0-9_]*)", re.ASCII)
_QUOTES = "'\"`"


def find(source: Source, reading: Reading, known: t.Collection[str] = ()) -> list[Trap]:
    """The traps of one reading: C(value-cut), C(reference-lost), C(backslash-lost), C(quotes-lost), C(quote-closes).

    :param known: variables that the reader has from elsewhere.
    """
    found: list[Trap] = []
    told = {one.position for one in reading.traps}
    above = set(known)
    for one in reading.statements:
        # A plain line is read as written by every reader.
        if one.start not in source.plain and one.start not in told and one.value is not None:
            written = source.text[one.value_start : one.value_end]
            kind = _kind(source, one, written, above) if _secret(one.name) else _stray(written, one.value)
            if kind:
                found.append(Trap(kind, one.start, one.name))
        above.add(one.name)
    return found


def _secret(name: str) -> bool:
    return bool(SECRET_NAME.search(name)) or name.endswith("SMTP_LOGIN")


def _stray(written: str, value: str) -> str:
    """A value that is no secret and ends with a quote that nothing opens."""
    quote = written[-1:]
    stray = quote in ("'", '"') and written.count(quote) == 1 and len(written) > 1 and value.endswith(quote)
    return "quote-closes" if stray else ""


def _kind(source: Source, one: Statement, written: str, above: t.Collection[str]) -> str:
    value = one.value or ""
    quoted = len(written) > 1 and written[0] == written[-1] and written[0] in _QUOTES
    if not quoted and _is_cut(source, one):
        return "value-cut"
    body = written[1:-1] if quoted else written
    if value in (body, written) or UNKNOWABLE in value:
        return ""
    if "$" in body:
        if _WHOLE.fullmatch(body) or "://" in body:  # an address is often put together on purpose
            return ""
        lost = [name for name in _REFERENCE.findall(body) if name not in above and f"${name}" not in value]
        double = [name for name in re.findall(r"\$\$(\w+)", body, re.ASCII) if f"${name}" not in value]
        if lost or double:
            return "reference-lost"
        if _REFERENCE.search(body):
            return ""
    if "\\" in body:
        return "backslash-lost" if re.search(r"\\\w", body.replace("\\\\", "")) else ""  # a doubled one is meant as one
    # What is left are quotes; one kind around the whole value is meant as quotes.
    return "quotes-lost" if not quoted and any(quote in body for quote in _QUOTES) else ""


def _is_cut(source: Source, one: Statement) -> bool:
    """Whether the rest of the line is lost and does not look like a comment: one has a blank on both sides of its #."""
    rest = source.text[one.value_end : source.line_end(one.value_end)]
    after = rest.lstrip()
    if not after.startswith("#"):
        return False
    spaced = rest != after or not one.value
    return not (spaced and (after[1:2] in ("", "#") or after[1:2].isspace()))
