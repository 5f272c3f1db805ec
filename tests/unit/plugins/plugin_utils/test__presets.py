# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import errors
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.plan import plan
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import PORTS, Request, Wanted
from ansible_collections.fediops.mastodon.plugins.plugin_utils import _presets

#: The providers of section 1 of the reference.
NAMES = [
    "amazon_ses",
    "brevo",
    "fastmail",
    "gandi",
    "gmail",
    "google_relay",
    "hetzner_webhosting",
    "infomaniak",
    "local_postfix",
    "mailbox_org",
    "mailersend",
    "mailgun",
    "mailjet",
    "microsoft365",
    "migadu",
    "ovh",
    "postal",
    "postmark",
    "proton",
    "resend",
    "scaleway_tem",
    "sendgrid",
    "smtp2go",
    "sparkpost",
    "zeptomail",
    "zoho_mail",
]


def test_every_provider_is_there() -> None:
    assert sorted(_presets.presets()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_entry_has_the_right_shape(name: str) -> None:
    assert _presets.problems(name, _presets.documents()[name]) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_names_it(name: str) -> None:
    from ansible_collections.fediops.mastodon.plugins.modules import smtp_settings

    assert f"V({name})" in smtp_settings.DOCUMENTATION


@pytest.mark.parametrize("name", NAMES)
def test_the_entry_makes_a_plan_in_every_era(name: str) -> None:
    preset = _presets.presets()[name]
    login = "" if preset.login or not preset.needs_login else "user@example.com"
    wanted = Wanted(
        provider=name,
        region="eu-west-1" if name == "amazon_ses" else "",
        host="" if preset.hosts else "postal.example.com",
        port=None if preset.hosts else 25,
        login=login,
        password="c0rrect-h0rse.battery" if login or preset.login else "",
    )
    for release in ("3.5.19", "4.1.0", "4.2.29", "4.3.23", "4.4.0", "4.4.22", "4.5.0-rc.1", "4.6.5"):
        request = Request(relay=wanted, from_address="a@example.com", mastodon_release=release)
        done, findings = plan(request, _presets.presets(), ["tls-not-possible"])
        assert not errors(findings), (release, findings)
        assert done.effective.error is None
        assert done.relay is not None
        assert len(done.relay.alternatives) == max(len(preset.endpoints) - 1, 0)


@pytest.mark.parametrize("name", NAMES)
def test_known_ports_speak_what_they_are_for(name: str) -> None:
    for endpoint in _presets.presets()[name].endpoints:
        assert endpoint.tls in PORTS[endpoint.port]


def entry(**more: t.Any) -> dict[str, t.Any]:
    good = {
        "title": "Example",
        "hosts": {"": "smtp.example.com"},
        "endpoints": [{"port": 587, "tls": "starttls"}],
        "sender": {"return_path": {"mode": "same_domain"}},
        "source": ["https://example.com/smtp"],
        "checked": "2026-01-31",
        "confidence": "A",
    }
    return {name: value for name, value in {**good, **more}.items() if value is not None}


def test_a_small_entry_is_right() -> None:
    assert _presets.problems("example", entry()) == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"title": None}, "title is missing"),
        ({"source": []}, "source"),
        ({"source": ["example.com"]}, "source"),
        ({"checked": "last week"}, "checked"),
        ({"confidence": "D"}, "confidence"),
        ({"colour": "blue"}, "colour is no known key"),
        ({"login": 5}, "login is no text"),
        ({"auth": ["xoauth2"]}, "auth"),
        ({"login_form": "word"}, "login_form"),
        ({"hosts": {"": "smtp.{region}.example.com"}}, "{region}"),
        ({"hosts": {"*": "smtp.example.com"}}, "{region}"),
        ({"hosts": {"": "https://example.com"}}, "no host name"),
        ({"hosts": None}, "go together"),
        ({"endpoints": [{"port": 587, "tls": "starttls"}] * 2}, "twice"),
        ({"endpoints": [{"port": "587", "tls": "starttls"}]}, "no port"),
        ({"endpoints": [{"port": 587, "tls": "ssl"}]}, "starttls, implicit or none"),
        ({"sender": {"return_path": {"mode": "guess"}}}, "return_path"),
        ({"sender": {"return_path": {"mode": "provider"}, "spf": {}}}, "needed_on"),
        ({"sender": {"return_path": {"mode": "provider"}, "dkim": {"type": "txt"}}}, "dkim"),
    ],
)
def test_a_wrong_entry_is_seen(more: dict[str, t.Any], words: str) -> None:
    found = _presets.problems("example", entry(**more))
    assert any(words in one for one in found), found


def test_an_entry_that_is_no_mapping_is_seen() -> None:
    assert _presets.problems("example", ["smtp.example.com"]) == ["example: is no mapping"]
    assert _presets.problems("Example", entry()) == ["Example: the name is not in lower case"]
