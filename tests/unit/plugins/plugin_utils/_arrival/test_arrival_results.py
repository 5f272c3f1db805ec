# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Authentication-Results are the receiver's, and what they say."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.plugin_utils._arrival import message, results


def read(*lines: str, authserv_id: str = "") -> results.Results:
    fields = message.fields_of("\r\n".join([*lines, "From: n@a.example", "", ""]).encode())
    return results.read(fields, message.handover(message.hops_of(fields)), authserv_id)


def own(value: str) -> str:
    return f"Authentication-Results: mx.test; {value}"


HANDED = "Received: from relay.example (relay.example [192.0.2.25]) by mx.test with ESMTPS id 1; x"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("none", []),
        ("None", []),
        ("dkim=pass header.d=a.example; none", [("dkim", "pass")]),
        ("dkim=none; spf=pass smtp.mailfrom=a.example", [("dkim", "none"), ("spf", "pass")]),
    ],
)
def test_a_field_without_results(value: str, kept: list[tuple[str, str]]) -> None:
    found = read(own(value), HANDED)
    assert (found.authserv_id, [(one.method, one.result) for one in found.results]) == ("mx.test", kept)


class Hostile:
    """What the library gave for some field: whatever is read of it fails."""

    results: t.ClassVar[list[t.Any]] = [object()]

    def parse(self, value: str) -> Hostile:
        if "crash" in value:
            raise AssertionError(value)
        return self


@pytest.mark.parametrize("value", ["crash", "other"])
def test_no_exception_of_the_library_ends_the_step(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setattr(results, "PARSER", Hostile())
    found = read(own(value), HANDED)
    assert (found.results, found.why) == ((), "An Authentication-Results of the receiver cannot be parsed.")


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("dmarc=pass header.from=a.example", "pass"),
        ("dmarc=pass", "pass"),
        ("dmarc=fail header.from=a.example; dmarc=pass header.from=a.example", "fail"),
        ("dmarc=pass header.from=a.example; dmarc=fail header.from=forged.example", "fail"),
        ("dmarc=none header.from=forged.example; dmarc=pass header.from=a.example", "pass"),
        ("dmarc=permerror header.from=a.example; dmarc=pass header.from=a.example", "permerror"),
        ("dmarc=pass header.from=forged.example", ""),
        ('dmarc=pass header.from="[forged]"', ""),
        ("dkim=fail header.d=a.example; dkim=pass header.d=b.example", ""),
    ],
)
def test_a_pass_of_dmarc_is_for_the_from_domain_and_no_failure_is_beside_it(value: str, word: str) -> None:
    assert read(own(value), HANDED).word("dmarc") == word


def test_one_valid_signature_is_enough() -> None:
    assert read(own("dkim=fail header.d=a.example; dkim=pass header.d=b.example"), HANDED).word("dkim") == "pass"


FAIL, PASS = own("dmarc=fail header.from=a.example"), own("dmarc=pass header.from=a.example")


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ((FAIL, HANDED, PASS), "fail"),
        ((own("spf=pass smtp.mailfrom=a.example"), HANDED, PASS), ""),
        ((HANDED, FAIL, PASS), "fail"),
        ((HANDED, own("spf=pass smtp.mailfrom=a.example"), PASS), ""),
        ((HANDED, PASS), "pass"),
        ((own("spf=pass smtp.mailfrom=a.example"), PASS, HANDED), "pass"),
    ],
    ids=["below", "other above", "beside", "other beside", "only below", "both above"],
)
def test_with_an_authserv_id_what_the_sender_wrote_does_not_count(lines: tuple[str, ...], word: str) -> None:
    """Above the handover only the receiver writes. If it writes below, its own is the topmost."""
    assert read(*lines, authserv_id="MX.test").word("dmarc") == word
