# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes that only a probe of the relay can come to. What mailer and probe fail with alike is in delivery.py."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    Code(
        "relay-setting-unusable",
        "error",
        "A setting of the relay is of a form with which no dialogue can be held.",
        "Correct the setting.",
        "RFC 5321, 4.1.2; RFC 4616, 2",
    ),
    Code(
        "relay-port-blocked",
        "error",
        "The relay's port cannot be reached from this host, but another port of the same relay can.",
        "Use the port that answers.",
        "Clouds block 25, some 465 and 587 (Hetzner Cloud, DigitalOcean); mastodon#13111, #32808",
    ),
    Code(
        "relay-address-dead",
        "warning",
        "An address of the relay that Mastodon tries first does not answer; a later one does.",
        "Repair the route, usually IPv6, or have the system prefer the other family.",
        "Ruby before 3.4 tries one address after the other, all within one time-out; mastodon#15103",
    ),
    Code(
        "relay-other-address-answers",
        "info",
        "The relay fails on the address that Mastodon uses first and works on one of the other family.",
        "Have this host's address of the failing family allowed at the relay, or prefer the other family.",
        "mastodon#15103",
    ),
    Code(
        "not-smtp",
        "error",
        "The port answers, but not in SMTP.",
        "Check host and port; look for a proxy or a filter on the way.",
        "RFC 5321, 4.2",
    ),
    Code(
        "starttls-answer-injected",
        "error",
        "Bytes came in after the answer to STARTTLS and before encryption began.",
        "Do not use this way to the relay until its operator has looked: someone on the way may write into it.",
        "RFC 3207, 6; CVE-2011-0411",
    ),
    Code(
        "login-withheld",
        "error",
        "Encryption is optional in the settings and not offered by the relay; the login was not sent in the clear.",
        "Demand encryption, or state that there is to be none.",
        "mastodon#20311: opportunistic STARTTLS is open to downgrade",
    ),
    Code(
        "relay-unencrypted",
        "warning",
        "Mail to the relay travels unencrypted.",
        "Use STARTTLS or implicit TLS for a relay that is not on the host itself.",
        "RFC 8314, 3",
    ),
    Code(
        "login-in-the-clear",
        "warning",
        "The settings send login and password unencrypted over a network.",
        "Use STARTTLS or implicit TLS.",
        "RFC 4954, 4 and 14",
    ),
    Code(
        "verification-off",
        "warning",
        "The relay's certificate is not verified and would not pass.",
        "Give the authority's file and verify, or fix the certificate.",
        "mastodon#6823, #10831",
    ),
    Code(
        "verification-off-needlessly",
        "warning",
        "The relay's certificate is not verified although it would pass.",
        "Switch verification on.",
        "Copied from recipes for a relay on localhost (mastodon#1488, #6996)",
    ),
    Code(
        "certificate-expires-soon",
        "warning",
        "The relay's certificate is about to expire.",
        "Have it renewed.",
    ),
    Code(
        "login-not-tried",
        "info",
        "The login was left out on request.",
        "Run again with the login, before this host is relied on.",
    ),
    Code(
        "login-refused-elsewhere",
        "error",
        "Another host of the same run was not let in with the same login and password, so they were not tried again.",
        "Fix the login on the host that was refused first, then run again.",
        "Relays lock accounts after a few refused logins",
    ),
    Code(
        "relay-size-limit-small",
        "warning",
        "The relay takes only very small messages.",
        "Have the limit raised.",
        "RFC 1870",
    ),
)
