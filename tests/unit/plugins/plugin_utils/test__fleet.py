# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._fleet import PLAN, mail_senders, relay_accounts


def host(login: str | None, port: int = 587, sender: str = "a@example.org", **variables: t.Any) -> dict[str, t.Any]:
    relay = {"host": "smtp.example.net", "port": port, "login": login}
    return {PLAN: {"plan": {"relay": relay, "sender": {"address": sender, "domain": "example.org"}}}, **variables}


def test_hosts_with_one_account_follow_its_first_host() -> None:
    fleet = {"a": host("x"), "b": host("y"), "c": host("x"), "d": host("x", port=465)}
    assert relay_accounts(fleet, ["a", "b", "c", "d"]) == {"a": "a", "b": "b", "c": "a", "d": "d"}


def test_hosts_without_plan_or_relay_are_left_out() -> None:
    sendmail: dict[str, t.Any] = {PLAN: {"plan": {"relay": None, "sender": None}}}
    fleet = {"a": {}, "b": sendmail, "c": {PLAN: {"msg": "failed"}}, "d": host("x")}
    assert relay_accounts(fleet, list(fleet)) == {"d": "d"}
    assert len(mail_senders(fleet, list(fleet))) == 1


def test_a_sender_is_listed_once_and_with_what_belongs_to_it() -> None:
    fleet = {
        "a": host("x", mastodon_smtp_provider="mailgun"),
        "b": host("x", mastodon_smtp_provider="mailgun"),
        "c": host("x", mastodon_smtp_provider="mailgun", mastodon_smtp_dkim_selectors=["k1"]),
        "d": host("x", sender="d@example.org"),
    }
    assert mail_senders(fleet, ["a", "b", "c", "d"]) == [
        {"from_address": "a@example.org", "provider": "mailgun"},
        {"from_address": "a@example.org", "provider": "mailgun", "selectors": ["k1"]},
        {"from_address": "d@example.org"},
    ]
