# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of the provider: the settings, checked against what the relay's provider documents."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    Code(
        "host-unknown",
        "error",
        "The relay's host does not exist: the provider has one host per region, and the name has none.",
        "Write the host with its region, or set mastodon_smtp_provider and mastodon_smtp_region.",
        "providers.yml",
    ),
    Code(
        "provider-unknown",
        "error",
        "The collection has no preset of that name.",
        "Use a known provider name, or set mastodon_smtp_host, _port and _tls yourself.",
    ),
    Code(
        "provider-region-missing",
        "error",
        "This provider has one host per region, and no region is set.",
        "Set mastodon_smtp_region.",
    ),
    Code(
        "provider-region-unknown",
        "error",
        "The provider does not have this region.",
        "Correct mastodon_smtp_region; providers.md lists the regions.",
    ),
    Code(
        "provider-region-differs",
        "warning",
        "The relay belongs to a different region of the provider than the configured one.",
        "Correct mastodon_smtp_region, or drop mastodon_smtp_host to use the region's host. Accounts often exist in "
        "one region only.",
    ),
    Code(
        "provider-not-named",
        "info",
        "The relay belongs to a provider that the collection knows, but mastodon_smtp_provider is not set.",
        "Set mastodon_smtp_provider to have port, login and the sender's DNS checked against its documentation.",
    ),
    Code(
        "provider-host-differs",
        "warning",
        "The relay is not one of the provider's hosts.",
        "Drop mastodon_smtp_host to use the provider's host, or mastodon_smtp_provider if this is another relay.",
    ),
    Code(
        "provider-port-unknown",
        "error",
        "The provider does not document that port.",
        "Drop mastodon_smtp_port to use the provider's preferred port.",
    ),
    Code(
        "provider-tls-differs",
        "error",
        "The provider uses another TLS mode on that port.",
        "Drop mastodon_smtp_tls to use the provider's.",
    ),
    Code(
        "provider-login-differs",
        "error",
        "The provider uses a fixed login, and a different one is set that it does not document.",
        "Drop mastodon_smtp_login; the collection fills in the provider's.",
    ),
    Code(
        "provider-login-form",
        "warning",
        "The login does not look like one of this provider's.",
        "Copy the login from the provider's console.",
    ),
    Code(
        "provider-auth-undocumented",
        "warning",
        "The provider does not document this login method.",
        "Drop mastodon_smtp_auth to use the provider's.",
    ),
    Code(
        "provider-auth-refused",
        "warning",
        "The provider refuses this login method.",
        "Drop mastodon_smtp_auth to use the provider's.",
        "providers.yml",
    ),
    Code(
        "provider-sender-differs",
        "error",
        "The provider accepts only the login, or an address that belongs to it, as the sender.",
        "Set mastodon_smtp_from_address to the login, or check that it is one of its aliases.",
        "providers.yml",
    ),
    Code(
        "provider-helo-differs",
        "warning",
        "The provider knows a customer without a login by the EHLO name, and it is not in the sender's domain.",
        "Set mastodon_smtp_helo_domain to a name in a domain of your account.",
        "providers.yml",
    ),
    Code("provider-advice", "info", "Something to know about this provider.", "Read the provider's page."),
)
