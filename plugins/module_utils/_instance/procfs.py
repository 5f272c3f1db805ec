# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What /proc shows about a service's processes: proc(5)."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
import sys
import typing as t

from .._files import gate

#: Sidekiq's heartbeat sets this title, once it has booted and takes jobs: C(sidekiq 7.3.2 live [0 of 25 busy]).
#: Source: Sidekiq lib/sidekiq/launcher.rb, PROCTITLES.
#: It is more reliable than the file MASTODON_SIDEKIQ_READY_FILENAME (Mastodon 4.3 config/initializers/sidekiq.rb):
#: every Sidekiq of an app directory writes the same file, and a killed one leaves it behind.
SIDEKIQ_AT_WORK = re.compile(r"^sidekiq \d\S* .*\[\d+ of \d+ busy\]")

#: Bytes of one file: a process can make its own title and environment as large as it likes (PR_SET_MM_MAP).
_MOST = 8 * 1024 * 1024
_TCP_LISTEN = "0A"
_UNIX_ACCEPTS = 0x10000  # __SO_ACCEPTCON
_SOCKET = re.compile(r"^socket:\[(\d+)\]$")
_NO_NEW_PRIVILEGES = re.compile(r"^NoNewPrivs:\s*1$", re.MULTILINE)
_PARENT = re.compile(r"^PPid:\s*(\d+)$", re.MULTILINE)
_USER = re.compile(r"^Uid:\s*\d+\s+(\d+)", re.MULTILINE)
_USERS = re.compile(r"^Uid:((?:\s+\d+){4})", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Listener:
    """A socket that accepts connections.

    :ivar pid: the first process that holds it.
    :ivar host: the address, without brackets; empty for a Unix socket.
    :ivar path: of a Unix socket, as the process sees it; C(@name) for an abstract one, without a file.
    """

    pid: int
    host: str = ""
    port: int = 0
    path: str = ""


class Processes:
    """The host's processes as seen in C(root); tests use another root."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root

    def pids(self) -> list[int]:
        """All processes, lowest number first; empty where there is no /proc."""
        try:
            return sorted(int(entry) for entry in os.listdir(self._root) if entry.isdecimal())
        except OSError:
            return []

    def of_control_group(self, control_group: str) -> list[int]:
        """The processes in a control group or below it, lowest number first.

        :param control_group: as systemd names it: C(/system.slice/mastodon-web.service).
        """
        if not control_group:
            return []
        exact, deeper = [], []
        for pid in self.pids():
            paths = [path for _unused, path in self.control_groups(pid)]
            if any(path == control_group or path.startswith(f"{control_group}/") for path in paths):
                exact.append(pid)
            elif any(path.endswith(control_group) for path in paths):
                deeper.append(pid)
        # In a container that shares the host's cgroup namespace, all paths have a prefix.
        return sorted(exact or deeper)

    def control_groups(self, pid: int) -> list[tuple[str, str]]:
        """(controllers, path) of each control group that the process is in; no controllers in version 2."""
        # A line reads "hierarchy:controllers:path".
        parts = [line.split(":", 2) for line in self._text(str(pid), "cgroup").splitlines()]
        return [(part[1], part[2]) for part in parts if len(part) == 3]

    def family(self, pid: int) -> list[int]:
        """This process and all that descend from it, lowest number first; empty when it is gone.

        Of a container's first process: all of the container, since those whose parent ends become its children. Its
        control group would not do: a rootless Engine without any (C(Cgroup Driver: none)) has all containers in one.
        """
        parents = {one: self.parent(one) for one in self.pids()}
        found = {pid} & set(parents)
        while True:  # numbers are used again while we read, so that they may form a circle
            more = {one for one, parent in parents.items() if parent in found} - found
            if not more:
                break
            found |= more
        return sorted(found)

    def title(self, pid: int, most: int = _MOST) -> str:
        """The process's title, or the command line that it was started with; empty when it is gone.

        :param most: at most so many bytes of it.
        """
        return self._text(str(pid), "cmdline", most=most).replace("\0", " ").strip()

    def program(self, pid: int) -> str:
        """The name of its program, at most 15 characters; empty when it is gone."""
        return self._text(str(pid), "comm").strip()

    def parent(self, pid: int) -> int:
        """The process that started it, or took it over; 0 when there is none."""
        found = _PARENT.search(self._text(str(pid), "status"))
        return int(found[1]) if found else 0

    def user(self, pid: int) -> int | None:
        """The number of the user that it runs as; None when it is gone."""
        found = _USER.search(self._text(str(pid), "status"))
        return int(found[1]) if found else None

    def belongs(self, pid: int, user: int) -> bool:
        """Whether a process is a user's own, so that he may look into it himself.

        A program that gave up root's rights, such as the one of an SSH session, runs as the user and still holds what
        root knew: the kernel keeps it, and gives its files here to root. Source: ptrace(2), proc(5).
        """
        found = _USERS.search(self._text(str(pid), "status"))
        try:
            owner = os.stat(os.path.join(self._root, str(pid), "environ")).st_uid
        except OSError:
            return False
        return owner == user and found is not None and set(map(int, found[1].split())) == {user}

    def directory(self, pid: int) -> str:
        """Its working directory, as it sees it; empty when it is gone or not readable."""
        try:
            return os.readlink(os.path.join(self._root, str(pid), "cwd"))
        except OSError:
            return ""

    def read_file(self, pid: int, path: str, limit: int) -> bytes:
        """A regular file at the path where the process sees it; no link leads out of its root directory.

        :raises OSError: as gate.read does.
        """
        return gate.read(path, limit, root=os.path.join(self._root, str(pid), "root"))

    def environment(self, pid: int) -> dict[str, str]:
        """The environment that the process was started with; empty when it is gone or not readable. Holds secrets."""
        assignments = (item.partition("=") for item in self._text(str(pid), "environ").split("\0"))
        return {name: value for name, equals, value in assignments if equals}

    def no_new_privileges(self, pid: int) -> bool:
        """Whether the process has NoNewPrivs set, so that setuid and setgid programs have no effect."""
        return bool(_NO_NEW_PRIVILEGES.search(self._text(str(pid), "status")))

    def listens(self, pids: t.Sequence[int]) -> bool | None:
        """Whether any of them has a socket that accepts connections (TCP, or a named Unix socket); None if unknown."""
        seen = False
        for pid in pids:
            sockets = self._sockets(pid)
            if sockets is None:
                continue
            seen = True
            if sockets and not sockets.isdisjoint(self._listening(pid)):
                return True
        return False if seen or not pids else None

    def listeners(self, pids: t.Sequence[int]) -> list[Listener]:
        """The sockets of these processes that accept connections, without duplicates; empty when unknown."""
        found: dict[str, Listener] = {}
        for pid in pids:
            sockets = self._sockets(pid)
            if sockets:
                listening = self._listening(pid)
                found.update((one, listening[one]) for one in sorted(sockets) if one in listening and one not in found)
        return list(found.values())

    def reachable(self, pid: int, path: str) -> str:
        """The path from here to a file that the process sees at C(path).

        The two differ when the process has its own root or its own mounts (a container, PrivateTmp=).
        """
        try:
            root = os.path.join(self._root, str(pid), "root")
            with gate.enter(path, root=root) as place:
                there = root + place.target
            same = os.path.exists(path) and os.path.samefile(path, there)
        except OSError:
            return path
        return path if same or not os.path.exists(there) else there

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

    def _listening(self, pid: int) -> dict[str, Listener]:
        """The listening sockets in the process's own network namespace, by inode."""
        found = {}
        for table in ("net/tcp", "net/tcp6"):
            for line in self._text(str(pid), table).splitlines()[1:]:
                columns = line.split()
                if len(columns) > 9 and columns[3] == _TCP_LISTEN:
                    address, _unused, port = columns[1].partition(":")
                    found[columns[9]] = Listener(pid, _address(address), int(port, 16))
        for line in self._text(str(pid), "net/unix").splitlines()[1:]:
            columns = line.split(None, 7)
            if len(columns) > 6 and int(columns[3], 16) & _UNIX_ACCEPTS:
                path = columns[7] if len(columns) > 7 else "@"
                found[columns[6]] = Listener(pid, path=path if path.startswith("@") else self._absolute(pid, path))
        return found

    def _absolute(self, pid: int, path: str) -> str:
        """The absolute form of a path that a process uses, which may be relative to its working directory."""
        folder = self.directory(pid)
        return os.path.normpath(os.path.join(folder, path)) if folder else path

    def _text(self, *parts: str, most: int = _MOST) -> str:
        try:
            with open(os.path.join(self._root, *parts), "rb") as file:
                return file.read(most).decode("utf-8", "surrogateescape")
        except OSError:
            return ""


def _address(words: str) -> str:
    """An address in C(net/tcp): 32-bit words in hexadecimal, each in the machine's byte order."""
    data = bytes.fromhex(words)
    if sys.byteorder == "little":
        data = b"".join(data[start : start + 4][::-1] for start in range(0, len(data), 4))
    address = ipaddress.ip_address(data)
    return str(getattr(address, "ipv4_mapped", None) or address)
