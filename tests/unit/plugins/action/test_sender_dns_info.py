# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step sender_dns_info against a name server on loopback; nothing else is ever asked."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import typing as t
from pathlib import Path
from types import SimpleNamespace

import dns.flags
import dns.message
import dns.rcode
import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.fediops.mastodon.plugins.action import sender_dns_info as step_file
from ansible_collections.fediops.mastodon.plugins.modules import sender_dns_info as documented
from ansible_collections.fediops.mastodon.plugins.plugin_utils import _run
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import libraries, queries
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.rules import EVALUATED, RULES
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns import dns_book, dns_loopback

OTHER = {name.replace("example.org", "example.net"): rows for name, rows in dns_book.GOOD.items()}
ZONE = {**OTHER, **dns_book.GOOD}


@pytest.fixture(autouse=True)
def no_other_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller's own name servers must not be looked up, let alone asked."""

    def refuse() -> tuple[str, ...]:
        raise AssertionError("a test would have asked the network")

    monkeypatch.setattr(queries, "system_nameservers", refuse)


@pytest.fixture
def server() -> t.Iterator[dns_loopback.Server]:
    with dns_loopback.Server(dns_loopback.zone(ZONE)) as running:
        yield running


def run(port: int, **options: t.Any) -> dict[str, t.Any]:
    # Every run looks for itself unless it says otherwise; a patient time-out, for machines with other work.
    arguments = {"nameservers": ["127.0.0.1"], "port": port, "timeout": 10, "share_verdict": False, **options}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    task = SimpleNamespace(
        args=arguments, async_val=0, check_mode=True, diff=True, environment=[], action="x", no_log=False
    )
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    step = step_file.ActionModule(
        task, connection, SimpleNamespace(check_mode=True), DataLoader(), Templar(DataLoader()), None
    )
    result: dict[str, t.Any] = step.run(task_vars={})
    json.dumps(result)
    return result


GOOD: dict[str, t.Any] = dns_book.OPTIONS
BAD: dict[str, t.Any] = {**GOOD, "relay_addresses": ["203.0.113.9"]}
ODD: dict[str, t.Any] = {**GOOD, "selectors": ["s1", "s2"]}


def test_a_good_sender(server: dns_loopback.Server) -> None:
    result = run(server.port, **GOOD)
    assert "failed" not in result
    assert (result["changed"], result["verdict"], result["nameservers"]) == (False, "ok", ["127.0.0.1"])
    assert [one["code"] for one in result["findings"]] == ["dmarc-policy"]
    (sender,) = result["sender_dns"]
    assert (sender["from_domain"], sender["return_path_domain"]) == ("example.org", "example.org")
    assert [one["id"] for one in sender["rules"]] == [one.id for one in RULES]
    relay = [(one["address"], one["verdict"]) for one in sender["records"]["spf_relay"]]
    assert relay == [("198.51.100.1", "pass"), ("2001:db8:5::1", "pass")]
    assert result["domains"] == {"example.org": {"verdict": "ok", "findings": result["findings"]}}


@pytest.mark.parametrize(
    ("options", "fail_on", "fails"),
    [
        (GOOD, "warning", False),
        (ODD, "error", False),
        (ODD, "warning", True),
        (ODD, "never", False),
        (BAD, None, True),
        (BAD, "error", True),
        (BAD, "never", False),
    ],
)
def test_fail_on_decides_and_changes_no_evidence(
    server: dns_loopback.Server, options: dict[str, t.Any], fail_on: str | None, fails: bool
) -> None:
    result = run(server.port, **options, fail_on=fail_on)
    lenient = run(server.port, **options, fail_on="never")
    assert result.get("failed", False) is fails
    assert [one["severity"] for one in result["findings"]] == [one["severity"] for one in lenient["findings"]]
    assert {name: result[name] for name in ("verdict", "domains")} == {
        name: lenient[name] for name in ("verdict", "domains")
    }
    if fails:
        assert result["findings"][0]["message"] in result["msg"]


