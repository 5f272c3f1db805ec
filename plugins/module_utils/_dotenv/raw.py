# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""How C(docker run --env-file) and C(podman run --env-file) read a file: verbatim, quotes and all.

Source: docker/cli, opts/file.go (newer: pkg/kvfile); containers/podman, pkg/env/env.go.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .source import GO_SPACE, Reading, Source, Statement, Trap


@dataclasses.dataclass(frozen=True)
class Rules:
    """docker skips a byte order mark and refuses a name with blanks; podman takes both as they are."""

    strict: bool


GENERATIONS: dict[str, Rules] = {"docker": Rules(True), "podman": Rules(False)}

_LINES = re.compile(r"[^\n]+")
_BLANKS = " \t"


def read(source: Source, rules: Rules, environment: t.Mapping[str, str]) -> Reading:
    """What a container gets from the file."""
    statements: list[Statement] = []
    traps: list[Trap] = []
    for line in _LINES.finditer(source.text):
        harmless = source.plain.get(line.start())
        if harmless is not None:
            statements.append(harmless)
            continue
        end = line.end() - (1 if line[0].endswith("\r") else 0)
        start = line.start() + (1 if rules.strict and line.start() == 0 and source.starts_with_mark else 0)
        written = source.text[start:end].lstrip(GO_SPACE if rules.strict else _BLANKS)
        start = end - len(written)
        if not written or written.startswith("#"):
            continue
        name, equals, value = written.partition("=")
        if rules.strict and (not name or any(blank in name for blank in _BLANKS)):
            trap = Trap("refused-line", start)
            return Reading(statements, [*traps, trap], trap)
        value_start = start + len(name) + len(equals)
        if not equals:
            traps.append(Trap("lone-word", start, name))
            if name in environment:
                statements.append(Statement(name, environment[name], start, value_start, value_start))
        else:
            statements.append(Statement(name, value, start, value_start, end))
    return Reading(statements, traps)
