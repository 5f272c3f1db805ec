# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of mail settings as Ruby sees them, and the error when Ruby cannot read them."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

Json = t.Union[None, bool, int, float, str, list[t.Any], dict[str, t.Any]]


class Odd(str):
    """A value of another Ruby class than String, number, boolean or nil; the text names it (C(Date), C(Array))."""

    __slots__ = ()


class Symbol(str):
    """A Ruby symbol: printed like its text, but not equal to a String in Ruby."""

    __slots__ = ()


def is_text(value: Json) -> bool:
    """Whether the value is a String in Ruby."""
    return isinstance(value, str) and not isinstance(value, (Odd, Symbol))


def is_empty(value: Json) -> bool:
    """Whether the value is an empty collection."""
    return isinstance(value, Odd) and value.startswith("empty ")


def plain_value(value: t.Any) -> Json:
    """A value of the file; for a collection, only its class."""
    if isinstance(value, (dict, list)):
        return Odd(("" if value else "empty ") + ("Hash" if isinstance(value, dict) else "Array"))
    return t.cast(Json, value)


class YamlRefusal(ValueError):
    """A text that makes the whole file unreadable. The message quotes nothing of the text, which may be a password.

    :ivar error_class: the Ruby class that Psych raises.
    """

    def __init__(self, error_class: str, reason: str) -> None:
        super().__init__(reason)
        self.error_class = error_class