def test_nothing_is_asked_twice_for_many_hosts(server: dns_loopback.Server) -> None:
    entries = [{"from_address": f"host{one}@Example.org", "selectors": ["s1"]} for one in range(30)]
    entries.append({"from_address": "n@example.net", "selectors": ["s1"]})
    result = run(server.port, senders=entries, spf_include="_spf.relay.test")
    assert [one["from_domain"] for one in result["sender_dns"]] == ["example.org", "example.net"]
    assert set(result["domains"]) == {"example.org", "example.net"}
    assert len(server.asked) == len(set(server.asked))


def test_hosts_of_one_run_share_what_the_first_one_saw(
    server: dns_loopback.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_run, "folder_of_this_run", lambda: tmp_path)
    results: list[dict[str, t.Any]] = []
    hosts = [
        threading.Thread(target=lambda: results.append(run(server.port, share_verdict=True, **BAD)))
        for _one in range(6)
    ]
    for host in hosts:
        host.start()
    for host in hosts:
        host.join(60)
    assert len(results) == len(hosts)
    assert len(server.asked) == len(set(server.asked)) > 0
    assert all(one == results[0] and one["failed"] for one in results)
    before = len(server.asked)
    assert run(server.port, share_verdict=True, **GOOD)["verdict"] == "ok"  # another sender is another matter
    assert len(server.asked) > before
    again = len(server.asked)
    run(server.port, **BAD)
    assert len(server.asked) > again  # and without sharing it is asked again, as for until


def test_an_entry_takes_what_it_leaves_out_from_the_options_beside_it(server: dns_loopback.Server) -> None:
    entries = [{"from_address": "n@example.org"}, {"from_address": "n@example.org", "bulk": False}]
    result = run(server.port, senders=entries, bulk=True, selectors=["s1"], spf_include="_spf.relay.test")
    assert len(result["sender_dns"]) == 2


def test_one_domain_with_two_senders_has_the_worse_verdict(server: dns_loopback.Server) -> None:
    entries = [{"from_address": "n@example.org"}, {"from_address": "n@example.org", "relay_addresses": ["203.0.113.9"]}]
    result = run(server.port, senders=entries, selectors=["s1"], spf_include="_spf.relay.test", fail_on="never")
    assert [one["verdict"] for one in result["sender_dns"]] == ["ok", "error"]
    assert result["domains"]["example.org"]["verdict"] == "error"


def test_no_senders_is_nothing_to_do(server: dns_loopback.Server) -> None:
    result = run(server.port, senders=[])
    assert (result["verdict"], result["domains"], server.asked) == ("ok", {}, [])


def test_a_dead_name_server_is_one_finding_and_does_not_fail() -> None:
    with dns_loopback.Server(lambda _query, _transport: []) as server:
        result = run(server.port, **GOOD, timeout=0.2, fail_on="warning")
    assert "failed" not in result
    assert result["verdict"] == "unknown"
    assert [one["code"] for one in result["findings"]] == ["dns-unanswered"]
    outcomes = {one["id"]: one["outcome"] for one in result["sender_dns"][0]["rules"]}
    assert set(outcomes.values()) <= {"unknown", "skipped", "ok"}
    assert {one for one, outcome in outcomes.items() if outcome == "ok"} <= {"K3"}


def servfail(query: dns.message.Message, _transport: str) -> t.Iterator[bytes]:
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.SERVFAIL)
    yield reply.to_wire()


def lies_about_the_id(query: dns.message.Message, _transport: str) -> t.Iterator[bytes]:
    reply = dns.message.make_response(query, recursion_available=True)
    reply.id = query.id ^ 1
    yield reply.to_wire()


def truncates(query: dns.message.Message, transport: str) -> t.Iterator[bytes]:
    """Over UDP it says that the answer did not fit, and over TCP it says nothing."""
    if transport == "udp":
        reply = dns.message.make_response(query, recursion_available=True)
        reply.flags |= dns.flags.TC
        yield reply.to_wire()


