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
