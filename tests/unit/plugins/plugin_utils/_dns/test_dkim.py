# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""K1 to K3: DKIM."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import (
    KEY,
    rsa_key,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_cases import (
    CNAMED,
    S1,
    S2,
    THEIRS,
    Case,
)

CASES = [
    Case("K1", "the key is there", "ok"),
    Case("K1", "no selector known", "skipped", (), {}, {"selectors": []}),
    Case("K1", "the only one is missing", "error", ("dkim-without-key",), {S1: None}, says=f"Publish {S1} TXT"),
    Case(
        "K1",
        "missing, and the preset knows the alias",
        "error",
        ("dkim-without-key",),
        {S1: None},
        {"selectors": None},
        CNAMED,
        says=f"Publish {S1} CNAME",
    ),
    Case("K1", "one of two is missing", "warning", ("dkim-selector-broken",), {}, {"selectors": ["s1", "s2"]}),
    Case(
        "K1",
        "one of two that only the preset names is missing",
        "info",
        ("dkim-selector-broken",),
        {},
        {"selectors": None},
        CNAMED,
    ),
    Case("K1", "revoked", "error", ("dkim-without-key",), {S1: [("TXT", "v=DKIM1; p=")]}, says="revoked"),
    Case(
        "K1",
        "two records",
        "error",
        ("dkim-without-key",),
        {S1: [("TXT", KEY), ("TXT", "v=DKIM1; p=")]},
        says="2 TXT records",
    ),
    Case("K1", "no base64", "error", ("dkim-without-key",), {S1: [("TXT", "v=DKIM1; p=MIIB$")]}, says="base64"),
    Case("K1", "cut off", "error", ("dkim-without-key",), {S1: [("TXT", KEY[:-40])]}, says="cut off"),
    Case(
        "K1",
        "another kind of key",
        "error",
        ("dkim-without-key",),
        {S1: [("TXT", "v=DKIM1; k=dsa; p=AAAA")]},
        says="neither rsa nor ed25519",
    ),
    Case("K1", "a key of 32 bytes", "ok", (), {S1: [("TXT", "v=DKIM1; k=ed25519; p=" + "A" * 43 + "=")]}),
    Case(
        "K1", "ed25519 of a wrong length", "error", ("dkim-without-key",), {S1: [("TXT", "v=DKIM1; k=ed25519; p=AAAA")]}
    ),
    Case("K1", "through an alias", "ok", (), {S1: [("CNAME", "k.wren.test")], "k.wren.test": [("TXT", KEY)]}),
    Case("K1", "unanswered", "unknown", ("dns-unanswered",), {S1: [("!", "timeout")]}),
    Case(
        "K1",
        "one answers, one does not",
        "unknown",
        ("dns-unanswered",),
        {S2: [("!", "timeout")]},
        {"selectors": ["s1", "s2"]},
    ),
    Case("K2", "2048 bits", "ok"),
    Case(
        "K2", "1024 bits", "info", ("dkim-key-short",), {S1: [("TXT", f"v=DKIM1; p={rsa_key(1024)}")]}, says="1024 bits"
    ),
    Case(
        "K2", "768 bits", "error", ("dkim-key-short",), {S1: [("TXT", f"v=DKIM1; p={rsa_key(768)}")]}, says="768 bits"
    ),
    Case("K2", "test flag", "warning", ("dkim-key-testing",), {S1: [("TXT", KEY + "; t=y:s")]}),
    Case(
        "K2",
        "in the provider's zone",
        "ok",
        (),
        {S1: [("CNAME", "a.dkim.wren.test")], "a.dkim.wren.test": [("TXT", KEY)]},
        {"selectors": None},
        CNAMED,
    ),
    Case(
        "K2",
        "elsewhere",
        "info",
        ("dkim-elsewhere",),
        {S1: [("CNAME", "a.dkim.wren.test.evil.test")], "a.dkim.wren.test.evil.test": [("TXT", KEY)]},
        {"selectors": None},
        CNAMED,
        says="dkim.wren.test",
    ),
    Case("K2", "no usable key", "skipped", (), {S1: None}),
    Case("K3", "given", "ok"),
    Case("K3", "by the preset", "ok", (), {}, {"selectors": None}, CNAMED),
    Case(
        "K3",
        "not known",
        "unknown",
        ("dkim-selectors-unknown",),
        {},
        {"selectors": None},
        THEIRS,
        says="None were guessed",
    ),
    Case(
        "K1",
        "a wildcard is no key",
        "error",
        ("dkim-without-key",),
        {S1: None, "*._domainkey.example.org": [("TXT", "v=spf1 -all")]},
        says="not a DKIM key",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_concludes(case: Case) -> None:
    case.check()
