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
        "A relay setting has an invalid form, so the relay cannot be probed.",
        "Correct the setting.",
        "RFC 5321, 4.1.2; RFC 4616, 2",
    ),
    Code(
        "relay-port-blocked",
        "error",
        "The relay's port is unreachable from this host, but another port of the same relay answers.",
        "Use the port that answers.",
        "Clouds block 25, some 465 and 587 (Hetzner Cloud, DigitalOcean); mastodon#13111, #32808",
    ),
    Code(
        "relay-address-dead",
        "warning",
        "The relay address that Mastodon tries first does not answer; a later one does.",
        "Fix the route, usually IPv6, or make the system prefer the other address family.",
        "Ruby before 3.4 tries one address after the other, all within one time-out; mastodon#15103",
    ),
    Code(
        "relay-other-address-answers",
        "info",
        "The relay fails on the address that Mastodon tries first and works on one of the other family.",
        "Have this host's address of the failing family allow-listed at the relay, or prefer the other family.",
        "mastodon#15103",
    ),
    Code(
        "not-smtp",
        "error",
        "The port answers, but does not speak SMTP.",
        "Check host and port, and look for a proxy or filter on the way.",
        "RFC 5321, 4.2",
    ),
    Code(
        "starttls-answer-injected",
        "error",
        "Data arrived between the answer to STARTTLS and the start of encryption.",
        "Do not use this connection until the relay's operator has checked it: someone on the way may be injecting "
        "data.",
        "RFC 3207, 6; CVE-2011-0411",
    ),
    Code(
        "login-withheld",
        "error",
        "Encryption is optional in the settings, and the relay does not offer it. The login was not sent.",
        "Require encryption, or set mastodon_smtp_tls to none.",
        "mastodon#20311: opportunistic STARTTLS is open to downgrade",
    ),
    Code(
        "relay-unencrypted",
        "warning",
        "Mail is sent to the relay unencrypted.",
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
        "Set the CA file and enable verification, or fix the certificate.",
        "mastodon#6823, #10831",
    ),
    Code(
        "verification-off-needlessly",
        "warning",
        "The relay's certificate is not verified although it would pass.",
        "Enable verification.",
        "Copied from recipes for a relay on localhost (mastodon#1488, #6996)",
    ),
    Code(
        "certificate-expires-soon",
        "warning",
        "The relay's certificate is about to expire.",
        "Ask the relay's operator to renew it.",
    ),
    Code(
        "login-not-tried",
        "info",
        "The login was skipped on request.",
        "Run again with the login before relying on this host.",
    ),
    Code(
        "login-refused-elsewhere",
        "error",
        "The same login and password were rejected on another host of this run, so they were not tried again.",
        "Fix the login on the host that was rejected first, then run again.",
        "Relays lock accounts after a few refused logins",
    ),
    Code(
        "relay-size-limit-small",
        "warning",
        "The relay accepts only very small messages.",
        "Ask the relay's operator to raise the limit.",
        "RFC 1870",
    ),
)
