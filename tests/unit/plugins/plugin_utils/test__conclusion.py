# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a host ended, as the fact and in sentences."""

from __future__ import annotations

import typing as t

import pytest
from test__known import ALL, edit, instance, known

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.plugin_utils._conclusion import (
    check,
    left_by_rollback,
    preflight,
    rollback,
    rollout,
    shown,
    undone,
    unforeseen,
    waiting,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry

FILE = "/live/.env.production"
BAD = {"mailer": "login-refused"}


def also(host: Known, **entries: Entry) -> Known:
    return Known({**host.entries, **entries}, dry=host.dry)


FAILED = Entry("Put it back", "failed", ("It is gone.",), {})


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (known(dry=True, wrong=BAD, edit=edit(*ALL)), "This was a dry run: nothing has been changed."),
        (
            known(wrong={"services": "edit-taken-over"}, edit=edit(*ALL)),
            f"Another rollout has taken over {FILE} and continues there; this run undoes nothing.",
        ),
        (
            known(wrong=BAD, edit=edit()),
            f"This run has not changed {FILE}, so there was nothing to restore.",
        ),
        (
            known({"undo": False}, wrong=BAD, edit=edit(*ALL)),
            f"mastodon_smtp_undo is off: {FILE} keeps the new settings. The previous state is in /b.",
        ),
        (
            known({"backup": False}, wrong=BAD, edit=edit(*ALL, backup_file=None)),
            f"{FILE} keeps the new settings. There is no backup of the previous state: mastodon_smtp_backup is off.",
        ),
        (
            also(known(wrong=BAD, edit=edit(*ALL)), restored=FAILED),
            f"{FILE} could NOT be restored: It is gone. The previous state is in /b.",
        ),
        (
            known(wrong=BAD, edit=edit(*ALL), restored={"changed": True}),
            f"{FILE} was restored byte for byte; no running service ever read the new settings.",
        ),
        (
            also(known(wrong={"services": "service-crash-loop"}, edit=edit(*ALL)), services_back=FAILED),
            f"{FILE} was restored byte for byte, but the services did NOT come back: It is gone.",
        ),
        (
            known(wrong=BAD, instance=instance("queue"), edit=edit("queue")),
            f"{FILE} keeps its settings: an earlier run has made this very proof with them. The previous state is in "
            "/b.",
        ),
        (
            known(wrong={"queue": "login-refused"}, edit=edit(*ALL), services={"changed": True}),
            f"{FILE} was restored byte for byte, and the services run on it again.",
        ),
    ],
)
def test_what_became_of_the_host(host: Known, said: str) -> None:
    left, sentence = undone(host)
    assert sentence == said
    done = "was restored" in said and "NOT" not in said
    untouched = said.startswith(("This was a dry run", "This run has not changed"))
    assert left == ("undone" if done else "nothing changed" if untouched else "not undone")


def test_the_first_cause_is_told_with_what_became_of_the_host_and_of_the_others() -> None:
    host = known(wrong=BAD, edit=edit(*ALL), restored={"changed": True})
    ended = rollout(host, unforeseen("Other", "not this"), lambda: "Not touched: b.")
    assert ended["outcome"] == "failed" and ended["cause"]["step"] == "mailer"
    assert ended["cause"]["findings"][0]["code"] == "login-refused"
    assert ended["summary"] == (
        f"Failed, undone: mailer: It is so.\n{FILE} was restored byte for byte; no running service ever read the new "
        "settings. Not touched: b."
    )


def test_a_task_that_could_not_begin_is_the_cause_where_no_step_has_one() -> None:
    ended = rollout(known(edit=edit(*ALL)), unforeseen("Check Rails", "'x' is undefined"), str)
    assert ended["cause"]["step"] == "Check Rails" and "refers to x, which is not defined" in ended["cause"]["message"]


