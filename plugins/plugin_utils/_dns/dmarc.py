# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""M1 to M5: what DMARC (RFC 9989) demands for this From address, and whether its mail passes."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, Severity
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE

from .dmarc_record import POLICIES, Record, Step, aligned, claims, parse
from .facts import Facts
from .wording import (
    PROVIDERS_KEY,
    REPORT_ADDRESS,
    SELECTOR,
    DnsRecord,
    Outcome,
    advise,
    instead,
    publish,
    shown,
    unanswered,
)

#: A record that changes nothing for today's mail and satisfies the large receivers.
FIRST_RECORD = "v=DMARC1; p=none"


def m1_record_found(facts: Facts) -> Outcome:
    """The tree walk finds a DMARC record."""
    walk = facts.dmarc
    severity: Severity = "error" if facts.sender.bulk else "warning"
    several = [one for one in walk.steps if one.duplicates]
    if several:
        name = several[0].answer.name
        records = [parse(one) for one in several[0].answer.records if claims(one)]
        # Several records count as none, so keeping the mildest changes least.
        mildest = min(records, key=lambda one: POLICIES.index(one.tags.get("p", "none"))).text
        why = f"There are {several[0].duplicates} DMARC records, and receivers then ignore all of them."
        return [advise("dmarc-several", name, instead(name, "TXT", mildest), why, severity=severity)]
    if walk.applied() is not None:
        return []
    if not walk.decided:
        return unanswered(*walk.unanswered())
    why = f"{', '.join(one.answer.name for one in walk.steps)}: none of them has a DMARC record."
    if facts.sender.bulk:
        why += " Gmail and Microsoft refuse bulk mail without one (550 5.7.26, 550 5.7.515)."
    record = publish(walk.steps[0].answer.name, "TXT", FIRST_RECORD)
    return [advise("dmarc-missing", walk.start, record, why, severity=severity)]


def m2_record_valid(facts: Facts) -> Outcome:
    """The record contains nothing that receivers do not understand."""
    own = facts.dmarc.steps[0].answer
    step = facts.dmarc.applied()
    if step is None or step.record is None:
        lookalikes = [one for one in own.records if "dmarc1" in one.lower() and not claims(one)]
        if not lookalikes:
            return None if own.known else unanswered(own)
        why = f'{shown(lookalikes[0])} does not count: "v=DMARC1" must come first, exactly so, followed by a semicolon.'
        return [advise("dmarc-invalid", own.name, instead(own.name, "TXT", FIRST_RECORD), why)]
    record = step.record
    problems = list(record.problems)
    if record.obsolete:
        problems.append(f"{', '.join(record.obsolete)} are obsolete since RFC 9989")
    if not problems:
        return []
    why = f"In {shown(record.text)} {'; '.join(problems)}."
    return [advise("dmarc-invalid", step.answer.name, instead(step.answer.name, "TXT", _clean(record)), why)]


def _clean(record: Record) -> str:
    """The record without the parts that receivers ignore."""
    tags = {"p": record.tags.get("p", "none"), **record.tags}
    if "rua" in tags and not record.report_addresses():
        del tags["rua"]
    return "; ".join(["v=DMARC1", *(f"{tag}={value}" for tag, value in tags.items() if tag not in record.obsolete)])


def effective_policy(facts: Facts) -> str | None:
    """The policy that receivers apply to the From domain; C(none) without a record, None if DNS did not answer."""
    step = facts.dmarc.applied()
    if step is None or step.record is None:
        return "none" if facts.dmarc.decided else None
    below = step.domain != facts.dmarc.start
    return step.record.policy(below=below, exists=facts.exists is not False)


def m3_effective_policy(facts: Facts) -> Outcome:
    """Which policy applies to this From address."""
    step = facts.dmarc.applied()
    if step is None or step.record is None:
        return None if facts.dmarc.decided else unanswered(*facts.dmarc.unanswered())
    weakened = ", weakened by t=y" if step.record.tags.get("t") == "y" else ""
    where = "its own record" if step.domain == facts.dmarc.start else f"the record of {step.domain}"
    message = f"DMARC policy for mail from {facts.dmarc.start}: {effective_policy(facts)}{weakened}, by {where}."
    return [TABLE.finding("dmarc-policy", facts.dmarc.start, message)]


