# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller dies, anywhere: the next run does what is missing, sends nothing twice, and can still go back."""

from __future__ import annotations

from fleet_runs import ALL, CHECK, EDIT, GROUPS, QUEUE, RESTART, SUMMARY, Fleet
from harness import ENV_FILE


def test_a_run_that_is_killed_between_every_two_steps_and_in_every_step_is_finished_by_the_next(fleet: Fleet) -> None:
    before = {host: fleet.lab.checksum(host) for host in fleet.hosts}
    fleet.killed(EDIT)
    for host in fleet.hosts:
        assert fleet.lab.checksum(host) == before[host] and fleet.missing(host) == []

    # Each run gets one step further than the one before, and dies right after it or in the middle of the next.
    for at, after, missing in (
        (CHECK, 0.0, [ALL]),
        (RESTART, 0.0, [ALL[1:]]),
        (RESTART, 3.0, [ALL[1:], ALL[2:]]),
        (QUEUE, 0.0, [ALL[2:]]),
        (QUEUE, 1.5, [ALL[2:], []]),
        (SUMMARY, 0.0, [[]]),
    ):
        fleet.killed(at, after)
        for host in fleet.hosts:
            if not after:
                assert fleet.missing(host) in missing, at
            # a step outlives its controller, so its mail may arrive while we look
            assert max(fleet.mails(host).values()) <= 1, (at, after)

    done = fleet.rollout()
    assert done.status == 0 and done.output.count("changed=0") == len(fleet.hosts), done.output
    fleet.proved()


def test_bad_settings_of_a_dead_run_are_taken_back_by_the_next(fleet: Fleet) -> None:
    """The run that finds out has not changed the file, so it has no backup of its own; and the undo may die, too."""
    bad = {"mastodon_smtp_password": "not-the-password-1234"}
    before = {host: (fleet.lab.checksum(host), fleet.lab.processes(host)) for host in fleet.hosts}
    fleet.killed(CHECK, **bad)
    for host in fleet.hosts:
        assert fleet.missing(host) == ALL and fleet.lab.checksum(host) != before[host][0]
    # the next cannot even begin (on port 587), so it leaves all as it is, and says so
    done = fleet.rollout(mastodon_smtp_tls="implicit", **bad)
    said = " ".join(done.output.split())
    assert done.status != 0 and f"The preflight failed on {fleet.hosts[0]}, {fleet.hosts[2]}" in said, done.output
    for host in fleet.hosts:
        assert f"{host}: {ENV_FILE} has an unproved edit from an earlier rollout" in said
        assert fleet.missing(host) == ALL
    fleet.killed("Restore the environment file", **bad)
    # other bad settings on top: the state to go back to is still the one before the first
    done = fleet.rollout(**{**bad, "mastodon_smtp_reply_to": "other@masto1.test"})
    assert done.status != 0 and "restored byte for byte; no running service ever read" in " ".join(done.output.split())
    for host in fleet.hosts:
        assert (fleet.lab.checksum(host), fleet.lab.processes(host)) == before[host]
        assert fleet.mails(host) == {"test": 0, "queue": 0}
    fleet.agree()


def test_what_a_dead_run_left_can_be_rolled_back(fleet: Fleet) -> None:
    """Somebody has restarted the services meanwhile, so they run on the edit that nobody has proved."""
    before = {host: fleet.lab.checksum(host) for host in fleet.hosts}
    fleet.killed(CHECK)
    for host in fleet.hosts:
        assert fleet.missing(host) == ALL and fleet.lab.checksum(host) != before[host]
        fleet.lab.ssh(host, "systemctl restart mastodon-web mastodon-sidekiq")
    started = {host: fleet.lab.processes(host) for host in fleet.hosts}
    done = fleet.lab.playbook("fediops.mastodon.smtp_rollback", mastodon_smtp_steady=1, **GROUPS)
    assert done.status == 0, done.output
    assert {host: fleet.lab.checksum(host) for host in fleet.hosts} == before
    for host in fleet.hosts:
        assert fleet.lab.processes(host) != started[host]
    fleet.agree()
