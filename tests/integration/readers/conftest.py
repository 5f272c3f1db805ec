# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every test here needs the real readers: they are fetched once, and what cannot be had is an error, not a skip."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parents[2] / ".work" / "collections"))


@pytest.fixture(scope="session", autouse=True)
def readers() -> None:
    done = subprocess.run([str(HERE / "setup")], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.exit(f"the real readers cannot be had:\n{done.stderr}", returncode=1)
