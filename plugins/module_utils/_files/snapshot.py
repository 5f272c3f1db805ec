# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""A file as it was found: its bytes, who owns it, what protects it. Reading only."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import stat

from .._findings.env_file import TABLE
from .._findings.model import Finding, FindingError

#: What the system says -> finding; anything else is env-file-failed. Source: errno(3), open(2), rename(2).
_CODES = {
    errno.ENOENT: "path-missing",
    errno.EACCES: "env-file-denied",
    errno.EPERM: "env-file-denied",
    errno.EROFS: "env-file-read-only",
    errno.ENOSPC: "env-disk-full",
    errno.EDQUOT: "env-disk-full",
}


#: Bytes. No environment file is larger; what is would only fill the memory.
LARGEST = 16 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A regular file at one moment.

    :ivar path: the path as it was asked for.
    :ivar target: the same with all links followed: the file that an edit replaces.
    :ivar attributes: extended attributes (SELinux label, ACL ...), name -> value.
    """

    path: str
    target: str
    data: bytes
    status: os.stat_result
    attributes: dict[str, bytes]

    @property
    def checksum(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return checksum(self.data)


def checksum(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def trouble(error: OSError, path: str, doing: str) -> Finding:
    """An error of the system as a finding.

    :param doing: what was tried, as it fits behind "The system refused to".
    """
    code = _CODES.get(error.errno or 0, "env-file-failed")
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return TABLE.finding(code, path, f"The system refused to {doing}: {reason}.")


def look(path: str, *, follow: bool = True) -> Snapshot:
    """The file at a path.

    :param follow: whether the path may be a link; where the directory is somebody else's, it may lead anywhere.
    :raises FindingError: when there is no file, it is no regular file, it cannot be read, or it is far too large.
    """
    folder, name = os.path.split(os.path.abspath(path))
    target = os.path.realpath(path) if follow else os.path.join(os.path.realpath(folder), name)
    try:
        # O_NONBLOCK: a named pipe in the place of the file must not make us wait for its writer.
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise FindingError(_absent(path)) from None
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise FindingError(TABLE.finding("env-file-not-regular", path, "The path is a link.")) from None
        raise FindingError(trouble(error, path, "open the file")) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise FindingError(TABLE.finding("env-file-not-regular", path, f"The path is {kind}."))
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return Snapshot(path, target, data, status, attributes_of(descriptor))
    except OSError as error:
        raise FindingError(trouble(error, path, "read the file")) from None
    finally:
        os.close(descriptor)


def _absent(path: str) -> Finding:
    if os.path.islink(path):
        return TABLE.finding("env-file-dangling", path, f"It is a link to {os.readlink(path)}, which does not exist.")
    folder = os.path.dirname(os.path.abspath(path))
    missing = "There is no such file." if os.path.isdir(folder) else f"There is no directory {folder}."
    return TABLE.finding("path-missing", path, missing)


def attributes_of(descriptor: int) -> dict[str, bytes]:
    """Extended attributes of an open file; empty where the file system has none.

    What the kernel keeps over the content of a file (IMA, EVM) is not among them: it cannot be copied.
    """
    try:
        names = os.listxattr(descriptor)
    except OSError:
        return {}
    found = {}
    for name in names:
        if name in ("security.ima", "security.evm"):
            continue
        try:
            found[name] = os.getxattr(descriptor, name)
        except OSError:
            continue
    return found
