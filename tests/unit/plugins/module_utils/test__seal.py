# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module seals, its action opens, and nobody else."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._seal import new_key, seal, unseal

VALUES = {"SMTP_PASSWORD": "pa$$ #wörd\udcff", "SMTP_LOGIN": ""}


def test_only_the_key_opens_it() -> None:
    key = new_key()
    sealed = seal(VALUES, key)
    assert unseal(sealed, key) == VALUES
    assert b"SMTP" not in base64.b64decode(sealed) and sealed != seal(VALUES, new_key())
    with pytest.raises(ValueError):
        unseal(sealed, new_key())
