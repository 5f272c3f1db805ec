# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of examples/nightly: the same preparation as a rollout's, another playbook, and a report that is kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import ci_recipes
import pytest
import yaml
from test_ci_recipes import SCHEMAS

from ansible_collections.fediops.mastodon.plugins.callback import rollout_report

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "nightly"
OPTIONS = yaml.safe_load(rollout_report.DOCUMENTATION)["options"]
KNOWN = {one["name"]: option for option in OPTIONS.values() for one in option.get("env", ())}
CHECK = "ansible-playbook fediops.mastodon.smtp_check -i inventory"


def load(name: str) -> t.Any:
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text())


def commands(name: str) -> tuple[list[str], dict[str, t.Any]]:
    """What a recipe runs, and its environment."""
    if name == "gitlab":
        job = load(name)["mail-check"]
        return job["before_script"] + job["script"], job["variables"]
    recipe = load(name)
    steps = recipe["jobs"]["check"]["steps"]
    environment = {**recipe["env"], **{key: one for step in steps for key, one in step.get("env", {}).items()}}
    return [line for step in steps for line in step.get("run", "").splitlines()], environment


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_recipe_follows_the_schema_of_its_ci_system(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name]]
    done = subprocess.run([*command, str(FOLDER / f"{name}.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("name", "job"), [("github", "rollout"), ("forgejo", "mail"), ("gitlab", "rollout")])
def test_it_prepares_what_the_rollout_prepares_and_runs_the_check(name: str, job: str) -> None:
    rollout = ci_recipes.gitlab(job) if name == "gitlab" else ci_recipes.actions(name, job, dry=False)
    lines, environment = commands(name)
    more = ['export MASTODON_ROLLOUT_REPORT_NOTIFY_URL="$NOTIFY_URL"'] if name == "gitlab" else []
    assert lines == [*rollout.commands[:-1], *more, CHECK]
    ours = {key: one for key, one in environment.items() if key.startswith("MASTODON_ROLLOUT_REPORT_")}
    assert set(ours) <= set(KNOWN) and ours["MASTODON_ROLLOUT_REPORT_KEEP"] == "30"
    assert ours["MASTODON_ROLLOUT_REPORT_NOTIFY_SHAPE"] in OPTIONS["notify_shape"]["choices"]


@pytest.mark.parametrize("name", ["github", "forgejo"])
def test_it_has_a_schedule_and_keeps_the_reports_from_night_to_night(name: str) -> None:
    recipe = load(name)
    assert recipe["on"]["schedule"][0]["cron"].split()[1] == "3"
    (cache,) = (one for one in recipe["jobs"]["check"]["steps"] if "actions/cache@" in one.get("uses", ""))
    assert cache["with"]["path"] == recipe["env"]["MASTODON_ROLLOUT_REPORT_DIRECTORY"]


def test_gitlab_runs_it_by_a_schedule_alone_and_keeps_the_reports() -> None:
    job = load("gitlab")["mail-check"]
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
    assert job["cache"]["paths"] == [job["variables"]["MASTODON_ROLLOUT_REPORT_DIRECTORY"]]


def test_the_units_of_systemd() -> None:
    service = (FOLDER / "mastodon-mail-check.service").read_text()
    lines = [line.partition("=")[2] for line in service.splitlines() if line.startswith("Environment=")]
    names = {line.partition("=")[0] for line in lines}
    assert {one for one in names if one.startswith("MASTODON_")} <= set(KNOWN)
    assert f"ExecStart=/opt/ansible/bin/{CHECK}\n" in service and "Type=oneshot\n" in service
    timer = (FOLDER / "mastodon-mail-check.timer").read_text()
    assert {"OnCalendar=*-*-* 03:00:00", "Persistent=true", "WantedBy=timers.target"} <= set(timer.splitlines())


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_reads_the_units(tmp_path: Path) -> None:
    for kind in ("service", "timer"):
        name = f"mastodon-mail-check.{kind}"
        text = (FOLDER / name).read_text().replace("/opt/ansible/bin/ansible-playbook", sys.executable)
        (tmp_path / name).write_text(text.replace("User=mailcheck", "User=root"))
    units = [str(one) for one in tmp_path.iterdir()]
    command = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if "mastodon-mail-check" in line], done.stderr
