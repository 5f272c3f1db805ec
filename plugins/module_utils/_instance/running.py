# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes of any Mastodon that runs on the host, however it is kept.

Any user can give a process any title and directory, so what is found here is told, or checked against a unit that root
wrote; see systemd/by_process.py.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import os
import pwd
import re
import typing as t

from . import release
from .keepers import IN_CONTAINERS, Keeper, Kind, keeper
from .model import Role
from .procfs import Processes
from .roles import role_by

#: Bytes of a title that are looked at, and of a file.
_TITLE = 4096
_FILE = 64 * 1024
#: The longest path of a directory that is looked at, and how many folders above a working directory.
_LONGEST = 1024
_FOLDERS = 6
#: At most so many processes above one are looked at, and so many processes are reported.
_ABOVE = 12
_MOST = 64
#: What Mastodon's processes are programs of; an editor or a pager may have the same words in its title.
_RUBY = re.compile(r"(?:ruby|bundle|puma|sidekiq|jruby|truffleruby)")
#: A process that merely starts or watches one counts only if nothing better is there.
_READY = re.compile(r"^(?:puma(?::| )|sidekiq(?:swarm)? \d)")


#: A user's name: useradd(8). A container may hold any other text.
_USER = re.compile(r"[A-Za-z_][\w.-]{0,31}\$?", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Running:
    """One process of Mastodon.

    :ivar app_dir: Mastodon's directory, as the process sees it.
    :ivar uid: the number of its user on the host; None when it is not known.
    :ivar user: his name, inside the container where it runs in one; C(uid 991) for a number without a name.
    :ivar release: Mastodon's version; empty when it could not be read.
    """

    pid: int
    role: Role
    app_dir: str
    uid: int | None
    user: str
    release: str
    keeper: Keeper

    @property
    def program(self) -> str:
        """What people call it."""
        return "Sidekiq" if self.role == "sidekiq" else "puma"


class _Reader(t.Protocol):
    """The parts of procfs.Processes that are used here."""

    def pids(self) -> list[int]: ...

    def title(self, pid: int, most: int = ...) -> str: ...

    def program(self, pid: int) -> str: ...

    def parent(self, pid: int) -> int: ...

    def user(self, pid: int) -> int | None: ...

    def directory(self, pid: int) -> str: ...

    def environment(self, pid: int) -> dict[str, str]: ...

    def control_groups(self, pid: int) -> list[tuple[str, str]]: ...

    def read_file(self, pid: int, path: str, limit: int) -> bytes: ...


def mastodons(processes: _Reader | None = None) -> list[Running]:
    """One web and one Sidekiq process of each keeper that runs Mastodon, lowest number first."""
    reader = processes or Processes()
    base = _base(reader)
    found: dict[tuple[Keeper, Role, str], tuple[bool, Running]] = {}
    for pid in reader.pids():
        title = reader.title(pid, _TITLE)
        role = role_by(title, (title,), ()) if title else None
        if role not in ("web", "sidekiq") or not _RUBY.match(reader.program(pid)):
            continue
        app_dir = _app_dir(reader, pid)
        if not app_dir:
            continue
        kept = keeper(reader.control_groups(pid), base, _above(reader, pid), _init())
        uid = reader.user(pid)
        one = Running(pid, role, app_dir, uid, _user(reader, pid, uid, kept), _release(reader, pid, app_dir), kept)
        ready = bool(_READY.match(title))
        known = found.get((kept, role, app_dir))
        if known is None or (ready and not known[0]):
            found[(kept, role, app_dir)] = (ready, one)
        if len(found) >= _MOST:
            break
    return sorted((one for _unused, one in found.values()), key=lambda one: one.pid)


def _base(reader: _Reader) -> str:
    """The control group that contains all others which this host's own service manager made."""
    for _unused, path in reader.control_groups(1):
        if path.endswith("/init.scope"):
            return path[: -len("/init.scope")]
    return ""


def _init() -> Kind | None:
    """What starts services on a host without systemd."""
    if os.path.isdir("/run/openrc"):
        return "openrc"
    return "runit" if os.path.isdir("/run/runit") else None


def _app_dir(reader: _Reader, pid: int) -> str:
    """Mastodon's directory: the process's own, one above it, or the one of its Gemfile."""
    places = [reader.directory(pid)]
    gemfile = reader.environment(pid).get("BUNDLE_GEMFILE", "")  # bundle exec sets it
    places.append(os.path.dirname(gemfile))
    for place in places:
        for folder in _upwards(place):
            if _read(reader, pid, folder, release.PATH):
                return folder
    return ""


def _upwards(place: str) -> t.Iterator[str]:
    for _unused in range(_FOLDERS):
        if not place.startswith("/") or place.strip("/") == "" or len(place) > _LONGEST:
            return
        yield place
        place = os.path.dirname(place)


def _release(reader: _Reader, pid: int, app_dir: str) -> str:
    source, config = (_read(reader, pid, app_dir, path) for path in (release.PATH, release.CONFIG))
    return release.read(source, {}, config) or ""


def _read(reader: _Reader, pid: int, app_dir: str, path: str) -> str:
    try:
        return reader.read_file(pid, os.path.join(app_dir, path), _FILE).decode("utf-8", "replace")
    except OSError:
        return ""


def _above(reader: _Reader, pid: int) -> list[tuple[str, str]]:
    found = []
    for _unused in range(_ABOVE):
        pid = reader.parent(pid)
        if pid <= 1:
            break
        found.append((reader.program(pid), reader.title(pid, _TITLE)))
    return found


def _user(reader: _Reader, pid: int, number: int | None, kept: Keeper) -> str:
    if number is None:
        return "unknown"
    if kept.kind in IN_CONTAINERS:  # the host may know another user by this number
        for line in _read(reader, pid, "/etc", "passwd").splitlines():
            fields = line.split(":")
            if len(fields) > 2 and fields[2] == str(number) and _USER.fullmatch(fields[0]):
                return fields[0]
        return f"uid {number}"
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
