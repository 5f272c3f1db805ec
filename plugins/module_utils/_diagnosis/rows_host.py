# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows for what the relay's words say about this host: its encryption, its connections, its address, its name.

The words decide before the code: providers use 421, 501, 530, 550 and 554 for several causes each. A sign of words
counts in every stage and with every negative code, unless it says otherwise, so the log of a job is read like a probe.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .model import Context, Stage
from .row import Row, Sign

#: Stages after the connection is established; a queue job's log does not name its stage.
_SENT: tuple[Stage, ...] = ("mail", "rcpt", "data", "queue")
_ALLOWED = (
    r"(?:authori[sz]ed|accepted|welcome|allowed|permitted|registered|trusted|(?:white|allow)-?listed"
    r"|in (?:the |your )?whitelist)"
)
#: An address or a network, as the subject of a sentence.
_ADDRESS = (
    r"\bIPs?\b|\bIPv[46]\b|\bip[- ]?addr|\b(?:this|your|address|network|dynamic|client) range\b"
    r"|\b(?:your|this|client|source|remote|sending) (?:host|network|country|location)\b"
    r"|\b(?:your|client|remote|sending) server\b|\b(?:\d{1,3}\.){3}\d{1,3}\b"
)


def says(text: str, **conditions: t.Any) -> Sign:
    """A sign by the words of a refusal, whatever its code."""
    return Sign(text=text, **{"status": r"[45]\d\d", **conditions})


def _is_google(context: Context) -> bool:
    return context.host.casefold().rstrip(".").endswith((".gmail.com", ".google.com", ".googlemail.com"))


def _asks_for_starttls(context: Context) -> bool:
    return context.tls in ("starttls", "starttls_optional")


