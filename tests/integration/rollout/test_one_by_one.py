# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of faults.yml, made for real, and asked about by the one step that has to find it.

One run of Ansible makes all that were selected (-k works); each test looks at one answer.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from harness import ENV_FILE, Lab

HERE = Path(__file__).parent
TABLE: dict[str, t.Any] = yaml.safe_load((HERE / "faults.yml").read_text())


class Fault(t.NamedTuple):
    """One fault on one host."""

    id: str
    host: str
    row: dict[str, t.Any]


def faults() -> list[Fault]:
    found = []
    for step, rows in TABLE["steps"].items():
        for number, row in enumerate(rows):
            chosen = {"both": Lab.hosts, "any": (Lab.hosts[number % 2],)}.get(row["rails"], (row["rails"],))
            found += [Fault(f"{step}: {row['fault']}", host, {**row, "step": step}) for host in chosen]
    return found


FAULTS = faults()


@pytest.fixture(scope="module")
def answers(
    rolled_out: Lab, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], dict[str, t.Any]]:
    """What the steps answered, by fault and host."""
    chosen = [
        one.callspec.params["fault"]
        for one in request.session.items
        if isinstance(one, pytest.Function) and hasattr(one, "callspec") and "fault" in one.callspec.params
    ]
    alone: dict[str, list[t.Any]] = {host: [] for host in Lab.hosts}
    together: dict[str, t.Any] = {}
    for fault in chosen:
        row = {**fault.row, "id": fault.id}
        if "relay" in row:
            together[fault.id] = row
        else:
            alone[fault.host].append(row)
    folder = tmp_path_factory.mktemp("answers")
    handed = folder / "faults.json"
    handed.write_text(json.dumps({"alone": alone, "together": list(together.values()), "collect": str(folder)}))
    before = {host: rolled_out.checksum(host) for host in Lab.hosts}
    done = rolled_out.playbook(str(HERE / "one_by_one.yml"), "-e", f"@{handed}")
    assert done.status == 0, done.output
    assert {host: rolled_out.checksum(host) for host in Lab.hosts} == before
    return {
        (host, name): answer
        for host in Lab.hosts
        for name, answer in json.loads((folder / f"{host}.json").read_text()).items()
    }


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{one.host}: {one.id}" for one in FAULTS])
def test_the_step_names_the_cause(lab: Lab, answers: dict[tuple[str, str], dict[str, t.Any]], fault: Fault) -> None:
    kept = answers[fault.host, fault.id]
    result = kept["answer"]
    assert [one["code"] for one in result["findings"] if one["severity"] == "error"] == [fault.row["code"]], result
    assert result["failed"] and f"[{fault.row['code']}]" in result["msg"]
    assert "Traceback" not in json.dumps(result) and lab.password(fault.host) not in json.dumps(result)
    assert kept["after"] == kept["before"], f"{ENV_FILE} is not as it was"
