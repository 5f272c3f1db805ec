# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run in which nothing was done does not end green, and says what to write instead: real ansible-playbook, no lab."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
from light_fleet import Light, Run

PLAYBOOKS = ("smtp_rollout", "smtp_check", "smtp_rollback", "smtp_adopt", "smtp_waiting")
STEPS = "mastodon_smtp_edit,mastodon_smtp_check,mastodon_smtp_restart,mastodon_smtp_queue"


@pytest.fixture
def light(tmp_path: Path) -> Light:
    return Light(tmp_path)


def flat(done: Run) -> str:
    return " ".join(done.output.split())


def reported(light: Light) -> dict[str, str]:
    return {
        "ANSIBLE_CALLBACKS_ENABLED": "fediops.mastodon.rollout_report",
        "MASTODON_ROLLOUT_REPORT_DIRECTORY": str(light.folder / "report"),
    }


def report(light: Light) -> dict[str, t.Any]:
    made: dict[str, t.Any] = json.loads((light.folder / "report" / "rollout.json").read_text())
    return made


def refused(light: Light, playbook: str, *arguments: str, **settings: t.Any) -> str:
    """What is said by a run that must be red, change nothing and begin no task of ours."""
    before = light.env_file()
    done = light.play(playbook, *arguments, **settings)
    assert done.status == 4 and "Nothing was done." in flat(done), done.output
    assert "TASK [fediops.mastodon" not in done.output, done.output
    assert light.env_file() == before and "Traceback" not in done.output
    return flat(done)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_what_would_do_nothing_is_refused_by_every_playbook(light: Light, playbook: str) -> None:
    said = refused(light, playbook, "-e", "mastodon_smtp_hosts=mastodno")
    assert "No host of this inventory matches mastodno (mastodon_smtp_hosts)." in said
    assert "The groups of this inventory are: mastodon." in said
    said = refused(light, playbook, "--start-at-task", "Find the instance")
    assert '--start-at-task "Find the instance" would leave out tasks' in said
    said = refused(light, playbook, "--tags", "mastodon_smtp_chekc")
    assert "mastodon_smtp_chekc" in said
    told = "did you mean mastodon_smtp_check?" if playbook == "smtp_rollout" else "This playbook has no tags"
    assert told in said
    # an inventory that cannot be read, with a limit: Ansible itself only warns
    nowhere = light.folder / "nowhere"
    said = refused(light, playbook, "--limit", "host000", inventory=nowhere)
    assert (
        f"The inventory ({nowhere}) has no hosts, or could not be read: check the path after -i, or run this in "
        in said
    )
    assert "within --limit host000" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--skip-tags", "mastodon_smtp_preflight"), f"use --tags {STEPS}."),
        (("--skip-tags", "mastodon_smtp_apply"), "use --tags mastodon_smtp_preflight."),
        (("--skip-tags", "mastodon_smtp_queu"), "did you mean mastodon_smtp_queue?"),
        (("--tags", "mastodon_smtp_edit", "--skip-tags", "mastodon_smtp_edit"), "No step remains with --tags"),
        (("--tags", "untagged"), "No step remains with --tags untagged."),
        (("--skip-tags", "tagged,always"), "No step remains with --skip-tags always,tagged."),
        (("--list-hosts", "-e", "mastodon_smtp_hosts=mastodno"), "No host of this inventory matches mastodno"),
        (("--check", "--tags", "edit"), "No step has the tag edit"),
    ],
)
def test_what_leaves_nothing_of_a_rollout_is_refused(light: Light, arguments: tuple[str, ...], told: str) -> None:
    assert told in refused(light, "smtp_rollout", *arguments)


@pytest.mark.parametrize("reads", ["--syntax-check", "--list-tasks", "--list-tags"])
def test_what_only_reads_the_playbook_needs_no_host(light: Light, reads: str) -> None:
    done = light.play("smtp_rollout", reads, inventory=light.folder / "nowhere")
    assert done.status == 0, done.output


def test_an_empty_group_and_a_limit_outside_of_it_are_refused(light: Light) -> None:
    inventory = light.folder / "empty.yml"
    inventory.write_text(json.dumps({"all": {"children": {"mastodon": {}, "web": {"hosts": {"a.test": {}}}}}}))
    assert "The groups of this inventory are: mastodon, web." in refused(light, "smtp_check", inventory=inventory)
    inventory.write_text(json.dumps({"mastodon": {"hosts": {"b.test": {}}}, "web": {"hosts": {"a.test": {}}}}))
    said = refused(light, "smtp_check", "--limit", "a.test", inventory=inventory)
    assert "matches mastodon (mastodon_smtp_hosts, within --limit a.test)." in said
    done = light.play("smtp_check", "--limit", "nobody")
    assert done.status not in (0, 2), done.output


