# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory that Ansible gets: hosts with their addresses of today, variables of the role, the vault."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

from . import fleet, seed
from .progress import capture

FOLDER = fleet.HOME / "inventory"
KNOWN_HOSTS = fleet.HOME / "known_hosts"
MAILBOXES = fleet.HOME / "mailboxes.json"
HEADER = "# Written by script/lab up; it is written anew each time.\n---\n"


def write(addresses: t.Mapping[str, str], host_keys: t.Mapping[str, str], secrets: seed.Secrets) -> None:
    """The inventory folder, known_hosts, and where the mailboxes are (for lab/mailboxes.py)."""
    seed.write(KNOWN_HOSTS, "".join(f"{addresses[name]} {host_keys[name]}\n" for name in addresses))
    everything = {
        "ansible_ssh_private_key_file": str(seed.SSH_KEY),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={KNOWN_HOSTS} -o StrictHostKeyChecking=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    members = {group: _hosts(group, addresses) for group in fleet.GROUPS if group != fleet.SPARE}
    groups = {
        "all": {
            "vars": everything,
            "children": {
                "fleet": {"children": members},
                fleet.SPARE: _hosts(fleet.SPARE, addresses),
                "relays": _hosts("relays", addresses),
            },
        }
    }
    for group in fleet.GROUPS:
        _yaml(f"group_vars/{group}.yml", GROUP_VARS)
    for instance in fleet.INSTANCES:
        _yaml(
            f"host_vars/{instance.name}/main.yml",
            {
                "mastodon_smtp_login": instance.login_at_relay,
                "mastodon_smtp_from_address": f"Mastodon <{instance.senders[0]}>",
                "mastodon_smtp_return_path": instance.senders[1],
            },
        )
        _vault(f"host_vars/{instance.name}/vault.yml", {"mastodon_smtp_password": secrets.logins[instance.name]})
    boxes = [f"{name}@{fleet.MAIL_DOMAIN}" for name in fleet.MAILBOXES]
    where = {"host": addresses["relay"], "port": 143, "password": secrets.mailbox, "mailboxes": boxes}
    seed.write(MAILBOXES, json.dumps(where, indent=1))
    # Last: a lab whose inventory has this file is whole.
    _yaml("hosts.yml", groups)


#: The settings of the whole fleet, in the role's own terms.
GROUP_VARS: dict[str, t.Any] = {
    "mastodon_smtp_host": fleet.RELAY_NAME,
    "mastodon_smtp_port": 587,
    "mastodon_smtp_tls": "starttls",
    "mastodon_smtp_auth": "plain",
    "mastodon_smtp_test_recipient": f"admin@{fleet.MAIL_DOMAIN}",
    "mastodon_smtp_test_account": f"alice@{fleet.MAIL_DOMAIN}",
    # The names under .test are in no DNS.
    "mastodon_smtp_check_dns": False,
}


def _hosts(group: str, addresses: t.Mapping[str, str]) -> dict[str, t.Any]:
    found = [each for each in fleet.MACHINES if each.group == group and each.name in addresses]
    return {"hosts": {each.name: _connection(each, addresses) for each in found}}


def _connection(machine: fleet.Machine, addresses: t.Mapping[str, str]) -> dict[str, t.Any]:
    connection: dict[str, t.Any] = {"ansible_host": addresses[machine.name], "ansible_user": machine.login}
    if machine.login != "root":
        connection["ansible_become"] = True
    return connection


def _yaml(name: str, content: t.Mapping[str, t.Any]) -> None:
    # JSON is YAML; nothing to quote by hand.
    seed.write(FOLDER / name, HEADER + json.dumps(content, indent=2) + "\n", 0o644)


def _vault(name: str, content: t.Mapping[str, str]) -> None:
    """Encrypted once: a vault differs at every encryption, and each takes Ansible a second."""
    path = FOLDER / name
    note = fleet.HOME / f"{name.replace('/', '-')}.made-from"
    wanted = hashlib.sha256(seed.SECRETS.read_bytes() + seed.VAULT_PASSWORD.read_bytes()).hexdigest()
    if path.exists() and note.exists() and note.read_text() == wanted:
        return
    venv = capture(str(fleet.CHECKOUT / "script/bootstrap"), timeout=900).splitlines()[-1]
    text = HEADER + json.dumps(content, indent=2) + "\n"
    password = f"--vault-password-file={seed.VAULT_PASSWORD}"
    # Whoever calls may have another vault: molecule does.
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    encrypted = capture(f"{venv}/bin/ansible-vault", "encrypt", password, "--output=-", stdin=text.encode(), env=env)
    seed.write(path, encrypted + "\n", 0o644)
    seed.write(note, wanted)
