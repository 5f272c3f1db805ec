# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a step whose controller is killed in the middle of it: real ssh, a real one-off program."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from conftest import Host
from harness import BIN, CHECKOUT

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


def descendants(pid: int) -> list[int]:
    """A process and all that it has started: Ansible's workers have sessions of their own."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def kill_controller(host: Host, controller: int) -> None:
    """kill -9 of ansible and its workers; the connection that ssh keeps open stays."""
    assert host.name
    for pid in descendants(controller):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def cut_connection(host: Host, controller: int) -> None:
    """The host loses all connections; the controller only sees that."""
    assert controller
    host.ssh("pkill -f '^sshd.*: admin'", check=False)


@pytest.mark.parametrize("end", [kill_controller, cut_connection])
@pytest.mark.parametrize("pipelining", ["true", "false"], ids=["pipelining", "a terminal"])
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
        kill_controller(hanging, controller.pid)
        controller.wait()


def test_a_boot_that_hangs_is_ended_by_the_steps_own_time(hanging: Host) -> None:
    began = time.monotonic()
    result = hanging.module("mailer_check", timeout=3)
    assert result["failed"] and time.monotonic() - began < 40
    assert not hanging.ssh(LEFT).strip()
