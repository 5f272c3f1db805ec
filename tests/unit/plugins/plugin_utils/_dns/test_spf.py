# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S1 to S3: the SPF record."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_cases import (
    BOUNCES,
    NO_SPF,
    OWN_BOUNCE,
    THEIRS,
    Case,
    includes,
    spf,
)

CASES = [
    Case("S1", "one record", "ok"),
    Case("S1", "mixed case counts", "ok", (), spf("V=SpF1 include:_spf.relay.test -all")),
    Case(
        "S1", "another TXT does not count", "ok", (), spf("v=spf1 include:_spf.relay.test -all", "v=spf10 x", "hello")
    ),
    Case(
        "S1",
        "none",
        "error",
        ("spf-missing",),
        NO_SPF,
        says='Publish example.org TXT "v=spf1 include:_spf.relay.test ~all".',
    ),
    Case(
        "S1",
        "none, addresses known",
        "error",
        ("spf-missing",),
        NO_SPF,
        {"relay_addresses": ["198.51.100.7", "2001:db8:5::/48"]},
        says='"v=spf1 ip4:198.51.100.7 ip6:2001:db8:5::/48 ~all"',
    ),
    Case(
        "S1",
        "two",
        "error",
        ("spf-several",),
        spf("v=spf1 mx -all", "v=spf1 include:_spf.relay.test ~all"),
        says='"v=spf1 include:_spf.relay.test mx -all"',
    ),
    Case(
        "S1",
        "unanswered",
        "unknown",
        ("dns-unanswered",),
        {"example.org": [("!TXT", "timeout"), ("MX", "10 mail.example.org")]},
    ),
    Case("S1", "none, but the relay uses its own domain", "info", ("spf-missing",), NO_SPF, relay=THEIRS),
    Case("S1", "the same in bulk", "warning", ("spf-missing",), NO_SPF, {"bulk": True}, THEIRS),
    Case("S1", "on the sub-domain, through its alias", "ok", (), {**NO_SPF, **BOUNCES}, relay=OWN_BOUNCE),
    Case("S1", "sub-domain not known", "skipped", (), relay=dataclasses.replace(OWN_BOUNCE, return_path_label="em<n>")),
    Case("S2", "it parses", "ok"),
    Case(
        "S2",
        "unknown mechanism",
        "error",
        ("spf-syntax",),
        spf("v=spf1 ipv4:192.0.2.1 include:_spf.relay.test -all"),
        says='"v=spf1 include:_spf.relay.test -all"',
    ),
    Case(
        "S2",
        "strings joined without a space",
        "error",
        ("spf-syntax",),
        spf("v=spf1 ip4:192.0.2.1ip4:192.0.2.2 -all"),
        says="joined without a space",
    ),
    Case(
        "S2",
        "an include is broken",
        "error",
        ("spf-syntax",),
        {"_spf.relay.test": [("TXT", "v=spf1 nonsense -all")]},
        says="have its owner correct it",
    ),
    Case(
        "S2",
        "an include has no record",
        "error",
        ("spf-include-empty",),
        spf("v=spf1 include:gone.test include:_spf.relay.test -all"),
        says='"v=spf1 include:_spf.relay.test -all"',
    ),
    Case(
        "S2",
        "a redirect has no record",
        "error",
        ("spf-include-empty",),
        spf("v=spf1 include:_spf.relay.test redirect=gone.test"),
    ),
    Case(
        "S2",
        "an include of an include has no record",
        "error",
        ("spf-include-empty",),
        {"_spf.relay.test": [("TXT", "v=spf1 include:gone.test -all")]},
        says="Publish an SPF record at gone.test",
    ),
    Case("S2", "no record", "skipped", (), NO_SPF),
    Case("S2", "unanswered", "unknown", ("dns-unanswered",), {"example.org": [("!TXT", "servfail")]}),
    Case("S3", "one look-up", "ok"),
    Case("S3", "eight look-ups", "ok", (), includes(8)),
    Case("S3", "nine look-ups", "warning", ("spf-near-limit",), includes(9)),
    Case("S3", "ten look-ups", "warning", ("spf-near-limit",), includes(10)),
    Case(
        "S3",
        "eleven, the relay last",
        "error",
        ("spf-over-limit",),
        includes(11),
        says='Publish example.org TXT "v=spf1 include:_spf.relay.test include:i0.test',
    ),
    Case(
        "S3",
        "eleven, the relay first",
        "warning",
        ("spf-near-limit",),
        {
            **includes(12),
            **spf("v=spf1 include:_spf.relay.test " + " ".join(f"include:i{one}.test" for one in range(11)) + " -all"),
        },
    ),
    Case(
        "S3",
        "three empty look-ups before the relay",
        "error",
        ("spf-over-limit",),
        spf("v=spf1 a:n1.test a:n2.test a:n3.test include:_spf.relay.test -all"),
    ),
    Case(
        "S3",
        "three empty look-ups after the relay",
        "warning",
        ("spf-near-limit",),
        spf("v=spf1 include:_spf.relay.test a:n1.test a:n2.test a:n3.test -all"),
    ),
    Case(
        "S3",
        "mx with eleven hosts",
        "warning",
        ("spf-near-limit",),
        {
            **spf("v=spf1 include:_spf.relay.test mx:big.test -all"),
            "big.test": [("MX", f"1 m{one}.test") for one in range(11)],
        },
        says="more than ten mail hosts",
    ),
    Case(
        "S3",
        "an include does not answer",
        "unknown",
        ("dns-unanswered",),
        {**spf("v=spf1 include:_spf.relay.test include:slow.test -all"), "slow.test": [("!", "timeout")]},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_concludes(case: Case) -> None:
    case.check()
