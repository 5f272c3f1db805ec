# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readers of an environment file by name, each with the generations in use.

A reader's name stands for all its generations: all of them must read what is written in the same way. Where one
generation is known to read a file, NAME-VERSION (C(ruby-2.8)) stands for that one alone: it decides how the file is
read. What is written must still be read in the same way by all generations, since the program may be upgraded.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._findings.env_file import TABLE
from .._findings.model import FindingError
from .._text import listed
from .source import UNKNOWABLE, Reading, Source

Environment = t.Mapping[str, str]
_Read = t.Callable[[Source, Environment], Reading]
_NOTHING: dict[str, str] = {}


@dataclasses.dataclass(frozen=True)
class Generation:
    """One reader in one range of versions.

    :ivar reader: the reader's name.
    :ivar version: the versions, for messages.
    :ivar read: (text, process environment for C($NAME)) -> what the reader sees.
    """

    reader: str
    version: str
    read: _Read


#: Reader -> its name in messages.
TITLES: dict[str, str] = {
    "ruby": "the Ruby gem dotenv",
    "node": "npm dotenv",
    "compose": "Docker Compose",
    "python_dotenv": "python-dotenv",
    "systemd": "systemd",
    "sh": "a POSIX shell",
    "raw": "a verbatim reader (--env-file)",
}


def named(some: t.Iterable[Generation]) -> str:
    """Generations in words; a reader's versions are named only if not all of them are meant."""
    found: dict[str, list[Generation]] = {}
    for one in some:
        if one not in found.setdefault(one.reader, []):
            found[one.reader].append(one)
    words = [
        TITLES[reader]
        if len(those) == len(READERS[reader])
        else f"{TITLES[reader]} {', '.join(one.version for one in those)}"
        for reader, those in found.items()
    ]
    return listed(words)


def _ruby() -> dict[str, _Read]:
    from . import ruby

    def reader(rules: ruby.Rules) -> _Read:
        return lambda source, environment: ruby.read(source, rules, environment)

    return {version: reader(rules) for version, rules in ruby.GENERATIONS.items()}


def _node() -> dict[str, _Read]:
    from . import node

    return {"15 and later": lambda source, _environment: node.read(source)}


def _compose() -> dict[str, _Read]:
    from . import compose

    return {"v2": compose.read}


def _python_dotenv() -> dict[str, _Read]:
    from . import python_dotenv

    def reader(rules: python_dotenv.Rules) -> _Read:
        return lambda source, environment: python_dotenv.read(source, rules, environment)

    return {version: reader(rules) for version, rules in python_dotenv.GENERATIONS.items()}


def _systemd() -> dict[str, _Read]:
    from . import systemd

    def reader(rules: systemd.Rules) -> _Read:
        return lambda source, _environment: systemd.read(source, rules)

    return {version: reader(rules) for version, rules in systemd.GENERATIONS.items()}


def _shell() -> dict[str, _Read]:
    from . import shell

    return {"": shell.read}


def _raw() -> dict[str, _Read]:
    from . import raw

    def reader(rules: raw.Rules) -> _Read:
        return lambda source, environment: raw.read(source, rules, environment)

    return {version: reader(rules) for version, rules in raw.GENERATIONS.items()}


class _Readers(t.Mapping[str, tuple[Generation, ...]]):
    """The readers by name, imported only on demand, because the host compiles every file that a step imports."""

    def __init__(self, **makers: t.Callable[[], dict[str, _Read]]) -> None:
        self._makers = makers
        self._made: dict[str, tuple[Generation, ...]] = {}

    def __getitem__(self, name: str) -> tuple[Generation, ...]:
        reader, _dash, version = name.partition("-")
        if version:
            return ({one.version: one for one in self[reader]}[version],)
        if name not in self._made:
            made = self._makers[name]()
            self._made[name] = tuple(Generation(name, version, read) for version, read in made.items())
        return self._made[name]

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


#: Reader -> its generations, oldest first.
READERS: t.Mapping[str, tuple[Generation, ...]] = _Readers(
    ruby=_ruby,
    node=_node,
    compose=_compose,
    python_dotenv=_python_dotenv,
    systemd=_systemd,
    sh=_shell,
    raw=_raw,
)


#: The names of one generation that the Ruby gem may be known by; see installed_ruby().
_OF_RUBY = ("ruby-2.4", "ruby-2.7", "ruby-2.8", "ruby-3.0-3.1.4", "ruby-3.1.5-3.1.8", "ruby-3.2")
#: What an option may name as a reader.
NAMES = (*READERS, *_OF_RUBY)


def whole(readers: t.Iterable[str]) -> tuple[str, ...]:
    """The names of the readers without their versions."""
    return tuple(dict.fromkeys(name.partition("-")[0] for name in readers))


def generations(readers: t.Iterable[str]) -> tuple[Generation, ...]:
    """All generations of the named readers, without duplicates.

    :raises KeyError: a name is not that of a reader.
    """
    return tuple(one for name in dict.fromkeys(readers) for one in READERS[name])


def installed_ruby(gemfile_lock: str) -> str:
    """The Ruby gem as a reader's name: the generation that a Gemfile.lock names, or all if that is not known."""
    from . import ruby

    version = ruby.locked(gemfile_lock)
    return f"ruby-{version}" if version else "ruby"


#: Why a reader rejects the whole file -> its description.
REFUSALS: dict[str, str] = {
    "refused-line": "it does not understand this line",
    "refused-template": "the ${...} in this value is not supported, or a variable that it requires is not set",
    "quote-not-closed": "a quote is not closed",
    "export-without-value": "an export has no value",
    "shell-syntax": "an unquoted parenthesis or operator is a syntax error",
}


def decode(data: bytes) -> Source:
    """The text of a file.

    :raises FindingError: C(env-file-not-utf8), C(env-nul): the Ruby gem and systemd do not accept such a file.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = f"Byte {column} of the line (0x{data[error.start]:02x}) is not UTF-8 text."
        raise FindingError(TABLE.finding("env-file-not-utf8", f"line {line}", message)) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FindingError(TABLE.finding("env-nul", f"line {line}", "The line contains a NUL character."))
    return Source(text)


def values(data: bytes, reader: str, environment: Environment | None = None) -> dict[str, str]:
    """What the newest of a reader's generations sees in a file; the last assignment wins.

    A variable that the reader would take from elsewhere (a lone word) is left out. A command that a reader would run is
    left as written; nothing is run.

    :param environment: the process environment for C($NAME) in values; empty when not given.
    :raises FindingError: the reader rejects the file.
    """
    source = decode(data)
    generation = READERS[reader][-1]
    reading = generation.read(source, _NOTHING if environment is None else environment)
    if reading.refusal:
        raise FindingError(
            TABLE.finding(
                "env-file-refused",
                f"line {source.line(reading.refusal.position)}",
                f"The whole file is rejected by {named([generation])}: {REFUSALS[reading.refusal.kind]}.",
            )
        )
    return {name: value.replace(UNKNOWABLE, "") for name, value in reading.values().items() if value is not None}
