# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to write a value so that every named reader reads back exactly that value.

The simplest spelling wins: bare, in single quotes, in double quotes, and only then forms that fewer readers support.
The models of the readers decide which spelling is right, not rules about characters: a spelling is used only if each
generation of each named reader reads it back, alone and between lines full of quotes and comments.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import functools
import re
import typing as t

from .._findings.env_file import TABLE
from .._findings.model import Finding
from .._text import listed
from .dialects import READERS, Generation, generations, whole
from .source import HARMLESS, Source

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_HARMLESS_VALUE = re.compile(rf"[{HARMLESS}]*")

#: Python's representation of bytes that are not UTF-8 (half of a surrogate pair).
_NOT_UTF8 = re.compile("[\ud800-\udfff]")

#: Lines above and below the written line; a spelling must be read the same in each. C({n}) begins unused names.
_SURROUNDINGS = (
    ("", ""),
    ("{n}1='b'\n# it's \"odd\n", "\n{n}1='c' # it's\n{n}2=\"d\"\n# ' \" `\n{n}3=e\n"),
    # For readers that find a matching quote below, a quote that seems to close the value is an escaped one.
    ("", "\n{n}1='#c'\n"),
    ("", '\n{n}1="#c"\n'),
)


def spellings(value: str) -> t.Iterator[str]:
    """All spellings that may be right, the simplest first; the models decide.

    The first three are portable (bare, single quotes, double quotes, nothing escaped). The others work only for some
    readers: bare text, npm dotenv's backticks, Compose's and the Ruby gem's escapes, the shell's joined quotes,
    python-dotenv's escapes, and last the odd but valid ones (quotes inside the same quotes).
    """
    if _HARMLESS_VALUE.fullmatch(value):
        yield value
    for quote in ("'", '"'):
        if quote not in value:
            yield quote + value + quote
    if value and "\n" not in value:
        yield value
    if "`" not in value:
        yield f"`{value}`"
    yield '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"'
    yield '"' + re.sub(r'([\\"$`])', r"\\\1", value) + '"'
    yield "'" + value.replace("'", "'\"'\"'") + "'"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    yield f"'{escaped}'"
    yield "'" + escaped.replace("${", "${:-$}{") + "'"
    yield re.sub(r"([\\$'\"])", r"\\\1", value)
    yield f"'{value}'"
    yield f'"{value}"'


@functools.lru_cache(maxsize=1024)
def encode(
    name: str,
    value: str,
    targets: tuple[Generation, ...],
    *,
    prefix: str = "",
    tail: str = "",
    quoted: bool = False,
) -> str | None:
    """The simplest spelling that all targets read back, or None.

    :param prefix: the text before the value, including name and separator; C(NAME=) when empty.
    :param tail: the text that stays after the value (a blank and a comment).
    :param quoted: whether the spelling must have quotes, even if an empty value needs none.
    """
    if "\0" in value or "\r" in value or _NOT_UTF8.search(value):
        return None
    for spelling in dict.fromkeys(spellings(value)):
        if ("\n" in spelling or quoted) and spelling[:1] not in ("'", '"', "`"):
            continue
        # A shell and systemd join a line that ends in a backslash with the next one.
        if spelling.endswith("\\"):
            continue
        line = f"{prefix or name + '='}{spelling}{tail}"
        if all(_reads_back(line, name, value, target) for target in targets):
            return spelling
    return None


def _reads_back(line: str, name: str, value: str, target: Generation) -> bool:
    letter = "R" if name.startswith("Q") else "Q"
    for number, (above, below) in enumerate(_SURROUNDINGS):
        text = above.replace("{n}", letter) + line + (below.replace("{n}", letter) or "\n")
        alone = _alone(target, number, letter)
        reading = target.read(Source(text), {})
        if reading.refusal and alone is not None:
            return False
        seen = reading.values()
        if alone is not None and (seen.pop(name, None) != value or seen != alone):
            return False
    return True


@functools.cache
def _alone(target: Generation, number: int, letter: str) -> dict[str, str | None] | None:
    """What a reader sees in the surroundings without a line between them; None if it rejects even those."""
    above, below = _SURROUNDINGS[number]
    reading = target.read(Source((above + below).replace("{n}", letter)), {})
    return None if reading.refusal else reading.values()


#: (content of a value, readers that cannot read it, why), only for the wording of the message.
_STUMBLES: tuple[tuple[t.Callable[[str], bool], frozenset[str], str], ...] = (
    (lambda value: "\0" in value, frozenset(READERS), "a NUL character, which no environment can hold"),
    (lambda value: "\r" in value, frozenset(READERS), "a carriage return, which readers turn into another line end"),
    (lambda value: bool(_NOT_UTF8.search(value)), frozenset(READERS), "bytes that are not UTF-8 text"),
    (lambda value: "\n" in value, frozenset({"ruby", "raw"}), "a line break (dotenv 2.4 and verbatim readers)"),
    (
        lambda value: value.endswith("\\"),
        frozenset({"compose", "node", "ruby", "python_dotenv"}),
        "a backslash at its end",
    ),
    (lambda value: "\\\\" in value, frozenset({"python_dotenv", "ruby", "node"}), "two backslashes in a row"),
    (lambda value: "${" in value, frozenset({"python_dotenv"}), "${...}, which python-dotenv expands in any quotes"),
    (lambda value: "'" in value and '"' in value, frozenset({"node", "compose", "ruby", "sh"}), "both kinds of quotes"),
    (
        lambda value: "'" in value and "\\" in value,
        frozenset({"node", "ruby", "compose"}),
        "a ' together with a backslash",
    ),
    (lambda value: "'" in value and "`" in value, frozenset({"sh"}), "a ' together with a backtick"),
    (lambda value: "'" in value and "$" in value, frozenset({"ruby", "compose", "sh"}), "a ' together with a $"),
    (
        lambda value: not _HARMLESS_VALUE.fullmatch(value),
        frozenset({"raw"}),
        "a character that needs quotes, which a verbatim reader keeps",
    ),
)


def refusal(name: str, value: str, readers: t.Sequence[str]) -> Finding | None:
    """The finding when a value cannot be written for these readers; None if it can.

    The finding names the readers and the kind of character, never the value.
    """
    if not NAME.fullmatch(name):
        return TABLE.finding("env-name-invalid", name, "Not every reader accepts this variable name.")
    wanted = whole(readers)
    if encode(name, value, generations(wanted)) is not None:
        return None
    reasons = [(who, why) for test, who, why in _STUMBLES if test(value) and who.intersection(wanted)]
    hard = [one for one in wanted if encode(name, value, READERS[one]) is None]
    if hard:
        message = f"The value cannot be written so that {listed(hard)} would read it back"
    else:
        culprits = [one for one in wanted if any(one in who for who, _why in reasons)] or wanted
        message = f"No way of writing the value is read the same by {listed(culprits if len(culprits) > 1 else wanted)}"
    if reasons:
        message += f": it has {reasons[0][1]}"
    return TABLE.finding("env-value-not-writable", name, message + ".")
