# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every row of the table of faults: a fault of the mail never ends green, and a fault of the test never undoes."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from test__conclusion import QUEUE, also, whole
from test__known import ALL, edit, known

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.queue import OF_TEST, TABLE
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import _outcome_of
from ansible_collections.fediops.mastodon.plugins.plugin_utils._conclusion import preflight, rollout
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import PREFLIGHT, Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry

FAULTS = yaml.safe_load((Path(__file__).parents[3] / "integration" / "rollout" / "faults.yml").read_text())
KEYS = {
    "instance_info": "instance",
    "smtp_settings": "settings",
    "smtp_relay_info": "relay",
    "mailer_check": "mailer",
    "mail_services": "services",
    "queued_mail_check": "queue",
}
ROWS = [{**row, "step": step} for step, rows in FAULTS["steps"].items() for row in rows]
ROWS += [row for run in FAULTS["rollouts"] for row in run["hosts"].values()]
IDS = [f"{row['step']}: {row['fault']}" for row in ROWS]


def ended(row: dict[str, t.Any], unproved: str | None = None) -> tuple[Known, str, dict[str, t.Any]]:
    """The host after this fault, how its step ended, and the result."""
    key = KEYS[row["step"]]
    findings = [Finding(row["code"], "error", "x", "It is so.", "Do it.").as_dict()]
    outcome = _outcome_of({"failed": True, "findings": findings})
    before = {"instance": whole(), "settings": {"plan": {"effective": {}}}}
    if key not in PREFLIGHT:
        rails = {"rails": {"rails": "8.0.3"}, "effective": {"from": "a@b.test"}, "test_message": []}
        before |= {"edit": {"changed_variables": [], **edit(*ALL)}, "mailer": rails}
    if key in ("services", "queue"):
        before |= {"services": {"services": [], "changed": True}}
    entry = Entry("The step", outcome, ("It is so.",), {**before.get(key, {}), "findings": findings})
    host = also(known({"unproved": unproved}, **before), **{key: entry})
    return host, outcome, preflight(host, None, str) if key in PREFLIGHT else rollout(host, None, str)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_how_a_fault_ends(row: dict[str, t.Any]) -> None:
    host, outcome, result = ended(row)
    of_test = bool(row.get("of_test"))
    assert of_test is (row["code"] in OF_TEST) is (outcome == "not_proved"), "a task that fails leads to the undo"
    if KEYS[row["step"]] in PREFLIGHT:
        assert result["failed"] and not of_test
    elif of_test:
        assert (result["outcome"], result["label"], result["fails"]) == ("not proved", "Done, not proved", True)
        assert "The new settings stay in" in result["summary"] and "To prove it: " in result["summary"]
        assert not ended(row, "warn")[2]["fails"]
    else:
        assert host.undo and result["fails"] and result["label"].startswith("Failed, ")
        assert ended(row, "warn")[2]["fails"], "mastodon_smtp_unproved is for tests alone"


def test_every_error_that_is_of_the_test_alone_has_the_same_end() -> None:
    """Those as well that no row produces, and in the step of Rails."""
    for code in OF_TEST:
        for step in ("mailer_check", "queued_mail_check"):
            _host, outcome, result = ended({"step": step, "code": code})
            assert (outcome, result["outcome"], result["label"]) == ("not_proved", "not proved", "Done, not proved")
    for code in TABLE.rows.keys() - OF_TEST:
        assert ended({"step": "queued_mail_check", "code": code})[2]["label"].startswith("Failed, ")


def test_a_host_is_done_and_proved_by_a_mail_alone() -> None:
    steps = {"edit": {"changed_variables": [], **edit(*ALL)}, "services": {"services": []}, "instance": whole()}
    steps |= {"settings": {"plan": {"effective": {}}}, "mailer": {"rails": {}, "effective": {}, "test_message": []}}
    assert rollout(known(**steps, **QUEUE), None, str)["label"] == "Done and proved"
