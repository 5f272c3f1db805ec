# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A step ends when its time is up, and when nobody is there any more to take its answer; and nothing outlives it.

Once a second the kernel interrupts the step, which then looks at the clock and at its standard output: when the
connection is cut or the controller has ended, the other end of that is closed. With a terminal (ssh -tt) there is a
SIGHUP besides. The step is then ended by an exception, so that what it has begun is cleared away as always. A second
look ends it without that, should it hang. No thread is needed, so that a fork stays safe.

What must not be left half done (the replacement of containers, an edit) is finished first. Should the step itself be
killed, the kernel ends the programs that it runs (PR_SET_PDEATHSIG).
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

#: Why a step is ended.
Reason = t.Literal["controller", "deadline"]

#: Seconds between two looks, and for clearing away before the step is ended without that.
_PAUSE = 1.0
_CLEARING = 30.0
_LAST_WORDS = b'{"failed": true, "msg": "The step did not finish within %.0f s, and hung when it was stopped."}\n'
_PR_SET_PDEATHSIG = 1
_OUTPUT = 1

_prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)


class Ended(BaseException):
    """Raised in the middle of a step to end it; no Exception, so that nobody takes it for a failure of the work.

    :ivar limit: the seconds that the step had.
    """

    def __init__(self, reason: Reason, limit: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.limit = limit


class _Lifeline:
    """What is known of the step that runs in this process."""

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
        self._poll.register(output, 0)  # an error and a hang-up are always told

    def look(self, _number: int, _frame: types.FrameType | None) -> None:
        if os.getpid() != self.owner:
            return
        now = time.monotonic()
        if self.ended_at is not None:
            # Even what must be finished has had its time when the deadline is past.
            if now - self.ended_at > _CLEARING and (not self.holds or now > self.deadline):
                self.end_programs()
                with contextlib.suppress(OSError):  # where nobody is there to take it
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
    """Do something in a bounded time, and only for as long as somebody takes what comes of it.

    :param limit: seconds.
    :param output: where the answer goes.
    :raises Ended: in the middle of it.
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
        lifeline.holds += 1  # nothing is interrupted any more
        signal.setitimer(signal.ITIMER_REAL, 0)
        _current = None
        lifeline.end_programs()  # there are none, but for one that an end caught between two lines
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def finished_first() -> t.Iterator[None]:
    """What must not be left half done: the step is ended only after it. It needs bounds of its own."""
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
    """Time that does not count, as when another run holds the lock.

    :param longest: seconds that the waiting may take.
    :returns: what to call when it is over; the end of the block is its end at the latest.
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
    """Know of a program that leads a process group, so that it is ended with the step whatever happens."""
    if _current is not None:
        _current.programs.add(pid)


def is_over(pid: int) -> None:
    """It has ended, and its group with it."""
    if _current is not None:
        _current.programs.discard(pid)


def end_with_parent(parent: int) -> None:
    """To be called in a new process: the kernel kills it when the thread that made it ends. prctl(2).

    :param parent: the process that made it; it may have ended already.
    """
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def leave() -> None:
    """To be called in a new process that goes on with our own code: what ends the step does not clear away here."""
    for number in (signal.SIGALRM, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
