# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""What /proc tells about the processes of a service: proc(5)."""

from __future__ import annotations

import os
import re
import typing as t

#: Sidekiq writes this title from its heartbeat, which starts when it has booted and begins to take jobs:
#: C(sidekiq 7.3.2 live [0 of 25 busy]). Source: Sidekiq lib/sidekiq/launcher.rb, PROCTITLES.
SIDEKIQ_AT_WORK = re.compile(r"^sidekiq \d\S* .*\[\d+ of \d+ busy\]")

_TCP_LISTEN = "0A"
_UNIX_ACCEPTS = 0x10000  # __SO_ACCEPTCON
_SOCKET = re.compile(r"^socket:\[(\d+)\]$")


class Processes:
    """The processes of the host as C(root) shows them; another root is for tests."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root

    def of_control_group(self, control_group: str) -> list[int]:
        """The processes in a control group or below it, lowest number first.

        :param control_group: as systemd names it: C(/system.slice/mastodon-web.service).
        """
        if not control_group:
            return []
        exact, deeper = [], []
        for entry in os.listdir(self._root):
            if not entry.isdecimal():
                continue
            # A line reads "hierarchy:controllers:path".
            paths = [line.split(":", 2)[-1] for line in self._text(entry, "cgroup").splitlines()]
            if any(path == control_group or path.startswith(f"{control_group}/") for path in paths):
                exact.append(int(entry))
            elif any(path.endswith(control_group) for path in paths):
                deeper.append(int(entry))
        # Inside a container that shares the host's view of control groups, all paths have something in front.
        return sorted(exact or deeper)

    def beside(self, pid: int) -> list[int]:
        """The processes in the same control group as this one, itself included; empty when it is gone."""
        group = self._text(str(pid), "cgroup")
        entries = [entry for entry in os.listdir(self._root) if entry.isdecimal()] if group else []
        return sorted(int(entry) for entry in entries if self._text(entry, "cgroup") == group)

    def title(self, pid: int) -> str:
        """What the process calls itself, or the command line that it was started with; empty when it is gone."""
        return self._text(str(pid), "cmdline").replace("\0", " ").strip()

    def environment(self, pid: int) -> dict[str, str]:
        """What the process was started with; empty when it is gone or someone else's. May hold secrets."""
        assignments = (item.partition("=") for item in self._text(str(pid), "environ").split("\0"))
        return {name: value for name, equals, value in assignments if equals}

    def listens(self, pids: t.Sequence[int]) -> bool | None:
        """Whether any of them has a socket that accepts connections (TCP, or a named one). None: cannot be seen."""
        seen = False
        for pid in pids:
            sockets = self._sockets(pid)
            if sockets is None:
                continue
            seen = True
            if sockets and not sockets.isdisjoint(self._listening(pid)):
                return True
        return False if seen or not pids else None

    def _sockets(self, pid: int) -> set[str] | None:
        folder = os.path.join(self._root, str(pid), "fd")
        try:
            descriptors = os.listdir(folder)
        except PermissionError:
            return None
        except OSError:
            return set()
        sockets = set()
        for descriptor in descriptors:
            try:
                found = _SOCKET.match(os.readlink(os.path.join(folder, descriptor)))
            except OSError:
                continue
            if found:
                sockets.add(found[1])
        return sockets

    def _listening(self, pid: int) -> t.Iterator[str]:
        """The inodes of the listening sockets in the process's own network namespace."""
        for table in ("net/tcp", "net/tcp6"):
            for line in self._text(str(pid), table).splitlines()[1:]:
                columns = line.split()
                if len(columns) > 9 and columns[3] == _TCP_LISTEN:
                    yield columns[9]
        for line in self._text(str(pid), "net/unix").splitlines()[1:]:
            columns = line.split()
            if len(columns) > 6 and int(columns[3], 16) & _UNIX_ACCEPTS:
                yield columns[6]

    def _text(self, *parts: str) -> str:
        try:
            with open(os.path.join(self._root, *parts), "rb") as file:
                return file.read().decode("utf-8", "surrogateescape")
        except OSError:
            return ""
