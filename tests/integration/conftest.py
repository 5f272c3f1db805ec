# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests that need the lab: script/lab up first, or let script/test do it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".work" / "collections"))

from harness import INVENTORY, Lab


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The running lab."""
    if not (INVENTORY / "hosts.yml").exists():
        pytest.fail("the lab is not up: script/lab up")
    return Lab()


@pytest.fixture
def fresh_lab(lab: Lab) -> Lab:
    """The lab in its first state."""
    lab.reset()
    return lab


@pytest.fixture(autouse=True)
def unthrottled(request: pytest.FixtureRequest) -> None:
    """What the tests before have asked for is not counted against this one."""
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").unthrottle()
