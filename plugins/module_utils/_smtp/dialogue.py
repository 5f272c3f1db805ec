# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One SMTP dialogue, step by step like Mastodon's mailer, up to the point where the message would begin.

Greeting, EHLO, STARTTLS, AUTH (once), and on request MAIL FROM, RCPT TO, RSET. Never DATA.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import datetime
import socket
import typing as t

from .._diagnosis.model import Failure, Stage
from .._diagnosis.redact import EXAMINED, SHOWN, one_line, redact
from .auth import authenticate, refuse_unspeakable, travelling_forms
from .deadline import Deadline
from .reply import Ehlo, Reply
from .settings import MECHANISMS, Settings
from .tls import TlsDetails, Trust, blind, describe, handshake
from .trouble import Stopped
from .wire import Wire


@dataclasses.dataclass
class Step:
    """A step that the relay accepts or refuses.

    :ivar accepted: None if the dialogue did not get that far.
    :ivar answer: the relay's reply.
    """

    tried: bool = False
    accepted: bool | None = None
    answer: str = ""


@dataclasses.dataclass
class Observation:
    """What one dialogue showed, as far as it got.

    :ivar greeting: the first reply, before TLS or (implicit TLS) inside it.
    :ivar offered: the answer to the last EHLO; with TLS, the one under TLS.
    :ivar starttls: whether STARTTLS was offered before TLS; None while unknown.
    :ivar trouble: why the dialogue ended early; None if it was completed.
    """

    greeting: str | None = None
    offered: Ehlo | None = None
    starttls: bool | None = None
    tls: TlsDetails | None = None
    auth: Step = dataclasses.field(default_factory=Step)
    sender: Step = dataclasses.field(default_factory=Step)
    recipient: Step = dataclasses.field(default_factory=Step)
    trouble: Failure | None = None


def hold(settings: Settings, trust: Trust | None, sock: socket.socket, deadline: Deadline) -> Observation:
    """Run the dialogue on an open connection, which is closed afterwards. Raises nothing.

    :param trust: how certificates are verified; None if the settings do not use TLS.
    """
    dialogue = _Dialogue(settings, trust, Wire(sock, deadline))
    try:
        dialogue.run()
    except Stopped as stopped:
        dialogue.seen.trouble = stopped.at(dialogue.stage)
        dialogue.wire.close()
    else:
        dialogue.wire.quit()
    return _cleaned(dialogue.seen, settings)


def look_at_certificate(settings: Settings, trust: Trust, sock: socket.socket, deadline: Deadline) -> TlsDetails:
    """Begin TLS as configured, only to read the certificate; nothing is sent after that.

    :param trust: its context may accept any certificate.
    :raises Stopped: as handshake() does.
    """
    dialogue = _Dialogue(settings, trust, Wire(sock, deadline))
    try:
        if settings.tls != "implicit":
            dialogue.greet()
            dialogue.ask_for_tls()
        return dialogue.begin_tls(trust)
    finally:
        dialogue.wire.close()


def blind_trust() -> Trust:
    """A Trust that accepts any certificate; for look_at_certificate() only."""
    return Trust(blind(), False, "")


