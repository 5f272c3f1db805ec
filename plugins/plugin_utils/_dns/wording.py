# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wording of the findings: first the record to publish, then the reason."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE

from . import spf_evaluation
from .answers import REASONS, Answer, printable
from .sender import Sender

#: The result of a rule: findings (none if it is satisfied), or None if it does not apply.
Outcome = t.Optional[list[Finding]]


def publish(name: str, rtype: str, value: str) -> str:
    """The record to publish, as the beginning of a message."""
    quoted = f'"{value}"' if rtype == "TXT" else value
    return f"Publish {name} {rtype} {quoted}."


def instead(name: str, rtype: str, value: str) -> str:
    """The record to publish in place of an existing one, as the beginning of a message."""
    return f"{publish(name, rtype, value)[:-1]} in place of the existing record."


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
    return " ".join(["v=spf1", *(relay_terms(sender) or ["include:NAME-FROM-YOUR-PROVIDER"]), "~all"])


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
