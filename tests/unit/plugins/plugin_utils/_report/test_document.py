# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the events of a run to the document: states, first causes, before and after, and what must not be in it."""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

import jsonschema
import pytest
import report_runs as runs

from ansible_collections.fediops.mastodon.plugins.plugin_utils._gate import preflight_verdict
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report import evidence
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.collect import Task
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.document import INTERRUPTED, RUNNING
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.files import FILES, render

SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "rollout_report.schema.json").read_text())
NAMES = ["social.example", "art.example", "books.example", "music.example", "games.example"]


def valid(made: dict[str, t.Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(made)


def host(made: dict[str, t.Any], name: str) -> dict[str, t.Any]:
    found: dict[str, t.Any] = next(one for one in made["hosts"] if one["name"] == name)
    return found


def mixed() -> dict[str, t.Any]:
    return runs.rollout(
        NAMES, refused=["art.example"], crashed=["books.example"], unreachable=["games.example"], same=["music.example"]
    ).document()


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "made",
    [
        mixed(),
        runs.fleet(30).document(),
        runs.hostile().document(),
        runs.rollout(NAMES, check_mode=True).document(),
        runs.rollout(NAMES, unproved=NAMES[:2]).document(),
        runs.rollout(["one.example"]).document(INTERRUPTED, detail="it got the signal SIGTERM."),
        runs.Run("one.example").document(RUNNING),
        runs.rollback(check_mode=True).document(),
    ],
    ids=["mixed", "fleet", "hostile", "dry", "not proved", "interrupted", "nothing yet", "roll-back"],
)
def test_every_document_follows_the_schema(made: dict[str, t.Any]) -> None:
    valid(made)
    valid(json.loads(json.dumps(made)))


@pytest.mark.parametrize("path", [("run", "started"), ("hosts", 0, "state"), ("hosts", 3, "variables", "changed")])
def test_the_schema_refuses_what_is_wrong(path: tuple[t.Any, ...]) -> None:
    made = copy.deepcopy(mixed())
    place: t.Any = made
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = "nonsense"
    with pytest.raises(jsonschema.ValidationError):
        valid(made)


def test_states_of_hosts_worst_first() -> None:
    made = mixed()
    assert [(one["name"], one["state"]) for one in made["hosts"]] == [
        ("art.example", "failed"),
        ("books.example", "failed"),
        ("games.example", "unreachable"),
        ("social.example", "changed"),
        ("music.example", "in_order"),
    ]
    assert {key: number for key, number in made["totals"].items() if number} == {
        "failed": 2,
        "unreachable": 1,
        "changed": 1,
        "in_order": 1,
    }


def test_the_first_cause_is_the_first_failure_of_a_host_and_the_report_of_it_is_none() -> None:
    books = host(mixed(), "books.example")
    assert books["cause"]["step"] == "services"
    assert [one["code"] for one in books["cause"]["findings"]] == ["service-crash-loop"]
    assert "restored byte for byte" in books["undone"]
    assert books["steps"]["undo"]["state"] == "changed"
    assert books["variables"]["put_back"] is True
    # what ran in the undo does not hide the failure of the step itself
    assert books["steps"]["services"]["state"] == "failed"
    assert [one["state"] for one in books["timeline"]][-3:] == ["failed", "changed", "changed"]


def test_problems_come_in_the_order_of_time_and_hosts_with_one_cause_stand_together() -> None:
    made = runs.fleet().document()
    assert [(one["step"], len(one["hosts"])) for one in made["problems"]] == [("", 3), ("relay", 4), ("services", 1)]
    assert made["problems"][0]["state"] == "unreachable"


def test_before_and_after_of_variables() -> None:
    variables = host(mixed(), "social.example")["variables"]
    assert [tuple(one.values()) for one in variables["changed"]] == [
        ("SMTP_SERVER", "changed", "localhost", "smtp.eu.mailgun.org"),
        ("SMTP_PORT", "changed", "25", "587"),
        ("SMTP_SSL", "removed", "true", None),
        ("SMTP_PASSWORD", "added", None, "(hidden)"),
    ]
    assert variables["unchanged"] == ["SMTP_ENABLE_STARTTLS"]


def test_without_diff_the_planned_value_is_the_one_after_and_the_one_before_is_said_to_be_unknown() -> None:
    found = evidence.of_edit({key: value for key, value in runs.EDIT.items() if key != "diff"})
    assert found["recorded"] is False
    run = runs.Run("one.example")
    run.step(run.task("Plan", "smtp_settings"), ["one.example"], ("ok", runs.PLAN))
    bare = {key: value for key, value in runs.EDIT.items() if key != "diff"}
    run.step(run.task("Edit", "env_file"), ["one.example"], ("changed", bare))
    changed = host(run.document(), "one.example")["variables"]["changed"]
    assert changed[0] == {"name": "SMTP_SERVER", "what": "changed", "before": None, "after": "smtp.eu.mailgun.org"}
    assert changed[3]["after"] == "(hidden)"


def test_a_value_in_quotes_may_run_over_lines() -> None:
    result = {
        "changed_variables": [{"name": "A", "what": "changed"}, {"name": "B", "what": "changed"}],
        "diff": {"before": 'A="one\nC=two"\nB=3\n', "after": "A=1\nB=4\n"},
    }
    assert [one["before"] for one in evidence.of_edit(result)["variables"]] == ['"one\nC=two"', "3"]


def test_effective_settings_before_planned_and_from_rails() -> None:
    settings = {one["name"]: one for one in host(mixed(), "social.example")["settings"]}
    assert settings["main.port"] == {
        "name": "main.port",
        "before": "25",
        "planned": "587",
        "rails": "587",
        "differs": False,
    }


def test_a_step_that_could_not_make_its_test_is_not_taken_for_a_good_one() -> None:
    run = runs.Run("a.example")
    unproved = {"failed": False, "msg": "The queue is not proved."}
    run.step(run.task("Prove the queue", "queued_mail_check", "rollout"), ["a.example"], ("ok", unproved))
    seen = host(run.document(), "a.example")
    assert (seen["state"], seen["steps"]["queue"]["state"]) == ("not_proved", "not_proved")


def test_how_a_step_ended_is_what_it_says_itself() -> None:
    """The result that Ansible shows has neither findings nor a word of them."""
    run = runs.Run("a.example")
    task = run.task("Restart stale services", "mail_services", "rollout")
    left = {**runs.services(findings=[runs.CRASHED]), "changed": False}
    entry = Entry(task.name, "failed", ("It crashed.",), left, task.uuid)
    shown = {"failed": True, "msg": "It crashed.\nSome more words."}
    run.seen.ended("a.example", task, "failed", {**left, **shown}, run.now, entry)
    cause = host(run.document(), "a.example")["cause"]
    assert (cause["message"], [one["code"] for one in cause["findings"]]) == ("It crashed.", ["service-crash-loop"])


@pytest.mark.parametrize("part", ["preflight", "check"])
def test_variables_that_are_wrong_are_a_cause_though_they_are_no_step_of_the_matrix(part: str) -> None:
    run = runs.Run("a.example")
    run.step(run.task("Find the instance", "instance_info", part), ["a.example"], ("ok", runs.instance("a.example")))
    wrong = {"failed": False, "msg": "mastodon_smtp_port must be a number."}
    run.step(run.task("Check the variables", "smtp_variables", part), ["a.example"], ("ok", wrong))
    cause = host(run.document(), "a.example")["cause"]
    assert (cause and cause["message"]) == (wrong["msg"] if part == "preflight" else None)


def test_a_gate_of_the_playbook_speaks_of_the_run_and_leaves_the_hosts_not_begun() -> None:
    run = runs.Run("a.example", "b.example")
    names = ["a.example", "b.example"]
    bad = runs.failed(runs.relay(accepted=False, findings=[runs.REFUSED]))
    run.step(
        run.task("Relay", "smtp_relay_info"),
        names,
        lambda name: ("failed", bad) if name[0] == "a" else ("ok", runs.relay()),
    )
    gate = run.task("Check that every preflight passed", "smtp_fleet", "rollout")
    told = {"failed": True, "msg": "The preflight failed on a.example.", "not_started": ["b.example"]}
    run.step(gate, ["b.example"], ("failed", told))
    made = run.document()
    assert [(one["name"], one["state"]) for one in made["hosts"]] == [("a.example", "failed"), ("b.example", "stopped")]
    assert [one["message"] for one in made["stops"]] == ["The preflight failed on a.example."]
    assert [one["hosts"] for one in made["problems"]] == [["a.example"]]


def test_what_an_assert_of_another_play_finds_is_about_its_host() -> None:
    run = runs.Run("a.example")
    run.step(run.task("Relay", "smtp_relay_info"), ["a.example"], ("ok", runs.relay()))
    theirs = Task("theirs", "Look at the disk", "ansible.builtin.assert")
    run.step(theirs, ["a.example"], ("failed", {"failed": True, "msg": "The disk is full."}))
    made = run.document()
    assert made["stops"] == [] and [one["message"] for one in made["problems"]] == ["The disk is full."]


@pytest.mark.parametrize("code", ["no-instance", "no-systemd", "no-compose-instance", "no-engine"])
def test_a_host_without_mastodon_is_left_out_and_said_so(code: str) -> None:
    run = runs.Run("relay.example")
    none = runs.finding(code, "error", "this host", "No Mastodon was found here.", "Give mastodon_smtp_app_dir.")
    run.step(run.task("See", "instance_info"), ["relay.example"], ("failed", runs.failed({"findings": [none]})))
    made = run.document()
    assert host(made, "relay.example")["state"] == "without"
    # as the gate of the playbook has it, which goes on without such a host
    seen = Known({"instance": Entry("Find the instance", "failed", ("None.",), {"findings": [none]})})
    assert preflight_verdict({"relay.example": seen}, ["relay.example"], [])["without_mastodon"] == ["relay.example"]


@pytest.mark.parametrize("severity", ["error", "warning"])
def test_a_drift_check_ends_with_its_verdict(severity: str) -> None:
    made = runs.drift_check(False, severity).document()
    valid(made)
    seen = host(made, "a.example")
    assert seen["state"] == "drifted" and [one["code"] for one in seen["cause"]["findings"]] == ["file-differs"]
    # what a step found and the verdict did not take over is not told
    assert {(one["code"], one["step"]) for one in seen["findings"]} == {("file-differs", "")}
    # a step with bad news is not shown as good though it went on
    assert seen["steps"]["relay"]["state"] == "ignored"
    # nor one that saw what it would change
    assert [seen["steps"][key]["state"] for key in ("edit", "services")] == ["differs", "differs"]
    assert made["stops"] == [] and [one["hosts"] for one in made["problems"]] == [["a.example"]]


@pytest.mark.parametrize("fails", [True, False])
def test_what_no_mail_has_proved_is_neither_done_nor_failed(fails: bool) -> None:
    made = runs.rollout(["a.example", "b.example"], unproved=["a.example"], fails=fails).document()
    seen = host(made, "a.example")
    assert (seen["state"], seen["steps"]["queue"]["state"]) == ("not_proved", "not_proved")
    assert seen["headline"].startswith("Done, not proved: ")
    (told,) = [one for one in seen["findings"] if one["code"] == "account-gets-no-mail"]
    assert told["severity"] == ("error" if fails else "warning") and told["step"] == "queue"
    assert [one["codes"] for one in made["problems"]] == ([["account-gets-no-mail"]] if fails else [])
    assert (seen["cause"] is not None) is fails


def test_an_error_that_may_pass_is_shown_all_the_same() -> None:
    """With mastodon_smtp_fail_on never, the run succeeds and the host differs."""
    run = runs.Run("a.example", playbook="smtp_check.yml")
    differs = runs.finding("file-differs", "error", ".env.production", "It differs.", "Roll out.")
    verdict = {"in_order": False, "fails": False, "headline": "Not in order: 1 error.", "findings": [differs]}
    told = {**verdict, "blocking": [], "message": "", "summary": ["Not in order: 1 error."]}
    run.step(run.task("Find the instance", "instance_info", "check"), ["a.example"], ("ok", runs.instance("a.example")))
    run.step(run.task("Sum up", "smtp_summary", "check"), ["a.example"], ("ok", told))
    seen = host(run.document(), "a.example")
    assert seen["state"] == "drifted" and [one["code"] for one in seen["cause"]["findings"]] == ["file-differs"]


def test_a_drift_check_has_changed_nothing_and_says_what_would_be() -> None:
    seen = host(runs.drift_check(True).document(), "a.example")
    assert seen["state"] == "in_order" and seen["cause"] is None
    assert seen["variables"]["applied"] is False
    assert [(one["restarted"], one["would_restart"]) for one in seen["services"]] == [(False, True), (False, False)]


@pytest.mark.parametrize("in_order", [True, False])
def test_what_a_rollout_does_after_a_drift_check_takes_the_place_of_the_verdict(in_order: bool) -> None:
    done = runs.rollout(["a.example"], after=runs.drift_check(in_order)).document()
    valid(done)
    seen = host(done, "a.example")
    assert seen["state"] == "changed" and seen["cause"] is None and done["problems"] == []
    assert {"file-differs"}.isdisjoint(one["code"] for one in seen["findings"])
    # nor do the steps of the check hide those of the rollout
    assert [seen["steps"][key]["state"] for key in ("edit", "services", "relay")] == ["changed", "changed", "ok"]
    assert len([one for one in seen["timeline"] if one["step"] == "edit"]) == 2


@pytest.mark.parametrize("in_order", [True, False])
def test_a_rollout_that_fails_after_a_drift_check_has_failed(in_order: bool) -> None:
    crashed = runs.rollout(["a.example"], crashed=["a.example"], after=runs.drift_check(in_order)).document()
    seen = host(crashed, "a.example")
    assert seen["state"] == "failed" and "restored byte for byte" in seen["undone"]
    assert [one["code"] for one in seen["cause"]["findings"]] == ["service-crash-loop"]

    refused = runs.rollout(["a.example"], refused=["a.example"], after=runs.drift_check(in_order)).document()
    seen = host(refused, "a.example")
    assert seen["state"] == "failed" and seen["cause"]["step"] == "relay"
    # the check has compared the file, and nothing has touched it
    assert "edit" not in seen["steps"] and seen["variables"] is None
    assert [one["codes"] for one in refused["problems"]] == [["login-refused"]]


def test_a_sender_that_is_looked_up_twice_names_its_host_once() -> None:
    run = runs.Run("a.example")
    for _time in range(2):
        run.step(run.task("Look up the sender", "sender_dns_info"), ["a.example"], ("ok", runs.DNS))
    assert [one["hosts"] for one in run.document()["senders"]] == [["a.example"]]


@pytest.mark.parametrize(("in_order", "state"), [(True, "in_order"), (False, "drifted")])
def test_a_verdict_stands_until_something_fails_that_is_not_its_own(in_order: bool, state: str) -> None:
    run = runs.drift_check(in_order)
    queue = run.task("Send one mail", "queued_mail_check")
    run.step(queue, ["a.example"], ("ok", runs.QUEUE))
    assert host(run.document(), "a.example")["state"] == state
    run.step(queue, ["a.example"], ("failed", runs.failed({}, "The mail was not delivered.")))
    seen = host(run.document(), "a.example")
    assert seen["state"] == "failed" and seen["cause"]["message"] == "The mail was not delivered."


def test_a_drift_check_after_a_rollout_proves_it_and_hides_nothing_of_it() -> None:
    made = runs.drift_check(True, after=runs.rollout(["a.example"])).document()
    valid(made)
    seen = host(made, "a.example")
    assert seen["state"] == "changed" and seen["cause"] is None
    assert seen["variables"]["applied"] is True and seen["variables"]["changed"][0]["name"] == "SMTP_SERVER"
    assert [one["restarted"] for one in seen["services"]] == [True, False]

    seen = host(runs.drift_check(False, after=runs.rollout(["a.example"])).document(), "a.example")
    assert seen["state"] == "drifted" and [one["code"] for one in seen["cause"]["findings"]] == ["file-differs"]

    # where the playbook goes on after a rollout that failed
    seen = host(
        runs.drift_check(True, after=runs.rollout(["a.example"], crashed=["a.example"])).document(), "a.example"
    )
    assert seen["state"] == "failed" and [one["code"] for one in seen["cause"]["findings"]] == ["service-crash-loop"]
    assert seen["variables"]["put_back"] is True


def test_what_failed_on_the_way_to_a_verdict_is_in_the_verdict() -> None:
    run = runs.Run("a.example", playbook="smtp_check.yml")
    run.step(run.task("See", "instance_info", "check"), ["a.example"], ("failed", runs.failed({}, "Rescued.")))
    verdict = {"in_order": True, "findings": [], "blocking": [], "summary": ["In order."]}
    run.step(run.task("Sum up what was seen", "smtp_summary", "check"), ["a.example"], ("ok", verdict))
    seen = host(run.document(), "a.example")
    assert seen["state"] == "in_order" and seen["cause"] is None


def test_a_roll_back_shows_what_was_put_back_and_restarted() -> None:
    made = runs.rollback().document()
    valid(made)
    seen = host(made, "a.example")
    assert seen["state"] == "rolled_back" and seen["steps"]["undo"]["state"] == "changed"
    assert seen["variables"]["changed"][0]["name"] == "SMTP_SERVER"
    assert [one["restarted"] for one in seen["services"]] == [True, False]


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_became_of_the_mails_of_an_outage_is_in_the_report(check_mode: bool) -> None:
    made = runs.look_at_mails(check_mode=check_mode).document()
    valid(made)
    seen = host(made, "a.example")
    assert made["run"]["purposes"] == ["waiting"]
    assert seen["retried"] == {**runs.RETRIED, "stopped": None} and seen["waiting"]["groups"] == []
    assert seen["steps"]["retry"]["state"] == ("ok" if check_mode else "changed")


@pytest.mark.parametrize(("check_mode", "state"), [(False, "adopted"), (True, "would_change")])
def test_an_adoption_says_what_was_written_for_whom(check_mode: bool, state: str) -> None:
    made = runs.adoption(check_mode=check_mode).document()
    valid(made)
    assert [(one["name"], one["state"]) for one in made["hosts"]] == [("a.example", state), ("b.example", "in_order")]
    adopted = host(made, "a.example")["adopted"]
    assert adopted["applied"] is not check_mode and adopted["variables"] == ["mastodon_smtp_host"]


@pytest.mark.parametrize(
    ("playbook", "play", "part", "purposes"),
    [
        ("smtp_rollout.yml", "", "", ["rollout"]),
        ("smtp_check.yml", "smtp_check.yml", "check", ["drift_check"]),
        ("smtp_rollback.yml", "", "", ["rollback"]),
        ("smtp_adopt.yml", "", "", ["adopt"]),
        ("smtp_waiting.yml", "", "", ["waiting"]),
        ("mine.yml", "smtp_check.yml", "", ["drift_check"]),
        ("mine.yml", "mine.yml", "rollback", ["rollback"]),
        ("mine.yml", "mine.yml", "preflight", ["rollout"]),
        ("mine.yml", "mine.yml", "", ["other"]),
        ("smtp_rollout.yml", "smtp_check.yml", "", ["rollout", "drift_check"]),
    ],
)
def test_what_a_run_is_for_is_known_by_its_playbooks_and_by_the_parts_of_the_role(
    playbook: str, play: str, part: str, purposes: list[str]
) -> None:
    run = runs.Run("a.example", playbook=playbook)
    run.seen.play("A play", ["a.example"], run.now, file=play)
    run.step(Task("u", "See", "fediops.mastodon.instance_info", part=part), ["a.example"], ("ok", {}))
    made = run.document()
    valid(made)
    assert made["run"]["purposes"] == purposes


def test_an_unfinished_run_says_what_was_under_way() -> None:
    run = runs.Run("a.example", "b.example")
    task = run.task("Ask Rails", "mailer_check")
    run.seen.started("a.example", task, run.now)
    run.now += 12
    made = run.document(RUNNING)
    assert made["waiting"] == [{"host": "a.example", "step": "rails", "task": "Ask Rails", "seconds": 12.0}]
    assert [(one["name"], one["state"]) for one in made["hosts"]] == [
        ("a.example", "unfinished"),
        ("b.example", "stopped"),
    ]
    assert host(made, "a.example")["steps"]["rails"]["state"] == "running"


def test_plays_without_a_step_of_the_collection_are_not_in_the_report() -> None:
    run = runs.Run("a.example")
    run.step(run.task("Plan", "smtp_settings"), ["a.example"], ("ok", runs.PLAN))
    run.seen.play("Evidence", ["localhost"], run.now)
    run.step(Task("copy", "Keep", "ansible.builtin.copy"), ["localhost"], ("changed", {"changed": True}))
    assert [one["name"] for one in run.document()["hosts"]] == ["a.example"]


@pytest.mark.parametrize("shape", sorted(evidence.shapes(runs.PASSWORD)))
def test_a_secret_that_a_result_lets_slip_is_cut_out_everywhere(shape: str) -> None:
    run = runs.Run("a.example")
    leak = runs.finding("login-refused", "error", f"x {shape}", f"said {shape}", f"do {shape}")
    result = runs.failed(runs.relay(accepted=False, findings=[leak]), f"It said {shape}.")
    result["relay"]["auth"]["answer"] = f"535 {shape}"
    run.step(run.task("Relay", "smtp_relay_info", password=runs.PASSWORD), ["a.example"], ("failed", result))
    text = json.dumps(run.document(), ensure_ascii=False)
    assert shape not in text and "It said (hidden)." in text


def test_no_option_of_a_task_and_no_unknown_key_of_a_result_gets_into_the_document() -> None:
    run = runs.Run("a.example")
    result = {
        **runs.relay(),
        "invocation": {"module_args": {"password": "in the invocation"}},
        "stdout": "in stdout",
        "something": "in something",
    }
    run.step(run.task("Relay", "smtp_relay_info", login="in the options"), ["a.example"], ("ok", result))
    text = json.dumps(run.document())
    for words in ("in the invocation", "in stdout", "in something", "in the options"):
        assert words not in text


def test_a_task_with_no_log_shows_its_state_and_nothing_else() -> None:
    run = runs.Run("a.example")
    censored = {"censored": "the output has been hidden", "changed": False, "msg": "must not be seen"}
    run.step(run.task("Relay", "smtp_relay_info"), ["a.example"], ("failed", censored))
    seen = host(run.document(), "a.example")
    assert seen["steps"]["relay"]["hidden"] is True
    assert "mastodon_smtp_no_log" in seen["cause"]["message"] and "must not" not in json.dumps(seen)


def test_a_skipped_task_is_not_hidden_and_keeps_a_better_state() -> None:
    run = runs.Run("a.example")
    run.step(run.task("First", "smtp_relay_info"), ["a.example"], ("ok", runs.relay()))
    run.step(run.task("Others", "smtp_relay_info"), ["a.example"], ("skipped", {"censored": "hidden"}))
    cell = host(run.document(), "a.example")["steps"]["relay"]
    assert cell["state"] == "ok" and cell["hidden"] is False


def test_timings_are_those_of_the_hosts() -> None:
    steps = {one["key"]: one for one in mixed()["steps"]}
    assert steps["services"]["hosts"] == 3 and steps["services"]["failed"] == 1
    assert steps["rails"]["median"] <= steps["rails"]["longest"]
    assert steps["rails"]["longest_host"] in NAMES


class Tagged(str):
    """As ansible-core's tagged strings: a subclass that knows more than its text."""


def test_values_are_copied_as_plain_ones() -> None:
    copied = evidence.plain({Tagged("a"): [Tagged("b"), (1, 2.5, None, True)], "odd": object})
    assert json.loads(json.dumps(copied))["a"] == ["b", [1, 2.5, None, True]]
    assert not any(isinstance(one, Tagged) for one in (*copied, *copied["a"]))


RESULTS: dict[str, dict[str, t.Any]] = {
    "instance_info": runs.instance("a.example"),
    "smtp_settings": runs.PLAN,
    "sender_dns_info": runs.DNS,
    "smtp_relay_info": runs.relay(),
    "env_file": runs.EDIT,
    "mailer_check": {
        **runs.rails("a.example"),
        "waiting": {"complete": True, "groups": [{"place": "retry", "mailer": "A", "count": 1, "cause": "x"}]},
    },
    "mail_services": runs.services(),
    "queued_mail_check": runs.QUEUE,
    "mail_arrival_info": runs.ARRIVAL,
}


def places(value: t.Any, way: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """The ways to everything within a result."""
    if way:
        yield way
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*way, key))


