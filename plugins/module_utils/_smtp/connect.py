# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolve a host name and open TCP connections: each address separately, all at the same time."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import errno
import os
import selectors
import socket
import threading
import time
import typing as t

from .._diagnosis.model import Kind
from .deadline import Deadline
from .trouble import Stopped

Family = t.Literal["ipv4", "ipv6"]
Outcome = t.Literal["connected", "timed out", "refused", "unreachable", "not tried"]

#: Large relays have a dozen addresses per name; connecting to all of them looks like an attack and shows no more.
ADDRESSES_PER_FAMILY = 2

_OUTCOMES: dict[int, Outcome] = {errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timed out"}
_FAMILIES: dict[int, Family] = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One address of the relay; candidates are in the order of the system's resolver, which Ruby uses as well."""

    family: Family
    address: str
    sockaddr: tuple[t.Any, ...]

    def at_port(self, port: int) -> Candidate:
        """The same address with another port."""
        return dataclasses.replace(self, sockaddr=(self.sockaddr[0], port, *self.sockaddr[2:]))


@dataclasses.dataclass
class Attempt:
    """The result of connecting to one address.

    :ivar seconds: how long it took; None without an outcome.
    :ivar errno_name: C(ECONNREFUSED) and the like.
    :ivar sock: the open connection; whoever takes it must close it.
    """

    candidate: Candidate
    outcome: Outcome = "not tried"
    seconds: float | None = None
    errno_name: str = ""
    sock: socket.socket | None = None

    def take(self) -> socket.socket:
        """Hand over the open connection."""
        if self.sock is None:
            raise ValueError("there is no connection to take")
        sock, self.sock = self.sock, None
        return sock

    def discard(self) -> None:
        """Close the connection if nobody took it."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def stopped(self) -> Stopped:
        """The failure of this attempt."""
        kind: Kind = (
            "refused" if self.outcome == "refused" else "timed-out" if self.outcome == "timed out" else "unreachable"
        )
        words = os.strerror(getattr(errno, self.errno_name)) if hasattr(errno, self.errno_name) else ""
        return Stopped(kind, words, errno_name=self.errno_name)


def resolve(host: str, port: int, deadline: Deadline) -> list[Candidate]:
    """The addresses of a name, in the system's order.

    The system's resolver has no timeout, so it runs in a thread that is abandoned when time is up.

    :raises Stopped: "name-unknown", "name-unanswered".
    """
    answers: list[t.Any] = []

    def ask() -> None:
        try:
            answers.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(deadline.left())
    if not answers:
        raise Stopped("name-unanswered", "the resolver did not answer in time")
    answer = answers[0]
    if isinstance(answer, socket.gaierror):
        unanswered = answer.errno in (socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM)
        raise Stopped("name-unanswered" if unanswered else "name-unknown", f"getaddrinfo: {answer.strerror}")
    if isinstance(answer, Exception):
        raise Stopped("name-unknown", f"getaddrinfo: {answer}")
    candidates = [
        Candidate(_FAMILIES[family], str(sockaddr[0]), sockaddr)
        for family, _type, _protocol, _name, sockaddr in answer
        if family in _FAMILIES
    ]
    return list(dict.fromkeys(candidates))


def connect_all(candidates: t.Sequence[Candidate], deadline: Deadline) -> list[Attempt]:
    """Connect to all of them at once, until each has an outcome or the deadline has passed. Raises nothing."""
    attempts = [Attempt(candidate) for candidate in candidates]
    begun = time.monotonic()
    with selectors.DefaultSelector() as waiting:
        for attempt in attempts:
            _begin(attempt, waiting)
        while waiting.get_map() and not deadline.passed:
            for key, _unused in waiting.select(deadline.remaining):
                waiting.unregister(key.fileobj)
                sock = t.cast(socket.socket, key.fileobj)
                _settle(key.data, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), time.monotonic() - begun)
        for key in list(waiting.get_map().values()):
            waiting.unregister(key.fileobj)
            _settle(key.data, errno.ETIMEDOUT, time.monotonic() - begun)
    return attempts


def first_of_each_family(candidates: t.Sequence[Candidate], count: int) -> list[Candidate]:
    """The first C(count) candidates of each address family, in the given order."""
    seen: dict[str, int] = {}
    chosen: list[Candidate] = []
    for candidate in candidates:
        seen[candidate.family] = seen.get(candidate.family, 0) + 1
        if seen[candidate.family] <= count:
            chosen.append(candidate)
    return chosen


def connect(candidate: Candidate, deadline: Deadline) -> socket.socket:
    """Open one connection.

    :raises Stopped: there is no connection.
    """
    attempt = connect_all([candidate], deadline)[0]
    if attempt.outcome != "connected":
        raise attempt.stopped()
    return attempt.take()


def _begin(attempt: Attempt, waiting: selectors.BaseSelector) -> None:
    """Start connecting; immediate failures (no IPv6 on this host, no route) are recorded at once."""
    candidate = attempt.candidate
    try:
        sock = socket.socket(socket.AF_INET6 if candidate.family == "ipv6" else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        _settle(attempt, error.errno or errno.EAFNOSUPPORT, 0.0)
        return
    attempt.sock = sock
    sock.setblocking(False)
    try:
        code = sock.connect_ex(candidate.sockaddr)
    except OSError as error:
        code = error.errno or errno.EINVAL
    if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
        waiting.register(sock, selectors.EVENT_WRITE, attempt)
    else:
        _settle(attempt, code, 0.0)


def _settle(attempt: Attempt, code: int, seconds: float) -> None:
    attempt.seconds = round(seconds, 3)
    # A reset means that the connection was established and then cut; the dialogue will see that.
    if code in (0, errno.ECONNRESET):
        attempt.outcome = "connected"
        return
    attempt.errno_name = errno.errorcode.get(code, "")
    attempt.outcome = _OUTCOMES.get(code, "unreachable")
    attempt.discard()
