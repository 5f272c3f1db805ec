# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of examples/ as somebody copies them: Ansible takes their settings, and every server gets a plan."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
EXAMPLES = CHECKOUT / "examples"
FOLDERS = ["one-server", "fleet"]
PLAYBOOKS = sorted(path.stem for path in (CHECKOUT / "playbooks").glob("*.yml"))
#: The plan of each server, from the variables of its inventory alone. Nothing is connected to.
PLAN = """
- hosts: mastodon
  gather_facts: false
  become: false
  tasks:
    - fediops.mastodon.smtp_settings:
        mastodon_release: 4.5.15
        local_domain: "{{ inventory_hostname }}"
        provider: "{{ mastodon_smtp_provider | default(omit) }}"
        region: "{{ mastodon_smtp_region | default(omit) }}"
        host: "{{ mastodon_smtp_host | default(omit) }}"
        port: "{{ mastodon_smtp_port | default(omit) }}"
        login: "{{ mastodon_smtp_login }}"
        password: "0123456789abcdef"
        from_address: "{{ mastodon_smtp_from_address }}"
        return_path: "{{ mastodon_smtp_return_path | default(omit) }}"
      register: planned
    - ansible.builtin.assert:
        that: planned.findings | rejectattr('severity', 'eq', 'info') | length == 0
        fail_msg: "{{ planned.findings | to_json }}"
"""


@pytest.fixture(name="example", params=FOLDERS)
def _example(request: pytest.FixtureRequest) -> str:
    """A folder of examples/."""
    return str(request.param)


@pytest.fixture(name="ansible")
def _ansible(tmp_path: Path, example: str) -> t.Callable[..., str]:
    """Runs a command of Ansible in a copy of the example, as at a terminal that answers for the vault."""
    folder = shutil.copytree(EXAMPLES / example, tmp_path / "copy")
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env["ANSIBLE_COLLECTIONS_PATH"] = os.environ["ANSIBLE_COLLECTIONS_PATH"]
    env |= {"ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_ASK_VAULT_PASS": "false"}
    # ansible-config looks at every plugin of ansible-core, the deprecated ones included
    env["ANSIBLE_DEPRECATION_WARNINGS"] = "false"

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNING" not in done.stderr, done.stderr
        return done.stdout

    return run


def test_the_playbooks_take_the_inventory(ansible: t.Callable[..., str]) -> None:
    for playbook in PLAYBOOKS:
        ansible("ansible-playbook", "--syntax-check", f"fediops.mastodon.{playbook}")


@pytest.mark.parametrize("example", ["fleet"], indirect=True)
def test_a_playbook_of_ones_own_takes_the_inventory(ansible: t.Callable[..., str]) -> None:
    ansible("ansible-playbook", "--syntax-check", "mail.yml")


def test_every_setting_of_ansible_cfg_has_an_effect(ansible: t.Callable[..., str], example: str) -> None:
    config = configparser.ConfigParser()
    config.read(EXAMPLES / example / "ansible.cfg")
    found = _named(json.loads(ansible("ansible-config", "dump", "--only-changed", "--format", "json", "-t", "all")))
    effective = {str(one["name"]).lower() for one in found if str(one["origin"]).endswith("ansible.cfg")}
    # the question for the vault's password is answered by the environment here
    assert len(effective) == sum(len(config[section]) for section in config.sections()) - 1, effective


def _named(node: t.Any) -> list[dict[str, t.Any]]:
    """The settings, some of which are grouped by the kind of plugin and by plugin."""
    if isinstance(node, dict):
        return [node] if "origin" in node else [one for value in node.values() for one in _named(value)]
    return [one for value in node for one in _named(value)]


def test_every_server_gets_a_plan_without_an_error_or_a_warning(ansible: t.Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "plan.yml").write_text(PLAN, encoding="utf-8")
    assert "failed=0" in ansible("ansible-playbook", str(tmp_path / "plan.yml"))


def test_every_login_is_told_where_its_password_goes() -> None:
    """The folders that examples/README.md names are those whose variables have a login."""
    told = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in (EXAMPLES / "fleet" / "inventory").rglob("main.yml"):
        has_login = "mastodon_smtp_login" in yaml.safe_load(path.read_text(encoding="utf-8"))
        assert has_login == (f"`{path.parent.relative_to(EXAMPLES / 'fleet')}`" in told), path
