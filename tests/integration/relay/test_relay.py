# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""smtp_relay_info from the instances, over SSH, against the lab's real Postfix and Dovecot.

587 and 2525 demand STARTTLS, 465 is implicit TLS, 10587 has a certificate that nobody vouches for, 25 takes no login.
"""

from __future__ import annotations

import json
import typing as t

import pytest
from harness import ENV_FILE, Lab

HOSTS = Lab.hosts
#: Postfix looks at the sender only when there is a recipient (smtpd_delay_reject).
STRANGER = {"sender": "stranger@social.example.com", "recipient": "admin@example.com"}
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"

#: A listener that takes no connection, and whose queue is full: attempts to connect get no answer at all.
FULL = """
import socket, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("", 4465))
listener.listen(0)
waiting = [socket.socket() for _ in range(4)]
for each in waiting:
    each.setblocking(False)
    each.connect_ex(("127.0.0.1", 4465))
time.sleep(120)
"""


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def probe(lab: Lab, host: str) -> t.Callable[..., dict[str, t.Any]]:
    """Runs the module on the host with the settings of the inventory, but for what is changed; None leaves out."""
    variables = lab.variables[host]

    def run(check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
        options = {
            "host": variables["mastodon_smtp_host"],
            "port": 587,
            "tls": "starttls",
            "ca_file": CA_FILE,
            "helo_domain": "social.example.com",
            "login": variables["mastodon_smtp_login"],
            "password": lab.password(host),
            "timeout": 20,
            **changes,
        }
        given = {name: one for name, one in options.items() if one is not None}
        result = lab.module(host, "smtp_relay_info", given, check_mode=check_mode)
        assert result.get("changed") is False
        assert lab.password(host) not in json.dumps(result)
        return result

    return run


def codes(result: t.Mapping[str, t.Any]) -> list[str]:
    return [one["code"] for one in result["findings"]]


def logins_in_log(lab: Lab, since: str) -> list[str]:
    """What the relay's own log says about refused logins since a moment."""
    log = lab.ssh("relay", f"journalctl --no-pager -o cat --since '@{since}' -t postfix/submission/smtpd")
    return [line for line in log.splitlines() if "authentication failed" in line]


def now(lab: Lab, host: str) -> str:
    return lab.ssh(host, "date +%s.%N").strip()


@pytest.mark.parametrize(("port", "tls"), [(587, "starttls"), (2525, "starttls_optional"), (465, "implicit")])
def test_logs_in(probe: t.Callable[..., dict[str, t.Any]], port: int, tls: str) -> None:
    result = probe(port=port, tls=tls)
    assert (result["failed"], codes(result)) == (False, [])
    relay = result["relay"]
    assert relay["auth"]["accepted"] is True
    assert relay["auth"]["answer"].startswith("235 2.7.0")
    assert relay["tls_details"]["verified"] is True
    assert relay["tls_details"]["version"] in ("TLSv1.2", "TLSv1.3")
    assert relay["tls_details"]["names"] == [relay["host"]]
    assert relay["tls_details"]["trust_store"].startswith(CA_FILE)
    assert relay["speaks"] == ("implicit" if tls == "implicit" else "starttls")
    assert [one["outcome"] for one in relay["addresses"]] == ["answered"]


@pytest.mark.parametrize("auth", ["plain", "login", "cram_md5"])
def test_every_mechanism(probe: t.Callable[..., dict[str, t.Any]], auth: str) -> None:
    result = probe(auth=auth)
    assert (codes(result), result["relay"]["auth"]["accepted"]) == ([], True)


def test_check_mode_looks_as_hard(probe: t.Callable[..., dict[str, t.Any]]) -> None:
    checked, real = probe(check_mode=True), probe()
    for result in (checked, real):
        for address in result["relay"]["addresses"]:
            address.pop("seconds")
    assert checked["relay"] == real["relay"]
    assert checked["relay"]["auth"]["accepted"] is True


def test_a_wrong_password_is_tried_once(lab: Lab, probe: t.Callable[..., dict[str, t.Any]]) -> None:
    since = now(lab, "relay")
    result = probe(password="certainly not this one", provider_hint="Only the lab's own password will do.")
    assert (result["failed"], codes(result)) == (True, ["login-refused"])
    assert result["msg"].endswith("Only the lab's own password will do. [login-refused]")
    assert result["relay"]["auth"] == {
        "mechanism": "plain",
        "tried": True,
        "accepted": False,
        "answer": result["relay"]["auth"]["answer"],
    }
    assert result["relay"]["auth"]["answer"].startswith("535 5.7.8")
    assert "certainly" not in json.dumps(result)
    assert len(logins_in_log(lab, since)) == 1


