# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything to publish at once: a name server takes it, and whoever publishes it is done."""

from __future__ import annotations

import dataclasses
import typing as t

import dns.name
import dns.rdataclass
import dns.zone
import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import zone
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.rules import Judgement
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.wording import Advised
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns import (
    test_dkim,
    test_dmarc,
    test_domain,
    test_spf,
    test_spf_relay,
    test_wildcard,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import (
    GOOD,
    KEY,
    judged,
    rsa_key,
    varied,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_cases import (
    OWN_BOUNCE,
    Case,
    dmarc,
    spf,
)

MODULES = (test_domain, test_spf, test_spf_relay, test_dkim, test_dmarc, test_wildcard)
CASES: list[Case] = [one for module in MODULES for one in module.CASES]
Rows = list[tuple[str, str, str]]


def read(text: str) -> Rows:
    """The records as a name server reads them: name, type, and the value as DNS answers show it."""
    made = dns.zone.from_text(text or ";", origin=dns.name.root, relativize=False, check_origin=False)
    rows: Rows = []
    for name, _ttl, rdata in made.iterate_rdatas():
        value = rdata.to_text()
        if hasattr(rdata, "strings"):
            assert all(len(one) <= 255 for one in rdata.strings)
            value = b"".join(rdata.strings).decode()
        rows.append((name.to_text(omit_final_dot=True), rdata.rdtype.name, value.rstrip(".")))
    return rows


def text_of(judgement: Judgement) -> str:
    text: str = judgement.as_dict()["zone"]
    return text


def look(case: Case) -> tuple[dict[str, t.Any], Judgement]:
    book = dict(varied(case.changes))
    return book, judged(book, case.options, case.relay)


def published(book: dict[str, t.Any], rows: Rows) -> dict[str, t.Any]:
    """The book after the records were published, each in place of those that it replaces."""
    for name, rtype, value in rows:
        kind = value[:5].lower()
        here = [one for one in book.get(name, ()) if rtype != "CNAME" and one[0] != rtype]
        if rtype == "TXT":
            here += [one for one in book.get(name, ()) if one[0] == "TXT" and kind not in one[1].lower()]
        book[name] = [*here, (rtype, value)]
    return book


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_name_server_reads_it_and_who_publishes_it_has_nothing_left_to_publish(case: Case) -> None:
    book, before = look(case)
    rows = read(text_of(before))
    single = [row[:2] for row in rows if row[1] != "MX"]
    assert len(set(single)) == len(single), rows
    after = judged(published(book, rows), case.options, case.relay)
    if rows:
        assert read(text_of(after)) == [], after.findings


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_finding_that_is_no_info_is_in_it_in_the_same_order(case: Case) -> None:
    _book, judgement = look(case)
    wanted = [f"; {one.severity} {one.code}: " for one in judgement.findings if one.severity != "info"]
    heads = [line for line in text_of(judgement).splitlines() if line.startswith(tuple(wanted))] if wanted else []
    assert len(heads) == len(wanted)
    assert all(line.startswith(head) for line, head in zip(heads, wanted, strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_octodns_gets_the_same_records(case: Case) -> None:
    _book, judgement = look(case)
    found: Rows = []
    for domain, text in judgement.as_dict()["octodns"].items():
        for label, records in yaml.safe_load(text).items():
            for one in records:
                name = f"{label}.{domain}" if label else domain
                for value in one.get("values", [one.get("value")]):
                    if isinstance(value, dict):
                        value = f"{value['preference']} {value['exchange']}"
                    plain = value.replace(r"\;", ";") if one["type"] == "TXT" else value.rstrip(".")
                    found.append((name, one["type"], plain))
    assert sorted(found) == sorted(read(text_of(judgement)))


def test_most_cases_have_something_to_publish() -> None:
    """Keeps the tests above from passing because there is nothing."""
    assert sum(bool(read(text_of(look(case)[1]))) for case in CASES) > 40


def test_a_good_domain_has_nothing_to_publish() -> None:
    made = judged(GOOD).as_dict()
    assert (made["zone"], made["octodns"]) == ("", {})


def test_a_domain_that_has_nothing_gets_everything_at_once() -> None:
    book = {"example.org": [("A", "192.0.2.80")], "_spf.relay.test": GOOD["_spf.relay.test"]}
    text = text_of(judged(book))
    assert read(text) == [
        ("example.org", "TXT", "v=spf1 include:_spf.relay.test ~all"),
        ("_dmarc.example.org", "TXT", "v=DMARC1; p=none"),
    ]
    # what nobody can know from here is a comment, never a record
    assert '; s1._domainkey.example.org. 3600 IN TXT "v=DKIM1; k=rsa; p=KEY-FROM-YOUR-PROVIDER"' in text
    assert "; example.org. 3600 IN MX 10 HOST-THAT-TAKES-YOUR-MAIL." in text
    assert text.count("Fill it in") >= 2


def test_selectors_that_nobody_named_are_a_comment() -> None:
    text = text_of(judged(GOOD, {"selectors": []}))
    assert "; unknown dkim-selectors-unknown: " in text and read(text) == []


def test_several_problems_of_one_spf_record_have_one_record_that_resolves_all() -> None:
    changes = spf("v=spf1 ptr ipv4:192.0.2.1 +all", "v=spf1 include:gone.test mx -all")
    text = text_of(judged(varied(changes)))
    assert read(text) == [("example.org", "TXT", "v=spf1 include:_spf.relay.test include:gone.test mx -all")]


def test_nothing_is_published_beside_a_cname() -> None:
    judgement = judged(varied({"example.org": GOOD["example.org"][:2]}), relay=OWN_BOUNCE)
    assert {one.record.rtype for one in judgement.findings if isinstance(one, Advised) and one.record} >= {
        "CNAME",
        "TXT",
    }
    text = text_of(judgement)
    assert read(text) == [("em1.example.org", "CNAME", "bounce.owl.test")]
    assert "; em1.example.org has or gets a CNAME" in text


def test_a_target_that_differs_from_customer_to_customer_is_a_comment() -> None:
    theirs = dataclasses.replace(OWN_BOUNCE, return_path_target="u<n>.owl.test")
    text = text_of(judged(GOOD, relay=theirs))
    assert "return-path-missing" in text and not [row for row in read(text) if row[1] == "CNAME"]


@pytest.mark.parametrize("bits", [2048, 4096])
def test_a_long_key_is_published_in_strings_of_255_bytes(bits: int) -> None:
    key = f"v=DKIM1; k=rsa; p={rsa_key(bits)}"
    text = text_of(judged(varied({"s1._domainkey.example.org": [("TXT", f"{key}; t=y")]})))
    assert read(text) == [("s1._domainkey.example.org", "TXT", key)] and '" "' in text


def test_a_key_in_the_zone_of_the_provider_is_not_published_beside_its_alias() -> None:
    there = {"s1._domainkey.example.org": [("CNAME", "s1.owl.test")], "s1.owl.test": [("TXT", f"{KEY}; t=y")]}
    text = text_of(judged(varied(there)))
    assert "dkim-key-testing" in text and read(text) == []


HOSTILE = ['"', "\\", '\\"', "x\n@ 1 IN A 192.0.2.66", "\x00\x1b[31m", "ü☃", "$INCLUDE /etc/passwd", ") ("]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_stranger_published_stays_within_its_string_or_its_comment(text: str) -> None:
    judgement = judged(varied(dmarc(f"v=DMARC1; p=none; ri=1; x={text}", f"v=DMARC1; p=reject; x={text}")))
    rows = read(text_of(judgement))
    assert [row[:2] for row in rows] == [("_dmarc.example.org", "TXT")] and rows[0][2].startswith("v=DMARC1; p=none")


def test_a_record_that_no_name_server_would_take_is_a_comment() -> None:
    judgement = judged(varied({"example.org": GOOD["example.org"][:2]}))
    found = next(one for one in judgement.findings if isinstance(one, Advised))
    assert found.record is not None
    broken = dataclasses.replace(found, record=dataclasses.replace(found.record, rtype="MX", value="many mail hosts"))
    assert read(zone.zone_text(judgement.facts, [broken])) == []
    assert zone.octodns(judgement.facts, [broken]) == {}
