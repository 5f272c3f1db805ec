# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/lab.md, point by point: what it names of the lab is there, and what the lab plays of Mastodon has its source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
APP = CHECKOUT / "lab" / "app" / "live"
#: What the lab makes only when a host is made.
MADE = {"lib/mastodon/version.rb"}
PAGE = (CHECKOUT / "docs" / "lab.md").read_text(encoding="utf-8")


def points() -> list[list[str]]:
    """The rows of the table that compares: point, Mastodon's, the lab's."""
    table = PAGE.partition("| point |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]


@pytest.mark.parametrize("row", points(), ids=lambda row: row[0])
def test_a_point_says_what_is_mastodons_and_what_is_the_labs(row: list[str]) -> None:
    assert len(row) == 3 and all(row)
    assert re.search(r"\bsame\b", row[2]) or "**Differs:**" in row[2] or set(paths(row[2]))


def paths(text: str) -> list[str]:
    """The files and folders of the checkout among what stands in backticks."""
    found = re.findall(r"`([\w.-]+(?:/[\w.-]+)+/?)`", text)
    return [one for one in found if one not in MADE and one != "public/system"]


def test_the_files_of_the_lab_that_are_named_exist() -> None:
    named = [path for row in points() for path in paths(row[2])]
    assert len(named) > 8
    missing = [path for path in named if not (APP / path).exists() and not (CHECKOUT / path).exists()]
    assert missing == []


def test_every_change_of_mastodon_that_the_lab_plays_is_named() -> None:
    sources = [path.read_text(encoding="utf-8") for path in APP.rglob("*.rb")]
    played = {number for text in sources for number in re.findall(r"#(\d{4,5})\b", text)}
    assert len(played) > 8
    assert played - set(re.findall(r"#(\d{4,5})\b", PAGE)) == set()
