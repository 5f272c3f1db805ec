# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the CI recipes, as they stand there, on the lab: from a repository with an inventory to the report.

All recipes have the same commands (a unit test sees to that), so one of them is run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml
from harness import BIN, CHECKOUT, INVENTORY, Lab

sys.path.insert(0, str(CHECKOUT / "tests" / "unit" / "docs"))

import ci_recipes

LAB = CHECKOUT / ".work" / "lab"
#: The one with a user of its own and sudo.
HOST = "masto2"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An operator's repository with one host; beside it the home of the CI job. The collection is an archive here."""
    folder = tmp_path / "repository"
    folder.mkdir()
    shutil.copytree(INVENTORY, folder / "inventory")
    hosts = yaml.safe_load((INVENTORY / "hosts.yml").read_text())
    alone = {"mastodon": {"hosts": {HOST: the_host(hosts["all"])}}}
    (folder / "inventory" / "hosts.yml").write_text(yaml.safe_dump({"all": {**hosts["all"], "children": alone}}))
    build = [BIN / "ansible-galaxy", "collection", "build", CHECKOUT, "--output-path", tmp_path]
    subprocess.run(build, check=True, capture_output=True)
    requirements = (ci_recipes.FOLDER / "requirements.yml").read_text()
    archive = next(tmp_path.glob("*.tar.gz"))
    requirements = requirements.replace("name: fediops.mastodon", f"name: {archive}\n    type: file")
    (folder / "requirements.yml").write_text(requirements)
    (tmp_path / "home").mkdir()
    return folder


def the_host(group: dict[str, t.Any]) -> t.Any:
    """Its variables, wherever it is in the inventory."""
    if HOST in (group.get("hosts") or {}):
        return group["hosts"][HOST]
    found = (the_host(one) for one in (group.get("children") or {}).values() if one)
    return next((one for one in found if one is not None), None)


def run_job(job: ci_recipes.Job, repository: Path) -> tuple[int, str]:
    """The job as a runner has it: one bash that ends with the first command that fails."""
    home = repository.parent / "home"
    secrets = {
        "SSH_KEY": (LAB / "id_ed25519").read_text(),
        "SSH_KNOWN_HOSTS": (LAB / "known_hosts").read_text(),
        "VAULT_PASSWORD": (LAB / "vault-password").read_text().strip(),
    }
    given = {name: secrets[name] if value is None else value for name, value in job.environment.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {**kept, **given, "HOME": str(home), "LC_ALL": "C.UTF-8", "PATH": f"{BIN}:{os.environ['PATH']}"}
    environment["GITHUB_STEP_SUMMARY"] = str(repository / "summary.md")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", "\n".join(job.commands)],
        cwd=repository,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def report(repository: Path) -> dict[str, t.Any]:
    made: dict[str, t.Any] = json.loads((repository / "rollout-report" / "rollout.json").read_text())
    jsonschema.validate(made, json.loads((CHECKOUT / "docs" / "rollout_report.schema.json").read_text()))
    return made


def test_a_pull_request_shows_what_would_change_and_the_main_branch_changes_it(
    fresh_lab: Lab, repository: Path
) -> None:
    before = fresh_lab.checksum(HOST)
    status, output = run_job(ci_recipes.actions("github", "dry-run", dry=True), repository)
    assert status == 0, output
    assert [(one["name"], one["state"]) for one in report(repository)["hosts"]] == [(HOST, "would_change")]
    assert fresh_lab.checksum(HOST) == before

    status, output = run_job(ci_recipes.actions("github", "rollout", dry=False), repository)
    assert status == 0, output
    made = report(repository)
    assert [(one["name"], one["state"]) for one in made["hosts"]] == [(HOST, "changed")]
    one = made["hosts"][0]
    assert one["settings"] and one["relays"]["main"]["auth"]["accepted"] is True
    assert one["test_messages"][0]["answer"].startswith("250")
    assert all(service["after"]["state"] == "running" for service in one["services"])
    summary = (repository / "summary.md").read_text()
    assert "The host would change" in summary and "The host is in order" in summary
    texts = [output, summary, *(path.read_text() for path in (repository / "rollout-report").iterdir())]
    assert not any(fresh_lab.password(HOST) in text for text in texts)
