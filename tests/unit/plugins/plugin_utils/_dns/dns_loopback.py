# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scripted name server on loopback, over UDP and TCP, for what a real one would never do.

C(Server(respond)) calls C(respond(query, transport)) for each question; it gives the packets to send back (bytes),
or nothing. C(zone()) makes such a function from records.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
import typing as t

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Respond = t.Callable[[dns.message.Message, str], t.Iterable[bytes]]

#: Names to the records there; the record "TIMEOUT" means silence for what is not listed.
Zone = t.Mapping[str, t.Sequence[tuple[str, str]]]


def _one_port() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket with the same number; what is free in one may be taken in the other."""
    for last in (*[False] * 50, True):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.bind(("127.0.0.1", 0))
        try:
            tcp.bind(udp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
            if last:
                raise
        else:
            return udp, tcp
    raise RuntimeError("not reached")


class Server:
    """Runs in two threads between C(with) and its end; C(asked) holds C((transport, type, name)) in order."""

    def __init__(self, respond: Respond, *, drip: float = 0.0) -> None:
        self.respond = respond
        self.drip = drip
        self.asked: list[tuple[str, str, str]] = []
        self.failures: list[Exception] = []
        self._stop = threading.Event()
        self._udp, self._tcp = _one_port()
        self.port: int = self._udp.getsockname()[1]
        self._tcp.listen(8)
        self._udp.settimeout(0.1)
        self._tcp.settimeout(0.1)
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._serve_udp, self._serve_tcp)]

    def __enter__(self) -> Server:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._stop.set()
        for one in self._threads:
            one.join(10)
        self._udp.close()
        self._tcp.close()
        assert not self.failures, self.failures

    def questions(self, rtype: str = "") -> list[str]:
        """The names asked for, in order."""
        return [name for _transport, kind, name in self.asked if not rtype or kind == rtype]

    def _answers(self, wire: bytes, transport: str) -> list[bytes]:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append((transport, dns.rdatatype.to_text(question.rdtype), name))
        return list(self.respond(query, transport))

    def _serve_udp(self) -> None:
        while not self._stop.is_set():
            try:
                wire, client = self._udp.recvfrom(65535)
            except TimeoutError:
                continue
            try:
                for packet in self._answers(wire, "udp"):
                    self._udp.sendto(packet, client)
            except Exception as error:
                self.failures.append(error)

    def _serve_tcp(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _client = self._tcp.accept()
            except TimeoutError:
                continue
            with contextlib.closing(connection), contextlib.suppress(OSError, struct.error):
                connection.settimeout(5)
                (length,) = struct.unpack("!H", connection.recv(2))
                for packet in self._answers(connection.recv(length), "tcp"):
                    self._send(connection, struct.pack("!H", len(packet)) + packet)

    def _send(self, connection: socket.socket, data: bytes) -> None:
        if not self.drip:
            connection.sendall(data)
            return
        for index in range(len(data)):
            if self._stop.is_set():
                return
            connection.sendall(data[index : index + 1])
            time.sleep(self.drip)


def zone(records: Zone, *, largest: int = 65535) -> Respond:
    """Answers like a recursive resolver that follows no CNAME; too large for C(largest) octets over UDP: truncated."""
    book = {written(name): list(rows) for name, rows in records.items()}

    def respond(query: dns.message.Message, transport: str) -> t.Iterator[bytes]:
        reply = answer(query, book)
        if reply is None:
            return
        wire = reply.to_wire(max_size=65535)
        if transport == "udp" and len(wire) > largest:
            short = dns.message.make_response(query, recursion_available=True)
            short.flags |= dns.flags.TC
            wire = short.to_wire()
        yield wire

    return respond


def written(name: str) -> str:
    """A name as it is compared here: lower case, odd characters escaped as dnspython does."""
    return dns.name.from_text(name).to_text(omit_final_dot=True).lower()


def answer(query: dns.message.Message, book: t.Mapping[str, list[tuple[str, str]]]) -> dns.message.Message | None:
    """The reply to one question from the records, or none where they say TIMEOUT."""
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    wanted = dns.rdatatype.to_text(question.rdtype)
    reply = dns.message.make_response(query, recursion_available=True)
    rows = book.get(name)
    if rows is None:
        if not any(other.endswith("." + name) for other in book):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply
    found = [value for kind, value in rows if kind == wanted]
    kind = wanted
    if not found:
        if any(row[0] == "TIMEOUT" for row in rows):
            return None
        found, kind = [value for row, value in rows if row == "CNAME"], "CNAME"
    if found:
        reply.answer.append(_rrset(question.name, kind, found))
    return reply


def _rrset(owner: dns.name.Name, rtype: str, values: t.Iterable[str]) -> dns.rrset.RRset:
    kind = dns.rdatatype.from_text(rtype)
    return dns.rrset.from_rdata_list(owner, 60, [_rdata(kind, one) for one in values])


def _rdata(kind: dns.rdatatype.RdataType, value: str) -> dns.rdata.Rdata:
    if kind == dns.rdatatype.TXT:
        return txt(value)
    return dns.rdata.from_text(dns.rdataclass.IN, kind, value, origin=dns.name.root, relativize=False)


def txt(*strings: str) -> dns.rdata.Rdata:
    """A TXT record; a text of more than 255 octets is cut as zone files do."""
    pieces: list[bytes] = []
    for one in strings:
        raw = one.encode("utf-8")
        pieces += [raw[at : at + 255] for at in range(0, len(raw), 255)] or [b""]
    wire = b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.TXT, wire, 0, len(wire))
