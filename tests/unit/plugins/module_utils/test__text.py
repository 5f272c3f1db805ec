# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a text from outside is looked at."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._text import CUT, LINE, WHOLE, bounded, bounded_line


@pytest.mark.parametrize(
    "text", ["", "a", "a\n", "\n\na\n", "x" * LINE, f"{'x' * LINE}\n{'y' * LINE}\n", "a\n" * 32768]
)
def test_what_is_short_enough_stays(text: str) -> None:
    assert bounded(text) == text


@pytest.mark.parametrize(
    "text", ["x" * 5000, "x" * 5_000_000, "x" * 5000 + "\n" + "y" * 5000, "ab\n" * 100_000, "\n" * 10**6]
)
def test_nothing_is_longer_than_it_may_be(text: str) -> None:
    cut = bounded(text)
    assert len(cut) <= WHOLE and all(len(line) <= LINE for line in cut.split("\n"))
    assert CUT in cut


def test_a_line_keeps_its_beginning_and_its_end() -> None:
    cut = bounded_line(f"/a.rb:1:in 'x': boom {'x' * 100_000} (KeyError)")
    assert cut.startswith("/a.rb:1:in 'x': boom x") and cut.endswith("x (KeyError)") and len(cut) == LINE


def test_a_text_keeps_whole_lines_of_its_beginning_and_its_end() -> None:
    lines = [f"line {number}" for number in range(100_000)]
    cut = bounded("\n".join(lines)).split("\n")
    assert cut[0] == lines[0] and cut[-1] == lines[-1]
    assert set(cut) <= {*lines, CUT} and cut.count(CUT) == 1