HOST: tuple[Row, ...] = (
    Row(
        "starttls-refused",
        "{endpoint} offers STARTTLS but rejects it temporarily: {said}. This is a fault of the relay.",
        "Tell the relay's operator; try again later, or {option[port]} 465 with {option[tls]} implicit.",
        says(r"\bTLS (?:is )?(?:currently |temporarily )?(?:not |un)available", status=r"4\d\d", source="RFC 3207, 4"),
    ),
    Row(
        "starttls-refused",
        "{endpoint} does not know a command: {said}. Most likely it is STARTTLS: a relay knows all others.",
        "Ask the relay's operator, or set {option[port]} to 465 and {option[tls]} to implicit.",
        says(
            r"not implemented|unimplemented|unrecogni[sz]ed command|command (?:not |un)recogni[sz]ed",
            status="50[02]",
            stages=("queue",),
            when=_asks_for_starttls,
            source="mox#365, statping#164; net-smtp sends EHLO, STARTTLS, AUTH, MAIL, RCPT and DATA",
        ),
    ),
    Row(
        "encryption-required",
        "{endpoint} requires encryption: {said}.",
        "Set {option[tls]} to starttls (implicit on port 465).",
        says(
            r"issue a STARTTLS|STARTTLS (?:command )?first|without (?:SSL|TLS|encryption)"
            r"|(?:\b(?:START)?TLS|\bSSL|secure connection|encrypt\w{0,6})\b.{0,20}(?:required|needed|necessary"
            r"|mandatory|first)"
            r"|(?:require|need|please use|must use)\w{0,9}.{0,20}(?:\bTLS|\bSSL|STARTTLS|secure connection|encrypt)",
            stages=("ehlo", "auth", *_SENT),
            source="RFC 3207, 4: 530 Must issue a STARTTLS command first; Gmail 421 TLS required; "
            "PHPMailer#283: 530 5.7.7 Email sending without SSL/TLS encryption is not allowed",
        ),
    ),
    Row(
        "sender-authentication-failed",
        "The receiving server rejected the sender: {said}. Its SPF, DKIM, DMARC or reverse-DNS check failed.",
        "Check the sender's domain with sender_dns_info and publish the records that it lists.",
        Sign(
            stages=_SENT, enhanced=r"[45]\.7\.(2[0-6]|27|515)", unless=r"null MX", source="RFC 7372; Microsoft 5.7.515"
        ),
        says(r"\b(?:SPF|DKIM|DMARC)\b", stages=_SENT, source="providers' texts around 550 5.7.1"),
        says(
            r"\bPTR\b|\brDNS\b|reverse (?:dns|lookup|hostname|mapping)|cannot find your (?:reverse )?hostname",
            source="Postfix reject_unknown_client: 450 4.7.25",
        ),
        says(
            r"unauthenticated e-?mail from|(?:pass|have) authentication (?:checks|information)",
            source="Gmail 550 5.7.1, of which Ruby shows the first line",
        ),
    ),
    Row(
        "relay-temporary",
        "{endpoint} deferred the mail (greylisting): {said}. Mastodon retries automatically.",
        "Run again in a few minutes. The settings are correct.",
        says(r"gr[ae]y[- ]?list", status=r"4\d\d", source="RFC 6647"),
    ),
    Row(
        "sender-domain-blocklisted",
        "{endpoint} rejects the sender's domain: it is on the blocklist {blocklist} ({said}).",
        "Look the domains of {option[from_address]} and {option[helo_domain]} up at that list and have them "
        "removed there.",
        says(
            r"\bdomain\b.{0,40}(?:listed|present) in\b|\b(?:DBL|URIBL|SURBL)\b|reputation of the sending domain",
            source="smtp-field-manual: Microsoft S8001, Gmail 550 5.7.1 and 421 4.7.0",
        ),
    ),
    Row(
        "host-address-blocklisted",
        "{endpoint} rejects this host: its public address is on the blocklist {blocklist} ({said}).",
        "Look the address up at that list and have it removed there, or send through a relay with a login (port 587 or "
        "465): most relays do not check the address of a client that logs in.",
        says(
            r"black-?list|block[- ]?list|\bD?N?S?RBLs?\b|\bDNSBL\b|spamhaus|spamcop|barracuda|\bsorbs\b|uceprotect"
            r"|(?:poor|bad|low) reputation"
            r"|abuseat|abusix|blackhole|mailspike|spamrats|blocked using|banned sending IP|listed (?:at|by|in"
            r"|on) [\w-]{1,60}\.",
            unless=r"(?:sender|recipient|from|user|domain|url|content)\w{0,8} (?:is |was )?(?:in |on )?(?:a |the "
            r"|our )?"
            r"black-?list|user in blacklist",
            source="Postfix reject_rbl_client; email-validator-js#100, Haraka#1241, check-if-email-exists#1110; "
            "NetEase 450 DT:RBL; Microsoft 550 5.7.606, S3150",
        ),
        says(r"\bDT:RBL\b", source="NetEase's list of bounce codes: the address is on one or more RBLs"),
    ),
    Row(
        "relay-busy",
        "{endpoint} is limiting connections: {said}. The login is not wrong.",
        "Try again later, with fewer hosts at once (mastodon_smtp_batches); other programs may use the same account.",
        says(
            r"too many (?:\w{1,14} ){0,3}(?:connections?|sessions?|threads?|logins?|attempts|failures)"
            r"|\bconcurrent|\bsimultaneous|thread limit|too frequent connect|too much fail"
            r"|\b(?:connection|session)s?\b.{0,30}\b(?:limit|exceed\w{0,3}|maximum)"
            r"|\b(?:limit|exceed\w{0,3}|maximum)\b.{0,30}\b(?:connection|session)s?\b",
            source="Microsoft 365 432 4.3.2, fastapi-mail#75, email_verifier#15, testssl.sh#2089, "
            "jordan-wright/email#99",
        ),
        says(r"\bHL:ICC\b", source="NetEase's list of bounce codes: too many connections at once"),
        Sign(status="432", enhanced=r"4\.3\.\d{1,3}", source="Microsoft 365; 432 4.7.12 alone is RFC 4954's"),
    ),
    Row(
        "helo-refused",
        "{endpoint} rejects the EHLO name that Mastodon sends: {said}. Google's relay answers so for as long as "
        "the name "
        "is localhost or belongs to no domain of the account; waiting does not help.",
        "Set {option[helo_domain]} to a name in a domain of the Google Workspace account, and register this host's "
        "address in its SMTP relay settings (or log in).",
        says(
            r"\((?:EHLO|HELO)\)",
            when=_is_google,
            source="firebase/extensions#632, overseerr#1887, action-send-mail#302; support.google.com/a/answer/3726730",
        ),
    ),
    Row(
        "helo-refused",
        "{endpoint} rejects the EHLO name that Mastodon sends: {said}.",
        "Set {option[helo_domain]} to this host's full name (it falls back to LOCAL_DOMAIN only if it is absent).",
        says(
            r"\b(?:HELO|EHLO)\b|fully[- ]qualified host|valid host ?name|\bHL:IHU\b",
            unless=r"\b(?:need|send|say|said|issue|polite|expected?)\b.{0,25}\b(?:HELO|EHLO|hello)\b"
            r"|\b(?:HELO|EHLO)\b.{0,25}\bfirst|obtained from HELO|not implemented|unrecogni[sz]ed",
            source="Exim and Postfix answer RCPT with it: zone-mta#162, hestiacp#685, Mailspring#1054, Haraka#2775",
        ),
        says(r"invalid domain name", status="501", source="OpenSMTPD#1054"),
        says(r"host ?name", stages=("ehlo",)),
    ),
    Row(
        "address-not-allowed",
        "{endpoint} is a server for incoming mail and takes none from this host's network: {said}.",
        "Send through a relay: set {option[host]} to your provider's, with {option[port]} 587 or 465 and a login.",
        says(
            r"\bIP you're using to send mail|NotAuthorizedError|tosa@rx\.t-online|(?:dynamic|residential|dial-?up)\b"
            r".{0,40}\b(?:IP|address|range|host|network)",
            source="iRedMail#264, Mailu#2599, node-sendmail#37; T-Online's answer to unknown addresses",
        ),
    ),
    Row(
        "address-not-allowed",
        "{endpoint} does not accept this host's address: {said}. The login is not wrong.",
        "Add the public addresses of this host (IPv4 and IPv6) to the allowed addresses in the provider's console, or "
        "switch that list off there; a relay without such a list wants a login instead.",
        says(
            _ADDRESS,
            also=rf"not (?:\w{{1,15}} ){{0,3}}{_ALLOWED}"
            r"|\bun(?:authori[sz]ed|registered|trusted|recogni[sz]ed)|(?:white|allow)-?list|access (?:list"
            r"|management|policy)|\brestrict|\bblocked\b|\bforbidden\b|(?:trusted|allowed) IPs",
            unless=r"temporar|unusual rate|too (?:many|fast)|reputation|to relay",
            source="JetEmail 535 IP not authorized; Brevo 525 5.7.1; gophish#1701; mox#352; Ombi#1442; Gmail 421 4.7.0 "
            "IP not in whitelist for RCPT domain",
        ),
        says(
            r"invalid credentials for relay|mail relay denied|\b(?:HL:IPB|WM:BLI)\b|\b5\.7\.708\b",
            source="Google Workspace SMTP relay: support.google.com/a/answer/6140680; NetEase's list of bounce codes; "
            "Microsoft 365: traffic not accepted from this IP",
        ),
    ),
)
