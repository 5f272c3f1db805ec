# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""D1 to D4: the domains."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import (
    GOOD,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_cases import (
    BOUNCES,
    OWN_BOUNCE,
    Case,
    mx,
)

CASES = [
    Case("D1", "the domain exists", "ok"),
    Case(
        "D1",
        "the domain does not exist",
        "error",
        ("from-domain-missing",),
        dict.fromkeys(GOOD) | {"_spf.relay.test": GOOD["_spf.relay.test"]},
    ),
    Case("D1", "nobody answers", "unknown", ("dns-unanswered",), {"example.org": [("!", "timeout")]}),
    Case(
        "D1",
        "only MX is unanswered, the address is there",
        "ok",
        (),
        {"example.org": [("!MX", "servfail"), ("A", "192.0.2.1")]},
    ),
    Case("D2", "there is an MX", "ok"),
    Case("D2", "only an address", "warning", ("from-domain-without-mx",), {"example.org": [("A", "192.0.2.80")]}),
    Case(
        "D2", "only an IPv6 address", "warning", ("from-domain-without-mx",), {"example.org": [("AAAA", "2001:db8::1")]}
    ),
    Case("D2", "neither", "error", ("from-domain-unreachable",), {"example.org": [("TXT", "v=spf1 -all")]}),
    Case(
        "D2", "MX is refused", "unknown", ("dns-unanswered",), {"example.org": [("!MX", "refused"), ("A", "192.0.2.1")]}
    ),
    Case(
        "D2",
        "no MX, addresses fail",
        "unknown",
        ("dns-unanswered",),
        {"example.org": [("!A", "servfail"), ("TXT", "x")]},
    ),
    Case("D2", "a null MX is the next rule's business", "skipped", (), mx("0 .")),
    Case("D3", "mail is taken", "ok"),
    Case(
        "D3",
        "null MX on a domain that is both",
        "error",
        ("return-path-null-mx",),
        mx("0 ."),
        says="in place of the null MX",
    ),
    Case(
        "D3",
        "null MX on From only",
        "warning",
        ("from-domain-null-mx",),
        {**mx("0 ."), **BOUNCES},
        relay=OWN_BOUNCE,
    ),
    Case(
        "D3",
        "null MX on the return path",
        "error",
        ("return-path-null-mx",),
        {"bounces.example.org": [("MX", "0 ."), ("TXT", "v=spf1 -all")]},
        {"return_path": "bounces@bounces.example.org"},
    ),
    Case("D3", "nobody answers", "unknown", ("dns-unanswered",), {"example.org": [("!", "timeout")]}),
    Case("D4", "the host has an address", "ok"),
    Case(
        "D4",
        "the host is an alias",
        "warning",
        ("mx-target-unusable",),
        {"mail.example.org": [("CNAME", "h.test")], "h.test": [("A", "192.0.2.9")]},
        says="MX 10 h.test",
    ),
    Case(
        "D4",
        "the host is an address",
        "warning",
        ("mx-target-unusable",),
        mx("10 192.0.2.25"),
        says="points to the address 192.0.2.25",
    ),
    Case("D4", "the host does not exist", "warning", ("mx-target-unusable",), {"mail.example.org": None}),
    Case("D4", "the host does not answer", "unknown", ("dns-unanswered",), {"mail.example.org": [("!", "servfail")]}),
    Case(
        "D4",
        "one family answers, and that is enough",
        "ok",
        (),
        {"mail.example.org": [("!AAAA", "servfail"), ("A", "192.0.2.9")]},
    ),
    Case(
        "D4",
        "a null MX among others",
        "warning",
        ("mx-target-unusable",),
        mx("0 .", "10 mail.example.org"),
        says="it must be the only MX",
    ),
    Case("D4", "there is no MX", "skipped", (), {"example.org": [("A", "192.0.2.1")]}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_concludes(case: Case) -> None:
    case.check()
