# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example alerts: rules that Prometheus reads, about metrics that the report writes."""

from __future__ import annotations

import re
from pathlib import Path

import promql_parser
import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.openmetrics import HELP

DOCS = Path(__file__).resolve().parents[3] / "docs"
(GROUP,) = yaml.safe_load((DOCS / "monitoring" / "alerts.yml").read_text("utf-8"))["groups"]


def test_the_group_has_the_keys_of_a_rule_file() -> None:
    assert set(GROUP) == {"name", "rules"}
    names = [one["alert"] for one in GROUP["rules"]]
    assert len(set(names)) == len(names) > 3


@pytest.mark.parametrize("rule", GROUP["rules"], ids=lambda rule: rule["alert"])
def test_a_rule_is_valid_and_about_metrics_that_exist(rule: dict[str, str]) -> None:
    assert {"alert", "expr", "labels", "annotations"} <= set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    promql_parser.parse(rule["expr"])
    assert re.fullmatch(r"\d+[mhd]", rule.get("for", "1m"))
    used = set(re.findall(r"\bmastodon_mail_(\w+)", rule["expr"]))
    assert used and used <= set(HELP)


def test_the_page_lists_every_metric() -> None:
    page = (DOCS / "ci.md").read_text("utf-8")
    listed = set(re.findall(r"`mastodon_mail_(\w+)`", page))
    assert listed == set(HELP)
