# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and presets -> the sender that is looked at."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import facts
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.presets import relay_of
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.sender import Relay, Sender, fits, sender_from
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import documents
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import GOOD, ask_from, judged


def test_the_simplest_sender() -> None:
    assert sender_from({"from_address": "Mastodon <n@Social.Example.>"}, Relay()) == Sender(
        from_domain="social.example",
        return_path="social.example",
        bounce_domain="",
        dkim_domain="social.example",
        selectors=(),
        spf_include="",
        networks=(),
        bulk=False,
        relay=Relay(),
    )


def test_what_is_set_wins_over_the_preset() -> None:
    relay = Relay(name="owl", spf_include="_spf.owl.test", selectors=("owl1",))
    assert sender_from({"from_address": "a@b.test"}, relay).selectors == ("owl1",)
    own = sender_from(
        {"from_address": "a@b.test", "selectors": ["Mine._domainkey.b.test."], "spf_include": "x.test"}, relay
    )
    assert (own.selectors, own.spf_include) == (("mine",), "x.test")


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"from_address": ""}, "from_address"),
        ({"from_address": "notifications"}, "from_address"),
        ({"from_address": "a@b.test", "return_path": "x@[192.0.2.1]"}, "return_path"),
        ({"from_address": "a@b.test", "bounce_domain": "nodot"}, "bounce_domain"),
        ({"from_address": "a@b.test", "dkim_domain": "a..b"}, "dkim_domain"),
        ({"from_address": "a@b.test", "selectors": ["x" * 64]}, "selectors"),
        ({"from_address": "a@b.test", "selectors": [""]}, "selectors"),
        ({"from_address": "a@b.test", "spf_include": "include:x.test"}, "spf_include"),
        ({"from_address": "a@b.test", "relay_addresses": ["mail.b.test"]}, "relay_addresses"),
        ({"from_address": "a@b.test", "relay_addresses": ["192.0.2.1/40"]}, "relay_addresses"),
    ],
)
def test_what_cannot_be_used_is_a_finding(options: dict[str, t.Any], option: str) -> None:
    with pytest.raises(FindingError) as caught:
        sender_from(options, Relay())
    assert (caught.value.finding.code, caught.value.finding.subject) == ("sender-option-invalid", option)


def test_control_characters_do_not_reach_the_message() -> None:
    with pytest.raises(FindingError) as caught:
        sender_from({"from_address": "a@\x1b[31mred.test" + "x" * 500}, Relay())
    assert "\x1b" not in caught.value.finding.message and len(caught.value.finding.message) < 300


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("pm.mtasv.net", "pm.mtasv.net", True),
        ("PM.mtasv.net.", "pm.mtasv.net.", True),
        ("pm.mtasv.net", "x.pm.mtasv.net", True),
        ("pm.mtasv.net", "xpm.mtasv.net", False),
        ("pm.mtasv.net", "pm.mtasv.net.evil.test", False),
        ("sendgrid.net", "u123.wl45.sendgrid.net", True),
        ("u<n>.wl….sendgrid.net", "u123.wl45.sendgrid.net", True),
        ("u<n>.wl….sendgrid.net", "u123.sendgrid.net", False),
        ("feedback-smtp.{region}.amazonses.com", "feedback-smtp.eu-west-1.amazonses.com", True),
    ],
)
def test_patterns_of_presets(pattern: str, name: str, expected: bool) -> None:
    assert fits(pattern, name) is expected


@pytest.mark.parametrize("name", sorted(documents()))
def test_every_preset_can_be_judged(name: str) -> None:
    """No preset makes a rule fall over on a domain where nothing is set up for it, with or without a bounce domain."""
    relay = relay_of(name, documents()[name], "eu-west-1")
    for bounce in (None, "bounce.example.org"):
        judgement = judged(GOOD, {"selectors": None, "spf_include": None, "bounce_domain": bounce}, relay)
        assert set(judgement.outcomes.values()) <= {"ok", "info", "warning", "error", "unknown", "skipped"}
        assert all(one.message and one.fix and len(one.message) < 1200 for one in judgement.findings)


@pytest.mark.parametrize(
    ("name", "options", "book", "domain", "ours"),
    [
        ("postmark", {}, {}, "pm.mtasv.net", False),
        ("postmark", {}, {"pm-bounces.example.org": [("CNAME", "pm.mtasv.net")]}, "pm-bounces.example.org", True),
        ("postmark", {"return_path": "x@example.org"}, {}, "pm.mtasv.net", False),
        ("amazon_ses", {}, {}, "amazonses.com", False),
        ("amazon_ses", {"bounce_domain": "mail.example.org"}, {}, "mail.example.org", True),
        ("sendgrid", {}, {}, "", False),
        ("sendgrid", {"bounce_domain": "em7.example.org"}, {}, "em7.example.org", True),
        ("resend", {}, {}, "send.example.org", True),
        ("mailgun", {}, {}, "example.org", True),
        ("mailgun", {"bounce_domain": "mg.example.org"}, {}, "mg.example.org", True),
        ("scaleway_tem", {"return_path": "bounces@b.example.org"}, {}, "b.example.org", True),
        ("gmail", {}, {}, "example.org", True),
    ],
)
def test_whose_domain_spf_is_checked_on(
    name: str, options: dict[str, t.Any], book: dict[str, t.Any], domain: str, ours: bool
) -> None:
    who = sender_from({"from_address": "n@example.org", **options}, relay_of(name, documents()[name]))
    path = facts.gather(who, ask_from({**GOOD, **book})).return_path
    assert (path.domain, path.ours) == (domain, ours)