def ran(**more: t.Any) -> dict[str, t.Any]:
    rails = {"rails": {"rails": "8.0.3"}, "effective": {"from": "a@b.test"}, "test_message": []}
    steps = {"edit": {"changed_variables": [], **edit()}, "mailer": rails, "services": {"services": []}, "queue": {}}
    return {**steps, "settings": {"plan": {"effective": {}}}, "instance": whole(), **more}


def whole() -> dict[str, t.Any]:
    seen = instance()
    seen["instance"].update(app_dir="/live", release="4.5.3", local_domain="b.test", roles=["web", "sidekiq"])
    return seen


QUEUE = {"queue": {"way": "plain", "to": "a@b.test", "outcome": "performed", "job": None, "waited": 1}}
EDIT = {"changed_variables": [], **edit(*ALL)}
#: Nothing in the variables asks for a mail through the queue.
SILENT: dict[str, t.Any] = {"test_recipient": None}
NO_ACCOUNT = Finding("account-gets-no-mail", "error", "x@b.test", "No account.", "Set another one.").as_dict()
UNMADE = Entry("Prove the queue", "not_proved", ("No account.",), {"findings": [NO_ACCOUNT]})


@pytest.mark.parametrize(
    ("more", "dry", "outcome"),
    [
        ({}, False, "in order"),
        ({"edit": EDIT, **QUEUE}, False, "changed"),
        ({"edit": EDIT}, True, "would change"),
        # what a run that died had edited is proved by this one
        ({"edit": {"changed_variables": [], **edit("queue"), "changed": False}, **QUEUE}, False, "changed"),
        ({"services": {"services": [], "changed": True}, **QUEUE}, False, "changed"),
        ({"services": {"services": [], "changed": True}}, True, "in order"),
    ],
)
def test_how_a_rollout_ended(more: dict[str, t.Any], dry: bool, outcome: str) -> None:
    host = known(dry=dry, **ran(**more))
    ended = rollout(host if "queue" in more else without_queue(host), None, str)
    assert ended["outcome"] == outcome and ended["check_mode"] is dry and not ended["fails"]
    assert bool(ended["queued_mail"]) is ("queue" in more)
    assert "Mastodon 4.5.3 in /live, Rails 8.0.3" in ended["summary"]
    assert ended["headline"] == ended["summary"][0]


NOT_THERE = Finding("mail-not-arrived", "error", "test message", "It is nowhere.", "Wait longer.").as_dict()
ARRIVED = {
    "name": "test message",
    "arrived": True,
    "folder": "INBOX",
    "mailbox": "a@b.test",
    "seconds": 2.0,
    "receiver": {"dmarc": ""},
    "judged": {"dmarc": "pass"},
}


@pytest.mark.parametrize("outcome", ["failed", "not_proved"])
def test_a_mail_that_does_not_arrive_is_a_warning(outcome: t.Any) -> None:
    """The relay has taken it, so the settings work."""
    step = Entry("Look for the mails", outcome, ("It is nowhere.",), {"arrivals": [], "findings": [NOT_THERE]})
    ended = rollout(also(known(**ran(edit=EDIT, **QUEUE)), arrival=step), None, str)
    assert (ended["outcome"], ended["fails"], ended["label"]) == ("changed", False, "Done and proved")
    assert [(one["code"], one["severity"]) for one in ended["findings"]] == [("mail-not-arrived", "warning")]
    broken = Entry("Look for the mails", "failed", ("It is broken.",), {})
    ended = rollout(also(known(**ran(edit=EDIT, **QUEUE)), arrival=broken), None, str)
    assert [one["code"] for one in ended["findings"]] == ["arrival-unjudged"] and not ended["fails"]


def test_a_mail_that_arrived_is_in_the_summary() -> None:
    ended = rollout(known(**ran(edit=EDIT, **QUEUE), arrival={"arrivals": [ARRIVED], "findings": []}), None, str)
    assert "The test message arrived in INBOX of a@b.test 2 s after it was sent (DMARC: pass)" in ended["summary"]


