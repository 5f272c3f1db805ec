# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.compare import Difference, differences, effects
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.effective import effective
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.release import Release

RELEASE = Release.parse("4.4.8")
VARIABLES = {
    "SMTP_SERVER": "smtp.example.net",
    "SMTP_PORT": "587",
    "SMTP_LOGIN": "me",
    "SMTP_PASSWORD": "x",
    "SMTP_FROM_ADDRESS": "me@here.example",
}
PLAN = effective(VARIABLES, RELEASE, "here.example").as_dict()
WITH_BULK = effective({**VARIABLES, "BULK_SMTP_SERVER": "bulk.example.net"}, RELEASE, "here.example").as_dict()


def changed(plan: dict[str, t.Any], path: str, value: t.Any) -> dict[str, t.Any]:
    result = copy.deepcopy(plan)
    *way, last = path.split(".")
    inner = result
    for step in way:
        inner = inner[step]
    inner[last] = value
    return result


@pytest.mark.parametrize("plan", [PLAN, WITH_BULK])
def test_a_plan_does_not_differ_from_itself(plan: dict[str, t.Any]) -> None:
    assert differences(plan, copy.deepcopy(plan)) == []


@pytest.mark.parametrize(
    ("path", "value", "setting", "variable"),
    [
        ("main.settings.address", "localhost", "main.address", "SMTP_SERVER"),
        ("main.settings.port", 25, "main.port", "SMTP_PORT"),
        ("main.settings.authentication", "login", "main.authentication", "SMTP_AUTH_METHOD"),
        ("main.settings.tls", True, "main.tls", "SMTP_TLS"),
        ("main.settings.location", "/usr/sbin/sendmail", "main.location", ""),
        ("main.login_set", False, "main.login_set", "SMTP_LOGIN"),
        ("main.password_set", False, "main.password_set", "SMTP_PASSWORD"),
        ("from", "notifications@localhost", "from", "SMTP_FROM_ADDRESS"),
        ("reply_to", "a@b.example", "reply_to", "SMTP_REPLY_TO"),
        ("return_path", "a@b.example", "return_path", "SMTP_RETURN_PATH"),
        ("delivery_method", "sendmail", "delivery_method", "SMTP_DELIVERY_METHOD"),
        ("bulk.settings.port", "25", "bulk.port", "BULK_SMTP_PORT"),
    ],
)
def test_one_difference_is_found_and_its_variable_named(path: str, value: t.Any, setting: str, variable: str) -> None:
    plan = WITH_BULK
    expected = plan
    for step in path.split("."):
        expected = expected.get(step)
    assert differences(plan, changed(plan, path, value)) == [Difference(setting, expected, value, variable)]


def test_a_bulk_relay_on_one_side_only() -> None:
    assert differences(WITH_BULK, PLAN) == [Difference("bulk", "bulk.example.net", None, "BULK_SMTP_SERVER")]
    assert differences(PLAN, WITH_BULK) == [Difference("bulk", None, "bulk.example.net", "BULK_SMTP_SERVER")]


@pytest.mark.parametrize(("planned", "used"), [("587", 587), (587, "587"), (None, None)])
def test_the_same_said_differently_is_no_difference(planned: t.Any, used: t.Any) -> None:
    path = "main.settings.port"
    assert differences(changed(PLAN, path, planned), changed(PLAN, path, used)) == []


@pytest.mark.parametrize(("planned", "used"), [(True, "true"), (False, None), (None, ""), (1, True), (0, False)])
def test_what_ruby_tells_apart_differs(planned: t.Any, used: t.Any) -> None:
    path = "main.settings.tls"
    assert len(differences(changed(PLAN, path, planned), changed(PLAN, path, used))) == 1


def test_absent_is_nil_and_what_rails_adds_by_itself_is_not_compared() -> None:
    used = copy.deepcopy(PLAN)
    del used["main"]["settings"]["ca_file"]
    del used["main"]["tls_mode"], used["main"]["auth_mode"], used["error"]
    used["main"]["settings"].update(open_timeout=5, return_response=None)
    plan = changed(PLAN, "main.settings.ca_file", None)
    assert differences(plan, used) == []
    assert [one.setting for one in differences(changed(plan, "main.settings.read_timeout", 60), used)] == [
        "main.read_timeout"
    ]


def test_the_shape_that_is_returned() -> None:
    assert Difference("main.port", "587", "25", "SMTP_PORT").as_dict() == {
        "setting": "main.port",
        "expected": "587",
        "actual": "25",
        "variable": "SMTP_PORT",
    }


@pytest.mark.parametrize(
    ("variables", "release", "named"),
    [
        ({"SMTP_OPENSSL_VERIFY_MODE": "peer"}, "4.2.8", []),
        ({"SMTP_AUTH_METHOD": "plain", "SMTP_ENABLE_STARTTLS": "auto"}, "4.2.8", []),
        ({"SMTP_SSL": "false", "SMTP_TLS": "false"}, "4.5.3", []),
        ({"SMTP_CA_FILE": "/etc/ssl/own.pem"}, "4.5.3", ["main.ca_file"]),
        (
            {"SMTP_CA_FILE": "/etc/ssl/own.pem", "SMTP_OPENSSL_VERIFY_MODE": "none"},
            "4.5.3",
            ["main.ca_file", "main.verify_mode"],
        ),
        ({"SMTP_OPENSSL_VERIFY_MODE": "none"}, "4.2.8", ["main.verify_mode"]),
        ({"SMTP_ENABLE_STARTTLS": "always"}, "4.2.8", ["main.tls_mode"]),
        ({"SMTP_TLS": "true"}, "4.5.3", ["main.tls_mode"]),
        ({"SMTP_AUTH_METHOD": "login"}, "4.5.3", ["main.auth_mode"]),
        ({"SMTP_PORT": "2525"}, "4.5.3", ["main.port"]),
        ({"SMTP_DOMAIN": "mail.here.example"}, "4.5.3", ["main.domain"]),
    ],
)
def test_only_another_way_of_sending_is_an_effect(variables: dict[str, str], release: str, named: list[str]) -> None:
    version = Release.parse(release)
    before, after = (effective({**VARIABLES, **more}, version, "here.example").as_dict() for more in ({}, variables))
    assert [one.setting for one in effects(before, after)] == named
    assert [one.setting for one in effects(after, before)] == named


def test_what_rails_uses_anyway_is_no_effect() -> None:
    here = {"SMTP_FROM_ADDRESS": "me@here.example", "SMTP_AUTH_METHOD": "none"}
    named = {**here, "SMTP_SERVER": "localhost", "SMTP_PORT": "25"}
    one, other = (effective(each, RELEASE, "here.example").as_dict() for each in (here, named))
    assert differences(one, other) and effects(one, other) == []


def test_a_relay_that_is_not_used_has_no_effect() -> None:
    through = {"SMTP_FROM_ADDRESS": "me@here.example", "SMTP_DELIVERY_METHOD": "sendmail"}
    one, other = (effective(each, RELEASE, "here.example").as_dict() for each in (through, {**VARIABLES, **through}))
    assert effects(one, other) == []
    assert [each.setting for each in effects(one, PLAN)][:1] == ["delivery_method"]
