# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a step of the role fails, and what becomes of the host: the real role, plan, edit and undo, on this machine.

A stand-in fails where the test has laid a file for it beside the environment file.
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
from light_fleet import Light, Run

SUMMED_UP = "Done and proved: the mail settings are in place and in use."


def fails(light: Light, step: str, code: str, number: int = 0) -> None:
    """Let a step of a host fail from now on."""
    finding = {"code": code, "severity": "error", "subject": "smtp.relay.example", "message": "No.", "fix": "Fix it."}
    answer = {"failed": True, "msg": "its own words", "findings": [finding], "rails": None, "services": []}
    (light.folder / f"host{number:03}" / f"{step}.json").write_text(json.dumps(answer))


def flat(done: Run) -> str:
    return " ".join(done.output.split())


def last_words(done: Run, host: str = "host000") -> list[str]:
    """The failures of a host, each on one line."""
    blocks = re.findall(rf"^fatal: \[{host}\]: FAILED! =>.*?(?=^\S|\Z)", done.output, re.M | re.S)
    return [" ".join(block.split()) for block in blocks]


def recap(done: Run, host: str = "host000") -> dict[str, int]:
    line = next(line for line in done.output.splitlines() if line.startswith(f"{host} ") and "ok=" in line)
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)}


def report(light: Light) -> dict[str, t.Any]:
    made: dict[str, t.Any] = json.loads((light.folder / "report" / "rollout.json").read_text())
    return made


@pytest.fixture
def light(tmp_path: Path) -> Light:
    return Light(tmp_path)


def reported(light: Light) -> dict[str, str]:
    return {
        "ANSIBLE_CALLBACKS_ENABLED": "fediops.mastodon.rollout_report",
        "MASTODON_ROLLOUT_REPORT_DIRECTORY": str(light.folder / "report"),
    }


@pytest.mark.parametrize(
    ("step", "task", "undone"),
    [
        (
            "mailer_check",
            "Check Rails and send the test message",
            "was restored byte for byte; no running service ever read the new settings.",
        ),
        (
            "mail_services",
            "Restart stale services",
            "but the services did NOT come back: smtp.relay.example: No. Fix it.",
        ),
        ("queued_mail_check", "Prove the queue", "was restored byte for byte, and the services run on it again."),
    ],
)
def test_a_step_that_fails_shows_its_sentences_and_is_undone(light: Light, step: str, task: str, undone: str) -> None:
    before = light.env_file()
    fails(light, step, "login-refused")
    done = light.play("smtp_rollout", **reported(light), ANSIBLE_CALLBACK_RESULT_FORMAT="yaml")
    sentence = "smtp.relay.example: No. Fix it. [login-refused]"
    assert done.status == 2 and light.env_file() == before, done.output
    first, last = last_words(done)
    assert sentence in first and not re.search(r"findings|severity|its own words|evidence", first), first
    end = "Failed, not undone" if "NOT" in undone else "Failed, undone"
    assert f"{end}: {task}: {sentence}" in last and undone in last, last
    assert not list(light.folder.glob("host*/*.smtp-unproved"))
    assert recap(done)["rescued"] == 1 and recap(done)["failed"] == 1
    (host,) = report(light)["hosts"]
    assert host["state"] == "failed" and [one["code"] for one in host["cause"]["findings"]] == ["login-refused"]
    assert host["cause"]["task"] == task and len(report(light)["problems"]) == 1


def test_what_only_the_test_could_not_do_undoes_nothing_and_fails_the_run(light: Light) -> None:
    fails(light, "queued_mail_check", "account-gets-no-mail")
    done = light.play("smtp_rollout", **reported(light))
    assert done.status == 2 and "SMTP_SERVER=smtp.relay.example" in light.env_file(), done.output
    assert "The new settings stay in" in flat(done) and recap(done)["rescued"] == 0
    assert json.loads((light.folder / "host000/.env.production.smtp-unproved").read_text())["outstanding"] == ["queue"]
    (host,) = report(light)["hosts"]
    assert host["state"] == "not_proved" and host["steps"]["queue"]["state"] == "not_proved"
    assert [one["code"] for one in host["cause"]["findings"]] == ["account-gets-no-mail"]
    assert host["headline"].startswith("Done, not proved: ")
    assert "To prove it: Fix it. Then run the rollout again." in flat(done)
    # the drift check tells it, and a run that may be green despite it says so first
    done = light.play("smtp_check")
    assert done.status == 2 and "Not in order: 1 error." in flat(done) and "[queue-not-proved]" in flat(done)
    done = light.play("smtp_rollout", "-e", "mastodon_smtp_unproved=warn", **reported(light))
    assert done.status == 0 and "Done, not proved: " in flat(done) and SUMMED_UP not in flat(done), done.output
    (host,) = report(light)["hosts"]
    assert (host["state"], host["cause"]) == ("not_proved", None) and report(light)["problems"] == []
    assert "error" not in [one["severity"] for one in host["findings"]]
    # the next run proves what is missing
    (light.folder / "host000/queued_mail_check.json").unlink()
    done = light.play("smtp_rollout")
    assert done.status == 0 and SUMMED_UP in done.output and "went through the queue" in flat(done), done.output
    assert "accepted the test message" not in flat(done)


