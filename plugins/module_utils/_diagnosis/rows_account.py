# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows for what the relay's words say about the account: its kind of password, its plan, its limits, its state."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .row import Row, Sign
from .rows_host import says

ACCOUNT: tuple[Row, ...] = (
    Row(
        "app-password-needed",
        "{endpoint} requires an app password instead of the account password: {said}.",
        "Create an app password (some providers call it an authorization code) at the provider and set it as "
        "{option[password]}.",
        says(
            r"app(?:lication)?[- ](?:specific )?password|application-specific|parol prilozheniya|пароль приложения"
            r"|authori[sz]ation code|授权码|\\xca\\xda\\xc8\\xa8\\xc2\\xeb|no=1001256|web browser",
            unless=r"accept EULA",
            status=r"5\d\d",
            source="Gmail 534 5.7.9; Mail.ru; QQ in English (uptime-kuma#3434) and in GBK (qqbot#221)",
        ),
    ),
    Row(
        "smtp-login-disabled",
        "{endpoint} has SMTP logins disabled for this account or tenant: {said}.",
        "Enable authenticated SMTP for the mailbox in the Microsoft 365 admin centre, or use another relay.",
        Sign(enhanced=r"5\.7\.(139|30)", source="Microsoft 365"),
    ),
    Row(
        "smtp-login-disabled",
        "{endpoint} has SMTP logins disabled for this account: {said}.",
        "Switch SMTP on in the mailbox's settings at the provider (there it may be named IMAP/SMTP or mail clients), "
        "create an app password if it offers one, or use another relay.",
        says(
            r"SmtpClientAuthentication is disabled|basic authentication is (?:disabled|not supported)"
            r"|(?:enable|turn on|open|activate) (?:the )?(?:imap|pop3?|smtp)\b(?! auth)|access rights to this service"
            r"|user has no permission|less secure app|accept EULA"
            r"|\b(?:smtp|imap|pop3)\b.{0,40}\b(?:not (?:enabled|opened|open|activated for)|disabled|turned off|closed)",
            unless=r"account.{0,20}not (?:yet )?activated",
            status=r"5\d\d",
            source="Yandex 535 5.7.8; 163.com 550 (12306#62, mail-provider#6); Microsoft 365 535 5.7.3",
        ),
        says(
            r"\b(?:smtp|imap|pop3|mail clients?)\b.{0,40}\b(?:not (?:allowed|permitted|available)|disabled|blocked)",
            stages=("auth",),
        ),
    ),
    Row(
        "account-not-active",
        "The account at {endpoint} may not send: {said}.",
        "Activate the account in the provider's console (confirm the address or phone number, leave the sandbox or "
        "trial, wait for approval, or ask why it is suspended).",
        says(
            r"activate your|(?:pending|awaiting) (?:approval|activation|review|verification|confirmation)|under review"
            r"|account.{0,20}\bsandbox|(?:must be|until|not yet) approved|sandbox (?:mode|account)|trial account"
            r"|(?:verify|confirm) your account",
            source="rebutify#162: 421 Please activate your Mailgun account; Postmark: pending approval",
        ),
        says(
            r"\b(?:account|organi[sz]ation|tenant|subscription|your \w{1,12}|domain is|sending is)\b.{0,40}"
            r"\b(?:not (?:yet )?(?:been )?(?:yet )?(?:activ|enabled|approved|confirmed|verified|validated)|inactive"
            r"|suspend|disabled|deactivated|terminated|locked|blocked|banned|frozen|on hold|paused|closed)",
            unless=r"\b(?:domain|address|sender|identity|from)\b.{0,40}\b(?:verified|confirmed|validated)"
            r"|temporarily blocked|\bIP\b",
            source="gophish#720: 552 (SMTP2GO); Brevo 502 5.7.0 (agent-skills#133)",
        ),
        says(
            r"\b(?:user|mailbox)\b.{0,20}\b(?:suspended|disabled|deactivated|inactive|locked|hangup)",
            stages=("auth", "mail"),
            source="Coremail: User suspended, User hangup",
        ),
        says(
            r"\bsending\b.{0,20}\b(?:suspended|disabled|paused)",
            source="Amazon SES: Sending paused for this account (GoodServer#419)",
        ),
        Sign(enhanced=r"5\.7\.13", source="RFC 5248: User Account Disabled"),
    ),
    Row(
        "plan-used-up",
        "The plan or the credit of the account at {endpoint} is used up or has expired: {said}. The login is not "
        "wrong.",
        "Renew or extend the plan in the provider's console. Waiting does not help unless the plan renews itself.",
        says(
            r"\bcredits?\b.{0,30}\b(?:exceed|exhaust|used|expired|blocked|insufficient|required|over|limit|deplet)"
            r"|\b(?:insufficient|not enough|no more|no|out of|maximum"
            r"|run out of|ran out of|used (?:up )?all(?: your)?)\b.{0,12}\b(?:credit|fund"
            r"|balance)|\bbalance\b.{0,20}\b(?:low|insufficient|exhausted|negative|exceeded|used up)"
            r"|\b(?:plan|package|subscription|trial|licen[cs]e|contract|account)\b.{0,30}\b(?:expired|exceeded|ended|lapsed"
            r"|cancell?ed|used up|exhausted)|\b(?:trial|plan|subscription)\b.{0,20}\bover\b|no active (?:plan"
            r"|subscription)|\boverdue\b|\binvoice|payment (?:required|overdue|failed)|\bunpaid\b|upgrade (?:your|the) "
            r"(?:plan|account|subscription)",
            unless=r"\b(?:rate|daily|hourly|per (?:hour|day|second|minute))\b",
            source="mautic#8721: SendGrid 451 Maximum credits exceeded; listmonk#3138: 535 Package exceeded; "
            "ZeptoMail's "
            "page of SMTP error codes: credits expired",
        ),
    ),
    Row(
        "relay-quota-used",
        "The account has reached its limit at {endpoint}: {said}.",
        "Wait until the limit is reset, or raise it at the provider. The login is not wrong.",
        Sign(enhanced=r"[45]\.4\.5", source="Google 550 5.4.5"),
        says(
            r"throttl|unusual rate|rate[- ]?limit|over (?:\w{1,12} ){0,2}quota|limited to \d{1,9}|on probation"
            r"|too (?:many|much) (?:e-?)?(?:mails?|messages)|sending too fast|too quickly"
            r"|\b(?:limits?|quota|allowance|rate)\b.{0,40}\b(?:exceed|reach|hit|used)"
            r"|\b(?:exceed|reach|hit)\w{0,3}\b.{0,40}\b(?:limits?|quota|allowance|rate)\b",
            unless=r"\bsize\b|too (?:large|big)|attachment|mailbox|tried to reach|trying to contact",
            source="Amazon SES 454 Throttling failure; Gmail 421 unusual rate; mastodon#36770; Mailgun's probation "
            "(pivorak-web-app#556, #711); PlaceCal#2297; WA-WF-Bot#282; AVideo#7527",
        ),
        says(
            r"\b(?:per|each|an|a) (?:hour|day|minute|second|month)\b",
            also=r"exceed|limit|\bmax|reach|too many",
            unless=r"\bsize\b",
            source="cPanel: Domain has exceeded the max emails per hour",
        ),
        says(r"\b(?:MI:STC|MI:SFQ|MI:DMC|HL:IFC|HL:IFQ)\b", source="NetEase's list of bounce codes"),
    ),
    Row(
        "sending-not-permitted",
        "{endpoint} accepts the login, but this login has no permission to send: {said}.",
        "Give the login (SMTP user or key) the permission to send in the provider's console, for this sender and this "
        "host, or use a login that has it.",
        says(
            r"not authori[sz]ed to perform|explicit deny|identity-based policy|(?:key|token|credential|api)\b.{0,40}\b"
            r"(?:no|lacks?|missing|insufficient|not have)\b.{0,20}\b(?:permission|scope|right)",
            source="Amazon SES: 554 Access denied: User is not authorized to perform ses:SendRawEmail",
        ),
    ),
)
