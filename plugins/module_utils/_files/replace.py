# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Putting a new content in the place of a file, all at once: at any moment the path holds the old file or the new one.

The new content is written beside the file under a name of its own, gets owner, group, mode and extended attributes of
the file, reaches the disk, and then takes the file's name. All of it happens in the one folder that was opened; see
gate.py. One lock on the directory keeps two such edits apart and leaves nothing behind. What a killed edit left is
removed by the next one: while the lock is held, no such file can belong to anybody else.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import time
import typing as t

from .._findings.env_file import TABLE
from .._findings.model import FindingError
from .gate import Place, enter
from .snapshot import Snapshot, attributes_of, checksum, look, trouble

#: Kept for good: the file as it was before this collection ever changed it.
FIRST_BACKUP = ".before-smtp"
#: The file as it was before the last edit.
ROLLING_BACKUP = ".last-smtp"
#: Beside the rolling backup: the checksum of the file as that edit left it, in the format of sha256sum. While it holds,
#: nobody has edited the file since, and the backup may be put back.
NOTE = ".sha256"
#: There only while an edit is not yet proved; see unproved.py.
UNPROVED = ".smtp-unproved"
_KIN = (FIRST_BACKUP, ROLLING_BACKUP, ROLLING_BACKUP + NOTE, UNPROVED)

_ACL = "system.posix_acl_access"
_PAUSE = 0.05  # seconds between two tries to get the lock


@contextlib.contextmanager
def locked(place: Place, wait: float = 20.0) -> t.Iterator[None]:
    """Hold the lock for edits of a file (and of its neighbours), and clear away what killed edits left.

    :param wait: seconds to wait for another edit to end.
    :raises FindingError: C(env-file-busy) when it does not end, or what keeps the directory from being opened.
    """
    try:
        descriptor = _open_folder(place)
    except OSError as error:
        raise FindingError(trouble(error, place.folder, "open the directory")) from None
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    message = f"Another edit in {place.folder} has been in progress for {wait:.0f} seconds."
                    raise FindingError(TABLE.finding("env-file-busy", place.asked, message)) from None
                time.sleep(_PAUSE)
            except OSError as error:
                raise FindingError(trouble(error, place.folder, "lock the directory")) from None
        _sweep(place, descriptor)
        yield
    finally:
        os.close(descriptor)


def replace(
    old: Snapshot, data: bytes, *, backups: bool = False, keep_last: bool = False, modified: int | None = None
) -> None:
    """Replace a file, keeping everything but its content. Call it while the lock is held.

    :param old: the file as it was looked at; if it is another one by now, nothing is changed.
    :param backups: also keep what is replaced (see FIRST_BACKUP, ROLLING_BACKUP).
    :param keep_last: the rolling backup stays as it is, and belongs to this edit now as well.
    :param modified: modification time of the result in nanoseconds; now when not given.
    :raises FindingError: when the file changed meanwhile, or with what the system refused; the file is then as before,
        and so are its backups.
    """
    place = old.place
    written: list[str] = []
    beside = _Beside(place)

    def put(there: Place, content: bytes, mode: int, modified: int | None = None) -> None:
        written.append(_write(old, there, content, mode, modified))
        beside.replace(there.name, written[-1])
        written.pop()

    try:
        written.append(_write(old, place, data, old.status.st_mode))
        if backups:
            # Owner and group keep their access, nobody else gets any: the file holds every secret of the instance.
            guarded = old.status.st_mode & ~0o007
            for there in [] if keep_last else _wanted_backups(place):
                put(there, old.data, guarded, old.status.st_mtime_ns)
            note = f"{checksum(data)}  {place.name}\n".encode("utf-8", "surrogateescape")
            put(place.beside(ROLLING_BACKUP + NOTE), note, guarded)
        if not _unchanged(old):
            message = "Somebody else changed the file at the same moment; it was left unchanged."
            raise FindingError(TABLE.finding("env-file-changed", old.path, message))
        new = written[-1]
        _set_time(place, new, time.time_ns() if modified is None else modified)
        _rename(place, new, place.name)
        written.pop()
        beside.keep()
        if modified is None:
            # What started before this moment may have read the old file, so the file must not look older.
            _set_time(place, place.name, time.time_ns())
        _sync(place)
    except OSError as error:
        raise FindingError(trouble(error, old.path, "replace the file")) from None
    finally:
        beside.take_back()
        for name in written:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=place.descriptor)


