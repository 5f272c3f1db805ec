# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of the diagnosis: what the relay refuses, from EHLO to the end of the message.

Shared by the probe, the test message and the queue check. Sources: RFC 5321 (SMTP), 3207 (STARTTLS), 4954 (AUTH), 3463
and 5248 (enhanced codes), 7372 (sender authentication codes); names with a number are issues of public repositories.

What the relay refuses only for now says nothing about the settings: such a finding is waited for, and undoes nothing.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    Code(
        "helo-refused",
        "error",
        "The relay rejects the EHLO name that Mastodon sends.",
        "Set mastodon_smtp_helo_domain to the host's full name.",
        "RFC 5321, 4.1.1.1",
    ),
    Code("login-accepted", "info", "The relay accepted the login.", "Nothing to do.", "RFC 4954: 235"),
    Code(
        "login-refused",
        "error",
        "The relay rejected the login or the password.",
        "Check mastodon_smtp_login and mastodon_smtp_password.",
        "RFC 4954: 535",
    ),
    Code(
        "app-password-needed",
        "error",
        "The relay requires an app password instead of the account password.",
        "Create an app password at the provider and set it as mastodon_smtp_password.",
        "RFC 4954: 534; Gmail 5.7.9",
    ),
    Code(
        "smtp-login-disabled",
        "error",
        "The provider has disabled SMTP logins for this account.",
        "Enable authenticated SMTP for the mailbox at the provider.",
        "Microsoft 365: 535 5.7.139, 550 5.7.30",
    ),
    Code(
        "password-transition-needed",
        "error",
        "The relay requires a password change before this login method works.",
        "Log in once with the plain mechanism, or reset the password at the provider.",
        "RFC 4954: 432 4.7.12",
    ),
    Code(
        "login-mechanism-too-weak",
        "error",
        "The relay rejects the login method as too weak.",
        "Set another mastodon_smtp_auth.",
        "RFC 4954: 534",
    ),
    Code(
        "login-mechanism-not-offered",
        "error",
        "The relay does not offer the configured login method.",
        "Set mastodon_smtp_auth to one that the relay offers: plain or login.",
        "RFC 4954: 504",
    ),
    Code(
        "login-not-offered",
        "error",
        "The relay does not offer logins on this port, but a login is configured.",
        "Remove login and password and set mastodon_smtp_auth to none, or use the submission port.",
        "mastodon#772; RFC 4954: 503",
    ),
    Code(
        "address-not-allowed",
        "error",
        "The relay does not accept mail from this host's address; the login is not wrong.",
        "Add the host's public addresses to the allowed addresses at the provider, or switch that list off there.",
        "Brevo's authorised IPs (525 5.7.1); Google's SMTP relay; SMTP2GO (gophish#1701); JetEmail; mox#352; "
        "iRedMail#264",
    ),
    Code(
        "host-address-blocklisted",
        "error",
        "The host's public address is on a blocklist that the relay uses.",
        "Have the address removed from the list that the message names, or send through a relay with a login.",
        "Postfix reject_rbl_client; Spamhaus, SpamCop, Barracuda; Microsoft 5.7.606",
    ),
    Code(
        "sender-domain-blocklisted",
        "error",
        "The sender's domain, or the domain of the EHLO name, is on a blocklist that the relay uses.",
        "Have the domain removed from the list that the message names.",
        "Spamhaus DBL; Microsoft S8001; Gmail (smtp-field-manual)",
    ),
    Code(
        "account-not-active",
        "error",
        "The account at the provider is not activated yet, waits for approval, is in a sandbox, or is suspended.",
        "Activate the account in the provider's console.",
        "rebutify#162 (Mailgun), agent-skills#133 (Brevo 502 5.7.0), gophish#720 (SMTP2GO 552), Postmark's approval",
    ),
    Code(
        "plan-used-up",
        "error",
        "The plan or the credit of the account at the provider is used up or has expired; the login is not wrong.",
        "Renew or extend the plan at the provider.",
        "mautic#8721 (SendGrid 451 Maximum credits exceeded), listmonk#3138, ZeptoMail's SMTP error codes",
    ),
    Code(
        "sending-not-permitted",
        "error",
        "The login is accepted, but has no permission to send.",
        "Give the login the permission to send at the provider.",
        "Amazon SES: IAM policy of the SMTP user",
    ),
    Code(
        "encryption-required",
        "error",
        "The relay requires encryption.",
        "Set mastodon_smtp_tls to starttls (or implicit, on port 465).",
        "RFC 3207, 4: 530; RFC 4954: 538",
    ),
    Code(
        "login-required",
        "error",
        "The relay requires a login, and none was sent.",
        "Set mastodon_smtp_login, mastodon_smtp_password and mastodon_smtp_auth.",
        "RFC 4954: 530 5.7.0",
    ),
    Code(
        "login-temporary",
        "error",
        "The relay cannot check logins at the moment; the password may well be correct.",
        "Try again later; read the relay's log.",
        "RFC 4954: 454 4.7.0; mastodon#33073",
        of_test=True,
    ),
    Code(
        "sender-refused",
        "error",
        "The relay does not allow this login to send from this address.",
        "Set mastodon_smtp_from_address (and mastodon_smtp_return_path) to an address that the login owns.",
        "RFC 5321, 4.1.1.2",
    ),
    Code(
        "sender-not-verified",
        "error",
        "The provider has not verified the sender's address or domain.",
        "Verify the domain at the provider, in the region in use.",
        "Amazon SES response codes; SparkPost: Unconfigured Sending Domain",
    ),
    Code(
        "sender-address-malformed",
        "error",
        "The relay cannot read the sender's address.",
        "Set mastodon_smtp_from_address and mastodon_smtp_return_path to plain addresses with a full domain.",
        "RFC 3463: X.1.7; RFC 5321: 555; rails#21115, zammad#873, one-click-orgs#150",
    ),
    Code(
        "sender-domain-bad",
        "error",
        "The sender's domain does not exist or accepts no mail.",
        "Correct mastodon_smtp_from_address, or the domain's MX and A records.",
        "RFC 3463: X.1.8",
    ),
    Code(
        "relay-denied",
        "error",
        "The relay refuses to relay mail from this host: no login was sent, or this host is not allowed to use it.",
        "Set mastodon_smtp_login and mastodon_smtp_auth, or have the host's address allow-listed.",
        "mastodon#22669, #18579",
    ),
    Code(
        "recipient-refused",
        "error",
        "The recipient of the test message does not exist.",
        "Set a test recipient that exists.",
        "RFC 3463: X.1.1",
    ),
    Code(
        "sender-authentication-failed",
        "error",
        "The receiving server rejected the sender: its SPF, DKIM, DMARC or reverse-DNS check failed.",
        "Publish the records that sender_dns_info names.",
        "RFC 7372; Gmail 5.7.25, 5.7.26; Microsoft 5.7.515",
    ),
    Code(
        "relay-quota-used",
        "error",
        "The account has reached its sending limit.",
        "Wait, or raise the limit at the provider.",
        "mastodon#36770; Google 5.4.5; Amazon SES 454 Throttling",
        of_test=True,
    ),
    Code(
        "relay-busy",
        "error",
        "The relay is limiting connections or is temporarily out of service.",
        "Try again later, with fewer hosts at once.",
        "RFC 5321: 421",
        of_test=True,
    ),
    Code(
        "relay-temporary",
        "error",
        "The relay rejected the mail temporarily; the settings may well be correct.",
        "Try again later.",
        "RFC 5321, 4.2.1: 4yz",
        of_test=True,
    ),
    Code(
        "command-refused",
        "error",
        "The relay does not understand a command or one of its arguments.",
        "Check that mastodon_smtp_host is a mail relay.",
        "RFC 5321: 500, 501, 502, 504",
    ),
    Code(
        "relay-refused",
        "error",
        "The relay rejected the mail permanently.",
        "Read the relay's answer.",
        "RFC 5321, 4.2.1: 5yz",
    ),
)

#: Findings of the login step that say nothing about login and password, so another host may try them.
NOT_THE_LOGIN = frozenset(
    {code for code, row in TABLE.rows.items() if row.of_test}
    | {"address-not-allowed", "host-address-blocklisted", "encryption-required"}
)
