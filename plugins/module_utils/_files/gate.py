# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Safe access to a host's files, for root working in folders that belong to other users.

Such a user can replace anything in his folder by a link at any moment. So each path is resolved once, component by
component from C(/), each opened relative to the one before. The file is then read, written and renamed relative to the
open folder, and its path is never resolved again. One rule decides about a symbolic link on the way: B(it is followed
if root, or the user who runs the module, created it. Any other link is followed only if its creator could go there
himself, and only to what he owns: the file, or the folder that holds it.) Otherwise the link would lend our rights to
its creator.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import collections
import dataclasses
import errno
import os
import pwd
import stat
import types
import typing as t

_PATH_ONLY = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
#: At most so many links are followed for one path, as in Linux: path_resolution(7).
MOST_LINKS = 40

#: With 1, nobody can create a hard link to a file that he may not write to. Source: proc(5).
_GUARD = "/proc/sys/fs/protected_hardlinks"


@dataclasses.dataclass(frozen=True)
class Link:
    """A symbolic link on a path.

    :ivar path: its own path, free of links.
    :ivar target: the text that it holds.
    :ivar owner: user number of its creator.
    """

    path: str
    target: str
    owner: int


class Refused(OSError):
    """A path that is not followed, because that would lend our rights to another user.

    :ivar strerror: why, as a sentence without its full stop.
    :ivar fix: what to do if the path is intended.
    """

    def __init__(self, path: str, why: str, fix: str) -> None:
        super().__init__(errno.EPERM, why, path)
        self.fix = fix


