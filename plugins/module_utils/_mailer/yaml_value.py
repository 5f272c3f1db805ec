# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values that Ruby reads from a YAML file: C(0123) is the number 83 and C(yes) is true.

Mastodon 4.4.0 and later put the mail variables into config/email.yml, most of them unquoted (mastodon#35305), so that
their text is read as YAML 1.1. Source: psych/scalar_scanner.rb and psych/visitors/to_ruby.rb of Psych 5.2 to 5.4, which
come with the Ruby versions of those releases (3.4, 4.0).
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import binascii
import datetime
import math
import re
import typing as t

from .ruby_value import Json, Odd, Symbol, YamlRefusal, plain_value
from .yaml_node import Node, Parser


def load(text: str) -> t.Any:
    """The whole file as Psych reads it: dictionaries, lists and values.

    :param text: begins with a key in its first column.
    :raises YamlRefusal: it cannot be read.
    """
    return _Visitor().value(Parser(text).document())


def bare_value(text: str) -> Json:
    """The value that Ruby sees for C(key: text) in a mapping, ignoring other effects of the text on that mapping.

    :raises YamlRefusal: the file cannot be read at all.
    """
    found = load(f"production:\n  smtp_settings:\n    domain: {text}\n    authentication: plain\n")
    for key in ("production", "smtp_settings", "domain"):
        found = found.get(key) if isinstance(found, dict) else None
    return plain_value(found)


class _Visitor:
    """Converts nodes to values, and remembers those with an anchor."""

    def __init__(self) -> None:
        self._anchors: dict[str, t.Any] = {}

    def value(self, node: Node) -> t.Any:
        if node.kind == "alias":
            if node.text not in self._anchors:
                reason = "it begins with an asterisk, which makes it a reference to a value that does not exist"
                raise YamlRefusal("Psych::AnchorNotDefined", reason)
            return self._anchors[node.text]
        if node.kind == "scalar":
            return self._keep(node, _scalar(node))
        if node.tag in ("!ruby/object", "!ruby/object:Object"):
            return self._keep(node, Odd("Object"))
        if node.tag.startswith("!ruby/"):
            raise YamlRefusal("ArgumentError", "it begins with the name of a Ruby class")
        return self._sequence(node) if node.kind == "sequence" else self._mapping(node)

    def _keep(self, node: Node, value: t.Any) -> t.Any:
        if node.anchor:
            self._anchors[node.anchor] = value
        return value

    def _sequence(self, node: Node) -> list[t.Any]:
        values: list[t.Any] = self._keep(node, [])
        values += [self.value(child) for child in node.children]
        return values

    def _mapping(self, node: Node) -> dict[t.Any, t.Any]:
        pairs: dict[t.Any, t.Any] = self._keep(node, {})
        for key_node, value_node in zip(node.children[::2], node.children[1::2]):
            key, value = self.value(key_node), self.value(value_node)
            merged = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
            if key == "<<" and merged and all(isinstance(one, dict) for one in merged):
                for one in reversed(merged):
                    pairs.update(one)
            else:
                pairs[repr(key) if isinstance(key, (dict, list)) else key] = value
        return pairs


_TEXT_TAG = re.compile(r"!(?:str|ruby/string)|tag:yaml\.org,2002:str")
_BINARY_TAGS = ("!binary", "tag:yaml.org,2002:binary")
_FLOAT_TAGS = ("!float", "tag:yaml.org,2002:float")


def _scalar(node: Node) -> Json:
    if not node.typed or _TEXT_TAG.fullmatch(node.tag):
        return node.text
    if node.tag in _BINARY_TAGS:
        return _binary(node.text)
    if node.tag in _FLOAT_TAGS:
        return _as_float(typed(node.text))
    if re.match(r"!ruby/sym(?:bol)?:?", node.tag):
        return Symbol(node.text)
    if re.match(r"!(?:str|ruby/\w+):", node.tag):
        raise YamlRefusal("ArgumentError", "it begins with the name of a Ruby class")
    if node.tag.startswith("!ruby/"):
        return Odd(f"tagged {node.tag}")
    return typed(node.text)


def _binary(text: str) -> Json:
    letters = re.sub("[^A-Za-z0-9+/]", "", text.partition("=")[0])
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(letters + "=" * (-len(letters) % 4)).decode("utf-8", "replace")


def _as_float(value: Json) -> Json:
    if isinstance(value, bool) or value is None or isinstance(value, (Odd, Symbol)):
        raise YamlRefusal("TypeError", "it is tagged as a number but is not one")
    return _ruby_float(str(value))


def _ruby_float(text: str) -> Json:
    if not re.fullmatch(r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", text):
        raise YamlRefusal("ArgumentError", "it looks like a number but is not one")
    number = float(text)
    return number if math.isfinite(number) else Odd("Float")


_WHOLE = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*")
_DECIMAL = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*(?:\.[0-9]+(?:_[0-9]+)*)?")


def _leading(text: str, number: re.Pattern[str]) -> str:
    """What Ruby's to_i and to_f read: the number at the start of a text, without underscores between digits."""
    found = number.match(text)
    return found[0].replace("_", "") if found else "0"


def _sexagesimal(text: str) -> Json:
    # Psych multiplies from the left by powers of 60, so 12:30 is 12 hours and 30 minutes in seconds.
    parts = [int(_leading(part, _WHOLE)) for part in text.split(":")]
    return sum(part * (3600, 60, 1)[place] for place, part in enumerate(parts))


def _sexagesimal_float(text: str) -> Json:
    parts = [float(_leading(part, _DECIMAL)) for part in text.split(":")]
    return sum(part * (3600, 60, 1)[place] for place, part in enumerate(parts))


def _integer(text: str) -> Json:
    # Like Ruby's Integer() once commas and underscores are removed: a leading zero means octal.
    text = text.replace(",", "").replace("_", "")
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    if re.fullmatch(r"0[0-7]+", digits):
        digits = "0o" + digits[1:]
    return int(sign + digits, 0)


def _float(text: str) -> Json:
    if re.fullmatch(r"[-+]?\.", text):
        return text
    return _ruby_float(re.sub(r"\.([Ee]|$)", r"\1", text.replace(",", "").replace("_", "")))


def _date(text: str) -> Json:
    year, month, day = (int(part) for part in text.split("-"))
    try:
        datetime.date(year or 2000, month, day)  # Ruby has a year 0, which is a leap year like 2000
    except ValueError:
        return text
    return Odd("Date")


def _time(text: str) -> Json:
    numbers = [int(part) for part in re.findall(r"[0-9]+", text)[1:6]]
    limits = ((1, 12), (1, 31), (0, 24), (0, 59), (0, 60))
    fits = all(low <= number <= high for number, (low, high) in zip(numbers, limits))
    return Odd("Time") if fits and (numbers[2] < 24 or numbers[3:] == [0, 0]) else text


def _symbol(text: str) -> Json:
    quoted = re.match(r":([\"'])(.*)\1", text)
    return Symbol(re.sub("^:", "", quoted[2]) if quoted else text[1:])


_TIME = (
    r"-?[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t\f\v]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:[ \t\f\v]*(?:Z|[-+][0-9]{1,2}:?(?:[0-9]{2})?))?"
)

#: How Psych types a plain scalar that does not begin like a word: the first pattern that matches the whole text wins.
_TYPES: tuple[tuple[t.Pattern[str], t.Callable[[str], Json]], ...] = (
    (re.compile(_TIME), _time),
    (re.compile(r"[0-9]{4}-(?:1[012]|0[0-9]|[0-9])-(?:[12][0-9]|3[01]|0[0-9]|[0-9])"), _date),
    (re.compile(r"[-+]?\.inf", re.IGNORECASE), lambda _unused: Odd("Float")),
    (re.compile(r"\.nan", re.IGNORECASE), lambda _unused: Odd("Float")),
    (re.compile(r":.+"), _symbol),
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}"), _sexagesimal),
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\.[0-9_]*"), _sexagesimal_float),
    (re.compile(r"[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][-+][0-9]+)?"), _float),
    (
        re.compile(
            r"[-+]?0b[_,]*[01][01_,]*|[-+]?0[_,]*[0-7][0-7_,]*|[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)"
            r"|[-+]?0x[_,]*[0-9a-fA-F][0-9a-fA-F_,]*"
        ),
        _integer,
    ),
)

_LIKE_A_WORD = re.compile(r"^[^0-9.:\-]?(?:[^\W\d]|[ \t\n\r\f\v!@#$%^&*(){}<>|/\\~;=])", re.MULTILINE)
#: In order. Ruby's ^ and $ match at every line, so any line of a text may decide.
_WORDS: tuple[tuple[t.Pattern[str], bool | None], ...] = (
    (re.compile(r"\A~\Z|^null$", re.MULTILINE | re.IGNORECASE), None),
    (re.compile(r"^(?:yes|true|on)$", re.MULTILINE | re.IGNORECASE), True),
    (re.compile("^(?:no|false|off|o\ufb00)$", re.MULTILINE | re.IGNORECASE), False),
)
_NO_SUCH_WORD = re.compile(r"^[^ytonf~]", re.MULTILINE | re.IGNORECASE)


#: Numbers with more characters are not computed: that takes long, and newer Python versions refuse.
_DIGITS = 1000


def typed(text: str) -> Json:
    """The value of a plain scalar: nil, truth values, numbers, dates and symbols as Psych recognises them."""
    if not text:
        return None
    if _LIKE_A_WORD.search(text) or "\n" in text:
        if len(text) > 5 or _NO_SUCH_WORD.search(text):
            return text
        return next((value for pattern, value in _WORDS if pattern.search(text)), text)
    for pattern, convert in _TYPES:
        if pattern.fullmatch(text):
            return convert(text) if convert is _symbol or len(text) <= _DIGITS else Odd("very long number")
    return text
