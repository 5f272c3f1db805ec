# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers and their logs in the terms of the rest of the collection. No I/O here."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..model import Life, LogLine, Role, Service, State
from .containers import Container, moment
from .project import differing

#: The state of a service with several containers: the first of these that any of them has.
_WORST: tuple[State, ...] = ("failed", "changing", "stopped", "running")


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known about a service apart from its containers.

    :ivar wanted: it is meant to run.
    :ivar expected: the environment of a new container of it.
    """

    role: Role
    wanted: bool
    expected: t.Mapping[str, str] = dataclasses.field(repr=False)


def as_service(name: str, containers: t.Sequence[Container], known: Known) -> Service:
    """One service with all its containers: the worst state of any, and the start of the oldest that runs."""
    if not containers:
        return Service(name, known.role, "stopped", detail="without a container", wanted=known.wanted)
    state = next(state for state in _WORST if any(one.state == state for one in containers))
    shown = next(one for one in containers if one.state == state)
    running = [one for one in containers if one.state == "running"]
    oldest = min(running, key=lambda one: one.started or 0.0, default=shown)
    differs = tuple(sorted({variable for one in running for variable in differing(one, known.expected)}))
    count = f"{len(running)} of {len(containers)}: " if len(containers) > 1 else ""
    return Service(
        name=name,
        role=known.role,
        state=state,
        detail=count + shown.detail,
        wanted=known.wanted,
        started=oldest.started if state == "running" else None,
        pid=oldest.pid if state == "running" else 0,
        restarts=sum(one.restarts for one in containers),
        failing=any(one.failing for one in containers),
        stale=bool(differs),
        differs=differs,
        starts=tuple(Life(one.id, f"{one.pid} {one.started}", one.restarts) for one in containers),
    )


_STAMPED = re.compile(r"^(\d{4}-\d\d-\d\dT\S+) (.*)$")


def log_lines(container: Container, output: bytes) -> list[LogLine]:
    """The lines of C(docker logs --timestamps); a line without a timestamp belongs to the one before."""
    lines: list[LogLine] = []
    for text in output.decode("utf-8", "replace").splitlines():
        found = _STAMPED.match(text)
        at = moment(found[1]) if found else None
        if found and at is not None:
            lines.append(LogLine(at, container.service, max(container.pid, 2), found[2].rstrip("\r")))
        elif lines:
            lines.append(LogLine(lines[-1].at, container.service, lines[-1].pid, text))
    return lines
