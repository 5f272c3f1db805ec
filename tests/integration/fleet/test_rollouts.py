# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts: one goes wrong, one is gone, two rollouts meet; whatever the strategy and the tags."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from fleet_runs import CHECK, EDIT, RESTART, Fleet
from harness import Run


def flat(done: Run) -> str:
    return " ".join(done.output.split())


def test_two_rollouts_at_once_do_each_step_once(fleet: Fleet) -> None:
    """One has looked and comes too late to edit; one has edited and is overtaken; the third does what is left."""
    late = fleet.start(env={"FLEET_HOLD_AT": EDIT})
    late.reached()
    overtaken = fleet.start(env={"FLEET_HOLD_AT": RESTART})
    overtaken.reached()
    last = fleet.rollout()
    assert last.status == 0, last.output
    fleet.proved()
    processes = {host: fleet.lab.processes(host) for host in fleet.hosts}
    first, second = overtaken.go_on(), late.go_on()
    assert first.status != 0 and "[edit-taken-over]" in first.output, first.output
    assert "this run undoes nothing" in flat(first)
    assert second.status != 0 and "[env-file-changed]" in second.output, second.output
    assert "so there was nothing to restore" in flat(second)
    fleet.proved()
    assert {host: fleet.lab.processes(host) for host in fleet.hosts} == processes


@pytest.fixture
def spoil(tmp_path: Path) -> t.Callable[[str], tuple[str, str]]:
    """Gives one host a login that the relay does not know, in an inventory that outranks the others."""

    def make(host: str) -> tuple[str, str]:
        folder = tmp_path / host
        (folder / "host_vars").mkdir(parents=True, exist_ok=True)
        (folder / "hosts.yml").write_text(json.dumps({"spoiled": {"hosts": {host: {}}}}))
        (folder / "host_vars" / f"{host}.yml").write_text(json.dumps({"mastodon_smtp_login": "nobody@relay.test"}))
        return ("-i", str(folder))

    return make


def test_a_bad_canary_and_a_bad_instance_in_the_middle_stop_the_hosts_after_them_and_no_other(
    fleet: Fleet, spoil: t.Callable[[str], tuple[str, str]]
) -> None:
    """The fault shows only when Rails logs in, so the preflight does not find it."""
    first, bad, last = fleet.hosts
    before = {host: (fleet.lab.checksum(host), fleet.lab.processes(host)) for host in fleet.hosts}
    done = fleet.rollout(*spoil(first), "--limit", f"{first},{bad}", mastodon_smtp_batches=[1, "25%", "100%"])
    said = flat(done)
    assert done.status != 0 and "restored byte for byte; no running service ever read the new settings" in said, said
    assert f"The rollout stops here; not started: {bad}." in said and last not in said, said
    assert {host: (fleet.lab.checksum(host), fleet.lab.processes(host)) for host in fleet.hosts} == before
    fleet.agree()

    variables = {"mastodon_smtp_batches": [2, 1]}
    done = fleet.rollout(*spoil(bad), **variables)
    assert done.status != 0 and "restored byte for byte" in flat(done), done.output
    assert f"The rollout failed on {bad}, so it stops here: {last} and the hosts after" in flat(done)
    fleet.proved(first)
    for host in (bad, last):
        assert (fleet.lab.checksum(host), fleet.lab.processes(host)) == before[host]
    # half of the hosts so far may fail: the last one has its turn; the first, which is done, gets no second mail
    done = fleet.rollout(*spoil(bad), mastodon_smtp_max_fail_percentage=50, **variables)
    assert done.status != 0
    fleet.proved(first, last)
    assert (fleet.lab.checksum(bad), fleet.lab.processes(bad)) == before[bad]
    fleet.agree(bad)


def test_hosts_that_do_not_answer_or_have_no_mastodon_are_named_and_left_out(fleet: Fleet, tmp_path: Path) -> None:
    """They come first, so the canary must be another; and the strategy is one in which no host waits for another."""
    extra = tmp_path / "extra.yml"
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_user": "root", "ansible_ssh_common_args": ""}
    hosts = {"gone": gone, "relay": {}, **{host: {} for host in fleet.hosts}}
    extra.write_text(json.dumps({"fleet": {"hosts": hosts}}))
    arguments = ("-i", str(extra))
    before = {host: fleet.lab.checksum(host) for host in fleet.hosts}
    asked = {"mastodon_smtp_hosts": "fleet", "mastodon_smtp_batches": [1, "100%"]}
    refused = fleet.rollout(*arguments, mastodon_smtp_require_all=True, **asked)
    assert refused.status != 0 and "The preflight failed on gone, relay" in flat(refused), refused.output
    assert {host: fleet.lab.checksum(host) for host in fleet.hosts} == before

    done = fleet.rollout(*arguments, env={"ANSIBLE_STRATEGY": "host_pinned"}, **asked)
    # 4: Ansible's own word for a host that was unreachable, on top of the failed one
    assert done.status != 0 and "Did not answer: gone" in done.output and "Without Mastodon: relay" in done.output
    assert "Using run_once" not in done.output
    # The hosts that are left out say it of themselves alone, in a run that changes the others.
    assert "Nothing has been changed on this host." in flat(done), done.output
    assert "Nothing has been changed on any host." not in flat(done), done.output
    fleet.proved()


@pytest.mark.parametrize("strategy", ["free"])
def test_the_steps_one_by_one_by_their_tags(fleet: Fleet, strategy: str) -> None:
    env = {"ANSIBLE_STRATEGY": strategy}
    for tag, left in (
        ("edit", ["mailer", "services", "queue"]),
        ("check", ["services", "queue"]),
        ("restart", ["queue"]),
        ("queue", []),
    ):
        done = fleet.rollout("--tags", f"mastodon_smtp_{tag}", env=env)
        assert done.status == 0, done.output
        for host in fleet.hosts:
            assert fleet.missing(host) == left, (tag, done.output)
    fleet.proved()
    # only the preflight: nothing is edited, whatever is asked for
    looked = fleet.rollout("--tags", "mastodon_smtp_preflight", mastodon_smtp_reply_to="other@masto1.test")
    assert looked.status == 0 and CHECK not in looked.output
    fleet.proved()
