# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract with spftrace: the openspf cases for RFC 7208, over real DNS messages on loopback."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import spf_evaluation
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.queries import Resolver, Settings
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns import dns_loopback

SUITE = Path(__file__).parent / "data" / "rfc7208-tests.yml.txt"
SCENARIOS: list[dict[str, t.Any]] = [one for one in yaml.safe_load_all(SUITE.read_text("utf-8")) if one]
CASES = [
    pytest.param(index, case, id=f"{scenario['description']}: {name}")
    for index, scenario in enumerate(SCENARIOS)
    for name, case in scenario["tests"].items()
]


def records(zonedata: t.Mapping[str, t.Any]) -> dict[str, list[tuple[str, t.Any]]]:
    """The suite's zone data: SPF rows double as TXT unless the name has TXT rows of its own; TXT NONE means none."""
    book: dict[str, list[tuple[str, t.Any]]] = {}
    for name, rows in zonedata.items():
        flat = [("TIMEOUT", "") if row == "TIMEOUT" else next(iter(row.items())) for row in rows]
        own_txt = any(kind == "TXT" for kind, _value in flat)
        book[dns_loopback.written(str(name))] = [
            ("TXT" if kind == "SPF" else kind, value)
            for kind, value in flat
            if not (kind == "SPF" and own_txt) and value != "NONE"
        ]
    return book


class Suite:
    """One scenario at a time on the loopback server."""

    def __init__(self) -> None:
        self.book: dict[str, list[tuple[str, t.Any]]] = {}

    def respond(self, query: t.Any, _transport: str) -> t.Iterator[bytes]:
        rendered = {name: [(kind, self.text(kind, value)) for kind, value in rows] for name, rows in self.book.items()}
        reply = dns_loopback.answer(query, rendered)
        if reply is not None:
            yield reply.to_wire(max_size=65535)

    @staticmethod
    def text(kind: str, value: t.Any) -> str:
        if kind == "TXT":
            return "".join(value) if isinstance(value, list) else str(value)
        if kind == "MX":
            return f"{value[0]} {value[1] or '.'}"
        return str(value)


@pytest.fixture(scope="module")
def suite() -> t.Iterator[tuple[Suite, int]]:
    script = Suite()
    with dns_loopback.Server(script.respond) as server:
        yield script, server.port


def test_the_suite_is_whole() -> None:
    assert (len(SCENARIOS), len(CASES)) == (16, 203)


@pytest.mark.parametrize(("scenario", "case"), CASES)
def test_the_verdict_is_the_suites(suite: tuple[Suite, int], scenario: int, case: dict[str, t.Any]) -> None:
    script, port = suite
    script.book = records(SCENARIOS[scenario]["zonedata"])
    resolver = Resolver(Settings(nameservers=("127.0.0.1",), port=port, timeout=1.5, tries=1))
    evaluation = spf_evaluation.check_host(resolver.ask, case["host"], case["mailfrom"], case["helo"])
    accepted = case["result"] if isinstance(case["result"], list) else [case["result"]]
    assert evaluation.verdict in accepted, evaluation
