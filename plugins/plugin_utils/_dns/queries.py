# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries name servers with dnspython's resolver, which tries them in turn, falls back to TCP and follows CNAMEs.

dnspython merges the kinds of failure; here they are distinguished for each server: it refuses, fails, does not answer,
or answers something else. dnspython's cache is not used: it forgets failures, and after NXDOMAIN behind a CNAME it
denies that the CNAME exists.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time
import typing as t

from .answers import Answer, Status

try:
    import dns.flags
    import dns.inet
    import dns.message
    import dns.name
    import dns.query
    import dns.rcode
    import dns.rdatatype
    import dns.resolver
    from dns.exception import DNSException, FormError, Timeout
    from dns.nameserver import Do53Nameserver
except ImportError:  # reported by the step; see libraries.py
    Do53Nameserver, FormError = object, Exception  # type: ignore[misc, assignment]

#: Payload size that survives every path unfragmented (DNS flag day 2020).
UDP_PAYLOAD = 1232
#: CNAME records that are followed at most; resolvers stop at about as many.
LONGEST_CHAIN = 8
#: After so many unanswered queries, a name server that has never answered is not queried any more.
PATIENCE = 3
ENDLESS = "its CNAME records form a loop"

_FAILURES: dict[str, Status] = {"SERVFAIL": "servfail", "REFUSED": "refused"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which servers to query and how long to wait.

    :ivar nameservers: IP addresses of recursive name servers, tried in order.
    :ivar port: their port.
    :ivar timeout: seconds for one try at one server.
    :ivar lifetime: seconds for all queries of one resolver.
    :ivar tries: how often a server is tried that does not answer or fails.
    """

    nameservers: tuple[str, ...]
    port: int = 53
    timeout: float = 3.0
    lifetime: float = 60.0
    tries: int = 2


def system_nameservers() -> tuple[str, ...]:
    """The controller's own name servers; empty if it has none or they cannot be read."""
    try:
        return tuple(str(one) for one in dns.resolver.Resolver(configure=True).nameservers)
    except (DNSException, OSError):
        return ()


class _NoAnswer(FormError):
    """A server gave no usable answer. For this class of error dnspython tries the next server."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)  # type: ignore[no-untyped-call]
        self.status: Status = status
        self.detail = detail


class _Line(socket.socket):
    """A connected UDP socket: the kernel drops packets of others (RFC 5452, section 9) and reports a closed port."""

    packets = 0

    def sendto(self, data: bytes, _address: object) -> int:  # type: ignore[override]
        return self.send(data)

    def recvfrom(self, *size: int) -> tuple[bytes, t.Any]:
        received = super().recvfrom(*size)
        self.packets += 1
        return received


class _Server(Do53Nameserver):
    """One name server, which remembers why it gave no answer."""

    answered = False

    def query(self, request: t.Any, timeout: float, *, max_size: bool, **_more: t.Any) -> t.Any:  # type: ignore[override]
        """The reply to a query; a truncated one makes dnspython repeat the query over TCP."""
        try:
            reply = self._reply(request, timeout, tcp=max_size)
            if reply.rcode() == dns.rcode.FORMERR:  # a server without EDNS
                asked = request.question[0]
                reply = self._reply(dns.message.make_query(asked.name, asked.rdtype), timeout, tcp=max_size)
            reply.resolve_chaining()
        except (dns.message.Truncated, _NoAnswer):
            raise
        except dns.message.ChainTooLong:
            raise _NoAnswer("nodata", ENDLESS) from None
        except Timeout:
            raise _NoAnswer("timeout", f"{self.address} did not answer within {timeout:.3g} s") from None
        except (OSError, EOFError) as error:
            reason = getattr(error, "strerror", None) or "it closed the connection"
            raise _NoAnswer("timeout", f"{self.address} port {self.port} cannot be reached: {reason}") from None
        except (DNSException, ValueError) as error:
            raise self._useless(f"sent something unreadable ({type(error).__name__})") from None
        self.answered = True
        code = dns.rcode.to_text(reply.rcode())
        if code not in ("NOERROR", "NXDOMAIN"):
            raise _NoAnswer(_FAILURES.get(code, "bad_answer"), f"{self.address} answered {code}")
        # Without authority or recursion, an empty answer does not mean "no such record" (RFC 2308, section 2.2).
        empty = not reply.answer and not reply.flags & (dns.flags.AA | dns.flags.RA)
        if empty and any(one.rdtype == dns.rdatatype.NS for one in reply.authority):
            raise self._useless("only refers to other name servers: it is not a resolver")
        return reply

    def _reply(self, request: t.Any, timeout: float, *, tcp: bool) -> t.Any:
        """The reply to exactly this query; anything else that arrives is counted and ignored."""
        if tcp:
            return dns.query.tcp(request, self.address, timeout, self.port)
        flags = ("ignore_unexpected", "ignore_errors", "ignore_trailing", "raise_on_truncation")
        how: dict[str, t.Any] = dict.fromkeys(flags, True)
        with contextlib.closing(_Line(dns.inet.af_for_address(self.address), socket.SOCK_DGRAM)) as line:
            line.setblocking(False)
            line.connect((self.address, self.port))
            try:
                return dns.query.udp(request, self.address, timeout, self.port, sock=line, **how)
            except Timeout:
                if not line.packets:
                    raise
                raise self._useless(f"sent {line.packets} packets, and none was the answer to the question") from None

    def _useless(self, what: str) -> _NoAnswer:
        return _NoAnswer("bad_answer", f"{self.address} {what}")


class Resolver:
    """Queries DNS for one run. Each query is sent only once, however many senders need its answer. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._servers = [_Server(one, settings.port) for one in settings.nameservers]
        self._dns = dns.resolver.Resolver(configure=False)
        self._dns.nameservers = self._servers
        self._dns.timeout = settings.timeout
        self._dns.use_edns(0, payload=UDP_PAYLOAD)
        self._expires = time.monotonic() + settings.lifetime
        self._lock = threading.Lock()
        self._turns: dict[tuple[str, str], threading.Lock] = {}
        self._answers: dict[tuple[str, str], Answer] = {}
        self._unheard = 0

    def ask(self, name: str, rtype: str) -> Answer:
        """The answer to one query, from the cache if it was sent before. DNS failures never raise."""
        key = (name.lower().rstrip("."), rtype)
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            if key not in self._answers:
                self._answers[key] = self._resolve(*key)
            return self._answers[key]

    def remaining(self) -> float:
        """Seconds left of the lifetime."""
        return max(0.0, self._expires - time.monotonic())

    def _resolve(self, name: str, rtype: str) -> Answer:
        """Resolve one query, following CNAMEs if the server does not (an authoritative one stops at its zone edge)."""
        aliases: list[str] = []
        try:
            target = dns.name.from_text(name)
        except (DNSException, UnicodeError):
            return Answer(name, rtype, "nxdomain")  # a name that is not valid in DNS cannot exist
        try:
            while True:
                status, found = self._look_up(target, rtype)
                aliases += [_text(one[0].target) for one in found.cnames]
                if len({name, *aliases}) <= len(aliases) or len(aliases) > LONGEST_CHAIN:
                    raise _NoAnswer("nodata", ENDLESS)
                if status != "nodata" or not found.cnames:
                    records = tuple(sorted(_record(one) for one in found.answer or ()))
                    return Answer(name, rtype, status, records, tuple(aliases))
                target = found.canonical_name
        except _NoAnswer as nothing:
            return Answer(name, rtype, nothing.status, (), tuple(aliases[:LONGEST_CHAIN]), nothing.detail)

    def _look_up(self, name: dns.name.Name, rtype: str) -> tuple[Status, dns.message.ChainingResult]:
        """Try every server in turn, repeatedly; the last failure if none of them answers."""
        if self._unheard >= PATIENCE and self.remaining() and not any(one.answered for one in self._servers):
            raise _NoAnswer("timeout", "no name server has answered so far")
        last = _NoAnswer("timeout", "no name server is known")
        for _try in range(self.settings.tries):
            try:
                found = self._dns.resolve(name, rtype, raise_on_no_answer=False, lifetime=self.remaining())
            except dns.resolver.NXDOMAIN as none:
                return "nxdomain", none.kwargs["responses"][name].resolve_chaining()
            except dns.resolver.LifetimeTimeout:
                last = _NoAnswer("timeout", f"the {self.settings.lifetime:g} s for all questions are used up")
            except dns.resolver.NoNameservers as none:
                last = next((error for *_server, error, _reply in none.kwargs["errors"][-1:]), last)
            else:
                return ("records" if found.rrset else "nodata"), found.chaining_result
        self._unheard += 1
        raise last


def _text(name: t.Any) -> str:
    return str(name.to_text(omit_final_dot=True)).lower() if name != dns.name.root else "."


def _record(rdata: t.Any) -> str:
    """A record's value as text; strings of a TXT record are joined without spaces (RFC 7208, section 3.3)."""
    if rdata.rdtype == dns.rdatatype.TXT:
        return b"".join(rdata.strings).decode("utf-8", "replace")
    if rdata.rdtype == dns.rdatatype.MX:
        return f"{rdata.preference} {_text(rdata.exchange)}"
    if rdata.rdtype in (dns.rdatatype.CNAME, dns.rdatatype.PTR):
        return _text(rdata.target)
    return str(rdata.to_text())
