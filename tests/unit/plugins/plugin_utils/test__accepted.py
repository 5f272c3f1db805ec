# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The codes that an operator may write into mastodon_smtp_accept."""

from __future__ import annotations

import importlib
import pkgutil

from ansible_collections.fediops.mastodon.plugins.module_utils import _findings
from ansible_collections.fediops.mastodon.plugins.plugin_utils._accepted import TABLES, accepted_codes, unknown_codes


def test_every_area_of_findings_is_among_them() -> None:
    names = [one.name for one in pkgutil.iter_modules(_findings.__path__) if one.name != "model"]
    areas = [importlib.import_module(f"{_findings.__name__}.{name}") for name in names]
    assert {id(area.TABLE) for area in areas} == {id(table) for table in TABLES}


def test_a_code_is_found_by_each_of_its_names() -> None:
    rows = [row for table in TABLES for row in table.rows.values()]
    for row in rows:
        assert {accepted_codes([name]) for name in (row.code, *row.formerly)} == {frozenset({row.code})}
    assert unknown_codes([name for row in rows for name in (row.code, *row.formerly)]) == []
    assert any(row.formerly for row in rows)


def test_a_code_that_no_finding_has_is_told_with_the_one_that_is_meant() -> None:
    (found,) = unknown_codes(["login-refussed", "login-refussed", "login-refused"])
    assert found.code == "accept-unknown" and found.severity == "error"
    assert found.message == 'No finding has the code "login-refussed"; did you mean login-refused?'
    assert unknown_codes(["zzz"])[0].message == 'No finding has the code "zzz".'
