# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress lines during a long task: which hosts are waited for, for what, since when, and for how long at most."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .collect import Task
from .sentences import names
from .words import Step, duration

Running = t.Mapping[tuple[str, str], tuple[float, Task, t.Optional[Step]]]


@dataclasses.dataclass
class Memory:
    """What was reported, and the known limits.

    :ivar said: uuid of a task -> when it was last reported.
    :ivar limits: how many seconds a task may take on a host at most, if known.
    """

    said: dict[str, float] = dataclasses.field(default_factory=dict)
    limits: dict[tuple[str, str], float | None] = dataclasses.field(default_factory=dict)


def lines(running: Running, memory: Memory, now: float, patience: float) -> list[str]:
    """The lines that are due: one for each task that has run on any host for longer than C(patience), repeatedly."""
    due: dict[str, list[tuple[str, str]]] = {}
    for key, (began, task, _step) in running.items():
        if now - began >= patience and now - memory.said.get(task.uuid, began) >= patience:
            due.setdefault(task.uuid, []).append(key)
    found = []
    for uuid, keys in due.items():
        memory.said[uuid] = now
        _began, task, step = running[keys[0]]
        longest = max(now - running[key][0] for key in keys)
        known = [memory.limits.get(key) for key in keys]
        most = max((one for one in known if one is not None), default=None)
        limit = f", at most {duration(most)}" if most is not None and None not in known else ""
        hosts = names([host for host, _uuid in keys], 3)
        what = step.waiting if step is not None else task.name
        found.append(f"... {hosts}: waiting for {what} ({duration(longest)} so far{limit})")
    return found
