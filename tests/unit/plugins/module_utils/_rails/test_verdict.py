# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import dataclasses
import json
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import (
    Completed,
    Elsewhere,
    Instance,
    Sender,
    Service,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.effective import effective
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.release import Release
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.check import Asked, Request
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.verdict import Verdict, conclude_from

SECRET = "s3cr3t-p4ss"
VARIABLES = {
    "SMTP_SERVER": "smtp.example.net",
    "SMTP_PORT": "587",
    "SMTP_LOGIN": "me",
    "SMTP_PASSWORD": SECRET,
    "SMTP_FROM_ADDRESS": "me@here.example",
    "SMTP_ENABLE_STARTTLS": "always",
    "DB_PASS": "mastodon",
    "SECRET_KEY_BASE": "0123456789abcdef",
}
INSTANCE = Instance(
    "systemd", "/home/mastodon/live", "mastodon", "/home/mastodon/live/.env.production", "", "4.3.8", "here.example",
    variables=VARIABLES,
)  # fmt: skip
PLAN = effective(VARIABLES, Release.parse("4.3.8"), "here.example").as_dict()

#: As Rails 7.2 with mail 2.8.1 and net-smtp 0.5.1 answered for these variables.
ANSWER: dict[str, t.Any] = {
    "versions": {"release": "4.3.8", "rails": "7.2.2", "mail": "2.8.1", "net_smtp": "0.5.1", "ruby": "3.3.8"},
    "delivery_method": "smtp",
    "from": "me@here.example",
    "reply_to": None,
    "return_path": None,
    "relays": {
        "main": {
            "settings": {
                "port": "587", "address": "smtp.example.net", "domain": "here.example", "authentication": "plain",
                "ca_file": "/etc/ssl/certs/ca-certificates.crt", "openssl_verify_mode": None, "enable_starttls": True,
                "enable_starttls_auto": None, "tls": None, "ssl": None, "read_timeout": 20, "open_timeout": 5,
            },
            "login_set": True,
            "password_set": True,
        }
    },
    "matches": {"main": {"password": True}},
    "perform_deliveries": True,
    "raise_delivery_errors": True,
    "planned_read": None,
    "rehearsals": {"main": None},
    "messages": [],
}  # fmt: skip
SENT = {
    "relay": "main",
    "to": "admin@there.example",
    "message_id": "1@here.example",
    "envelope_from": "me@here.example",
    "answer": "250 2.0.0 Ok: queued as ABC",
    "error": None,
}


HINTS = {"main": "Use the SMTP key.", "bulk": "Use the key of the broadcast stream."}


def answer(**changes: t.Any) -> dict[str, t.Any]:
    return {**copy.deepcopy(ANSWER), **changes}


def verdict(  # pylint: disable=dangerous-default-value
    found: dict[str, t.Any] | None,
    *,
    completed: Completed = Completed(0),  # noqa: B008 (frozen)
    instance: Instance = INSTANCE,
    expected: dict[str, t.Any] | None = PLAN,
    **request: t.Any,
) -> Verdict:
    asked = Request(secrets={"SMTP_PASSWORD": SECRET}, **request)
    return conclude_from(instance, asked, Asked(found, completed), expected, HINTS)


def codes(found: Verdict) -> list[str]:
    return [one.code for one in found.findings]


def test_all_is_well() -> None:
    found = verdict(answer(rehearsals={}, messages=[SENT]), send_to="admin@there.example")
    assert (codes(found), found.differences, found.password_matches) == ([], [], True)
    assert found.rails is not None
    assert found.rails["mail"] == "2.8.1"
    assert found.test_message == [{**{key: value for key, value in SENT.items() if key != "error"}, "accepted": True}]
    # What Rails answers is what the model of this release says, TLS mode and all.
    assert found.effective == {**PLAN, "main": {**PLAN["main"], "settings": ANSWER["relays"]["main"]["settings"]}}


def test_a_setting_that_differs_names_the_layer_that_wins() -> None:
    elsewhere = (Elsewhere("SMTP_PORT", "Environment", "/x.conf", 3),)
    instance = Instance(
        "systemd", "/app", "m", "/app/.env.production", "", "4.3.8", "here.example",
        senders=(Sender("mastodon-sidekiq.service", "sidekiq", elsewhere),),
    )  # fmt: skip
    changed = answer()
    changed["relays"]["main"]["settings"]["port"] = "25"
    found = verdict(changed, instance=instance)
    assert [one.as_dict() for one in found.differences] == [
        {"setting": "main.port", "expected": "587", "actual": "25", "variable": "SMTP_PORT"}
    ]
    (finding,) = found.findings
    assert finding.code == "effective-differs"
    assert "'25'" in finding.message
    assert "'587'" in finding.message
    assert "Environment in /x.conf, line 3" in finding.fix


@pytest.mark.parametrize(
    ("matches", "held", "code", "verdict_"),
    [
        ({"password": False}, True, "password-misread", False),
        ({"password": False}, False, "password-misread", False),
        ({"password": True, "login": False}, True, "login-misread", True),
        ({}, True, None, None),
    ],
)
def test_credentials_are_compared(
    matches: dict[str, bool], held: bool, code: str | None, verdict_: bool | None
) -> None:
    changed = answer(matches={"main": matches})
    changed["relays"]["main"]["password_set"] = held
    found = verdict(changed, expected=None)
    assert codes(found) == ([code] if code else [])
    assert found.password_matches is verdict_


def test_each_relay_has_its_own_hint() -> None:
    error = {"stage": "auth", "chain": [{"class": "Net::SMTPAuthenticationError", "message": "535 5.7.8 no"}]}
    changed = answer(messages=[{**SENT, "relay": "bulk", "answer": None, "error": error}])
    changed["relays"]["bulk"] = changed["relays"]["main"]
    (finding,) = verdict(changed, expected=None).findings
    assert finding.fix.endswith("Use the key of the broadcast stream.") and "bulk" in finding.fix


def test_a_refused_login_that_follows_from_a_misread_password_is_not_told_twice() -> None:
    error = {"stage": "auth", "chain": [{"class": "Net::SMTPAuthenticationError", "message": "535 5.7.8 no"}]}
    refused = {**SENT, "answer": None, "error": error}
    assert codes(verdict(answer(messages=[refused], matches={"main": {"password": False}}), expected=None)) == [
        "password-misread"
    ]
    assert codes(verdict(answer(messages=[refused], matches={"main": {"password": True}}), expected=None)) == [
        "login-refused"
    ]


def test_a_refused_message_is_diagnosed_with_the_relay_that_rails_uses() -> None:
    error = {
        "stage": "auth",
        "chain": [{"class": "Net::SMTPAuthenticationError", "message": f"535 5.7.8 no: {SECRET} boss@work.example"}],
    }
    found = verdict(answer(messages=[{**SENT, "answer": None, "error": error}]), send_to="admin@there.example")
    (finding,) = found.findings
    assert (finding.code, finding.subject) == ("login-refused", "smtp.example.net:587")
    assert finding.fix.endswith("Use the SMTP key.")
    whole = json.dumps([finding.as_dict(), found.as_dict()])
    assert SECRET not in whole
    assert "boss@work.example" not in whole
    assert (found.test_message[0]["message_id"], found.test_message[0]["accepted"]) == ("1@here.example", False)


def test_the_bulk_relay_is_diagnosed_by_its_own_settings() -> None:
    changed = answer()
    changed["relays"]["bulk"] = copy.deepcopy(changed["relays"]["main"])
    changed["relays"]["bulk"]["settings"].update(address="bulk.example.net", port="2525")
    error = {"stage": "connect", "chain": [{"class": "Net::OpenTimeout", "message": "execution expired"}]}
    changed["messages"] = [SENT, {**SENT, "relay": "bulk", "error": error}]
    found = verdict(changed, expected=None, send_to="admin@there.example")
    (finding,) = found.findings
    assert (finding.code, finding.subject) == ("relay-connect-timeout", "bulk.example.net:2525")
    assert "mastodon_smtp_bulk.port" in finding.fix


def test_what_the_mail_gem_refuses_is_found_without_sending() -> None:
    error = {"stage": "build", "chain": [{"class": "ArgumentError", "message": "wrong authentication type x"}]}
    found = verdict(answer(rehearsals={"main": error}, planned_read=True), planned=True)
    assert codes(found) == ["login-method-unknown"]
    assert found.planned
    assert found.effective is not None
    assert found.effective["error"] == {
        "class": "ArgumentError",
        "stage": "build",
        "message": "wrong authentication type x",
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"perform_deliveries": False}, "deliveries-off"),
        ({"raise_delivery_errors": False}, "delivery-errors-hidden"),
        ({"delivery_method": "test"}, "mail-kept-local"),
    ],
)
def test_what_the_application_does_to_all_mail(changes: dict[str, t.Any], code: str) -> None:
    assert codes(verdict(answer(**changes), expected=None)) == [code]


