# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""W1 and W2: conditions under which the existence of a record proves nothing."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE

from .facts import Facts
from .wording import Outcome, listed, shown, unanswered


def w1_no_wildcard(facts: Facts) -> Outcome:
    """Random names have no TXT record and no alias."""
    findings = []
    for answer in dict.fromkeys(facts.wildcards):
        if not answer.known:
            findings += unanswered(answer)
            continue
        zone = answer.name.partition(".")[2]
        if answer.records or answer.aliases:
            what = f"TXT {shown(answer.records[0])}" if answer.records else f"a CNAME to {answer.aliases[-1]}"
            message = (
                f"Remove *.{zone} from the zone: the invented name {answer.name} has {what}. So the existence of a "
                "record proves nothing; the other findings judge by content only."
            )
            findings.append(TABLE.finding("dns-wildcard", f"*.{zone}", message))
    return findings


def w2_cname_alone(facts: Facts) -> Outcome:
    """No CNAME has other records beside it."""
    findings = []
    for alias, others in facts.neighbours:
        if not alias.known:
            findings += unanswered(alias)
        elif alias.records:
            beside = [one.rtype for one in others if one.records and not one.aliases]
            if beside:
                message = (
                    f"Remove {alias.name} CNAME {alias.records[0]}, or the {listed(beside)} beside it: a CNAME must "
                    "be the only record there; which records receivers see is unpredictable."
                )
                findings.append(TABLE.finding("cname-beside-others", alias.name, message))
    return findings
