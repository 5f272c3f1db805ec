# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replace a file atomically: at any moment the path holds the old file or the new one.

The new content is written to a temporary file beside it, which gets the file's owner, group, mode and extended
attributes, is synced to disk, and is then renamed. All of that happens in the one folder that was opened; see gate.py.
A lock on the directory keeps two edits apart and leaves no file behind. Temporary files of a killed edit are removed by
the next one: while it holds the lock, they cannot belong to a running edit.
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

#: Kept forever: the file as it was before this collection first changed it.
FIRST_BACKUP = ".before-smtp"
#: The file as it was before the last edit.
ROLLING_BACKUP = ".last-smtp"
#: Beside the rolling backup: the checksum of the file after that edit, in the format of sha256sum. As long as the file
#: matches, nobody has edited it since, and the backup may be restored.
NOTE = ".sha256"
#: The journal of a pending edit; see unproved.py.
UNPROVED = ".smtp-unproved"
_KIN = (FIRST_BACKUP, ROLLING_BACKUP, ROLLING_BACKUP + NOTE, UNPROVED)

_ACL = "system.posix_acl_access"
_PAUSE = 0.05  # seconds between two tries to get the lock


@contextlib.contextmanager
def locked(place: Place, wait: float = 20.0) -> t.Iterator[None]:
    """Hold the lock for edits in the file's directory, and remove the temporary files of killed edits.

    :param wait: seconds to wait for another edit to end.
    :raises FindingError: C(env-file-busy) when it does not end; or the directory cannot be opened or locked.
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
    """Replace a file's content and keep its owner, mode and attributes. Call it while the lock is held.

    :param old: the file as it was read; if it has changed since, nothing is written.
    :param backups: also back up the old content (see FIRST_BACKUP, ROLLING_BACKUP).
    :param keep_last: leave the backups as they are; the rolling backup then belongs to this edit as well.
    :param modified: modification time of the new file, in nanoseconds; now when not given.
    :raises FindingError: the file changed meanwhile, or the system refused something; the file and its backups are
        then as before.
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
            # No access for others: the backup holds every secret of the instance.
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
            # A process started before this moment may have read the old file, so the new one must not look older.
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
    """The files that an edit puts beside the file. They are removed if the edit fails: no edit, no backup."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._put: list[tuple[str, str | None]] = []

    def replace(self, name: str, new: str) -> None:
        """Rename a new file into place; what it replaces keeps a second name until the edit is decided."""
        self._put.append((name, self._second_name(name)))
        _rename(self._place, new, name)

    def _second_name(self, name: str) -> str | None:
        """A hard link to what has the name; empty when nothing has it, None when a link is not possible."""
        second, folder = _own_name(name), self._place.descriptor
        try:
            os.link(name, second, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return ""
        except OSError:
            return None
        return second

    def keep(self) -> None:
        """The edit succeeded: drop what was replaced."""
        for _name, second in self._put:
            if second:
                self._remove(second)
        self._put.clear()

    def take_back(self) -> None:
        """The edit failed: restore what was replaced. Does nothing after keep()."""
        for name, second in reversed(self._put):
            with contextlib.suppress(OSError):
                if second:
                    _rename(self._place, second, name)
                elif second == "":
                    os.unlink(name, dir_fd=self._place.descriptor)
        self.keep()  # rename(2) does nothing where both names are the same file, so the second name may remain

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self._place.descriptor)


def put_beside(old: Snapshot, suffix: str, data: bytes) -> None:
    """Write a file beside another one, with its owner and protection. Call it while the lock is held.

    :raises OSError: the system refused it; the previous file, if any, is then unchanged.
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
    """Check, without writing, whether a file could be replaced.

    :raises FindingError: the file system is read-only, or the directory is not writable.
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
    """The checksum that the file had after the edit that made this backup; empty when there is no note of it.

    :raises FindingError: the note exists but cannot be read.
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
    """Whether the path still leads to the file that was read, with the same content."""
    with enter(old.path) as now:
        if not now.same_as(old.place):
            return False
    seen = look(old.place)
    return seen.data == old.data and seen.status.st_ino == old.status.st_ino


def _write(old: Snapshot, there: Place, data: bytes, mode: int, modified: int | None = None) -> str:
    """Write a temporary file with the owner and protection of the old one, sync it, and return its name."""
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
        os.fchmod(descriptor, mode & 0o777)  # never setuid or setgid
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
    """A unique name for a temporary file; see _sweep."""
    return f".{name}.{os.getpid()}-{secrets.token_hex(6)}.fediops"


def _rename(place: Place, old: str, new: str) -> None:
    os.rename(old, new, src_dir_fd=place.descriptor, dst_dir_fd=place.descriptor)


def _set_time(place: Place, name: str, modified: int) -> None:
    os.utime(name, ns=(time.time_ns(), modified), dir_fd=place.descriptor, follow_symlinks=False)


def _protect(descriptor: int, wanted: t.Mapping[str, bytes]) -> None:
    """Give a file exactly the wanted extended attributes, without an ACL that it inherited from the folder."""
    present = attributes_of(descriptor)
    if _ACL in present and _ACL not in wanted:
        os.removexattr(descriptor, _ACL)
    for name, value in wanted.items():
        if present.get(name) != value:
            os.setxattr(descriptor, name, value)


def _sweep(place: Place, folder: int) -> None:
    """Remove the temporary files of killed edits of this file and of its backups."""
    name = re.escape(place.name)
    pattern = re.compile(rf"\.{name}(?:{'|'.join(map(re.escape, _KIN))})?\.\d+-[0-9a-f]{{12}}\.fediops")
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder):
            if pattern.fullmatch(entry):
                os.unlink(entry, dir_fd=folder)


def _open_folder(place: Place) -> int:
    """Open the folder itself: an O_PATH descriptor can be neither locked, listed nor synced."""
    return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.descriptor)


def _sync(place: Place) -> None:
    descriptor = _open_folder(place)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
