# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows for refusals whose words no row knows: first by a code that has one meaning (RFC 4954), then by the stage.

The last rows match everything. Also the failures of the queue.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Context
from .row import Row, Sign


def _is_mailersend(context: Context) -> bool:
    return context.host.casefold().endswith("mailersend.net")


def _is_google(context: Context) -> bool:
    return "gmail" in context.host or "google" in context.host


CODES: tuple[Row, ...] = (
    Row(
        "login-accepted",
        "{endpoint} accepted the login.",
        "",
        Sign(status="235"),
    ),
    Row(
        "encryption-required",
        "{endpoint} accepts this login method only over an encrypted connection: {said}.",
        "Set {option[tls]} to starttls (implicit on port 465).",
        Sign(status="538", source="RFC 4954: 538 5.7.11"),
    ),
    Row(
        "login-required",
        "{endpoint} requires a login, and none was sent: {said}.",
        "Set {option[login]} and {option[password]}; {option[auth]} must not be none.",
        Sign(status="530", source="RFC 4954: 530 5.7.0"),
    ),
    Row(
        "app-password-needed",
        "{endpoint} rejects this login as too weak: {said}. Gmail answers this when it requires an app password.",
        "Create an app password at the provider and set it as {option[password]}, or set another {option[auth]}.",
        Sign(status="534", enhanced=r"5\.7\.9", when=_is_google, source="RFC 4954: 534 5.7.9"),
    ),
    Row(
        "login-mechanism-too-weak",
        "{endpoint} rejects the login method as too weak: {said}.",
        "Set another {option[auth]}, or create an app password at the provider.",
        Sign(status="534"),
    ),
    Row(
        "password-transition-needed",
        "{endpoint} requires a password change before this login method works: {said}.",
        "Set {option[auth]} to plain once, or reset the password at the provider.",
        Sign(enhanced=r"4\.7\.12", source="RFC 4954: 432 4.7.12"),
        Sign(text=r"password transition", status="432"),
    ),
    Row(
        "relay-busy",
        "{endpoint} is limiting connections: {said}.",
        "Try again later, with fewer hosts at once (mastodon_smtp_batches).",
        Sign(status="421", source="RFC 5321: 421; Amazon SES: too many concurrent SMTP connections"),
    ),
    Row(
        "helo-refused",
        "{endpoint} rejects the EHLO name that Mastodon sends: {said}.",
        "Set {option[helo_domain]} to this host's full name (it falls back to LOCAL_DOMAIN only if it is absent).",
        Sign(stages=("ehlo",), status=r"5\d\d"),
    ),
    Row(
        "login-temporary",
        "{endpoint} cannot check logins at the moment: {said}. The password may well be correct.",
        "Try again later. If it persists, the relay's log shows why.",
        Sign(stages=("auth",), status=r"4\d\d"),
        Sign(text=r"authentication failure", status="454", source="RFC 4954: 454 4.7.0"),
    ),
    Row(
        "login-not-offered",
        "{endpoint} does not support logins here, but a login is configured: {said}.",
        "For a relay without login, remove {option[login]} and {option[password]} from the settings (a "
        "blank value makes "
        "Mastodon log in with an empty name) and set {option[auth]} to none.",
        Sign(stages=("auth",), status="50[0123]", source="mastodon#772; RFC 4954: 503 5.5.1"),
    ),
    Row(
        "login-mechanism-not-offered",
        "{endpoint} does not support this login method: {said}.",
        "Set {option[auth]} to another one: plain and login are the usual two.",
        Sign(stages=("auth",), status="504", source="RFC 4954: 504 5.5.4"),
        Sign(
            text=r"authentication (type|mechanism)",
            status="504",
            source="net-smtp: SMTPSyntaxError in the intermediate steps of LOGIN and CRAM-MD5, as Sidekiq logs it",
        ),
        Sign(text=r"no suitable authentication method", source="lemmy-easy-deploy#87: Python's words"),
    ),
    Row(
        "login-refused",
        "{endpoint} rejected the login: {said}.",
        "Check {option[login]} and {option[password]}: the kind of key (API, SMTP or account password), "
        "the form of the login, the region.",
        Sign(status="535", source="RFC 4954: 535 5.7.8; mastodon#15017, #21937"),
        of_file="If both are correct, a quoting mistake in {file} may have changed the password.",
    ),
    Row(
        "login-refused",
        "{endpoint} rejected the login: {said}.",
        "Check {option[login]} and {option[password]}.",
        Sign(
            stages=("auth",),
            status=r"5\d\d",
            source="net-smtp gives the refusal of the last AUTH step this class whatever its code",
        ),
        Sign(enhanced=r"5\.7\.8", source="RFC 4954"),
    ),
    Row(
        "sender-refused",
        "{endpoint} rejects {sender} as the sender: {said}.",
        "Set {option[from_address]} (and {option[return_path]}) to an address that belongs to {option[login]}.",
        Sign(stages=("mail",), status=r"55[0134]", source="RFC 5321: 550, 553, 554 in answer to MAIL"),
    ),
    Row(
        "relay-denied",
        "{endpoint} rejected this mail by policy: {said}.",
        "Check that a login is sent ({option[login]}, {option[auth]}), and that this host's address is allow-listed "
        "there.",
        Sign(stages=("rcpt",), enhanced=r"5\.7\.[01]", source="RFC 3463: X.7.1, delivery not authorized"),
    ),
    Row(
        "recipient-refused",
        "{endpoint} rejected the recipient {recipient}: {said}.",
        "Set a test recipient that exists and whose domain accepts mail.",
        Sign(stages=("rcpt",), status=r"55[013]", source="RFC 5321: 550, 551, 553 in answer to RCPT"),
    ),
    Row(
        "relay-refused",
        "{endpoint} rejected the message: {said}. MailerSend also uses 450 for errors that a retry does not fix.",
        "Read the answer. Most often the sender's domain is not verified at MailerSend.",
        Sign(status="450", when=_is_mailersend, source="developers.mailersend.com/smtp-relay.html"),
    ),
    Row(
        "relay-temporary",
        "{endpoint} rejected the mail temporarily{stage}: {said}. The settings may well be correct.",
        "Run again later. If it persists, check the relay's log.",
        Sign(status=r"4\d\d", source="RFC 5321: 450, 451, 452"),
    ),
    Row(
        "command-refused",
        "{endpoint} does not understand a command{stage}: {said}.",
        "Check that {option[host]} and {option[port]} point to a mail relay with no filter in front of it.",
        Sign(status=r"50\d"),
    ),
    Row(
        "relay-refused",
        "{endpoint} rejected the mail by policy{stage}: {said}.",
        "Read the answer and the provider's log. Check the sender's domain with sender_dns_info.",
        Sign(status=r"5\d\d", enhanced=r"5\.7\.\d+", source="RFC 3463: X.7.1 in answer to DATA; Amazon SES 554"),
    ),
    Row(
        "relay-refused",
        "{endpoint} rejected the mail permanently{stage}: {said}.",
        "Read the relay's answer and the provider's log.",
        Sign(status=r"5\d\d"),
    ),
    Row(
        "job-not-picked-up",
        "The mail was queued, but no process picked it up in time.",
        "List the Sidekiq processes and their queues: one of them must serve mailers (default before Mastodon 4.0).",
        Sign(stages=("queue",), text=r"^$"),
    ),
    Row(
        "delivery-failed",
        "Sending through {endpoint} failed{stage}: {said}.",
        "Read the error and the relay's log. The collection does not know this error.",
        Sign(),
        hinted=True,
    ),
)
