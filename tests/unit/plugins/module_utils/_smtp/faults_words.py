# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows about wrong words and missing ones: refusals, silence, drops, nonsense, and the line cut at every stage."""

from __future__ import annotations

from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faults import (
    EXTENSIONS,
    Row,
    cut,
    logged_in,
    raw,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faulty_server import Peer, Script
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.smtp_pki import Pki


def bad_words() -> dict[str, Row]:
    def endless(peer: Peer) -> None:
        peer.say("220 relay.test")
        peer.hear("EHLO social.test")
        peer.drip(b"", 0)
        while not peer.server.stopping.is_set():
            peer.say(*["250-X-MORE"] * 50)

    def hello_is(data: bytes) -> Script:
        def script(peer: Peer) -> None:
            peer.say("220 relay.test")
            peer.hear("EHLO social.test")
            peer.raw(data)
            peer.hang()

        return script

    def dripped_hello(peer: Peer) -> None:
        peer.say("220 relay.test")
        peer.hear("EHLO social.test")
        peer.drip(b"250-relay.test\r\n" + b"250-X-SLOW\r\n" * 1000)

    none = {"tls": "none"}
    return {
        "refused for now at the greeting": Row(
            (raw(b"421 4.7.0 too many connections\r\n"),), ("relay-busy",), "banner", "rejecting", none
        ),
        "refused at the greeting": Row(
            (raw(b"554-relay.test\r\n554 5.7.1 not you\r\n"),), ("greeting-refused",), "banner", "rejecting", none
        ),
        "silent": Row((Peer.hang,), ("relay-silent",), "banner", "silent", says=("neither in plain text nor in TLS",)),
        "silent, implicit": Row((Peer.hang,), ("relay-silent",), "tls", "silent", {"tls": "implicit"}),
        "silent after the greeting": Row((raw(b"220 relay.test\r\n"),), ("relay-silent",), "ehlo", None, none),
        "greeting by drops": Row(
            (lambda peer: peer.drip(b"220 " + b"a" * 4000),), ("relay-silent",), "banner", "silent", none
        ),
        "EHLO by drops": Row((dripped_hello,), ("relay-silent",), "ehlo", None, none),
        "greeting without end": Row(
            (raw(b"220 " + b"a" * 100_000),), ("not-smtp",), "banner", "other", none, ("an endless answer",)
        ),
        "EHLO without end": Row((endless,), ("not-smtp",), "ehlo", None, none, ("an endless answer",)),
        "EHLO line without end": Row(
            (hello_is(b"250 " + b"a" * 100_000),), ("not-smtp",), "ehlo", None, none, ("an endless answer",)
        ),
        "another protocol": Row(
            (raw(b"SSH-2.0-OpenSSH_9.2\r\n"),), ("not-smtp",), "banner", "other", none, ("SSH-2.0-OpenSSH_9.2",)
        ),
        "a web server": Row(
            (raw(b"HTTP/1.1 400 Bad Request\r\n\r\n", cut),), ("not-smtp",), "banner", "other", none, ("HTTP/1.1 400",)
        ),
        "binary": Row((raw(bytes(range(256)) + b"\r\n"),), ("not-smtp",), "banner", "other", none),
        "a good answer in the wrong place": Row(
            (raw(b"235 2.7.0 welcome\r\n"),), ("not-smtp",), "banner", "other", none, ("an unexpected answer",)
        ),
        "nonsense in reply to EHLO": Row(
            (hello_is(b"\x00\xff what?\r\n"),), ("not-smtp",), "ehlo", None, none, ("in reply to EHLO",)
        ),
        "EHLO refused": Row(
            (hello_is(b"501 5.5.4 bad name\r\n501 5.5.4 bad name\r\n"),), ("helo-refused",), "ehlo", None, none
        ),
        "EHLO answered with 421": Row((hello_is(b"421 4.3.2 shutting down\r\n"),), ("relay-busy",), "ehlo", None, none),
    }


def cuts(pki: Pki) -> dict[str, Row]:
    """The line is cut at every stage."""

    def after_ehlo_line(peer: Peer) -> None:
        peer.say("220 relay.test")
        peer.hear("EHLO social.test")
        peer.raw(b"250-relay.test\r\n250-AUTH PL")

    def at_starttls(peer: Peer) -> None:
        peer.greet(*EXTENSIONS)
        peer.hear("STARTTLS")

    def in_handshake(peer: Peer) -> None:
        at_starttls(peer)
        peer.say("220 go ahead")
        peer.sock.recv(4096)

    def reset_in_handshake(peer: Peer) -> None:
        at_starttls(peer)
        peer.say("220 go ahead")
        peer.sock.recv(1)
        peer.reset()

    def under_tls(peer: Peer) -> None:
        at_starttls(peer)
        peer.say("220 go ahead")
        peer.start_tls(pki.server())
        peer.hear("EHLO social.test")

    def at_auth(peer: Peer) -> None:
        peer.greet("AUTH PLAIN")
        peer.hear("AUTH PLAIN .*")

    def in_login(peer: Peer) -> None:
        peer.greet("AUTH LOGIN")
        peer.hear("AUTH LOGIN")
        peer.say("334 VXNlcm5hbWU6")
        peer.hear("bWFzdG9kb24=")

    def at_sender(peer: Peer) -> None:
        peer.hear("MAIL FROM:<a@social.test>")

    none = {"tls": "none"}
    envelope = {**none, "sender": "a@social.test"}
    return {
        "cut before the greeting": Row((cut,), ("relay-hung-up",), "banner", "closed", none),
        "reset before the greeting": Row((Peer.reset,), ("relay-hung-up",), "banner", "closed", none),
        "cut before TLS": Row((cut,), ("relay-hung-up",), "tls", "closed", {"tls": "implicit"}),
        "cut in the greeting": Row((raw(b"220 rel", cut),), ("relay-hung-up",), "banner", "closed", none),
        "cut after the greeting": Row((raw(b"220 relay.test\r\n", cut),), ("relay-hung-up",), "ehlo", None, none),
        "cut in the answer to EHLO": Row((after_ehlo_line,), ("relay-hung-up",), "ehlo", None, none),
        "cut at STARTTLS": Row((at_starttls,), ("relay-hung-up",), "starttls", "starttls"),
        "cut in the handshake": Row((in_handshake,), ("relay-hung-up",), "tls", "starttls"),
        "reset in the handshake": Row((reset_in_handshake,), ("relay-reset",), "tls", "starttls"),
        "cut under TLS": Row((under_tls,), ("relay-hung-up",), "ehlo", "starttls"),
        "cut at the login": Row((at_auth,), ("relay-hung-up",), "auth", "plain", none, ("at the login",), logins=1),
        "cut in LOGIN": Row((in_login,), ("relay-hung-up",), "auth", "plain", {**none, "auth": "login"}, logins=1),
        "cut at MAIL FROM": Row(
            (logged_in("AUTH PLAIN", then=at_sender),), ("relay-hung-up",), "mail", "plain", envelope, logins=1
        ),
    }
