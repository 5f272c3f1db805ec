# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a step whose controller is killed in the middle of it: real ssh, a real one-off program."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t

import pytest
from conftest import Host
from harness import BIN, CHECKOUT, kill_with_children

LIVE = "/home/mastodon/live"
#: What "bin/rails" is for as long as the test takes, as the process list shows it.
HANGS = "sleep 4711"
LEFT = f"pgrep -a -f '^{HANGS}$|[A]nsiballZ|[m]ailer_check|[f]ediops.mastodon' || true"


@pytest.fixture
def hanging(disturbed: Host) -> t.Iterator[Host]:
    """A host whose Rails does not come to an end."""
    rails = f"{LIVE}/bin/rails"
    disturbed.ssh(f"mv {rails} {rails}.aside && cat > {rails} && chmod 755 {rails}", stdin=f"#!/bin/sh\nexec {HANGS}\n")
    yield disturbed
    disturbed.ssh(f"mv {rails}.aside {rails}; pkill -f '^{HANGS}$'", check=False)


def soon(condition: t.Callable[[], bool], within: float) -> bool:
    deadline = time.monotonic() + within
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.3)
    return condition()


def kill_controller(host: Host, controller: int) -> None:
    """kill -9 of ansible and its workers; the connection that ssh keeps open stays."""
    assert host.name
    kill_with_children(controller)


def cut_connection(host: Host, controller: int) -> None:
    """The host loses all connections; the controller only sees that."""
    assert controller
    host.ssh("pkill -f '^sshd.*: (admin|root)( |@)'", check=False)  # our own as well


@pytest.mark.parametrize(
    ("host", "pipelining", "end"),
    [
        ("masto1", "true", kill_controller),
        ("masto1", "false", cut_connection),
        ("masto2", "true", cut_connection),
        ("masto2", "false", kill_controller),  # with a terminal, since sudo wants one then
    ],
    indirect=["host"],
)
def test_nothing_is_left_when_nobody_takes_the_answer(
    hanging: Host, pipelining: str, end: t.Callable[[Host, int], None]
) -> None:
    lab = hanging.lab
    words = [str(BIN / "ansible"), *lab.inventory_options, hanging.name, "-m", "fediops.mastodon.mailer_check"]
    controller = subprocess.Popen(
        words,
        cwd=CHECKOUT,
        env={**os.environ, **lab.environment, "ANSIBLE_PIPELINING": pipelining},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert soon(lambda: HANGS in hanging.ssh(LEFT), 60)
        end(hanging, controller.pid)
        assert soon(lambda: not hanging.ssh(LEFT).strip(), 15), hanging.ssh(LEFT)
    finally:
        kill_with_children(controller.pid)
        controller.wait()


def test_a_boot_that_hangs_is_ended_by_the_steps_own_time(hanging: Host) -> None:
    began = time.monotonic()
    result = hanging.module("mailer_check", timeout=3)
    assert result["failed"] and time.monotonic() - began < 40
    assert not hanging.ssh(LEFT).strip()
