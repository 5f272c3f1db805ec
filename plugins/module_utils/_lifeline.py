# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends a step when its time is up or its controller is gone, together with all programs that it runs.

Once a second a timer signal interrupts the step, which then checks the clock and its standard output: if the connection
is cut or the controller has ended, the other end of that is closed. With a terminal (ssh -tt) SIGHUP comes as well. The
step is then ended by an exception, so that it cleans up as usual. If it hangs, a later check ends it without cleaning
up. No thread is used, so that fork stays safe.

What must not be interrupted (recreating containers, an edit) is finished first. If the step itself is killed, the
kernel kills the programs that it runs (PR_SET_PDEATHSIG).
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import threading
import time
import types
import typing as t

#: Why a step was ended.
Reason = t.Literal["controller", "deadline"]

#: Seconds between two checks, and seconds for cleaning up before the step is ended regardless.
_PAUSE = 1.0
_CLEARING = 30.0
_LAST_WORDS = b'{"failed": true, "msg": "The step did not finish within %.0f s, and hung when it was stopped."}\n'
_PR_SET_PDEATHSIG = 1
_OUTPUT = 1

_prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)


class Ended(BaseException):
    """Raised inside a step to end it. Not an Exception, so that no handler mistakes it for a failure of the work.

    :ivar limit: the seconds that the step was allowed.
    """

    def __init__(self, reason: Reason, limit: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.limit = limit


class _Lifeline:
    """The state of the step that runs in this process."""

    def __init__(self, limit: float, output: int) -> None:
        self.owner = os.getpid()
        self.limit = limit
        self.output = output
        self.deadline = time.monotonic() + limit
        self.holds = 0
        self.pending: Reason | None = None
        self.ended_at: float | None = None
        self.programs: set[int] = set()
        self._poll = select.poll()
        self._poll.register(output, 0)  # errors and hang-ups are always reported

    def look(self, _number: int, _frame: types.FrameType | None) -> None:
        if os.getpid() != self.owner:
            return
        now = time.monotonic()
        if self.ended_at is not None:
            # Past the deadline, even work that should be finished first is ended.
            if now - self.ended_at > _CLEARING and (not self.holds or now > self.deadline):
                self.end_programs()
                with contextlib.suppress(OSError):  # nobody may be reading
                    os.write(self.output, _LAST_WORDS % self.limit)
                os._exit(1)
        elif any(events & (select.POLLERR | select.POLLHUP) for _unused, events in self._poll.poll(0)):
            self.end("controller", now)
        elif now > self.deadline:
            self.end("deadline", now)

    def hung_up(self, _number: int, _frame: types.FrameType | None) -> None:
        if os.getpid() == self.owner and self.ended_at is None:
            self.end("controller", time.monotonic())

    def end(self, reason: Reason, now: float) -> None:
        self.ended_at = now
        if self.holds:
            self.pending = reason
        else:
            raise Ended(reason, self.limit)

    def end_programs(self) -> None:
        for pid in self.programs:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


_current: _Lifeline | None = None


@contextlib.contextmanager
def within(limit: float, output: int = _OUTPUT) -> t.Iterator[None]:
    """Run the block with a time limit, and only as long as somebody reads the output.

    :param limit: seconds.
    :param output: descriptor of the output for the answer.
    :raises Ended: inside the block, when it is ended.
    """
    global _current
    if threading.current_thread() is not threading.main_thread() or _current is not None:
        yield
        return
    lifeline = _Lifeline(limit, output)
    handlers: dict[signal.Signals, t.Any] = {signal.SIGALRM: lifeline.look}
    for number in (signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            handlers[number] = lifeline.hung_up
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    _current = lifeline
    try:
        signal.setitimer(signal.ITIMER_REAL, _PAUSE, _PAUSE)
        yield
    finally:
        lifeline.holds += 1  # from here on nothing is interrupted
        signal.setitimer(signal.ITIMER_REAL, 0)
        _current = None
        lifeline.end_programs()  # normally there are none left, unless the step was ended between two lines
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def finished_first() -> t.Iterator[None]:
    """A block that must not be interrupted: the step is ended only after it. It needs its own time limit."""
    lifeline = _current
    if lifeline is None:
        yield
        return
    lifeline.holds += 1
    try:
        yield
    finally:
        lifeline.holds -= 1
        if not lifeline.holds and lifeline.pending is not None:
            reason, lifeline.pending = lifeline.pending, None
            raise Ended(reason, lifeline.limit)


@contextlib.contextmanager
def waiting(longest: float) -> t.Iterator[t.Callable[[], None]]:
    """A block whose waiting time does not count against the limit, such as waiting for a lock.

    :param longest: seconds that the wait may take.
    :returns: a function to call when the wait is over; it is over at the end of the block at the latest.
    """
    lifeline, began, over = _current, time.monotonic(), False
    if lifeline is not None:
        lifeline.deadline += longest

    def done() -> None:
        nonlocal over
        if lifeline is not None and not over:
            lifeline.deadline -= max(longest - (time.monotonic() - began), 0.0)
        over = True

    try:
        yield done
    finally:
        done()


def began(pid: int) -> None:
    """Register a program that leads a process group, so that it is always ended with the step."""
    if _current is not None:
        _current.programs.add(pid)


def is_over(pid: int) -> None:
    """Unregister a program: it has ended, with its process group."""
    if _current is not None:
        _current.programs.discard(pid)


def end_with_parent(parent: int) -> None:
    """To be called in a new process: makes the kernel kill it when the thread that created it ends. prctl(2).

    :param parent: the process that created it; it may already have ended.
    """
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def leave() -> None:
    """To be called in a forked process that runs our own code: ending the step must not clean up in it."""
    for number in (signal.SIGALRM, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
