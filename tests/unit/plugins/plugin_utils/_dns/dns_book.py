# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A domain with nothing wrong, and a way to ask about variations of it without a network."""

from __future__ import annotations

import base64
import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import facts, rules, sender
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.answers import Answer, Ask, Status
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.names import parents

#: Name to its records; the type "!" makes every question there come back unanswered, with the value as status.
Book = t.Mapping[str, t.Sequence[tuple[str, str]]]


def rsa_key(bits: int) -> str:
    """A public key of that many bits (an odd number, not a product of primes: nobody signs with it)."""

    def element(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
        return bytes([tag]) + length + content

    modulus = ((1 << bits) - 1).to_bytes(bits // 8, "big")
    key = element(0x30, element(0x02, b"\x00" + modulus) + element(0x02, b"\x01\x00\x01"))
    algorithm = element(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    return base64.b64encode(element(0x30, algorithm + element(0x03, b"\x00" + key))).decode()


KEY = f"v=DKIM1; k=rsa; p={rsa_key(2048)}"

GOOD: dict[str, list[tuple[str, str]]] = {
    "example.org": [("MX", "10 mail.example.org"), ("A", "192.0.2.80"), ("TXT", "v=spf1 include:_spf.relay.test -all")],
    "mail.example.org": [("A", "192.0.2.25")],
    "_dmarc.example.org": [("TXT", "v=DMARC1; p=reject; rua=mailto:dmarc@example.org")],
    "s1._domainkey.example.org": [("TXT", KEY)],
    "_spf.relay.test": [("TXT", "v=spf1 ip4:198.51.100.0/24 ip6:2001:db8:5::/48 -all")],
}

#: What the operator says about that domain.
OPTIONS: dict[str, t.Any] = {
    "from_address": "Mastodon <notifications@example.org>",
    "spf_include": "_spf.relay.test",
    "selectors": ["s1"],
}


def ask_from(book: Book) -> Ask:
    """Answers as a resolver would give them."""

    def ask(name: str, rtype: str) -> Answer:
        aliases: list[str] = []
        target = name.lower()
        while True:
            rows = book.get(target)
            if rows is None:  # the nearest wildcard, as RFC 4592 has it where no name between exists
                rows = next((book[f"*.{one}"] for one in parents(target) if f"*.{one}" in book), None)
            if rows is None:
                empty = any(other.endswith("." + target) for other in book)
                return Answer(name, rtype, "nodata" if empty else "nxdomain", (), tuple(aliases))
            failing = next((value for kind, value in rows if kind in ("!", f"!{rtype}")), None)
            if failing is not None:
                return Answer(name, rtype, t.cast(Status, failing), (), tuple(aliases), "127.0.0.1 was asked")
            found = tuple(value for kind, value in rows if kind == rtype)
            if found:
                return Answer(name, rtype, "records", found, tuple(aliases))
            alias = next((value for kind, value in rows if kind == "CNAME"), None)
            if alias is None or alias in aliases:
                return Answer(name, rtype, "nodata", (), tuple(aliases))
            aliases.append(alias)
            target = alias

    return ask


def varied(changes: t.Mapping[str, t.Sequence[tuple[str, str]] | None]) -> dict[str, t.Sequence[tuple[str, str]]]:
    """The good domain with some names changed, or taken away."""
    return {name: rows for name, rows in {**GOOD, **changes}.items() if rows is not None}


def judged(
    book: Book, options: t.Mapping[str, t.Any] | None = None, relay: sender.Relay | None = None
) -> rules.Judgement:
    """All rules over a book."""
    who = sender.sender_from({**OPTIONS, **(options or {})}, relay or sender.Relay())
    return rules.judge(facts.gather(who, ask_from(book)))
