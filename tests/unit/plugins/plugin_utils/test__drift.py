# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict of the drift check."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.plugin_utils._drift import drift, drift_summary

SINCE = "2026-11-01T03:12:09Z"


def finding(code: str, severity: str, subject: str = "x", message: str = "It is so.") -> dict[str, str]:
    return {"code": code, "severity": severity, "subject": subject, "message": message, "fix": "Do it."}


def service(role: str, stale: bool = False, state: str = "running") -> dict[str, t.Any]:
    return {"name": f"mastodon-{role}.service", "role": role, "state": state, "stale": stale, "since": SINCE}


def steps(**other: t.Any) -> dict[str, t.Any]:
    services = [service("web"), service("sidekiq"), service("streaming", stale=True)]
    instance = {"env_file": "/live/.env.production", "release": "4.5.3", "app_dir": "/live", "services": services}
    return {
        "instance": {"instance": instance, "findings": []},
        "settings": {"findings": []},
        "edit": {"changed_variables": [], "findings": []},
        "mailer": {"effective": {"main": {}}, "findings": []},
        "services": {"findings": []},
        **other,
    }


def codes(verdict: dict[str, t.Any]) -> list[tuple[str, str]]:
    return [(one["code"], one["severity"]) for one in verdict["findings"]]


def test_in_order() -> None:
    seen = steps()
    verdict = drift(seen)
    assert (verdict["in_order"], verdict["fails"], verdict["findings"], verdict["message"]) == (True, False, [], "")
    assert drift_summary(verdict, seen["instance"]["instance"])[0].startswith("In order")


CHANGED = {"changed_variables": [{"name": "SMTP_PORT", "what": "changed"}, {"name": "SMTP_X", "what": "added"}]}
OTHER_PORT = finding("effective-differs", "error", "main.port", "Rails has another port.")


def difference(setting: str, actual: t.Any, expected: t.Any, variable: str) -> dict[str, t.Any]:
    return {"setting": setting, "expected": expected, "actual": actual, "variable": variable}


#: As mailer_check returns it: the data is what counts, whatever the sentence says.
RAILS_HAS_OTHER_PORT = {
    "effective": {},
    "findings": [OTHER_PORT],
    "differences": [difference("main.port", "25", "587", "SMTP_PORT")],
}


def test_a_file_that_differs_is_an_error_unless_rails_uses_the_same_all_the_same() -> None:
    verdict = drift(steps(edit=CHANGED, mailer=RAILS_HAS_OTHER_PORT))
    assert codes(verdict) == [("file-differs", "error")]
    assert "SMTP_PORT (other value: Rails uses '25' instead of '587'), SMTP_X (missing)" in verdict["message"]
    assert "smtp_rollout" in verdict["findings"][0]["fix"]
    assert codes(drift(steps(edit=CHANGED))) == [("file-differs", "warning")]
    assert codes(drift(steps(edit=CHANGED, mailer={"effective": None, "findings": []})))[0] == ("file-differs", "error")


def test_what_follows_from_the_file_is_told_with_it_and_once() -> None:
    """As after a rollback: each variable differs, so Rails has other settings and another login and password."""
    names = ("SMTP_SERVER", "SMTP_LOGIN", "SMTP_PASSWORD", "SMTP_ENABLE_STARTTLS_AUTO")
    changed = {"changed_variables": [{"name": name, "what": "changed"} for name in names]}
    seen = [
        *(finding("effective-differs", "error", f"main.{one}") for one in ("address", "tls", "login_set")),
        finding(
            "password-misread", "error", "SMTP_PASSWORD", "The password that Rails uses is not the configured one."
        ),
        finding("login-misread", "error", "SMTP_LOGIN", "The login that Rails uses is not the configured one."),
    ]
    differences = [
        difference("main.address", "a", "b", "SMTP_SERVER"),
        difference("main.tls", True, None, "SMTP_TLS"),
        difference("main.login_set", False, True, "SMTP_LOGIN"),
    ]
    mailer = {"effective": {}, "msg": "4 problems", "findings": seen, "differences": differences}
    verdict = drift(steps(edit=changed, mailer=mailer))
    assert codes(verdict) == [("file-differs", "error")] and "SMTP_LOGIN (other value), " in verdict["message"]
    assert "SMTP_SERVER (other value: Rails uses 'a' instead of 'b')" in verdict["message"]
    said = drift_summary(verdict, steps()["instance"]["instance"])
    assert said[0] == "Not in order: 1 error." and len(said) == 3


def test_what_wins_over_the_file_is_told_beside_it() -> None:
    seen = steps(edit=CHANGED, mailer=RAILS_HAS_OTHER_PORT)
    seen["instance"]["instance"]["overrides"] = [{"variable": "SMTP_PORT", "layer": "the unit", "path": "/etc/x"}]
    assert codes(drift(seen)) == [("file-differs", "error"), ("effective-differs", "error")]


def test_a_difference_that_the_file_does_not_explain_keeps_its_own_fix() -> None:
    verdict = drift(steps(mailer=RAILS_HAS_OTHER_PORT))
    assert verdict["findings"] == [OTHER_PORT]


def test_a_difference_that_no_variable_decides_is_not_explained_by_the_file() -> None:
    other = finding("effective-differs", "error", "main.location")
    mailer = {"effective": {}, "findings": [other], "differences": [difference("main.location", "/x", None, "")]}
    assert codes(drift(steps(edit=CHANGED, mailer=mailer))) == [
        ("file-differs", "error"),
        ("effective-differs", "error"),
    ]


def test_stale_services_are_named_and_streaming_holds_no_settings() -> None:
    seen = steps()
    seen["instance"]["instance"]["services"][1]["stale"] = True
    verdict = drift(seen)
    assert [one["subject"] for one in verdict["blocking"]] == ["mastodon-sidekiq.service"]
    assert SINCE in verdict["message"]


