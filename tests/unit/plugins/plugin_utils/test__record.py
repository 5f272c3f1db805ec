# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of a run leave for each other."""

from __future__ import annotations

import stat
from pathlib import Path

from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry, Record


def test_a_step_leaves_its_result_and_others_read_it(tmp_path: Path) -> None:
    left = Entry("Find the instance", "failed", ("No.",), {"instance": None, "findings": []}, "uuid")
    Record("a.example", tmp_path).leave("instance", left)
    assert Record("a.example", tmp_path).entry("instance") == left
    assert Record("a.example", tmp_path).entries() == {"instance": left}
    assert Record("b.example", tmp_path).entries() == {} and Record("a.example", tmp_path).entry("edit") is None


def test_what_nobody_needs_is_not_kept(tmp_path: Path) -> None:
    given = {"diff": {"before": "x"}, "invocation": {}, "exception": "x", "_ansible_parsed": True, "changed": True}
    Record("a", tmp_path).leave("edit", Entry("Edit", "changed", (), given))
    assert dict(Record("a", tmp_path).entries()["edit"].result) == {"changed": True}


def test_a_new_part_of_the_role_begins_with_nothing_and_only_for_its_host(tmp_path: Path) -> None:
    for host in ("a", "b"):
        Record(host, tmp_path).leave("edit", Entry("Edit", "ok"))
    Record("a", tmp_path).begin()
    assert Record("a", tmp_path).entries() == {} and set(Record("b", tmp_path).entries()) == {"edit"}


def test_nobody_else_reads_it_and_a_hostile_name_leads_nowhere(tmp_path: Path) -> None:
    Record("../../x", tmp_path).leave("edit", Entry("Edit", "ok"))
    (file,) = tmp_path.rglob("*")
    assert file.parent == tmp_path and stat.S_IMODE(file.stat().st_mode) == 0o600
