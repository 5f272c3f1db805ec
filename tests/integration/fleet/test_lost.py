# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a host is cut in the middle of a rollout: nobody can put anything back there, so the rest must wait."""

from __future__ import annotations

from control import containers
from control import fleet as machines
from fleet_runs import RESTART, Fleet


def test_a_host_that_is_lost_on_the_way_stops_the_batches_after_it_and_is_finished_later(fleet: Fleet) -> None:
    first, lost, last = fleet.hosts
    machine = machines.machine(lost)
    before = (fleet.lab.checksum(last), fleet.lab.processes(last))
    run = fleet.start(env={"FLEET_HOLD_AT": RESTART}, mastodon_smtp_batches=[2, 1])
    run.reached()
    try:
        containers.execute(machine, "sh", "-c", "systemctl stop ssh.socket ssh.service; pkill -KILL sshd; true")
        done = run.go_on()
    finally:
        containers.execute(machine, "systemctl", "start", "ssh.service")
    assert done.status != 0 and "UNREACHABLE" in done.output, done.output
    assert f"The rollout failed on {lost}, so it stops here: {last}" in " ".join(done.output.split()), done.output
    assert (fleet.lab.checksum(last), fleet.lab.processes(last)) == before
    fleet.proved(first)
    assert fleet.missing(lost) == ["services", "queue"]
    assert fleet.rollout().status == 0
    fleet.proved()
