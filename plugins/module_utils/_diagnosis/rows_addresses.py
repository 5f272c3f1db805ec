# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows for what the relay's words say about the mail's addresses: the recipient's, and the sender's with its login."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .row import Row, Sign
from .rows_host import says

_OF_SENDER = r"\b(?:mail ?from|from|sender|envelope|return[- ]path|reverse[- ]path)\b"
_DIFFERS = (
    r"must (?:be|match|equal|correspond|belong)|same as|mismatch|differ|unauthori[sz]ed|disallowed|forbidden|spoof"
    r"|not (?:match|conform|correspond|belong|equal)"
    r"|not (?:allowed|permitted|authori[sz]ed|yours|owned|accepted|valid|local|one of)|(?:is|name) invalid|refused"
    r"|denied"
)

RECIPIENT: tuple[Row, ...] = (
    Row(
        "recipient-refused",
        "{endpoint} does not know the recipient {recipient}: {said}.",
        "Set a test recipient that exists.",
        says(
            r"recipient (?:address )?(?:is )?(?:rejected|refused|denied|unknown|not found|invalid|verification)"
            r"|(?:unknown|invalid|no such|non-?existent|inactive) (?:user|recipient|mailbox)\b|bad (?:recipient"
            r"|destination)"
            r"|user (?:is )?(?:unknown|not found|does not exist|does not have)|tried to reach"
            r"|forward[- ]path|unroute?able|\baddress rejected"
            r"|\b(?:mailbox|account|recipient)\b.{0,40}(?:not exist|not found|unavailable|\bfull|over quota)"
            r"|\bmailbox\b.{0,20}\b(?:disabled|blocked|inactive)|recipient addresses rejected",
            unless=r"\bsender\b|mail from|authenticat",
            status=r"5\d\d",
            stages=("rcpt", "data", "queue"),
        ),
    ),
    Row(
        "recipient-refused",
        "The mailbox of the recipient {recipient} is full: {said}.",
        "Set a test recipient whose mailbox takes mail.",
        says(r"\b(?:mailbox|account|recipient|user)\b.{0,40}(?:\bfull\b|over-? ?quota)|storage (?:quota|allocation)"),
        Sign(enhanced=r"[45]\.2\.2", source="RFC 3463: mailbox full"),
    ),
    Row(
        "recipient-refused",
        "{endpoint} has accepted no recipient before the message: {said}. It refused {recipient}.",
        "Set a test recipient that exists, and read the relay's log for why it refused this one.",
        says(
            r"valid RCPT|no valid recipient|no recipients?\b|(?:need|send|issue|missing) RCPT"
            r"|RCPT\b.{0,20}\b(?:first|must)",
            source="Exim: 503 Valid RCPT command must precede DATA (mautic#9822); Postfix: 554 5.5.1",
        ),
    ),
    Row(
        "recipient-refused",
        "{endpoint} does not support addresses with non-ASCII characters: {said}.",
        "Use ASCII addresses: write a domain in its xn-- form, in {option[from_address]} and in the test recipient.",
        says(r"SMTPUTF8|internationali[sz]ed", source="RFC 6531, 3.3: 550 5.6.7"),
        Sign(enhanced=r"[45]\.6\.7", source="RFC 6531"),
    ),
)

