# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as people call them: two in one command, settings as key=value, and a group that does not exist."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jinja2
import pytest
import yaml
from harness import Lab
from test_failing import WORDS, last_words

CHECKS: list[dict[str, str]] = yaml.safe_load((Path(__file__).parent / "faults.yml").read_text())["checks"]

PLAYBOOKS = ("smtp_rollout", "smtp_check", "smtp_rollback", "smtp_adopt")


def test_a_rollout_goes_by_its_own_steps_and_not_by_those_of_a_check_before_it(rolled_out: Lab) -> None:
    """The check leaves bad news of the same steps behind. Values on the command line are texts."""
    rolled_out.ssh("masto1", "sed -i s/^SMTP_SERVER=.*/SMTP_SERVER=localhost/ /home/mastodon/live/.env.production")
    before = rolled_out.processes("masto1")
    settings = ("fail_on=never", "steady=2", "service_timeout=60", "undo=false", "backup=false")
    options = [word for one in settings for word in ("-e", f"mastodon_smtp_{one}")]
    done = rolled_out.playbook(
        *("fediops.mastodon.smtp_check", "fediops.mastodon.smtp_rollout", "--limit", "masto1", *options)
    )
    flat = " ".join(done.output.split())
    assert "error: SMTP_SERVER" in flat or "[file-differs]" in flat, done.output
    assert done.status == 0 and "Done and proved" in flat, done.output
    for step in ("Check Rails and send the test message", "Prove the queue"):
        assert "ok: [masto1]" in done.task(step) or "changed: [masto1]" in done.task(step), done.output
    after = rolled_out.processes("masto1")
    changed = sorted(unit for unit in after if after[unit] != before[unit])
    assert changed == ["mastodon-sidekiq.service", "mastodon-web.service"]


def test_without_anybody_to_mail_it_is_done_and_not_proved(rolled_out: Lab) -> None:
    """On both generations; the next run makes the proof that is missing."""
    both = ("--limit", "masto1,masto2")
    nobody = {"mastodon_smtp_test_account": "", "mastodon_smtp_test_recipient": ""}
    done = rolled_out.rollout(*both, mastodon_smtp_helo_domain="mail.masto.test", mastodon_smtp_steady=2, **nobody)
    assert done.status == 0 and done.output.count("[queue-not-proved]") >= 2, done.output
    assert "Done and proved" not in done.output
    again = rolled_out.rollout(*both, mastodon_smtp_helo_domain="mail.masto.test", mastodon_smtp_steady=2)
    assert again.status == 0 and "Done and proved (2 of 2)" in again.output, again.output


def test_an_undo_that_is_switched_off_on_the_command_line_is_off(rolled_out: Lab) -> None:
    checksum = rolled_out.checksum("masto1")
    words = ("-e", "mastodon_smtp_undo=false", "-e", "mastodon_smtp_check_relay=no", "-e", "mastodon_smtp_steady=2")
    done = rolled_out.rollout("--limit", "masto1", *words, mastodon_smtp_password="not-the-password-1234")
    flat = " ".join(done.output.split())
    assert done.status != 0 and "mastodon_smtp_undo is off" in flat and "[login-refused]" in flat, done.output
    assert rolled_out.checksum("masto1") != checksum
    # What the check before it says of the services does not keep the rollback from its work either.
    both = ("fediops.mastodon.smtp_check", "fediops.mastodon.smtp_rollback", "--limit", "masto1")
    back = rolled_out.playbook(*both, mastodon_smtp_fail_on="never", mastodon_smtp_steady=2)
    assert "error: mastodon-web.service" in " ".join(back.output.split()), back.output
    assert back.status == 0 and rolled_out.checksum("masto1") == checksum, back.output


def test_services_that_are_not_as_they_should_be_are_not_in_order(rolled_out: Lab) -> None:
    """Each with its own settings and its own state: the file is as the inventory says."""

    def command(row: dict[str, str], key: str) -> None:
        rolled_out.ssh(row["host"], jinja2.Template(row[key], undefined=jinja2.StrictUndefined).render(WORDS))

    begun: list[dict[str, str]] = []
    try:
        for row in CHECKS:
            begun.append(row)
            command(row, "break")
        done = rolled_out.playbook("fediops.mastodon.smtp_check")
    finally:
        for row in reversed(begun):
            command(row, "mend")
    assert done.status == 2 and "None" not in done.output, done.output
    for row in CHECKS:
        assert f"[{row['code']}]" in last_words(done.output, row["host"]), done.output


@pytest.mark.parametrize("playbook", PLAYBOOKS)
@pytest.mark.parametrize(
    ("inventory", "arguments", "meant"),
    [
        ({"all": {"children": {"mastodont": {"hosts": {"a.test": {}}}}}}, [], "mastodon (mastodon_smtp_hosts)"),
        (
            {"all": {"children": {"mastodon": {"hosts": {"a.test": {}}}, "others": {"hosts": {"b.test": {}}}}}},
            ["--limit", "b.test"],
            "mastodon (mastodon_smtp_hosts, within --limit b.test)",
        ),
        (
            {"all": {"children": {"mastodon": {"hosts": {"a.test": {}}}}}},
            ["-e", json.dumps({"mastodon_smtp_hosts": ["mastodon", "!a.test"]})],
            "mastodon,!a.test (mastodon_smtp_hosts)",
        ),
        ({"all": {}}, [], "mastodon (mastodon_smtp_hosts)"),
    ],
)
def test_a_run_that_matches_no_host_fails_and_names_the_groups(
    lab: Lab, tmp_path: Path, playbook: str, inventory: dict[str, dict[str, object]], arguments: list[str], meant: str
) -> None:
    file = tmp_path / "hosts.json"
    file.write_text(json.dumps(inventory))
    done = lab.playbook(f"fediops.mastodon.{playbook}", "-i", str(file), *arguments, lab=False)
    flat = " ".join(done.output.split())
    assert done.status == 4, done.output
    assert f"No host of this inventory matches {meant}. Nothing was done." in flat
    groups = ", ".join(sorted(inventory["all"].get("children", {})))  # type: ignore[call-overload]
    told = (
        f"The groups of this inventory are: {groups}."
        if groups
        else f"The inventory ({file}) has no hosts, or could not be read: check the path after -i, or run this in "
    )
    assert told in flat
    assert "fatal: [a.test]" not in done.output


def test_a_host_that_did_not_answer_is_named_where_all_the_others_failed(lab: Lab, tmp_path: Path) -> None:
    """Ansible ends the run there, before the play that would name it."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_user": "nobody"}
    file = tmp_path / "hosts.json"
    file.write_text(json.dumps({"mastodon": {"hosts": {"here": here, "gone": gone}}}))
    done = lab.playbook("fediops.mastodon.smtp_rollout", "-i", str(file), lab=False, mastodon_smtp_app_dir="/nowhere")
    flat = " ".join(done.output.split())
    assert done.status == 4 and "gone : ok=1 changed=0 unreachable=1" in flat, done.output
    assert "Did not answer: gone. Nothing has been changed on any host." in flat, done.output
