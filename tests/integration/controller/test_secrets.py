# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password appears nowhere but in the environment files, whatever Ansible is told to show and to keep.

On the lab's hosts, rollout/test_leaks.py looks for the same.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import ansible_runner
import pytest
import yaml
from light_fleet import HERE, Light
from secret_search import assert_hidden, files_with

from ansible_collections.fediops.mastodon.plugins.plugin_utils._core import HIDES_OPTIONS

#: With what is quoted in another way by Python, JSON and YAML.
SECRET = "battery'staple\\horse wörd-20261128"
#: Where it belongs: the inventory that a test writes, and the environment files with their backups.
ALLOWED = {"inventory/hosts.yml"}

SHOWN = {
    "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1",
    "ANSIBLE_DISPLAY_TRACEBACK": "always",
    "ANSIBLE_CALLBACKS_ENABLED": "nosy,fediops.mastodon.rollout_report",
    "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
    "ANSIBLE_KEEP_REMOTE_FILES": "1",
    "ANSIBLE_CACHE_PLUGIN": "jsonfile",
}
#: What ansible-runner sets for itself.
RUNNERS = {"ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_CALLBACKS_ENABLED"}
WAYS: dict[str, dict[str, str]] = {
    "one after another": {"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"},
    "free": {"ANSIBLE_STRATEGY": "free", "ANSIBLE_PIPELINING": "1"},
    "debug": {"ANSIBLE_DEBUG": "1"},
}


def searched(light: Light, playbook: str, *arguments: str, **settings: str) -> str:
    """The output of a run, after it and all that the run has left were searched."""
    kept = {
        "ANSIBLE_LOG_PATH": str(light.folder / "log"),
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(light.folder / "facts"),
    }
    done = light.play(playbook, "-vvvv", "--diff", *arguments, secret=SECRET, **{**SHOWN, **kept, **settings})
    assert "NOSY ended" in done.output and (light.folder / "log").stat().st_size > 1000
    assert_hidden(SECRET, {"the output": done.output})
    left = {one for one in files_with(SECRET, light.folder) if "/.env.production" not in one}
    assert left <= ALLOWED, left
    assert done.seen == []
    return done.output


@pytest.mark.parametrize("settings", WAYS.values(), ids=list(WAYS))
def test_a_rollout_that_goes_well(tmp_path: Path, settings: dict[str, str]) -> None:
    light = Light(tmp_path)
    light.variables(mastodon_smtp_password=SECRET)
    output = searched(light, "smtp_rollout", **settings)
    assert "Done and proved: the mail settings are in place and in use." in output, output
    assert "SMTP_PASSWORD=" in light.env_file()
    # Packed, so the search does not see what is in them.
    kept = {path.name.removeprefix("AnsiballZ_").removesuffix(".py") for path in tmp_path.rglob("AnsiballZ_*")}
    assert kept == {"instance_info", "mail_services", "queued_mail_check"}
    assert "the files of fediops.mastodon.env_file are not kept" in " ".join(output.split())


def test_what_ansible_runner_keeps(tmp_path: Path) -> None:
    """As AWX does: each event of the run is a file, with the task's arguments and results."""
    light = Light(tmp_path)
    light.variables(mastodon_smtp_password=SECRET)
    kept = tmp_path / "runner"
    kept.mkdir()
    done = ansible_runner.run(
        private_data_dir=str(kept),
        playbook="fediops.mastodon.smtp_rollout",
        inventory=str(light.inventory),
        envvars={name: one for name, one in light.settings().items() if name[:8] == "ANSIBLE_" and name not in RUNNERS},
        verbosity=4,
        quiet=True,
    )
    output = (kept / "artifacts" / done.config.ident / "stdout").read_text()
    assert done.rc == 0 and "Done and proved: the mail settings are in place and in use." in output, output[-3000:]
    events = [one for one in kept.rglob("*.json") if one.parent.name == "job_events"]
    assert len(events) > 20 and any("mailer_check" in one.read_text() for one in events)
    assert files_with(SECRET, kept) == set()


@pytest.mark.parametrize("playbook", ["smtp_check", "smtp_rollback", "smtp_adopt"])
def test_the_other_playbooks(tmp_path: Path, playbook: str) -> None:
    light = Light(tmp_path)
    light.variables(mastodon_smtp_password=SECRET)
    searched(light, playbook, **WAYS["free"])


