# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way to the files of a host, where root works in folders of other users.

Such a user may put a link in the place of anything in his folder, at any moment. So a path is walked once, from C(/)
component by component, each opened in the one before; the file is then read, written and renamed in the open folder,
and its path is never looked up again. One rule decides about a link on the way: B(it is followed when root, or the user
who runs the module, created it; any other only where its creator may go himself, and only to what is his: the file, or
the folder that holds it.) Otherwise the link would lend our rights to the user who created it.
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
#: So many links are followed on one way. Linux: 40, path_resolution(7).
MOST_LINKS = 40

#: With 1, nobody can give a second name to a file that he may not write to. Source: proc(5).
_GUARD = "/proc/sys/fs/protected_hardlinks"


@dataclasses.dataclass(frozen=True)
class Link:
    """A symbolic link on the way.

    :ivar path: where it is, without further links.
    :ivar target: what it holds.
    :ivar owner: who made it: a user's number.
    """

    path: str
    target: str
    owner: int


class Refused(OSError):
    """A way that is not taken, because it would lend our rights to another user.

    :ivar strerror: why, as a sentence without its full stop.
    :ivar fix: what to do if the way is meant.
    """

    def __init__(self, path: str, why: str, fix: str) -> None:
        super().__init__(errno.EPERM, why, path)
        self.fix = fix


class Place:
    """A name in an open folder: the end of a way that was walked once. Close it, or use it in C(with).

    :ivar asked: the path that was asked for.
    :ivar folder: the folder's path without links, for messages; C(descriptor) is the folder itself (O_PATH).
    :ivar name: of the file in the folder; whether it is there is not known yet.
    :ivar links: those that were followed.
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
        """Let the folder go."""
        if self._owned:
            self._owned = False
            os.close(self.descriptor)

    @property
    def target(self) -> str:
        """The path without links."""
        return os.path.join(self.folder, self.name)

    def beside(self, suffix: str) -> Place:
        """The file of the same name with something added, in the same folder. It lives as long as this one."""
        path = self.target + suffix
        other = Place(self.descriptor, self.folder, self.name + suffix, path, (), ())
        other._owned = False
        return other

    def same_as(self, other: Place) -> bool:
        """Whether both are the same name in the same folder."""
        return self.name == other.name and os.path.samestat(os.fstat(self.descriptor), os.fstat(other.descriptor))

    def status(self) -> os.stat_result | None:
        """What is there now, be it a link; None when nothing is. OSError when that cannot be told."""
        try:
            return os.stat(self.name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open_file(self) -> int:
        """A descriptor of the regular file, for reading.

        It is looked at before it is really opened: the open alone would wake the writer of a named pipe, or a device.

        :raises OSError: there is none, IsADirectoryError, EINVAL for another kind of file, ELOOP for a link, Refused.
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
            if self._claims and not os.fstatvfs(found).f_blocks:  # /proc shows with our rights what is not its owner's
                raise OSError(errno.EINVAL, "it is not a file on disk", self.asked)
            self._check_names(status)
            return os.open(f"/proc/self/fd/{found}", _READING)
        finally:
            os.close(found)

    def read(self, limit: int) -> bytes:
        """The content of the regular file. OSError as for open_file, and EFBIG when it has more than C(limit) bytes."""
        with open(self.open_file(), "rb") as stream:
            data = stream.read(limit + 1)
        if len(data) > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit // 1024} KB", self.asked)
        return data

    def _check_names(self, status: os.stat_result) -> None:
        """A second name works as a link does: where the system lets anybody give one, only the owner's own counts."""
        folder = os.fstat(self.descriptor)
        if status.st_nlink > 1 and status.st_uid != folder.st_uid and not _keeps_others_out(folder):
            why = (
                f"{self.target} has {status.st_nlink} names and belongs to {_name(status.st_uid)}; "
                f"{_name(folder.st_uid)}, who owns this folder, may have created one of them"
            )
            raise Refused(self.target, why, "Set the sysctl fs.protected_hardlinks to 1, as distributions do.")


def enter(path: str, *, follow: bool = True, root: str = "", whole: bool = False) -> Place:
    """Walk to a path, and hold the folder that it ends in.

    :param follow: whether the last component may be a link.
    :param whole: the path is that of a folder, to be held itself; C(name) is then a dot.
    :param root: another root, which no link and no C(..) leads out of: that of a container, whose links are its own.
    :raises OSError: a folder is missing or barred, or the way has too many links; Refused.
    """
    if "\0" in path:
        raise OSError(errno.EINVAL, "it contains a NUL character", path)
    walk = _Walk(path, root)
    try:
        return walk.to_the_end(follow, whole)
    finally:
        walk.close()


def read(path: str, limit: int, *, root: str = "") -> bytes:
    """The content of the regular file at a path; see enter and Place.read for the rest."""
    with enter(path, root=root) as place:
        return place.read(limit)


def owner(path: str) -> int:
    """Whose folder this is: its owner; where that is root, the user who owns one above it and so decides what it is.

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
    """The path without links, to compare and to show. What is opened goes through enter."""
    try:
        return os.path.realpath(path)
    except OSError:  # what was a link is none any more
        return os.path.abspath(path)


class _Walk:
    """The way to one path: the folders that are open, and what is still to go."""

    def __init__(self, path: str, root: str) -> None:
        self._asked = path
        self._confined = bool(root)
        self._folders = [os.open(root or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
        self._names: list[str] = []
        self._links: list[Link] = []
        # A Link behind the components that it stands for: what they have led to is then looked at.
        whole = path if root or path.startswith("/") else os.path.join(os.getcwd(), path)
        self._left: collections.deque[str | Link] = collections.deque(_parts(whole))

    def close(self) -> None:
        while self._folders:
            os.close(self._folders.pop())

    @property
    def owners(self) -> list[int]:
        """Who owns the folders on the way, the root first."""
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
        """Into a folder, or along a link. While one is put in the place of the other, it is tried again."""
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
        """Whether those whose links have led here may enter this folder themselves."""
        for link in self._left:
            if isinstance(link, Link) and not _may_search(link.owner, folder):
                raise _refused(link, f"into {self._path()}, which is closed to {_name(link.owner)}")

    def _follow(self, name: str) -> bool:
        """Put in the place of a link what it leads to; False when it is none."""
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
        # A link of root may have got a second name here from somebody else.
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
    """Whether a link led to what is its creator's own.

    :param around: of what it led to, and of the folder that holds that.
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
    """Whether no name in this folder can be one that somebody else has given to a file of ours."""
    ours = folder.st_uid in _trusted() and not folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return ours or _names_are_guarded()


def _names_are_guarded() -> bool:
    try:
        with open(_GUARD, encoding="utf-8") as setting:
            return setting.read().strip() != "0"
    except OSError:
        return False
