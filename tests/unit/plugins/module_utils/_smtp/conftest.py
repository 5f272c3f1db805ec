# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the SMTP dialogue share."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.settings import Settings
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.smtp_pki import Pki, make_pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def settings(pki: Pki) -> t.Callable[..., Settings]:
    """Settings for a server on loopback; what a test does not name is good."""

    def make(**changes: t.Any) -> Settings:
        given = {
            "host": "localhost",
            "port": 0,
            "helo_domain": "social.test",
            "ca_file": pki.ca_file,
            "login": "mastodon",
            "password": "correct horse",
            "timeout": 2.0,
            "connect_timeout": 2.0,
        }
        return Settings(**{**given, **changes})

    return make
