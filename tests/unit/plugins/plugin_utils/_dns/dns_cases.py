# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rule is tested: a row changes the good domain, everything unnamed stays good, and the rule must conclude."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.rules import RULES
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.sender import Relay
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import (
    GOOD,
    judged,
    varied,
)

Rows = t.Sequence[tuple[str, str]]
NO_PRESET = Relay()


@dataclasses.dataclass(frozen=True)
class Case:
    """A rule, what is different, and what it concludes: the outcome, its codes, and words of its message."""

    rule: str
    what: str
    outcome: str
    codes: tuple[str, ...] = ()
    changes: t.Mapping[str, Rows | None] = dataclasses.field(default_factory=dict)
    options: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    relay: Relay = NO_PRESET
    says: str = ""

    @property
    def name(self) -> str:
        """What pytest shows."""
        return f"{self.rule}: {self.what}"

    def check(self) -> None:
        """Judge the changed domain, and compare."""
        judgement = judged(varied(self.changes), self.options, self.relay)
        found = next(one for one in RULES if one.id == self.rule).judge(judgement.facts)
        assert judgement.outcomes[self.rule] == self.outcome, found
        assert tuple(dict.fromkeys(one.code for one in found or ())) == self.codes
        assert self.says in " ".join(one.message for one in found or ())


def spf(record: str, *others: str) -> dict[str, Rows]:
    return {"example.org": [*GOOD["example.org"][:2], *(("TXT", one) for one in (record, *others))]}


def mx(*rows: str) -> dict[str, Rows]:
    return {"example.org": [*(("MX", one) for one in rows), *GOOD["example.org"][1:]]}


def dmarc(*records: str) -> dict[str, Rows]:
    return {"_dmarc.example.org": [("TXT", one) for one in records]}


def includes(count: int) -> dict[str, Rows]:
    """A record with that many includes, the relay's last."""
    terms = " ".join(f"include:i{one}.test" for one in range(count - 1))
    names: dict[str, Rows] = {f"i{one}.test": [("TXT", f"v=spf1 ip4:203.0.113.{one} -all")] for one in range(count)}
    return {**spf(f"v=spf1 {terms} include:_spf.relay.test -all"), **names}


OWN_BOUNCE = Relay(
    name="owl",
    return_path_mode="subdomain_cname",
    return_path_label="em1",
    return_path_target="bounce.owl.test",
    spf_include="_spf.relay.test",
)
THEIRS = Relay(
    name="hawk",
    return_path_mode="provider",
    return_path_domain="pm.hawk.test",
    return_path_label="pm-bounces",
    return_path_target="pm.hawk.test",
)
RECORDS = Relay(name="kite", return_path_mode="subdomain_records", return_path_label="send")
LITERAL = Relay(name="rook", spf_include="_spf.relay.test", spf_literal=True)
CNAMED = Relay(name="wren", selectors=("s1", "s2"), dkim_target="dkim.wren.test")
BOUNCES: dict[str, Rows] = {
    "em1.example.org": [("CNAME", "bounce.owl.test")],
    "bounce.owl.test": [("TXT", "v=spf1 include:_spf.relay.test -all"), ("MX", "10 mail.example.org")],
}
S1 = "s1._domainkey.example.org"
S2 = "s2._domainkey.example.org"
NO_SPF = {"example.org": GOOD["example.org"][:2]}