SENDER: tuple[Row, ...] = (
    Row(
        "recipient-refused",
        "{endpoint} cannot read the recipient's address {recipient}: {said}.",
        "Correct the test recipient: one plain address.",
        Sign(stages=("rcpt",), status="555", source="RFC 5321, 4.1.1.11"),
        says(r"syntax|invalid (?:e-?mail )?address|malformed|unbalanced", stages=("rcpt",), status="501|55[0-5]"),
        says(r"syntax\b.{0,40}\brcpt to"),
    ),
    Row(
        "sender-address-malformed",
        "{endpoint} cannot read the sender's address {sender}: {said}.",
        "Correct {option[from_address]} and {option[return_path]}: one plain address, without a name or brackets "
        "around "
        "it, with a full domain.",
        Sign(enhanced=r"[45]\.1\.7", source="RFC 3463: X.1.7; kuma#7121, zammad#873"),
        says(
            r"(?:bad|invalid|malformed|illegal) (?:sender|from|mail ?from|return[- ]path"
            r"|reverse[- ]path)(?:'?s)?\b.{0,20}"
            r"(?:address|syntax|format|$)|sender syntax|syntax\b.{0,40}\bmail from|malformed address"
            r"|bad address syntax|mailbox syntax|unbalanced"
            r"|domain name required|sender address must contain|sender address rejected: need fully"
            r"|(?:parse|read)\b.{0,12}\b(?:mail from|sender)|(?:sender|mail from|from address"
            r"|return[- ]path)\b.{0,30}(?:syntax|malformed|syntactically|not a valid)",
            unless=r"must use|authenticat|must match|same as",
            source="maildev#212, zone-mta#116, subethasmtp#35; rails#21115: 501 Sender syntax error; Exim",
        ),
        says(r"syntax|invalid (?:e-?mail )?address|malformed", stages=("mail",), status="50[15]|55[0-5]"),
        Sign(stages=("mail",), status="555", source="RFC 5321, 4.1.1.11"),
    ),
    Row(
        "sender-address-malformed",
        "{endpoint} cannot read an address of the mail, most likely the sender's {sender}: {said}.",
        "Correct {option[from_address]} and {option[return_path]}: one plain address, without a name or a second "
        "pair of "
        "brackets around it. If they are right, look at the recipient's address.",
        Sign(
            status="555", source="RFC 5321, 4.1.1.11; one-click-orgs#150, communityengine#12, RescueRails#260 (Gmail)"
        ),
    ),
    Row(
        "sender-domain-bad",
        "{endpoint} reports that the sender's domain does not exist or accepts no mail: {said}.",
        "Correct {option[from_address]} and {option[return_path]}, or give the domain an MX (or A) record.",
        says(
            r"(?:sender|from|return[- ]path)\b.{0,60}\b(?:domain|host|MX)\b.{0,20}(?:not (?:found|exist)"
            r"|unknown"
            r"|unresolvable|no MX)|domain of sender.{0,60}not (?:exist|resolve|found)|sender address rejected: "
            r"(?:unverified|undeliverable)|from: domain is invalid",
            source="Postfix reject_unknown_sender_domain: mastodon#7190, requestly#101; postal#1199, #342",
        ),
        says(r"null MX", source="RFC 7505: 5.7.27"),
        Sign(
            enhanced=r"[45]\.1\.8",
            unless=r"send as|not allowed|not permitted|blocked",
            source="RFC 3463: X.1.8 (rules D1 and D2 of the DNS check)",
        ),
    ),
    Row(
        "sender-not-verified",
        "The provider has not verified the sender {sender}: {said}.",
        "Verify the domain of {option[from_address]} at the provider, in the region of {host}, and get out of its "
        "sandbox.",
        says(
            r"not (?:yet )?(?:been )?(?:a )?(?:verified|validated|checked|confirmed)|\bunverified|\bunvalidated"
            r"|unconfigured sending domain|(?:match|is|use) a verified|verified sender|sender identity|must be verified"
            r"|verify (?:your|the|that the) (?:domain|sender)|sender signature|unknown sender domain"
            r"|sandbox (?:sub)?domain"
            r"|add your own domain"
            r"|\bdomain\b.{0,40}not (?:associated|registered|found in|configured|added|authenticated)",
            unless=r"recipient address rejected",
            source="Amazon SES; SparkPost; SendGrid (EBWiki#3861); Mailgun's sandbox (swapmyvote#891); Mailjet; "
            "Scaleway; "
            "plunk#164; PHPMailer#2683 (SMTP2GO)",
        ),
    ),
    Row(
        "login-required",
        "{endpoint} requires a login, and none was sent: {said}.",
        "Set {option[login]} and {option[password]}; {option[auth]} must not be none.",
        says(
            r"unauthenticated|anonymous|authori[sz]ation required|no authentication (?:provided|given|sent|supplied)"
            r"|(?:authentifizierung|anmeldung) erforderlich|authentification (?:requise|obligatoire)"
            r"|autenticaci[oó]n requerida|autenticazione richiesta|требуется (?:авторизация|аутентификация)"
            r"|需要(?:验证|登录)|not (?:been )?authenticated|not logged in|turn on SMTP auth"
            r"|\b(?:authentication|authenticate|auth|log-?in|log in)\b.{0,20}\b(?:required|needed|necessary"
            r"|mandatory|first)"
            r"|\b(?:must|please|need to|have to|should)\b.{0,15}\b(?:authenticate|authentication|log ?in\b|login)"
            r"|requires? (?:smtp )?(?:auth|log-?in)",
            unless=r"relay\w{0,3}\b.{0,20}\bdenied|try again",
            status=r"(?!53[458])[45]\d\d",
            source="RFC 4954: 530 5.7.0; Microsoft 365 530 5.7.57; Brevo 502 (frappe#38806); node-sendmail#73; "
            "luci-app-sms-tool-js#45; smtp-validate-email#71; mailcow#51; Tencent 503 (self-service-password#436)",
        ),
    ),
    Row(
        "sender-refused",
        "{endpoint} cannot verify the sender {sender}: {said}. It asks the mail server of the sender's domain "
        "whether the "
        "address exists.",
        "Set {option[from_address]} (and {option[return_path]}) to an address that exists and takes mail.",
        says(r"sender verif|verification failed for|call-?out", source="Exim: postal#1199, docker-mailserver#2257"),
    ),
    Row(
        "sender-refused",
        "{endpoint} does not allow this login to send as {sender}: {said}.",
        "Set {option[from_address]} (and {option[return_path]}) to an address that belongs to {option[login]}.",
        says(
            r"sender (?:address|domain)? ?(?:rejected|refused|denied)|not owned by|sendasdenied|send(?:ing)? as\b"
            r"|forged (?:sender|from)|on behalf of"
            r"|disallowed as|only send (?:from|as)|not an alias|(?:use|using) this (?:sender|from|address)"
            r"|address blocked|not (?:allowed|authori[sz]ed|permitted|entitled) to (?:send|use)|as a sender|\bDT:SUM\b",
            status=r"5\d\d",
            source="Postfix; Microsoft 365; Zoho (erpnext#19057); PHPMailer#304; maddy 501 5.1.8; NetEase DT:SUM",
        ),
        says(_OF_SENDER, also=_DIFFERS, status=r"5\d\d", source="QQ 501, 163.com 553, Mailjet, SendGrid"),
        says(
            r"(?:conform|match|equal|same)\b.{0,40}\b(?:authenti|authori|account|login|user)",
            source="Aliyun: 440 mail from account doesn't conform with authentication",
        ),
        Sign(enhanced=r"5\.7\.60|5\.2\.252", source="Microsoft 365"),
    ),
    Row(
        "relay-denied",
        "{endpoint} refuses to relay mail from this host: {said}. Either no login was sent, or it is the wrong server.",
        "Check that {option[login]}, {option[password]} and {option[auth]} are set and in effect; for a relay that "
        "trusts addresses, have this host's address allow-listed there (mynetworks).",
        says(
            r"\brelay\w{0,3}\b.{0,30}\b(?:denied|not (?:permitted|allowed|accepted)|prohibited|disallowed|refused"
            r"|rejected)"
            r"|\b(?:unable|cannot|do(?:es)? not|wo not|not (?:permitted|allowed)|refus\w{0,3}) (?:to )?relay"
            r"|client host rejected|TenantAttribution|rcpthosts|use me .{0,60}as a relay",
            source="Postfix, Exim, sendmail, Exchange, Stalwart",
        ),
    ),
    Row(
        "login-mechanism-not-offered",
        "{endpoint} does not support this login method: {said}.",
        "Set {option[auth]} to another one: plain and login are the usual two.",
        says(
            r"\b(?:mechanism|authentication (?:type|method))\b.{0,30}(?:not (?:supported|available|allowed|implemented)"
            r"|unsupported|unknown)|(?:unrecogni[sz]ed|unsupported|unknown) (?:authentication|auth|mechanism)",
            status=r"5\d\d",
            source="Microsoft 365 504 5.7.4; RFC 4954: 504 5.5.4",
        ),
    ),
    Row(
        "login-refused",
        "{endpoint} rejected the login: {said}.",
        "Check {option[login]} and {option[password]}: the kind of key (API, SMTP or account password), "
        "the form of the login, the region.",
        says(
            r"could not authenticate|\b(?:wrong|incorrect|invalid|bad) (?:\w{1,12}[ /]){0,2}(?:password|credentials)",
            source="SendGrid answers a wrong password with 451: WebsiteOne#2133, EBWiki#823; others with 454",
        ),
        says(
            r"\b(?:authentication|login|credentials?)\b.{0,30}\b(?:fail|invalid|incorrect|wrong|unsuccessful"
            r"|not accepted)"
            r"|\b(?:invalid|bad|incorrect|wrong)\b.{0,20}\b(?:credentials?|password|user ?name|login|api key|token)\b"
            r"|password not accepted",
            status=r"(?!504)5\d\d",
            source="RFC 4954: 535 5.7.8; Aliyun 526; cloudmails.eu 550 5.7.1",
        ),
        of_file="If both are correct, a quoting mistake in {file} may have changed the password.",
    ),
    Row(
        "recipient-refused",
        "{endpoint} does not accept the recipient {recipient}: {said}.",
        "Set a test recipient that exists.",
        Sign(enhanced=r"5\.1\.(1|2|3|6|10)|5\.2\.[12]", source="RFC 3463, 3.2 and 3.3"),
    ),
    Row(
        "relay-temporary",
        "{endpoint} rejected the mail temporarily: {said}. The settings may well be correct.",
        "Run again later. If it persists, check the relay's log.",
        says(
            r"(?:try|come back|resend)\b.{0,30}\blater|temporar(?:y|ily)",
            status=r"5\d\d",
            stages=("mail", "rcpt", "data", "queue"),
        ),
    ),
)
