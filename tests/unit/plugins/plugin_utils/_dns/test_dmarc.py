# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""M1 to M5: DMARC."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import (
    KEY,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_cases import (
    BOUNCES,
    OWN_BOUNCE,
    S1,
    THEIRS,
    Case,
    dmarc,
    spf,
)

CASES = [
    Case("M1", "one record", "ok"),
    Case(
        "M1",
        "none",
        "warning",
        ("dmarc-missing",),
        {"_dmarc.example.org": None},
        says='Publish _dmarc.example.org TXT "v=DMARC1; p=none".',
    ),
    Case("M1", "none, in bulk", "error", ("dmarc-missing",), {"_dmarc.example.org": None}, {"bulk": True}),
    Case("M1", "two", "warning", ("dmarc-several",), dmarc("v=DMARC1; p=none", "v=DMARC1; p=reject")),
    Case(
        "M1",
        "two, in bulk",
        "error",
        ("dmarc-several",),
        dmarc("v=DMARC1; p=none", "v=DMARC1; p=reject"),
        {"bulk": True},
    ),
    Case("M1", "another TXT does not count", "ok", (), dmarc("v=DMARC1; p=none", "hello")),
    Case("M1", "unanswered", "unknown", ("dns-unanswered",), {"_dmarc.example.org": [("!", "servfail")]}),
    Case("M1", "own record there, parent unanswered", "ok", (), {"_dmarc.org": [("!", "timeout")]}),
    Case("M2", "valid", "ok"),
    Case("M2", "no p", "warning", ("dmarc-invalid",), dmarc("v=DMARC1; rua=mailto:a@example.org"), says="p=none"),
    Case("M2", "unknown policy", "warning", ("dmarc-invalid",), dmarc("v=DMARC1; p=deny")),
    Case(
        "M2",
        "obsolete tags",
        "warning",
        ("dmarc-invalid",),
        dmarc("v=DMARC1; p=none; pct=50; ri=3600; rf=afrf"),
        says='"v=DMARC1; p=none" in place',
    ),
    Case("M2", "unknown tags are ignored", "ok", (), dmarc("v=DMARC1; p=none; x=y; rua=mailto:a@example.org")),
    Case("M2", "a tag twice", "warning", ("dmarc-invalid",), dmarc("v=DMARC1; p=none; p=reject"), says="twice"),
    Case("M2", "version not first", "warning", ("dmarc-invalid",), dmarc("p=none; v=DMARC1"), says="must come first"),
    Case("M2", "version in lower case", "warning", ("dmarc-invalid",), dmarc("v=dmarc1; p=none")),
    Case(
        "M2",
        "rua without mailto",
        "warning",
        ("dmarc-invalid",),
        dmarc("v=DMARC1; p=none; rua=a@example.org"),
        says="mailto:",
    ),
    Case("M2", "none there", "skipped", (), {"_dmarc.example.org": None}),
    Case("M3", "own policy", "info", ("dmarc-policy",), says="reject, by its own record"),
    Case(
        "M3",
        "weakened",
        "info",
        ("dmarc-policy",),
        dmarc("v=DMARC1; p=reject; t=y"),
        says="quarantine, weakened by t=y",
    ),
    Case("M3", "none there", "skipped", (), {"_dmarc.example.org": None}),
    Case("M3", "unanswered", "unknown", ("dns-unanswered",), {"_dmarc.example.org": [("!", "servfail")]}),
    Case("M4", "both ways", "ok"),
    Case("M4", "only DKIM", "ok", (), spf("v=spf1 -all")),
    Case("M4", "only SPF", "ok", (), {S1: None}),
    Case(
        "M4",
        "neither, policy reject",
        "error",
        ("dmarc-unaligned",),
        {**spf("v=spf1 -all"), S1: None},
        says=f"Publish {S1} TXT",
    ),
    Case(
        "M4",
        "neither, policy none",
        "warning",
        ("dmarc-unaligned",),
        {**spf("v=spf1 -all"), S1: None, **dmarc("v=DMARC1; p=none")},
    ),
    Case(
        "M4",
        "neither, reject weakened to quarantine",
        "error",
        ("dmarc-unaligned",),
        {**spf("v=spf1 -all"), S1: None, **dmarc("v=DMARC1; p=reject; t=y")},
    ),
    Case(
        "M4",
        "neither, quarantine weakened to none",
        "warning",
        ("dmarc-unaligned",),
        {**spf("v=spf1 -all"), S1: None, **dmarc("v=DMARC1; p=quarantine; t=y")},
    ),
    Case("M4", "SPF passes for the provider only", "error", ("dmarc-unaligned",), {S1: None}, relay=THEIRS),
    Case("M4", "a sub-domain is aligned when relaxed", "ok", (), {**BOUNCES, S1: None}, relay=OWN_BOUNCE),
    Case(
        "M4",
        "a sub-domain is not aligned when strict",
        "error",
        ("dmarc-unaligned",),
        {**BOUNCES, S1: None, **dmarc("v=DMARC1; p=reject; aspf=s")},
        relay=OWN_BOUNCE,
    ),
    Case(
        "M4",
        "DKIM of a sub-domain, strict",
        "error",
        ("dmarc-unaligned",),
        {"s1._domainkey.mg.example.org": [("TXT", KEY)], **dmarc("v=DMARC1; p=reject; adkim=s")},
        {"dkim_domain": "mg.example.org"},
        THEIRS,
    ),
    Case(
        "M4",
        "DKIM of a sub-domain, relaxed",
        "ok",
        (),
        {"s1._domainkey.mg.example.org": [("TXT", KEY)]},
        {"dkim_domain": "mg.example.org"},
        THEIRS,
    ),
    Case(
        "M4",
        "a key under test does not count",
        "error",
        ("dmarc-unaligned",),
        {S1: [("TXT", KEY + "; t=y")]},
        relay=THEIRS,
    ),
    Case(
        "M4",
        "selectors unknown",
        "unknown",
        ("dmarc-alignment-unproven",),
        {},
        {"selectors": None},
        THEIRS,
        says="DKIM",
    ),
    Case(
        "M4",
        "no DMARC record, neither way",
        "warning",
        ("dmarc-unaligned",),
        {"_dmarc.example.org": None, S1: None},
        relay=THEIRS,
    ),
    Case(
        "M4",
        "no DMARC record, a sub-domain would do",
        "ok",
        (),
        {**BOUNCES, "_dmarc.example.org": None, S1: None},
        relay=OWN_BOUNCE,
    ),
    Case("M4", "DMARC unanswered", "unknown", ("dns-unanswered",), {"_dmarc.example.org": [("!", "timeout")]}),
    Case("M5", "own address", "ok"),
    Case("M5", "no rua", "info", ("dmarc-without-reports",), dmarc("v=DMARC1; p=reject")),
    Case(
        "M5",
        "foreign address, not agreed",
        "info",
        ("dmarc-reports-unauthorised",),
        dmarc("v=DMARC1; p=none; rua=mailto:x@reports.test"),
        says="Publish example.org._report._dmarc.reports.test TXT",
    ),
    Case(
        "M5",
        "foreign address, agreed",
        "ok",
        (),
        {
            **dmarc("v=DMARC1; p=none; rua=mailto:x@reports.test!10m"),
            "example.org._report._dmarc.reports.test": [("TXT", "v=DMARC1")],
        },
    ),
    Case(
        "M5",
        "foreign address, unanswered",
        "unknown",
        ("dns-unanswered",),
        {
            **dmarc("v=DMARC1; p=none; rua=mailto:x@reports.test"),
            "example.org._report._dmarc.reports.test": [("!", "servfail")],
        },
    ),
    Case("M5", "no record", "skipped", (), {"_dmarc.example.org": None}),
    Case(
        "M1",
        "a wildcard is no DMARC record",
        "warning",
        ("dmarc-missing",),
        {"_dmarc.example.org": None, "*.example.org": [("TXT", "v=spf1 -all")]},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_concludes(case: Case) -> None:
    case.check()