@pytest.mark.parametrize(
    "variables",
    [
        {"mastodon_smtp_port": "{{ mastodon_smtp_password }}"},
        {"mastodon_smtp_port": "{{ [mastodon_smtp_password] }}"},
        {"mastodon_smtp_bulk": "{{ mastodon_smtp_password }}"},
        {"mastodon_smtp_login": "{{ mastodon_smtp_password }}"},
        {"mastodon_smtp_password": {"value": SECRET}},
        {"mastodon_smtp_password": [SECRET]},
        # ansible-core shows the lines around what it cannot work out
        {"mastodon_smtp_helo_domain": "{{ nobody_defined_this }}"},
        {"mastodon_smtp_require_all": "{{ nobody_defined_this }}"},
        # the step cannot even begin
        {"ansible_become": True, "ansible_become_user": "{{ nobody_defined_this }}"},
        {"ansible_connection": "no_such_connection"},
    ],
    ids=lambda one: "-".join(one),
)
def test_what_is_given_by_mistake(tmp_path: Path, variables: dict[str, t.Any]) -> None:
    light = Light(tmp_path)
    light.variables(**{"mastodon_smtp_password": SECRET, **variables})
    searched(light, "smtp_rollout", **WAYS["free"])


STEPS = """---
- hosts: mastodon
  gather_facts: false
  tasks:
    - fediops.mastodon.smtp_relay_info:
        host: 127.0.0.1
        port: 9
        tls: none
        helo_domain: x.example
        timeout: 2
        auth: plain
        login: "{{ mastodon_smtp_password }}"
        password: "{{ mastodon_smtp_password }}"
      loop: [1, 2]
      register: done
      until: done is success
      retries: 1
      delay: 0
      ignore_errors: true
    - fediops.mastodon.env_file:
        path: /nowhere
        secrets:
          SMTP_PASSWORD: "{{ mastodon_smtp_password }}"
      become: true
      become_method: no_such_method
      ignore_errors: true
    - fediops.mastodon.env_file:
        path: /nowhere
        secrets: "{{ mastodon_smtp_password }}"
      ignore_errors: true
    - fediops.mastodon.smtp_settings:
        host: "{{ mastodon_smtp_login }}"
        tls: starttls
        login: me
        password: "{{ [mastodon_smtp_password] }}"
        from_address: "{{ mastodon_smtp_password }}"
"""


@pytest.mark.skipif(not HIDES_OPTIONS, reason="a task that cannot be worked out is printed: SECURITY.md says so")
def test_steps_in_a_play_of_ones_own(tmp_path: Path) -> None:
    light = Light(tmp_path)
    light.variables(mastodon_smtp_password=SECRET)
    output = searched(light, STEPS, **WAYS["free"])
    assert "no_such_method" in output and output.count("NOSY ended") >= 8


def test_what_another_task_says_does_not_get_into_the_report(tmp_path: Path) -> None:
    light = Light(tmp_path)
    light.variables(mastodon_smtp_password=SECRET)
    tail = {"hosts": "mastodon", "gather_facts": False, "tasks": [{"fail": {"msg": "{{ mastodon_smtp_password }}"}}]}
    plays = [{"import_playbook": "fediops.mastodon.smtp_rollout"}, tail]
    report = {**SHOWN, "MASTODON_ROLLOUT_REPORT_DIRECTORY": str(tmp_path / "report")}
    done = light.play(yaml.safe_dump(plays), **report)
    assert done.status == 2, done.output
    made = json.loads((tmp_path / "report" / "rollout.json").read_text())
    assert made["hosts"][0]["state"] == "failed"
    assert files_with(SECRET, tmp_path / "report") == set()


def test_the_search_finds_what_is_shown(tmp_path: Path) -> None:
    """Each of the places that are searched, with a task that does show it."""
    shown = "another'secret\\for all to see"
    light = Light(tmp_path)
    light.variables(mastodon_smtp_password=shown)
    task = {"tell_facts": {"facts": {"told": "{{ mastodon_smtp_password }}"}}}
    play = yaml.safe_dump([{"hosts": "mastodon", "gather_facts": False, "tasks": [task]}])
    kept = {"ANSIBLE_LOG_PATH": str(tmp_path / "log"), "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts")}
    done = light.play(play, "-e", json.dumps({"x": shown}), secret=shown, **{**SHOWN, **kept})
    with pytest.raises(AssertionError, match="leaks into the output"):
        assert_hidden(shown, {"the output": done.output})
    left = files_with(shown, tmp_path)
    assert {one.partition("/")[0] for one in left} == {"facts", "inventory", "log"}
    assert any(one.startswith("cmdline") for one in done.seen)