@pytest.mark.parametrize("how", ["nobody to mail", "never", "fail"])
def test_a_proof_that_nobody_asked_for_is_missing_all_the_same(light: Light, how: str) -> None:
    chosen = {"mastodon_smtp_send": "never"} if how == "never" else {"mastodon_smtp_test_recipient": ""}
    chosen |= {"mastodon_smtp_unproved": "fail"} if how == "fail" else {}
    done = light.play("smtp_rollout", "-e", json.dumps(chosen))
    assert done.status == (2 if how == "fail" else 0) and "SMTP_SERVER=smtp.relay.example" in light.env_file()
    assert "Done, not proved: " in flat(done) and "[queue-not-proved]" in flat(done), done.output
    assert SUMMED_UP not in flat(done) and "To prove it: " in flat(done)
    assert ("Done, not proved (1 of 1): host000." in flat(done)) is (how != "fail")
    # the advice holds: the next run sends, though there is nothing else to do
    done = light.play("smtp_rollout")
    assert done.status == 0 and SUMMED_UP in done.output and "went through the queue" in flat(done), done.output


def test_each_batch_says_its_name_and_hosts(tmp_path: Path) -> None:
    fleet = Light(tmp_path, hosts=3)
    done = fleet.play("smtp_rollout", "-e", '{"mastodon_smtp_batches": [1, "100%"]}')
    assert re.findall(r"Rollout\b[^\"]*: host[^\"]*", done.output) == [
        "Rollout, canary: host000",
        "Rollout, batch 2: host001, host002",
    ], done.output


def test_an_undo_that_is_switched_off_by_a_text_is_off(light: Light) -> None:
    fails(light, "mailer_check", "login-refused")
    done = light.play("smtp_rollout", "-e", "mastodon_smtp_undo=false")
    assert done.status == 2 and "mastodon_smtp_undo is off" in flat(done) and "smtp.relay.example" in light.env_file()


def test_a_second_run_changes_nothing_and_asks_nobody_to_mail(light: Light) -> None:
    assert light.play("smtp_rollout").status == 0
    done = light.play("smtp_rollout")
    assert done.status == 0 and "In order: there was nothing to change." in done.output and recap(done)["changed"] == 0
    assert "accepted the test message" not in done.output and "went through the queue" not in flat(done)
    done = light.play("smtp_rollout", "-e", "mastodon_smtp_send=always")
    assert "accepted the test message" in done.output and "went through the queue" in flat(done)


def test_a_preflight_says_everything_at_once(light: Light) -> None:
    """Each step has its turn, and the host fails once, with sentences."""
    light.variables(mastodon_smtp_from_adress="x@y.test", mastodon_smtp_provider="Mailgunn")
    done = light.play("smtp_rollout", **reported(light), ANSIBLE_CALLBACK_RESULT_FORMAT="yaml")
    (said,) = last_words(done)
    assert done.status == 2 and said.count("[setting-unknown]") == 1 and "did you mean mailgun?" in said, done.output
    assert said.endswith("Nothing has been changed on any host.") and "severity" not in said and "plan:" not in said
    (host,) = report(light)["hosts"]
    assert (host["state"], host["steps"]["settings"]["state"], host["cause"]["task"]) == (
        "failed",
        "failed",
        "Check the variables",
    )
    assert (
        "setting-unknown" in [one["code"] for one in host["cause"]["findings"]] and len(report(light)["problems"]) == 1
    )


def test_a_task_that_cannot_begin_is_said_and_nothing_is_touched(light: Light) -> None:
    before = light.env_file()
    light.variables(mastodon_smtp_no_log="{{ nobody_defined_this }}")
    done = light.play("smtp_rollout")
    assert done.status == 2 and "mastodon_smtp_no_log refers to nobody_defined_this" in flat(done), done.output
    assert light.env_file() == before
    assert "Nothing has been changed on any host." in flat(done), done.output


