# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows for refusals in the SMTP dialogue, from EHLO to the end of DATA, and for failures of the queue."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Context, Stage
from .row import Row, Sign

_SENT: tuple[Stage, ...] = ("mail", "rcpt", "data", "queue")


def _is_mailersend(context: Context) -> bool:
    return context.host.casefold().endswith("mailersend.net")


DIALOGUE: tuple[Row, ...] = (
    Row(
        "login-accepted",
        "{endpoint} accepted the login.",
        "",
        Sign(status="235"),
    ),
    Row(
        "sender-authentication-failed",
        "The receiving server rejected the sender: {said}. Its SPF, DKIM, DMARC or reverse-DNS check failed.",
        "Check the sender's domain with sender_dns_info and publish the records that it lists.",
        Sign(stages=_SENT, enhanced=r"[45]\.7\.(2[0-6]|27|515)"),
    ),
    Row(
        "sender-authentication-failed",
        "The receiving server rejected the sender: {said}.",
        "Check the sender's domain with sender_dns_info and publish the records that it lists.",
        Sign(
            stages=_SENT, text=r"\b(SPF|DKIM|DMARC)\b", status=r"[45]\d\d", source="providers' texts around 550 5.7.1"
        ),
    ),
    Row(
        "relay-quota-used",
        "The account has reached its limit at {endpoint}: {said}.",
        "Wait until the limit is reset, or raise it at the provider. The login is not wrong.",
        Sign(enhanced=r"[45]\.4\.5", source="Google 550 5.4.5"),
        Sign(
            text=r"throttling|unusual rate|(daily|hourly|sending|message|relay|rate)\b.{0,30}\b(limit|quota)\b.{0,30}"
            r"(exceed|reach)|(exceed|reach)\w{0,9}.{0,30}\b(daily|hourly|sending|message|rate)\b.{0,20}\b(limit|quota)",
            status=r"[45]\d\d",
            source="Amazon SES 454 Throttling failure; Gmail 421 unusual rate; mastodon#36770",
        ),
    ),
    Row(
        "encryption-required",
        "{endpoint} requires encryption: {said}.",
        "Set {option[tls]} to starttls.",
        Sign(
            text=r"\bTLS\b.{0,20}required|require\w{0,9}.{0,20}\bTLS\b", status="421", source="Gmail 421 TLS required"
        ),
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
        Sign(
            stages=("queue",),
            text=r"\b(EHLO|HELO)\b",
            status="50[0-4]",
            source="as Sidekiq logs it, which does not tell the stage",
        ),
    ),
    Row(
        "encryption-required",
        "{endpoint} accepts this login method only over an encrypted connection: {said}.",
        "Set {option[tls]} to starttls (implicit on port 465).",
        Sign(status="538", source="RFC 4954: 538 5.7.11"),
    ),
    Row(
        "encryption-required",
        "{endpoint} requires encryption: {said}.",
        "Set {option[tls]} to starttls (implicit on port 465).",
        Sign(
            text=r"STARTTLS|encrypt|\b(TLS|SSL)\b.{0,20}(required|needed|first)|(require|need)\w{0,9}.{0,20}\b(TLS|SSL)\b",
            status="530|55[04]|503",
            source="RFC 3207, 4: 530 Must issue a STARTTLS command first",
        ),
    ),
    Row(
        "sender-refused",
        "{endpoint} does not accept {sender} as the sender: {said}.",
        "Set {option[from_address]} to an address of a domain that this credential may use.",
        Sign(text=r"\b(from|sender)\b", status="530", source="Postal: 530 From/Sender name is not valid"),
    ),
    Row(
        "login-required",
        "{endpoint} requires a login, and none was sent: {said}.",
        "Set {option[login]} and {option[password]}; {option[auth]} must not be none.",
        Sign(status="530", source="RFC 4954: 530 5.7.0"),
        hinted=True,
    ),
    Row(
        "smtp-login-disabled",
        "{endpoint} has SMTP logins disabled for this account or tenant: {said}.",
        "Enable authenticated SMTP for the mailbox in the Microsoft 365 admin centre, or use another relay.",
        Sign(enhanced=r"5\.7\.(139|30)"),
        hinted=True,
    ),
    Row(
        "smtp-login-disabled",
        "{endpoint} has SMTP logins disabled for this account or tenant: {said}.",
        "Enable authenticated SMTP for the mailbox at the provider, or use another relay.",
        Sign(text=r"SmtpClientAuthentication is disabled|basic authentication is (disabled|not supported)"),
        hinted=True,
    ),
    Row(
        "app-password-needed",
        "{endpoint} requires an app password instead of the account password: {said}.",
        "Create an app password at the provider and set it as {option[password]}.",
        Sign(text=r"app(lication)?[- ](specific )?password|application-specific", status=r"53[45]"),
        hinted=True,
    ),
    Row(
        "app-password-needed",
        "{endpoint} rejects this login as too weak: {said}. Gmail answers this when it requires an app password.",
        "Create an app password at the provider and set it as {option[password]}, or set another {option[auth]}.",
        Sign(
            status="534",
            enhanced=r"5\.7\.9",
            when=lambda context: "gmail" in context.host or "google" in context.host,
            source="RFC 4954: 534 5.7.9",
        ),
        hinted=True,
    ),
    Row(
        "login-mechanism-too-weak",
        "{endpoint} rejects the login method as too weak: {said}.",
        "Set another {option[auth]}, or create an app password at the provider.",
        Sign(status="534"),
        hinted=True,
    ),
    Row(
        "password-transition-needed",
        "{endpoint} requires a password change before this login method works: {said}.",
        "Set {option[auth]} to plain once, or reset the password at the provider.",
        Sign(status="432"),
    ),
    Row(
        "login-temporary",
        "{endpoint} cannot check logins at the moment: {said}. The password may well be correct.",
        "Try again later. If it persists, the relay's log shows why.",
        Sign(stages=("auth",), status=r"4\d\d"),
        Sign(
            classes=("Net::SMTPAuthenticationError", "SMTPAuthenticationError"),
            status=r"4\d\d",
            source="a reader that does not know the stage: Sidekiq's log gives the class",
        ),
    ),
    Row(
        "login-not-offered",
        "{endpoint} does not support logins here, but a login is configured: {said}.",
        "For a relay without login, remove {option[login]} and {option[password]} from the settings (a "
        "blank value makes "
        "Mastodon log in with an empty name) and set {option[auth]} to none.",
        Sign(stages=("auth",), status="50[0123]", source="mastodon#772; RFC 4954: 503 5.5.1"),
        Sign(
            classes=("Net::SMTPAuthenticationError", "SMTPAuthenticationError"),
            status="50[0123]",
            source="mastodon#772, as Sidekiq logs it",
        ),
    ),
    Row(
        "login-mechanism-not-offered",
        "{endpoint} does not support this login method: {said}.",
        "Set {option[auth]} to another one: plain and login are the usual two.",
        Sign(stages=("auth",), status="504", source="RFC 4954: 504 5.5.4"),
        Sign(
            stages=("queue",),
            text=r"authentication (type|mechanism)",
            status="504",
            source="net-smtp: SMTPSyntaxError in the intermediate steps of LOGIN and CRAM-MD5, as Sidekiq logs it",
        ),
        Sign(
            classes=("Net::SMTPAuthenticationError", "SMTPAuthenticationError"),
            status="504",
            source="RFC 4954, as Sidekiq logs it",
        ),
        hinted=True,
    ),
    Row(
        "login-refused",
        "{endpoint} rejected the login: {said}.",
        "Check {option[login]} and {option[password]}: the kind of key (API, SMTP or account password), "
        "the form of the login, the region.",
        Sign(status="535", source="RFC 4954: 535 5.7.8; mastodon#15017, #21937"),
        hinted=True,
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
        hinted=True,
    ),
    Row(
        "sender-domain-bad",
        "{endpoint} reports that the sender's domain does not exist or accepts no mail: {said}.",
        "Correct {option[from_address]} and {option[return_path]}, or give the domain an MX (or A) record.",
        Sign(enhanced=r"[45]\.1\.[78]", source="RFC 3463: X.1.8 (rules D1 and D2 of the DNS check)"),
    ),
    Row(
        "sender-not-verified",
        "The provider has not verified the sender {sender}: {said}.",
        "Verify the domain of {option[from_address]} at the provider, in the region of {host}, and get out of its "
        "sandbox.",
        Sign(
            text=r"not (been )?verified|unverified|unconfigured sending domain|sandbox|verify your (domain|sender)",
            status=r"[45]\d\d",
        ),
        hinted=True,
    ),
    Row(
        "sender-refused",
        "{endpoint} does not allow this login to send as {sender}: {said}.",
        "Set {option[from_address]} (and {option[return_path]}) to an address that belongs to {option[login]}.",
        Sign(
            text=r"sender (address|domain)? ?(rejected|refused|denied)|not owned by user|sendasdenied"
            r"|send as|on behalf of"
            r"|not (allowed|authori[sz]ed|permitted) to (send|use)|sender.{0,30}not (allowed|permitted|authori[sz]ed)"
            r"|(from|sender) (address )?(does not|doesn't|must) match|sender verify failed",
            status=r"5\d\d",
        ),
        Sign(enhanced=r"5\.7\.60", source="Microsoft 365 5.7.60"),
    ),
    Row(
        "relay-denied",
        "{endpoint} refuses to relay mail from this host: {said}. Either no login was sent, or it is the wrong server.",
        "Check that {option[login]}, {option[password]} and {option[auth]} are set and in effect; for a relay that "
        "trusts addresses, have this host's address allow-listed there (mynetworks).",
        Sign(
            text=r"relay(ing)?( access)? (is )?(denied|not (permitted|allowed))|(unable|not (permitted"
            r"|allowed)) to relay"
            r"|please authenticate|authenticat\w{1,9} (is )?required|relaying (prohibited|disallowed)",
            status=r"[45]\d\d",
        ),
    ),
    Row(
        "recipient-refused",
        "{endpoint} does not know the recipient {recipient}: {said}.",
        "Set a test recipient that exists.",
        Sign(enhanced=r"5\.1\.(1|2|3|6|10)|5\.2\.[12]"),
        Sign(text=r"recipient address rejected|user unknown|no such user", status=r"5\d\d"),
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
        hinted=True,
    ),
    Row(
        "relay-temporary",
        "{endpoint} deferred the mail (greylisting): {said}. Mastodon retries automatically.",
        "Run again in a few minutes. The settings are correct.",
        Sign(text=r"gr[ae]y[- ]?list", status=r"4\d\d", source="RFC 6647"),
    ),
    Row(
        "relay-temporary",
        "{endpoint} rejected the mail temporarily: {said}. The settings may well be correct.",
        "Run again later. If it persists, check the relay's log.",
        Sign(status=r"4\d\d", source="RFC 5321: 450, 451, 452"),
    ),
    Row(
        "command-refused",
        "{endpoint} does not understand a command: {said}.",
        "Check that {option[host]} and {option[port]} point to a mail relay with no filter in front of it.",
        Sign(status=r"50\d"),
    ),
    Row(
        "relay-refused",
        "{endpoint} rejected the mail by policy: {said}.",
        "Read the answer and the provider's log. Check the sender's domain with sender_dns_info.",
        Sign(status=r"5\d\d", enhanced=r"5\.7\.\d+", source="RFC 3463: X.7.1 in answer to DATA; Amazon SES 554"),
    ),
    Row(
        "relay-refused",
        "{endpoint} rejected the mail permanently: {said}.",
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
        "Sending through {endpoint} failed: {said}.",
        "Read the error and the relay's log. The collection does not know this error.",
        Sign(),
    ),
)
