# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where at a provider to fix a cause, by the relay's host name: the provider need not be named in the settings.

What to use as login and password is the preset's hint (Context.hint); this is about what its refusals mean.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t


class Hint(t.NamedTuple):
    """One fact.

    :ivar hosts: ends of the provider's host names.
    :ivar codes: the findings that it helps with.
    """

    hosts: tuple[str, ...]
    codes: tuple[str, ...]
    text: str
    source: str


_BREVO = ("brevo.com", "sendinblue.com")
_GOOGLE_RELAY = ("smtp-relay.gmail.com",)
_GMAIL = ("smtp.gmail.com", "smtp.googlemail.com")
_MICROSOFT = ("office365.com", "outlook.com", "hotmail.com", "office.com")
_SES = ("amazonaws.com",)
_TENCENT = ("qq.com",)
_NETEASE = ("163.com", "126.com", "yeah.net", "netease.com", "qiye.163.com")
_YANDEX = ("yandex.ru", "yandex.com", "yandex.net")

HINTS: tuple[Hint, ...] = (
    Hint(
        _BREVO,
        ("address-not-allowed",),
        "Brevo: Security > Authorized IPs; the list is on by default since May 2024.",
        "Brevo 525 5.7.1 Unauthorized IP address",
    ),
    Hint(
        _BREVO,
        ("account-not-active",),
        "Brevo activates SMTP for a new account on request to its support, even though the login works before.",
        "supabase/agent-skills#133, fluent-smtp#157: 502 5.7.0",
    ),
    Hint(
        _GOOGLE_RELAY,
        ("address-not-allowed", "helo-refused", "relay-hung-up", "relay-denied", "login-required"),
        "Google's SMTP relay: Admin console > Apps > Gmail > Routing > SMTP relay service; it knows a customer by the "
        "registered address, the login, or an EHLO name in one of the account's domains.",
        "support.google.com/a/answer/6140680; firebase/extensions#632",
    ),
    Hint(
        _GMAIL,
        ("login-refused", "login-required", "login-mechanism-too-weak"),
        "Gmail takes app passwords only, and these need two-factor sign-in.",
        "Gmail 534 5.7.9, 535 5.7.8",
    ),
    Hint(
        _MICROSOFT,
        ("login-mechanism-not-offered",),
        "Microsoft 365 accepts AUTH LOGIN and refuses AUTH PLAIN.",
        "mikel/mail#1357, staytus#269: 504 5.7.4",
    ),
    Hint(
        _MICROSOFT,
        ("sender-refused",),
        "Microsoft 365: the From address must be the mailbox of the login, or the mailbox needs the permission "
        "Send As.",
        "rails#42557: 554 5.2.252 SendAsDenied; 550 5.7.60",
    ),
    Hint(
        _SES,
        ("sender-not-verified", "login-refused"),
        "Amazon SES: identities, sandbox and SMTP passwords are separate in each region.",
        "docs.aws.amazon.com/ses; exercism#6085",
    ),
    Hint(
        _SES,
        ("sending-not-permitted",),
        "Amazon SES: the IAM user of the SMTP credentials needs ses:SendRawEmail without a condition that "
        "excludes this "
        "host or sender.",
        "docs.aws.amazon.com/ses (smtp-credentials)",
    ),
    Hint(
        ("sendgrid.net",),
        ("plan-used-up",),
        "SendGrid: a free trial that has ended leaves no credits.",
        "mautic#8721",
    ),
    Hint(
        ("mailgun.org", "mailgun.net"),
        ("sender-not-verified", "account-not-active"),
        "Mailgun: a sandbox domain sends to authorized recipients only, and a new account must be activated by "
        "mail and "
        "phone.",
        "swapmyvote#891, rebutify#162",
    ),
    Hint(
        ("postmarkapp.com",),
        ("account-not-active",),
        "Postmark: until the account is approved, it sends only within the From address's own domain.",
        "Postmark: While your account is pending approval",
    ),
    Hint(
        ("smtp2go.com",),
        ("address-not-allowed",),
        "SMTP2GO: Settings > IP allow list.",
        "gophish#1701: 550 that IP address is not allowed to send",
    ),
    Hint(
        ("zoho.com", "zoho.eu", "zoho.in", "zeptomail.com", "zeptomail.eu"),
        ("sender-refused",),
        "Zoho: the From address must be the login's own address or one of its aliases.",
        "erpnext#19057, mattermost#13224: 553 Relaying disallowed as",
    ),
    Hint(
        (*_TENCENT, *_NETEASE),
        ("login-refused", "app-password-needed", "smtp-login-disabled"),
        "QQ and NetEase: switch SMTP on in the mailbox's settings and use the authorization code shown there as the "
        "password.",
        "uptime-kuma#3434, 12306#62",
    ),
    Hint(
        (*_TENCENT, *_NETEASE),
        ("sender-refused",),
        "QQ and NetEase: the From address must be the login.",
        "node-solid-server#1281, dokuwiki-plugin-smtp#1",
    ),
    Hint(
        _YANDEX,
        ("smtp-login-disabled", "login-refused"),
        "Yandex: allow mail clients (IMAP) in the mailbox's settings and use an app password.",
        "Yandex 535 5.7.8: This user does not have access rights to this service",
    ),
)


def about(host: str, code: str) -> str:
    """What is known about the provider of this host that helps with this finding; empty if nothing is."""
    name = host.casefold().rstrip(".")
    return next(
        (one.text for one in HINTS if code in one.codes and any(f".{name}".endswith(f".{end}") for end in one.hosts)),
        "",
    )
