# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree walk and the reading of DMARC records (RFC 9989)."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import dmarc_record
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.answers import Answer
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import ask_from


def book(records: t.Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    return {
        f"_dmarc.{name}": [("!" if text == "silence" else "TXT", "timeout" if text == "silence" else text)]
        for name, text in records.items()
    }


def test_at_most_eight_questions_the_first_for_the_whole_name() -> None:
    asked: list[str] = []

    def ask(name: str, rtype: str) -> Answer:
        asked.append(f"{rtype} {name}")
        return Answer(name, rtype, "nxdomain")

    dmarc_record.walk(ask, "a.b.c.d.e.f.g.h.i.j.mail.example.com")
    assert asked == [
        "TXT _dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "TXT _dmarc.g.h.i.j.mail.example.com",
        "TXT _dmarc.h.i.j.mail.example.com",
        "TXT _dmarc.i.j.mail.example.com",
        "TXT _dmarc.j.mail.example.com",
        "TXT _dmarc.mail.example.com",
        "TXT _dmarc.example.com",
        "TXT _dmarc.com",
    ]


PLAIN = "v=DMARC1; p=reject"

WALKS = [
    # start, records, organizational domain, where the applied record is
    ("example.org", {}, "example.org", None),
    ("example.org", {"example.org": PLAIN}, "example.org", "example.org"),
    ("social.example.org", {"example.org": PLAIN}, "example.org", "example.org"),
    ("social.example.org", {"social.example.org": PLAIN, "example.org": PLAIN}, "example.org", "social.example.org"),
    ("a.b.example.org", {"b.example.org": PLAIN, "example.org": PLAIN}, "example.org", "example.org"),
    ("a.b.example.org", {"b.example.org": PLAIN + "; psd=n", "example.org": PLAIN}, "b.example.org", "b.example.org"),
    ("a.example.bank", {"bank": PLAIN + "; psd=y"}, "example.bank", "bank"),
    ("a.example.bank", {"bank": PLAIN + "; psd=y", "example.bank": PLAIN}, "example.bank", "example.bank"),
    ("a.example.co.test", {"co.test": PLAIN + "; psd=y", "test": PLAIN}, "example.co.test", "co.test"),
    ("bank", {"bank": PLAIN + "; psd=y"}, "bank", "bank"),
    ("social.example.org", {"social.example.org": PLAIN, "example.org": "silence"}, None, "social.example.org"),
    ("social.example.org", {"example.org": "silence"}, None, None),
    (
        "social.example.org",
        {"social.example.org": PLAIN + "; psd=n", "example.org": "silence"},
        "social.example.org",
        "social.example.org",
    ),
]


@pytest.mark.parametrize(("start", "records", "organizational", "applied"), WALKS)
def test_the_walk(start: str, records: dict[str, str], organizational: str | None, applied: str | None) -> None:
    walk = dmarc_record.walk(ask_from(book(records)), start)
    step = walk.applied()
    assert walk.organizational() == organizational
    assert (step.domain if step else None) == applied
    assert walk.decided is (organizational is not None or applied is not None)


@pytest.mark.parametrize(
    ("text", "below", "exists", "policy"),
    [
        ("v=DMARC1; p=reject", False, True, "reject"),
        ("v=DMARC1; p=reject", True, True, "reject"),
        ("v=DMARC1; p=reject; sp=none", True, True, "none"),
        ("v=DMARC1; p=reject; sp=none", False, True, "reject"),
        ("v=DMARC1; p=none; np=reject", True, False, "reject"),
        ("v=DMARC1; p=none; np=reject", True, True, "none"),
        ("v=DMARC1; p=none; sp=quarantine", True, False, "quarantine"),
        ("v=DMARC1; p=reject; t=y", False, True, "quarantine"),
        ("v=DMARC1; p=quarantine; t=y", False, True, "none"),
        ("v=DMARC1; P=Reject", False, True, "reject"),
        ("v=DMARC1", False, True, "none"),
        ("v=DMARC1; p=what", False, True, "none"),
        ("v=DMARC1; sp=reject", True, True, "reject"),
    ],
)
def test_the_policy(text: str, below: bool, exists: bool, policy: str) -> None:
    assert dmarc_record.parse(text).policy(below=below, exists=exists) == policy


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("v=DMARC1", True),
        ("v=DMARC1;p=none", True),
        ("v = DMARC1 ; p=none", True),
        ("v=DMARC10; p=none", False),
        ("v=DMARC1 p=none", False),
        ("v=dmarc1; p=none", False),
        (" v=DMARC1; p=none", False),
        ("p=none; v=DMARC1", False),
        ("", False),
    ],
)
def test_what_counts_as_a_record(text: str, counts: bool) -> None:
    assert dmarc_record.claims(text) is counts


@pytest.mark.parametrize(
    ("one", "other", "records", "strict", "expected"),
    [
        ("example.org", "example.org", {}, True, True),
        ("example.org", "example.org", {"org": "silence"}, False, True),
        ("example.org", "mail.example.org", {"example.org": PLAIN}, True, False),
        ("example.org", "mail.example.org", {"example.org": PLAIN}, False, True),
        ("social.example.org", "mail.example.org", {"example.org": PLAIN}, False, True),
        ("social.example.org", "mail.example.org", {"social.example.org": PLAIN}, False, False),
        (
            "example.org",
            "mail.example.org",
            {"example.org": PLAIN, "mail.example.org": PLAIN + "; psd=n"},
            False,
            False,
        ),
        ("example.org", "example.net", {"example.org": PLAIN}, False, False),
        ("one.bank", "two.bank", {"bank": PLAIN + "; psd=y"}, False, False),
        ("example.org", "mail.example.org", {"example.org": "silence"}, False, None),
        ("example.org", "example.net", {"org": "silence"}, False, False),
        ("example.org", "mail.example.org", {}, False, True),
        ("example.org", "other.test", {}, False, False),
    ],
)
def test_alignment(one: str, other: str, records: dict[str, str], strict: bool, expected: bool | None) -> None:
    ask = ask_from(book(records))
    walks = dmarc_record.walk(ask, one), dmarc_record.walk(ask, other)
    assert dmarc_record.aligned(*walks, strict=strict) is expected


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_no_record_breaks_it(rest: str) -> None:
    record = dmarc_record.parse(f"v=DMARC1;{rest}")
    assert record.policy(below=True, exists=False) in dmarc_record.POLICIES
    assert isinstance(record.report_addresses(), tuple)
