# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay of our own that misbehaves as told, on loopback, and checks what it is asked.

A script is a function that is given the Peer of one connection. The first connection gets the first script, and so on;
further ones get the last script again.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
import typing as t

#: No script lives longer, so that a broken test ends too.
PATIENCE = 20.0


class Peer:
    """The server's end of one connection."""

    def __init__(self, server: FaultyServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.heard: list[str] = []
        self.heard_in_the_clear: list[str] = []
        sock.settimeout(PATIENCE)

    def say(self, *lines: str) -> None:
        """Send lines."""
        self.raw("".join(f"{line}\r\n" for line in lines).encode())

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def hear(self, pattern: str) -> str:
        """Receive one line, which has to match as a whole."""
        data = b""
        while not data.endswith(b"\n"):
            more = self.sock.recv(1)
            if not more:
                raise AssertionError(f"{pattern!r} expected, but the client hung up")
            data += more
        line = data.decode("utf-8", "replace").rstrip("\r\n")
        self.heard.append(line)
        if not isinstance(self.sock, ssl.SSLSocket):
            self.heard_in_the_clear.append(line)
        assert re.fullmatch(pattern, line), f"{pattern!r} expected, {line!r} heard"
        return line

    def greet(self, *extensions: str, helo: str = "social.test") -> None:
        """A greeting and an answer to EHLO."""
        self.say("220 relay.test ESMTP")
        self.hello(*extensions, helo=helo)

    def hello(self, *extensions: str, helo: str = "social.test") -> None:
        """An answer to EHLO."""
        self.hear(f"EHLO {re.escape(helo)}")
        lines = ["relay.test", *extensions]
        self.say(*(f"250-{one}" for one in lines[:-1]), f"250 {lines[-1]}")

    def start_tls(self, context: ssl.SSLContext) -> None:
        """The server's side of a handshake."""
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.sock.settimeout(PATIENCE)

    def upgrade(self, context: ssl.SSLContext) -> None:
        """The answer to STARTTLS, and the handshake."""
        self.hear("STARTTLS")
        self.say("220 2.0.0 Ready to start TLS")
        self.start_tls(context)

    def bye(self) -> None:
        """QUIT and its answer."""
        self.hear("QUIT")
        self.say("221 2.0.0 Bye")

    def hang(self) -> None:
        """Say nothing until the client leaves; what it sends is not looked at."""
        with contextlib.suppress(OSError):
            while self.sock.recv(4096):
                pass

    def drip(self, data: bytes, every: float = 0.05) -> None:
        """Send byte after byte until the client leaves."""
        with contextlib.suppress(OSError):
            for byte in data:
                self.sock.sendall(bytes([byte]))
                if self.server.stopping.wait(every):
                    return

    def reset(self) -> None:
        """Cut the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Script = t.Callable[[Peer], None]


class FaultyServer:
    """Listens on loopback from the start of a with block to its end.

    :ivar errors: what scripts complained about: what they were asked was not what they were to be asked.
    :ivar peers: one for each connection.
    """

    def __init__(self, *scripts: Script, address: str = "127.0.0.1", port: int = 0) -> None:
        self.scripts = scripts
        self.errors: list[str] = []
        self.peers: list[Peer] = []
        self.stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET
        )
        self._listener.settimeout(0.1)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> FaultyServer:
        self._start(self._accept)
        return self

    def __exit__(self, *_unused: object) -> None:
        self.stopping.set()
        self._listener.close()
        for thread in list(self._threads):
            thread.join(PATIENCE)

    @property
    def commands(self) -> list[str]:
        """Everything heard on all connections."""
        return [line for peer in self.peers for line in peer.heard]

    def _start(self, target: t.Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _unused = self._listener.accept()
            except socket.timeout:
                continue
            except OSError:
                return
            peer = Peer(self, sock)
            script = self.scripts[min(len(self.peers), len(self.scripts) - 1)]
            self.peers.append(peer)
            self._start(self._play, script, peer)

    def _play(self, script: Script, peer: Peer) -> None:
        try:
            script(peer)
        except (AssertionError, socket.timeout) as error:
            self.errors.append(str(error))
        except OSError:
            # The client left, or TLS failed: that is for the client's side of the test to judge.
            pass
        finally:
            with contextlib.suppress(OSError):
                peer.sock.close()


@contextlib.contextmanager
def full_backlog() -> t.Iterator[int]:
    """A port on which connection attempts get no answer at all, as behind a firewall that drops them."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _unused in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