def m4_aligned_path(facts: Facts) -> Outcome:
    """SPF or DKIM passes for a domain that is aligned with the From domain."""
    policy = effective_policy(facts)
    if policy is None:
        return unanswered(*facts.dmarc.unanswered())
    step = facts.dmarc.applied()
    spf = _both(spf_passes(facts), _spf_aligned(facts, step))
    dkim = _both(dkim_works(facts), _dkim_aligned(facts, step))
    if spf or dkim:
        return []
    domain = facts.sender.from_domain
    if spf is None or dkim is None:
        open_ones = " and ".join(word for word, state in (("SPF", spf), ("DKIM", dkim)) if state is None)
        message = (
            f"It is unknown whether {open_ones} is aligned with {domain}, and nothing else is (DMARC policy {policy})."
        )
        return [TABLE.finding("dmarc-alignment-unproven", domain, message)]
    ending = f"So DMARC fails (policy {policy})." if step else "With a DMARC record, every mail would fail it."
    why = f"{_why_not_spf(facts)} {_why_not_dkim(facts)} {ending}"
    severity: Severity = "error" if policy in ("quarantine", "reject") else "warning"
    return [advise("dmarc-unaligned", domain, _selector_record(facts), why, severity=severity)]


def _why_not_spf(facts: Facts) -> str:
    path = facts.return_path.domain or "the provider's own domain"
    if spf_passes(facts) is False:
        return f"SPF does not pass on {path}."
    return f"SPF is checked on {path}, which is not aligned with {facts.sender.from_domain}."


def _why_not_dkim(facts: Facts) -> str:
    if dkim_works(facts) is False:
        return "No DKIM selector has a usable key."
    return f"DKIM signs for {facts.sender.dkim_domain}, which is not aligned with {facts.sender.from_domain}."


def _selector_record(facts: Facts) -> DnsRecord:
    selector = facts.sender.selectors[0] if facts.sender.selectors else SELECTOR
    name = f"{selector}._domainkey.{facts.sender.from_domain}"
    return publish(name, "TXT", f"v=DKIM1; k=rsa; p={PROVIDERS_KEY}")


def _both(one: bool | None, other: bool | None) -> bool | None:
    """Three-valued "and": false if either is false, true if both are true, else None."""
    if one is False or other is False:
        return False
    return True if one and other else None


def spf_passes(facts: Facts) -> bool | None:
    """Whether SPF passes on the return-path domain; None if unknown."""
    spf = facts.spf
    if spf is None:
        return None if facts.return_path.required else True  # the provider's own domain
    if len(spf.policies) != 1:
        return False if spf.txt.known else None
    verdicts = {one.verdict for one in spf.relay}
    if not verdicts:
        broken = any(one.verdict == "permerror" and one.broken for one in spf.worst)
        return False if broken else True if facts.return_path.delegated else None
    if verdicts == {"pass"}:
        return True
    return None if verdicts <= {"pass", "temperror"} else False


def _spf_aligned(facts: Facts, step: Step | None) -> bool | None:
    if facts.return_walk is None:
        return None if facts.return_path.required else False
    strict = step is not None and step.record is not None and step.record.strict("aspf")
    return aligned(facts.dmarc, facts.return_walk, strict=strict)


def dkim_works(facts: Facts) -> bool | None:
    """Whether any selector has a usable key; None if unknown."""
    keys = facts.key_records().values()
    if any(one is not None and not one.problem and not one.testing for one in keys):
        return True
    return None if not keys or any(one is None for one in keys) else False


def _dkim_aligned(facts: Facts, step: Step | None) -> bool | None:
    strict = step is not None and step.record is not None and step.record.strict("adkim")
    return aligned(facts.dmarc, facts.dkim_walk, strict=strict)


def m5_reports_wanted(facts: Facts) -> Outcome:
    """Reports are requested, and their receivers accept them."""
    step = facts.dmarc.applied()
    if step is None or step.record is None:
        return None
    if not step.record.report_addresses():
        text = f"{_clean(step.record)}; rua=mailto:{REPORT_ADDRESS}"
        why = "Without rua you get no reports of DMARC failures."
        return [advise("dmarc-without-reports", step.answer.name, instead(step.answer.name, "TXT", text), why)]
    findings: list[Finding] = []
    for there, answer in facts.reports.items():
        if not answer.known:
            findings += unanswered(answer)
        elif not any(claims(one) for one in answer.records):
            why = f"{there} has not authorised reports about {step.domain}, so receivers do not send them."
            findings.append(advise("dmarc-reports-unauthorised", there, publish(answer.name, "TXT", "v=DMARC1"), why))
    return findings