def test_an_ansible_core_that_is_too_old_is_refused(light: Light) -> None:
    meta = light.tree / "ansible_collections/fediops/mastodon/meta"
    text = (meta / "runtime.yml").read_text()
    meta.unlink()
    meta.mkdir()
    (meta / "runtime.yml").write_text(re.sub(r">=[0-9.]+", ">=2.99.0", text))
    said = refused(light, "smtp_rollout")
    assert "fediops.mastodon needs ansible-core 2.99 or newer" in said and "pip install 'ansible-core>=2.99'" in said


def test_a_playbook_around_ours_may_have_its_own_tags_and_start(light: Light) -> None:
    around = """
- name: Something of their own
  hosts: mastodon
  gather_facts: false
  tasks:
    - name: Theirs
      ansible.builtin.debug: {msg: theirs}
      tags: [nginx]
- import_playbook: fediops.mastodon.smtp_rollout
  tags: [mail]
""".lstrip()
    done = light.play(around, "--tags", "nginx")
    assert done.status == 0 and "SMTP_SERVER=old" in light.env_file(), done.output
    assert "did you mean mastodon_smtp_edit?" in refused(light, around, "--tags", "nginx,mastodon_smtp_edti")
    done = light.play(around, "--start-at-task", "Theirs")
    assert done.status == 0 and "SMTP_SERVER=smtp.relay.example" in light.env_file(), done.output


def test_a_step_that_is_skipped_is_the_only_one_and_what_is_not_proved_is_said(light: Light) -> None:
    note = light.folder / "host000/.env.production.smtp-unproved"
    done = light.play("smtp_rollout", "--skip-tags", "mastodon_smtp_queue", **reported(light))
    assert done.status == 0 and "SMTP_SERVER=smtp.relay.example" in light.env_file(), done.output
    assert "accepted the test message" not in flat(done) and json.loads(note.read_text())["outstanding"] == ["queue"]
    assert "Done in part (1 of 1): host000." in flat(done), done.output
    assert "In part, because of --tags or --skip-tags: Prove the queue did not run." in flat(done)
    assert "Not proved: the queue; the next rollout without tags proves it." in flat(done)
    assert report(light)["hosts"][0]["state"] == "partly"
    # the rest of it
    done = light.play("smtp_rollout")
    assert done.status == 0 and "Done and proved: the mail settings" in done.output and not note.exists(), done.output


def test_a_step_that_fails_is_undone_whatever_is_skipped(light: Light) -> None:
    before = light.env_file()
    finding = {"code": "login-refused", "severity": "error", "subject": "smtp", "message": "No.", "fix": "Fix it."}
    answer = {"failed": True, "msg": "no", "findings": [finding], "rails": None, "services": []}
    (light.folder / "host000/mailer_check.json").write_text(json.dumps(answer))
    done = light.play("smtp_rollout", "--skip-tags", "mastodon_smtp_queue,mastodon_smtp_restart")
    assert done.status == 2 and light.env_file() == before, done.output
    assert "was restored byte for byte" in flat(done), done.output


def test_two_steps_by_their_tags_and_in_a_dry_run(light: Light) -> None:
    before = light.env_file()
    done = light.play("smtp_rollout", "--check", "--tags", "mastodon_smtp_edit,mastodon_smtp_check")
    assert done.status == 0 and light.env_file() == before and "did not run" in flat(done), done.output
    done = light.play("smtp_rollout", "--tags", "mastodon_smtp_edit,mastodon_smtp_restart")
    assert done.status == 0 and "SMTP_SERVER=smtp.relay.example" in light.env_file(), done.output
    assert "Not proved: Rails' settings, the queue; the next" in flat(done), done.output


def test_the_preflight_alone_says_that_nothing_was_changed(light: Light) -> None:
    done = light.play("smtp_rollout", "--tags", "mastodon_smtp_preflight", **reported(light))
    assert done.status == 0 and "SMTP_SERVER=old" in light.env_file(), done.output
    assert report(light)["hosts"][0]["state"] == "checked"


def test_the_report_calls_no_host_checked_none_of_whose_steps_ran(light: Light) -> None:
    around = "- hosts: mastodon\n  gather_facts: false\n  tasks:\n" + "".join(
        f"    - {{import_role: {{name: fediops.mastodon.mastodon_smtp, tasks_from: {part}}}, when: false}}\n"
        for part in ("preflight", "apply")
    )
    done = light.play(around, **reported(light))
    assert done.status == 0, done.output
    made = report(light)
    assert made["totals"]["checked"] == 0 and made["totals"]["skipped"] == 1, made["totals"]
    assert "The host ran no step, so nothing is known about it." in (light.folder / "report/rollout.md").read_text()
