# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: options in, one JSON result out; the probe itself is tested with its core."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.module_utils._edge import INSTANCE_ARGUMENTS
from ansible_collections.fediops.mastodon.plugins.modules import smtp_relay_info
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faults import logged_in, plain_smtp
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faulty_server import FaultyServer, Peer
from ansible_collections.fediops.mastodon.tests.unit.plugins.of_core import patch_module_args

Run = t.Callable[..., "dict[str, t.Any]"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the module and gives its result. None leaves an option out."""

    def module(**options: t.Any) -> dict[str, t.Any]:
        given = {"host": "127.0.0.1", "tls": "none", "helo_domain": "social.test", "login": "mastodon", "timeout": 3}
        given = {**given, "password": "correct horse", **options}
        arguments = {name: one for name, one in given.items() if one is not None}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            smtp_relay_info.main()
        result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
        return result

    return module


def refusing(peer: Peer) -> None:
    peer.greet("AUTH PLAIN")
    peer.hear("AUTH PLAIN .*")
    peer.say("535 5.7.8 not correct horse")
    peer.hang()


def shape(value: t.Any) -> t.Any:
    """Keys of dictionaries, to any depth."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    return [shape(one) for one in value[:1]] if isinstance(value, list) else None


@pytest.mark.parametrize("check", [False, True])
def test_success(run: Run, check: bool) -> None:
    with FaultyServer(logged_in("AUTH PLAIN")) as relay:
        result = run(port=relay.port, _ansible_check_mode=check)
    assert not result.get("failed")
    assert result["changed"] is False
    assert result["findings"] == []
    assert result["relay"]["auth"] == {
        "mechanism": "plain",
        "tried": True,
        "accepted": True,
        "answer": "235 2.7.0 Authentication successful",
    }
    assert relay.errors == []


def test_failure_returns_the_same_evidence(run: Run) -> None:
    with FaultyServer(logged_in("AUTH PLAIN")) as relay:
        good = run(port=relay.port)
    with FaultyServer(refusing) as relay:
        bad = run(port=relay.port, provider_hint="Use an SMTP key.")
    assert bad["failed"] is True
    assert bad["msg"].endswith("Use an SMTP key. [login-refused]")
    assert [one["code"] for one in bad["findings"]] == ["login-refused"]
    assert good["relay"].keys() == bad["relay"].keys()
    assert bad["relay"]["auth"]["accepted"] is False
    assert bad["changed"] is False


def test_no_secret_comes_out(run: Run) -> None:
    with FaultyServer(refusing) as relay:
        shown = json.dumps(run(port=relay.port))
    assert "correct horse" not in shown
    assert "Y29ycmVjdCBob3JzZQ" not in shown


def test_skip_auth_and_the_bulk_relays_options(run: Run) -> None:
    with FaultyServer(plain_smtp("AUTH PLAIN")) as relay:
        assert [one["code"] for one in run(port=relay.port, skip_auth=True)["findings"]] == ["login-not-tried"]
    assert "mastodon_smtp_bulk.host" in run(port=1, relay="bulk")["msg"]


def test_alternative_ports_are_handed_on(run: Run) -> None:
    with FaultyServer(Peer.hang) as relay:
        result = run(port=1, alternative_ports=[{"port": relay.port, "tls": "implicit"}])
    assert result["relay"]["open_ports"] == [{"port": relay.port, "tls": "implicit", "open": True}]
    assert [one["code"] for one in result["findings"]] == ["relay-port-blocked"]


@pytest.mark.parametrize("missing", ["host", "port", "helo_domain"])
def test_required_options(run: Run, missing: str) -> None:
    result = run(**{"port": 25, missing: None})
    assert result["failed"] is True
    assert missing in result["msg"]


@pytest.mark.parametrize("missing", ["login", "password"])
def test_a_login_needs_both(run: Run, missing: str) -> None:
    assert run(port=25, **{missing: None})["msg"] == f"auth is plain but all of the following are missing: {missing}"
    assert [one["subject"] for one in run(port=25, **{missing: ""})["findings"]] == [f"mastodon_smtp_{missing}"]


def test_without_login_neither_is_needed(run: Run) -> None:
    with FaultyServer(plain_smtp("SIZE 0")) as relay:
        assert run(port=relay.port, auth="none", login=None, password=None)["findings"] == []


def test_documentation_is_of_these_options_and_results(run: Run) -> None:
    documented = yaml.safe_load(smtp_relay_info.DOCUMENTATION)["options"]
    # The hints about the instance are documented by a fragment.
    own = {name: spec for name, spec in smtp_relay_info.ARGUMENT_SPEC.items() if name not in INSTANCE_ARGUMENTS}
    assert documented.keys() == own.keys()
    for name, spec in own.items():
        assert documented[name].get("default") == spec.get("default"), name
        assert documented[name].get("choices") == spec.get("choices"), name
    with FaultyServer(logged_in("AUTH PLAIN")) as relay:
        returned = run(port=relay.port)["relay"]
    described = yaml.safe_load(smtp_relay_info.RETURN)["relay"]["contains"]
    assert described.keys() == returned.keys()
    for name in ("addresses", "ehlo", "auth"):
        assert shape(described[name]["sample"]) == shape(returned[name]), name
        inner = returned[name][0] if name == "addresses" else returned[name]
        assert described[name]["contains"].keys() == inner.keys()


def test_runs_where_only_the_standard_library_is() -> None:
    """The core must import nothing that a target may lack."""
    core = Path(smtp_relay_info.__file__).parents[1] / "module_utils" / "_smtp"
    imported = {
        line.split()[1].split(".")[0]
        for path in core.glob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(("import ", "from ")) and not line.startswith("from .")
    }
    assert imported <= {
        *("__future__", "base64", "binascii", "contextlib", "dataclasses", "datetime", "errno", "functools", "hashlib"),
        *("hmac", "ipaddress", "os", "re", "select", "selectors", "socket", "ssl", "threading", "time", "typing"),
    }
