# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows about dialogues that go well, logins and envelopes."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faults import (
    EXTENSIONS,
    PLAIN_LOGIN,
    UNDER_TLS,
    Row,
    because,
    logged_in,
    plain_smtp,
    refused_login,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faulty_server import Peer, Script
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.smtp_pki import Pki


def good(pki: Pki) -> dict[str, Row]:
    def starttls(peer: Peer) -> None:
        peer.greet(*EXTENSIONS)
        peer.upgrade(pki.server())
        peer.hello(*UNDER_TLS)
        peer.hear(PLAIN_LOGIN)
        peer.say("235 2.7.0 Authentication successful")
        peer.bye()

    def implicit(peer: Peer) -> None:
        peer.start_tls(pki.server())
        logged_in(*UNDER_TLS)(peer)

    def login_mechanism(peer: Peer) -> None:
        peer.greet("AUTH=LOGIN")
        peer.hear("AUTH LOGIN")
        peer.say("334 VXNlcm5hbWU6")
        peer.hear("bWFzdG9kb24=")
        peer.say("334 UGFzc3dvcmQ6")
        peer.hear("Y29ycmVjdCBob3JzZQ==")
        peer.say("235 ok")
        peer.bye()

    def cram_md5(peer: Peer) -> None:
        # The example of RFC 2195.
        peer.greet("AUTH CRAM-MD5")
        peer.hear("AUTH CRAM-MD5")
        peer.say("334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+")
        peer.hear("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw")
        peer.say("235 ok")
        peer.bye()

    def slow_banner(peer: Peer) -> None:
        peer.server.stopping.wait(1.0)
        logged_in("AUTH PLAIN")(peer)

    def only_helo(peer: Peer) -> None:
        peer.say("220 old relay")
        peer.hear("EHLO social.test")
        peer.say("502 5.5.2 what?")
        peer.hear("HELO social.test")
        peer.say("250 relay.test")
        peer.bye()

    def many_lines(peer: Peer) -> None:
        peer.say("220-relay.test", "220-all mail is logged", "220 go on")
        peer.hello("AUTH PLAIN")
        peer.hear(PLAIN_LOGIN)
        peer.say("235-2.7.0 welcome", "235 2.7.0 back")
        peer.bye()

    no_tls: dict[str, t.Any] = {"tls": "none"}
    rfc = {"tls": "none", "auth": "cram_md5", "login": "tim", "password": "tanstaaftanstaaf"}
    return {
        "good STARTTLS": Row((starttls,), speaks="starttls", logins=1),
        "good optional STARTTLS": Row((starttls,), speaks="starttls", settings={"tls": "starttls_optional"}, logins=1),
        "good implicit TLS": Row((implicit,), speaks="implicit", settings={"tls": "implicit"}, logins=1),
        "good without TLS": Row((logged_in("AUTH PLAIN"),), speaks="plain", settings=no_tls, logins=1),
        "good LOGIN": Row((login_mechanism,), speaks="plain", settings={**no_tls, "auth": "login"}, logins=1),
        "good CRAM-MD5": Row((cram_md5,), speaks="plain", settings=rfc, logins=1),
        "good without login": Row((plain_smtp("SIZE 10485760"),), speaks="plain", settings={**no_tls, "auth": "none"}),
        "good after a banner delay": Row((slow_banner,), speaks="plain", settings={**no_tls, "timeout": 8.0}, logins=1),
        "good with HELO only": Row((only_helo,), speaks="plain", settings={**no_tls, "auth": "none"}),
        "good in many lines": Row((many_lines,), speaks="plain", settings=no_tls, logins=1),
        "CRAM-MD5 that Ruby cannot say": Row(
            (plain_smtp("AUTH CRAM-MD5", then=Peer.hang),),
            ("credentials-not-ascii",),
            "auth",
            "plain",
            {**rfc, "password": "pässword12"},
        ),
        "login left out": Row(
            (plain_smtp("AUTH PLAIN"),), ("login-not-tried",), speaks="plain", settings={**no_tls, "skip_auth": True}
        ),
        "small size": Row(
            (plain_smtp("SIZE 1000"),), ("relay-size-limit-small",), speaks="plain", settings={**no_tls, "auth": "none"}
        ),
    }


