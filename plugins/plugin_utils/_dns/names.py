# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Domain names: from the form that operators write to the form that DNS needs."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import ipaddress
import typing as t

try:
    import dns.exception
    import dns.name
except ImportError:  # reported by the step; see libraries.py
    pass

#: RFC 1035, section 2.3.4: 255 octets on the wire are 253 characters in text.
LONGEST_NAME = 253


class NameRefused(ValueError):
    """A text that is not a domain name; the message says why."""


def domain_of(address: str) -> str:
    """The domain of C(Name <user@example.org>), C(user@example.org) or C(example.org), in the form that DNS needs.

    Accepts upper case, a final dot and international names. An international name is returned in its A-label form
    (RFC 5890), by IDNA 2008 if the idna package is installed, else by IDNA 2003.

    :raises NameRefused: the text has no valid domain.
    """
    text = address.strip()
    if text.endswith(">"):
        text = text[:-1].rpartition("<")[2]
    domain = text.rpartition("@")[2].strip()
    if not domain.strip("."):
        raise NameRefused("it contains no domain")
    if domain.startswith("["):
        raise NameRefused("it names an IP address; SPF, DKIM and DMARC need a domain")
    return canonical(domain)


def canonical(domain: str) -> str:
    """A domain in the form in which this package compares names: A-labels, lower case, no final dot.

    :raises NameRefused: no dot, empty or too long labels, too long as a whole, or not a valid IDN.
    """
    if is_address(domain):
        raise NameRefused("it is an IP address; SPF, DKIM and DMARC need a domain")
    if any(char.isspace() or not char.isprintable() or char in '\\"@,;:()<>/' for char in domain):
        raise NameRefused("it contains a character that is not allowed in a domain name")
    codec = dns.name.IDNA_2008_Practical if dns.name.have_idna_2008 else dns.name.IDNA_2003_Practical
    try:
        name = dns.name.from_unicode(domain.rstrip("."), idna_codec=codec)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise NameRefused(_why(error)) from error
    text = name.to_text(omit_final_dot=True).lower()
    if len(text) > LONGEST_NAME:
        raise NameRefused(f"it is {len(text)} characters long; the DNS limit is {LONGEST_NAME}")
    if "." not in text:
        raise NameRefused("it has no dot; a mail domain needs at least two parts, such as example.org")
    return text


def _why(error: Exception) -> str:
    reasons: dict[type[Exception], str] = {
        dns.name.LabelTooLong: "one of its parts has more than 63 characters",
        dns.name.NameTooLong: f"it is longer than the DNS limit of {LONGEST_NAME} characters",
        dns.name.EmptyLabel: "it has two dots in a row, or begins with one",
    }
    return reasons.get(type(error), "it is not a valid international domain name")


def is_address(text: str) -> bool:
    """Whether the text is an IP address instead of a name."""
    try:
        ipaddress.ip_address(text.strip("."))
    except ValueError:
        return False
    return True


def parents(domain: str) -> t.Iterator[str]:
    """The names above a domain, nearest first, without the root."""
    rest = domain
    while "." in rest:
        rest = rest.partition(".")[2]
        yield rest


def within(name: str, zone: str) -> bool:
    """Whether a name is the zone itself or below it."""
    return name == zone or name.endswith("." + zone)
