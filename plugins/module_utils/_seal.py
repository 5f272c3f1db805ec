# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hides values between a module and its action plugin, so that no log of results (-vvv) shows them.

Each key is used for one message, as a one-time pad of SHAKE-256 output. It does not replace a secure connection.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import typing as t


def new_key() -> str:
    """A key for one message."""
    return secrets.token_hex(32)


def seal(values: t.Mapping[str, str], key: str) -> str:
    """The values as a text that is unreadable without the key."""
    return base64.b64encode(_mix(json.dumps(dict(values)).encode("ascii"), key)).decode("ascii")


def unseal(sealed: str, key: str) -> dict[str, str]:
    """The values that were sealed with this key.

    :raises ValueError: the text was not sealed with this key.
    """
    found = json.loads(_mix(base64.b64decode(sealed), key))
    if not isinstance(found, dict):
        raise ValueError("no sealed values")
    return found


def _mix(data: bytes, key: str) -> bytes:
    pad = hashlib.shake_256(key.encode("ascii")).digest(len(data))
    return bytes(one ^ other for one, other in zip(data, pad))
