# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one SPF record that resolves every finding about a domain's SPF at once.

All these findings advise the same record: a domain can publish only one.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re

from . import spf_evaluation
from .facts import Facts, Spf
from .spf_evaluation import is_policy
from .wording import mended_policy, relay_terms

#: A network with a shorter prefix than this covers a large part of the internet.
WIDEST_PREFIX = 8
#: spftrace's message about an include or redirect without an SPF record.
EMPTY_TARGET = re.compile(r"(?:include:|redirect=)(?P<domain>\S+) has no SPF record")


def repaired(facts: Facts, domain: str) -> str:
    """The existing records as one, without the terms that findings are about, and with those that the relay needs.

    The relay's term is added unless SPF already passes by a term that is kept, so that publishing the record never
    locks out the relay.
    """
    spf = facts.spf if facts.spf is not None and facts.spf.domain == domain else None
    policies = spf.policies if spf is not None else [one for one in facts.from_txt.records if is_policy(one)]
    unwanted = _refuted(spf) if spf is not None else frozenset()
    kept = [
        " ".join(["v=spf1", *(one for one in policy.split(" ")[1:] if _wanted(one) and bare(one) not in unwanted)])
        for policy in policies
    ]
    if spf is None:
        return mended_policy(kept)
    staying = mended_policy(kept).split(" ")
    passes = bool(spf.relay) and all(one.verdict == "pass" and one.matched in staying for one in spf.relay)
    needed = [] if passes else relay_terms(facts.sender)
    relay = facts.sender.relay
    literal = f"include:{relay.spf_include}" if relay.spf_literal and relay.spf_include else ""
    if literal and literal not in map(bare, staying):
        needed = [literal, *needed]
    return mended_policy(kept, needed)


def bare(term: str) -> str:
    """A term without its qualifier, as names are compared."""
    return term.lstrip("+-~?").lower()


def open_term(record: str) -> str | None:
    """The first term that allows everyone, or a large part of the internet."""
    try:
        terms = spf_evaluation.terms_of(record)
    except spf_evaluation.SyntaxRefused:
        return None
    for term in terms:
        wide = term.prefix is not None and term.prefix < WIDEST_PREFIX
        if term.mechanism and term.qualifier == "+" and (term.name == "all" or wide):
            return term.raw
    return None


def _refuted(spf: Spf) -> frozenset[str]:
    """The terms that an evaluation shows to be harmful: their target has no record, or they allow an unknown host."""
    empty = (EMPTY_TARGET.match(one.reason) for one in spf.worst)
    names = {found[0].partition(" ")[0] for found in empty if found is not None}
    return frozenset(map(bare, names | {one.matched for one in spf.worst if one.verdict == "pass"}))


def _wanted(term: str) -> bool:
    """Whether a term is valid, not deprecated, and not open to everyone."""
    try:
        (parsed,) = spf_evaluation.terms_of(f"v=spf1 {term}")
    except (spf_evaluation.SyntaxRefused, ValueError):
        return False
    return parsed.name != "ptr" and open_term(f"v=spf1 {term}") is None
