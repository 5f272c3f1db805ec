# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to an IMAP server that may be hostile: bounded in time and memory. The one user of imaplib.

imaplib keeps what a server sends, as long and as much as it sends. Here each wait ends with the common deadline, and
lines, literals and the whole answer to a command have limits. What a server says is never shown, but for the codes in
C(CODES): it knows the password, and may say it in any form.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import imaplib
import re
import socket
import ssl
import threading
import time
import typing as t

#: Octets: of one line, of one literal, and of the whole answer to one command. SEARCH names 50,000 messages in 400 KB.
LINE = 512 * 1024
LITERAL = 1024 * 1024 + 4096
ANSWER = 4 * 1024 * 1024
#: What each line costs beyond its octets, so that many empty ones are limited as well.
PER_LINE = 200
#: Seconds to connect, and to wait for the next octets.
CONNECT = 15.0
NEXT = 30.0

#: The codes by which a server says why it refuses (RFC 9051, section 7.1, and Gmail's WEBALERT).
CODES = (
    "ALERT|AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|CANNOT|CLIENTBUG|CONTACTADMIN|CORRUPTION|EXPIRED|INUSE|LIMIT|"
    "NONEXISTENT|NOPERM|OVERQUOTA|PRIVACYREQUIRED|SERVERBUG|UNAVAILABLE|WEBALERT"
)
_CODE = re.compile(rf"\[({CODES})[] ]", re.IGNORECASE)

#: What a broken server makes of imaplib.
BROKEN = (imaplib.IMAP4.error, OSError, ValueError, LookupError, AttributeError, TypeError)


class Unreachable(Exception):
    """The server cannot be used; the message says why."""


class Refused(Exception):
    """The server refuses the login; the message says why, as far as the server has a code for it."""


