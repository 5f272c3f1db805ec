# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""K1 to K3: can receivers verify the relay's signature for the From domain?"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, Severity
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE

from .answers import Answer
from .facts import Facts
from .sender import fits
from .wording import (
    NEW_KEY,
    PROVIDERS_KEY,
    PROVIDERS_NAME,
    Advised,
    DnsRecord,
    Outcome,
    advise,
    instead,
    listed,
    publish,
    unanswered,
)

#: Google's floor (and RFC 8301's), and what RFC 8301 advises.
SHORTEST_RSA = 1024
ADVISED_RSA = 2048


def k1_keys_usable(facts: Facts) -> Outcome:
    """Each selector has exactly one usable key."""
    if not facts.keys:
        return None
    keys = facts.key_records()
    works = [one for one, key in keys.items() if key is not None and not key.problem]
    silent = [facts.keys[one] for one, key in keys.items() if key is None]
    broken = {one: key.problem for one, key in keys.items() if key is not None and key.problem}
    if not works and not silent:
        why = "; ".join(f"{selector}: {problem}" for selector, problem in broken.items())
        why = f"No DKIM signature can be verified ({why})."
        fix = "If the provider shows other selectors, set them in mastodon_smtp_dkim_selectors (selectors)."
        return [advise("dkim-without-key", facts.sender.dkim_domain, _record(facts, next(iter(broken))), why, fix)]
    return [_broken(facts, selector, problem) for selector, problem in broken.items()] + unanswered(*silent)


def _broken(facts: Facts, selector: str, problem: str) -> Finding:
    """The finding for one broken selector of several. Presets also list selectors that only older customers have."""
    answer = facts.keys[selector]
    optional = not answer.records and selector in facts.sender.relay.selectors
    why = f"Here {problem}; mail that is signed with this selector fails DKIM."
    if optional:
        why = f"Here {problem}. Another selector works, so this matters only if your provider's console shows this one."
    severity: Severity = "info" if optional else "warning"
    return advise("dkim-selector-broken", answer.name, _record(facts, selector), why, severity=severity)


def _record(facts: Facts, selector: str) -> DnsRecord:
    """The record to publish for a selector, as far as it is known without asking the provider."""
    answer, relay = facts.keys[selector], facts.sender.relay
    if relay.dkim_target and selector in relay.selectors:
        return publish(answer.name, "CNAME", f"{PROVIDERS_NAME}.{relay.dkim_target}")
    if answer.records:
        return instead(answer.name, "TXT", f"v=DKIM1; k=rsa; p={PROVIDERS_KEY}")
    return publish(answer.name, "TXT", f"v=DKIM1; k=rsa; p={PROVIDERS_KEY}")


def k2_keys_strong(facts: Facts) -> Outcome:
    """Keys are long enough, not marked as a test, and in the provider's zone."""
    keys = {one: key for one, key in facts.key_records().items() if key is not None and not key.problem}
    if not keys:
        return None
    findings: list[Finding] = []
    for selector, key in keys.items():
        answer = facts.keys[selector]
        if key.kind == "rsa" and key.bits < ADVISED_RSA:
            findings.append(_short(answer, key.bits))
        if key.testing:
            record = instead(answer.name, "TXT", answer.records[0].replace("t=y", "").replace(";;", ";").strip(" ;"))
            why = "t=y marks the key as a test key, and receivers treat the mail as unsigned."
            findings.append(_bounded(advise("dkim-key-testing", answer.name, record, why)))
        zone = facts.sender.relay.dkim_target
        if zone and selector in facts.sender.relay.selectors and not any(fits(zone, one) for one in answer.aliases):
            there = f"leads to {listed(answer.aliases)}" if answer.aliases else "has its own key"
            why = f"The selector {there}, not into {zone}, where {facts.sender.relay.name} keeps its keys today."
            findings.append(advise("dkim-elsewhere", answer.name, _record(facts, selector), why))
    return findings


def _bounded(found: Advised) -> Advised:
    """The finding with a message that a long key does not fill; its record keeps the whole key."""
    record = str(found.record)
    short = record if len(record) <= 600 else f"{record[:590]}…"
    return dataclasses.replace(found, message=f"{short} {found.why}")


def _short(answer: Answer, bits: int) -> Finding:
    record = instead(answer.name, "TXT", f"v=DKIM1; k=rsa; p={NEW_KEY}")
    if bits < SHORTEST_RSA:
        why = f"The key has {bits} bits, but receivers reject RSA keys below {SHORTEST_RSA}."
        return advise("dkim-key-short", answer.name, record, why)
    why = f"The key has {bits} bits; receivers accept that, but {ADVISED_RSA} is recommended."
    return advise("dkim-key-short", answer.name, record, why, severity="info")


def k3_selectors_known(facts: Facts) -> Outcome:
    """The selectors are known; they are never guessed."""
    if facts.keys:
        return []
    provider, domain = facts.sender.relay.name, facts.sender.dkim_domain
    who = f"The DKIM selectors of {provider} are different for each customer" if provider else "No selector is known"
    message = f"{who}: set those that the provider shows for {domain}. None were guessed."
    return [TABLE.finding("dkim-selectors-unknown", domain, message)]
