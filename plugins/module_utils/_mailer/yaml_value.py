# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""What YAML makes of a bare value: C(domain: <text>) in config/email.yml.

Mastodon 4.4.0 and later put most variables into that file without quotes (mastodon#35305), so the text is read as YAML
1.1 by libyaml and typed by Psych: C(0123) is the number 83 and C(yes) is true. This is a model of exactly that: one
value in a block mapping, one line. It follows psych/scalar_scanner.rb (Ruby 3.1 to 3.4) and https://yaml.org/spec/1.1/.
"""

from __future__ import annotations

import datetime
import re
import typing as t

Json = t.Union[None, bool, int, float, str, list[t.Any], dict[str, t.Any]]


class YamlRefusal(ValueError):
    """The text makes the whole file unreadable.

    :ivar error_class: the Ruby class that Psych raises.
    """

    def __init__(self, error_class: str, reason: str) -> None:
        super().__init__(reason)
        self.error_class = error_class


def _syntax(reason: str) -> YamlRefusal:
    return YamlRefusal("Psych::SyntaxError", reason)


class Odd(str):
    """A value that is neither text, number, truth value nor nil in Ruby: the text says what (C(Date), C(Array))."""

    __slots__ = ()


class Symbol(str):
    """A Ruby symbol: shown as its text, and equal to no text in Ruby."""

    __slots__ = ()


def bare_value(text: str) -> Json:
    """The value that Ruby sees for C(key: text).

    :raises YamlRefusal: the file cannot be read at all.
    """
    if any(_forbidden(character) for character in text):
        raise _syntax("it holds a control character")
    text = text.strip(" \t")
    if "\n" in text or "\r" in text:
        raise _syntax("it holds a line break")
    if not text or text.startswith("#"):
        return None
    start = text[0]
    if start in _REFUSED_STARTS or (start in "-?:" and (len(text) == 1 or text[1] in " \t")):
        raise _syntax(f"it starts with {start}")
    if start in _SPECIAL_STARTS:
        return _SPECIAL_STARTS[start](text)
    return typed(_plain(text))


def same_text(text: str) -> bool:
    """Whether the bare text arrives unchanged, as text."""
    try:
        value = bare_value(text)
    except YamlRefusal:
        return False
    return isinstance(value, str) and not isinstance(value, (Odd, Symbol)) and value == text


def _forbidden(character: str) -> bool:
    code = ord(character)
    return (
        (code < 0x20 and character not in "\t\n\r")
        or (0x7F <= code <= 0x9F and code != 0x85)
        or code in (0xFFFE, 0xFFFF)
    )


def _plain(text: str) -> str:
    """The text of a plain scalar: up to a comment; a colon that ends a word would make it a key."""
    text = re.split(r"[ \t]#", text, maxsplit=1)[0].rstrip(" \t")
    if re.search(r":(?=[ \t]|\Z)", text):
        raise _syntax("a colon is followed by a blank or ends it")
    return text


def _only_comment(rest: str) -> None:
    if rest.strip(" \t") and not re.match(r"[ \t]*#", rest):
        raise _syntax("text follows what is already a complete value")


def _double_quoted(text: str) -> Json:
    found = re.match(r'"((?:[^"\\]|\\.)*)"', text)
    if not found:
        raise _syntax("a double quote is not closed")
    _only_comment(text[found.end() :])
    return _unescape(found[1])


def _single_quoted(text: str) -> Json:
    found = re.match(r"'((?:[^']|'')*)'", text)
    if not found:
        raise _syntax("a single quote is not closed")
    _only_comment(text[found.end() :])
    return found[1].replace("''", "'")


_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_ESCAPED_DIGITS = {"x": 2, "u": 4, "U": 8}


def _unescape(body: str) -> str:
    result, at = [], 0
    while at < len(body):
        if body[at] != "\\":
            result.append(body[at])
            at += 1
            continue
        mark = body[at + 1]
        if mark in _ESCAPES:
            result.append(_ESCAPES[mark])
            at += 2
            continue
        digits = body[at + 2 : at + 2 + _ESCAPED_DIGITS.get(mark, 0)]
        code = int(digits, 16) if re.fullmatch(r"[0-9A-Fa-f]+", digits) else -1
        if len(digits) != _ESCAPED_DIGITS.get(mark) or not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise _syntax("an escape in double quotes is unknown")
        result.append(chr(code))
        at += 2 + len(digits)
    return "".join(result)


def _alias(text: str) -> Json:
    if re.fullmatch(r"\*[0-9A-Za-z_-]+(?:[ \t]+#.*)?", text):
        raise YamlRefusal("Psych::BadAlias", "it starts with an asterisk, an alias of something that is not there")
    raise _syntax("it starts with an asterisk")


def _anchor(text: str) -> Json:
    found = re.match(r"&[0-9A-Za-z_-]+(?=[ \t]|\Z)", text)
    if not found:
        raise _syntax("it starts with an ampersand")
    return _after_property(text[found.end() :])


_URI = r"(?:[0-9A-Za-z;/?:@&=+$_.~*'()-]|%[0-9A-Fa-f]{2})"


def _tag(text: str) -> Json:
    found = re.match(rf"!(?:<(?:{_URI}|[!,\[\]])+>|(?:[0-9A-Za-z_-]*!)?{_URI}*)(?=[ \t]|\Z)", text)
    if not found or found[0] == "!!":
        raise _syntax("it starts with an exclamation mark")
    value = _after_property(text[found.end() :])
    if value is None or isinstance(value, Odd) or not found[0].startswith(("!!", "!<", "!ruby")):
        return value
    return Odd(f"tagged {found[0]}")


def _after_property(rest: str) -> Json:
    rest = rest.strip(" \t")
    if rest[:1] in ("&", "*"):
        raise _syntax("it starts with an ampersand")
    return bare_value(rest)


def _block(text: str) -> Json:
    if not re.fullmatch(r"[|>](?:[+-]?[1-9]?|[1-9][+-])(?:[ \t]*#.*)?", text):
        raise _syntax(f"it starts with {text[0]}")
    return ""


def _flow(text: str) -> Json:
    """A collection on one line; read only as far as needed to tell a whole one from a broken one."""
    closing, depth, at = {"[": "]", "{": "}"}, [], 0
    while at < len(text):
        if text[at] in "\"'":
            quoted = re.match(r"'(?:[^']|'')*'" if text[at] == "'" else r'"(?:[^"\\]|\\.)*"', text[at:])
            if not quoted:
                raise _syntax("a quote in a list is not closed")
            at += quoted.end()
            continue
        if text[at] in closing:
            depth.append(closing[text[at]])
        elif text[at] in "]}" and (not depth or depth.pop() != text[at]):
            raise _syntax("brackets do not match")
        at += 1
        if not depth:
            _only_comment(text[at:])
            return Odd("Array" if text[0] == "[" else "Hash")
    raise _syntax("a bracket is not closed")


_REFUSED_STARTS = "@`%]},"
_SPECIAL_STARTS: dict[str, t.Callable[[str], Json]] = {
    '"': _double_quoted,
    "'": _single_quoted,
    "*": _alias,
    "&": _anchor,
    "!": _tag,
    "|": _block,
    ">": _block,
    "[": _flow,
    "{": _flow,
}


def _sexagesimal(text: str) -> Json:
    # Psych weighs the parts from the left, so 12:30 is 12 hours and 30 minutes in seconds.
    return sum(int(part.replace("_", "")) * (3600, 60, 1)[place] for place, part in enumerate(text.split(":")))


def _sexagesimal_float(text: str) -> Json:
    return sum(float(part.replace("_", "")) * (3600, 60, 1)[place] for place, part in enumerate(text.split(":")))


def _integer(text: str) -> Json:
    # Ruby's Integer() after commas and underscores are gone: a leading zero means octal.
    text = text.replace(",", "").replace("_", "")
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    if re.fullmatch(r"0[0-7]+", digits):
        digits = "0o" + digits[1:]
    try:
        return int(sign + digits, 0)
    except ValueError:  # 0b or 0x without digits: Psych's own pattern lets 0x_ through and Ruby refuses it
        raise YamlRefusal("ArgumentError", "it looks like a number and is none") from None


def _float(text: str) -> Json:
    text = text.replace(",", "").replace("_", "")
    return text if re.fullmatch(r"[-+]?\.", text) else float(text)


def _date(text: str) -> Json:
    try:
        datetime.date(*(int(part) for part in text.split("-")))
    except ValueError:
        return text
    return Odd("Date")


def _symbol(text: str) -> Json:
    quoted = re.match(r":([\"'])(.*)\1", text)
    return Symbol(quoted[2] if quoted else text[1:])


_TIME = (
    r"-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?"
    r"(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?"
)

#: How Psych types a plain scalar that does not begin like a word: first pattern that matches the whole text wins.
_TYPES: tuple[tuple[t.Pattern[str], t.Callable[[str], Json]], ...] = (
    (re.compile(_TIME, re.ASCII), lambda _unused: Odd("Time")),
    (re.compile(r"\d{4}-(?:1[012]|0\d|\d)-(?:[12]\d|3[01]|0\d|\d)", re.ASCII), _date),
    (re.compile(r"[-+]?\.inf", re.IGNORECASE), lambda _unused: Odd("Float")),
    (re.compile(r"\.nan", re.IGNORECASE), lambda _unused: Odd("Float")),
    (re.compile(r":.+"), _symbol),
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}"), _sexagesimal),
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\.[0-9_]*"), _sexagesimal_float),
    (re.compile(r"[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][-+][0-9]+)?"), _float),
    (
        re.compile(r"[-+]?0b[0-1_,]+|[-+]?0[0-7_,]+|[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)|[-+]?0x[0-9a-fA-F_,]+"),
        _integer,
    ),
)

_WORDS: dict[str, Json] = {
    "~": None, "null": None,
    "yes": True, "true": True, "on": True,
    "no": False, "false": False, "off": False,
}  # fmt: skip


def typed(text: str) -> Json:
    """The value of a plain scalar: nil, truth values, numbers, dates and symbols as Psych recognises them."""
    if re.match(r"[^\d.:-]?[^\W\d]|[^\d.:-]?[\s!@#$%^&*(){}<>|/\\~;=]", text):
        return _WORDS.get(text.lower(), text)
    for pattern, convert in _TYPES:
        if pattern.fullmatch(text):
            return convert(text)
    return text