@dataclasses.dataclass(frozen=True)
class Server:
    """Where a mailbox is, and how to log in there.

    :ivar tls: implicit, starttls or none.
    :ivar ca_file: authorities to trust instead of the system's.
    :ivar verify: whether the certificate is checked.
    """

    host: str
    port: int
    tls: str
    login: str
    password: str = dataclasses.field(repr=False)
    ca_file: str = ""
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """How TLS is made."""
        context = ssl.create_default_context(cafile=self.ca_file or None)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Connection(imaplib.IMAP4):
    """imaplib over a socket that is read within limits.

    :param until: time (of the monotonic clock) when everything ends.
    """

    def __init__(self, server: Server, until: float) -> None:
        self._server = server
        self._until = until
        self._read_ahead = bytearray()
        self._budget = ANSWER
        # A handshake of TLS that drips would be longer than the deadline: then the socket is closed under it.
        self._end = threading.Timer(max(0.0, until - time.monotonic()) + 1.0, self._cut)
        self._end.daemon = True
        self._end.start()
        try:
            super().__init__(server.host, server.port)
            if self.state != "NONAUTH":  # whose mailbox it shows is not known
                raise self.unusable("it says that somebody is logged in already")
            if server.tls == "starttls":
                self._start_tls()
        except BaseException:
            self.shutdown()
            raise

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:  # noqa: ARG002
        """Connect, with implicit TLS if it is wanted."""
        self.host, self.port = host, port
        self.sock = socket.create_connection((host, port), timeout=self._patience(CONNECT))
        if self._server.tls == "implicit":
            self.sock = self._server.context().wrap_socket(self.sock, server_hostname=host)

    def read(self, size: int) -> bytes:
        """A literal."""
        if size > LITERAL:
            raise self.unusable(f"it announces {size} octets at once")
        self._spend(size)
        while len(self._read_ahead) < size:
            self._more()
        return self._taken(size)

    def readline(self) -> bytes:
        """A line."""
        searched = 0
        while (end := self._read_ahead.find(b"\n", searched)) < 0:
            searched = len(self._read_ahead)
            if searched > LINE:
                raise self.unusable(f"it sends a line of more than {LINE // 1024} KB")
            self._more()
        self._spend(end + 1 + PER_LINE)
        return self._taken(end + 1)

    def send(self, data: t.Any) -> None:
        """Send a command; its answer has the whole budget."""
        self._budget = ANSWER
        with _usable(self._server):  # imaplib would make words of an error
            self.sock.settimeout(self._patience(NEXT))
            self.sock.sendall(data)

    def shutdown(self) -> None:
        """Close the socket."""
        self._end.cancel()
        self._cut()

    def forget(self) -> None:
        """Forget what the server said so far; imaplib would keep it."""
        self.untagged_responses = {}

    def log_in(self) -> None:
        """Log in with LOGIN. That of imaplib quotes the password only."""
        status, data = self._simple_command("LOGIN", _quoted(self._server.login), _quoted(self._server.password))
        if status != "OK":
            raise self.error(data[-1])
        self.state = "AUTH"

    def unusable(self, why: str) -> Unreachable:
        """The error that says why this server cannot be used."""
        return Unreachable(f"{self._server.host} port {self._server.port} is not usable: {why}.")

    def granted(self, what: str, answer: tuple[str, list[t.Any]]) -> list[t.Any]:
        """The data of an answer.

        :param what: what the server was asked to do.
        :raises Unreachable: it refuses that.
        """
        status, data = answer
        if status != "OK":
            raise self.unusable(f"it does not {what}, and {_reason(data)}")
        return data

    def _start_tls(self) -> None:
        context = self._server.context()
        if "STARTTLS" not in self.capabilities:
            raise self.unusable("it does not offer STARTTLS")
        status, _data = self._simple_command("STARTTLS")
        # What arrived before TLS began may be from anybody on the way (CVE-2011-0411).
        if status != "OK" or self._read_ahead:
            raise self.unusable("it does not begin STARTTLS properly")
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
        self._tls_established = True
        self.forget()
        self._get_capabilities()

    def _more(self) -> None:
        self.sock.settimeout(self._patience(NEXT))
        data = self.sock.recv(64 * 1024)
        if not data:
            raise self.unusable("it closed the connection")
        self._read_ahead += data

    def _taken(self, size: int) -> bytes:
        data = bytes(self._read_ahead[:size])
        del self._read_ahead[:size]
        return data

    def _spend(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            raise self.unusable(f"it answers with more than {ANSWER // 1024 // 1024} MB")

    def _patience(self, most: float) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return min(most, left)

    def _cut(self) -> None:
        line = getattr(self, "sock", None)
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                line.close()


@contextlib.contextmanager
def opened(server: Server, until: float) -> t.Iterator[Connection]:
    """A connection that is logged in.

    :raises Unreachable: it cannot be used.
    :raises Refused: the login is refused.
    """
    with _usable(server):
        connection = Connection(server, until)
    try:
        _log_in(connection, server)
        with _usable(server):
            yield connection
    finally:
        connection.shutdown()


@contextlib.contextmanager
def _usable(server: Server) -> t.Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"The certificate of {server.host} is not trusted: {error.verify_message}.") from None
    except ssl.SSLError as error:
        why = str(error.reason or error).replace("_", " ").lower()
        raise Unreachable(f"TLS with {server.host} port {server.port} failed: {why}.") from None
    except TimeoutError:
        raise Unreachable(f"{server.host} port {server.port} does not answer in time.") from None
    except BROKEN as error:
        why = getattr(error, "strerror", None) or _reason(error, "it does not answer as an IMAP server")
        raise Unreachable(f"{server.host} port {server.port} is not usable: {why}.") from None


def _quoted(text: str) -> str:
    """A string of IMAP (RFC 9051, section 4.3)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _reason(said: object, without: str = "it gives no code for the reason") -> str:
    """What can be shown of a refusal: its code.

    :param without: what to say if there is none.
    """
    found = _CODE.search(str(said))
    return f"it answers [{found[1].upper()}]" if found else without


def _log_in(connection: Connection, server: Server) -> None:
    with _usable(server):
        try:
            if "AUTH=PLAIN" in connection.capabilities:  # unlike LOGIN, it can send any character
                answer = f"\0{server.login}\0{server.password}".encode()
                connection.authenticate("PLAIN", lambda _challenge: answer)
            elif "LOGINDISABLED" in connection.capabilities:
                raise connection.unusable("it takes no password on this connection; it may want TLS")
            else:
                connection.log_in()
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise Refused(_reason(error)) from None
        except UnicodeEncodeError:
            raise Refused("it takes ASCII characters only, and login or password has others") from None