@pytest.mark.parametrize(
    ("respond", "words"),
    [
        (servfail, "SERVFAIL"),
        (lies_about_the_id, "none was the answer to the question"),
        (truncates, "no answer in time"),
    ],
)
def test_a_name_server_out_of_order_says_nothing_about_the_records(respond: dns_loopback.Respond, words: str) -> None:
    with dns_loopback.Server(respond) as server:
        result = run(server.port, **GOOD, timeout=0.2, lifetime=5, fail_on="warning")
    assert "failed" not in result
    assert (result["verdict"], [one["code"] for one in result["findings"]]) == ("unknown", ["dns-unanswered"])
    assert words in result["findings"][0]["message"]


def test_answers_that_do_not_fit_are_fetched_over_tcp() -> None:
    with dns_loopback.Server(dns_loopback.zone(ZONE, largest=60)) as server:
        result = run(server.port, **GOOD)
    assert (result["verdict"], {one for one, _kind, _name in server.asked}) == ("ok", {"udp", "tcp"})


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"from_address": "nobody"}, "from_address"),
        ({**GOOD, "nameservers": ["dns.example.org"]}, "nameservers"),
        ({**GOOD, "port": 70000}, "port"),
        ({**GOOD, "timeout": 0}, "timeout"),
        ({**GOOD, "timeout": float("nan")}, "timeout"),
        ({**GOOD, "lifetime": -1}, "lifetime"),
        ({**GOOD, "provider": "nonesuch"}, "provider"),
        ({**GOOD, "relay_addresses": ["x"]}, "relay_addresses"),
    ],
)
def test_what_cannot_be_used_is_a_finding(server: dns_loopback.Server, options: dict[str, t.Any], subject: str) -> None:
    result = run(**{"port": server.port, **options})
    assert result["failed"] is True
    assert [(one["code"], one["subject"]) for one in result["findings"]] == [("sender-option-invalid", subject)]
    assert set(result) >= {"verdict", "domains", "sender_dns", "nameservers"}
    assert (result["verdict"], server.asked) == ("error", [])


@pytest.mark.parametrize(
    "options",
    [{}, {"from_address": "a@b.test", "senders": []}, {"senders": [{"provider": "gmail"}]}, {"fail_on": "maybe"}],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, t.Any]) -> None:
    with pytest.raises(AnsibleActionFail):
        run(5, **options)


def test_what_others_publish_cannot_flood_or_colour_the_result() -> None:
    rows = [("MX", "10 mail.example.org"), ("TXT", "v=spf1 \x1b[31m" + "x" * 4000), ("TXT", "\u202e" + "y" * 60000)]
    with dns_loopback.Server(dns_loopback.zone({**ZONE, "example.org": rows}, largest=1232)) as server:
        result = run(server.port, **GOOD, fail_on="never")
    text = json.dumps(result, ensure_ascii=False)
    assert "\x1b" not in text and "\u202e" not in text
    assert len(text) < 30000


def test_a_missing_package_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libraries.NEEDED, "no-such-package", (1, 0))
    result = run(5, **GOOD)
    assert result["failed"] is True
    assert [one["code"] for one in result["findings"]] == ["dns-packages-missing"]
    assert f"Run: {sys.executable} -m pip install 'no-such-package>=1.0' (on this machine only)." in result["msg"]


def test_a_package_that_is_listed_but_damaged_is_missing_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dns.resolver", None)  # importing it is an ImportError now
    result = run(5, **GOOD)
    assert [one["code"] for one in result["findings"]] == ["dns-packages-missing"]
    assert "lacks dnspython>=" in result["msg"] and "pip install --force-reinstall" in result["msg"]


