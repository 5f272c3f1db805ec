# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that docs/architecture.md names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
#: Names that begin with an underscore, or in a list, are of a file in one of these.
ROOMS = (
    "",
    "plugins/module_utils",
    "plugins/plugin_utils",
    "plugins/plugin_utils/_report",
    "plugins/module_utils/_mailer",
)
NAMED = re.findall(
    r"`([\w/.*-]+/[\w.*-]+\.(?:py|yml|md)|script/[\w-]+)`", (CHECKOUT / "docs" / "architecture.md").read_text()
)


@pytest.mark.parametrize("name", sorted(set(NAMED)))
def test_a_file_that_is_named_is_there(name: str) -> None:
    assert any(list((CHECKOUT / room).glob(name)) for room in ROOMS), name


def test_files_are_named() -> None:
    assert len(set(NAMED)) > 40
