# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evaluates SPF (RFC 7208) with spftrace over our own DNS queries. No other file uses spftrace.

The result has only verdicts, counts and the records that were read. The C(exp=) text is not evaluated: spftrace 0.3.0
drops one with a space, and nothing here needs it.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import typing as t

from .answers import Answer, Ask, mail_hosts

try:
    from spftrace import BaseResolver, Evaluator, Limits, SpfError, parse
except ImportError:  # reported by the step; see libraries.py
    BaseResolver = object  # type: ignore[misc, assignment]
    SpfError = ValueError  # type: ignore[misc, assignment]

    def parse(_record: str) -> t.Any:  # type: ignore[misc]
        """Nothing can be said about the terms of a record."""
        raise SpfError("spftrace is not installed")


Verdict = t.Literal["pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"]

#: RFC 7208, section 4.6.4.
MOST_TERMS = 10
MOST_VOID_LOOKUPS = 2

#: Queries for one evaluation. Ten C(mx) terms with ten hosts each take 111; audits continue after the tenth term.
MOST_QUESTIONS = 250

#: Addresses that no sender has (RFC 1112 reserved, RFC 6666 discard), so that a record is evaluated to its end.
NOBODY = ("240.0.0.1", "100::1")


@dataclasses.dataclass(frozen=True)
class Term:
    """One term of a record: C(raw) as written; C(name), such as include or redirect; C(qualifier) +, -, ~ or ?."""

    raw: str
    name: str
    qualifier: str
    argument: str
    prefix: int | None
    mechanism: bool


class SyntaxRefused(ValueError):
    """A record with a syntax error (permerror in RFC 7208); the message says where."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result of check_host() (RFC 7208, section 4) for one address.

    :ivar address: the address that was checked.
    :ivar verdict: the result; C(temperror) also if one of our own limits was exceeded.
    :ivar reason: why, for permerror and temperror.
    :ivar terms: number of terms that need a DNS lookup; an audit continues counting after ten.
    :ivar void_lookups: number of lookups that found nothing.
    :ivar policies: the records that were read, C((domain, record)) in order.
    :ivar broken: records with a syntax error, C((domain, record, reason)).
    :ivar matched: the term that decided, as written; empty if none did.
    """

    address: str
    verdict: Verdict
    reason: str
    terms: int
    void_lookups: int
    policies: tuple[tuple[str, str], ...]
    broken: tuple[tuple[str, str, str], ...]
    matched: str


def is_policy(text: str) -> bool:
    """Whether a TXT record claims to be SPF (RFC 7208, section 4.5): the version, then a space or the end."""
    return text.lower().split(" ", 1)[0] == "v=spf1"


def terms_of(record: str) -> tuple[Term, ...]:
    """The terms of a record.

    :raises SyntaxRefused: it does not follow the grammar (RFC 7208, section 12).
    """
    try:
        parsed = parse(record)
    except SpfError as error:
        raise SyntaxRefused(str(error)) from error
    return tuple(
        Term(one.raw, one.name, one.qualifier, one.arg or "", _prefix(one), one.is_mechanism) for one in parsed.terms
    )


def _prefix(term: t.Any) -> int | None:
    length = term.cidr6 if term.name == "ip6" else term.cidr4
    return length if length is None else int(length)


