# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors that the tests of the diagnosis read: cases.txt and field.txt, and the settings that they name."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.model import Context, Failure, Stage

ANY = Context()
STARTTLS = Context(host="smtp.example.net", port=587, tls="starttls")
WHERE: dict[str, Context] = {
    "-": ANY,
    "starttls": STARTTLS,
    "implicit": Context(host="smtp.example.net", port=465, tls="implicit"),
    "plain-on-465": Context(host="smtp.example.net", port=465, tls="starttls"),
    "tls-on-587": Context(host="smtp.example.net", port=587, tls="implicit"),
    "unencrypted": Context(host="smtp.example.net", port=25, tls="none"),
    "local": Context(host="localhost", port=25, tls="none"),
    "mailersend": Context(host="smtp.mailersend.net", port=587),
    "4.4.0": Context(release="Mastodon 4.4.0", file="/home/mastodon/live/.env.production"),
    "4.6.5": Context(release="Mastodon 4.6.5", file="/home/mastodon/live/.env.production"),
    "cram-md5": Context(host="smtp.example.net", port=587, tls="starttls", auth="cram_md5"),
    "gmail": Context(host="smtp.gmail.com", port=587),
    "google-relay": Context(host="smtp-relay.gmail.com", port=587, tls="starttls"),
    "microsoft": Context(host="smtp.office365.com", port=587, tls="starttls"),
    "brevo": Context(host="smtp-relay.brevo.com", port=587, tls="starttls"),
    "ses": Context(host="email-smtp.eu-west-1.amazonaws.com", port=587, tls="starttls"),
    "zoho": Context(host="smtp.zoho.com", port=587, tls="starttls"),
    "qq": Context(host="smtp.qq.com", port=587, tls="starttls"),
    "yandex": Context(host="smtp.yandex.ru", port=465, tls="implicit"),
    "smtp2go": Context(host="mail.smtp2go.com", port=2525, tls="starttls"),
    "postmark": Context(host="smtp.postmarkapp.com", port=587, tls="starttls"),
    "no-login": Context(host="smtp.office365.com", port=587, tls="starttls", auth="none"),
}


class Case(t.NamedTuple):
    """One line of cases.txt."""

    stage: Stage
    classes: tuple[str, ...]
    context: Context
    code: str
    message: str

    @property
    def failure(self) -> Failure:
        return Failure(self.stage, self.classes, self.message)


def cases() -> list[Case]:
    found = []
    for line in (Path(__file__).parent / "cases.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            stage, classes, where, code, message = (part.strip() for part in f"{line} ".split(" | ", 4))
            names = () if classes == "-" else tuple(classes.split())
            found.append(Case(t.cast(Stage, stage), names, WHERE[where], code, message))
    return found


class Seen(t.NamedTuple):
    """One line of field.txt."""

    name: str
    stage: Stage
    classes: tuple[str, ...]
    context: Context
    causes: frozenset[str]
    text: str

    @property
    def failure(self) -> Failure:
        """As the program in Rails reports it: with the stage."""
        return Failure(self.stage, self.classes, self.text + "\n")

    @property
    def of_queue(self) -> Failure:
        """As the log of Sidekiq shows it: without."""
        return dataclasses.replace(self.failure, stage="queue")

    @property
    def of_probe(self) -> Failure:
        """As our probe sees it: a bare reply with its code."""
        number, text = self.text[:3], self.text[4:]
        return Failure(self.stage, (), f"{number} {text}", int(number), kind="reply")


def raised(code: str) -> str:
    """What net-smtp raises for a negative reply (exception_class in smtp.rb)."""
    if code[0] == "4":
        return "Net::SMTPServerBusy"
    if code[:2] in ("50", "53"):
        return {"50": "Net::SMTPSyntaxError", "53": "Net::SMTPAuthenticationError"}[code[:2]]
    return "Net::SMTPFatalError"


def seen() -> list[Seen]:
    found = []
    for line in (Path(__file__).parent / "field.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, stage, classes, where, causes, text = (part.strip() for part in line.split(" | ", 5))
            names = (raised(text),) if classes == "-" else tuple(classes.split())
            stage_of = t.cast(Stage, stage)
            found.append(Seen(name, stage_of, names, WHERE[where], frozenset(causes.split()), text))
    return found


CASES = cases()
SEEN = seen()
REPLIES = [one for one in SEEN if one.text[:3].isdecimal()]