def test_a_plan_that_could_not_be_shown_is_unknown_and_not_compared() -> None:
    changed = answer(planned_read=False)
    changed["relays"]["main"]["settings"]["port"] = "25"
    found = verdict(changed, planned=True)
    assert [(one.code, one.severity) for one in found.findings] == [("planned-not-shown", "unknown")]
    assert (found.planned, found.differences) == (False, [])


@pytest.mark.parametrize("planned_read", [None, True])
def test_a_plan_that_was_shown(planned_read: bool | None) -> None:
    assert verdict(answer(planned_read=planned_read), planned=True).planned


@pytest.mark.parametrize(
    ("completed", "request_", "code", "words"),
    [
        (Completed(-9, timed_out=True), {"timeout": 5.0}, "rails-timeout", "within 5 seconds"),
        (Completed(-9, timed_out=True), {"send_to": "a@b.example"}, "rails-timeout", "may have been sent"),
        (Completed(0, b"strange", b""), {}, "rails-no-answer", "strange"),
        (Completed(0, b"", b""), {}, "rails-no-answer", "nothing at all"),
        (Completed(1, b"", b"x.rb:1:in `y': key not found (KeyError)\n"), {}, "rails-does-not-boot", "KeyError"),
        (Completed(127, b"", b"env: 'ruby': No such file or directory"), {}, "ruby-not-found", "ruby"),
    ],
)
def test_no_answer(completed: Completed, request_: dict[str, t.Any], code: str, words: str) -> None:
    found = verdict(None, completed=completed, **request_)
    assert codes(found) == [code]
    assert words in found.findings[0].message
    assert (found.rails, found.effective, found.password_matches) == (None, None, None)


