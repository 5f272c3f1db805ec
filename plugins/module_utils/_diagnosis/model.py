# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A failure to send mail, in one form for Ruby's exceptions, failures of our probe, and SMTP replies."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._mailer.names import variable
from .._text import bounded

Stage = t.Literal[
    "boot", "build", "connect", "banner", "tls", "starttls", "ehlo", "auth", "mail", "rcpt", "data", "queue"
]

#: In the order of sending: Rails boots, the mailer is built, then the SMTP dialogue; "queue" is Sidekiq's.
STAGES: tuple[Stage, ...] = t.get_args(Stage)

#: The kinds of failure that the probe distinguishes.
Kind = t.Literal[
    "",
    "name-unknown",  # the name has no address
    "name-unanswered",  # the resolver did not answer, or failed temporarily
    "timed-out",
    "refused",
    "unreachable",
    "closed",  # by the other side, instead of an answer
    "reply",  # a negative SMTP reply
    "garbage",  # not an SMTP reply
    "too-long",  # a line or a reply without end
    "plaintext",  # readable text instead of TLS
    "certificate",  # the certificate fails verification
    "tls",  # any other failure of TLS
    "ca-file",  # the file of trusted certificates cannot be used
    "no-starttls",
    "injected",  # bytes between the answer to STARTTLS and the handshake
    "no-auth",
    "no-mechanism",
    "not-ascii",  # a login that Ruby cannot send, although other clients can
    "no-encryption",  # the login would be sent unencrypted although the settings do not allow that
]

#: RFC 3463 and RFC 2034: the enhanced code is at the start of the reply's text.
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
#: RFC 5321, 4.2: a reply begins with three digits, then a space (last line) or a hyphen.
_REPLY = re.compile(r"^\W*([2-5]\d\d)(?=[ -])")
#: What net-smtp writes around the answer to DATA if that is not 354 (check_continue in smtp.rb).
_WRAPPED = re.compile(r"could not get 3xx \([2-5]\d\d: (?=[2-5]\d\d[ -])")
#: The code at the beginning of each further line of a reply.
_NEXT_LINE = re.compile(r"\s([2-5]\d\d)[ -](?:([245]\.\d{1,3}\.\d{1,3}) )?")
#: "isn't", "don't", "won't", with either apostrophe.
_CONTRACTED = re.compile(r"(\bca)?n['\u2019]t\b", re.IGNORECASE)
#: Codes that answer AUTH alone (RFC 4954, 6). net-smtp gives its SMTPAuthenticationError for every 53x, whatever the
#: command was, and for any answer to the last step of AUTH.
_LOGIN_CODES = frozenset({534, 535, 538})
_LOGIN_ERRORS = frozenset({"Net::SMTPAuthenticationError", "SMTPAuthenticationError"})


@dataclasses.dataclass(frozen=True)
class Failure:
    """One failure, as Rails or the probe saw it.

    :ivar stage: the stage in which it happened.
    :ivar classes: Ruby's class names of the exception and of its causes, outermost first (C(Net::OpenTimeout),
        C(Errno::ECONNREFUSED)). Empty for a bare reply.
    :ivar message: the exception's messages or the text of the reply.
    :ivar code: SMTP reply code.
    :ivar enhanced: enhanced status code (RFC 3463), such as C(5.7.8).
    :ivar verify_code: OpenSSL's number of a failed certificate check (X509_V_ERR_*).
    :ivar kind: its kind if the probe saw it; empty if Rails did.
    :ivar words: the message as rows read it: "is not" for "isn't".
    """

    stage: Stage
    classes: tuple[str, ...] = ()
    message: str = ""
    code: int | None = None
    enhanced: str | None = None
    verify_code: int | None = None
    kind: Kind = ""
    words: str = dataclasses.field(default="", repr=False, compare=False)

    def completed(self) -> Failure:
        """The same failure as a row reads it, wherever it comes from.

        The message is cut to a bounded length and is the relay's alone: without net-smtp's words around it, and with
        the code of a reply only once. Codes are filled in from it, and the stage where the log does not tell it but
        the exception does.
        """
        message, wrapped = _unwrapped(bounded(self.message))
        code, enhanced, stage = self.code, self.enhanced, self.stage
        if code is None:
            found = _REPLY.match(message)
            code = int(found.group(1)) if found else None
        if code is not None:
            message = _as_one_line(message, str(code))
        if enhanced is None and code is not None:
            for match in _ENHANCED.finditer(message):
                if match.group(1) == str(code)[0]:
                    enhanced = match.group(0)
                    break
        if stage == "queue" and wrapped:
            stage = "data"
        elif stage == "queue" and self._of_login(code):
            stage = "auth"
        words = _CONTRACTED.sub(lambda found: "cannot" if found.group(1) else " not", message)
        return dataclasses.replace(self, stage=stage, message=message, code=code, enhanced=enhanced, words=words)

    def _of_login(self, code: int | None) -> bool:
        return code in _LOGIN_CODES or (
            code is not None and code // 10 != 53 and not _LOGIN_ERRORS.isdisjoint(self.classes)
        )


def _unwrapped(message: str) -> tuple[str, bool]:
    """The relay's answer inside net-smtp's own sentence; and whether there was one."""
    found = _WRAPPED.search(message)
    if not found:
        return message, False
    return message[found.end() :].partition(" <- ")[0].rstrip().removesuffix(")").rstrip(), True


def _as_one_line(message: str, code: str) -> str:
    """The lines of a reply as one text: the code at the beginning of each further line is left out."""
    first = message[: len(code) + 8]
    rest = _NEXT_LINE.sub(lambda found: " " if found.group(1) == code else found.group(0), message[len(first) :])
    return first + rest


@dataclasses.dataclass(frozen=True)
class Context:
    """What is known about the circumstances of a failure: it refines messages and selects causes. All is optional.

    :ivar host: the relay's name or address.
    :ivar port: the relay's port.
    :ivar tls: C(implicit), C(starttls), C(starttls_optional) or C(none), according to the settings.
    :ivar auth: mechanism according to the settings (C(plain), C(login), C(cram_md5), C(none)).
    :ivar relay: which of Mastodon's two relays it is; decides which options a fix names.
    :ivar sender: envelope sender or From; may be shown.
    :ivar recipient: recipient of the test message; may be shown.
    :ivar release: Mastodon's release, as text.
    :ivar file: path of the environment file.
    :ivar variable: the mail variable that breaks config/email.yml, if known.
    :ivar as_intended: login and password were checked and are the intended ones.
    :ivar hint: the provider preset's hint about logins, as a full sentence.
    :ivar secrets: texts that must never be shown; they are removed from every message.
    """

    host: str = ""
    port: int | None = None
    tls: str = ""
    auth: str = ""
    relay: t.Literal["main", "bulk"] = "main"
    sender: str = ""
    recipient: str = ""
    release: str = ""
    file: str = ""
    variable: str = ""
    as_intended: bool = False
    hint: str = ""
    secrets: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    @property
    def endpoint(self) -> str:
        """Host and port as a person writes them."""
        if not self.host:
            return "the relay"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def option(self, name: str) -> str:
        """The role variable for a setting of this relay."""
        return variable(name, bulk=self.relay == "bulk")
