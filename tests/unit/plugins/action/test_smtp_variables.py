# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables: everything that is wrong with them at once, and no secret in any of it."""

from __future__ import annotations

import re
import typing as t
from types import SimpleNamespace

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.fediops.mastodon.plugins.action.smtp_variables import ActionModule
from ansible_collections.fediops.mastodon.tests.unit.plugins.of_core import ALWAYS, trust_as_template

SECRET = "pa55\\of 'the' \"relay\" wörd"
QUOTED = (SECRET, repr(SECRET)[1:-1], ascii(SECRET)[1:-1], repr(repr(SECRET))[1:-1])


def check(**variables: t.Any) -> dict[str, t.Any]:
    """What the step says of variables (without the prefix); templates are texts with {{ }}."""
    named = {f"mastodon_smtp_{name}": _trusted(value) for name, value in variables.items()}
    task = SimpleNamespace(args={}, async_val=0, check_mode=True, diff=True, environment=[], action="x", no_log=False)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    templar = Templar(DataLoader(), variables={**ALWAYS, **named})
    result = ActionModule(task, connection, SimpleNamespace(), DataLoader(), templar, None).run(task_vars=named)
    assert [one for one in QUOTED if one in str(result) or one in result.get("msg", "")] == []
    return result


def _trusted(value: t.Any) -> t.Any:
    return trust_as_template(value) if isinstance(value, str) and "{{" in value else value


def found(result: dict[str, t.Any]) -> list[tuple[str, str]]:
    return [(one["code"], one["subject"]) for one in result["findings"]]


def test_variables_that_are_well() -> None:
    result = check(host="smtp.example.org", port="587", password=SECRET, undo="false", bulk={"host": "x"}, batches=[1])
    assert "failed" not in result and result["findings"] == []


@pytest.mark.parametrize("name", ["test_account", "test_recipient"])
def test_who_gets_test_mail_is_judged_before_anything_is_done(name: str) -> None:
    for good in ("admin@example.org", "a.b+c@xn--bcher-kva.example", "jörg@example.org", ""):
        assert check(**{name: good})["findings"] == []
    for bad in ("admin", "Admin <admin@example.org>", "a@b.example, c@d.example", "a@b@c", "@example.org", "a@"):
        assert found(check(**{name: bad})) == [("test-address-invalid", f"mastodon_smtp_{name}")]


def test_the_pace_of_a_retry_is_judged_before_anything_is_done() -> None:
    for good in (1, "20", 600):
        assert check(retry_rate=good)["findings"] == []
    for bad in (0, "-1", 601):
        assert found(check(retry_rate=bad)) == [("retry-rate-invalid", "mastodon_smtp_retry_rate")]
    assert found(check(retry_rate="many")) == [("setting-type", "mastodon_smtp_retry_rate")]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    result = check(port="abc", tls="ssl", bulk="abc", login="{{ nope }}", max_fail_percentage="{{ nope_either }}")
    assert result["failed"] and found(result) == [
        ("setting-unworkable", "mastodon_smtp_login"),
        ("setting-unworkable", "mastodon_smtp_max_fail_percentage"),
        ("setting-type", "mastodon_smtp_port"),
        ("setting-type", "mastodon_smtp_bulk"),
        ("setting-type", "mastodon_smtp_tls"),
    ]
    assert "mastodon_smtp_login refers to nope, which is not defined for this host." in result["msg"]
    assert re.search(r"mastodon_smtp_port is of type .{3,20} and we were unable to convert to int", result["msg"])


@pytest.mark.parametrize("secret", [SECRET, [SECRET], {"value": SECRET}])
@pytest.mark.parametrize("wrong", ["{{ mastodon_smtp_password }}", "{{ mastodon_smtp_password | string }}x"])
def test_the_password_in_another_place_is_not_quoted(secret: t.Any, wrong: str) -> None:
    result = check(password=secret, port=wrong)
    assert ("setting-type", "mastodon_smtp_port") in found(result)


def test_the_password_of_a_mailbox_is_quoted_nowhere_and_kept_nowhere() -> None:
    result = check(arrival_mailboxes=[{"host": "x", "login": "y", "password": SECRET}], port=SECRET)
    assert found(result) == [("setting-type", "mastodon_smtp_port")]
    wrong = check(arrival_mailboxes=SECRET, password=SECRET)
    assert found(wrong) == [("setting-type", "mastodon_smtp_arrival_mailboxes")]


def test_a_number_for_a_password_is_not_quoted() -> None:
    result = check(password=20261128, tls="{{ mastodon_smtp_password }}")
    assert found(result) == [("setting-type", "mastodon_smtp_tls")] and "20261128" not in str(result)


def test_a_variable_that_is_omitted_is_not_set() -> None:
    assert check(port="{{ nobody_set_this | default(omit) }}")["findings"] == []


def test_misspelt_names_are_found_before_any_host_is_asked() -> None:
    result = check(hsot="smtp.example.org", accept=["login-refussed"])
    assert found(result) == [
        ("setting-unknown", "mastodon_smtp_hsot"),
        ("accept-unknown", "mastodon_smtp_accept"),
    ]
    assert "did you mean mastodon_smtp_host?" in result["msg"] and "did you mean login-refused?" in result["msg"]
    accepted = check(mine="x", accept=["setting-unknown"])
    assert "failed" not in accepted and accepted["findings"][0]["severity"] == "info"


@pytest.mark.parametrize(
    ("part", "codes"), [("preflight", ["setting-unknown"]), ("adopt", ["setting-unknown"]), ("rollback", [])]
)
def test_only_a_rollback_goes_on_with_a_misspelt_name(part: str, codes: list[str]) -> None:
    named = {"mastodon_smtp_hsot": "smtp.example.org"}
    task = SimpleNamespace(args={"chain": part}, async_val=0, check_mode=True, diff=True, environment=[], action="x")
    step = ActionModule(task, None, SimpleNamespace(), DataLoader(), Templar(DataLoader(), variables=named), None)
    step.take_options()
    findings, _nothing = step.conclude_from({}, named)
    assert [one.code for one in findings] == codes
