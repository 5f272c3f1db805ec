# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""smtp_relay_info from the instances, over SSH, against the lab's real Postfix and Dovecot.

587 and 2525 demand STARTTLS, 465 is implicit TLS, 10587 has a certificate that nobody vouches for, 25 takes no login.
One play looks at everything from both hosts; the tests look at what it returned and at what the relay noted.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from harness import ENV_FILE, Lab

HOSTS = Lab.hosts
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
WRONG = "certainly not this one"

#: A listener that takes no connection, and whose queue is full: attempts to connect get no answer at all.
FULL = """
import socket, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("", 4465))
listener.listen(0)
waiting = [socket.socket() for _ in range(8)]
for each in waiting:
    each.setblocking(False)
    each.connect_ex(("127.0.0.1", 4465))
time.sleep(300)
"""

#: Name of a case -> what differs from the settings of the inventory; None leaves an option out.
CASES: dict[str, dict[str, t.Any]] = {
    "587": {},
    "2525": {"port": 2525, "tls": "starttls_optional"},
    "465": {"port": 465, "tls": "implicit"},
    "check mode": {"check": True},
    "login": {"auth": "login"},
    "cram_md5": {"auth": "cram_md5"},
    "wrong password": {"password": WRONG, "provider_hint": "Only the lab's own password will do."},
    "wrong password, left out": {"password": WRONG, "skip_auth": True},
    "nobody": {"login": "nobody", "auth": "login"},
    "587 implicit": {"tls": "implicit"},
    "465 STARTTLS": {"port": 465, "timeout": 4},
    "465 plain": {"port": 465, "timeout": 4, "tls": "none"},
    "self-signed": {"port": 10587},
    "self-signed, unverified": {"port": 10587, "verify": "none"},
    "needlessly unverified": {"verify": "none"},
    "no CA file": {"ca_file": "/nonexistent.pem"},
    "wrong name": {"host": "{{ relay_address }}"},
    "no TLS": {"tls": "none"},
    "no logins": {"port": 25},
    "closed port": {"port": 4466},
    "bad EHLO": {"helo_domain": "not a name"},
    # Postfix looks at the sender only when there is a recipient (smtpd_delay_reject).
    "not the owner": {"sender": "stranger@social.example.com", "recipient": "admin@example.com"},
    "envelope": {"sender": "{{ mastodon_smtp_return_path }}", "recipient": "admin@example.com"},
    # Port 25 takes mail for its own domain from anyone, and relays for nobody.
    "no login needed": {"port": 25, "auth": "none", "sender": "a@social.example.com", "recipient": "admin@example.com"},
    "no relaying": {"port": 25, "auth": "none", "sender": "a@social.example.com", "recipient": "a@elsewhere.example"},
    "dropped port": {"port": 4465, "tls": "implicit", "connect_timeout": 2},
}

