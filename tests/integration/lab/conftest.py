# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of the lab itself."""

from __future__ import annotations

import sys
import time
import typing as t

import pytest
from harness import CHECKOUT, INVENTORY, Lab

sys.path.insert(0, str(CHECKOUT / "lab"))

from mailboxes import Mailboxes


class Sources(Lab):
    """Every usual host that runs from source."""

    hosts = ("masto1", "masto2", "masto5")


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The running lab."""
    if not INVENTORY.is_dir():
        pytest.fail("the lab is not up: script/lab up")
    return Sources()


class Waiting(Mailboxes):
    """Mailboxes in which a test waits for the next message."""

    def wait(self, mailbox: str, seconds: float = 60) -> dict[str, t.Any]:
        """The newest message of a mailbox, once there is one."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            messages = self.messages(mailbox)
            if messages:
                return messages[-1]
            time.sleep(0.3)
        raise AssertionError(f"nothing arrived in {mailbox} within {seconds:.0f} s")


@pytest.fixture
def mailboxes() -> Waiting:
    return Waiting()