@pytest.mark.parametrize("step", RESULTS)
def test_nothing_of_another_type_keeps_a_report_from_being_written(step: str) -> None:
    """A host may answer with anything, and the report of the others has to be there."""
    for way in places(RESULTS[step]):
        for wrong in (None, 7, "x", [[1]], {"a": 1}, 1e30):
            forged = copy.deepcopy(RESULTS[step])
            place: t.Any = forged
            for key in way[:-1]:
                place = place[key]
            place[way[-1]] = wrong
            run = runs.Run("a.example")
            for name, result in RESULTS.items():
                run.step(run.task(name, name), ["a.example"], ("ok", forged if name == step else result))
            render(run.document(), FILES)


LARGE: dict[str, t.Any] = {
    "a text": {"instance": {"release": "x" * 10**7, "services": [{"name": "y" * 10**7}]}},
    "many texts": {"instance": {"services": [{"name": f"service {one}", "state": "z" * 100} for one in range(10**5)]}},
    "many keys": {"instance": {"effective": {"main": {"settings": {f"key {one}": one for one in range(3 * 10**5)}}}}},
    "many findings": {"findings": [{**runs.DMARC, "subject": f"{one} {'x' * 1000}"} for one in range(10**4)]},
    "a message": {"failed": True, "msg": "x" * 10**7},
    "lines": {"failed": True, "msg": "line\n" * 10**6},
}


