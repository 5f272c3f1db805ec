# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""smtp_rollback: byte for byte, on demand, and never over somebody else's edit."""

from __future__ import annotations

from harness import ENV_FILE, Lab, Run

BEFORE = f"{ENV_FILE}.last-smtp"


def rollback(lab: Lab, *arguments: str) -> Run:
    return lab.playbook("fediops.mastodon.smtp_rollback", *arguments, mastodon_smtp_steady=2)


def recap(done: Run) -> list[str]:
    return [line for line in done.output.splitlines() if line.startswith("masto") and "changed=" in line]


def state(lab: Lab) -> dict[str, tuple[str, dict[str, str]]]:
    return {host: (lab.checksum(host), lab.processes(host)) for host in lab.hosts}


def test_the_dry_run_tells_the_truth_then_the_file_is_put_back_once(rolled_out: Lab) -> None:
    for host in rolled_out.hosts:
        edit = {"path": ENV_FILE, "readers": ["ruby", "node"], "set": {"SMTP_REPLY_TO": f"help@{host}.test"}}
        assert rolled_out.module(host, "env_file", edit)["changed"]
    before = state(rolled_out)
    wanted = {host: rolled_out.checksum(host, BEFORE) for host in rolled_out.hosts}
    dry = rollback(rolled_out, "--check", "--diff")
    flat = " ".join(dry.output.split())
    assert dry.status == 0 and f"{ENV_FILE} would be restored from {BEFORE}" in flat, dry.output
    assert "would be restarted" in flat and rolled_out.password("masto1") not in dry.output
    assert state(rolled_out) == before

    # Somebody edits the file of one host: that one is refused, the other one goes on.
    theirs = "THEIRS=1"
    rolled_out.ssh("masto2", f"cp -p {ENV_FILE} /root/ours; echo {theirs} >> {ENV_FILE}")
    done = rollback(rolled_out)
    flat = " ".join(done.output.split())
    assert done.status != 0 and "[env-not-ours]" in flat and "Nothing has been changed." in flat, done.output
    assert rolled_out.ssh("masto2", f"tail -n 1 {ENV_FILE}").strip() == theirs
    assert rolled_out.processes("masto2") == before["masto2"][1]
    assert f"{ENV_FILE} was restored from {BEFORE}" in flat and rolled_out.checksum("masto1") == wanted["masto1"]
    rolled_out.ssh("masto2", f"cp -p /root/ours {ENV_FILE}; rm /root/ours")

    # Only the other host is left to do; after that nothing is.
    done = rollback(rolled_out)
    assert done.status == 0 and "there was nothing to restore" in " ".join(done.output.split()), done.output
    assert {host: rolled_out.checksum(host) for host in rolled_out.hosts} == wanted
    for host in rolled_out.hosts:
        services = rolled_out.module(host, "instance_info")["instance"]["services"]
        assert all(one["state"] == "running" for one in services)
        assert [one["stale"] for one in services if one["role"] in ("web", "sidekiq")] == [False, False]
    assert ["changed=0" in line for line in recap(done)] == [True, False]
