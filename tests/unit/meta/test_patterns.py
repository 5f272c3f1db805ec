# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No text keeps a regular expression of ours busy: its time grows as the text does, for the worst texts too."""

from __future__ import annotations

import re

import patterns
import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.diagnose import rows
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer import address, yaml_value

SIZE = 100_000
#: Of processor time, for one text. A pattern that goes through it once needs a few thousandths of it.
SECONDS = 2.0
USES = patterns.uses()


def slow_on(use: patterns.Use, size: int = SIZE) -> str:
    """The beginning of a text that takes the pattern too long; empty when there is none."""
    # A shorter one first: where no signal is looked at within one step of the engine, it ends all the same.
    for length in (size // 10, size):
        for text in patterns.worst(use.pattern, length):
            if patterns.takes_longer(SECONDS * length / size, lambda: use.run(text)):  # noqa: B023
                return text[:60]
    return ""


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.where} {use.way}")
def test_no_text_keeps_a_pattern_busy(use: patterns.Use) -> None:
    assert slow_on(use) == ""


@pytest.mark.parametrize(
    ("pattern", "way"), [(r"(?:a+)+b", "match"), (r"\s+#", "search"), (r"x.*?y.*?z$", "match"), (r"a*\s*a*b", "match")]
)
def test_one_that_can_be_kept_busy_is_seen(pattern: str, way: str) -> None:
    assert slow_on(patterns.Use("here", re.compile(pattern), way))


def test_all_of_them_are_looked_at() -> None:
    """Of a module, of its tables, in the middle of a function, and the signs of failures."""
    seen = {use.pattern.pattern for use in USES}
    source = (patterns.PLUGINS / "module_utils" / "_mailer" / "address.py").read_text(encoding="utf-8")
    assert address._RUBY in seen
    assert {one.pattern for one, _convert in yaml_value._TYPES} <= seen
    assert r"[A-Za-z][A-Za-z0-9+.-]*://" in source and r"[A-Za-z][A-Za-z0-9+.-]*://" in seen
    assert {sign.text for row in rows() for sign in row.signs if sign.text} <= seen
