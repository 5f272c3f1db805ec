# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was seen of a mail to findings."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.plugin_utils._arrival import results, verdict
from ansible_collections.fediops.mastodon.plugins.plugin_utils._arrival.judge import Judgement, Signature, Spf

UNCHECKED = Spf("a.example", "", "unknown", "the headers do not show the return path and the address")


def arrival(verdicts: list[tuple[str, str]], dmarc: str, receiver: results.Results) -> verdict.Arrival:
    signatures = tuple(Signature(domain, "s", word, "why") for domain, word in verdicts)
    near = tuple(dict.fromkeys(one.domain for one in signatures))
    judged = Judgement("a.example", signatures, UNCHECKED, dmarc, "reject", (), None, near)
    wanted = verdict.Wanted("1@a.example", "b@b.example")
    return verdict.Arrival(wanted, "b@b.example", "INBOX", False, 1.0, None, receiver, judged, {}, {})


@pytest.mark.parametrize(
    ("verdicts", "broken"),
    [
        ([("a.example", "pass"), ("a.example", "fail")], False),
        ([("a.example", "fail"), ("a.example", "pass")], False),
        ([("a.example", "unknown"), ("a.example", "fail")], False),
        ([("a.example", "fail"), ("a.example", "fail")], True),
        ([("a.example", "fail"), ("c.example", "pass")], False),
    ],
)
def test_one_valid_signature_of_a_domain_is_enough(verdicts: list[tuple[str, str]], broken: bool) -> None:
    found = verdict.findings_of(arrival(verdicts, "pass", results.Results()), 300)
    assert [one.code for one in found] == ["arrival-dkim-broken"] * broken
    if broken:
        assert found[0].message == "Its DKIM signature for a.example is not valid (why)."


@pytest.mark.parametrize(("word", "fix"), [("unknown", "Set authserv_id"), ("temperror", "Give name servers")])
def test_what_to_do_where_dmarc_is_unknown(word: str, fix: str) -> None:
    (found,) = verdict.findings_of(arrival([("a.example", word)], "unknown", results.Results()), 300)
    assert (found.code, found.message) == ("arrival-unjudged", "DMARC for a.example is unknown: why.")
    assert found.fix.startswith(fix)
