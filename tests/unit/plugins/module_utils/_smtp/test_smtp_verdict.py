# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From results to findings, for what cannot be had on loopback: networks, and certificates near their end."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.model import Failure
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.delivery import TABLE as DELIVERY
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.relay import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.dialogue import Observation
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.probe import Address, Result
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.reply import Ehlo
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.settings import Settings
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.tls import TlsDetails
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.verdict import context_of, verdict


def judged(address: str = "192.0.2.25", days: int = 30, **changes: t.Any) -> list[Finding]:
    """The findings for a dialogue that went well, but for what is changed."""
    settings = Settings(
        **{"host": "smtp.example.org", "port": 587, "helo_domain": "social.example", "login": "a", "password": "b"}
        | {name: value for name, value in changes.items() if name in Settings.__dataclass_fields__}
    )
    result = Result(settings.host, settings.port, settings.tls)
    result.addresses = [Address("ipv4", address, "answered", 0.1)]
    result.seen = Observation(
        greeting="220 x", offered=Ehlo("x", auth=("PLAIN",)), starttls=changes.get("offers", True)
    )
    if changes.get("encrypted", True):
        result.seen.tls = TlsDetails(
            "TLSv1.3", "x", settings.verify == "peer", "store", "CN=x", ("x.example",), "CN=CA"
        )
        result.seen.tls.days_left = days
        result.seen.tls.not_before, result.seen.tls.not_after = "2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z"
        result.seen.tls.would_verify = changes.get("would_verify")
    result.seen.trouble = changes.get("trouble")
    return verdict(settings, result, context_of(settings))


def test_nothing_to_say() -> None:
    assert judged() == []


@pytest.mark.parametrize(("days", "warned"), [(14, False), (13, True), (0, True), (-1, False)])
def test_a_certificate_near_its_end(days: int, warned: bool) -> None:
    findings = judged(days=days)
    assert [one.code for one in findings] == (["certificate-expires-soon"] if warned else [])
    assert not warned or f"in {days} days, at 2026-12-01T00:00:00Z" in findings[0].message


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"tls": "none"}, ["login-in-the-clear"]),
        ({"tls": "none", "auth": "none"}, ["relay-unencrypted"]),
        ({"tls": "starttls_optional", "auth": "none", "offers": False}, ["relay-unencrypted"]),
        ({"tls": "none", "address": "127.0.0.1"}, []),
        ({"tls": "none", "address": "::1"}, []),
        ({"tls": "none", "address": "fe80::1%eth0"}, ["login-in-the-clear"]),
    ],
)
def test_unencrypted_ways(changes: dict[str, t.Any], codes: list[str]) -> None:
    findings = judged(encrypted=False, **changes)
    assert [one.code for one in findings] == codes
    assert {one.severity for one in findings} <= {"warning"}


def test_a_withheld_login_is_said_once() -> None:
    findings = judged(
        encrypted=False, tls="starttls_optional", offers=False, trouble=Failure("auth", kind="no-encryption")
    )
    assert [(one.code, one.severity) for one in findings] == [("login-withheld", "error")]


@pytest.mark.parametrize(
    ("would_verify", "address", "codes"),
    [
        (True, "192.0.2.25", ["verification-off-needlessly"]),
        (False, "192.0.2.25", ["verification-off"]),
        (None, "192.0.2.25", []),
        (False, "127.0.0.1", []),
    ],
)
def test_verification_off(would_verify: bool | None, address: str, codes: list[str]) -> None:
    findings = judged(verify="none", would_verify=would_verify, address=address)
    assert [one.code for one in findings] == codes
    if would_verify is False and codes:
        assert "It is for x.example, issued by CN=CA, valid from" in findings[0].message


def test_no_code_is_of_two_tables() -> None:
    assert not TABLE.rows.keys() & DELIVERY.rows.keys()


@pytest.mark.parametrize(
    ("kind", "code", "message", "auth"),
    [("no-mechanism", None, "LOGIN, XOAUTH2", "plain"), ("no-auth", None, "", "plain"), ("reply", 334, "", "plain")],
)
def test_what_is_known_of_the_provider_is_told_where_no_login_was_possible(
    kind: t.Any, code: int | None, message: str, auth: str
) -> None:
    settings = Settings("smtp.office365.com", 587, helo_domain="social.example", auth=auth, login="a", password="b")
    result = Result(settings.host, settings.port, settings.tls)
    result.seen = Observation(greeting="220 x", offered=Ehlo("x", auth=("LOGIN",)), starttls=True)
    result.seen.trouble = Failure("auth", kind, code=code, message=message)
    (one,) = [
        one
        for one in verdict(settings, result, context_of(settings, hint="Microsoft 365: a hint."))
        if one.severity == "error"
    ]
    assert one.fix.endswith("Microsoft 365: a hint.")
    assert ("refuses AUTH PLAIN" in one.fix) is (one.code == "login-mechanism-not-offered")