class _SharedResolver(BaseResolver):
    """Makes spftrace use our resolver, with the same servers, limits and cache."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def _lookup(self, name: str, rtype: str) -> tuple[str, list[str]]:
        answer = self._ask(name, rtype)
        if not answer.known:
            return answer.status.upper(), []
        return ("NXDOMAIN" if answer.status == "nxdomain" else "NOERROR"), list(_values(answer))


def _values(answer: Answer) -> tuple[str, ...]:
    if answer.rtype == "MX":
        return tuple(host for host in mail_hosts(answer) if host)
    return answer.records


def check_host(
    ask: Ask, address: str, sender: str, helo: str = "", *, time_limit: float = 20.0, audit: bool = False
) -> Evaluation:
    """RFC 7208 check_host(): may this address send with this envelope sender?

    :param address: an IPv4 or IPv6 address.
    :param sender: the envelope sender (an address or a domain); empty for bounces, which are checked by C(helo).
    :param time_limit: seconds.
    :param audit: continue after the tenth lookup, to count all of them; the verdict stays permerror.
    """
    limits = Limits(time_limit=max(0.1, time_limit), max_queries=MOST_QUESTIONS, audit=audit)
    evaluator = Evaluator(_SharedResolver(ask), limits, receiver="unknown")
    result = asyncio.run(evaluator.evaluate(address, sender, helo))
    events = result.trace.to_list()
    reason = next((str(one["reason"]) for one in reversed(events) if one["kind"] == "exit"), "")
    verdict = t.cast(Verdict, result.result)
    if reason.startswith("DNS query budget exceeded"):  # our limit, not the RFC's
        verdict = "temperror"
    return Evaluation(
        address=str(ipaddress.ip_address(address)),
        verdict=verdict,
        reason=reason,
        terms=result.dns_terms_used,
        void_lookups=result.void_lookups_used,
        policies=tuple(_policies(events)),
        broken=tuple(_broken(events)),
        matched=next((str(one["raw"]) for one in reversed(events) if one["kind"] == "mech_match"), ""),
    )


def worst_case(ask: Ask, domain: str, *, time_limit: float = 20.0) -> tuple[Evaluation, ...]:
    """The evaluation of the whole record, for IPv4 and IPv6: for an address that no term matches."""
    return tuple(check_host(ask, one, f"postmaster@{domain}", time_limit=time_limit, audit=True) for one in NOBODY)


def _policies(events: t.Iterable[dict[str, t.Any]]) -> t.Iterator[tuple[str, str]]:
    domain = ""
    for event in events:
        if event["kind"] == "check_start":
            domain = str(event["domain"])
        elif event["kind"] == "policy_parsed":
            yield domain, str(event["policy"])


def _broken(events: t.Iterable[dict[str, t.Any]]) -> t.Iterator[tuple[str, str, str]]:
    domain = ""
    for event in events:
        if event["kind"] == "check_start":
            domain = str(event["domain"])
        elif event["kind"] == "parse_error":
            yield domain, str(event["policy"]), str(event["message"])


def networks_of(
    ask: Ask, domain: str, *, most: int, deepest: int = 5
) -> tuple[tuple[str, ...], tuple[Answer, ...], tuple[str, ...]]:
    """The first networks that a provider's SPF name allows, including its includes and redirects.

    :returns: networks in CIDR notation (at most C(most)); queries that no server answered; terms that do not name a
        network themselves (a, mx, exists, macros).
    """
    networks: list[str] = []
    silent: list[Answer] = []
    opaque: list[str] = []
    seen: set[str] = set()

    def visit(name: str, depth: int) -> None:
        if name in seen or depth > deepest or len(networks) >= most:
            return
        seen.add(name)
        answer = ask(name, "TXT")
        if not answer.known:
            silent.append(answer)
            return
        policies = [one for one in answer.records if is_policy(one)]
        if len(policies) != 1:
            return
        try:
            terms = terms_of(policies[0])
        except SyntaxRefused:
            return
        for term in terms:
            if len(networks) >= most:
                return
            if term.name in ("ip4", "ip6") and term.qualifier == "+":
                networks.append(str(ipaddress.ip_network(f"{term.argument}/{term.prefix}", strict=False)))
            elif term.name in ("include", "redirect") and "%" not in term.argument:
                visit(term.argument.lower().rstrip("."), depth + 1)
            elif term.name not in ("ip4", "ip6", "all", "exp"):
                opaque.append(term.raw)

    visit(domain, 0)
    return tuple(networks), tuple(silent), tuple(opaque)