@pytest.mark.parametrize("result", LARGE.values(), ids=list(LARGE))
def test_a_report_has_bounds_whatever_a_host_answers(result: dict[str, t.Any]) -> None:
    run = runs.Run("a.example", "b.example")
    run.step(run.task("Look", "instance_info"), run.names, ("failed" if "failed" in result else "ok", result))
    files = render(run.document(), FILES)
    assert sum(map(len, files.values())) < 12 * evidence.OF_RESULT


def test_a_report_has_bounds_however_many_hosts_answer_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "OF_RUN", 10**6)
    run = runs.Run(*(f"{one}.example" for one in range(50)))
    run.step(run.task("Look", "instance_info"), run.names, ("ok", LARGE["many texts"]))
    assert len(json.dumps(run.document())) < 5 * 10**6
    assert len(run.document()["hosts"]) == 50


@pytest.mark.parametrize(
    "wrong", [None, "text", 7, [], {"instance": None}, {"plan": "x", "relay": [1], "services": {}}]
)
def test_a_result_of_another_shape_is_borne(wrong: t.Any) -> None:
    run = runs.Run("a.example")
    for name in ("instance_info", "smtp_settings", "sender_dns_info", "smtp_relay_info", "env_file", "mailer_check"):
        given = (
            wrong
            if isinstance(wrong, dict)
            else {"instance": wrong, "plan": wrong, "sender_dns": wrong, "relay": wrong}
        )
        run.step(run.task(name, name), ["a.example"], ("ok", given))
    for name in ("mail_services", "queued_mail_check"):
        run.step(run.task(name, name), ["a.example"], ("ok", {"services": wrong, "job": wrong, "findings": wrong}))
    valid(run.document())


def test_where_a_mail_arrived_is_in_the_report_and_the_password_of_the_mailbox_in_none() -> None:
    run = runs.Run("a.example")
    box = {"host": "imap.example.com", "login": "admin@example.com", "password": runs.PASSWORD}
    step = run.task("Look for the mails", "mail_arrival_info", "rollout", mailboxes=[box])
    found = {**runs.ARRIVAL, "findings": [{**runs.DMARC, "message": f"Not {runs.PASSWORD}."}]}
    run.step(step, ["a.example"], ("ok", found))
    made = run.document()
    valid(made)
    here, missing = made["hosts"][0]["arrivals"]
    assert (here["folder"], here["junk"], here["seconds"], here["dmarc"]) == ("Junk", True, 2.0, "fail")
    assert (missing["arrived"], missing["seconds"]) == (False, None)
    files = render(made, FILES)
    assert "Junk of admin@example.com (junk)" in files[FILES["html"]]
    assert not any(runs.PASSWORD in text for text in files.values())
