# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a process started after its files last changed, even if the host's clock was set in between.

A file's time comes from the clock, so a clock that was set back leaves modification times in the future. Such a time is
useless, but the inode's change time, which nobody can set, often helps. If both are in the future, a sighting decides:
a record of what the files looked like at a point of the monotonic clock. Sightings are written before services are
restarted and when they are up, in /run, which belongs to root and is empty after a boot.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import secrets
import stat
import time
import typing as t

from .._findings.instance import TABLE
from .._findings.model import Finding
from .model import iso_time

#: Where sightings are stored.
FOLDER = "/run/fediops.mastodon"
#: Seconds. A file time so little ahead is not reported: on a network file system it comes from another host's clock.
_AHEAD = 2.0
_LARGEST = 256 * 1024
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Stamp(t.NamedTuple):
    """What identifies a file's state. Times are in nanoseconds since the epoch.

    :ivar modified: modification time; anybody who may write the file can set it.
    :ivar changed: inode change time: the clock's time when anything about the file last changed; cannot be set.
    """

    device: int
    inode: int
    size: int
    modified: int
    changed: int


@dataclasses.dataclass(frozen=True)
class Start:
    """When the main process of a unit started.

    :ivar monotonic: seconds since the boot, on the monotonic clock.
    :ivar earliest: seconds since the epoch: the earlier of the times by the clock then and by the clock now.
    """

    unit: str
    monotonic: float
    earliest: float


@dataclasses.dataclass(frozen=True)
class Sighting:
    """What files looked like at one moment since the boot.

    :ivar seen: the moment, in seconds since the boot.
    :ivar current: units that ran on exactly these files then -> the start of their main process.
    """

    boot: str
    seen: float
    files: t.Mapping[str, Stamp]
    current: t.Mapping[str, float]


def look(paths: t.Iterable[str]) -> dict[str, Stamp]:
    """The state of the files that exist, with links and their targets: a changed link also changes what is read."""
    found = {}
    for path in dict.fromkeys(paths):
        for name, ask in ((path, os.stat), (f"{path} (link)", os.lstat)):
            with contextlib.suppress(OSError, ValueError):
                status = ask(path)
                if ask is os.stat or stat.S_ISLNK(status.st_mode):
                    found[name] = Stamp(
                        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
                    )
    return found


def is_stale(start: Start | None, files: t.Mapping[str, Stamp], now: float, sighting: Sighting | None) -> bool:
    """Whether a process may have started before one of its files last changed; in doubt, true.

    The modification time counts before the inode's: an undo restores the old modification time before any process has
    read the edit, and must not make processes look stale.

    :param now: the clock's time, in seconds since the epoch.
    :param sighting: the last one since the boot.
    """
    if start is None:
        return True
    return any(_changed_since(start, name, stamp, now, sighting) for name, stamp in files.items())


def _changed_since(start: Start, name: str, stamp: Stamp, now: float, sighting: Sighting | None) -> bool:
    before = sighting.files.get(name) if sighting else None
    if sighting and before:
        ran_then = sighting.current.get(start.unit) == start.monotonic
        if before == stamp and (ran_then or start.monotonic > sighting.seen):
            return False
        if (before.size, before.modified) != (stamp.size, stamp.modified) and start.monotonic <= sighting.seen:
            return True  # whatever its time says
    return start.earliest <= _last_change(stamp, now)


def _last_change(stamp: Stamp, now: float) -> float:
    """The modification time, else the inode's, whichever is not in the future; infinity if both are."""
    return next((at for at in (stamp.modified / 1e9, stamp.changed / 1e9) if at <= now), math.inf)


def ahead(files: t.Mapping[str, Stamp], now: float) -> list[Finding]:
    """A finding for each file whose time is in the future."""
    found = []
    for name, stamp in files.items():
        by = stamp.modified / 1e9 - now
        if by <= _AHEAD:
            continue
        message = f"Its time is {iso_time(stamp.modified / 1e9)}, {_span(by)} ahead of this host's clock."
        if stamp.changed / 1e9 > now + _AHEAD:
            message += " The clock was set back after the file was changed, or is wrong now."
        found.append(TABLE.finding("file-time-ahead", name, message))
    return found


def _span(seconds: float) -> str:
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} seconds"


def boot_id() -> str:
    """The id of the current boot; empty when it cannot be read."""
    with contextlib.suppress(OSError), open(_BOOT_ID, encoding="utf-8") as file:
        return file.read().strip()
    return ""


class Sightings:
    """The stored sighting of one instance.

    :param key: identifies the instance on this host: its app directory.
    """

    def __init__(self, key: str) -> None:
        name = hashlib.sha256(os.fsencode(key)).hexdigest()[:16]
        self._path = os.path.join(FOLDER, f"seen-{name}.json")

    def last(self) -> Sighting | None:
        """The last sighting since the boot; None if there is none, or an untrusted user wrote it."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()):
                    return None
                found = json.loads(file.read(_LARGEST))
            sighting = Sighting(
                boot=str(found["boot"]),
                seen=float(found["seen"]),
                files={str(name): Stamp(*map(int, stamp)) for name, stamp in found["files"].items()},
                current={str(name): float(at) for name, at in found["current"].items()},
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return sighting if sighting.boot and sighting.boot == boot_id() else None

    def note(self, files: t.Mapping[str, Stamp], current: t.Mapping[str, float]) -> None:
        """Store what the files look like now. If that fails, is_stale has to rely on the times."""
        sighting = Sighting(boot_id(), time.clock_gettime(time.CLOCK_MONOTONIC), files, current)
        new = f"{self._path}.{secrets.token_hex(4)}"
        with contextlib.suppress(OSError):
            os.makedirs(FOLDER, 0o755, exist_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(dataclasses.asdict(sighting), file)
            os.replace(new, self._path)
