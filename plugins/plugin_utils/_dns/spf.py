# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""S1 to S7: does SPF, for the name that receivers check, allow the relay to send?"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, Severity
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE

from . import spf_evaluation
from .answers import Answer
from .facts import Facts, Spf, points_to, targets_of
from .spf_evaluation import MOST_TERMS, MOST_VOID_LOOKUPS, Evaluation, is_policy
from .spf_repair import EMPTY_TARGET, bare, open_term, repaired
from .wording import PROVIDERS_NAME, Outcome, advise, instead, listed, new_policy, publish, shown, unanswered

#: With so many lookups, a few more includes at the provider break the record.
NEAR_LIMIT = 9
#: A longer record makes answers that do not fit into one packet (RFC 7208, section 3.4). A single string of more than
#: 255 octets cannot be published; zone editors split it, and S2 reports the resulting strings joined without a space.
LONGEST_RECORD = 512

#: How spftrace's messages about exceeded limits begin.
LIMITS = ("DNS lookup limit exceeded", "void DNS lookup limit exceeded", "mx: more than")


def s1_one_policy(facts: Facts) -> Outcome:
    """There is exactly one SPF record where receivers look for it."""
    if facts.return_path.ours and facts.spf is not None:
        return _one_policy(facts, facts.spf.txt, "error")
    if facts.return_path.required:
        return None  # the name was not given; S7 reports that
    severity: Severity = "warning" if facts.sender.bulk else "info"
    return _one_policy(facts, facts.from_txt, severity)


def _one_policy(facts: Facts, txt: Answer, severity: Severity) -> list[Finding]:
    if not txt.known:
        return unanswered(txt)
    policies = [one for one in txt.records if is_policy(one)]
    if len(policies) == 1:
        return []
    if policies and not facts.evaluated:
        message = (
            f"Correct {txt.name} TXT: there are {len(policies)} SPF records, so receivers treat all of them as broken "
            "(permerror). Merge their terms into one record."
        )
        return [TABLE.finding("spf-several", txt.name, message, severity=severity)]
    if policies:
        merged = instead(txt.name, "TXT", repaired(facts, txt.name))
        why = f"There are {len(policies)} SPF records, so receivers treat all of them as broken (permerror)."
        return [advise("spf-several", txt.name, merged, why, severity=severity)]
    return [_missing(facts, txt, severity)]


def _missing(facts: Facts, txt: Answer, severity: Severity) -> Finding:
    record = publish(txt.name, "TXT", new_policy(facts.sender))
    if severity == "error":
        why = "Receivers check SPF on this domain, but it has no SPF record."
        return advise("spf-missing", txt.name, record, why)
    why = (
        "The relay uses its own envelope domain, so SPF passes without this record; but Microsoft's rule for bulk "
        "senders can be read as requiring it."
    )
    fix = "A custom bounce domain at the provider, if it offers one, satisfies both readings."
    return advise("spf-missing", txt.name, record, why, fix, severity=severity)


def s2_policy_parses(facts: Facts) -> Outcome:
    """The record, and every record that it includes, follows the grammar."""
    spf = facts.spf
    if spf is None or len(spf.policies) != 1:
        return None if spf is None or spf.txt.known else unanswered(spf.txt)
    findings: list[Finding] = []
    for domain, record, reason in dict.fromkeys(one for each in spf.worst for one in each.broken):
        findings.append(_broken(facts, spf, domain, record, reason))
    empty = next((found for one in spf.worst if (found := EMPTY_TARGET.match(one.reason))), None)
    if empty and not findings:
        findings.append(_empty_target(facts, spf, empty[0].partition(" ")[0], empty["domain"]))
    return findings


def _empty_target(facts: Facts, spf: Spf, term: str, domain: str) -> Finding:
    why = f"{domain} is included but has no SPF record, so receivers treat the whole record as broken."
    if bare(term) in map(bare, spf.policies[0].split(" ")):
        return advise("spf-include-empty", spf.domain, instead(spf.domain, "TXT", repaired(facts, spf.domain)), why)
    first = f"Publish an SPF record at {domain}, or remove the include of it from {spf.domain} TXT."
    return TABLE.finding("spf-include-empty", spf.domain, f"{first} {why}")


def _broken(facts: Facts, spf: Spf, domain: str, record: str, reason: str) -> Finding:
    if domain != spf.domain:
        why = f"{domain}, which it includes, publishes {shown(record)}, which has a syntax error: {reason}."
        message = f"Remove {domain} from the SPF record of {spf.domain}, or have its owner correct it. {why}"
        return TABLE.finding("spf-syntax", spf.domain, message)
    why = f"{shown(record)} has a syntax error, so receivers ignore it entirely (permerror): {reason}."
    hint = ""
    if any(one.count("ip4:") + one.count("ip6:") + one.count("include:") > 1 for one in record.split(" ")):
        hint = " Two terms run together: the strings of one TXT record are joined without a space."
    return advise("spf-syntax", domain, instead(domain, "TXT", repaired(facts, domain)), f"{why}{hint}")


