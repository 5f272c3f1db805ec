# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from unittest import mock

import pytest
import yaml
from ansible.module_utils import basic

from ansible_collections.fediops.mastodon.plugins.module_utils._files.steps import Request, present
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.instance import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Completed, Instance
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.verdict import Verdict
from ansible_collections.fediops.mastodon.plugins.modules import mailer_check
from ansible_collections.fediops.mastodon.tests.unit.plugins.of_core import patch_module_args

SECRET = "hunter2-and-more"
INSTANCE = Instance(
    "systemd", "/srv/live", "mastodon", "/srv/live/.env.production", "", "4.3.8", "here.example", ("ruby",)
)


class Stub:
    instance = INSTANCE

    def run_in_app(self, *_command: t.Any, **_options: t.Any) -> Completed:
        return Completed(1, b"", f"a.rb:1:in `b': no {SECRET} (KeyError)\n".encode())


def run(capsys: pytest.CaptureFixture[str], arguments: dict[str, t.Any], found: t.Any) -> dict[str, t.Any]:
    find = mock.Mock(side_effect=found) if isinstance(found, Exception) else mock.Mock(return_value=found)
    with patch_module_args(arguments), mock.patch.object(mailer_check, "find", find), pytest.raises(SystemExit):
        mailer_check.main()
    return t.cast("dict[str, t.Any]", json.loads(capsys.readouterr().out))


def test_a_failure_returns_the_same_keys_as_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    documented = set(yaml.safe_load(mailer_check.RETURN))
    nothing = FindingError(TABLE.finding("no-instance", "this host", "No Mastodon here."))
    for found in (Stub(), nothing):
        result = run(capsys, {"secrets": {"SMTP_PASSWORD": SECRET}}, found)
        assert result["failed"]
        assert documented <= set(result)
        assert result["changed"] is False
        assert SECRET not in json.dumps({key: value for key, value in result.items() if key != "invocation"})


def test_a_defect_keeps_the_secrets_to_itself(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, {"secrets": {"SMTP_PASSWORD": SECRET}}, ValueError(f"not {SECRET}"))
    assert result["failed"] and "ValueError" in result["msg"] and SECRET not in result["msg"]


NO_OPTIONS: dict[str, t.Any] = {
    "set": None, "secrets": None, "remove": None, "readers": None, "send_to": None,
    "send_bulk": True, "queue_account": None, "queue_recipient": None, "timeout": 9.0,
}  # fmt: skip


def test_options_become_a_request() -> None:
    params = {
        **NO_OPTIONS, "set": {"SMTP_PORT": 587}, "readers": ["ruby"], "send_to": "", "send_bulk": False,
        "queue_account": "a@b.example",
    }  # fmt: skip
    request = mailer_check.request_from(params, True)
    assert (request.set, request.readers, request.planned) == ({"SMTP_PORT": "587"}, ("ruby",), True)
    assert (request.send_to, request.bulk, request.timeout) == (None, False, 9.0)
    assert request.accounts == {"account": "a@b.example"}


def test_a_value_is_shown_to_rails_as_env_file_writes_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    values = {"SMTP_TLS": True, "SMTP_SSL": False, "SMTP_PORT": 587, "SMTP_DOMAIN": "here.example"}
    path = tmp_path / ".env.production"
    path.write_text("A=1\n")
    assert not present(Request(str(path), set=values, backup=False)).findings
    shown = mailer_check.request_from({**NO_OPTIONS, "set": values}, True).set
    assert {f"{name}={text}" for name, text in shown.items()} < set(path.read_text().split("\n"))
    result = run(capsys, {"set": {"SMTP_DOMAIN": ["a"]}}, Stub())
    assert [one["code"] for one in result["findings"]] == ["env-value-not-text"] and "SMTP_DOMAIN" in result["msg"]


@pytest.mark.parametrize("timeout", [0, -1, 1e9])
def test_a_timeout_that_makes_no_sense(capsys: pytest.CaptureFixture[str], timeout: float) -> None:
    result = run(capsys, {"timeout": timeout}, Stub())
    assert "timeout" in result["msg"]


def test_the_documented_options_are_the_options() -> None:
    with mock.patch.object(basic.AnsibleModule, "__init__", side_effect=SystemExit) as made, pytest.raises(SystemExit):
        mailer_check.main()
    spec = made.call_args.kwargs["argument_spec"]
    documented = yaml.safe_load(mailer_check.DOCUMENTATION)["options"]
    shared = {*mailer_check.INSTANCE_ARGUMENTS, "readers"}  # from the documentation fragments
    own = {name: option for name, option in spec.items() if name not in shared}
    assert set(own) == set(documented)
    for name, option in own.items():
        assert option.get("default") == documented[name].get("default"), name
        assert option["type"] == documented[name]["type"], name


@pytest.mark.parametrize(("method", "asked"), [("sendmail", 1), ("smtp", 0)])
def test_where_sendmail_is_used_the_sandbox_of_the_services_is_looked_at(method: str, asked: int) -> None:
    driver = mock.Mock(instance=INSTANCE)
    driver.sendmail_findings.return_value = [
        TABLE.finding("sendmail-in-sandbox", "mastodon-sidekiq.service", "It has it.")
    ]
    params = {"provider_hint": "", "bulk_provider_hint": "", "expected": None}
    told = Verdict(effective={"delivery_method": method})
    with (
        mock.patch.object(mailer_check, "request_from"),
        mock.patch.object(mailer_check, "ask"),
        mock.patch.object(mailer_check, "conclude_from", return_value=told),
    ):
        found = mailer_check.work(driver, params, False).findings
    assert [one.code for one in found] == ["sendmail-in-sandbox"] * asked