class Place:
    """A name in an open folder: a path that was resolved once. Close it, or use it in C(with).

    :ivar asked: the path that was asked for.
    :ivar folder: the folder's path without links, for messages; C(descriptor) is the open folder (O_PATH).
    :ivar name: the file's name in the folder; the file may not exist.
    :ivar links: the links that were followed.
    """

    def __init__(
        self, descriptor: int, folder: str, name: str, asked: str, links: tuple[Link, ...], claims: tuple[Link, ...]
    ) -> None:
        self.descriptor = descriptor
        self.folder = folder or "/"
        self.name = name
        self.asked = asked
        self.links = links
        self._claims = claims
        self._owned = True

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder."""
        if self._owned:
            self._owned = False
            os.close(self.descriptor)

    @property
    def target(self) -> str:
        """The path without links."""
        return os.path.join(self.folder, self.name)

    def beside(self, suffix: str) -> Place:
        """The file in the same folder whose name has C(suffix) added. It is valid until this place is closed."""
        path = self.target + suffix
        other = Place(self.descriptor, self.folder, self.name + suffix, path, (), ())
        other._owned = False
        return other

    def same_as(self, other: Place) -> bool:
        """Whether both are the same name in the same folder."""
        return self.name == other.name and os.path.samestat(os.fstat(self.descriptor), os.fstat(other.descriptor))

    def status(self) -> os.stat_result | None:
        """The status of what is there now (of a link itself); None when nothing is.

        :raises OSError: it cannot be determined.
        """
        try:
            return os.stat(self.name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open_file(self) -> int:
        """Open the regular file for reading and return the descriptor.

        Its type is checked before the real open, which alone could wake up the writer of a named pipe, or a device.

        :raises OSError: the file does not exist; IsADirectoryError; EINVAL for another kind of file; ELOOP for a link;
            Refused.
        """
        found = os.open(self.name, _PATH_ONLY, dir_fd=self.descriptor)
        try:
            status = os.fstat(found)
            if stat.S_ISLNK(status.st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self.asked)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.asked)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file", self.asked)
            for link in self._claims:
                _check(link, self.target, status, os.fstat(self.descriptor))
            if self._claims and not os.fstatvfs(found).f_blocks:  # in /proc we would read what its owner may not
                raise OSError(errno.EINVAL, "it is not a file on disk", self.asked)
            self._check_names(status)
            return os.open(f"/proc/self/fd/{found}", _READING)
        finally:
            os.close(found)

    def read(self, limit: int) -> bytes:
        """The content of the regular file.

        :raises OSError: as open_file does; EFBIG when the file has more than C(limit) bytes.
        """
        with open(self.open_file(), "rb") as stream:
            data = stream.read(limit + 1)
        if len(data) > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit // 1024} KB", self.asked)
        return data

    def _check_names(self, status: os.stat_result) -> None:
        """Refuse a file with hard links if another user may have created one: it then acts like a symbolic link."""
        folder = os.fstat(self.descriptor)
        if status.st_nlink > 1 and status.st_uid != folder.st_uid and not _keeps_others_out(folder):
            why = (
                f"{self.target} has {status.st_nlink} names and belongs to {_name(status.st_uid)}; "
                f"{_name(folder.st_uid)}, who owns this folder, may have created one of them"
            )
            raise Refused(self.target, why, "Set the sysctl fs.protected_hardlinks to 1, as distributions do.")


def enter(path: str, *, follow: bool = True, root: str = "", whole: bool = False) -> Place:
    """Resolve a path and open the folder that it ends in.

    :param follow: whether the last component may be a link.
    :param whole: the path is that of a folder, which is itself opened; C(name) is then a dot.
    :param root: another root directory, such as a container's. No link and no C(..) leads out of it, so its links are
        followed whoever created them.
    :raises OSError: a folder does not exist or may not be entered, or there are too many links; Refused.
    """
    if "\0" in path:
        raise OSError(errno.EINVAL, "it contains a NUL character", path)
    walk = _Walk(path, root)
    try:
        return walk.to_the_end(follow, whole)
    finally:
        walk.close()


def read(path: str, limit: int, *, root: str = "") -> bytes:
    """The content of the regular file at a path; parameters and errors as in enter and Place.read."""
    with enter(path, root=root) as place:
        return place.read(limit)


def owner(path: str) -> int:
    """The user who controls a folder: its owner; if that is root, the owner of the nearest folder above not root's.

    :raises OSError: as enter does.
    """
    walk = _Walk(path, "")
    try:
        walk.to_the_end(follow=True, whole=True)
        above = [0, *(user for user in walk.owners[:-1] if user)]
        return walk.owners[-1] or above[-1]
    finally:
        walk.close()


def real(path: str) -> str:
    """The path without links, for comparing and for messages only; use enter to open a file."""
    try:
        return os.path.realpath(path)
    except OSError:  # a link was replaced meanwhile
        return os.path.abspath(path)


class _Walk:
    """The resolution of one path: the open folders, and the components still to resolve."""

    def __init__(self, path: str, root: str) -> None:
        self._asked = path
        self._confined = bool(root)
        self._folders = [os.open(root or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
        self._names: list[str] = []
        self._links: list[Link] = []
        # A Link follows the components of its target: when it is reached, where they led to is checked.
        whole = path if root or path.startswith("/") else os.path.join(os.getcwd(), path)
        self._left: collections.deque[str | Link] = collections.deque(_parts(whole))

    def close(self) -> None:
        while self._folders:
            os.close(self._folders.pop())

    @property
    def owners(self) -> list[int]:
        """The owners of the open folders, the root directory first."""
        return [os.fstat(one).st_uid for one in self._folders]

    def to_the_end(self, follow: bool, whole: bool) -> Place:
        while self._left:
            part = self._left.popleft()
            if isinstance(part, Link):
                _check(part, self._path(), *map(os.fstat, self._folders[-1:-3:-1]))
            elif part == "..":
                self._up()
            else:
                last = not whole and not any(isinstance(one, str) for one in self._left)
                if last and not (follow and self._follow(part)):
                    return self._arrived(part)
                if not last:
                    self._down(part)
        return self._arrived(".")

    def _arrived(self, name: str) -> Place:
        claims = tuple(one for one in self._left if isinstance(one, Link))
        return Place(os.dup(self._folders[-1]), self._path(), name, self._asked, tuple(self._links), claims)

    def _path(self, name: str = "") -> str:
        return "".join(f"/{one}" for one in [*self._names, *([name] if name else [])])

    def _up(self) -> None:
        if self._names:
            self._names.pop()
            os.close(self._folders.pop())

    def _down(self, name: str) -> None:
        """Enter a folder, or follow a link; try again if one is replaced by the other meanwhile."""
        failed: OSError | None = None
        for _unused in range(MOST_LINKS):
            try:
                folder = os.open(name, _PATH_ONLY | os.O_DIRECTORY, dir_fd=self._folders[-1])
                self._folders.append(folder)
                self._names.append(name)
                self._may_go_on(os.fstat(folder))
                return
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                failed = error
            if self._follow(name):
                return
        raise failed or NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self._asked)

    def _may_go_on(self, folder: os.stat_result) -> None:
        """Refuse the folder if the creator of a link that led here may not enter it himself."""
        for link in self._left:
            if isinstance(link, Link) and not _may_search(link.owner, folder):
                raise _refused(link, f"into {self._path()}, which is closed to {_name(link.owner)}")

    def _follow(self, name: str) -> bool:
        """Replace a link by the components of its target; return False if it is not a link."""
        try:
            descriptor = os.open(name, _PATH_ONLY, dir_fd=self._folders[-1])
        except FileNotFoundError:
            return False
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISLNK(status.st_mode):
                return False
            target = os.readlink("", dir_fd=descriptor)
        finally:
            os.close(descriptor)
        folder = os.fstat(self._folders[-1])
        # Somebody else may have hard-linked a link of root's into this folder.
        moved = status.st_nlink > 1 and not _keeps_others_out(folder)
        link = Link(self._path(name), target, folder.st_uid if moved else status.st_uid)
        self._links.append(link)
        if len(self._links) > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._asked)
        if not self._confined and link.owner not in _trusted():
            self._left.appendleft(link)
        self._left.extendleft(reversed(_parts(target)))
        if target.startswith("/"):
            while self._names:
                self._up()
        return True


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _trusted() -> tuple[int, ...]:
    return (0, os.geteuid())


def _check(link: Link, found: str, *around: os.stat_result) -> None:
    """Refuse a link that led to something its creator does not own.

    :param found: the path that it led to.
    :param around: status of what it led to, and of the folder that holds it.
    """
    if all(status.st_uid != link.owner for status in around):
        raise _refused(link, f"to {found or '/'}, which belongs to {_name(around[0].st_uid)}")


def _refused(link: Link, where: str) -> Refused:
    why = f"{link.path} is a symbolic link that {_name(link.owner)} created, and it points {where}"
    fix = f"If the link is intended, give it to root: chown -h root {link.path}. If not, find out who created it."
    return Refused(link.path, f"{why}; such a link is not followed", fix)


def _may_search(user: int, folder: os.stat_result) -> bool:
    """Whether a user may enter a folder, by its mode. Source: path_resolution(7)."""
    if folder.st_uid == user:
        return bool(folder.st_mode & stat.S_IXUSR)
    return bool(folder.st_mode & (stat.S_IXGRP if folder.st_gid in _groups(user) else stat.S_IXOTH))


def _groups(user: int) -> t.Collection[int]:
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return ()
    return os.getgrouplist(entry.pw_name, entry.pw_gid)


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"uid {user}"


def _keeps_others_out(folder: os.stat_result) -> bool:
    """Whether nobody else can have hard-linked a file of ours into this folder."""
    ours = folder.st_uid in _trusted() and not folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return ours or _names_are_guarded()


def _names_are_guarded() -> bool:
    try:
        with open(_GUARD, encoding="utf-8") as setting:
            return setting.read().strip() != "0"
    except OSError:
        return False
