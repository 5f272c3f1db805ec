# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines while a task takes long."""

from __future__ import annotations

import report_runs as runs

from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.collect import Task
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.progress import Memory, lines


def started(*names: str) -> tuple[runs.Run, Task]:
    run = runs.Run(*names)
    task = run.task("Ask Rails", "mailer_check")
    for name in names:
        run.seen.started(name, task, run.now)
    return run, task


def test_nothing_is_said_until_the_patience_is_over_and_then_once_in_that_time() -> None:
    run, _task = started("a.example")
    memory = Memory()
    said = [lines(run.seen.running, memory, run.now + second, 15) for second in (1, 14, 15, 16, 29, 30)]
    assert [len(one) for one in said] == [0, 0, 1, 0, 0, 1]
    assert said[2] == ["... a.example: waiting for Rails to boot and answer (15 s so far)"]


def test_the_limit_is_named_when_it_is_known_for_all() -> None:
    run, task = started("a.example", "b.example")
    memory = Memory(limits={("a.example", task.uuid): 180.0, ("b.example", task.uuid): None})
    assert "at most" not in lines(run.seen.running, memory, run.now + 20, 15)[0]
    memory.limits["b.example", task.uuid] = 240.0
    assert lines(run.seen.running, memory, run.now + 40, 15) == [
        "... a.example, b.example: waiting for Rails to boot and answer (40 s so far, at most 4 min)"
    ]


def test_many_hosts_make_one_line_and_those_that_are_done_are_not_in_it() -> None:
    names = [f"h{number}" for number in range(9)]
    run, task = started(*names)
    run.seen.ended("h0", task, "ok", {}, run.now + 5)
    assert lines(run.seen.running, Memory(), run.now + 20, 15) == [
        "... h1, h2, h3 and 5 more: waiting for Rails to boot and answer (20 s so far)"
    ]


def test_a_task_of_others_is_named() -> None:
    run = runs.Run("a.example")
    run.seen.started("a.example", Task("x", "Wait for the moon", "ansible.builtin.pause"), run.now)
    found = lines(run.seen.running, Memory(), run.now + 20, 15)
    assert found == ["... a.example: waiting for Wait for the moon (20 s so far)"]


def test_a_host_that_has_just_begun_the_same_task_is_not_waited_for_yet() -> None:
    run, task = started("a.example")
    memory = Memory()
    assert lines(run.seen.running, memory, run.now + 15, 15)
    run.seen.started("b.example", task, run.now + 28)
    assert lines(run.seen.running, memory, run.now + 30, 15) == [
        "... a.example: waiting for Rails to boot and answer (30 s so far)"
    ]
