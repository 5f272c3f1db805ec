# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one program, optionally as another user, with limits on time and output, and leave no process behind."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import grp
import os
import pwd
import selectors
import signal
import subprocess
import time
import typing as t

from .. import _lifeline
from .._files import gate
from .model import Completed

#: Bytes kept of each output: of its beginning, and more of its end, because results come last.
HEAD = 128 * 1024
TAIL = 896 * 1024

#: Seconds that a child may hold the pipes open after the program has ended, before the group is killed.
_LINGER = 1.0


@dataclasses.dataclass(frozen=True)
class Account:
    """A user of the host, with the groups that a login would have."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    groups: tuple[int, ...]

    @classmethod
    def named(cls, user: str, group: str = "", supplementary: t.Sequence[str] = ()) -> Account:
        """Look up a user by name or number.

        :param group: another primary group (a unit's Group=).
        :param supplementary: additional groups (a unit's SupplementaryGroups=).
        :raises KeyError: the user or a group does not exist.
        """
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
        gid = _gid(group) if group else entry.pw_gid
        groups = {*os.getgrouplist(entry.pw_name, gid), *map(_gid, supplementary)}
        return cls(entry.pw_name, entry.pw_uid, gid, entry.pw_dir, entry.pw_shell, tuple(sorted(groups)))

    @property
    def current(self) -> bool:
        """Whether this process already runs as this user."""
        return os.geteuid() == self.uid


def _gid(group: str) -> int:
    return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid


class Kept:
    """A buffer for an output that keeps only its beginning and its end."""

    def __init__(self, head: int, tail: int) -> None:
        self._head_size, self._tail_size = head, tail
        self._head = bytearray()
        self._tail = bytearray()
        self.dropped = 0

    def add(self, data: bytes) -> None:
        """Add the next bytes."""
        room = self._head_size - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        excess = len(self._tail) - self._tail_size
        if excess > 0:
            # Drop whole lines, so that what remains never begins inside one.
            line_end = self._tail.find(b"\n", excess - 1)
            excess = line_end + 1 if line_end >= 0 else excess
            del self._tail[:excess]
            self.dropped += excess

    @property
    def data(self) -> bytes:
        """The kept output, with a line in the middle that says how much was dropped."""
        gap = b"\n[%d bytes left out]\n" % self.dropped if self.dropped else b""
        return bytes(self._head) + gap + bytes(self._tail)


def run(
    command: t.Sequence[str],
    *,
    environment: t.Mapping[str, str],
    timeout: float,
    stdin: bytes = b"",
    directory: str | None = None,
    account: Account | None = None,
    keep: tuple[int, int] = (HEAD, TAIL),
) -> Completed:
    """Run a program to its end, or to C(timeout) seconds, after which it is killed with all its children.

    It runs in a new session, with exactly this environment, and reads C(stdin) followed by end of file.

    :param keep: bytes to keep of the beginning and the end of each output.
    :param account: the user to run it as (only root can switch to another user).
    :param directory: its working directory, entered through _files.gate because it is entered with our rights.
    :raises OSError: it cannot be started: no such program, no permission, or the path of the directory is refused.
    """
    with contextlib.ExitStack() as held:
        place = held.enter_context(gate.enter(directory, whole=True)) if directory else None
        return _run(command, environment, timeout, stdin, place, account, keep)


def _run(
    command: t.Sequence[str],
    environment: t.Mapping[str, str],
    timeout: float,
    stdin: bytes,
    place: gate.Place | None,
    account: Account | None,
    keep: tuple[int, int],
) -> Completed:
    parent = os.getpid()
    outputs = (Kept(*keep), Kept(*keep))
    process: subprocess.Popen[bytes] | None = None
    try:
        with _lifeline.finished_first():  # a signal must not end us between its start and our knowing its pid
            # This code does not depend on Ansible, and run_command can neither switch users nor kill a group in time.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function,subprocess-popen-preexec-fn
                list(command),
                cwd=f"/proc/self/fd/{place.descriptor}" if place else None,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                # A step has only one thread, so preexec_fn is safe.
                preexec_fn=lambda: _lifeline.end_with_parent(parent),
                **_as(account),
            )
            _lifeline.began(process.pid)
        timed_out = _converse(process, stdin, outputs, time.monotonic() + timeout)
    finally:
        if process is not None:
            with _lifeline.finished_first():
                _end(process)
    return Completed(
        returncode=process.returncode,
        stdout=outputs[0].data,
        stderr=outputs[1].data,
        timed_out=timed_out,
        truncated=any(output.dropped for output in outputs),
    )


def may_read(account: Account, path: str, descriptor: int) -> bool:
    """Whether a user may read an open file by this path; the kernel decides."""
    if account.current:
        return True
    there = f"/proc/self/fd/{descriptor}"
    done = subprocess.run(  # pylint: disable=ansible-bad-function
        ["test", "-r", there, "-a", path, "-ef", there],
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        pass_fds=(descriptor,),
        check=False,
        **_as(account),
    )
    return done.returncode == 0


def _as(account: Account | None) -> dict[str, t.Any]:
    """The arguments that make Popen start a program as another user."""
    if account is None or account.current:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": list(account.groups)}


def _converse(process: subprocess.Popen[bytes], stdin: bytes, outputs: tuple[Kept, Kept], deadline: float) -> bool:
    """Feed and drain the pipes until the program has ended; return True if the time ran out first."""
    if not (process.stdin and process.stdout and process.stderr):
        raise ValueError("the program was started without pipes")
    unsent = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        for stream, output in ((process.stdout, outputs[0]), (process.stderr, outputs[1])):
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, output)
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        ended_at: float | None = None
        while selector.get_map():
            now = time.monotonic()
            if ended_at is None and process.poll() is not None:
                ended_at = now
            if ended_at is not None and now - ended_at > _LINGER:
                return False
            if ended_at is None and now >= deadline:
                return True
            for key, _unused in selector.select(min(0.2, max(deadline - now, 0.01))):
                if key.data is None:
                    unsent = _feed(process.stdin, unsent)
                    if not unsent:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                else:
                    chunk = os.read(key.fd, 65536)
                    if chunk:
                        key.data.add(chunk)
                    else:
                        selector.unregister(key.fileobj)
    try:
        process.wait(max(deadline - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        return True
    return False


def _feed(pipe: t.IO[bytes], unsent: memoryview) -> memoryview:
    """Send as much as the pipe takes and return the rest; nothing is left once the program has closed it."""
    try:
        return unsent[os.write(pipe.fileno(), unsent[:65536]) :]
    except BlockingIOError:
        return unsent
    except BrokenPipeError:
        return memoryview(b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    # Children that the program left running are killed too: they hold the settings, perhaps a secret.
    _kill_group(process.pid)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()
    _lifeline.is_over(process.pid)


def _kill_group(group: int) -> None:
    # ESRCH: no process is left. EPERM: only processes of other users are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