def logins() -> dict[str, Row]:
    none = {"tls": "none"}

    def bad_challenge(peer: Peer) -> None:
        peer.greet("AUTH CRAM-MD5")
        peer.hear("AUTH CRAM-MD5")
        peer.say("334 not base 64!")
        peer.hang()

    def login_refused_early(peer: Peer) -> None:
        peer.greet("AUTH LOGIN")
        peer.hear("AUTH LOGIN")
        peer.say("535 5.7.3 no")
        peer.hang()

    def silent(peer: Peer) -> None:
        peer.greet("AUTH PLAIN")
        peer.hear("AUTH PLAIN .*")
        peer.hang()

    echo = "535 5.7.8 bad: AG1hc3RvZG9uAGNvcnJlY3QgaG9yc2U= correct horse eGNvcnJlY3QgaG9yc2U"
    rows = {
        "wrong password": because(
            refused_login("535 5.7.8 Error: authentication failed"), "login-refused", says=("5.7.8",)
        ),
        "wrong password in many lines": because(
            refused_login("535-5.7.8 Username and Password not accepted.", "535 5.7.8 See the help page"),
            "login-refused",
            says=("See the help page",),
        ),
        "wrong password, repeated back": because(refused_login(echo), "login-refused", says=("[secret]",)),
        "app password needed": because(
            refused_login("534-5.7.9 Application-specific password required.", "534 5.7.9 Learn more"),
            "app-password-needed",
        ),
        "mechanism too weak": because(refused_login("534 5.7.9 too weak"), "login-mechanism-too-weak"),
        "logins disabled": because(
            refused_login(
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
            ),
            "smtp-login-disabled",
        ),
        "encryption wanted at the login": because(
            refused_login("538 5.7.11 Encryption required for requested authentication mechanism"),
            "encryption-required",
        ),
        "login out of order": because(refused_login("454 4.7.0 Temporary authentication failure"), "login-temporary"),
        "too many logins": because(refused_login("421 4.7.0 Too many concurrent SMTP connections"), "relay-busy"),
        "logins not enabled": because(
            refused_login("503 5.5.1 Error: authentication not enabled"), "login-not-offered"
        ),
        "mechanism unknown after all": because(
            refused_login("504 5.5.4 Unrecognized authentication type"), "login-mechanism-not-offered"
        ),
        "a challenge where none belongs": because(
            refused_login("334 "), "login-mechanism-not-offered", says=("asks for more", "mastodon_smtp_auth to login")
        ),
    }
    return {
        **rows,
        "no logins offered": Row(
            (plain_smtp("SIZE 1000000", then=Peer.hang),), ("login-not-offered",), "auth", "plain", none
        ),
        "another mechanism": Row(
            (plain_smtp("AUTH LOGIN XOAUTH2", then=Peer.hang),),
            ("login-mechanism-not-offered",),
            "auth",
            "plain",
            none,
            ("offers the login methods LOGIN, XOAUTH2, but the settings say PLAIN", "Set mastodon_smtp_auth to login."),
        ),
        "only foreign mechanisms": Row(
            (plain_smtp("AUTH GSSAPI", then=Peer.hang),),
            ("login-mechanism-not-offered",),
            "auth",
            "plain",
            none,
            ("another credential",),
        ),
        "a challenge that is none": Row(
            (bad_challenge,), ("not-smtp",), "auth", "plain", {**none, "auth": "cram_md5"}, logins=1
        ),
        "LOGIN refused at once": Row(
            (login_refused_early,), ("login-refused",), "auth", "plain", {**none, "auth": "login"}, logins=1
        ),
        "silent at the login": Row((silent,), ("relay-silent",), "auth", "plain", none, logins=1),
    }


def envelopes() -> dict[str, Row]:
    def answered(sender: str, recipient: str = "") -> Script:
        def script(peer: Peer) -> None:
            peer.hear("MAIL FROM:<a@social.test>")
            peer.say(sender)
            if recipient:
                peer.hear("RCPT TO:<b@example.test>")
                peer.say(recipient)
            if sender.startswith("2") and recipient[:1] in ("", "2"):
                peer.hear("RSET")
                peer.say("250 2.0.0 Ok")
                peer.bye()
            else:
                peer.hang()

        return script

    def row(script: Script, code: str = "", stage: str | None = None, **settings: t.Any) -> Row:
        changes = {"tls": "none", "sender": "a@social.test", **settings}
        return Row((logged_in("AUTH PLAIN", then=script),), (code,) if code else (), stage, "plain", changes, logins=1)

    to = {"recipient": "b@example.test"}
    relay_of_its_own = plain_smtp("SIZE 0", then=answered("250 ok", "250 ok"))
    needs_login = plain_smtp("SIZE 0", then=answered("530 5.7.0 Authentication required"))
    no_login = {"tls": "none", "auth": "none", "sender": "a@social.test"}
    return {
        "good sender": row(answered("250 2.1.0 Ok")),
        "good envelope": row(answered("250 2.1.0 Ok", "250 2.1.5 Ok"), **to),
        "good envelope, forwarded": row(answered("250 2.1.0 Ok", "251 User not local; will forward"), **to),
        "good envelope without login": Row((relay_of_its_own,), (), None, "plain", {**no_login, **to}),
        "login required": Row((needs_login,), ("login-required",), "mail", "plain", no_login),
        "sender refused": row(
            answered("553 5.7.1 Sender address rejected: not owned by user mastodon"), "sender-refused", "mail"
        ),
        "sender's domain bad": row(
            answered("550 5.1.8 Sender address rejected: Domain not found"), "sender-domain-bad", "mail"
        ),
        "sender put off": row(answered("451 4.3.0 try later"), "relay-temporary", "mail"),
        "relaying denied": row(answered("250 ok", "554 5.7.1 Relay access denied"), "relay-denied", "rcpt", **to),
        "recipient unknown": row(answered("250 ok", "550 5.1.1 User unknown"), "recipient-refused", "rcpt", **to),
        "greylisted": row(answered("250 ok", "450 4.2.0 Greylisted"), "relay-temporary", "rcpt", **to),
    }
