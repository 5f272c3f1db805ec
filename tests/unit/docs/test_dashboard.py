# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example dashboard: queries that Prometheus reads, about metrics that the report writes."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import promql_parser
import pytest

from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.openmetrics import HELP

PAGE = Path(__file__).resolve().parents[3] / "docs" / "monitoring" / "dashboard.json"
BOARD: dict[str, t.Any] = json.loads(PAGE.read_text("utf-8"))
QUERIES = [(panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_a_query_is_valid_and_about_a_metric_that_exists(title: str, query: str) -> None:
    promql_parser.parse(query.replace("$host", "x"))
    used = set(re.findall(r"\bmastodon_mail_(\w+)", query))
    assert used and used <= set(HELP), title


def test_every_metric_is_shown() -> None:
    shown = {name for _title, query in QUERIES for name in re.findall(r"\bmastodon_mail_(\w+)", query)}
    assert shown == set(HELP)


def test_the_panels_do_not_overlap_and_have_ids() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_it_asks_for_the_data_source() -> None:
    variables = {one["name"]: one for one in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert {panel["datasource"]["uid"] for panel in BOARD["panels"]} == {"${datasource}"}
    assert re.findall(r"mastodon_mail_(\w+)", variables["host"]["query"]["query"]) == ["ok"]
