# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a host is cut in the middle of a rollout: nobody can put anything back there, so the rest must wait."""

from __future__ import annotations

from control import containers
from control import fleet as machines
from fleet_runs import ALL, Background, Fleet
from harness import CHECKOUT, run


def flat(output: str) -> str:
    return " ".join(output.split())


def rails_held(rollout: Background, host: str) -> None:
    """Wait until a rollout is in the middle of a step on a host, where it boots Rails, and hold Rails there."""
    # a pattern that is not in the command line of the one who looks
    hold = "timeout 2 sh -c 'until pkill -STOP -f \"[r]ails runner\"; do sleep 0.05; done'; echo $?"
    while containers.execute(machines.machine(host), "sh", "-c", hold).strip() != "0":
        assert rollout.process.poll() is None, rollout.process.communicate()[0]


def rails_let_go(host: str) -> None:
    """Let Rails go on, and wait until its step has ended."""
    ended = 'while pgrep -f "[r]ails runner|[A]nsiballZ"; do sleep 0.1; done'
    wait = f"pkill -CONT -f '[r]ails runner'; timeout 60 sh -c '{ended}'"
    containers.execute(machines.machine(host), "sh", "-c", wait)


def test_hosts_that_are_lost_in_the_middle_of_a_step_stop_the_batches_after_and_are_finished_later(
    fleet: Fleet,
) -> None:
    """One loses its connection, and its step is finished without a controller; one crashes, and its step dies."""
    first, cut, crashed = fleet.hosts
    before = (fleet.lab.checksum(crashed), fleet.lab.processes(crashed))
    rollout = fleet.start(mastodon_smtp_batches=[2, 1])
    rails_held(rollout, cut)
    machine = machines.machine(cut)
    try:
        containers.execute(machine, "sh", "-c", "systemctl stop ssh.socket ssh.service; pkill -KILL sshd; true")
        done = rollout.go_on()
    finally:
        containers.execute(machine, "systemctl", "start", "ssh.service")
    said = flat(done.output)
    assert done.status != 0 and "UNREACHABLE" in said, done.output
    assert f"The rollout failed on {cut}, so it stops here: {crashed}" in said, done.output
    assert f"{cut}: /home/mastodon/live/.env.production has an unproved edit from this rollout" in said
    assert (fleet.lab.checksum(crashed), fleet.lab.processes(crashed)) == before
    fleet.proved(first)
    assert fleet.missing(cut) == ALL
    rails_let_go(cut)
    assert fleet.missing(cut) == ALL[1:]

    rollout = fleet.start(env={"ANSIBLE_STRATEGY": "host_pinned"})
    rails_held(rollout, crashed)
    machine = machines.machine(crashed)
    containers.capture("docker", "kill", machine.container)
    done = rollout.go_on()
    up = run(str(CHECKOUT / "script/lab"), "up", *fleet.hosts, "relay")
    assert up.status == 0, up.output
    assert done.status != 0 and "UNREACHABLE" in done.output, done.output
    assert f"{crashed}: /home/mastodon/live/.env.production has an unproved edit from this rollout" in flat(done.output)
    fleet.proved(first, cut)
    assert fleet.missing(crashed) == ALL
    done = fleet.rollout()
    assert done.status == 0, done.output
    fleet.proved()
    # each hands its mail to its own relay, with its own login
    for host, relay in fleet.lab.relays.items():
        assert fleet.taken_by_relay(host) == {(relay.service, relay.login)}
