# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of rules, and the result of applying all of them to one sender."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, worst_first
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE

from . import dkim, dmarc, domain, spf, wildcard, zone
from .check_names import CHECK_NAMES
from .facts import Facts
from .wording import Outcome, listed


@dataclasses.dataclass(frozen=True)
class Rule:
    """One row: a stable id, the question that it answers with "ok", its source, and its pure function."""

    id: str
    question: str
    source: str
    judge: t.Callable[[Facts], Outcome]


RULES: tuple[Rule, ...] = (
    Rule("D1", "Does the From domain exist?", "RFC 5321, 2.3.5", domain.d1_from_domain_exists),
    Rule("D2", "Can the From domain receive mail?", "RFC 5321, 5.1", domain.d2_from_domain_reachable),
    Rule("D3", "Does it accept mail (no null MX)?", "RFC 7505", domain.d3_accepts_mail),
    Rule("D4", "Are its mail hosts usable?", "RFC 2181, 10.3", domain.d4_mail_hosts_usable),
    Rule("S1", "Is there exactly one SPF record?", "RFC 7208, 4.5", spf.s1_one_policy),
    Rule("S2", "Is its syntax valid?", "RFC 7208, 12", spf.s2_policy_parses),
    Rule("S3", "Is it within the lookup limits?", "RFC 7208, 4.6.4", spf.s3_within_limits),
    Rule("S4", "Does it allow the relay?", "RFC 7208, 4", spf.s4_relay_authorised),
    Rule("S5", "Does it allow no one else?", "RFC 7208, 5.1", spf.s5_not_open),
    Rule("S6", "Is it free of deprecated parts?", "RFC 7208, 3.4, 5.1, 5.5, 6.1", spf.s6_policy_tidy),
    Rule("S7", "Is the bounce subdomain set up?", "the provider's documentation", spf.s7_return_path_set_up),
    Rule("K1", "Do the DKIM selectors have keys?", "RFC 6376, 3.6", dkim.k1_keys_usable),
    Rule("K2", "Are the keys strong and in use?", "RFC 8301; RFC 6376, 3.6.1", dkim.k2_keys_strong),
    Rule("K3", "Are the selectors known?", "RFC 6376, 3.1", dkim.k3_selectors_known),
    Rule("M1", "Is there one DMARC record?", "RFC 9989, tree walk", dmarc.m1_record_found),
    Rule("M2", "Is it valid?", "RFC 9989, record format", dmarc.m2_record_valid),
    Rule("M3", "Which policy applies?", "RFC 9989, p, sp, np, t", dmarc.m3_effective_policy),
    Rule("M4", "Is SPF or DKIM aligned with the From domain?", "RFC 9989, alignment", dmarc.m4_aligned_path),
    Rule("M5", "Do reports reach someone?", "RFC 9990", dmarc.m5_reports_wanted),
    Rule("W1", "Are there no wildcards?", "RFC 7208, 3.5", wildcard.w1_no_wildcard),
    Rule("W2", "Are CNAME records the only ones at their name?", "RFC 1034, 3.6.2", wildcard.w2_cname_alone),
)

#: The rules that need an evaluation of the SPF record.
EVALUATED = frozenset({"S2", "S3", "S4", "S5", "S6"})

#: The verdict on a sender or a rule: the worst severity of its findings; with only infos it is ok.
Verdict = t.Literal["ok", "warning", "error", "unknown"]


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The result for one sender.

    :ivar outcomes: rule id -> ok, info, warning, error, unknown, or skipped (the rule does not apply).
    :ivar findings: worst first; unanswered queries are combined into one finding.
    """

    facts: Facts
    outcomes: t.Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The sender's verdict."""
        return verdict_of(self.findings)

    def as_dict(self) -> dict[str, t.Any]:
        """The result as the step returns it, without the findings."""
        sender = self.facts.sender
        return {
            "from_domain": sender.from_domain,
            "return_path_domain": self.facts.return_path.domain,
            "dkim_domain": sender.dkim_domain,
            "provider": sender.relay.name,
            "verdict": self.verdict,
            "rules": [{"id": rule.id, "outcome": self.outcomes[rule.id]} for rule in RULES],
            "records": _records(self.facts),
            "zone": zone.zone_text(self.facts, self.findings),
            "octodns": zone.octodns(self.facts, self.findings),
        }


def verdict_of(findings: t.Iterable[Finding]) -> Verdict:
    """The verdict that these findings amount to."""
    ranked = worst_first(findings)
    if not ranked or ranked[0].severity == "info":
        return "ok"
    return ranked[0].severity


def judge(facts: Facts) -> Judgement:
    """Apply every rule to the gathered facts."""
    outcomes: dict[str, str] = {}
    findings: list[Finding] = []
    open_rules: list[str] = []
    unevaluated = facts.spf is not None and not facts.evaluated
    for rule in RULES:
        if unevaluated and rule.id in EVALUATED:
            outcomes[rule.id] = "unknown"
            continue
        result = rule.judge(facts)
        outcomes[rule.id] = "skipped" if result is None else worst_first(result)[0].severity if result else "ok"
        findings += result or ()
        if any(one.code == "dns-unanswered" for one in result or ()):
            open_rules.append(rule.id)
    silent = [one for one in worst_first(findings) if one.code == "dns-unanswered"]
    told = [one for one in findings if one.code != "dns-unanswered"]
    if silent:
        told.append(_together(facts.sender.from_domain, silent, open_rules))
    return Judgement(facts, outcomes, tuple(worst_first(told)))


def _together(subject: str, silent: t.Sequence[Finding], open_rules: t.Sequence[str]) -> Finding:
    """One finding for all unanswered queries: a dead name server is one problem, not twenty."""
    reasons = dict.fromkeys(one.message for one in silent)
    message = (
        f"DNS did not answer {len(silent)} question{'s' if len(silent) > 1 else ''} "
        f"({listed([one.subject for one in silent], 4)}): {listed(list(reasons), 2)}. No error was found, but these "
        f"could not be checked: {listed([CHECK_NAMES[one] for one in open_rules], 21)}."
    )
    return TABLE.finding("dns-unanswered", subject, message)


def _records(facts: Facts) -> dict[str, t.Any]:
    """The answers that were seen, by topic."""
    spf = facts.spf
    return {
        "mx": facts.mx.as_dict(),
        "addresses": [one.as_dict() for one in facts.addresses],
        "return_path_mx": facts.return_mx.as_dict() if facts.return_mx else None,
        "return_path_target": facts.return_path.target.as_dict() if facts.return_path.target else None,
        "spf": (spf.txt if spf else facts.from_txt).as_dict(),
        "spf_relay": [
            {"address": one.address, "verdict": one.verdict, "matched": one.matched, "reason": one.reason}
            for one in (spf.relay if spf else ())
        ],
        "spf_lookups": max((one.terms for one in spf.worst), default=0) if spf else 0,
        "spf_void_lookups": max((one.void_lookups for one in spf.worst), default=0) if spf else 0,
        "dkim": [one.as_dict() for one in facts.keys.values()],
        "dmarc": [one.answer.as_dict() for one in facts.dmarc.steps],
        "dmarc_reports": [one.as_dict() for one in facts.reports.values()],
    }
