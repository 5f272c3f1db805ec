# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/findings.md says what the tables of codes say, all of it, and a code belongs to one area."""

from __future__ import annotations

import re
import typing as t

import pytest


@pytest.fixture(scope="module")
def script(load_script: t.Callable[[str], t.Any]) -> t.Any:
    return load_script("findings-docs")


def test_every_area_and_every_code_is_on_the_page(script: t.Any) -> None:
    page = script.PAGE.read_text(encoding="utf-8")
    areas = script.areas()
    files = {path.stem for path in script.AREAS.glob("*.py")} - {"__init__", "model"}
    assert set(areas) == files
    for name, module in areas.items():
        assert f"\n## {name}\n" in page
        for code in module.TABLE.rows:
            assert page.count(f"\n| `{code}` | ") == 1


def test_codes_are_kebab_case_and_say_something(script: t.Any) -> None:
    for module in script.areas().values():
        for code, row in module.TABLE.rows.items():
            assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", code)
            assert row.severity in ("error", "warning", "unknown", "info")
            assert row.meaning.endswith((".", "?")), code
            assert row.remedy.endswith((".", "?")), code


def test_a_code_in_two_areas_is_refused(script: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    areas = script.areas()
    monkeypatch.setattr(script, "areas", lambda: {"one": areas["settings"], "two": areas["settings"]})
    with pytest.raises(ValueError, match="used by one and by two"):
        script.page()
