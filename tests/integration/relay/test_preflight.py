# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight of the playbook, over SSH: what hosts of one run share, in every strategy, and what it finds in time.

The relay is the lab's; the sender's DNS comes from a name server in this process, which counts what it is asked.
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
from harness import INVENTORY, Lab, Run

from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns import dns_book, dns_loopback

PREFLIGHT = ("--tags", "mastodon_smtp_preflight")
MACHINES = ("masto1", "masto2")
TWINS = 4
EVERY_HOST = {*MACHINES, *(f"twin{number}" for number in range(TWINS))}


@pytest.fixture
def name_server() -> t.Iterator[dns_loopback.Server]:
    with dns_loopback.Server(dns_loopback.zone(dns_book.GOOD)) as server:
        yield server


def about_dns(server: dns_loopback.Server) -> dict[str, t.Any]:
    """Variables with which the sender's DNS is in order."""
    return {
        "mastodon_smtp_check_dns": True,
        "mastodon_smtp_dns_servers": ["127.0.0.1"],
        "mastodon_smtp_dns_port": server.port,
        "mastodon_smtp_from_address": "Mastodon <notifications@example.org>",
        "mastodon_smtp_return_path": "notifications@example.org",
        "mastodon_smtp_spf_include": "_spf.relay.test",
        "mastodon_smtp_dkim_selectors": ["s1"],
        "mastodon_smtp_check_envelope": False,  # the lab's relay has other owners for its logins
    }


@pytest.fixture
def twins(lab: Lab, tmp_path: Path) -> tuple[str, str]:
    """An inventory in which the machine masto2 is several hosts more, with the same account at the relay."""
    address = json.loads((INVENTORY / "hosts.yml").read_text().split("---", 1)[1])
    machine = address["all"]["children"]["fleet"]["children"]["mastodon"]["hosts"]["masto2"]
    variables = {name: one for name, one in lab.variables["masto2"].items() if name.startswith("mastodon_smtp_")}
    hosts = {f"twin{number}": {**machine, **variables} for number in range(TWINS)}
    # the machine's host key is known by its own name
    file = tmp_path / "twins.yml"
    file.write_text(json.dumps({"all": {"children": {"mastodon": {"hosts": hosts}}}}))
    return "-i", str(file)


def told(done: Run, code: str) -> set[str]:
    """The hosts that say a code when they fail. The run was started with as_json()."""
    failures = re.findall(r"^fatal: \[(\w+)\]: FAILED! => (\{.*\})$", done.output, re.M)
    return {host for host, result in failures if f"[{code}]" in json.loads(result)["msg"]}


def as_json(**more: str) -> dict[str, str]:
    return {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", **more}


def relay_log(lab: Lab, since: str, words: str) -> list[str]:
    """What the relay says about its submission port since a moment."""
    log = lab.ssh("relay", f"journalctl --no-pager -o cat --since '@{since}' -t postfix/submission/smtpd")
    return [line for line in log.splitlines() if words in line]


def now(lab: Lab) -> str:
    return lab.ssh("relay", "date +%s.%N").strip()


@pytest.mark.parametrize("strategy", ["linear", "free", "host_pinned"])
def test_a_refused_login_and_a_bad_sender_are_asked_about_once_and_told_to_every_host(
    lab: Lab, name_server: dns_loopback.Server, twins: tuple[str, str], strategy: str
) -> None:
    since = now(lab)
    sender = {**about_dns(name_server), "mastodon_smtp_dkim_selectors": ["s2"]}  # a selector without a key
    done = lab.rollout(
        *twins,
        *PREFLIGHT,
        *("--limit", ",".join(EVERY_HOST)),
        *(["--check"] if strategy != "free" else []),
        env=as_json(ANSIBLE_STRATEGY=strategy, ANSIBLE_FORKS="10"),
        **sender,
        mastodon_smtp_login="masto2@relay.test",
        mastodon_smtp_password="not-the-password-1234",
        mastodon_smtp_provider="brevo",
    )
    assert done.status != 0, done.output
    assert len(relay_log(lab, since, "authentication failed")) == 1
    (first,) = told(done, "login-refused")
    assert told(done, "login-refused-elsewhere") == EVERY_HOST - {first}, done.output
    assert f"{first} was rejected with this login" in " ".join(done.output.split())
    assert "the password is an SMTP key; the API key does not work" in done.output  # what the preset says of its logins
    # the bad news about the relay did not keep anyone from hearing about the sender
    assert told(done, "dkim-without-key") == EVERY_HOST
    assert len(name_server.asked) == len(set(name_server.asked)) > 0
    assert "not-the-password-1234" not in done.output
    assert "Edit the environment file" not in done.output


def test_a_good_fleet_is_looked_at_in_any_order_and_told_so(lab: Lab, name_server: dns_loopback.Server) -> None:
    since = now(lab)
    limit = ("--limit", ",".join(MACHINES))
    done = lab.rollout("--check", *limit, env={"ANSIBLE_STRATEGY": "free"}, **about_dns(name_server))
    assert done.status == 0, done.output
    assert relay_log(lab, since, "authentication failed") == []
    assert len(name_server.asked) == len(set(name_server.asked)) > 0
    flat = " ".join(done.output.split())
    for _host in MACHINES:
        found = re.search(r"Preflight: smtp\.relay\.test:587 answers at [0-9.]+, TLSv1\.[23], .*? login accepted", flat)
        assert found, done.output
        flat = flat.replace(found[0], "", 1)
    assert len(re.findall(r"Preflight: DNS of example\.org: \d+ of \d+ checks passed'?( |$)", flat)) == len(MACHINES)


def test_a_sender_that_the_login_does_not_own_is_found_before_the_edit(
    lab: Lab, name_server: dns_loopback.Server
) -> None:
    before = [(lab.checksum(host), lab.processes(host)) for host in MACHINES]
    since = now(lab)
    theirs = {"mastodon_smtp_from_address": "a@masto1.test", "mastodon_smtp_return_path": "a@masto1.test"}
    done = lab.rollout("--limit", "masto2", env=as_json(), **theirs)
    assert done.status != 0
    assert told(done, "sender-refused") == {"masto2"}, done.output
    assert "mastodon_smtp_from_address" in done.output
    assert [(lab.checksum(host), lab.processes(host)) for host in MACHINES] == before
    assert not [
        line for line in lab.ssh("relay", f"journalctl -o cat --since '@{since}'").splitlines() if "queued" in line
    ]
    # one switch each leaves relay and DNS alone; the good fleet above has the envelope's switched off
    since = now(lab)
    switches = {"mastodon_smtp_check_relay": False, "mastodon_smtp_check_dns": False}
    done = lab.rollout("--limit", "masto2", *PREFLIGHT, **{**about_dns(name_server), **theirs, **switches})
    assert done.status == 0, done.output
    assert relay_log(lab, since, "connect from") == []
    assert name_server.asked == []