PLAY = """\
- name: Look at the relay in every way
  hosts: "{{ hosts }}"
  gather_facts: false
  tasks:
    - name: Look
      fediops.mastodon.smtp_relay_info:
        host: "{{ item.host | default(mastodon_smtp_host) }}"
        port: "{{ item.port | default(587) }}"
        tls: "{{ item.tls | default('starttls') }}"
        verify: "{{ item.verify | default(omit) }}"
        ca_file: "{{ item.ca_file | default('/etc/ssl/certs/ca-certificates.crt') }}"
        helo_domain: "{{ item.helo_domain | default('social.example.com') }}"
        auth: "{{ item.auth | default('plain') }}"
        login: "{{ omit if item.auth | default('') == 'none' else item.login | default(mastodon_smtp_login) }}"
        password: "{{ omit if item.auth | default('') == 'none' else item.password | default(mastodon_smtp_password) }}"
        skip_auth: "{{ item.skip_auth | default(omit) }}"
        share_verdict: false
        sender: "{{ item.sender | default(omit) }}"
        recipient: "{{ item.recipient | default(omit) }}"
        provider_hint: "{{ item.provider_hint | default(omit) }}"
        connect_timeout: "{{ item.connect_timeout | default(omit) }}"
        timeout: "{{ item.timeout | default(20) }}"
        alternative_ports:
          - {port: 2465, tls: implicit}
          - {port: 2525, tls: starttls}
      check_mode: "{{ item.check | default(false) }}"
      loop: "{{ cases }}"
      loop_control:
        label: "{{ item.name }}"
      register: seen
      ignore_errors: true
    - name: Keep what was seen
      ansible.builtin.copy:
        content: "{{ seen.results | to_json }}"
        dest: "{{ folder }}/{{ inventory_hostname }}.json"
        mode: "0600"
      delegate_to: localhost
      become: false
      vars:
        ansible_python_interpreter: "{{ ansible_playbook_python }}"
"""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the play came to.

    :ivar results: host -> case -> result.
    :ivar output: everything that was printed.
    :ivar log: what the relay noted meanwhile.
    :ivar left: host -> places where the password stands now and did not before.
    """

    results: dict[str, dict[str, dict[str, t.Any]]]
    output: str
    log: list[str]
    left: dict[str, list[str]]
    address: str


@pytest.fixture(scope="module")
def seen(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Seen]:
    folder = tmp_path_factory.mktemp("relay")
    (folder / "play.yml").write_text(PLAY)
    address = lab.ssh("masto1", f"getent ahostsv4 {lab.variables['masto1']['mastodon_smtp_host']}").split()[0]
    places = {host: lab.places_of(host, lab.password(host)) for host in HOSTS}
    lab.ssh("relay", "cat > /run/full.py", stdin=FULL)
    lab.ssh("relay", "systemd-run --quiet --collect --unit full-port python3 /run/full.py")
    try:
        lab.ssh("relay", "timeout 20 sh -c 'until ss -ltn | grep -q :4465; do sleep 0.2; done'")
        since = lab.ssh("relay", "date +%s.%N").strip()
        done = lab.playbook(
            str(folder / "play.yml"),
            cases=[{"name": name, **changes} for name, changes in CASES.items()],
            hosts=",".join(HOSTS),
            folder=str(folder),
            relay_address=address,
        )
    finally:
        lab.ssh("relay", "systemctl stop full-port; rm -f /run/full.py", check=False)
    assert done.status == 0, done.output
    results = {
        host: dict(zip(CASES, json.loads((folder / f"{host}.json").read_text("utf-8")), strict=True)) for host in HOSTS
    }
    log = lab.ssh("relay", f"journalctl --no-pager -o cat --since '@{since}'").splitlines()
    left = {
        # the environment file and its backups are the rollout's, not the probe's
        host: [one for one in lab.places_of(host, lab.password(host)) if one not in places[host] + [ENV_FILE]]
        for host in HOSTS
    }
    yield Seen(results, done.output, log, left, address)


@pytest.fixture(params=HOSTS)
def result(request: pytest.FixtureRequest, seen: Seen) -> t.Callable[[str], dict[str, t.Any]]:
    """The result of a case on one of the hosts."""

    def of(case: str) -> dict[str, t.Any]:
        found = seen.results[str(request.param)][case]
        assert found["changed"] is False
        return {"failed": False, **found}

    return of


Result = t.Callable[[str], "dict[str, t.Any]"]


def codes(result: t.Mapping[str, t.Any]) -> list[str]:
    return [one["code"] for one in result["findings"]]


@pytest.mark.parametrize("case", ["587", "2525", "465"])
def test_logs_in(result: Result, case: str) -> None:
    one = result(case)
    assert (one["failed"], codes(one)) == (False, [])
    relay = one["relay"]
    assert relay["auth"]["accepted"] is True
    assert relay["auth"]["answer"].startswith("235 2.7.0")
    assert relay["tls_details"]["verified"] is True
    assert relay["tls_details"]["version"] in ("TLSv1.2", "TLSv1.3")
    assert relay["tls_details"]["names"] == [relay["host"]]
    assert relay["tls_details"]["trust_store"].startswith(CA_FILE)
    assert relay["speaks"] == ("implicit" if case == "465" else "starttls")
    assert [one["outcome"] for one in relay["addresses"]] == ["answered"]


@pytest.mark.parametrize("case", ["login", "cram_md5"])
def test_every_mechanism(result: Result, case: str) -> None:
    one = result(case)
    assert (codes(one), one["relay"]["auth"]["accepted"], one["relay"]["auth"]["mechanism"]) == ([], True, case)


def test_check_mode_looks_as_hard(result: Result) -> None:
    checked, real = result("check mode")["relay"], result("587")["relay"]
    for each in (checked, real):
        for address in each["addresses"]:
            address["seconds"] = None
    assert checked == real


def test_a_wrong_password_is_tried_once_and_shown_never(seen: Seen, result: Result) -> None:
    one = result("wrong password")
    assert (one["failed"], codes(one)) == (True, ["login-refused"])
    assert one["msg"].endswith("Only the lab's own password will do. [login-refused]")
    assert (one["relay"]["auth"]["tried"], one["relay"]["auth"]["accepted"]) == (True, False)
    assert one["relay"]["auth"]["answer"].startswith("535 5.7.8")
    left_out = result("wrong password, left out")
    assert (left_out["failed"], codes(left_out)) == (False, ["login-not-tried"])
    assert codes(result("nobody")) == ["login-refused"]
    refused = [line for line in seen.log if "authentication failed" in line]
    # by each of the hosts: the wrong password once, and the wrong login once
    once_each = [len(HOSTS), len(HOSTS)]
    assert [sum(f"SASL {mechanism} " in line for line in refused) for mechanism in ("PLAIN", "LOGIN")] == once_each


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        (
            "587 implicit",
            "tls-on-plaintext-port",
            "Port 587 uses STARTTLS, but the settings say implicit TLS (from the first byte).",
        ),
        (
            "465 STARTTLS",
            "plaintext-on-tls-port",
            "Port 465 uses implicit TLS (from the first byte), but the settings say STARTTLS.",
        ),
        ("465 plain", "plaintext-on-tls-port", "the settings say no encryption"),
        ("self-signed", "certificate-untrusted", "issued by itself"),
        ("no CA file", "ca-file-missing", "/nonexistent.pem"),
        ("wrong name", "certificate-wrong-name", "It is for smtp.relay.test, issued by"),
        ("no TLS", "login-not-offered", "offers STARTTLS"),
        ("no logins", "login-not-offered", "does not offer logins"),
        ("closed port", "relay-port-blocked", "Set mastodon_smtp_port to 2525"),
        ("bad EHLO", "relay-setting-unusable", "cannot be used in EHLO"),
        ("not the owner", "sender-refused", "mastodon_smtp_from_address"),
        ("no relaying", "relay-denied", "elsewhere.example"),
    ],
)
def test_what_is_wrong_is_named(result: Result, case: str, code: str, words: str) -> None:
    one = result(case)
    assert one["failed"] is True
    assert codes(one)[0] == code
    assert words in one["msg"]
    if case == "self-signed":
        assert one["relay"]["tls_details"]["self_issued"] is True
        assert one["relay"]["auth"]["tried"] is False
    if case == "no relaying":
        assert one["relay"]["stage"] == "rcpt"


@pytest.mark.parametrize(
    ("case", "code"),
    [("self-signed, unverified", "verification-off"), ("needlessly unverified", "verification-off-needlessly")],
)
def test_an_unverified_certificate_is_used_when_asked(result: Result, case: str, code: str) -> None:
    one = result(case)
    assert (one["failed"], codes(one), one["relay"]["auth"]["accepted"]) == (False, [code], True)


def test_a_dropped_port_and_the_one_to_take_instead(seen: Seen, result: Result) -> None:
    """As in a cloud that drops 465."""
    one = result("dropped port")
    assert codes(one) == ["relay-port-blocked"]
    assert "does not answer from this host, but 2525 (STARTTLS) is reachable" in one["msg"]
    (address,) = one["relay"]["addresses"]
    assert (address["family"], address["address"], address["outcome"]) == ("ipv4", seen.address, "timed out")
    assert [(each["port"], each["open"]) for each in one["relay"]["open_ports"]] == [(2465, False), (2525, True)]


def test_the_envelope_is_tried_and_nothing_is_sent(lab: Lab, seen: Seen, result: Result) -> None:
    for case in ("envelope", "no login needed"):
        one = result(case)
        assert codes(one) == []
        assert one["relay"]["envelope"]["sender"]["accepted"] is True
        assert one["relay"]["envelope"]["recipient"]["accepted"] is True
    assert not [line for line in seen.log if "message-id" in line]
    assert lab.ssh("relay", "postqueue -j").strip() == ""


def test_the_password_stays_nowhere(lab: Lab, seen: Seen) -> None:
    assert seen.left == {host: [] for host in HOSTS}
    for host in HOSTS:
        assert lab.password(host) not in seen.output
        assert lab.password(host) not in json.dumps(seen.results)
    assert WRONG not in json.dumps([one["relay"] for each in seen.results.values() for one in each.values()])
