# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""W1 and W2: what makes the rest untrustworthy."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import (
    GOOD,
    KEY,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_cases import (
    S1,
    Case,
)

CASES = [
    Case("W1", "no wildcard", "ok"),
    Case(
        "W1",
        "TXT for any name",
        "warning",
        ("dns-wildcard",),
        {"*.example.org": [("TXT", "hello")]},
        says="Remove *.example.org",
    ),
    Case(
        "W1",
        "an alias for any name",
        "warning",
        ("dns-wildcard",),
        {"*._domainkey.example.org": [("CNAME", "web.test")]},
        says="Remove *._domainkey.example.org",
    ),
    Case("W1", "an address for any name is no matter", "ok", (), {"*.example.org": [("A", "192.0.2.1")]}),
    Case("W1", "unanswered", "unknown", ("dns-unanswered",), {"*.example.org": [("!", "timeout")]}),
    Case("W2", "no alias", "ok"),
    Case("W2", "an alias alone", "ok", (), {S1: [("CNAME", "k.test")], "k.test": [("TXT", KEY)]}),
    Case(
        "W2",
        "an alias beside others",
        "warning",
        ("cname-beside-others",),
        {"example.org": [*GOOD["example.org"], ("CNAME", "web.test")]},
        says="MX, TXT, A",
    ),
    Case("W2", "unanswered", "unknown", ("dns-unanswered",), {S1: [("!CNAME", "servfail"), ("TXT", KEY)]}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_concludes(case: Case) -> None:
    case.check()
