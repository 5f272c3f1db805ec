# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host does not decide what the operator decides: not by its facts, its answers or its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from light_fleet import Light

ADOPTED = "inventory/host_vars/host000/mastodon_smtp.yml"


def after(task: dict[str, object], playbook: str = "smtp_adopt") -> str:
    """A play that runs one task, then a playbook of the collection."""
    play = {"hosts": "mastodon", "gather_facts": False, "tasks": [task]}
    return yaml.safe_dump([play, {"import_playbook": f"fediops.mastodon.{playbook}"}])


def facts(folder: Path) -> dict[str, object]:
    return {"mastodon_smtp_adopt_dir": str(folder), "mastodon_smtp_adopt_overwrite": True}


def written(light: Light) -> set[str]:
    """The files of adopting, wherever they are."""
    return {str(path.relative_to(light.folder)) for path in light.folder.rglob("mastodon_smtp*.yml")}


def assert_refused(light: Light, output: str, name: str) -> None:
    assert f"{name}" in output and "set by facts of host000" in output and "[setting-from-facts]" in output
    assert written(light) == set()


def test_without_facts_the_hosts_own_folder_is_written(tmp_path: Path) -> None:
    light = Light(tmp_path)
    done = light.play("smtp_adopt")
    assert done.status == 0 and written(light) == {ADOPTED}, done.output


@pytest.mark.parametrize(
    "task",
    [
        {"tell_facts": {"facts": "{{ told }}"}},
        {"set_fact": {"cacheable": True, "mastodon_smtp_adopt_dir": "{{ told.mastodon_smtp_adopt_dir }}"}},
    ],
    ids=["answer", "cacheable"],
)
def test_a_host_that_tells_facts_does_not_say_where_to_write(tmp_path: Path, task: dict[str, object]) -> None:
    light = Light(tmp_path)
    done = light.play(after(task), "-e", json.dumps({"told": facts(tmp_path / "evil")}))
    assert done.status == 2, done.output
    assert_refused(light, done.output, "mastodon_smtp_adopt_dir")


def test_nor_does_the_fact_cache_and_flushing_it_helps(tmp_path: Path) -> None:
    light = Light(tmp_path)
    cached = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts")}
    told = {"hosts": "mastodon", "gather_facts": False, "tasks": [{"tell_facts": {"facts": facts(tmp_path / "evil")}}]}
    assert light.play(yaml.safe_dump([told]), **cached).status == 0
    done = light.play("smtp_adopt", **cached)
    assert done.status == 2, done.output
    assert_refused(light, done.output, "mastodon_smtp_adopt_dir, mastodon_smtp_adopt_overwrite")
    done = light.play("smtp_adopt", "--flush-cache", **cached)
    assert done.status == 0 and written(light) == {ADOPTED}, done.output


@pytest.mark.parametrize("name", ["inventory_dir", "inventory_hostname"])
def test_nor_what_ansible_itself_knows_of_it(tmp_path: Path, name: str) -> None:
    light = Light(tmp_path)
    done = light.play(after({"tell_facts": {"facts": {name: "{{ told }}"}}}), "-e", f"told={tmp_path}/evil")
    assert done.status == 2 and "[setting-from-facts]" in done.output and written(light) == set(), done.output


@pytest.mark.parametrize("playbook", ["smtp_rollout", "smtp_check", "smtp_rollback"])
def test_no_playbook_takes_a_variable_from_facts(tmp_path: Path, playbook: str) -> None:
    light = Light(tmp_path)
    before = light.env_file()
    done = light.play(after({"tell_facts": {"facts": {"mastodon_smtp_host": "evil.example"}}}, playbook))
    assert done.status == 2 and light.env_file() == before
    assert_refused(light, done.output, "mastodon_smtp_host")


def test_what_the_operator_sets_in_a_play_is_no_fact(tmp_path: Path) -> None:
    light = Light(tmp_path)
    done = light.play(after({"set_fact": {"mastodon_smtp_adopt_dir": "{{ told }}"}}), "-e", f"told={tmp_path}/own")
    assert done.status == 0 and written(light) == {"own/mastodon_smtp.yml"}, done.output


def test_facts_that_are_not_variables_do_no_harm(tmp_path: Path) -> None:
    light = Light(tmp_path)
    task = {"tell_facts": {"facts": facts(tmp_path / "evil")}}
    done = light.play(after(task), ANSIBLE_INJECT_FACT_VARS="0")
    assert done.status == 0 and written(light) == {ADOPTED}, done.output


def test_the_answers_of_our_own_steps_bring_no_facts_and_no_hosts(tmp_path: Path) -> None:
    light = Light(tmp_path, lying=True)
    plays = [{"import_playbook": f"fediops.mastodon.{name}"} for name in ("smtp_rollout", "smtp_adopt")]
    done = light.play(yaml.safe_dump(plays))
    assert done.status == 0 and "[nobody-knows-me]" not in done.output, done.output
    assert "SMTP_SERVER=smtp.relay.example" in light.env_file() and written(light) == {ADOPTED}


@pytest.mark.parametrize("name", ["../../../x", "a/b", "..", "a\u202eb"])
def test_a_host_of_a_dynamic_inventory_cannot_be_called_what_leads_elsewhere(tmp_path: Path, name: str) -> None:
    light = Light(tmp_path)
    listed = yaml.safe_load(light.inventory.read_text())
    listed["mastodon"]["hosts"] = {name: listed["mastodon"]["hosts"]["host000"]}
    hosts = {
        "mastodon": {"hosts": [name], "vars": listed["mastodon"]["vars"]},
        "_meta": {"hostvars": listed["mastodon"]["hosts"]},
    }
    script = light.inventory.with_name("dynamic")
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(hosts)}\nEND\n")
    script.chmod(0o755)
    done = light.play("smtp_adopt", inventory=script)
    assert done.status == 2 and "[adopt-host-name]" in done.output and written(light) == set(), done.output