@pytest.mark.parametrize("options", [GOOD, BAD])
def test_without_spftrace_all_but_spf_is_checked(
    server: dns_loopback.Server, monkeypatch: pytest.MonkeyPatch, options: dict[str, t.Any]
) -> None:
    monkeypatch.setitem(sys.modules, "spftrace", None)
    result = run(server.port, **options, fail_on="warning")
    assert "failed" not in result  # never a stop
    missing = next(one for one in result["findings"] if one["code"] == "dns-packages-missing")
    assert (missing["severity"], missing["subject"]) == ("unknown", "SPF")
    assert missing["message"].startswith("SPF is not checked: ") and "pip install" in missing["fix"]
    outcomes = {one["id"]: one["outcome"] for one in result["sender_dns"][0]["rules"]}
    assert {name for name, outcome in outcomes.items() if outcome == "unknown"} == EVALUATED
    assert (outcomes["S1"], outcomes["K1"], outcomes["M1"], outcomes["M4"]) == ("ok", "ok", "ok", "ok")


def test_a_python_of_the_operating_system_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Debian's and Ubuntu's pip refuse to install into it (PEP 668)."""
    (tmp_path / "EXTERNALLY-MANAGED").write_text("")
    monkeypatch.setattr(libraries.sysconfig, "get_path", lambda _name: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    told = libraries.remedy(["spftrace>=0.3"])
    assert "PEP 668" in told and "-m venv ~/ansible && ~/ansible/bin/pip install ansible-core 'spftrace>=0.3'" in told


def test_an_environment_without_pip_is_uvs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda _name: None)
    assert f"Run: uv pip install --python {sys.executable} 'x>=1'" in libraries.remedy(["x>=1"])


def test_it_can_be_imported_without_its_packages() -> None:
    """ansible-test and ansible-doc do, and so does a controller before anyone installed anything."""
    program = (
        "import sys\n"
        "for name in ('dns', 'spftrace', 'idna'): sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(Path(step_file.__file__).parents[5])!r})\n"
        "from ansible_collections.fediops.mastodon.plugins.action import sender_dns_info\n"
        "print(sender_dns_info.ActionModule.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "ActionModule"), done.stderr


def test_records_are_judged_and_repaired_without_spftrace() -> None:
    """Nothing of it is imported; several SPF records make the rule that words a repair run."""
    program = (
        "import sys\n"
        "sys.modules['spftrace'] = None\n"
        f"sys.path.insert(0, {str(Path(step_file.__file__).parents[5])!r})\n"
        "from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import facts, rules, sender\n"
        "from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns import dns_book\n"
        "two = [('A', '192.0.2.1'), ('TXT', 'v=spf1 a -all'), ('TXT', 'v=spf1 ~all')]\n"
        "several = {**dns_book.GOOD, 'example.org': two}\n"
        "for book in (dns_book.GOOD, several, {}):\n"
        "    who = sender.sender_from(dns_book.OPTIONS, sender.Relay())\n"
        "    done = rules.judge(facts.gather(who, dns_book.ask_from(book), evaluate=False))\n"
        "    zone = done.as_dict()['zone']\n"
        "    print(done.outcomes['S1'], done.outcomes['S4'], '\\nexample.org. 3600 IN TXT \"v=spf1' in zone)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["ok unknown False", "error unknown False", "error unknown True"], done.stderr


def test_the_documentation_is_the_argument_spec() -> None:
    def compare(described: dict[str, t.Any], spec: dict[str, t.Any]) -> None:
        assert set(described) == set(spec)
        for name, option in spec.items():
            for key in ("type", "elements", "choices", "default"):
                assert described[name].get(key) == option.get(key), (name, key)
            assert described[name].get("required", False) == option.get("required", False)
            compare(described[name].get("suboptions", {}), option.get("options", {}))

    compare(yaml.safe_load(documented.DOCUMENTATION)["options"], step_file.ActionModule.ARGUMENT_SPEC)


def test_the_documentation_names_what_is_returned(server: dns_loopback.Server) -> None:
    described = yaml.safe_load(documented.RETURN)
    result = run(server.port, **GOOD)
    assert set(described) == set(result) - {"changed"}
    assert set(described["sender_dns"]["contains"]) == set(result["sender_dns"][0])
    assert all(f"C({name})" in described["findings"]["description"][1] for name in result["findings"][0])
    assert f"judges it by {len(RULES)} rules" in documented.DOCUMENTATION
