# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How docker-compose up to 1.25 and C(docker run --env-file), C(podman run --env-file) read a file: verbatim.

Source: docker/compose 1.25.5, compose/config/environment.py; docker/cli, opts/file.go (newer: pkg/kvfile);
containers/podman, pkg/env/env.go.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .source import GO_SPACE, Reading, Source, Statement, Trap

_BLANKS = " \t"


@dataclasses.dataclass(frozen=True)
class Rules:
    """docker and Compose skip a byte order mark and reject a name with blanks; podman keeps both.

    :ivar before: characters stripped before a name; None: all Unicode white space.
    :ivar after: characters stripped after a value; None: all Unicode white space; empty: none.
    :ivar ends: the characters that end a line.
    :ivar python: a lone name cancels an assignment above it, and a value may have no name.
    """

    strict: bool
    before: str | None
    after: str | None = ""
    ends: str = r"\n"
    python: bool = False


GENERATIONS: dict[str, Rules] = {
    # Python's codecs.open() splits lines like str.splitlines().
    "Compose 1.25": Rules(True, None, None, r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029", python=True),
    "docker": Rules(True, GO_SPACE),
    "podman": Rules(False, _BLANKS),
}


def read(source: Source, rules: Rules, environment: t.Mapping[str, str]) -> Reading:
    """The variables that a container gets from the file."""
    statements: list[Statement] = []
    traps: list[Trap] = []
    for line in re.finditer(f"[^{rules.ends}]+", source.text):
        harmless = source.plain.get(line.start())
        if harmless is not None:
            statements.append(harmless)
            continue
        end = line.end() - (1 if line[0].endswith("\r") else 0)
        start = line.start() + (1 if rules.strict and line.start() == 0 and source.starts_with_mark else 0)
        written = source.text[start:end].lstrip(rules.before)
        start = end - len(written)
        written = written.rstrip(rules.after)
        end = start + len(written)
        if not written or written.startswith("#"):
            continue
        name, equals, value = written.partition("=")
        if rules.strict and (_blank(name, rules) or not (name or rules.python)):
            trap = Trap("refused-line", start)
            return Reading(statements, [*traps, trap], trap)
        value_start = start + len(name) + len(equals)
        if not equals:
            traps.append(Trap("lone-word", start, name))
            if name in environment or rules.python:
                statements.append(Statement(name, environment.get(name), start, value_start, value_start))
        else:
            statements.append(Statement(name, value, start, value_start, end))
    return Reading(statements, traps)


def _blank(name: str, rules: Rules) -> bool:
    return any(one.isspace() if rules.before is None else one in _BLANKS for one in name)