def s3_within_limits(facts: Facts) -> Outcome:
    """Receivers reach the relay's term within ten lookups and two void lookups."""
    spf = facts.spf
    if spf is None or not spf.worst or s2_policy_parses(facts):
        return None
    subject = spf.domain
    terms = max(one.terms for one in spf.worst)
    voids = max(one.void_lookups for one in spf.worst)
    cost = f"It needs {terms} lookups in all ({MOST_TERMS} are allowed), {voids} of them find nothing"
    cost += f" ({MOST_VOID_LOOKUPS} are allowed)."
    stopped = next((one for one in spf.relay if one.verdict == "permerror" and one.reason.startswith(LIMITS)), None)
    if stopped is not None:
        first = instead(subject, "TXT", repaired(facts, subject))
        why = f"Receivers stop before the relay's term ({stopped.reason}) and treat the record as broken. {cost}"
        return [advise("spf-over-limit", subject, first, why)]
    too_many_hosts = any(one.reason.startswith("mx: more than") for one in spf.worst)
    if terms >= NEAR_LIMIT or voids > MOST_VOID_LOOKUPS or too_many_hosts:
        message = f"Remove what is not needed from {subject} TXT {shown(spf.policies[0])}. {cost}"
        if too_many_hosts:
            message += " An mx term resolves to more than ten mail hosts."
        return [TABLE.finding("spf-near-limit", subject, message)]
    if any(one.verdict == "temperror" for one in spf.worst):
        return [_no_verdict(subject, spf.worst)]
    return []


def s4_relay_authorised(facts: Facts) -> Outcome:
    """The record allows the relay to send."""
    spf = facts.spf
    if spf is None or len(spf.policies) != 1:
        return None if spf is None or spf.txt.known else unanswered(spf.txt)
    if any(one.severity == "error" for rule in (s2_policy_parses, s3_within_limits) for one in rule(facts) or ()):
        return None
    literal = _literal(facts, spf)
    if literal:
        return literal
    if not spf.relay:
        return _without_addresses(facts, spf)
    return _judged(facts, spf)


def _judged(facts: Facts, spf: Spf) -> list[Finding]:
    by_verdict: dict[str, list[Evaluation]] = {}
    for one in spf.relay:
        by_verdict.setdefault(one.verdict, []).append(one)
    mended = instead(spf.domain, "TXT", repaired(facts, spf.domain))
    relay = facts.sender.relay.name or facts.sender.spf_include or "the relay"
    for verdict in ("permerror", "fail", "softfail"):
        if verdict in by_verdict:
            some = by_verdict[verdict]
            reason = some[0].reason or f"decided by {some[0].matched}"
            why = f"Mail that {relay} sends from {_addresses(some)} gets SPF {verdict} ({reason})."
            return [advise("spf-relay-refused", spf.domain, mended, why)]
    if "neutral" in by_verdict:
        why = f"For {_addresses(by_verdict['neutral'])} of {relay} the record is neutral (SPF neutral)."
        return [advise("spf-relay-neutral", spf.domain, mended, why)]
    if set(by_verdict) != {"pass"}:
        return [_no_verdict(spf.domain, spf.relay)]
    return []


def _addresses(some: t.Sequence[Evaluation]) -> str:
    return listed([one.address for one in some])


def _literal(facts: Facts, spf: Spf) -> list[Finding]:
    """Findings for providers that check the record themselves, and only for their own include."""
    if not facts.sender.relay.spf_literal or not facts.sender.relay.spf_include:
        return []
    wanted = f"include:{facts.sender.relay.spf_include}"
    if wanted in (one.lstrip("+").lower() for one in spf.policies[0].split(" ")):
        return []
    why = f"{facts.sender.relay.name} looks for {wanted} in this record itself and does not follow other includes."
    return [advise("spf-include-not-literal", spf.domain, instead(spf.domain, "TXT", repaired(facts, spf.domain)), why)]


def _without_addresses(facts: Facts, spf: Spf) -> Outcome:
    """Judge by the record's text if no address of the relay is known."""
    if facts.return_path.delegated:
        return []  # the provider maintains this record
    if spf.unanswered:
        return unanswered(*spf.unanswered)
    include = facts.sender.spf_include
    if not include:
        message = "The relay is unknown: no provider with an SPF name, no spf_include and no addresses are set."
        return [TABLE.finding("spf-relay-unproven", spf.domain, message)]
    reached = {domain.lower().rstrip(".") for one in spf.worst for domain, _record in one.policies}
    if include in reached:
        only = f" (only {listed(spf.opaque)})" if spf.opaque else ""
        message = f"{include} is included, but it lists no network{only}."
        return [TABLE.finding("spf-relay-unproven", spf.domain, message)]
    why = f"{include} is not included and lists no network, so another term may still allow the relay."
    return [advise("spf-relay-unproven", spf.domain, publish(spf.domain, "TXT", repaired(facts, spf.domain)), why)]