def test_secrets_of_the_environment_file_do_not_leave_with_a_boot_error() -> None:
    stderr = f"x.rb:1:in `y': bad {SECRET} 0123456789abcdef in /home/mastodon/live (KeyError)\n".encode()
    message = verdict(None, completed=Completed(1, b"", stderr)).findings[0].message
    assert SECRET not in message
    assert "0123456789abcdef" not in message
    assert "/home/mastodon/live" in message


def test_a_fault_of_the_check_itself_is_said_to_be_one() -> None:
    error = {"stage": "build", "chain": [{"class": "NoMethodError", "message": "undefined method 'x'"}]}
    found = verdict({"failure": error})
    assert codes(found) == ["rails-no-answer"]
    assert "NoMethodError: undefined method" in found.findings[0].message


@pytest.mark.parametrize(("planned", "severity"), [(True, "error"), (False, "warning")])
def test_a_test_account_that_gets_no_mail_is_told_before_any_restart(planned: bool, severity: str) -> None:
    """In a dry run it is an error; later on the settings are good all the same, and the queue's own step fails."""
    services = (
        Service("mastodon-web.service", "web", "running"),
        Service("mastodon-sidekiq.service", "sidekiq", "running"),
    )
    instance = dataclasses.replace(INSTANCE, services=services)
    seen = {"account": {"state": "memorial", "throttled_for": None}}
    asked = {"account": "erin@here.example"}
    found = verdict(answer(accounts=seen, planned_read=True), instance=instance, accounts=asked, planned=planned)
    assert [(one.code, one.severity) for one in found.findings] == [("account-gets-no-mail", severity)]
    assert found.queue == {"way": "none", "to": "", "reason": found.findings[0].message}