class _Dialogue:
    def __init__(self, settings: Settings, trust: Trust | None, wire: Wire) -> None:
        self.settings = settings
        self.trust = trust
        self.wire = wire
        self.stage: Stage = "banner"
        self.seen = Observation()

    def run(self) -> None:
        """Run all steps, in order."""
        if self.settings.tls == "implicit":
            self.begin_tls(self._trust)
        self.greet()
        if self.settings.tls == "starttls" or (self.settings.tls == "starttls_optional" and self.seen.starttls):
            self.ask_for_tls()
            self.begin_tls(self._trust)
            self.say_hello()
        if self.settings.wants_auth:
            self.log_in()
        if self.settings.sender and (self.settings.auth == "none" or self.seen.auth.accepted):
            self.try_envelope()

    @property
    def _trust(self) -> Trust:
        if self.trust is None:
            raise TypeError("TLS is wanted, so how to judge certificates has to be given")
        return self.trust

    def greet(self) -> None:
        """Read the greeting and send EHLO."""
        self.stage = "banner"
        reply = self.wire.reply()
        self.seen.greeting = reply.text
        _expect(reply, 220)
        self.say_hello()
        if self.seen.starttls is None:
            self.seen.starttls = bool(self.seen.offered and self.seen.offered.starttls)

    def say_hello(self) -> None:
        """Send EHLO; if the relay refuses it, HELO, as net-smtp does."""
        self.stage = "ehlo"
        name = self.settings.helo_domain.encode("ascii")
        reply = self.wire.say(b"EHLO " + name)
        esmtp = reply.positive
        if not esmtp and reply.code != 421:
            reply = self.wire.say(b"HELO " + name)
        _expect(reply, 250)
        self.seen.offered = Ehlo.of(reply, esmtp=esmtp)

    def ask_for_tls(self) -> None:
        """Send STARTTLS; nothing but its answer may arrive before the handshake (RFC 3207, CVE-2011-0411)."""
        self.stage = "starttls"
        if not self.seen.starttls:
            raise Stopped("no-starttls")
        _expect(self.wire.say(b"STARTTLS"), 220)
        injected = self.wire.take_unread()
        if injected:
            raise Stopped("injected", f"{len(injected)} bytes")

    def begin_tls(self, trust: Trust) -> TlsDetails:
        """Do the handshake; from then on the connection is encrypted."""
        self.stage = "tls"
        tls = handshake(self.wire.sock, trust.context, self.settings.host, self.wire.deadline)
        self.wire.sock = tls
        self.seen.tls = describe(tls, trust, datetime.datetime.now(datetime.timezone.utc))
        return self.seen.tls

    def log_in(self) -> None:
        """Send AUTH once, unless the login would be sent in a way that the settings do not allow."""
        self.stage = "auth"
        mechanism = MECHANISMS[self.settings.auth]
        offered = self.seen.offered.auth if self.seen.offered else ()
        if self.seen.tls is None and self.settings.tls != "none":
            raise Stopped("no-encryption")
        if not offered:
            raise Stopped("no-auth")
        if mechanism not in offered:
            raise Stopped("no-mechanism", ", ".join(offered))
        refuse_unspeakable(self.settings.auth, self.settings.password)
        self.seen.auth.tried = True
        reply = authenticate(self.wire.say, self.settings.auth, self.settings.login, self.settings.password)
        _record(self.seen.auth, reply, 235)

    def try_envelope(self) -> None:
        """Send MAIL FROM and RCPT TO, then RSET: no message is ever sent."""
        for stage, step, verb, address in _envelope(self.seen, self.settings):
            self.stage = stage
            step.tried = True
            _record(step, self.wire.say(f"{verb}:<{address}>".encode("ascii")), 250, 251)
        self.wire.say(b"RSET")


def _envelope(seen: Observation, settings: Settings) -> t.Iterator[tuple[Stage, Step, str, str]]:
    yield "mail", seen.sender, "MAIL FROM", settings.sender
    if settings.recipient:
        yield "rcpt", seen.recipient, "RCPT TO", settings.recipient


def _record(step: Step, reply: Reply, *good: int) -> None:
    step.accepted, step.answer = reply.code in good, reply.text
    _expect(reply, *good)


def _expect(reply: Reply, *good: int) -> None:
    if reply.code not in good:
        raise Stopped("reply", reply.text, code=reply.code, enhanced=reply.enhanced)


def _cleaned(seen: Observation, settings: Settings) -> Observation:
    """The observation without secrets, in whatever form the relay repeated them; only this leaves the file."""
    forms = travelling_forms(settings.login, settings.password)

    def clean(text: str, limit: int = SHOWN) -> str:
        return one_line(redact(text, forms, (settings.sender, settings.recipient)), limit)

    if seen.greeting is not None:
        seen.greeting = clean(seen.greeting)
    if seen.offered is not None:
        # Extensions are listed before any secret is sent, and "AUTH PLAIN LOGIN" must not be redacted as a login.
        extensions = tuple(one_line(one) for one in seen.offered.extensions)
        seen.offered = dataclasses.replace(seen.offered, name=one_line(seen.offered.name), extensions=extensions)
    for step in (seen.auth, seen.sender, seen.recipient):
        step.answer = clean(step.answer)
    if seen.trouble is not None:
        seen.trouble = dataclasses.replace(seen.trouble, message=clean(seen.trouble.message, EXAMINED))
    return seen
