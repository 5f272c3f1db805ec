# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks, without writing, whether a file could be replaced, and whether the disk has room for it.

Two things cannot be checked in advance: whether a quota leaves room, and whether the disk fails.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import platform
import re
import stat
import struct
import typing as t

from .._findings.env_file import TABLE
from .._findings.model import Finding
from .gate import Place
from .replace import FIRST_BACKUP

#: ioctl_iflags(2): _IOR('f', 1, long). A few architectures encode the direction differently.
_READ = 0x40000000 if platform.machine().startswith(("mips", "ppc", "sparc", "alpha")) else 0x80000000
_GET_FLAGS = _READ | struct.calcsize("l") << 16 | ord("f") << 8 | 1
_IMMUTABLE = 0x10
_APPEND_ONLY = 0x20

_LOOKING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_QUOTA = re.compile(r"^(?:usr|grp|prj|u|g|p)?(?:j)?quota$|^(?:usr|grp)jquota=")


@dataclasses.dataclass(frozen=True)
class Writing:
    """One file that an edit writes.

    :ivar suffix: what is added to the environment file's name; empty for the environment file itself.
    :ivar size: bytes.
    """

    suffix: str
    size: int


@dataclasses.dataclass(frozen=True)
class Room:
    """The free space of a file system.

    :ivar block: block size in bytes.
    :ivar free: free bytes; None when the file system does not report it.
    :ivar inodes: number of files that can still be created; None when there is no such limit.
    """

    block: int
    free: int | None
    inodes: int | None


def foresee(place: Place, status: os.stat_result, writings: t.Sequence[Writing]) -> list[Finding]:
    """What keeps a file from being replaced, and a finding about its hard links. Space is checked in no_room.

    :param status: of the file when it was read.
    :param writings: the files that the edit writes, in order.
    """
    found = [*mounted_over(place), *flagged(place, [one.suffix for one in writings]), *blocked(place, writings)]
    if status.st_nlink > 1:
        message = (
            f"It has {status.st_nlink} names. The edit replaces this one with a new file; the others keep the old "
            "content."
        )
        found.append(TABLE.finding("env-file-hard-links", place.target, message))
    return found


# Mounts


def mounted_over(place: Place) -> list[Finding]:
    """The error when the file itself is a mount point: rename(2) would fail with EBUSY."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.descriptor)
        try:
            own, around = _mount_id(descriptor), _mount_id(place.descriptor)
        finally:
            os.close(descriptor)
        if own != around:
            source = _mount(own)[0]
            message = f"The file is a mount point{f' (it is {source})' if source else ''}, so it cannot be replaced."
            return [TABLE.finding("env-file-mounted", place.target, message)]
    return []


def _mount_id(descriptor: int) -> int:
    """The id of the mount that an open file belongs to (proc(5), fdinfo); the same in every mount namespace."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="utf-8") as file:
        found = re.search(r"^mnt_id:\s*(\d+)$", file.read(), re.MULTILINE)
    if not found:
        raise ValueError("unknown")
    return int(found[1])


