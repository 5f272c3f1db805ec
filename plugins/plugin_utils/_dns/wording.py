# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wording of the findings: first the record to publish, then the reason."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, Severity
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE

from . import spf_evaluation
from .answers import REASONS, Answer, printable
from .sender import PLACEHOLDER, Sender

#: The result of a rule: findings (none if it is satisfied), or None if it does not apply.
Outcome = t.Optional[list[Finding]]


#: Stand for what DNS does not tell: only the operator or the provider knows it.
MAIL_HOST = "HOST-THAT-TAKES-YOUR-MAIL"
HOST_ADDRESS = "ADDRESS-OF-THE-HOST"
REPORT_ADDRESS = "ADDRESS-FOR-REPORTS"
PROVIDERS_NAME = "NAME-SHOWN-BY-YOUR-PROVIDER"
PROVIDERS_SPF = "NAME-FROM-YOUR-PROVIDER"
PROVIDERS_KEY = "KEY-FROM-YOUR-PROVIDER"
NEW_KEY = "NEW-KEY-OF-2048-BITS"
SELECTOR = "SELECTOR"
_BLANKS = (MAIL_HOST, HOST_ADDRESS, REPORT_ADDRESS, PROVIDERS_NAME, PROVIDERS_SPF, PROVIDERS_KEY, NEW_KEY)


@dataclasses.dataclass(frozen=True)
class DnsRecord:
    """A record to publish. As text it is the beginning of a message.

    :ivar replaces: what it replaces, in words; empty if there is nothing yet.
    """

    name: str
    rtype: str
    value: str
    replaces: str = ""

    def __str__(self) -> str:
        quoted = f'"{self.value}"' if self.rtype == "TXT" else self.value
        return f"Publish {self.name} {self.rtype} {quoted}{f' in place of {self.replaces}' * bool(self.replaces)}."

    @property
    def complete(self) -> bool:
        """Whether it can be published as it is; else it has a blank that only the operator or the provider can fill."""
        blank = self.name.startswith(f"{SELECTOR}.") or any(one in self.value for one in _BLANKS)
        return not blank and (self.rtype == "TXT" or PLACEHOLDER.search(self.value) is None)


@dataclasses.dataclass(frozen=True)
class Advised(Finding):
    """A finding that a record would resolve.

    :ivar why: its message without the record.
    """

    record: DnsRecord | None = None
    why: str = ""


def publish(name: str, rtype: str, value: str) -> DnsRecord:
    """The record to publish."""
    return DnsRecord(name, rtype, value)


def instead(name: str, rtype: str, value: str, of: str = "the existing record") -> DnsRecord:
    """The record to publish in place of an existing one."""
    return DnsRecord(name, rtype, value, of)


def advise(
    code: str, subject: str, record: DnsRecord, why: str, fix: str = "", *, severity: Severity | None = None
) -> Advised:
    """The finding that a record would resolve: first the record, then the reason."""
    found = TABLE.finding(code, subject, f"{record} {why}", fix, severity=severity)
    return Advised(found.code, found.severity, found.subject, found.message, found.fix, record, why)


def unanswered(*answers: Answer) -> list[Finding]:
    """The result of a rule if DNS did not answer a query that it needs."""
    return [
        TABLE.finding("dns-unanswered", one.question, f"{REASONS[one.status]}: {one.detail or 'no details'}")
        for one in answers
        if not one.known
    ]


def relay_terms(sender: Sender) -> list[str]:
    """The SPF terms that allow the relay; empty if neither its SPF name nor its addresses are known."""
    if sender.networks:
        networks = (ipaddress.ip_network(one) for one in sender.networks)
        return [f"ip{one.version}:{_short(one)}" for one in networks]
    return [f"include:{sender.spf_include}"] if sender.spf_include else []


def _short(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def new_policy(sender: Sender) -> str:
    """An SPF record for a domain that has none."""
    return " ".join(["v=spf1", *(relay_terms(sender) or [f"include:{PROVIDERS_SPF}"]), "~all"])


def mended_policy(policies: t.Sequence[str], add: t.Sequence[str] = ()) -> str:
    """One SPF record made from the existing ones: their terms without duplicates, the added ones first, C(all) last.

    Terms that would end the record early, or are not valid, are left out.
    """
    kept: list[str] = []
    ending = ""
    for policy in policies:
        try:
            terms = spf_evaluation.terms_of(policy)
        except spf_evaluation.SyntaxRefused:
            continue
        for term in terms:
            if term.name == "all":
                ending = ending or (term.raw if term.qualifier in "-~?" else "")
                break
            kept.append(term.raw)
    mechanisms = [one for one in dict.fromkeys([*add, *kept]) if not one.lower().startswith(("redirect=", "exp="))]
    redirect = next((one for one in kept if one.lower().startswith("redirect=")), "")
    if redirect and not ending:
        return " ".join(["v=spf1", *mechanisms, redirect])
    return " ".join(["v=spf1", *mechanisms, ending or "~all"])


def shown(text: str) -> str:
    """A record's text for a message."""
    return f'"{printable(text, 200)}"'


def listed(words: t.Sequence[str], most: int = 5) -> str:
    """A list of words for a message, shortened to the first few."""
    tail = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + tail
