# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one program, perhaps as someone else, bounded in time and output, and leave nothing of it behind."""

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

#: Of each of the two outputs so much is kept: its beginning and, because results come last, more of its end.
HEAD = 128 * 1024
TAIL = 896 * 1024

#: After the program has ended, so long its pipes may still be held open by a child before the group is killed.
_LINGER = 1.0


@dataclasses.dataclass(frozen=True)
class Account:
    """A user of the host, with the groups that a login would give."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    groups: tuple[int, ...]

    @classmethod
    def named(cls, user: str, group: str = "", supplementary: t.Sequence[str] = ()) -> Account:
        """Look a user up by name or number; KeyError if it, or a group, does not exist.

        :param group: another primary group (a unit's Group=).
        :param supplementary: more groups (a unit's SupplementaryGroups=).
        """
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
        gid = _gid(group) if group else entry.pw_gid
        groups = {*os.getgrouplist(entry.pw_name, gid), *map(_gid, supplementary)}
        return cls(entry.pw_name, entry.pw_uid, gid, entry.pw_dir, entry.pw_shell, tuple(sorted(groups)))

    @property
    def current(self) -> bool:
        """Whether this process runs as this user already."""
        return os.geteuid() == self.uid


def _gid(group: str) -> int:
    return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid


class Kept:
    """An output as it comes in, of which a beginning and an end are kept."""

    def __init__(self, head: int, tail: int) -> None:
        self._head_size, self._tail_size = head, tail
        self._head = bytearray()
        self._tail = bytearray()
        self.dropped = 0

    def add(self, data: bytes) -> None:
        """Take in the next bytes."""
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
        """What was kept; a line in between says how much was not."""
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

    It gets a session of its own, exactly this environment, and C(stdin) followed by end of file.

    :param keep: how many bytes of each output's beginning and end are kept.
    :param account: become this user (only root can, and only needs to if it is another one).
    :param directory: where it starts: the very folder that the gate opens, since this is done with our rights.
    :raises OSError: it cannot be started: no such program, not allowed, a way to the directory that is not taken.
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
        with _lifeline.finished_first():  # an end must not come between its start and our knowing of it
            # The core knows nothing of Ansible, and run_command can neither change the user nor end a group in time.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function,subprocess-popen-preexec-fn
                list(command),
                cwd=f"/proc/self/fd/{place.descriptor}" if place else None,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                # A step has one thread, so that a fork is safe.
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
    """Whether a user could open an open file for reading himself, by this path; the kernel answers."""
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
    """How a program is started as another user."""
    if account is None or account.current:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": list(account.groups)}


def _converse(process: subprocess.Popen[bytes], stdin: bytes, outputs: tuple[Kept, Kept], deadline: float) -> bool:
    """Feed and drain the pipes until the program has ended. True when the time was up first."""
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
    """Send what the pipe takes; nothing is left to send when the program has closed it."""
    try:
        return unsent[os.write(pipe.fileno(), unsent[:65536]) :]
    except BlockingIOError:
        return unsent
    except BrokenPipeError:
        return memoryview(b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    # Also what the program left running: it holds the settings, perhaps a secret, and nobody waits for it.
    _kill_group(process.pid)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()
    _lifeline.is_over(process.pid)


def _kill_group(group: int) -> None:
    # ESRCH: nothing is left of it. EPERM: only processes that have become someone else's.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
