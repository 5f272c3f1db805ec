# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet for each test: as it is; a test makes an edit of its own on top."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleet_runs import Fleet, FleetLab
from harness import INVENTORY


@pytest.fixture(scope="session")
def clean_lab(tmp_path_factory: pytest.TempPathFactory) -> FleetLab:
    """The lab in its first state, once: each test edits on top of what the one before left in order.

    FLEET_AS_IT_IS in the environment says that it is in order already (molecule).
    """
    hosts = FleetLab.hosts
    if not INVENTORY.is_dir() or hosts[-1] not in (INVENTORY / "hosts.yml").read_text():
        pytest.fail(f"the lab is not up: script/lab up {' '.join(hosts)} relay")
    lab = FleetLab(tmp_path_factory.mktemp("inventory"))
    if not os.environ.get("FLEET_AS_IT_IS"):
        lab.reset(*lab.hosts, "relay")
    return lab


@pytest.fixture
def fleet(clean_lab: FleetLab, tmp_path: Path) -> Fleet:
    """The instances of the lab, with a mark of this test's own."""
    return Fleet(clean_lab, tmp_path)
