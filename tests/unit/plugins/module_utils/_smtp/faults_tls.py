# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows about beginning TLS: the wrong way, with a certificate that does not pass, or with STARTTLS going wrong."""

from __future__ import annotations

from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faults import (
    EXTENSIONS,
    UNDER_TLS,
    Row,
    cut,
    plain_smtp,
    raw,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faulty_server import Peer, Script
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.smtp_pki import Pki


def modes(pki: Pki) -> dict[str, Row]:
    def tls_at_once(peer: Peer) -> None:
        peer.start_tls(pki.server())
        peer.hang()

    def late(peer: Peer) -> None:
        peer.server.stopping.wait(2.2)
        peer.greet(*EXTENSIONS)
        peer.hang()

    def late_to_tls(peer: Peer) -> None:
        peer.server.stopping.wait(2.2)
        greeting(peer)

    def late_and_strict(peer: Peer) -> None:
        peer.sock.settimeout(2.2)
        try:
            peer.sock.recv(1)
        except OSError:
            return late(peer)
        raise ConnectionAbortedError("the client spoke before the greeting")

    # The first connection brings a TLS handshake: the greeting goes out, what comes in is no SMTP.
    greeting = raw(b"220 relay.test ESMTP\r\n")
    starttls_there = (
        "Port {port} uses STARTTLS, but the settings say implicit TLS (from the first byte).",
        "mastodon_smtp_tls to starttls",
    )
    implicit_there = ("Port {port} uses implicit TLS (from the first byte)", "Set mastodon_smtp_tls to implicit.")
    implicit = {"tls": "implicit"}
    return {
        "implicit TLS on a STARTTLS port": Row(
            (greeting, plain_smtp(*EXTENSIONS)),
            ("tls-on-plaintext-port",),
            "tls",
            "starttls",
            implicit,
            starttls_there,
        ),
        "implicit TLS on a plain port": Row(
            (greeting, plain_smtp("SIZE 1000000")),
            ("tls-on-plaintext-port",),
            "tls",
            "plain",
            implicit,
            ("offers no STARTTLS",),
        ),
        "implicit TLS on a STARTTLS port that greets late": Row(
            (late_to_tls, late, late_to_tls),
            ("tls-on-plaintext-port",),
            "tls",
            "starttls",
            {**implicit, "timeout": 6.0},
            starttls_there,
        ),
        "implicit TLS on a port that punishes early talkers": Row(
            (late_and_strict,),
            ("tls-on-plaintext-port",),
            "tls",
            "starttls",
            {**implicit, "timeout": 6.0},
            starttls_there,
        ),
        "implicit TLS on a port that refuses": Row(
            (raw(b"554 5.7.1 no\r\n"),),
            ("tls-on-plaintext-port",),
            "tls",
            "rejecting",
            implicit,
            ("with a rejection",),
        ),
        "implicit TLS on a port that talks something else": Row(
            (raw(b"SSH-2.0-OpenSSH_9.2\r\n"),),
            ("not-smtp",),
            "tls",
            "other",
            implicit,
            ("SSH-2.0",),
        ),
        "STARTTLS on an implicit TLS port": Row(
            (Peer.hang, tls_at_once),
            ("plaintext-on-tls-port",),
            "banner",
            "implicit",
            {"timeout": 4.0},
            implicit_there,
        ),
        "optional STARTTLS on an implicit TLS port": Row(
            (tls_at_once,),
            ("plaintext-on-tls-port",),
            "banner",
            "implicit",
            {"tls": "starttls_optional", "timeout": 4.0},
            implicit_there,
        ),
        "no TLS on an implicit TLS port": Row(
            (tls_at_once,),
            ("plaintext-on-tls-port",),
            "banner",
            "implicit",
            {"tls": "none", "timeout": 4.0},
            implicit_there,
        ),
        "no TLS wanted, but logins only under TLS": Row(
            (plain_smtp("STARTTLS", then=Peer.hang),),
            ("login-not-offered",),
            "auth",
            "starttls",
            {"tls": "none"},
            ("but offers STARTTLS",),
        ),
        "implicit TLS 1.1": Row(
            (lambda peer: peer.start_tls(pki.old_server()),),
            ("tls-versions-differ",),
            "tls",
            "implicit",
            implicit,
        ),
    }


def certificates(pki: Pki) -> dict[str, Row]:
    cases = {
        "expired": ("certificate-expired", "2021-01-01T00:00:00Z"),
        "not-yet-valid": ("certificate-not-yet-valid", "valid from 2048-01-01T00:00:00Z"),
        "wrong-name": ("certificate-wrong-name", "It is for mail.elsewhere.test and *.elsewhere.test"),
        "self-signed": ("certificate-untrusted", "issued by itself"),
        "unknown-authority": ("certificate-untrusted", "issued by CN=Test CA unknown"),
    }

    def at_once(name: str) -> Script:
        return lambda peer: (peer.start_tls(pki.server(name)), peer.hang())[0]

    def upgraded(name: str) -> Script:
        def script(peer: Peer) -> None:
            peer.greet(*EXTENSIONS)
            peer.upgrade(pki.server(name))
            peer.hang()

        return script

    rows: dict[str, Row] = {}
    for name, (code, says) in cases.items():
        rows[f"implicit, {name}"] = Row((at_once(name),), (code,), "tls", "implicit", {"tls": "implicit"}, (says,))
        rows[f"STARTTLS, {name}"] = Row((upgraded(name),), (code,), "tls", "starttls", says=(says,))
    ca_file = {"ca_file": "/nonexistent/ca.pem"}
    rows["no file of authorities"] = Row((cut,), ("ca-file-missing",), "tls", None, ca_file, ("/nonexistent/ca.pem",))
    return rows


def starttls(pki: Pki) -> dict[str, Row]:
    def answered(*answer: str, then: Script = Peer.hang) -> Script:
        def script(peer: Peer) -> None:
            peer.greet(*EXTENSIONS)
            peer.hear("STARTTLS")
            peer.say(*answer)
            then(peer)

        return script

    def injected_later(peer: Peer) -> None:
        peer.server.stopping.wait(0.3)
        peer.raw(b"235 2.7.0 you are logged in\r\n")
        peer.hang()

    def old(peer: Peer) -> None:
        peer.greet(*EXTENSIONS)
        peer.upgrade(pki.old_server())

    stripped = plain_smtp(*UNDER_TLS, then=Peer.hang)
    return {
        "STARTTLS stripped": Row((stripped,), ("starttls-not-offered",), "starttls", "plain", says=("strips it",)),
        "optional STARTTLS stripped": Row(
            (stripped,),
            ("login-withheld",),
            "auth",
            "plain",
            {"tls": "starttls_optional"},
            ("The probe did not send them",),
        ),
        "STARTTLS refused for now": Row(
            (answered("454 4.7.0 TLS not available"),), ("starttls-refused",), "starttls", "starttls"
        ),
        "STARTTLS refused": Row(
            (answered("502 5.5.1 Error: command not implemented"),), ("starttls-refused",), "starttls", "starttls"
        ),
        "optional STARTTLS refused": Row(
            (answered("454 4.7.0 TLS not available"),),
            ("starttls-refused",),
            "starttls",
            "starttls",
            {"tls": "starttls_optional"},
        ),
        "bytes injected after STARTTLS": Row(
            (answered("220 go ahead", "250-injected", "250 AUTH PLAIN"),),
            ("starttls-answer-injected",),
            "starttls",
            "starttls",
            says=("no login was sent",),
        ),
        "bytes injected before the handshake": Row(
            (answered("220 go ahead", then=injected_later),),
            ("starttls-answer-injected",),
            "tls",
            "starttls",
        ),
        "STARTTLS, TLS 1.1": Row((old,), ("tls-versions-differ",), "tls", "starttls"),
        "silent after STARTTLS": Row((answered("220 go ahead"),), ("relay-silent",), "tls", "starttls"),
    }
