# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/providers.md names every provider, with all that an operator needs to fill in."""

from __future__ import annotations

import typing as t

import pytest


@pytest.fixture(scope="module")
def script(load_script: t.Callable[[str], t.Any]) -> t.Any:
    return load_script("providers-docs")


def test_every_provider_every_host_and_every_port_is_on_its_line(script: t.Any) -> None:
    lines = {line.split("`")[1]: line for line in script.page(script.load()).splitlines() if line.startswith("| `")}
    data = script.load()
    assert sorted(lines) == sorted(data)
    for name, one in data.items():
        for region, host in one.get("hosts", {}).items():
            assert host.replace("{region}", "REGION") in lines[name], (name, region)
        for endpoint in one.get("endpoints", []):
            assert f"{endpoint['port']} {script.TLS[endpoint['tls']]}" in lines[name]


def test_the_region_stands_before_its_host_and_one_host_needs_none(script: t.Any) -> None:
    hosts = {"": "a.test", "us": "a.test", "eu": "b.test"}
    assert script._hosts({"hosts": hosts}) == "`us`: `a.test`<br>`eu`: `b.test`"
    assert script._hosts({"hosts": {"": "a.test", "par": "a.test"}}) == "`a.test`"
    assert script._hosts({}) == "yours: `mastodon_smtp_host`"


def test_without_a_region_it_is_the_first_host_of_the_line_unless_that_is_made_from_the_region(script: t.Any) -> None:
    for name, one in script.load().items():
        shown = script._hosts(one).partition("<br>")[0]
        if "REGION" not in shown and one.get("hosts"):
            assert f"`{one['hosts']['']}`" in shown, name
        assert "REGION" not in shown or "" not in one["hosts"], name
    assert "a line with REGION" in script.INTRODUCTION


def test_a_limit_that_the_advice_tells_already_is_not_said_twice(script: t.Any) -> None:
    one = {"advice": ["It takes 5 mails a day."], "limits": "5 mails a day, more for money"}
    rest = {"source": ["https://x.test"], "checked": "2026-11-23", "confidence": "B"}
    assert (
        script._notes({**one, **rest}) == "It takes 5 mails a day. Read at https://x.test on 2026-11-23 (second-hand)."
    )
    assert script._notes({**rest, "limits": "few"}).startswith("Few. Read at")
