# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""masto3, put back after what a test does to it."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from compose_host import NAME, ComposeHost
from harness import Lab


@pytest.fixture(scope="session")
def fresh(lab: Lab) -> ComposeHost:
    """The host in its first state, once for all tests."""
    lab.reset(NAME)
    return ComposeHost(lab)


@pytest.fixture
def host(fresh: ComposeHost) -> ComposeHost:
    """The host to look at."""
    return fresh


@pytest.fixture
def disturbed(fresh: ComposeHost) -> t.Iterator[ComposeHost]:
    """The host, whose project's files are put back afterwards. What was made anew meanwhile is said by the test."""
    fresh.ssh("rm -rf /root/kept && cp -a /srv/mastodon /root/kept")
    yield fresh
    fresh.ssh("rm -rf /srv/mastodon && mv /root/kept /srv/mastodon")
