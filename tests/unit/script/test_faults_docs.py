# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/faults.md says what the tests of faults do, and those cover what the field fears."""

from __future__ import annotations

import copy
import typing as t

import pytest

#: What a lab can produce for real, by the step that finds it.
WANTED = {
    "mailer_check": {
        *("login-refused", "password-misread", "plaintext-on-tls-port", "tls-on-plaintext-port"),
        *("certificate-untrusted", "certificate-wrong-name", "relay-connection-refused", "relay-connect-timeout"),
        *("sender-refused", "relay-denied", "recipient-refused", "relay-temporary"),
        *("rails-does-not-boot", "rails-timeout"),
    },
    "queued_mail_check": {
        *("redis-unreachable", "sidekiq-not-running", "job-not-picked-up", "queue-not-served", "recipient-refused"),
        *("relay-temporary", "relay-connection-refused", "account-gets-no-mail"),
    },
}


@pytest.fixture(scope="module")
def script(load_script: t.Callable[[str], t.Any]) -> t.Any:
    return load_script("faults-docs")


@pytest.fixture(scope="module")
def data(script: t.Any) -> t.Any:
    return script.load()


def all_rows(data: t.Any) -> list[dict[str, t.Any]]:
    alone = [row for rows in data["steps"].values() for row in rows]
    return alone + [row for run in data["rollouts"] for row in run["hosts"].values()]


def test_another_code_in_the_data_makes_the_page_stale(script: t.Any, data: t.Any) -> None:
    changed = copy.deepcopy(data)
    changed["steps"]["mailer_check"][0]["code"] = "relay-silent"
    assert script.page(changed) != script.page(data)


def test_every_code_is_an_error_of_the_tables(data: t.Any, load_script: t.Callable[[str], t.Any]) -> None:
    tables = [module.TABLE.rows for module in load_script("findings-docs").areas().values()]
    errors = {code for rows in tables for code, row in rows.items() if row.severity == "error"}
    assert {row["code"] for row in all_rows(data)} <= errors


@pytest.mark.parametrize("step", WANTED)
def test_every_fault_that_the_lab_can_produce_is_there(data: t.Any, step: str) -> None:
    assert WANTED[step] - {row["code"] for row in data["steps"][step]} == set()


def test_every_step_after_the_edit_fails_in_a_whole_rollout_and_so_does_the_undo(data: t.Any) -> None:
    rows = [row for run in data["rollouts"] for row in run["hosts"].values()]
    assert {row["step"] for row in rows} >= {"mailer_check", "mail_services", "queued_mail_check"}
    ends = {(row["file"], row["services"]) for row in rows}
    assert ends >= {("same", "same"), ("same", "back"), ("same", "down"), ("kept", "same"), ("kept", "back")}


def test_a_fault_is_named_once_in_its_step(data: t.Any) -> None:
    for rows in data["steps"].values():
        names = [row["fault"] for row in rows]
        assert sorted(set(names)) == sorted(names)
