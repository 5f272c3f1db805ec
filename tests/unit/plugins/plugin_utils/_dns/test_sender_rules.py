# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of rules as a whole."""

from __future__ import annotations

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.rules import RULES
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns import (
    test_dkim,
    test_dmarc,
    test_domain,
    test_spf,
    test_spf_relay,
    test_wildcard,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import GOOD, judged

CASES = [
    case for one in (test_dkim, test_dmarc, test_domain, test_spf, test_spf_relay, test_wildcard) for case in one.CASES
]


def test_every_rule_is_tested_with_ok_and_with_not_ok() -> None:
    for rule in RULES:
        outcomes = {case.outcome for case in CASES if case.rule == rule.id}
        assert outcomes - {"ok", "skipped"}, rule.id
        assert outcomes & {"ok", "skipped"} or rule.id == "M3", rule.id


def test_every_code_of_a_rule_has_a_case() -> None:
    before_any_question = {"sender-option-invalid", "dns-packages-missing"}
    assert {code for case in CASES for code in case.codes} >= set(TABLE.rows) - before_any_question


def test_the_good_domain_is_good() -> None:
    judgement = judged(GOOD)
    assert judgement.verdict == "ok"
    assert [one.code for one in judgement.findings] == ["dmarc-policy"]
    assert {rule: outcome for rule, outcome in judgement.outcomes.items() if outcome != "ok"} == {
        "S7": "skipped",
        "M3": "info",
    }
