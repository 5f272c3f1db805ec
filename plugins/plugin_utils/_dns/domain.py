# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""D1 to D4: does the sender's domain exist, and can it take mail?"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE

from . import names
from .answers import Answer, mail_hosts, null_mx
from .facts import Facts
from .wording import HOST_ADDRESS, MAIL_HOST, Outcome, advise, instead, publish, unanswered


def d1_from_domain_exists(facts: Facts) -> Outcome:
    """The From domain exists."""
    if facts.exists is None:
        return unanswered(facts.mx, *facts.addresses)
    if facts.exists:
        return []
    domain = facts.sender.from_domain
    message = (
        f"Correct the From address, or register {domain}: this domain does not exist in DNS (NXDOMAIN), so receivers "
        "reject its mail and nobody can reply."
    )
    return [TABLE.finding("from-domain-missing", domain, message)]


def d2_from_domain_reachable(facts: Facts) -> Outcome:
    """The From domain has a mail host, or at least an address."""
    if facts.exists is False or facts.mx.records:
        return None if facts.exists is False or null_mx(facts.mx) else []
    if not facts.mx.known:
        return unanswered(facts.mx)
    domain = facts.sender.from_domain
    record = publish(domain, "MX", f"10 {MAIL_HOST}")
    if any(one.records for one in facts.addresses):
        why = "There is no MX record, so bounces and replies go to the web server; some receivers distrust that."
        return [advise("from-domain-without-mx", domain, record, why)]
    if not all(one.known for one in facts.addresses):
        return unanswered(*facts.addresses)
    why = "It has no MX record and no address, so receivers may reject its mail (550 5.1.8) and nobody can reply."
    return [advise("from-domain-unreachable", domain, record, why)]


def d3_accepts_mail(facts: Facts) -> Outcome:
    """Neither the From nor the return-path domain publishes that it accepts no mail (null MX)."""
    if facts.exists is False:
        return None
    findings: list[Finding] = []
    domain = facts.sender.from_domain
    ours = facts.return_mx
    if ours is not None and null_mx(ours):
        why = (
            'The null MX "0 ." says that it accepts no mail: bounces cannot be delivered, and receivers may reject '
            "the mail."
        )
        record = instead(ours.name, "MX", f"10 {MAIL_HOST}", "the null MX")
        findings.append(advise("return-path-null-mx", ours.name, record, why))
    if null_mx(facts.mx) and not (ours is not None and ours.name == domain):
        why = 'The null MX "0 ." says that it accepts no mail, so receivers may reject it as a sender.'
        record = instead(domain, "MX", f"10 {MAIL_HOST}", "the null MX")
        findings.append(advise("from-domain-null-mx", domain, record, why))
    silent = [facts.mx, *([ours] if ours is not None else [])]
    return findings + unanswered(*dict.fromkeys(silent))


def d4_mail_hosts_usable(facts: Facts) -> Outcome:
    """Mail hosts are names that have addresses."""
    answers = dict.fromkeys(one for one in (facts.mx, facts.return_mx) if one is not None and one.records)
    if not answers:
        return None
    findings: list[Finding] = []
    for answer in answers:
        for host in dict.fromkeys(mail_hosts(answer)):
            findings.extend(_host(facts, answer, host))
    return findings


def _host(facts: Facts, mx: Answer, host: str) -> list[Finding]:
    if not host:
        if len(mx.records) == 1:
            return []
        why = 'The null MX "0 ." exists next to real ones; it must be the only MX (RFC 7505, section 3).'
        return [TABLE.finding("mx-target-unusable", mx.name, f"Remove {mx.name} MX 0 . from the zone. {why}")]
    if names.is_address(host):
        why = f"Its MX points to the address {host}, but an MX record must point to a host name."
        return [advise("mx-target-unusable", mx.name, publish(mx.name, "MX", f"10 {MAIL_HOST}"), why)]
    addresses = facts.hosts.get(host)
    if addresses is None:  # beyond the first few
        return []
    alias = next((one for one in addresses if one.aliases and one.known), None)
    if alias is not None:
        direct = instead(mx.name, "MX", f"10 {alias.aliases[-1]}", f"the MX record to {host}")
        why = f"Its MX points to {host}, which is an alias (CNAME), and senders may not follow it."
        return [advise("mx-target-unusable", mx.name, direct, why)]
    if any(one.records for one in addresses):
        return []
    if not all(one.known for one in addresses):
        return unanswered(*addresses)
    why = f"Its MX points to {host}, which has no address, so mail to the domain is lost."
    return [advise("mx-target-unusable", mx.name, publish(host, "A", HOST_ADDRESS), why)]
