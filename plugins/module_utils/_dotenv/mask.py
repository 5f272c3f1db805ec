# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A diff of variables by name that contains no secrets, neither given ones nor those of the file."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from .._masking import SECRET_NAME
from .dialects import Generation
from .rewrite import Change
from .source import Source

#: A URL that contains a login.
_LOGIN_IN_ADDRESS = re.compile(r"://[^/\s]*@")

HIDDEN = "(hidden)"


def diff(
    before: Source,
    after: Source,
    changes: t.Sequence[Change],
    secret_values: t.Mapping[str, str],
    reader: Generation,
) -> tuple[str, str]:
    """The changed variables before and after, one line each as written in the file, with secrets hidden.

    :param secret_values: the given secrets, by name; such a value is hidden wherever it occurs.
    :param reader: the reader that determines which lines belong to a variable.
    """
    old, new = _written(before, reader), _written(after, reader)
    shown_before: list[str] = []
    shown_after: list[str] = []
    for change in changes:
        pair = [one for one in (old.get(change.name), new.get(change.name)) if one is not None]
        secret = _is_secret(change.name, pair, secret_values)
        if change.name in old or change.what in ("changed", "requoted", "removed"):
            shown_before.append(f"{change.name}={HIDDEN if secret else old.get(change.name, '')}")
        if change.what != "removed":
            shown_after.append(f"{change.name}={f'(hidden, {change.what})' if secret else new.get(change.name, '')}")
    return _lines(shown_before), _lines(shown_after)


def _written(source: Source, reader: Generation) -> dict[str, str]:
    reading = reader.read(source, {})
    return {name: source.text[one.value_start : one.value_end] for name, one in reading.last().items()}


def _is_secret(name: str, written: t.Sequence[str], secret_values: t.Mapping[str, str]) -> bool:
    if name in secret_values or SECRET_NAME.search(name):
        return True
    return any(
        _LOGIN_IN_ADDRESS.search(one) or any(value and value in one for value in secret_values.values())
        for one in written
    )


def _lines(lines: t.Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
