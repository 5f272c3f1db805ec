# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sender whose DNS is checked, as the operator describes it, and what is known about its relay."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE

from . import names
from .answers import printable

#: same_domain: the relay keeps Mastodon's envelope sender. provider: the relay replaces it by its own domain.
#: subdomain_cname, subdomain_records: the relay uses a sub-domain of the sender, set up by a CNAME or by MX and TXT.
ReturnPathMode = t.Literal["same_domain", "provider", "subdomain_cname", "subdomain_records"]

#: A part of a preset's name or target that differs from customer to customer: <n>, {region}, * or an ellipsis.
PLACEHOLDER = re.compile(r"<[^<>]*>|\{[^{}]*\}|\*|…|\.{3}")


@dataclasses.dataclass(frozen=True)
class Relay:
    """The DNS part of a provider preset; the default is a relay about which nothing is known.

    :ivar name: the preset's name.
    :ivar return_path_mode: whose domain receivers see in the envelope.
    :ivar return_path_domain: the provider's own domain in the envelope, if known.
    :ivar return_path_label: the sub-domain that the relay uses or can be configured to use; may hold placeholders.
    :ivar return_path_target: the target of that sub-domain's CNAME (or MX), a name or zone; may hold placeholders.
    :ivar spf_include: the provider's SPF name.
    :ivar spf_literal: the provider only accepts its include in the domain's own record, not in another include.
    :ivar selectors: DKIM selectors that every customer has; empty if they are random.
    :ivar dkim_target: the zone of the selectors' CNAME targets; empty for TXT selectors.
    """

    name: str = ""
    return_path_mode: ReturnPathMode = "same_domain"
    return_path_domain: str = ""
    return_path_label: str = ""
    return_path_target: str = ""
    spf_include: str = ""
    spf_literal: bool = False
    selectors: tuple[str, ...] = ()
    dkim_target: str = ""


@dataclasses.dataclass(frozen=True)
class Sender:
    """One sender, with its names in the form that DNS needs.

    :ivar from_domain: domain of the From header.
    :ivar return_path: domain that Mastodon puts into the envelope; the From domain unless set.
    :ivar bounce_domain: sub-domain set up at the provider for bounces; empty if there is none or it is the preset's.
    :ivar dkim_domain: the domain for which the relay signs (d=).
    :ivar selectors: DKIM selectors to check.
    :ivar spf_include: the relay's SPF name.
    :ivar networks: networks from which the relay sends, if the operator knows them.
    :ivar bulk: more than 5,000 mails a day to one receiver.
    :ivar relay: the DNS part of the preset.
    """

    from_domain: str
    return_path: str
    bounce_domain: str
    dkim_domain: str
    selectors: tuple[str, ...]
    spf_include: str
    networks: tuple[str, ...]
    bulk: bool
    relay: Relay


def sender_from(options: t.Mapping[str, t.Any], relay: Relay) -> Sender:
    """The sender described by the options; missing values come from the preset.

    :raises FindingError: an address, domain, selector or relay address is not valid.
    """
    from_domain = _domain(options.get("from_address"), "from_address")
    dkim_domain = _domain(options.get("dkim_domain") or from_domain, "dkim_domain")
    bounce = options.get("bounce_domain")
    include = options.get("spf_include") or relay.spf_include
    given = options.get("selectors") or relay.selectors
    return Sender(
        from_domain=from_domain,
        return_path=_domain(options.get("return_path") or from_domain, "return_path"),
        bounce_domain=_domain(bounce, "bounce_domain") if bounce else "",
        dkim_domain=dkim_domain,
        selectors=tuple(dict.fromkeys(_selector(str(one), dkim_domain) for one in given)),
        spf_include=_domain(include, "spf_include") if include else "",
        networks=tuple(dict.fromkeys(_network(str(one)) for one in options.get("relay_addresses") or ())),
        bulk=bool(options.get("bulk")),
        relay=relay,
    )


def _domain(text: t.Any, option: str) -> str:
    try:
        return names.domain_of(str(text or ""))
    except names.NameRefused as why:
        message = f'"{printable(str(text or ""), 80)}" cannot be used: {why}.'
        raise FindingError(TABLE.finding("sender-option-invalid", option, message)) from None


def _selector(text: str, domain: str) -> str:
    selector = text.strip().lower().rstrip(".").partition("._domainkey")[0]
    try:
        names.canonical(f"{selector}._domainkey.{domain}")
    except names.NameRefused as why:
        message = f'The DKIM selector "{printable(text, 80)}" cannot be used: {why}.'
        raise FindingError(TABLE.finding("sender-option-invalid", "selectors", message)) from None
    return selector


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        message = f'"{printable(text, 80)}" is not an IP address or a network such as 192.0.2.0/24.'
        raise FindingError(TABLE.finding("sender-option-invalid", "relay_addresses", message)) from None


def fits(pattern: str, name: str) -> bool:
    """Whether a name matches a preset's pattern; a pattern without placeholders matches itself and names below it."""
    pieces = [re.escape(one) for one in PLACEHOLDER.split(pattern.lower().strip("."))]
    expression = "[a-z0-9_.-]+".join(pieces)
    return re.fullmatch(rf"(?:[a-z0-9_-]+\.)*{expression}", name.lower().rstrip(".")) is not None


def fixed(pattern: str) -> bool:
    """Whether a preset's pattern has no placeholders."""
    return bool(pattern) and PLACEHOLDER.search(pattern) is None
