# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file as it was read: its content, owner and protection. Nothing here writes."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import typing as t

from .._findings.env_file import TABLE
from .._findings.model import Finding, FindingError
from .gate import Place, Refused, enter

#: Error of the system -> code of the finding; any other error is env-file-failed. Source: errno(3), open(2), rename(2).
_CODES = {
    errno.ENOENT: "env-file-missing",
    errno.EACCES: "env-file-denied",
    errno.EPERM: "env-file-denied",
    errno.EROFS: "env-file-read-only",
    errno.ENOSPC: "env-disk-full",
    errno.EDQUOT: "env-disk-full",
    errno.EBUSY: "env-file-mounted",
}


#: Not copied: what is computed from the content (IMA, EVM), and privileges for a program.
_NOT_COPIED = ("security.ima", "security.evm", "security.capability")

#: Bytes. No real environment file is larger; Mastodon's own sample has 4 KB. The limit keeps the folder's owner from
#: feeding the parsers a file that takes them forever.
LARGEST = 128 * 1024


#: Source: selinux(8).
_SELINUX = "/sys/fs/selinux/enforce"
_SELINUX_FIX = (
    "Look for the denial with ausearch -m AVC -ts recent. If the file or its directory has a wrong context (ls -Z), "
    "restore it with restorecon."
)


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A regular file at one moment.

    :ivar place: where it is; an edit replaces it there.
    :ivar attributes: extended attributes (SELinux label, ACL ...), name -> value.
    """

    place: Place
    data: bytes
    status: os.stat_result
    attributes: dict[str, bytes]

    @property
    def path(self) -> str:
        """The path that was asked for."""
        return self.place.asked

    @property
    def target(self) -> str:
        """The path of the file that an edit replaces, with all links followed."""
        return self.place.target

    @property
    def checksum(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return checksum(self.data)


def checksum(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def trouble(error: OSError, path: str, doing: str) -> Finding:
    """An error of the system as a finding.

    :param doing: what was tried, worded to follow "Could not".
    """
    if isinstance(error, Refused):
        return TABLE.finding("link-not-followed", path, f"{error.strerror}.", error.fix)
    code = _CODES.get(error.errno or 0, "env-file-failed")
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    if code != "env-file-denied":
        return TABLE.finding(code, path, f"Could not {doing}: {reason}.")
    who = f"It was tried as {f'uid {os.geteuid()}' if os.geteuid() else 'root'}."
    if os.geteuid() == 0 and _selinux_enforces():  # modes deny root nothing
        message = f"Could not {doing}: {reason}. {who} SELinux is enforcing on this host and may deny it."
        return TABLE.finding(code, path, message, _SELINUX_FIX)
    return TABLE.finding(code, path, f"Could not {doing}: {reason}. {who}")


def _selinux_enforces() -> bool:
    try:
        with open(_SELINUX, encoding="ascii") as setting:
            return setting.read(1) == "1"
    except OSError:
        return False


def followed(place: Place) -> list[Finding]:
    """A finding when the file is reached through a symbolic link."""
    if not place.links:
        return []
    message = f"It is reached through a symbolic link to {place.target}; that file is read and edited."
    return [TABLE.finding("link-followed", place.asked, message)]


def placed(finding: Finding, path: str) -> Finding:
    """A finding about a line, with the file's path added: the parsers know only the text, not the path."""
    if not finding.subject.startswith("line"):
        return finding
    return dataclasses.replace(finding, subject=f"{path}, {finding.subject}")


@contextlib.contextmanager
def opened(path: str, *, follow: bool = True) -> t.Iterator[Place]:
    """The place of a file, closed at the end of the C(with) block.

    :param follow: whether the path may end in a link.
    :raises FindingError: the folder does not exist or may not be entered, or a link on the path must not be followed.
    """
    try:
        place = enter(path, follow=follow)
    except FileNotFoundError:
        raise FindingError(_absent(path)) from None
    except OSError as error:
        raise FindingError(trouble(error, path, "open the file")) from None
    with place:
        yield place


def look(place: Place, allowed: t.Callable[[int], None] | None = None) -> Snapshot:
    """Read the file at a place; fails if it has become a link.

    :param allowed: called with the open file's descriptor before it is read; raises FindingError to forbid that.
    :raises FindingError: the file does not exist, is not a regular file, cannot be read, or is far too large.
    """
    path = place.asked
    try:
        descriptor = place.open_file()
    except FileNotFoundError:
        raise FindingError(_absent(path)) from None
    except OSError as error:
        kinds = {errno.ELOOP: "a link", errno.EISDIR: "a directory", errno.EINVAL: "not a regular file"}
        if error.errno in kinds:
            message = f"The path is {kinds[error.errno]}."
            raise FindingError(TABLE.finding("env-file-not-regular", path, message)) from None
        raise FindingError(trouble(error, path, "open the file")) from None
    try:
        if allowed:
            allowed(descriptor)
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            message = f"It is larger than {LARGEST // 1024} KB."
            raise FindingError(TABLE.finding("env-file-too-large", path, message))
        return Snapshot(place, data, os.fstat(descriptor), attributes_of(descriptor))
    except OSError as error:
        raise FindingError(trouble(error, path, "read the file")) from None
    finally:
        os.close(descriptor)


def _absent(path: str) -> Finding:
    with contextlib.suppress(OSError):  # not a link, or it has changed meanwhile
        where = os.readlink(path)
        return TABLE.finding("env-file-dangling", path, f"It is a link to {where}, which does not exist.")
    folder = os.path.dirname(os.path.abspath(path))
    missing = "The file does not exist." if os.path.isdir(folder) else f"The directory {folder} does not exist."
    return TABLE.finding("env-file-missing", path, missing)


def attributes_of(descriptor: int) -> dict[str, bytes]:
    """Extended attributes of an open file, without _NOT_COPIED; empty where the file system has none."""
    try:
        names = os.listxattr(descriptor)
    except OSError:
        return {}
    found = {}
    for name in names:
        if name in _NOT_COPIED:
            continue
        try:
            found[name] = os.getxattr(descriptor, name)
        except OSError:
            continue
    return found
