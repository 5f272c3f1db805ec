# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of rules as a whole."""

from __future__ import annotations

import re

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.check_names import CHECK_NAMES
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.rules import RULES
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns import (
    test_dkim,
    test_dmarc,
    test_domain,
    test_spf,
    test_spf_relay,
    test_wildcard,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import GOOD, judged, varied
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_cases import Case

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


ADVICE = re.compile(r'Publish (?P<name>\S+) TXT "(?P<value>v=(?:spf1|DMARC1)[^"]*)"')
ADVISED = [case for case in CASES if case.rule[0] in "SM" and case.outcome in ("warning", "error")]


def advice_of(case: Case) -> list[re.Match[str]]:
    """The records that the rule's findings tell to publish, as far as they can be published as they stand."""
    before = judged(varied(case.changes), case.options, case.relay)
    findings = next(one for one in RULES if one.id == case.rule).judge(before.facts) or []
    found = [one for finding in findings if (one := ADVICE.match(finding.message))]
    return [one for one in found if "NAME-FROM" not in one["value"]]


@pytest.mark.parametrize("case", ADVISED, ids=lambda case: case.name)
def test_who_follows_the_advice_is_well(case: Case) -> None:
    """Publish what the findings say, and look again: the rule is content, and the relay may still send."""
    book = varied(case.changes)
    for one in advice_of(case):
        kind = one["value"].partition("=")[2].lower()[:4]
        kept = [row for row in book.get(one["name"], ()) if row[0] != "TXT" or kind not in row[1].lower()]
        book[one["name"]] = [*kept, ("TXT", one["value"])]
    if not advice_of(case):
        return
    after = judged(book, case.options, case.relay)
    # The worst case may stay near the limits; that a relay is listed first cannot shorten the record.
    bearable = {"ok", "info", "skipped"} | ({"warning"} if case.rule == "S3" else set())
    assert after.outcomes[case.rule] in bearable, after.findings
    for rule in ("S1", "S2", "S4", "S5"):
        assert after.outcomes[rule] in ("ok", "skipped") or case.rule[0] == "M" or case.relay.name, after.findings


def test_the_advice_is_followed_in_most_cases() -> None:
    """Keeps the test above from passing because nothing matches."""
    assert sum(bool(advice_of(case)) for case in ADVISED) > len(ADVISED) // 2


def test_each_rule_has_a_name_for_people() -> None:
    assert list(CHECK_NAMES) == [rule.id for rule in RULES]
