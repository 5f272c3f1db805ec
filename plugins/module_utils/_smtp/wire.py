# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends and reads lines on a socket, plain or encrypted, with limits on time and size."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import errno
import socket
import ssl

from .deadline import ANSWER_SECONDS, Deadline
from .reply import Reply, parse_line, readable
from .trouble import Stopped

#: RFC 5321, 4.5.3.1.5 allows 512 bytes. Generous, because Ruby has no limit at all.
LINE_BYTES = 8192
#: Far more lines than any real relay's answer to EHLO.
REPLY_LINES = 100


class Wire:
    """One connection to a relay.

    Every method raises Stopped and nothing else: "timed-out", "closed", "garbage", "too-long", "tls".
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline
        self._unread = b""

    def say(self, line: bytes) -> Reply:
        """Send one command line and read the reply to it."""
        self._send(line + b"\r\n")
        return self.reply()

    def reply(self) -> Reply:
        """Read one reply of one or many lines."""
        deadline = self.deadline.within(ANSWER_SECONDS)
        code = 0
        texts: list[str] = []
        while len(texts) < REPLY_LINES:
            line = self._line(deadline)
            parsed = parse_line(line)
            if parsed is None:
                raise Stopped("garbage", readable(line[:200]))
            number, more, text = parsed
            code = code or number
            texts.append(text)
            if not more:
                return Reply(code, tuple(texts))
        raise Stopped("too-long", f"a reply of more than {REPLY_LINES} lines")

    def take_unread(self) -> bytes:
        """Take the bytes that arrived unasked, so that none of them can count as received under TLS."""
        unread, self._unread = self._unread, b""
        return unread

    def wait_for_bytes(self, deadline: Deadline) -> bool:
        """Wait until the deadline; return whether anything arrived or the connection ended."""
        if self._unread:
            return True
        try:
            self.sock.settimeout(deadline.left())
            self._unread = self.sock.recv(4096)
        except (Stopped, socket.timeout):
            return False
        except OSError:
            return True
        return True

    def quit(self) -> None:
        """Send QUIT and close. The answer does not matter, so the wait for it is short."""
        self.deadline = self.deadline.within(1.0)
        with contextlib.suppress(Stopped):
            self.say(b"QUIT")
        self.close()

    def close(self) -> None:
        """Close without QUIT."""
        with contextlib.suppress(OSError):
            self.sock.close()

    def _send(self, data: bytes) -> None:
        try:
            self.sock.settimeout(self.deadline.within(ANSWER_SECONDS).left())
            self.sock.sendall(data)
        except OSError as error:
            raise _ended(error) from None

    def _line(self, deadline: Deadline) -> bytes:
        while b"\n" not in self._unread:
            if len(self._unread) > LINE_BYTES:
                raise Stopped("too-long", readable(self._unread[:200]))
            try:
                self.sock.settimeout(deadline.left())
                data = self.sock.recv(4096)
            except OSError as error:
                raise _ended(error) from None
            if not data:
                if self._unread:
                    raise Stopped("closed", f"in the middle of a line: {readable(self._unread[:200])}")
                raise Stopped("closed")
            self._unread += data
        line, self._unread = self._unread.split(b"\n", 1)
        if len(line) > LINE_BYTES:
            raise Stopped("too-long", readable(line[:200]))
        return line.rstrip(b"\r")


def _ended(error: OSError) -> Stopped:
    """Like stopped_by(), but a reset counts as an ordinary close.

    When a server closes, we see a close or a reset, depending only on whether a line of ours was already under way.
    """
    stopped = stopped_by(error)
    return Stopped("closed", stopped.message) if stopped.kind == "closed" else stopped


def stopped_by(error: OSError) -> Stopped:
    """Translate an error on an open connection."""
    name = errno.errorcode.get(error.errno or 0, "")
    if isinstance(error, socket.timeout):
        return Stopped("timed-out")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Stopped("closed")
    if isinstance(error, ssl.SSLError):
        return Stopped("tls", (error.reason or str(error)).replace("_", " ").lower())
    if isinstance(error, ConnectionError) or name == "ENOTCONN":
        return Stopped("closed", error.strerror or "", errno_name=name)
    if name == "ETIMEDOUT":
        return Stopped("timed-out", error.strerror or "")
    return Stopped("unreachable", error.strerror or "", errno_name=name)