def without_queue(host: Known) -> Known:
    """The host, with nothing sent through its queue."""
    return also(host, queue=Entry("Prove the queue", "skipped"))


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize(
    ("chosen", "steps", "fails", "code"),
    [
        # a proof that was asked for
        ({}, {"queue": UNMADE}, True, "account-gets-no-mail"),
        ({"unproved": "warn"}, {"queue": UNMADE}, False, "account-gets-no-mail"),
        # one that was not
        (SILENT, {}, False, "queue-not-proved"),
        ({"send": "never"}, {}, False, "queue-not-proved"),
        ({**SILENT, "unproved": "fail"}, {}, True, "queue-not-proved"),
    ],
)
def test_a_queue_that_is_not_proved(
    chosen: dict[str, t.Any], steps: dict[str, Entry], fails: bool, code: str, dry: bool
) -> None:
    host = also(without_queue(known(chosen, dry=dry, **ran(edit=EDIT))), **steps)
    ended = rollout(host, None, lambda: "Not started: b.")
    assert ended["outcome"] == ("would change" if dry and not fails else "not proved") and ended["fails"] is fails
    (missing,) = [one for one in ended["findings"] if one["code"] == code]
    assert missing["severity"] == ("error" if fails else "warning")
    text = ended["summary"] if fails else "\n".join(ended["summary"])
    assert "proved. " in ended["headline"] and f"[{code}]" in ended["headline"] and text.startswith(ended["headline"])
    assert "\nTo prove it: " in text and "un the rollout again" in text and text.count(f"[{code}]") == 1
    assert ("Not started: b." in text) is fails
    assert ("The new settings stay in /live/.env.production" in text) is not dry
    assert not ended["headline"].startswith("Done and proved") and "In order" not in ended["headline"]


def test_a_proof_that_is_missing_is_told_until_it_is_made() -> None:
    """A run that has nothing to change does not speak as if the queue were proved."""
    later = {"changed_variables": [], **edit("queue"), "changed": False}
    ended = rollout(without_queue(known(SILENT, **ran(edit=later))), None, str)
    assert (ended["outcome"], ended["label"]) == ("not proved", "Done, not proved")
    proved = rollout(known(**ran(edit=later, **QUEUE)), None, str)
    assert (proved["outcome"], proved["label"]) == ("changed", "Done and proved")


@pytest.mark.parametrize(("chosen", "fails"), [({}, True), ({"unproved": "warn"}, False), (SILENT, False)])
def test_a_queue_that_nobody_serves_as_the_operator_accepts_is_not_proved(
    chosen: dict[str, t.Any], fails: bool
) -> None:
    unserved = Finding("mail-not-served", "info", "sidekiq", "None runs.").as_dict()
    seen = ran(edit=EDIT)
    seen["services"] = {**seen["services"], "findings": [unserved]}
    ended = rollout(without_queue(known(chosen, **seen)), None, str)
    assert (ended["label"], ended["fails"]) == ("Done, not proved", fails)
    assert "No Sidekiq service runs, as mastodon_smtp_accept allows" in ended["headline"]
    assert ended["to_prove"] == ["To prove it: Start Sidekiq and run the rollout again."]


def test_with_tags_a_queue_that_is_not_proved_is_told() -> None:
    ended = rollout(also(known(instance=whole(), edit=edit("queue")), queue=UNMADE), None, str)
    assert (ended["outcome"], ended["fails"]) == ("not proved", True) and ended["summary"].count("\n") == 2


def test_where_another_host_sends_the_mail_nothing_is_missing_here() -> None:
    seen = whole()
    seen["instance"]["roles"] = ["web"]
    ended = rollout(without_queue(known(SILENT, **ran(edit=EDIT, instance=seen))), None, str)
    assert (ended["outcome"], ended["label"]) == ("changed", "Done")