def test_nobody_asked_about_the_queue() -> None:
    assert verdict(answer()).queue is None


def test_an_email_yml_that_cannot_be_read_names_the_variable_in_a_dry_run_the_planned_one() -> None:
    said = "config/email.yml: (<unknown>): found character that cannot start any token at line 9 column 11"
    words = f"/home/mastodon/live/config/application.rb:9:in 'load': {said} (Psych::SyntaxError)\n"
    ended = Completed(1, b"", words.encode())
    instance = dataclasses.replace(INSTANCE, release="4.6.5")
    for planned, variables in ((False, {"SMTP_DOMAIN": "@gmail.com"}), (True, {})):
        there = dataclasses.replace(instance, variables={**VARIABLES, **variables})
        found = verdict(None, completed=ended, instance=there, planned=planned, set={"SMTP_DOMAIN": "@gmail.com"})
        assert "SMTP_DOMAIN" in found.findings[0].sentence(), found.findings
        assert "Upgrade" not in found.findings[0].fix


def waiting(**more: t.Any) -> dict[str, t.Any]:
    group = {
        "place": "retry",
        "mailer": "UserMailer",
        "method": "welcome",
        "error_class": "Net::SMTPAuthenticationError",
        "error_message": "535 5.7.8 Authentication failed",
        "count": 2,
        "fresh": 2,
        "expired": 0,
        "gone": 0,
        "unknown": 0,
        "oldest": 10.0,
        "newest": 20.0,
        "next_try": 200.0,
        "last_failed": 99.0,
        **more,
    }
    return answer(waiting={"groups": [group], "complete": True, "now": 100.0, "started": 50.0, "error": None})


def of_waiting(found: Verdict) -> list[str]:
    return [code for code in codes(found) if code.startswith("mails-")]


def test_waiting_mails_are_told_and_those_that_fail_now_are_an_error() -> None:
    def asked(told: dict[str, t.Any], role: t.Any = "sidekiq", **more: t.Any) -> Verdict:
        instance = dataclasses.replace(INSTANCE, services=(Service("mastodon.service", role, "running"),))
        return conclude_from(instance, Request(**more), Asked(told, Completed(0)), None)

    found = asked(waiting())
    assert of_waiting(found) == ["mails-fail-now", "mails-waiting"]
    group = found.as_dict()["waiting"]["groups"][0]
    assert (group["count"], group["cause"]) == (2, "login-refused")
    broken = waiting(error_class="NameError", error_message="uninitialized constant UserMailer::X")
    assert of_waiting(asked(broken)) == ["mails-waiting"]
    assert of_waiting(asked(waiting(), repairing=True)) == ["mails-waiting"]
    assert of_waiting(asked(waiting(place="dead"), repairing=True)) == ["mails-lost"]
    sent = {
        "relay": "main",
        "to": "a@b.example",
        "message_id": "1@x",
        "envelope_from": "c@d.example",
        "answer": "250 ok",
    }
    assert of_waiting(asked({**waiting(), "messages": [{**sent, "error": None}]})) == ["mails-waiting"]
    refused = waiting(error_class="Net::SMTPFatalError", error_message="550 5.1.1 <a@b.example>: user unknown")
    assert of_waiting(asked(refused)) == ["mails-waiting"]
    assert of_waiting(asked(waiting(), "web")) == []
    assert asked(answer()).as_dict()["waiting"] is None
