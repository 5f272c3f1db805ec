# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes all DNS queries about one sender; the rules only evaluate the answers."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import ipaddress
import secrets
import typing as t

from . import dkim_key, names, spf_evaluation
from .answers import Answer, Ask, mail_hosts
from .dmarc_record import Walk, walk
from .sender import Relay, Sender, fits, fixed

#: Number of the relay's networks that are checked, one address of each.
RELAY_SAMPLES = 4
#: Number of mail hosts of a domain, and of report addresses of a DMARC record, that are checked.
FIRST_FEW = 5


@dataclasses.dataclass(frozen=True)
class ReturnPath:
    """The domain of the envelope sender that receivers see and for which they check SPF.

    :ivar domain: empty if unknown.
    :ivar ours: it belongs to the operator; otherwise the provider is responsible for its SPF.
    :ivar delegated: it is an alias into the provider's zone, so the provider maintains its records.
    :ivar expected: the sub-domain that the preset uses or can be configured to use; empty if there is none.
    :ivar required: the relay does not work without that sub-domain.
    :ivar target: the answer for the expected sub-domain: its CNAME, or its MX if the preset uses MX and TXT records.
    """

    domain: str
    ours: bool
    delegated: bool = False
    expected: str = ""
    required: bool = False
    target: Answer | None = None


@dataclasses.dataclass(frozen=True)
class Spf:
    """SPF of one domain.

    :ivar txt: the TXT answer.
    :ivar policies: its records that claim to be SPF.
    :ivar worst: the evaluation of the whole record, for IPv4 and IPv6; empty unless there is exactly one record.
    :ivar relay: the evaluation for each address of the relay.
    :ivar unanswered: queries about the relay's SPF name that no server answered.
    :ivar opaque: terms of the relay's SPF name that do not name a network.
    """

    domain: str
    txt: Answer
    policies: tuple[str, ...]
    worst: tuple[spf_evaluation.Evaluation, ...] = ()
    relay: tuple[spf_evaluation.Evaluation, ...] = ()
    unanswered: tuple[Answer, ...] = ()
    opaque: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Facts:
    """All DNS answers about one sender.

    :ivar mx: mail hosts of the From domain.
    :ivar addresses: A and AAAA of the From domain.
    :ivar return_mx: mail hosts of the return-path domain; None if it is not ours.
    :ivar hosts: A and AAAA of each mail host of both domains.
    :ivar from_txt: TXT of the From domain.
    :ivar spf: SPF of the return-path domain; None if it is not ours or unknown.
    :ivar keys: the TXT answer for each DKIM selector.
    :ivar dmarc: the walk from the From domain.
    :ivar return_walk: the walk from the return-path domain; None if SPF cannot be aligned.
    :ivar dkim_walk: the walk from the signing domain.
    :ivar reports: foreign domain of a DMARC report address -> the answer to whether it accepts the reports.
    :ivar wildcards: answers for random names, which exist only with a wildcard.
    :ivar neighbours: for each relevant name, its CNAME answer and the answers for other types.
    :ivar evaluated: whether SPF could be evaluated and taken apart; it cannot where spftrace is missing.
    """

    sender: Sender
    mx: Answer
    addresses: tuple[Answer, Answer]
    return_path: ReturnPath
    return_mx: Answer | None
    hosts: t.Mapping[str, tuple[Answer, Answer]]
    from_txt: Answer
    spf: Spf | None
    keys: t.Mapping[str, Answer]
    dmarc: Walk
    return_walk: Walk | None
    dkim_walk: Walk
    reports: t.Mapping[str, Answer]
    wildcards: tuple[Answer, ...]
    neighbours: tuple[tuple[Answer, tuple[Answer, ...]], ...]
    evaluated: bool = True

    @property
    def exists(self) -> bool | None:
        """Whether the From domain exists (by A, AAAA and MX, as in RFC 9989); None if DNS did not answer."""
        seen = (self.mx, *self.addresses)
        if any(one.known and one.status != "nxdomain" for one in seen):
            return True
        return False if any(one.status == "nxdomain" for one in seen) else None

    def key_records(self) -> dict[str, dkim_key.Key | None]:
        """Selector -> its key; None if DNS did not answer."""
        return {selector: dkim_key.key_of(answer) for selector, answer in self.keys.items()}


def gather(
    sender: Sender, ask: Ask, *, time_limit: t.Callable[[], float] = lambda: 20.0, evaluate: bool = True
) -> Facts:
    """Make all DNS queries that the rules need.

    :param ask: queries DNS.
    :param time_limit: returns the seconds left for one SPF evaluation.
    :param evaluate: whether SPF can be evaluated.
    """
    domain = sender.from_domain
    return_path = _return_path(sender, ask)
    ours = return_path.domain if return_path.ours else ""
    mx = ask(domain, "MX")
    return_mx = ask(ours, "MX") if ours else None
    dmarc = walk(ask, domain)
    keys = {one: ask(f"{one}._domainkey.{sender.dkim_domain}", "TXT") for one in sender.selectors}
    return Facts(
        sender=sender,
        mx=mx,
        addresses=(ask(domain, "A"), ask(domain, "AAAA")),
        return_path=return_path,
        return_mx=return_mx,
        hosts=_hosts(ask, mx, return_mx),
        from_txt=ask(domain, "TXT"),
        spf=(_spf(sender, ours, ask, time_limit) if evaluate else _spf_alone(ours, ask)) if ours else None,
        keys=keys,
        dmarc=dmarc,
        return_walk=walk(ask, ours) if ours else None,
        dkim_walk=walk(ask, sender.dkim_domain),
        reports=_reports(ask, dmarc),
        wildcards=_wildcards(ask, domain, sender.dkim_domain),
        neighbours=_neighbours(ask, domain, ours, keys),
        evaluated=evaluate,
    )


