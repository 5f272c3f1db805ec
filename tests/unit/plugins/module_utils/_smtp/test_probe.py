# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe finds out beyond one dialogue: addresses, other ports, what verification would say."""

from __future__ import annotations

import os
import socket
import ssl
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp import connect
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp import probe as probing
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.probe import Result, probe
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.settings import Endpoint, Settings
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.verdict import context_of, verdict
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faults import (
    EXTENSIONS,
    UNDER_TLS,
    cut,
    logged_in,
    plain_smtp,
    raw,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faulty_server import (
    FaultyServer,
    Peer,
    full_backlog,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.smtp_pki import Pki

Make = t.Callable[..., Settings]


def findings_of(settings: Settings, result: Result) -> list[Finding]:
    return verdict(settings, result, context_of(settings))


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """The system's resolver names these addresses, whatever it is asked."""

    def answer(_host: str, port: int, **_unused: object) -> list[t.Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (one, port, 0, 0))
            if ":" in one
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    monkeypatch.setattr(connect.socket, "getaddrinfo", answer)


def test_a_port_that_drops_and_one_that_answers(settings: Make) -> None:
    with full_backlog() as blocked, FaultyServer(cut) as other, FaultyServer(cut) as third:
        mine = settings(
            port=blocked,
            connect_timeout=0.7,
            alternative_ports=(
                Endpoint(blocked, "implicit"),
                Endpoint(1, "starttls"),
                Endpoint(other.port, "implicit"),
                Endpoint(third.port, "starttls"),
            ),
        )
        begun = time.monotonic()
        result = probe(mine)
        assert time.monotonic() - begun < 5
    assert [one.outcome for one in result.addresses] == ["timed out"]
    assert [(one.port, one.tls, one.open) for one in result.ports] == [
        (1, "starttls", False),
        (other.port, "implicit", True),
        (third.port, "starttls", True),
    ]
    [finding] = findings_of(mine, result)
    assert finding.code == "relay-port-blocked"
    assert finding.message == (
        f"Port {blocked} of localhost does not answer from this host, but {other.port} (TLS from the first byte) and "
        f"{third.port} (STARTTLS) are reachable."
    )
    assert finding.fix.startswith(f"Set mastodon_smtp_port to {other.port} and mastodon_smtp_tls to implicit")


def test_no_port_answers(settings: Make) -> None:
    with full_backlog() as blocked:
        mine = settings(port=blocked, connect_timeout=0.3, alternative_ports=(Endpoint(1, "starttls"),))
        result = probe(mine)
    [finding] = findings_of(mine, result)
    assert finding.code == "relay-connect-timeout"
    assert "Other ports tried, unreachable too: 1" in finding.message
    assert result.as_dict()["stage"] == "connect"


def test_refused_port_names_the_open_one(settings: Make) -> None:
    with FaultyServer(cut) as other:
        mine = settings(port=1, alternative_ports=(Endpoint(other.port, "starttls"),))
        result = probe(mine)
    [finding] = findings_of(mine, result)
    assert (finding.code, result.speaks) == ("relay-port-blocked", "refused")
    assert "Port 1 of localhost is refused" in finding.message


@pytest.mark.parametrize("alternatives", [(), (Endpoint(2, "starttls"),)])
@pytest.mark.parametrize(
    ("there", "words"), [(True, "this host has internet access"), (False, "this host has no internet access")]
)
def test_a_host_elsewhere_tells_a_blocked_port_from_no_network(
    settings: Make, monkeypatch: pytest.MonkeyPatch, alternatives: tuple[Endpoint, ...], there: bool, words: str
) -> None:
    with FaultyServer(cut) as elsewhere:
        monkeypatch.setattr(probing, "CONTROL_PORT", elsewhere.port if there else 1)
        mine = settings(port=1, control_host="127.0.0.1", alternative_ports=alternatives)
        result = probe(mine)
    [finding] = findings_of(mine, result)
    assert (finding.code, result.as_dict()["control_reached"]) == ("relay-connection-refused", there)
    assert words in finding.message
    assert ("too: 2. 127.0.0.1:443" in finding.message) is bool(alternatives)


def test_a_host_elsewhere_is_not_asked_without_need(settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer(cut) as elsewhere, FaultyServer(cut) as other:
        monkeypatch.setattr(probing, "CONTROL_PORT", elsewhere.port)
        mine = settings(port=1, control_host="127.0.0.1", alternative_ports=(Endpoint(other.port, "starttls"),))
        assert probe(mine).as_dict()["control_reached"] is None
    unknown = settings(port=1, control_host="no-such-host.invalid", connect_timeout=1.0)
    assert probe(unknown).control is False


def test_unknown_name(settings: Make) -> None:
    mine = settings(host="no-such-relay.invalid", port=25)
    result = probe(mine)
    [finding] = findings_of(mine, result)
    # Which of the two depends on whether the machine that tests has a resolver at all.
    assert finding.code in ("relay-name-unknown", "name-resolution-failed")
    assert result.addresses == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (socket.EAI_NONAME, "relay-name-unknown"),
        (socket.EAI_AGAIN, "name-resolution-failed"),
    ],
)
def test_names_that_are_unknown_are_told_from_a_silent_resolver(
    settings: Make, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    words = {socket.EAI_NONAME: "Name or service not known", socket.EAI_AGAIN: "Temporary failure in name resolution"}

    def fail(*_unused: object, **__: object) -> None:
        raise socket.gaierror(number, words[number])

    monkeypatch.setattr(connect.socket, "getaddrinfo", fail)
    mine = settings(port=25)
    assert [one.code for one in findings_of(mine, probe(mine))] == [code]


def test_a_resolver_that_hangs_holds_nobody_up(settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect.socket, "getaddrinfo", lambda *_unused, **__: time.sleep(5))
    mine = settings(port=25, connect_timeout=0.2)
    begun = time.monotonic()
    assert [one.code for one in findings_of(mine, probe(mine))] == ["name-resolution-failed"]
    assert time.monotonic() - begun < 4


def test_both_families_are_reported_and_the_first_is_used(settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    resolves_to(monkeypatch, "::1", "127.0.0.1", "127.0.0.2", "127.0.0.3")
    script = logged_in("AUTH PLAIN")
    with FaultyServer(script) as four, FaultyServer(script, address="::1", port=four.port) as six:
        mine = settings(port=four.port, tls="none")
        result = probe(mine)
    assert [(one.family, one.address, one.outcome) for one in result.addresses] == [
        ("ipv6", "::1", "answered"),
        ("ipv4", "127.0.0.1", "connected"),
        ("ipv4", "127.0.0.2", "refused"),
        ("ipv4", "127.0.0.3", "not tried"),
    ]
    assert findings_of(mine, result) == []
    assert len(six.commands) > 0
    assert four.commands == []


def test_an_address_that_drops_before_one_that_answers(settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with full_backlog() as port, FaultyServer(logged_in("AUTH PLAIN"), address="::1", port=port):
        resolves_to(monkeypatch, "127.0.0.1", "::1")
        mine = settings(port=port, tls="none", connect_timeout=0.5)
        result = probe(mine)
    assert [one.outcome for one in result.addresses] == ["timed out", "answered"]
    [finding] = findings_of(mine, result)
    assert (finding.code, finding.severity) == ("relay-address-dead", "warning")
    assert "127.0.0.1 of localhost does not answer, ::1 does" in finding.message


def test_one_family_is_refused_at_the_greeting(settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    resolves_to(monkeypatch, "::1", "127.0.0.1")
    refusing = raw(b"554 5.7.1 no\r\n")
    with FaultyServer(cut, plain_smtp("AUTH PLAIN")) as four, FaultyServer(refusing, address="::1", port=four.port):
        mine = settings(port=four.port, tls="none")
        result = probe(mine)
    refused, elsewhere = findings_of(mine, result)
    assert (refused.code, elsewhere.code) == ("greeting-refused", "relay-other-address-answers")
    assert elsewhere.message == "At 127.0.0.1 the relay works up to the login, but Mastodon tries ::1 first."
    assert not [line for line in four.commands if line.startswith("AUTH")]
    assert four.errors == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize(("certificate", "good"), [("good", True), ("expired", False), ("unknown-authority", False)])
def test_verification_switched_off(settings: Make, pki: Pki, tls: str, certificate: str, good: bool) -> None:
    def server(peer: Peer) -> None:
        if tls == "starttls":
            peer.greet(*EXTENSIONS)
            peer.upgrade(pki.server(certificate))
            peer.hello(*UNDER_TLS)
        else:
            peer.start_tls(pki.server(certificate))
            peer.greet(*UNDER_TLS)
        peer.hear("AUTH PLAIN .*")
        peer.say("235 ok")
        peer.bye()

    with FaultyServer(server) as relay:
        mine = settings(port=relay.port, tls=tls, verify="none", timeout=5.0)
        result = probe(mine)
    assert findings_of(mine, result) == []  # it is on loopback, where nobody needs to know
    details = result.as_dict()["tls_details"]
    assert (details["verified"], details["would_verify"]) == (False, good)
    assert result.seen.auth.accepted
    assert len([line for line in relay.commands if line.startswith("AUTH")]) == 1


def test_shows_connection_and_certificate(settings: Make, pki: Pki) -> None:
    def server(peer: Peer) -> None:
        peer.start_tls(pki.server())
        logged_in(*UNDER_TLS)(peer)

    with FaultyServer(server) as relay:
        result = probe(settings(port=relay.port, tls="implicit"))
    details = result.as_dict()["tls_details"]
    assert details["version"] == "TLSv1.3"
    assert details["verified"] is True
    assert details["trust_store"].startswith(f"{pki.ca_file} and this host's OpenSSL default")
    assert details["names"] == ["localhost", "127.0.0.1", "::1"]
    assert details["issuer"] == "CN=Test CA ca"
    assert details["not_after"] == "2049-12-31T23:59:59Z"
    assert details["days_left"] > 365
    assert result.as_dict()["ehlo"]["auth"] == ["PLAIN", "LOGIN", "CRAM-MD5"]
    assert result.as_dict()["ehlo"]["size"] == 10485760
    assert result.as_dict()["ehlo"]["extensions"] == list(UNDER_TLS)


def test_an_address_as_host_is_looked_up_in_the_certificate(settings: Make, pki: Pki) -> None:
    def server(peer: Peer) -> None:
        peer.start_tls(pki.server())
        logged_in(*UNDER_TLS)(peer)

    with FaultyServer(server) as relay:
        assert probe(settings(host="127.0.0.1", port=relay.port, tls="implicit")).trouble is None


def test_a_certificate_with_only_a_common_name_passes_as_in_ruby(settings: Make, pki: Pki) -> None:
    def server(peer: Peer) -> None:
        peer.start_tls(pki.server("common-name-only"))
        logged_in(*UNDER_TLS)(peer)

    with FaultyServer(server) as relay:
        assert probe(settings(port=relay.port, tls="implicit")).trouble is None


def test_the_default_store_is_trusted_besides_the_file(
    settings: Make, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Ruby: a CA file adds to the default store. The default store is here the one with the test's authority."""
    monkeypatch.setenv(ssl.get_default_verify_paths().openssl_cafile_env, pki.ca_file)

    def server(peer: Peer) -> None:
        peer.start_tls(pki.server())
        logged_in(*UNDER_TLS)(peer)

    for ca_file in ("", str(pki.folder / "unknown" / "ca.pem")):
        with FaultyServer(server) as relay:
            assert probe(settings(port=relay.port, tls="implicit", ca_file=ca_file)).trouble is None


def test_a_file_without_certificates(settings: Make, pki: Pki) -> None:
    mine = settings(port=25, ca_file=str(pki.folder / "leaf.key"), verify="none")
    [finding] = findings_of(mine, probe(mine))
    assert finding.code == "ca-file-missing"
    assert "contains no PEM certificate" in finding.message


def test_a_file_of_authorities_is_not_waited_for_nor_taken_from_another(settings: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/hostname")
    os.lchown(tmp_path / "link", 4711, 4711)
    words = {"pipe": "it is not a regular file", "link": "is a symbolic link that uid 4711 created"}
    for name, why in words.items():
        mine = settings(port=25, ca_file=str(tmp_path / name))
        [finding] = findings_of(mine, probe(mine))
        assert finding.code == "ca-file-missing" and why in finding.message


def test_settings_that_cannot_be_used_are_all_named(settings: Make) -> None:
    mine = settings(host="relais.bücher.example", port=0, helo_domain="a b", sender="<x>", password="p\0q")
    result = probe(mine)
    findings = findings_of(mine, result)
    assert {one.code for one in findings} == {"relay-setting-unusable"}
    assert [one.subject for one in findings] == [
        "mastodon_smtp_host",
        "mastodon_smtp_port",
        "mastodon_smtp_helo_domain",
        "mastodon_smtp_password",
        "mastodon_smtp_from_address",
    ]
    assert result.addresses == []
    assert "p\0q" not in str(findings)


def test_the_bulk_relay_has_options_of_its_own(settings: Make) -> None:
    mine = settings(port=1, alternative_ports=())
    [finding] = verdict(mine, probe(mine), context_of(mine, "bulk"))
    assert "mastodon_smtp_bulk.host" in finding.fix


def test_the_providers_word_is_shown_when_the_login_is_refused(settings: Make) -> None:
    def server(peer: Peer) -> None:
        peer.greet("AUTH PLAIN")
        peer.hear("AUTH PLAIN .*")
        peer.say("535 5.7.8 no")
        peer.hang()

    with FaultyServer(server) as relay:
        mine = settings(port=relay.port, tls="none")
        [finding] = verdict(mine, probe(mine), context_of(mine, hint="The API key does not work; make an SMTP key."))
    assert finding.fix.endswith("The API key does not work; make an SMTP key.")
