# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole rollouts that fail, one for each step and for each way in which the undo itself can go wrong (faults.yml).

They run at the highest verbosity, and nothing of what they print may hold a password.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml
from harness import CHECKOUT, ENV_FILE, Lab
from leaks import logged

RUNS: list[dict[str, t.Any]] = yaml.safe_load((Path(__file__).parent / "faults.yml").read_text())["rollouts"]
DEFAULTS = yaml.safe_load((CHECKOUT / "roles/mastodon_smtp/defaults/main.yml").read_text())
#: What an error must never look like.
UGLY = re.compile(r"Traceback|MODULE FAILURE|is undefined|object has no attribute|AnsibleUndefined")
UNITS = "mastodon-web mastodon-sidekiq mastodon-streaming"

APP = "/home/mastodon/live"
DROP_IN = "/etc/systemd/system/mastodon-sidekiq.service.d"
WEB_DROP_IN = "/etc/systemd/system/mastodon-web.service.d"
#: What the commands of faults.yml are made of.
WORDS = {
    "env_file": ENV_FILE,
    "initializer": f"{APP}/config/initializers/zz_fault.rb",
    "keep": f"cp -p {ENV_FILE} /root/fault.env",
    "put_back": f"cp -p /root/fault.env {ENV_FILE} && rm /root/fault.env",
    "drop_in": f"mkdir -p {DROP_IN} && printf '%s\\n' '[Service]'",
    "into": f"> {DROP_IN}/fault.conf && systemctl daemon-reload",
    "no_drop_in": f"rm -r {DROP_IN} && systemctl daemon-reload",
    "web_drop_in": f"mkdir -p {WEB_DROP_IN} && printf '%s\\n' '[Service]'",
    "into_web": f"> {WEB_DROP_IN}/fault.conf && systemctl daemon-reload",
    "no_web_drop_in": f"rm -r {WEB_DROP_IN} && systemctl daemon-reload",
}


class Host:
    """One host of a run, as it was before and as it is."""

    def __init__(self, lab: Lab, name: str, row: dict[str, t.Any] | None) -> None:
        self.lab, self.name, self.row = lab, name, row or {"file": "same", "services": "same"}
        self.words = {**WORDS, "relay": lab.variables[name]["mastodon_smtp_host"]}
        self.checksum, self.processes = lab.checksum(name), lab.processes(name)

    def text(self, key: str) -> str:
        return jinja2.Template(self.row.get(key, ""), undefined=jinja2.StrictUndefined).render(self.words)

    @contextlib.contextmanager
    def broken(self) -> t.Iterator[None]:
        try:
            if "break" in self.row:
                self.lab.ssh(self.name, self.text("break"))
            yield
        finally:
            if "mend" in self.row:
                self.lab.ssh(self.name, self.text("mend"))

    def file_is_as_it_should(self) -> None:
        assert (self.lab.checksum(self.name) == self.checksum) is (self.row["file"] == "same"), self.row

    def states(self) -> list[str]:
        return self.lab.ssh(self.name, f"systemctl is-active {UNITS}", check=False).split()

    def services_are_as_they_should(self) -> None:
        wanted = self.row["services"]
        if wanted == "same":
            assert self.lab.processes(self.name) == self.processes
            return
        states = self.states()
        if wanted == "down":
            until = time.monotonic() + 30  # the step ends with the first that failed; systemd goes on with the others
            while states[0] != "active" and time.monotonic() < until:
                time.sleep(1)
                states = self.states()
            assert states[0] == states[2] == "active" and states[1] != "active"
            return
        assert states == ["active"] * 3
        found = self.lab.module(self.name, "instance_info")["instance"]["services"]
        assert [one["stale"] for one in found if one["role"] in ("web", "sidekiq")] == [False, False], found


def variables(lab: Lab, run: dict[str, t.Any]) -> dict[str, t.Any]:
    """The variables of a run. What differs between hosts is chosen by name: nothing else outranks the inventory."""
    by_host = {host: run["hosts"].get(host, {}).get("variables", {}) for host in lab.hosts}
    found = {"mastodon_smtp_batches": ["100%"], **run.get("variables", {})}
    for name in {name for given in by_host.values() for name in given}:
        values = {
            host: by_host[host].get(name, lab.variables[host].get(name, DEFAULTS.get(name))) for host in lab.hosts
        }
        # Not as words of the template: Ansible doubles the backslashes in those.
        found[f"by_host_{name}"] = values
        found[name] = f"{{{{ by_host_{name}[inventory_hostname] }}}}"
    return found


def last_words(output: str, host: str) -> str:
    """All failures of a host, on one line: Ansible wraps them."""
    blocks = re.findall(rf"^fatal: \[{host}\]: FAILED! =>.*?(?=^\S|\Z)", output, re.M | re.S)
    return " ".join(" ".join(blocks).split())


@pytest.mark.parametrize("run", RUNS, ids=[one["run"] for one in RUNS])
def test_a_rollout_that_fails(first_state: Lab, run: dict[str, t.Any], tmp_path: Path) -> None:
    hosts = [Host(first_state, name, run["hosts"].get(name)) for name in first_state.hosts]
    handed = tmp_path / "variables.json"
    handed.write_text(json.dumps(variables(first_state, run)))
    with contextlib.ExitStack() as stack:
        for host in hosts:
            stack.enter_context(host.broken())
        done = logged(first_state, "-e", f"@{handed}")
        assert done.status != 0 and not UGLY.search(done.output), done.output
        flat = " ".join(done.output.split())
        for words in run.get("says", []):
            assert words in flat, done.output
        for host in hosts:
            said = last_words(done.output, host.name)
            if host.name in run["hosts"]:
                assert f"[{host.row['code']}]" in said and host.text("undone") in said, done.output
            host.file_is_as_it_should()
            host.services_are_as_they_should()


def test_when_every_host_fails_each_says_what_is_wrong_and_that_nothing_has_been_changed(lab: Lab) -> None:
    """Ansible then ends the run before any task of the playbook could say it for all."""
    done = lab.rollout(mastodon_smtp_from_adress="x@y.test", mastodon_smtp_provider="Mailgunn")
    assert done.status != 0 and not UGLY.search(done.output)
    for host in lab.hosts:
        said = last_words(done.output, host)
        assert (
            "The collection has no setting mastodon_smtp_from_adress; did you mean mastodon_smtp_from_address?" in said
        )
        assert "did you mean mailgun?" in said and said.endswith("Nothing has been changed on any host."), said
        # sentences, and not the result that they come from
        assert said.count("[setting-unknown]") == 1 and "severity:" not in said and "plan:" not in said


def test_a_host_without_mastodon_is_named(lab: Lab) -> None:
    done = lab.rollout(mastodon_smtp_hosts="relay")
    assert done.status != 0 and "No Mastodon was found here" in " ".join(done.output.split())
    assert "mastodon_smtp_app_dir" in done.output and not UGLY.search(done.output)
    assert last_words(done.output, "relay").endswith("Nothing has been changed on any host."), done.output
