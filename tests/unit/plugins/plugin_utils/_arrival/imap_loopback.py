# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scripted IMAP server on loopback, for what a real one would never do. What a real one does is tried in the lab.

C(Server(store)) has folders of messages; a C(fault) replaces the answer to one command: a function of the connection.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import threading
import time
import typing as t

DATE = "29-Nov-2026 10:00:00 +0000"
#: The same as a time.
ARRIVED = 1795946400.0
LOGIN, PASSWORD = "admin@example.com", 's3cr3t "pass\\word'


class Message(t.NamedTuple):
    """One message: its octets, and when the server took it."""

    text: bytes
    date: str = DATE


Store = dict[str, list[Message]]
Fault = t.Callable[[socket.socket], None]


class Server:
    """Runs between C(with) and its end.

    :ivar asked: the commands that arrived, in order, in upper case.
    :ivar given: command -> what came with the last one.
    :param flags: folder -> its attributes in LIST.
    :param faults: command (or "greeting") -> what is done instead of answering it.
    :param answers: command -> its answer instead of OK, in which {given} is what came with it.
    """

    def __init__(
        self,
        store: Store,
        flags: t.Mapping[str, str] | None = None,
        faults: t.Mapping[str, Fault] | None = None,
        capabilities: str = "IMAP4rev1 AUTH=PLAIN UIDPLUS",
        answers: t.Mapping[str, str] | None = None,
        greeting: str = "OK",
    ) -> None:
        self.store, self.flags, self.faults = store, dict(flags or {}), dict(faults or {})
        self.capabilities, self.answers, self.greeting = capabilities, dict(answers or {}), greeting
        self.asked: list[str] = []
        self.given: dict[str, str] = {}
        self.deleted: list[tuple[str, int]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stop = threading.Event()

    def __enter__(self) -> Server:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._stop.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                line, _peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.closing(line), contextlib.suppress(OSError):
            if "greeting" in self.faults:
                self.faults["greeting"](line)
                return
            line.sendall(f"* {self.greeting} [CAPABILITY {self.capabilities}] ready\r\n".encode())
            folder = ""
            lines = line.makefile("rb")
            for raw in lines:
                tag, _blank, rest = raw.decode().strip().partition(" ")
                command = " ".join(rest.upper().split()[: 2 if rest.upper().startswith("UID") else 1])
                self.asked.append(command)
                self.given[command] = rest[len(command) + 1 :]
                if command in self.faults:
                    self.faults[command](line)
                    continue
                if command == "AUTHENTICATE":
                    line.sendall(b"+ \r\n")
                    self.given[command] = next(lines).decode().strip()
                    good = base64.b64decode(self.given[command]).decode() == f"\0{LOGIN}\0{PASSWORD}"
                    answer = "OK done" if good else "NO [AUTHENTICATIONFAILED] \x1b[31mno"
                    line.sendall(f"{tag} {self._said(command, answer)}\r\n".encode())
                    continue
                if command in ("SELECT", "EXAMINE"):
                    folder = rest.split(" ", 1)[1].strip('"')
                answer = self._said(f"{command} {folder}", self._said(command, "OK done"))
                line.sendall(self._answer(command, rest, folder) if answer.startswith("OK") else b"")
                line.sendall(f"{tag} {answer}\r\n".encode())

    def _said(self, command: str, usual: str) -> str:
        return self.answers.get(command, usual).replace("{given}", self.given.get(command, ""))

    def _answer(self, command: str, rest: str, folder: str) -> bytes:
        if command == "CAPABILITY":
            return f"* CAPABILITY {self.capabilities}\r\n".encode()
        if command == "LIST":
            return "".join(f'* LIST ({self.flags.get(one, "")}) "/" "{one}"\r\n' for one in self.store).encode()
        messages = self.store.get(folder, [])
        if command in ("SELECT", "EXAMINE"):
            return f"* {len(messages)} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n".encode()
        if command == "UID SEARCH":
            wanted = re.search(r"<(.*)>", rest)
            assert wanted
            hits = [number for number, one in enumerate(messages, 1) if wanted[1].encode() in one.text]
            return f"* SEARCH {' '.join(map(str, hits))}\r\n".encode()
        if command == "UID FETCH":
            return self._fetched(messages, rest)
        if command == "UID EXPUNGE":
            self.deleted.append((folder, int(rest.split()[2])))
        return b""

    def _fetched(self, messages: list[Message], rest: str) -> bytes:
        number = int(rest.split()[2])
        message = messages[number - 1]
        whole = "BODY.PEEK[]" in rest
        text = message.text if whole else message.text.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        most = int(t.cast("re.Match[str]", re.search(r"<0\.(\d+)>", rest))[1])
        text = text[:most]
        about = f'UID {number} INTERNALDATE "{message.date}" RFC822.SIZE {len(message.text)}'
        what = "BODY[]<0>" if whole else "BODY[HEADER]<0>"
        return f"* {number} FETCH ({about} {what} {{{len(text)}}}\r\n".encode() + text + b")\r\n"


def silent(_line: socket.socket) -> None:
    """Never answers."""
    time.sleep(60)


def endless_line(line: socket.socket) -> None:
    """Sends a line without an end."""
    while True:
        line.sendall(b"* OK " + b"x" * 65536)


def endless_lines(line: socket.socket) -> None:
    """Sends lines without an end."""
    while True:
        line.sendall(b"* 1 EXISTS\r\n" * 5000)


def dripping(line: socket.socket) -> None:
    """Sends an octet now and then."""
    for _time in range(600):
        line.sendall(b"*")
        time.sleep(0.1)


def huge_literal(line: socket.socket) -> None:
    """Announces more than there is memory."""
    line.sendall(b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n")
    with contextlib.suppress(OSError):
        while True:
            line.sendall(b"x" * 65536)


def nonsense(line: socket.socket) -> None:
    """Is no IMAP server."""
    line.sendall(b"HTTP/1.1 400 Bad \x1b[31mRequest\r\n\r\n")
    line.close()