class _Beside:
    """What an edit puts beside the file: taken back when the edit is not made, so that no backup is of no edit."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._put: list[tuple[str, str | None]] = []

    def replace(self, name: str, new: str) -> None:
        """Give a file that was written its name; what had it keeps a second one for as long as it takes."""
        self._put.append((name, self._second_name(name)))
        _rename(self._place, new, name)

    def _second_name(self, name: str) -> str | None:
        """Empty when nothing has the name; None when a second one cannot be given, as on file systems without links."""
        second, folder = _own_name(name), self._place.descriptor
        try:
            os.link(name, second, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return ""
        except OSError:
            return None
        return second

    def keep(self) -> None:
        """The edit was made: what was replaced may go."""
        for _name, second in self._put:
            if second:
                self._remove(second)
        self._put.clear()

    def take_back(self) -> None:
        """The edit was not made. Nothing to do after keep()."""
        for name, second in reversed(self._put):
            with contextlib.suppress(OSError):
                if second:
                    _rename(self._place, second, name)
                elif second == "":
                    os.unlink(name, dir_fd=self._place.descriptor)
        self.keep()  # a file that has both names still has them: rename(2)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self._place.descriptor)


def put_beside(old: Snapshot, suffix: str, data: bytes) -> None:
    """Write a file that belongs to another one, with its owner and protection. Call it while the lock is held.

    :raises OSError: with what the system refused; what was there before is then still there.
    """
    there = old.place.beside(suffix)
    new = _write(old, there, data, old.status.st_mode & ~0o007)
    try:
        _rename(there, new, there.name)
    except OSError:
        os.unlink(new, dir_fd=there.descriptor)
        raise
    _sync(there)


def writable(old: Snapshot) -> None:
    """Look, without writing, whether a file could be replaced.

    :raises FindingError: when the file system or the directory does not allow it.
    """
    descriptor = old.place.descriptor
    try:
        if os.statvfs(descriptor).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=descriptor):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise FindingError(trouble(error, old.path, "replace the file")) from None


def noted(backup: Place) -> str:
    """Checksum of the file as the edit left it that this backup was made for; empty when nothing tells it.

    :raises FindingError: when the note is there, but cannot be read.
    """
    try:
        text = look(backup.beside(NOTE)).data.decode("utf-8", "replace")
    except FindingError as error:
        if error.finding.code == "env-file-missing":
            return ""
        raise
    return text.split(" ", 1)[0]


def _wanted_backups(place: Place) -> list[Place]:
    first = place.beside(FIRST_BACKUP)
    return [*([] if first.status() else [first]), place.beside(ROLLING_BACKUP)]


def _unchanged(old: Snapshot) -> bool:
    """Whether the path still leads to the file that was looked at."""
    with enter(old.path) as now:
        if not now.same_as(old.place):
            return False
    seen = look(old.place)
    return seen.data == old.data and seen.status.st_ino == old.status.st_ino


def _write(old: Snapshot, there: Place, data: bytes, mode: int, modified: int | None = None) -> str:
    """A new file beside another, on the disk and with the owner and protection of the old one; its name."""
    name = _own_name(there.name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=there.descriptor)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as stream:
            stream.write(data)
        mine = os.fstat(descriptor)
        if (mine.st_uid, mine.st_gid) != (old.status.st_uid, old.status.st_gid):
            os.fchown(descriptor, old.status.st_uid, old.status.st_gid)
        _protect(descriptor, old.attributes)
        os.fchmod(descriptor, mode & 0o777)  # never a program with the rights of its owner
        if modified is not None:
            os.utime(descriptor, ns=(modified, modified))
        os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=there.descriptor)
        raise
    finally:
        os.close(descriptor)
    return name


def _own_name(name: str) -> str:
    """A name that nothing else has; see _sweep."""
    return f".{name}.{os.getpid()}-{secrets.token_hex(6)}.fediops"


def _rename(place: Place, old: str, new: str) -> None:
    os.rename(old, new, src_dir_fd=place.descriptor, dst_dir_fd=place.descriptor)


def _set_time(place: Place, name: str, modified: int) -> None:
    os.utime(name, ns=(time.time_ns(), modified), dir_fd=place.descriptor, follow_symlinks=False)


def _protect(descriptor: int, wanted: t.Mapping[str, bytes]) -> None:
    """Give a file the extended attributes of another: neither less nor (an inherited ACL) more."""
    present = attributes_of(descriptor)
    if _ACL in present and _ACL not in wanted:
        os.removexattr(descriptor, _ACL)
    for name, value in wanted.items():
        if present.get(name) != value:
            os.setxattr(descriptor, name, value)


def _sweep(place: Place, folder: int) -> None:
    """Remove what killed edits of this file and of its backups left behind."""
    name = re.escape(place.name)
    pattern = re.compile(rf"\.{name}(?:{'|'.join(map(re.escape, _KIN))})?\.\d+-[0-9a-f]{{12}}\.fediops")
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder):
            if pattern.fullmatch(entry):
                os.unlink(entry, dir_fd=folder)


def _open_folder(place: Place) -> int:
    """The folder itself: what only names a place cannot be locked, listed or brought to the disk."""
    return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.descriptor)


def _sync(place: Place) -> None:
    descriptor = _open_folder(place)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
