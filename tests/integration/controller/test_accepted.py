# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator accepts means the same in rollout and drift check, and what is misspelt is told: no lab."""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path

import pytest
from light_fleet import Light, Run


@pytest.fixture
def light(tmp_path: Path) -> Light:
    return Light(tmp_path)


def flat(done: Run) -> str:
    return " ".join(done.output.split())


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_dns_findings_count_the_same_in_rollout_and_drift_check(light: Light) -> None:
    light.variables(mastodon_smtp_check_dns=True, mastodon_smtp_dns_servers=["no-address"])
    done = light.play("smtp_rollout")
    assert done.status == 2 and "[sender-option-invalid]" in flat(done), done.output
    for variables in (
        {"mastodon_smtp_dns_fail_on": "never", "mastodon_smtp_fail_on": "warning"},
        {"mastodon_smtp_accept": ["sender-option-invalid"]},
    ):
        given = ("-e", json.dumps(variables))
        done = light.play("smtp_rollout", *given)
        assert done.status == 0 and "no-address" not in flat(done), done.output
        done = light.play("smtp_check", *given)
        assert done.status == 0 and "In order: file" in flat(done) and "no-address" not in flat(done), done.output
    done = light.play("smtp_check")
    assert done.status == 2 and "Not in order: 1 error." in flat(done), done.output


def test_relay_findings_are_accepted_by_their_codes(light: Light) -> None:
    light.variables(mastodon_smtp_check_relay=True, mastodon_smtp_host="127.0.0.1", mastodon_smtp_port=closed_port())
    done = light.play("smtp_rollout")
    assert done.status == 2 and "SMTP_SERVER=old" in light.env_file(), done.output
    codes = sorted(set(re.findall(r"\[([a-z]+(?:-[a-z]+)+)\]", done.output)))
    assert codes, done.output
    given = ("-e", json.dumps({"mastodon_smtp_accept": codes}))
    done = light.play("smtp_rollout", *given)
    assert done.status == 0 and "SMTP_SERVER=127.0.0.1" in light.env_file(), done.output
    done = light.play("smtp_check", *given)
    assert done.status == 0 and "In order" in flat(done), done.output


def test_misspelt_names_are_told_where_the_host_cannot_be_reached_as_well(light: Light) -> None:
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": closed_port()}
    inventory = light.folder / "inventory" / "gone.yml"
    own = {"mastodon_smtp_hsot": "smtp.relay.example", "mastodon_smtp_accept": ["login-refussed"]}
    inventory.write_text(json.dumps({"mastodon": {"hosts": {"gone": {**local, **gone}}, "vars": own}}))
    for playbook in ("smtp_rollout", "smtp_check"):
        done = light.play(playbook, inventory=inventory, ANSIBLE_SSH_TIMEOUT="2")
        assert done.status == 4 and "UNREACHABLE" in done.output, done.output
        assert "gone: mastodon_smtp_hsot: The collection has no setting" in flat(done), done.output
        assert "did you mean mastodon_smtp_host?" in flat(done) and "did you mean login-refused?" in flat(done)
