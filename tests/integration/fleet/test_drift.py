# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""smtp_check tells what is no longer as the inventory says, and smtp_adopt writes an inventory for which all is."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import pytest
from fleet_runs import GROUPS, Fleet
from harness import ENV_FILE, INVENTORY, Run


def state(fleet: Fleet) -> dict[str, t.Any]:
    return {host: (fleet.lab.checksum(host), fleet.lab.processes(host), fleet.mails(host)) for host in fleet.hosts}


def flat(done: Run) -> str:
    return " ".join(done.output.split())


def recap(done: Run, host: str) -> str:
    return next(line for line in done.output.splitlines() if line.startswith(f"{host} ") and "ok=" in line)


def test_drift_is_found_and_nothing_is_touched(fleet: Fleet) -> None:
    assert fleet.rollout().status == 0
    wanted = {"mastodon_smtp_reply_to": fleet.mark, **GROUPS}
    before = state(fleet)
    done = fleet.lab.playbook("fediops.mastodon.smtp_check", **wanted)
    assert done.status == 0 and done.output.count("In order") == len(fleet.hosts), done.output
    assert all("changed=0" in recap(done, host) for host in fleet.hosts)
    assert state(fleet) == before

    # two ways to drift: somebody edits by hand, somebody only touches the file
    edited, touched = fleet.hosts[:2]
    fleet.lab.ssh(edited, f"sed -i 's/^SMTP_PORT=.*/SMTP_PORT=2525/' {ENV_FILE}")
    fleet.lab.ssh(touched, f"touch {ENV_FILE}")
    before = state(fleet)
    done = fleet.lab.playbook("fediops.mastodon.smtp_check", **wanted)
    assert done.status == 2
    task = done.task("Result")
    # Ansible's own block about the next host stands before that one's name.
    parts = [part.partition("[ERROR]")[0] for part in task.split("fatal: [")[1:]]
    said = {part.partition("]")[0]: " ".join(part.split()) for part in parts}
    assert set(said) == {edited, touched}
    for words in ("[file-differs]", "SMTP_PORT (other value: Rails uses 2525"):
        assert words in said[edited] and words not in said[touched]
    for host in (edited, touched):
        assert "mastodon-web.service" in said[host] and "[service-stale]" in said[host]
    assert state(fleet) == before
    limit = ("--limit", edited)
    tolerant = fleet.lab.playbook("fediops.mastodon.smtp_check", *limit, mastodon_smtp_fail_on="never", **wanted)
    assert tolerant.status == 0 and "error: mastodon-web.service" in flat(tolerant)

    # what the rollout mends is in order again once a mail has proved it; a test message only when it is asked for
    assert fleet.rollout(mastodon_smtp_send="never").status == 0
    done = fleet.lab.playbook("fediops.mastodon.smtp_check", *limit, **wanted)
    assert done.status == 2 and "Not in order: 1 error." in done.output and "[queue-not-proved]" in flat(done)
    assert fleet.rollout().status == 0
    sent = fleet.mails(edited)["test"]
    done = fleet.lab.playbook("fediops.mastodon.smtp_check", *limit, mastodon_smtp_check_send=True, **wanted)
    assert done.status == 0, done.output
    assert fleet.mails(edited)["test"] == sent + 1


@pytest.fixture
def bare(fleet: Fleet, tmp_path: Path) -> Path:
    """An inventory that knows the hosts and nothing about their mail."""
    folder = tmp_path / "inventory"
    folder.mkdir()
    shutil.copy(INVENTORY / "hosts.yml", folder)
    in_use = [fleet.lab.ssh(host, f"grep -c ^SMTP_SERVER=smtp.relay.test {ENV_FILE}; true") for host in fleet.hosts]
    if [text.strip() for text in in_use] != ["1"] * len(fleet.hosts):
        assert fleet.rollout().status == 0
    return folder


def test_what_was_adopted_is_in_order(fleet: Fleet, bare: Path) -> None:
    passwords = [fleet.lab.password(host) for host in fleet.hosts]
    before = state(fleet)

    def adopt(*arguments: str, **variables: t.Any) -> Run:
        done = fleet.lab.playbook(
            "-i", str(bare), "fediops.mastodon.smtp_adopt", *arguments, lab=False, **GROUPS, **variables
        )
        assert not any(secret in done.output or json.dumps(secret)[1:-1] in done.output for secret in passwords)
        return done

    dry = adopt("--check", "--diff", mastodon_smtp_adopt_secrets="vault")
    assert dry.status == 0 and "+mastodon_smtp_host: smtp.relay.test" in dry.output
    assert not (bare / "host_vars").exists()
    # as loud as can be: the values pass through here
    done = adopt("-vvvv", mastodon_smtp_adopt_secrets="vault")
    assert done.status == 0, done.output
    for host in fleet.hosts:
        vault = bare / "host_vars" / host / "mastodon_smtp_vault.yml"
        assert vault.read_text().startswith("$ANSIBLE_VAULT;") and vault.stat().st_mode & 0o077 == 0
        assert fleet.lab.password(host) not in (bare / "host_vars" / host / "mastodon_smtp.yml").read_text()
    again = adopt(mastodon_smtp_adopt_secrets="vault")
    assert all("changed=0" in recap(again, host) for host in fleet.hosts)
    assert state(fleet) == before

    common = {**GROUPS, "mastodon_smtp_check_dns": False, "mastodon_smtp_check_relay": False}
    checked = fleet.lab.playbook("-i", str(bare), "fediops.mastodon.smtp_check", lab=False, **common)
    assert checked.status == 0 and checked.output.count("In order") == len(fleet.hosts), checked.output
    rolled = fleet.lab.playbook("-i", str(bare), "fediops.mastodon.smtp_rollout", "--check", lab=False, **common)
    assert rolled.status == 0 and rolled.output.count("this instance is in order") == len(fleet.hosts), rolled.output

    # somebody's own words in the inventory are not overwritten, and a file is not hidden by a new folder
    plain = bare / "host_vars" / fleet.hosts[0] / "mastodon_smtp.yml"
    plain.write_text(plain.read_text().replace("587", "2525"))
    shutil.rmtree(bare / "host_vars" / fleet.hosts[1])
    (bare / "host_vars" / f"{fleet.hosts[1]}.yml").write_text("x: 1\n")
    refused = adopt()
    assert refused.status != 0 and "2525" in plain.read_text()
    assert "[adopt-file-exists]" in flat(refused) and "[adopt-hides-file]" in flat(refused)