def test_a_batch_stops_at_a_canary_that_failed(tmp_path: Path) -> None:
    light = Light(tmp_path, 3)
    fails(light, "mailer_check", "login-refused")
    done = light.play("smtp_rollout")
    assert done.status == 2 and "The rollout stops here; not started: host001, host002." in flat(done), done.output
    assert "SMTP_SERVER=old" in light.env_file(1) and "SMTP_SERVER=old" in light.env_file(0)
    done = light.play("smtp_rollout", "-e", json.dumps({"mastodon_smtp_batches": [2, 1]}))
    assert "The rollout failed on host000, so it stops here: host002 and the hosts after" in flat(done), done.output
    assert "SMTP_SERVER=smtp.relay.example" in light.env_file(1) and "SMTP_SERVER=old" in light.env_file(2)


@pytest.mark.parametrize("strategy", ["linear", "host_pinned"])
def test_a_preflight_that_failed_stops_all_and_is_not_said_to_be_the_fault_of_another(
    tmp_path: Path, strategy: str
) -> None:
    light = Light(tmp_path, 3)
    light.variables(mastodon_smtp_provider="{{ 'Mailgunn' if inventory_hostname == 'host001' else omit }}")
    done = light.play("smtp_rollout", **reported(light), ANSIBLE_STRATEGY=strategy)
    said = "The preflight failed on host001, so the rollout does not begin (passed: host000, host002)."
    assert done.status == 2 and [said in one for one in last_words(done)] == [True], done.output
    assert last_words(done, "host002") == [] and "Edit the environment file" not in done.output
    assert all("SMTP_SERVER=old" in light.env_file(number) for number in range(3))
    made = report(light)
    assert {one["name"]: one["state"] for one in made["hosts"]} == {
        "host000": "stopped",
        "host001": "failed",
        "host002": "stopped",
    }
    assert [said in one["message"] for one in made["stops"]] == [True]
    assert [one["hosts"] for one in made["problems"]] == [["host001"]]


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_the_steps_one_by_one_by_their_tags(light: Light, strategy: str) -> None:
    note = light.folder / "host000/.env.production.smtp-unproved"
    for tag, left in (
        ("edit", ["mailer", "services", "queue"]),
        ("check", ["services", "queue"]),
        ("restart", ["queue"]),
        ("queue", []),
    ):
        done = light.play("smtp_rollout", "--tags", f"mastodon_smtp_{tag}", ANSIBLE_STRATEGY=strategy)
        assert done.status == 0, done.output
        assert (json.loads(note.read_text())["outstanding"] if note.exists() else []) == left, (tag, done.output)
    done = light.play("smtp_rollout", "--skip-tags", "mastodon_smtp_check", "-e", "mastodon_smtp_send=always")
    assert done.status == 0 and SUMMED_UP not in done.output
    assert "Check Rails and send the test message did not run." in flat(done)


def test_a_dry_run_then_a_check_a_rollout_and_a_roll_back_in_one_command(light: Light) -> None:
    """No part takes what another part of the same run has seen for its own."""
    before = light.env_file()
    done = light.play("smtp_rollout", "--check", "--diff")
    assert done.status == 0 and "Dry run, nothing was touched: this instance would change." in done.output
    assert light.env_file() == before
    names = ("smtp_check", "smtp_rollout", "smtp_check", "smtp_rollback")
    plays = "\n".join(f"- import_playbook: fediops.mastodon.{name}" for name in names)
    done = light.play(f"---\n{plays}\n", "-e", "mastodon_smtp_fail_on=never")
    said = flat(done)
    assert done.status == 0 and SUMMED_UP in said and "[file-differs]" in said, done.output
    assert "In order: file, effective settings" in said and "was restored from" in said and light.env_file() == before
    # Rails uses the same settings here, so what differs is a warning.
    done = light.play("smtp_check", "-e", "mastodon_smtp_fail_on=warning", **reported(light))
    assert done.status == 2 and "Not in order: 1 warning." in done.output and "SMTP_SERVER (other value)" in flat(done)
    assert report(light)["hosts"][0]["state"] == "drifted"


def test_a_roll_back_that_fails_says_what_it_has_changed(light: Light) -> None:
    assert light.play("smtp_rollout").status == 0
    file = light.folder / "host000/.env.production"
    file.write_text(file.read_text() + "THEIRS=1\n")
    done = light.play("smtp_rollback", **reported(light))
    assert done.status == 2 and "[env-not-ours]" in flat(done) and "Nothing has been changed." in flat(done), (
        done.output
    )
    assert "Restore the environment file: " in flat(done)


def test_adopting_fails_with_its_sentences(light: Light) -> None:
    light.variables(mastodon_smtp_from_adress="x@y.test")
    done = light.play("smtp_adopt")
    assert done.status == 2 and "[setting-unknown]" in flat(done), done.output
    assert "Nothing has been written for this host." in flat(done)
    done = light.play("smtp_adopt", "-e", '{"mastodon_smtp_accept": ["setting-unknown"]}')
    assert done.status == 0 and "Written: " in done.output