@pytest.mark.parametrize(
    ("chosen", "unproved", "codes", "fails"),
    [
        (SILENT, ["queue"], [("queue-not-proved", "warning")], False),
        ({}, ["queue"], [("queue-not-proved", "error")], True),
        ({"unproved": "warn"}, ["queue"], [("queue-not-proved", "warning")], False),
        (SILENT, ["services", "queue"], [("edit-unproved", "error")], True),
    ],
)
def test_the_drift_check_tells_what_is_not_proved(
    chosen: dict[str, t.Any], unproved: list[str], codes: list[tuple[str, str]], fails: bool
) -> None:
    seen = whole()
    seen["instance"]["unproved"] = unproved
    seen["findings"] = [Finding("edit-unproved", "info", FILE, "It is so.").as_dict()]
    verdict = check(known(chosen, instance=seen, edit={"changed_variables": [], "findings": []}), None, str)
    assert [(one["code"], one["severity"]) for one in verdict["findings"]] == codes and verdict["fails"] is fails
    assert verdict["summary"][0] == ("Not in order: 1 error." if fails else "In order, with 1 warning.")


def test_a_container_is_recreated_and_a_unit_restarted() -> None:
    web = {"name": "web", "role": "web", "restarted": True, "after": {"state": "running", "since": "2026-11-01"}}
    for deployment, word in (("compose", "recreated"), ("systemd", "restarted")):
        seen = whole()
        seen["instance"]["deployment"] = deployment
        steps = ran(instance=seen, services={"services": [web], "changed": True})
        restored = {"changed": True, "backup_file": "/live/b", "changed_variables": []}
        for ended in (rollout(known(**steps), None, str), rollback(known(**steps, restored=restored), None, str)):
            assert f"web: running since 2026-11-01, {word} by this run" in ended["summary"]


def test_each_finding_is_told_once() -> None:
    finding = {"code": "x", "severity": "warning", "subject": "s", "message": "m", "fix": ""}
    mailer = {**ran()["mailer"], "findings": [finding]}
    ended = rollout(known(**ran(mailer=mailer, services={"services": [], "findings": [finding]})), None, str)
    assert ended["findings"] == [finding]


@pytest.mark.parametrize("dry", [False, True])
def test_what_the_edit_has_mended_is_not_told_of_the_host(dry: bool) -> None:
    def about(subject: str) -> dict[str, str]:
        return {"code": "credential-blank", "severity": "warning", "subject": subject, "message": "m", "fix": ""}

    stays = about("SMTP_DOMAIN")
    mended = [about("SMTP_LOGIN"), about("/live/.env.production, line 3 (SMTP_PASSWORD)")]
    names = [{"name": name, "what": "changed"} for name in ("SMTP_LOGIN", "SMTP_PASSWORD")]
    seen = {**whole(), "findings": [*mended, stays]}
    ended = rollout(known(dry=dry, **ran(instance=seen, edit={**EDIT, "changed_variables": names}, **QUEUE)), None, str)
    assert ended["findings"] == [stays]


def test_of_the_others_nobody_asks_where_a_host_ends_well() -> None:
    """With hundreds of hosts, each would ask for all of them."""

    def others() -> str:
        raise AssertionError

    assert rollout(known(**ran()), None, others)["outcome"] == "in order" and preflight(known(), None, others) == {}


def test_with_tags_there_is_only_so_much_to_tell() -> None:
    told = rollout(known(edit=edit(*ALL)), None, str)
    assert (told["outcome"], told["label"], told["fails"]) == ("in part", "Done in part", False) and told[
        "summary"
    ] == [
        "In part, because of --tags or --skip-tags: Check Rails and send the test message, Restart stale services, "
        "Prove the queue did not run. Not proved: Rails' settings, the services, the queue; the next rollout without "
        "tags proves it."
    ]
    assert "msg" not in shown({"outcome": "in part"}) and "msg" not in shown({})


