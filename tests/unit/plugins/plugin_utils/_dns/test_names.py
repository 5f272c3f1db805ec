# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domain names as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import names

LONG = ".".join(["x" * 60] * 5) + ".org"


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("notifications@example.org", "example.org"),
        ("Mastodon <notifications@example.org>", "example.org"),
        ('"a@b" <notifications@example.org>', "example.org"),
        ("example.org", "example.org"),
        ("  Example.ORG. ", "example.org"),
        ("x@bücher.example", "xn--bcher-kva.example"),
        ("x@BÜCHER.example", "xn--bcher-kva.example"),
        ("x@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("x@例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("x@straße.example", "xn--strae-oqa.example"),
        ("x@_odd.example.org", "_odd.example.org"),
        ("x@" + "y" * 63 + ".org", "y" * 63 + ".org"),
    ],
)
def test_a_domain(text: str, domain: str) -> None:
    assert names.domain_of(text) == domain


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "contains no domain"),
        ("   ", "contains no domain"),
        ("x@", "contains no domain"),
        ("x@localhost", "no dot"),
        ("x@.", "contains no domain"),
        ("x@[192.0.2.1]", "IP address"),
        ("x@192.0.2.1", "IP address"),
        ("2001:db8::1", "IP address"),
        ("x@a..org", "two dots"),
        ("x@.example.org", "two dots"),
        ("x@" + "y" * 64 + ".org", "63 characters"),
        ("x@" + LONG, "253 characters"),
        ("x@exa mple.org", "character"),
        ("Name <x@exa mple.org>", "character"),
        ("x@exa<mple.org", "character"),
        ("x@exa\x00mple.org", "character"),
        ("x@exa\\mple.org", "character"),
        ("x@\u200d.org", "domain name"),
    ],
)
def test_what_is_no_domain(text: str, why: str) -> None:
    with pytest.raises(names.NameRefused, match=why):
        names.domain_of(text)


def test_idn_without_the_idna_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dns.name.have_idna_2008", False)
    assert names.domain_of("x@bücher.example") == "xn--bcher-kva.example"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_nothing_else_is_raised(text: str) -> None:
    try:
        domain = names.domain_of(text)
    except names.NameRefused:
        return
    assert "." in domain and len(domain) <= names.LONGEST_NAME and domain == domain.lower() and domain.isascii()


def test_parents() -> None:
    assert list(names.parents("a.b.c")) == ["b.c", "c"]
    assert list(names.parents("c")) == []
