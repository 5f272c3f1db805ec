# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""What hosts of one run have in common, so that a question is asked once and not by every host."""

from __future__ import annotations

import typing as t

#: What the role registers its step smtp_settings as.
PLAN = "__mastodon_smtp_settings"
#: Option of sender_dns_info -> role variable that fills it.
SENDER_OPTIONS = {
    "return_path": "mastodon_smtp_return_path",
    "bounce_domain": "mastodon_smtp_bounce_domain",
    "provider": "mastodon_smtp_provider",
    "region": "mastodon_smtp_region",
    "selectors": "mastodon_smtp_dkim_selectors",
    "spf_include": "mastodon_smtp_spf_include",
    "relay_addresses": "mastodon_smtp_relay_addresses",
    "bulk": "mastodon_smtp_bulk_sender",
}


def relay_accounts(hostvars: t.Mapping[str, t.Any], hosts: t.Iterable[str]) -> dict[str, str]:
    """Host -> the first host with the same account (host, port and login) at the same relay.

    Relays lock accounts: the first host of an account tries the password before the others do. Hosts without a plan or
    without a relay are left out.
    """
    firsts: dict[tuple[t.Any, ...], str] = {}
    found: dict[str, str] = {}
    for host in hosts:
        relay = _plan(hostvars[host]).get("relay")
        if relay:
            account = (relay["host"], relay["port"], relay["login"])
            found[host] = firsts.setdefault(account, host)
    return found


def mail_senders(hostvars: t.Mapping[str, t.Any], hosts: t.Iterable[str]) -> list[dict[str, t.Any]]:
    """Every different sender of the hosts, as the option C(senders) of sender_dns_info takes them."""
    found: list[dict[str, t.Any]] = []
    for host in hosts:
        variables = hostvars[host]
        sender = _plan(variables).get("sender")
        if not sender:
            continue
        given = {option: variables[name] for option, name in SENDER_OPTIONS.items() if name in variables}
        one = {"from_address": sender["address"], **given}
        if one not in found:
            found.append(one)
    return found


def _plan(variables: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    settings = variables.get(PLAN, {})
    plan: t.Mapping[str, t.Any] = settings.get("plan") or {}
    return plan