@pytest.mark.parametrize(
    ("result", "fails", "message"),
    [
        ({"outcome": "changed", "summary": ["Done.", "Mastodon 4.5.3"]}, False, ["Done.", "Mastodon 4.5.3"]),
        ({"fails": True, "summary": "Edit: No.\nNothing is changed."}, True, "Edit: No.\nNothing is changed."),
        ({"outcome": "rolled back", "summary": ["Back."]}, False, ["Back."]),
        ({"in_order": True, "summary": ["In order."]}, False, ["In order."]),
        ({"outcome": "not proved", "fails": True, "summary": "Done, not proved."}, True, "Done, not proved."),
        ({"in_order": False, "fails": False, "summary": ["Tolerated."]}, False, ["Tolerated."]),
        ({"fails": True, "summary": ["NOT in order.", "- It differs."]}, True, "NOT in order.\n- It differs."),
    ],
)
def test_a_result_is_shown_or_fails(result: dict[str, t.Any], fails: bool, message: str | list[str]) -> None:
    ended = shown(result)
    assert ended.get("failed", False) is fails and ended["msg"] == message
    assert result.items() <= ended.items()


def test_every_result_says_whether_it_fails() -> None:
    whole_run, bad = known(**ran()), known(wrong=BAD, edit=edit(*ALL))
    for end in (rollout, rollback, check):
        assert end(whole_run, None, str)["fails"] is False
        assert end(known(instance=whole()), unforeseen("Edit", "No."), str)["fails"] is True
    assert rollout(bad, None, str)["fails"] is True


def test_a_preflight_says_all_at_once_and_each_problem_once() -> None:
    host = known(wrong={"settings": "host-missing", "dns": "host-missing"})
    assert preflight(host, None, str)["msg"] == "It is so.\nNothing has been changed on this host."
    two = also(host, relay=Entry("Probe", "failed", ("No way.",), {}))
    assert preflight(two, None, lambda: "None at all.")["msg"] == "2 problems:\n- It is so.\n- No way.\nNone at all."
    broken = unforeseen("Probe the relay", "It broke off")
    assert preflight(known(), broken, str)["msg"].startswith("Probe the relay: It broke off\n")
    assert preflight(known(), None, str) == {}


@pytest.mark.parametrize(
    ("dry", "restored", "services", "told"),
    [
        (True, {"changed": True}, {"changed": True}, "This was a dry run: nothing has been changed."),
        (False, {"changed": True}, {"changed": False}, "The file was restored and stays that way."),
        (
            False,
            {"changed": False},
            {"changed": True},
            "The file was already in its previous state. Services were restarted;",
        ),
        (False, {"changed": False}, {"changed": False}, "Nothing has been changed."),
        (False, {}, {}, "Nothing has been changed."),
    ],
)
def test_a_roll_back_that_failed_says_what_it_has_changed(
    dry: bool, restored: dict[str, bool], services: dict[str, bool], told: str
) -> None:
    assert left_by_rollback(known(dry=dry, restored=restored, services=services)).startswith(told)


def test_a_roll_back_that_failed_names_the_edit_that_stays() -> None:
    assert left_by_rollback(known(instance=instance("queue"))).endswith(
        f"An unproved edit of an earlier rollout remains in {FILE}."
    )


@pytest.mark.parametrize(
    ("restored", "services", "dry", "outcome"),
    [
        (True, True, False, "rolled back"),
        (False, True, False, "rolled back"),
        (False, False, False, "in order"),
        (True, True, True, "would roll back"),
    ],
)
def test_how_a_roll_back_ended(restored: bool, services: bool, dry: bool, outcome: str) -> None:
    put = {"changed": restored, "changed_variables": [], "backup_file": "/b" if restored else None}
    host = known(dry=dry, instance=whole(), restored=put, services={"changed": services, "services": []})
    ended = rollback(host, None, str)
    assert ended["outcome"] == outcome and ended["summary"]
    assert rollback(also(host, restored=FAILED), None, str)["summary"].startswith("Failed: Put it back: It is gone.\n")


def test_the_drift_check_weighs_what_every_step_saw() -> None:
    host = known({"fail_on": "error"}, instance=whole(), edit={"changed_variables": [], "findings": []})
    assert check(host, None, str)["in_order"] is True
    broken = check(host, unforeseen("Probe the relay", "It broke off"), str)
    assert not broken["in_order"] and broken["findings"][0]["code"] == "check-incomplete"
    wrong = check(also(host, mailer=Entry("Compare", "failed", ("Killed.",), {"msg": "x"})), None, str)
    assert not wrong["in_order"] and "Killed." in wrong["message"]


