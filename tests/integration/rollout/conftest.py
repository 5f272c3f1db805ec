# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reset costs half a minute and a rollout a minute, so the tests of this folder share one of each: first those that
leave everything as it was, then those that need settings in use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import Lab
from leaks import logged


@pytest.fixture(scope="session")
def first_state(lab: Lab) -> Lab:
    """The lab with settings that do not work."""
    lab.reset(*lab.hosts, "relay")
    return lab


@pytest.fixture(scope="session")
def rolled_out(first_state: Lab) -> Lab:
    """The lab after a rollout that went well."""
    done = logged(first_state, "--diff")
    assert done.status == 0, done.output
    return first_state