def _no_verdict(domain: str, evaluations: t.Iterable[Evaluation]) -> Finding:
    reasons = dict.fromkeys(one.reason for one in evaluations if one.verdict == "temperror")
    return TABLE.finding("dns-unanswered", f"SPF {domain}", f"no answer in time: {listed(list(reasons), 2)}")


def s5_not_open(facts: Facts) -> Outcome:
    """No record allows the whole internet, or a large part of it, to send as the sender."""
    records = [one for one in facts.from_txt.records if is_policy(one)]
    places = [(facts.sender.from_domain, one) for one in records]
    if facts.spf is not None:
        places += [place for one in facts.spf.worst for place in one.policies]
    if not places:
        return None if facts.from_txt.known else unanswered(facts.from_txt)
    findings = [
        _open(facts, domain, record, term)
        for domain, record in dict.fromkeys(places)
        if (term := open_term(record)) is not None
    ]
    if findings or facts.spf is None or not any(one.verdict == "pass" for one in facts.spf.worst):
        return findings
    passed = next(one for one in facts.spf.worst if one.verdict == "pass")
    return [_open(facts, facts.spf.domain, facts.spf.policies[0], passed.matched)]


def _open(facts: Facts, domain: str, record: str, term: str) -> Finding:
    why = f'"{term}" allows far more than the relay to send as you.'
    if facts.spf is not None and domain not in (facts.spf.domain, facts.sender.from_domain):
        first = f"Remove {domain} from the SPF record of {facts.spf.domain}, or have its owner correct it."
        return TABLE.finding("spf-open", facts.spf.domain, f"{first} In {domain} TXT {shown(record)} {why}")
    return advise("spf-open", domain, instead(domain, "TXT", repaired(facts, domain)), why)


def s6_policy_tidy(facts: Facts) -> Outcome:
    """The record has nothing deprecated, ignored or too large."""
    spf = facts.spf
    if spf is None or len(spf.policies) != 1:
        return None
    record = spf.policies[0]
    try:
        terms = spf_evaluation.terms_of(record)
    except spf_evaluation.SyntaxRefused:
        return None
    problems = list(_untidy(record, terms))
    if not problems:
        return []
    why, mended = " ".join(problems), repaired(facts, spf.domain)
    if mended != record:
        return [advise("spf-style", spf.domain, instead(spf.domain, "TXT", mended), why)]
    return [TABLE.finding("spf-style", spf.domain, f"Remove what is not needed from {spf.domain} TXT. {why}")]


def _untidy(record: str, terms: t.Sequence[spf_evaluation.Term]) -> t.Iterator[str]:
    names = [one.name for one in terms if one.mechanism or one.name == "redirect"]
    if "ptr" in names:
        yield "ptr is deprecated: slow, unreliable, and some receivers skip it (RFC 7208, section 5.5)."
    if "all" in names and any(one.mechanism for one in terms[[one.name for one in terms].index("all") + 1 :]):
        yield "Terms after all are never read (RFC 7208, section 5.1)."
    if "all" in names and "redirect" in names:
        yield "redirect is ignored where there is an all (RFC 7208, section 6.1)."
    if "all" not in names and "redirect" not in names:
        yield "Without all or redirect at the end, everyone else gets neutral (RFC 7208, section 4.7)."
    if len(record) > LONGEST_RECORD:
        yield f"With {len(record)} characters it does not fit into one DNS packet (RFC 7208, section 3.4)."


def s7_return_path_set_up(facts: Facts) -> Outcome:
    """The sub-domain that the relay uses for bounces points to the provider."""
    path, relay = facts.return_path, facts.sender.relay
    if not path.expected:
        if not path.required:
            return None
        like = f" (like {relay.return_path_label}.{facts.sender.from_domain})" if relay.return_path_label else ""
        message = f"{relay.name} uses one of your subdomains in the envelope{like}; which one is unknown."
        return [TABLE.finding("return-path-unknown", facts.sender.from_domain, message)]
    if path.target is None:
        return None  # its target is not known
    if not path.target.known:
        return unanswered(path.target)
    if points_to(relay, path.target):
        return []
    severity: Severity = "error" if path.required or facts.sender.bounce_domain else "info"
    kind, target = path.target.rtype, relay.return_path_target or PROVIDERS_NAME
    value = f"10 {target}" if kind == "MX" else target
    exact = "The provider's console shows the exact name."
    found = targets_of(path.target)
    if found:
        why = f"It points to {listed(found)}, not to {relay.name}. {exact}"
        record = instead(path.expected, kind, value)
        return [advise("return-path-elsewhere", path.expected, record, why, severity=severity)]
    why = f"{relay.name} uses this subdomain for bounces; without it, mail is rejected or its SPF is not aligned."
    if severity == "info":
        why = f"{relay.name} can use this subdomain for bounces; SPF is then aligned with the From domain."
    record = publish(path.expected, kind, value)
    return [advise("return-path-missing", path.expected, record, f"{why} {exact}", severity=severity)]