def test_an_edit_that_is_not_proved_is_not_in_order() -> None:
    seen = steps()
    seen["instance"]["findings"] = [finding("edit-unproved", "info")]
    assert codes(drift(seen)) == [("edit-unproved", "error")]


@pytest.mark.parametrize(
    ("fail_on", "blocking", "headline"),
    [
        ("error", 1, "Not in order: 1 error and 1 warning."),
        ("warning", 2, "Not in order: 1 error and 1 warning."),
        ("unknown", 3, "Not in order: 1 error and 1 warning and 1 open question."),
        ("info", 4, "Not in order: 1 error and 1 warning and 1 open question and 1 note."),
        ("never", 0, "Not in order: 1 error and 1 warning (mastodon_smtp_fail_on is never, so this passes)."),
    ],
)
def test_from_which_severity_on_it_fails(fail_on: str, blocking: int, headline: str) -> None:
    dns = {"findings": [finding(f"a-{one}", one) for one in ("info", "unknown", "warning", "error")]}
    verdict = drift(steps(dns=dns), fail_on)
    assert len(verdict["blocking"]) == blocking and verdict["fails"] is (blocking > 0)
    # An error is not in order, whatever the exit status.
    assert verdict["headline"] == headline and verdict["in_order"] is False
    assert [one["severity"] for one in verdict["findings"]] == ["error", "warning", "unknown", "info"]
    assert verdict["message"].count("[a-") == blocking


def test_a_step_that_failed_without_a_finding_is_not_in_order() -> None:
    verdict = drift(steps(mailer={"msg": "timeout must be\nbetween", "failed_when_result": False}))
    assert codes(verdict) == [("check-incomplete", "error")] and "timeout must be between" in verdict["message"]
    silent = drift(steps(mailer={"failed": False, "failed_when_suppressed_exception": "(traceback unavailable)"}))
    assert codes(silent) == [("check-incomplete", "error")] and "failed without an error message" in silent["message"]
    nothing = drift({"instance": {"failed": True, "instance": None, "findings": [finding("no-instance", "error")]}})
    assert codes(nothing) == [("no-instance", "error")]
    assert drift_summary(nothing, None)[1] == "The instance was not checked; see below."


def test_variables_of_the_wrong_type_are_not_in_order() -> None:
    assert drift(steps(variables={"findings": []}))["in_order"]
    refused = {"msg": "wrong", "findings": [finding("setting-type", "error")]}
    verdict = drift({"variables": refused, "instance": {"skipped": True}})
    assert codes(verdict) == [("setting-type", "error")]


def test_a_preflight_that_ended_without_a_finding_is_not_in_order() -> None:
    verdict = drift(steps(cause="a template failed"))
    assert codes(verdict) == [("check-incomplete", "error")] and "a template failed" in verdict["message"]
    told = drift(steps(cause="said already", relay={"findings": [finding("relay-down", "error")]}))
    assert codes(told) == [("relay-down", "error")]


def test_a_step_that_was_left_out_says_nothing() -> None:
    assert drift(steps(relay={"skipped": True, "msg": "no"}, relay_bulk={}))["in_order"]


@pytest.mark.parametrize("code", ["service-stopped", "mail-not-served", "service-failing-before"])
def test_a_service_that_is_not_up_is_an_error_although_a_rollout_only_warns(code: str) -> None:
    seen = steps()
    seen["instance"]["findings"] = [finding(code, "warning", "mastodon-web.service")]
    verdict = drift(seen)
    assert (verdict["in_order"], codes(verdict)) == (False, [(code, "error")])
    assert not drift_summary(verdict, seen["instance"]["instance"])[0].startswith("In order")


def test_a_service_that_need_not_run_is_in_order() -> None:
    seen = steps()
    seen["instance"]["findings"] = [finding("service-stopped", "info", "mastodon-sidekiq.service")]
    assert drift(seen)["label"] == "In order"


def test_the_same_service_is_told_once_by_both_steps() -> None:
    told = finding("service-stopped", "warning", "mastodon-web.service")
    seen = steps(services={"findings": [told]})
    seen["instance"]["findings"] = [told]
    assert codes(drift(seen)) == [("service-stopped", "error")]


def test_an_override_that_contradicts_the_plan_is_told_once() -> None:
    place = "SMTP_PORT in /etc/x.conf, line 2"
    seen = steps(settings={"failed": True, "findings": [finding("override-contradicts", "error", place)]})
    harmless = finding("override-hides-file", "warning", "SMTP_TLS in /etc/x.conf, line 3")
    seen["instance"]["findings"] = [finding("override-hides-file", "warning", place), harmless]
    assert codes(drift(seen)) == [("override-contradicts", "error"), ("override-hides-file", "warning")]


def test_what_rails_says_of_a_contradicting_override_is_not_told_again() -> None:
    place = "SMTP_PORT in /etc/x.conf, line 2"
    seen = steps(settings={"failed": True, "findings": [finding("override-contradicts", "error", place)]})
    other = finding("effective-differs", "error", "from", "Rails has another sender.")
    seen["mailer"] = {
        **RAILS_HAS_OTHER_PORT,
        "findings": [OTHER_PORT, other, finding("password-misread", "error", "SMTP_PASSWORD")],
    }
    assert codes(drift(seen)) == [
        ("override-contradicts", "error"),
        ("effective-differs", "error"),
        ("password-misread", "error"),
    ]


def test_a_stale_service_without_a_known_start() -> None:
    seen = steps()
    seen["instance"]["instance"]["services"] = [{**service("web", stale=True), "since": None}]
    assert "None" not in drift(seen)["message"]