def test_left_out_logins_are_left_out(lab: Lab, probe: t.Callable[..., dict[str, t.Any]]) -> None:
    since = now(lab, "relay")
    result = probe(password="certainly not this one", skip_auth=True)
    assert (result["failed"], codes(result)) == (False, ["login-not-tried"])
    assert logins_in_log(lab, since) == []


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"tls": "implicit"}, "tls-on-plaintext-port", "Port 587 speaks STARTTLS, the settings say implicit TLS."),
        (
            {"port": 465, "timeout": 4},
            "plaintext-on-tls-port",
            "Port 465 speaks implicit TLS, the settings say STARTTLS.",
        ),
        ({"port": 465, "timeout": 4, "tls": "none"}, "plaintext-on-tls-port", "the settings say no encryption"),
        ({"port": 10587}, "certificate-untrusted", "issued by itself"),
        ({"ca_file": "/nonexistent.pem"}, "ca-file-missing", "/nonexistent.pem"),
        ({"tls": "none"}, "login-not-offered", "offers STARTTLS"),
        ({"port": 25}, "login-not-offered", "takes no logins"),
        ({"port": 4465}, "relay-connection-refused", "Nothing listens"),
        ({"helo_domain": "not a name"}, "relay-setting-unusable", "cannot stand in EHLO"),
        (STRANGER, "sender-refused", "mastodon_smtp_from_address"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_what_is_wrong_is_named(
    probe: t.Callable[..., dict[str, t.Any]], changes: dict[str, t.Any], code: str, words: str
) -> None:
    result = probe(**changes)
    assert result["failed"] is True
    assert codes(result)[0] == code
    assert words in result["msg"]
    if code == "certificate-untrusted":
        assert result["relay"]["tls_details"]["self_issued"] is True
        assert result["relay"]["auth"]["tried"] is False


def test_the_relay_by_its_address_has_the_wrong_name(lab: Lab, probe: t.Callable[..., dict[str, t.Any]]) -> None:
    address = probe()["relay"]["addresses"][0]["address"]
    result = probe(host=address)
    assert codes(result) == ["certificate-wrong-name"]
    assert f"It is for {lab.variables['masto1']['mastodon_smtp_host']}, issued by" in result["msg"]


def test_an_unverified_certificate_is_used_when_asked(probe: t.Callable[..., dict[str, t.Any]]) -> None:
    result = probe(port=10587, verify="none")
    assert (result["failed"], codes(result)) == (False, ["verification-off"])
    assert result["relay"]["auth"]["accepted"] is True
    result = probe(verify="none")
    assert (result["failed"], codes(result)) == (False, ["verification-off-needlessly"])


def test_a_dropped_port_and_the_one_to_take_instead(
    lab: Lab, host: str, probe: t.Callable[..., dict[str, t.Any]]
) -> None:
    """As in a cloud that drops 465."""
    address = probe()["relay"]["addresses"][0]["address"]
    unit = f"full-{host}"
    lab.ssh("relay", "cat > /run/full.py", stdin=FULL)
    lab.ssh("relay", f"systemd-run --quiet --collect --unit {unit} python3 /run/full.py")
    try:
        lab.ssh("relay", "timeout 20 sh -c 'until ss -ltn | grep -q :4465; do sleep 0.2; done'")
        result = probe(
            port=4465,
            tls="implicit",
            connect_timeout=2,
            alternative_ports=[{"port": 2465, "tls": "implicit"}, {"port": 2525, "tls": "starttls"}],
        )
    finally:
        lab.ssh("relay", f"systemctl stop {unit}; rm -f /run/full.py", check=False)
    assert codes(result) == ["relay-port-blocked"]
    assert "2525 (STARTTLS) can be reached" in result["msg"]
    assert result["relay"]["addresses"] == [
        {
            "family": "ipv4",
            "address": address,
            "outcome": "timed out",
            "seconds": result["relay"]["addresses"][0]["seconds"],
        }
    ]
    assert [(one["port"], one["open"]) for one in result["relay"]["open_ports"]] == [(2465, False), (2525, True)]


def test_the_envelope_is_tried_and_nothing_is_sent(
    lab: Lab, host: str, probe: t.Callable[..., dict[str, t.Any]]
) -> None:
    since = now(lab, "relay")
    sender = lab.variables[host]["mastodon_smtp_return_path"]
    result = probe(sender=sender, recipient="admin@example.com")
    assert codes(result) == []
    assert result["relay"]["envelope"]["sender"]["accepted"] is True
    assert result["relay"]["envelope"]["recipient"]["accepted"] is True
    log = lab.ssh("relay", f"journalctl --no-pager -o cat --since '@{since}'")
    assert "message-id" not in log
    assert lab.ssh("relay", "postqueue -j").strip() == ""


def test_a_relay_without_login_on_the_host_of_the_mail(probe: t.Callable[..., dict[str, t.Any]]) -> None:
    """Port 25 of the lab's relay takes mail for its own domain from anyone, and relays for nobody."""
    bare = {"port": 25, "auth": "none", "login": None, "password": None, "sender": "a@social.example.com"}
    assert codes(probe(**bare, recipient="admin@example.com")) == []
    result = probe(**bare, recipient="someone@elsewhere.example")
    assert (result["relay"]["stage"], codes(result)) == ("rcpt", ["relay-denied"])


def test_the_password_stays_nowhere(lab: Lab, host: str, probe: t.Callable[..., dict[str, t.Any]]) -> None:
    secret = lab.password(host)
    before = lab.places_of(host, secret)
    probe()
    probe(login="nobody")
    # The environment file and its backups are the rollout's, not the probe's.
    left = [place for place in lab.places_of(host, secret) if not place.startswith(ENV_FILE)]
    assert [place for place in left if place not in before] == []
