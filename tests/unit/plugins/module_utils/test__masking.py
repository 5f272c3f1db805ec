# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mask tells nothing of what it hides."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.redact import redact
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import (
    LEFT_OUT,
    hidden_options,
    maskable,
    masked,
)


@pytest.mark.parametrize(
    ("secret", "text", "seen"),
    [
        ("ab", "451 unavailable", "451 unavailable"),
        ("ab", "a\nlogin me:ab\nb", f"a\n{LEFT_OUT}\nb"),
        ("ab", "password=ab", LEFT_OUT),
        ("failed", "535 Authentication failed", LEFT_OUT),
        ("25", "port 2525, 250 OK", "port 2525, 250 OK"),
        ("25", "port 25", LEFT_OUT),
        ("!x!", "a!x!b", LEFT_OUT),
        ("a\nb", "a\nb", LEFT_OUT),
        ("correct horse", "say correct horse twice: correct horse.", "say *** twice: ***."),
        ("longenough", "xlongenoughy", "x***y"),
        (" ", "a b", "a b"),
        ("", "a b", "a b"),
    ],
)
def test_short_secrets_are_no_masks_and_long_ones_are(secret: str, text: str, seen: str) -> None:
    assert masked(text, [secret], "***") == seen


def test_a_short_password_is_not_betrayed_by_its_mask() -> None:
    """It was "unavail[secret]le"."""
    told = redact("451 4.3.0 Service temporarily unavailable", ["ab"])
    assert told == "451 4.3.0 Service temporarily unavailable"
    assert redact("535 5.7.8 bad password ab for me", ["ab"]) == LEFT_OUT


def test_longer_secrets_are_masked_first() -> None:
    assert masked("longsecret longsecret2", ["longsecret", "longsecret2"], "*") == "* *"
    assert maskable(["short", "longsecret", "        ", "longsecret2"]) == ["longsecret2", "longsecret"]


def test_options_are_hidden_by_name_not_by_value() -> None:
    rules = {
        "password": {"no_log": True},
        "other": {"no_log": True},
        "host": {"type": "str"},
        "one": {"options": {"token": {"no_log": True}, "name": {}}},
        "many": {"options": {"token": {"no_log": True}}},
    }
    given = {
        "password": "ab", "other": None, "host": "ab", "one": {"token": 1, "name": "x"}, "many": [{"token": "t"}],
    }  # fmt: skip
    hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert hidden_options(given, rules) == {
        "password": hidden, "other": None, "host": "ab", "one": {"token": hidden, "name": "x"},
        "many": [{"token": hidden}],
    }  # fmt: skip