def finding(code: str, severity: t.Any = "warning") -> dict[str, str]:
    return Finding(code, severity, "Sidekiq", "It is so.").as_dict()


RETRIED = {"retried": {"sent": 3}, "findings": [finding("mails-retried", "info"), finding("mails-expired")]}


def after_outage(**more: t.Any) -> dict[str, t.Any]:
    waiting = {"groups": [{"place": "retry", "count": 1}]}
    found = [finding("mails-waiting"), finding("mails-lost")]
    return ran(mailer={**ran()["mailer"], "waiting": waiting, "findings": found}, **more)


def codes_of(result: dict[str, t.Any]) -> list[str]:
    return [one["code"] for one in result["findings"]]


def test_what_became_of_the_waiting_mails_is_told_instead_of_that_they_wait() -> None:
    host = known({"retry_waiting": "fresh"}, **after_outage(edit=EDIT, **QUEUE, waiting=RETRIED))
    ended = rollout(host, None, str)
    assert codes_of(ended) == ["mails-retried", "mails-expired"]
    assert ended["retried"] == {"sent": 3}
    assert any(line.startswith("info: ") and "mails-retried" in line for line in ended["summary"])


def test_in_a_dry_run_they_still_wait() -> None:
    host = known({"retry_waiting": "fresh"}, dry=True, **after_outage(**QUEUE, waiting=RETRIED))
    assert codes_of(rollout(host, None, str)) == ["mails-waiting", "mails-lost", "mails-retried", "mails-expired"]


def test_a_retry_that_went_wrong_is_a_warning() -> None:
    wrong = known({"retry_waiting": "fresh"}, {"waiting": "retry-incomplete"}, **after_outage(edit=EDIT, **QUEUE))
    ended = rollout(wrong, None, str)
    assert (ended["outcome"], ended["fails"]) == ("changed", False)
    assert [(one["code"], one["severity"]) for one in ended["findings"]] == [
        ("mails-waiting", "warning"),
        ("mails-lost", "warning"),
        ("retry-incomplete", "warning"),
    ]


def test_without_a_proved_queue_nothing_is_retried_and_that_is_told() -> None:
    host = without_queue(known({**SILENT, "retry_waiting": "fresh"}, **after_outage(edit=EDIT)))
    found = {one["code"]: one for one in rollout(host, None, str)["findings"]}
    assert "because the queue is not proved" in found["retry-incomplete"]["message"]
    quiet = without_queue(known({**SILENT, "retry_waiting": "none"}, **after_outage(edit=EDIT)))
    assert "retry-incomplete" not in codes_of(rollout(quiet, None, str))


@pytest.mark.parametrize(
    ("step", "dry", "lines"),
    [
        ({"findings": []}, False, ["No mail waits in Sidekiq."]),
        ({"findings": [finding("mails-lost")]}, False, ["warning: Sidekiq: It is so. [mails-lost]"]),
        (
            {"findings": [finding("mails-retried", "info")]},
            True,
            ["Dry run, nothing was sent.", "info: Sidekiq: It is so. [mails-retried]"],
        ),
    ],
)
def test_the_mails_that_wait_are_told(step: dict[str, t.Any], dry: bool, lines: list[str]) -> None:
    assert waiting(known(dry=dry, instance=whole(), waiting=step), None, str)["summary"] == lines


def test_a_look_at_the_mails_that_failed_says_why() -> None:
    ended = waiting(known(wrong={"waiting": "retry-incomplete"}, instance=whole()), None, str)
    assert (ended["fails"], ended["headline"], ended["cause"]["message"]) == (True, "Failed: waiting", "It is so.")


def test_mails_are_told_where_sidekiq_runs() -> None:
    seen = whole()
    seen["instance"]["roles"] = ["web"]
    assert waiting(known(instance=seen), None, str)["summary"] == [
        "Sidekiq runs on another host; the mails are shown there."
    ]
