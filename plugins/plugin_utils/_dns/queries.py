# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking name servers: which, how long, how often, and what counts as an answer.

dnspython packs and unpacks the messages; the loop is our own, because its resolver folds together what has to be
told apart here (a name server that refuses, one that fails, one that is silent, one that answers something else).
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import ipaddress
import socket
import threading
import time
import typing as t

from .answers import Answer, Status

try:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdatatype
    import dns.resolver
except ImportError:  # said by the step, in words; see libraries.py
    pass

#: Payload size that survives every path unfragmented (DNS flag day 2020).
UDP_PAYLOAD = 1232
#: CNAME records that are followed; resolvers stop at about as many.
LONGEST_CHAIN = 8
#: Questions without any answer after which a name server that never answered is not waited for any more.
PATIENCE = 3

RCODES: dict[str, Status] = {"NOERROR": "nodata", "NXDOMAIN": "nxdomain", "SERVFAIL": "servfail", "REFUSED": "refused"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Whom to ask and how long to wait.

    :ivar nameservers: IP addresses of recursive name servers, tried in order.
    :ivar port: their port.
    :ivar timeout: seconds for one try at one server.
    :ivar lifetime: seconds for everything that one resolver is asked.
    :ivar tries: how often a server that does not answer, or fails, is asked again.
    """

    nameservers: tuple[str, ...]
    port: int = 53
    timeout: float = 3.0
    lifetime: float = 60.0
    tries: int = 2


def system_nameservers() -> tuple[str, ...]:
    """The controller's own name servers; empty when it has none or they cannot be read."""
    try:
        return tuple(str(one) for one in dns.resolver.Resolver(configure=True).nameservers)
    except (dns.exception.DNSException, OSError):
        return ()


class _NoAnswer(Exception):
    """One try that brought nothing usable."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status: Status = status
        self.detail = detail


class Resolver:
    """One run's view of DNS: every question goes out once, however many senders need its answer. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._expires = time.monotonic() + settings.lifetime
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str], concurrent.futures.Future[Answer]] = {}
        self._heard = False
        self._unheard = 0

    def ask(self, name: str, rtype: str) -> Answer:
        """The answer to one question, from the cache when it was asked before. Never raises for what DNS does."""
        key = (name.lower().rstrip("."), rtype)
        with self._lock:
            future = self._answers.get(key)
            mine = future is None
            if future is None:
                future = self._answers[key] = concurrent.futures.Future()
        if mine:
            try:
                future.set_result(self._resolve(*key))
            except BaseException as error:
                future.set_exception(error)
                raise
        return future.result()

    def remaining(self) -> float:
        """Seconds left of the lifetime."""
        return max(0.0, self._expires - time.monotonic())

    def _resolve(self, name: str, rtype: str) -> Answer:
        """One question, CNAMEs followed where the server does not (an authoritative one stops at its zone's edge)."""
        aliases: list[str] = []
        target = name
        while True:
            try:
                status, records, more = self._ask_servers(target, rtype)
            except _NoAnswer as nothing:
                return Answer(name, rtype, nothing.status, (), tuple(aliases), nothing.detail)
            looped = {name, *aliases} & set(more) or len(set(more)) < len(more)
            aliases.extend(more)
            if looped or len(aliases) > LONGEST_CHAIN:
                return Answer(name, rtype, "nodata", (), tuple(aliases[:LONGEST_CHAIN]), "its CNAME records never end")
            if status != "nodata" or not more:
                return Answer(name, rtype, status, records, tuple(aliases))
            target = aliases[-1]

    def _ask_servers(self, name: str, rtype: str) -> tuple[Status, tuple[str, ...], tuple[str, ...]]:
        """Every server in turn, and again; the last failure when none of them gives an answer."""
        try:
            qname = dns.name.from_text(name)
        except (dns.exception.DNSException, UnicodeError):
            return "nxdomain", (), ()  # a name that DNS cannot carry cannot be in it
        last = _NoAnswer("timeout", "no name server is known")
        for _try in range(self.settings.tries):
            for server in self.settings.nameservers:
                if self.remaining() <= 0:
                    raise _NoAnswer("timeout", f"the {self.settings.lifetime:g} s for all questions are used up")
                if not self._heard and self._unheard >= PATIENCE:
                    raise _NoAnswer("timeout", "no name server has answered anything so far")
                try:
                    return self._read(self._exchange(qname, rtype, server), server)
                except _NoAnswer as nothing:
                    last = nothing
        if last.status in ("timeout", "bad_answer"):
            self._unheard += 1
        raise last

    def _exchange(self, qname: dns.name.Name, rtype: str, server: str) -> dns.message.Message:
        """One question to one server: UDP, then TCP where the answer did not fit."""
        query = dns.message.make_query(qname, rtype, use_edns=0, payload=UDP_PAYLOAD)
        deadline = time.monotonic() + min(self.settings.timeout, self.remaining())
        try:
            reply = self._by_udp(query, server, deadline)
            if reply.rcode() == dns.rcode.FORMERR and query.edns >= 0:  # older than EDNS
                query = dns.message.make_query(qname, rtype)
                reply = self._by_udp(query, server, deadline)
            if reply.flags & dns.flags.TC:
                deadline = time.monotonic() + min(self.settings.timeout, self.remaining())
                reply = self._by_tcp(query, server, deadline)
        except (TimeoutError, dns.exception.Timeout):
            raise _NoAnswer("timeout", f"{server} did not answer within {self.settings.timeout:g} s") from None
        except (OSError, EOFError) as error:
            reason = getattr(error, "strerror", None) or "it closed the connection"
            raise _NoAnswer("timeout", f"{server} port {self.settings.port} cannot be reached: {reason}") from None
        except dns.exception.DNSException as error:
            raise _NoAnswer("bad_answer", f"{server} sent something unreadable ({type(error).__name__})") from None
        return reply

    def _by_udp(self, query: dns.message.Message, server: str, deadline: float) -> dns.message.Message:
        """Wait for the answer to this very question; anything else that arrives is noted and not believed.

        The socket is connected, so the kernel drops what does not come from the server's own address and port
        (RFC 5452, section 9).
        """
        strays = 0
        with contextlib.closing(socket.socket(_family(server), socket.SOCK_DGRAM)) as udp:
            udp.connect((server, self.settings.port))
            udp.send(query.to_wire())
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                udp.settimeout(left)
                try:
                    wire = udp.recv(65535)
                    reply = dns.message.from_wire(wire, ignore_trailing=True)
                except TimeoutError:
                    break
                except (dns.exception.DNSException, ValueError):
                    strays += 1
                    continue
                if query.is_response(reply):
                    return reply
                strays += 1
        if strays:
            raise _NoAnswer("bad_answer", f"{server} sent {strays} packets, and none was the answer to the question")
        raise TimeoutError

    def _by_tcp(self, query: dns.message.Message, server: str, deadline: float) -> dns.message.Message:
        left = max(0.01, deadline - time.monotonic())
        return dns.query.tcp(query, server, timeout=left, port=self.settings.port)

    def _read(self, reply: dns.message.Message, server: str) -> tuple[Status, tuple[str, ...], tuple[str, ...]]:
        """Status, records and CNAME targets of a reply to our question."""
        self._heard = True
        code = dns.rcode.to_text(reply.rcode())
        status = RCODES.get(code)
        if status is None:
            raise _NoAnswer("bad_answer", f"{server} answered {code}")
        if status in ("servfail", "refused"):
            raise _NoAnswer(status, f"{server} answered {code}")
        owner, wanted = reply.question[0].name, reply.question[0].rdtype
        aliases: list[str] = []
        while wanted != dns.rdatatype.CNAME and len(aliases) <= LONGEST_CHAIN:
            step = reply.get_rrset(reply.answer, owner, reply.question[0].rdclass, dns.rdatatype.CNAME)
            if step is None or reply.get_rrset(reply.answer, owner, reply.question[0].rdclass, wanted) is not None:
                break
            owner = step[0].target
            aliases.append(_text(owner))
        found = reply.get_rrset(reply.answer, owner, reply.question[0].rdclass, wanted)
        if found is not None:
            return "records", tuple(sorted(_record(one) for one in found)), tuple(aliases)
        if status == "nodata" and not aliases and _is_referral(reply):
            raise _NoAnswer("bad_answer", f"{server} only points to other name servers: it does not look up names")
        return status, (), tuple(aliases)


def _family(server: str) -> int:
    return socket.AF_INET6 if ipaddress.ip_address(server.partition("%")[0]).version == 6 else socket.AF_INET


def _is_referral(reply: dns.message.Message) -> bool:
    """An empty answer that does not mean "no such record" (RFC 2308, section 2.2): no authority, no recursion."""
    speaks_for_itself = reply.flags & (dns.flags.AA | dns.flags.RA)
    return not speaks_for_itself and any(one.rdtype == dns.rdatatype.NS for one in reply.authority)


def _text(name: t.Any) -> str:
    return str(name.to_text(omit_final_dot=True)).lower() if name != dns.name.root else "."


def _record(rdata: t.Any) -> str:
    """A record's value as text; the strings of a TXT record joined without a space (RFC 7208, section 3.3)."""
    if rdata.rdtype == dns.rdatatype.TXT:
        return b"".join(rdata.strings).decode("utf-8", "replace")
    if rdata.rdtype == dns.rdatatype.MX:
        return f"{rdata.preference} {_text(rdata.exchange)}"
    if rdata.rdtype in (dns.rdatatype.CNAME, dns.rdatatype.PTR):
        return _text(rdata.target)
    return str(rdata.to_text())
