# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge of the module: options in, result out. What a restart does is tested with the core and on the lab."""

from __future__ import annotations

import dataclasses
import json
import types

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._files.steps import Request, present
from ansible_collections.fediops.mastodon.plugins.module_utils._files.unproved import about
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.instance import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import (
    Hints,
    Instance,
    InstanceError,
    Service,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.renewal import Outcome, Renewal
from ansible_collections.fediops.mastodon.plugins.modules import mail_services
from ansible_collections.fediops.mastodon.tests.unit.plugins.of_core import patch_module_args

TIMES = {"steady": 10.0, "timeout": 180.0}
OLD = Service("mastodon-web.service", "web", "running", "active (running)", started=0.0, pid=7, stale=True)
NEW = dataclasses.replace(OLD, pid=8, started=60.0, stale=False)
DONE = Outcome([Renewal(OLD, NEW, True)], [], 12.34)


@pytest.fixture
def run(monkeypatch, capsys):
    def with_options(outcome=DONE, options=None, check=False, found="driver"):
        asked = []

        def find(hints):
            asked.append(hints)
            if isinstance(found, Exception):
                raise found
            return found

        def does(name):
            def step(driver, goal, **limits):
                asked.append((name, driver, goal, limits))
                if isinstance(outcome, Exception):
                    raise outcome
                return outcome

            return step

        monkeypatch.setattr(mail_services, "find", find)
        monkeypatch.setattr(mail_services, "renew", does("renew"))
        monkeypatch.setattr(mail_services, "predict", does("predict"))
        with patch_module_args({**(options or {}), "_ansible_check_mode": check}), pytest.raises(SystemExit) as ended:
            mail_services.main()
        result = json.loads(capsys.readouterr().out)
        assert (ended.value.code != 0) is result.get("failed", False)
        return result, asked

    return with_options


def test_the_defaults_and_the_result(run):
    result, asked = run()
    assert asked == [Hints(), ("renew", "driver", "current", {**TIMES, "accepted": ()})]
    assert result["changed"] is True and result["ready_after"] == 12.3 and result["findings"] == []
    (service,) = result["services"]
    assert (service["name"], service["restarted"], service["stale"]) == ("mastodon-web.service", True, True)
    assert (service["before"]["pid"], service["after"]["pid"]) == (7, 8)
    assert service["after"]["since"] == "1970-01-01T00:01:00Z"


def test_options_reach_the_work(run):
    _unused, asked = run(options={"state": "restarted", "steady": 0, "timeout": 2.5, "services": ["x"]})
    times = {"steady": 0.0, "timeout": 2.5, "accepted": ()}
    assert asked == [Hints(services=("x",)), ("renew", "driver", "restarted", times)]


def test_check_mode_only_predicts(run):
    result, asked = run(check=True, options={"state": "restarted"})
    assert asked[1] == ("predict", "driver", "restarted", {"accepted": ()}) and result["changed"] is True


def test_what_earlier_steps_hand_on_reaches_the_work(run):
    told = {"handed": {"accept": ["mail-not-served"], "edited": True}}
    assert run(options=told)[1][1][2:] == ("current", {**TIMES, "accepted": ["mail-not-served"]})
    assert run(check=True, options=told)[1][1][2:] == ("edited", {"accepted": ["mail-not-served"]})


def test_nothing_restarted_is_no_change(run):
    assert run(Outcome([Renewal(NEW, NEW, False)], []))[0]["changed"] is False


def test_a_failed_restart_is_a_failure_that_has_changed_something(run):
    finding = TABLE.finding("service-crash-loop", OLD.name, "It has ended and been started again 2 times.")
    result, _unused = run(Outcome([Renewal(OLD, NEW, True)], [finding], 4.0))
    assert result["failed"] and result["changed"] is True and len(result["services"]) == 1
    assert "2 times" in result["msg"] and result["findings"][0]["code"] == "service-crash-loop"


def test_a_warning_does_not_fail(run):
    finding = TABLE.finding("service-stopped", OLD.name, "It is stopped.")
    result, _unused = run(Outcome([Renewal(OLD, NEW, True)], [finding]))
    assert not result.get("failed") and result["findings"][0]["severity"] == "warning"


@pytest.mark.parametrize("name", ["steady", "timeout"])
@pytest.mark.parametrize("value", [-1, 86401, "nan"])
def test_times_that_make_no_sense_are_refused_before_anything_is_done(run, name, value):
    result, asked = run(options={name: value})
    assert result["failed"] and name in result["msg"] and asked == []


@pytest.mark.parametrize("where", ["found", "outcome"])
def test_a_refusal_becomes_a_failure(run, where):
    refusal = FindingError(TABLE.finding("no-systemd", "systemctl", "It cannot be run."))
    result, _unused = run(**{where: refusal})
    assert result["failed"] and result["changed"] is False and result["findings"][0]["code"] == "no-systemd"


def test_a_faulty_instance_names_all_its_faults(run):
    instance = Instance("systemd", "/live", "mastodon", "/live/.env", "", "", "")
    codes = ["user-unknown", "release-unreadable"]
    result, _unused = run(found=InstanceError(instance, [TABLE.finding(code, "/live", "No.") for code in codes]))
    assert result["failed"] and [one["code"] for one in result["findings"]] == codes


def test_a_ticket_that_another_rollout_has_taken_over_stops_it_before_anything_is_done(run, tmp_path):
    path = tmp_path / ".env.production"
    path.write_bytes(b"SMTP_SERVER=old\n")
    request = Request(str(path), set={"SMTP_SERVER": "new"}, prove=("services", "queue"))
    mine, heir = present(request).ticket, present(request).ticket
    driver = types.SimpleNamespace(instance=types.SimpleNamespace(env_file=str(path)))
    result, asked = run(found=driver, options={"handed": {"ticket": mine}})
    assert result["failed"] and result["findings"][0]["code"] == "edit-taken-over" and len(asked) == 1
    result, asked = run(found=driver, options={"handed": {"ticket": heir}})
    assert not result.get("failed") and asked[1][0] == "renew" and about(str(path))[0]["unproved"] == ["queue"]


def test_what_failed_is_not_proved(run, tmp_path):
    path = tmp_path / ".env.production"
    path.write_bytes(b"SMTP_SERVER=old\n")
    ticket = present(Request(str(path), set={"SMTP_SERVER": "new"}, prove=("services",))).ticket
    driver = types.SimpleNamespace(instance=types.SimpleNamespace(env_file=str(path)))
    finding = TABLE.finding("service-crash-loop", OLD.name, "It has ended and been started again 2 times.")
    result, _unused = run(
        Outcome([Renewal(OLD, NEW, True)], [finding]), found=driver, options={"handed": {"ticket": ticket}}
    )
    assert result["failed"] and about(str(path))[0]["unproved"] == ["services"]