def _return_path(sender: Sender, ask: Ask) -> ReturnPath:
    """The return-path domain: the operator's setting, else the preset's, else Mastodon's."""
    relay = sender.relay
    expected = sender.bounce_domain
    if not expected and fixed(relay.return_path_label):
        expected = f"{relay.return_path_label}.{sender.from_domain}"
    required = relay.return_path_mode.startswith("subdomain")
    kind = "MX" if relay.return_path_mode == "subdomain_records" else "CNAME"
    target = ask(expected, kind) if expected and (required or relay.return_path_target) else None
    points_there = target is not None and points_to(relay, target)
    delegated = points_there and kind == "CNAME"
    if sender.bounce_domain or required:
        return ReturnPath(expected, bool(expected), delegated, expected, required, target)
    if relay.return_path_mode == "provider":
        if points_there:
            return ReturnPath(expected, True, True, expected, False, target)
        return ReturnPath(relay.return_path_domain, False, False, expected, False, target)
    return ReturnPath(sender.return_path, True)


def points_to(relay: Relay, target: Answer) -> bool:
    """Whether the sub-domain for bounces leads to the provider; true if its target is unknown."""
    found = targets_of(target)
    return bool(found) and (not relay.return_path_target or any(fits(relay.return_path_target, one) for one in found))


def targets_of(answer: Answer) -> tuple[str, ...]:
    """The names that a CNAME or MX answer leads to."""
    return mail_hosts(answer) if answer.rtype == "MX" else answer.records


def _hosts(ask: Ask, *mx: Answer | None) -> dict[str, tuple[Answer, Answer]]:
    found = [host for one in mx if one is not None for host in mail_hosts(one)[:FIRST_FEW]]
    return {
        host: (ask(host, "A"), ask(host, "AAAA"))
        for host in dict.fromkeys(found)
        if host and not names.is_address(host)
    }


def _spf(sender: Sender, domain: str, ask: Ask, time_limit: t.Callable[[], float]) -> Spf:
    txt = ask(domain, "TXT")
    policies = tuple(one for one in txt.records if spf_evaluation.is_policy(one))
    if len(policies) != 1:
        return Spf(domain, txt, policies)
    networks = sender.networks[:RELAY_SAMPLES]
    unanswered: tuple[Answer, ...] = ()
    opaque: tuple[str, ...] = ()
    if not networks and sender.spf_include:
        networks, unanswered, opaque = spf_evaluation.networks_of(ask, sender.spf_include, most=RELAY_SAMPLES)
    postmaster = f"postmaster@{domain}"
    return Spf(
        domain=domain,
        txt=txt,
        policies=policies,
        worst=spf_evaluation.worst_case(ask, domain, time_limit=time_limit()),
        relay=tuple(
            spf_evaluation.check_host(ask, inside(one), postmaster, time_limit=time_limit()) for one in networks
        ),
        unanswered=unanswered,
        opaque=opaque,
    )


def _spf_alone(domain: str, ask: Ask) -> Spf:
    txt = ask(domain, "TXT")
    return Spf(domain, txt, tuple(one for one in txt.records if spf_evaluation.is_policy(one)))


def inside(network: str) -> str:
    """One address of a network; in a larger network not the first address, which is the network's own."""
    parsed = ipaddress.ip_network(network)
    return str(parsed.network_address + 1 if parsed.num_addresses > 2 else parsed.network_address)


def _reports(ask: Ask, dmarc: Walk) -> dict[str, Answer]:
    """Whether foreign report addresses are authorised (RFC 9990), by the name C(FROM._report._dmarc.THERE)."""
    step = dmarc.applied()
    if step is None or step.record is None:
        return {}
    home = walk(ask, step.domain).organizational() or step.domain
    asked: dict[str, Answer] = {}
    for address in step.record.report_addresses()[:FIRST_FEW]:
        try:
            there = names.domain_of(address)
        except names.NameRefused:
            continue
        if names.within(there, home) or walk(ask, there).organizational() == home:
            continue
        asked[there] = ask(f"{step.domain}._report._dmarc.{there}", "TXT")
    return asked


def _wildcards(ask: Ask, from_domain: str, dkim_domain: str) -> tuple[Answer, ...]:
    """The answers for two random names, which exist only with a wildcard."""
    label = f"x{secrets.token_hex(8)}"
    return ask(f"{label}.{from_domain}", "TXT"), ask(f"{label}._domainkey.{dkim_domain}", "TXT")


def _neighbours(
    ask: Ask, from_domain: str, return_domain: str, keys: t.Mapping[str, Answer]
) -> tuple[tuple[Answer, tuple[Answer, ...]], ...]:
    mail: tuple[str, ...] = ("MX", "TXT", "A")
    wanted = {from_domain: mail, **({return_domain: mail} if return_domain else {})}
    wanted.update({answer.name: ("TXT",) for answer in keys.values()})
    wanted[f"_dmarc.{from_domain}"] = ("TXT",)
    return tuple((ask(name, "CNAME"), tuple(ask(name, one) for one in types)) for name, types in wanted.items())
