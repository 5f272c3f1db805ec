# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step sender_dns_info through a real ansible-playbook, over DNS from a real authoritative server.

Two runs: each zone as a task of its own, and all of them as one fleet.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

import nsd_server

COLLECTIONS = Path(__file__).resolve().parents[3] / ".work" / "collections"
ROWS: list[dict[str, t.Any]] = yaml.safe_load(Path(__file__).with_name("expected.yml").read_text("utf-8"))
DEFAULTS: dict[str, t.Any] = {"spf_include": "_spf.relay.test", "selectors": ["s1"]}

PLAYBOOK = """\
- name: Look at every zone
  hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    fediops.mastodon.sender_dns_info:
      nameservers: ["{{ address }}"]
      port: "{{ dns_port }}"
      fail_on: never
      share_verdict: false # each task asks for itself
  tasks:
    - name: One by one
      fediops.mastodon.sender_dns_info:
        senders: ["{{ item }}"]
      loop: "{{ senders }}"
      register: one_by_one
    - name: All at once
      fediops.mastodon.sender_dns_info:
        senders: "{{ senders }}"
      register: together
    - name: A zone that must fail the task
      fediops.mastodon.sender_dns_info:
        from_address: n@s4-fail.test
        spf_include: _spf.relay.test
        selectors: [s1]
        fail_on: error
      register: refused
      ignore_errors: true
    - name: Keep what was returned
      ansible.builtin.copy:
        content: "{{ {'one_by_one': one_by_one.results, 'together': together, 'refused': refused} | to_json }}"
        dest: "{{ kept }}"
        mode: "0600"
"""


def sender(row: dict[str, t.Any]) -> dict[str, t.Any]:
    """A row as an entry of the option senders."""
    options = {"from_address": f"n@{row['zone']}", **DEFAULTS, **row.get("options", {})}
    return {name: value for name, value in options.items() if value is not None}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """What the playbook's tasks returned."""
    folder = tmp_path_factory.mktemp("dns")
    (folder / "play.yml").write_text(PLAYBOOK, encoding="utf-8")
    kept = folder / "kept.json"
    playbook = Path(sys.executable).with_name("ansible-playbook")
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(folder),
    }
    with nsd_server.running() as port:
        variables = {
            "senders": [sender(row) for row in ROWS],
            "address": nsd_server.ADDRESS,
            "dns_port": port,
            "kept": str(kept),
            "ansible_python_interpreter": sys.executable,
        }
        done = subprocess.run(
            [str(playbook), "-i", "localhost,", "-e", json.dumps(variables), str(folder / "play.yml")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stdout + done.stderr
    returned: dict[str, t.Any] = json.loads(kept.read_text("utf-8"))
    return returned


def test_each_zone_file_has_a_row() -> None:
    zones = {one.stem for one in nsd_server.ZONES.glob("*.zone")}
    assert zones == {row["zone"] for row in ROWS} - {"d1-missing.test"} | {"test"}


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[row["zone"] for row in ROWS])
def test_a_zone_is_judged(seen: dict[str, t.Any], number: int) -> None:
    row, result = ROWS[number], seen["one_by_one"][number]
    assert result["nameservers"] == [nsd_server.ADDRESS]
    (judged,) = result["sender_dns"]
    fine = {"ok", "skipped"}
    outcomes = {one["id"]: one["outcome"] for one in judged["rules"] if one["outcome"] not in fine}
    outcomes.pop("M3", None)  # tells the policy wherever there is one
    assert outcomes == row["rules"], result["findings"]
    assert sorted({one["code"] for one in result["findings"]}) == sorted(row["codes"])


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[row["zone"] for row in ROWS])
def test_a_fleet_gets_the_same(seen: dict[str, t.Any], number: int) -> None:
    alone, together = seen["one_by_one"][number], seen["together"]
    (domain,) = alone["domains"]
    assert together["domains"][domain]["verdict"] == alone["domains"][domain]["verdict"]
    codes = [one["code"] for one in alone["domains"][domain]["findings"]]
    assert [one["code"] for one in together["domains"][domain]["findings"]] == codes


def test_a_failing_task_says_what_to_publish(seen: dict[str, t.Any]) -> None:
    refused = seen["refused"]
    assert refused["failed"] is True
    wanted = (
        's4-fail.test: Publish s4-fail.test TXT "v=spf1 include:_spf.relay.test mx -all" in place of the existing '
        "record."
    )
    assert refused["msg"].startswith(wanted)
    assert refused["verdict"] == "error" and refused["sender_dns"]


def test_the_truth_about_the_good_zone(seen: dict[str, t.Any]) -> None:
    (judged,) = seen["one_by_one"][0]["sender_dns"]
    relay = {one["address"]: one["verdict"] for one in judged["records"]["spf_relay"]}
    assert relay == {"198.51.100.1": "pass", "198.51.100.129": "pass", "2001:db8:5::1": "pass"}
    assert judged["records"]["spf_lookups"] == 3
    assert judged["records"]["dkim"][0]["aliases"] == ["s1.dkim.relay.test"]