def _mount(number: int) -> tuple[str, tuple[str, ...]]:
    """The source of a mount (a path and its file system) and its options; empty when unknown."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _separator, behind = line.rstrip("\n").partition(" - ")
            fields, more = before.split(" "), behind.split(" ")
            if fields[0] == str(number) and len(fields) > 5 and len(more) > 2:
                return f"{fields[3]} of {more[1]}", (*fields[5].split(","), *more[2].split(","))
    return "", ()


# Flags


def flagged(place: Place, suffixes: t.Iterable[str]) -> list[Finding]:
    """The errors for what is locked with chattr: the folder, the file, and the files replaced beside it."""
    found = []
    for name, path in ((".", place.folder), *((f"{place.name}{one}", f"{place.target}{one}") for one in suffixes)):
        flags = _flags_of(place.descriptor, name)
        letters = "".join(letter for bit, letter in ((_IMMUTABLE, "i"), (_APPEND_ONLY, "a")) if flags & bit)
        if letters:
            kept = "no file in it can be replaced" if name == "." else "it cannot be replaced, not even by root"
            message = f"It has the chattr flag {' and '.join(letters)}, so {kept}."
            fix = f"Find out who set it and why. Remove it with chattr -{letters} {path}, then run again."
            found.append(TABLE.finding("env-file-locked", path, message, fix))
    return found


def _flags_of(folder: int, name: str) -> int:
    """The flags of a file or folder; 0 when it has none, does not exist, or its file system has no flags."""
    with contextlib.suppress(OSError):
        descriptor = os.open(name, _LOOKING, dir_fd=folder)
        try:
            if stat.S_IFMT(os.fstat(descriptor).st_mode) in (stat.S_IFREG, stat.S_IFDIR):
                # The request is declared with a long, but the kernel writes an int.
                return t.cast(int, struct.unpack("=i4x", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8)))[0])
        finally:
            os.close(descriptor)
    return 0


# What is in the way


def blocked(place: Place, writings: t.Iterable[Writing]) -> list[Finding]:
    """The errors for what is in the place of a backup or a note and cannot be replaced."""
    found = []
    for one in writings:
        there = place.beside(one.suffix)
        with contextlib.suppress(OSError):
            status = there.status() if one.suffix else None
            if status is not None and not _gives_way(one.suffix, status):
                found.append(
                    TABLE.finding("env-backup-blocked", there.target, f"{_what(there, status)} is already there.")
                )
    return found


def _gives_way(suffix: str, status: os.stat_result) -> bool:
    """Whether what is there can be replaced. A first backup is never replaced, so there it must be a regular file."""
    return not stat.S_ISDIR(status.st_mode) and (suffix != FIRST_BACKUP or stat.S_ISREG(status.st_mode))


def _what(there: Place, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return f"A symbolic link to {os.readlink(there.name, dir_fd=there.descriptor)}"
    kinds = ((stat.S_ISDIR, "A directory"), (stat.S_ISFIFO, "A named pipe"), (stat.S_ISSOCK, "A socket"))
    return next((word for is_kind, word in kinds if is_kind(status.st_mode)), "A device")


# Space


def no_room(place: Place, writings: t.Sequence[Writing], attributes: int = 0) -> list[Finding]:
    """The error when the disk has no room for the edit; or a finding that quotas cannot be checked in advance.

    :param attributes: bytes of extended attributes that each file gets.
    """
    try:
        room = room_of(place.descriptor)
        options = _mount(_mount_id(place.descriptor))[1]
    except (OSError, ValueError):
        return []
    message = shortage(room, writings, attributes)
    if message:
        return [TABLE.finding("env-disk-full", place.folder, message)]
    if any(map(_QUOTA.match, options)):
        message = "Its file system has quotas. Whether they leave room for the edit is known only when it is made."
        return [TABLE.finding("env-quota-unseen", place.folder, message)]
    return []


def room_of(folder: int) -> Room:
    """The free space of an open folder's file system; for root it includes the reserved blocks."""
    told = os.statvfs(folder)
    root = os.geteuid() == 0
    blocks = (told.f_bfree if root else told.f_bavail) if told.f_blocks else None
    inodes = (told.f_ffree if root else told.f_favail) if told.f_files else None
    block = told.f_frsize or told.f_bsize or 4096
    return Room(block, None if blocks is None else blocks * block, inodes)


def shortage(room: Room, writings: t.Sequence[Writing], attributes: int = 0) -> str:
    """What is missing for an edit, as a sentence; empty when there is room.

    All files have to fit at the same time: old files are removed only after the edit.
    """
    need = sum(_blocks(one.size, room.block) + (room.block if attributes > _IN_INODE else 0) for one in writings)
    if room.inodes is not None and room.inodes < len(writings):
        return f"Its file system has room for {room.inodes} more files (df -i), but the edit creates {len(writings)}."
    if room.free is not None and room.free < need:
        return (
            f"Its file system has {_size(room.free)} free, but the edit needs {_size(need)} for the new file, the "
            "backups and the notes beside them."
        )
    return ""


#: Bytes of extended attributes that fit into an inode of 256 bytes.
_IN_INODE = 96


def _blocks(size: int, block: int) -> int:
    return -(-size // block) * block


def _size(count: int) -> str:
    return f"{count / 1024:.0f} KiB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MiB"
