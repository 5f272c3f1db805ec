# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of examples/ci: files that the CI systems take, and one and the same run in all of them."""

from __future__ import annotations

import re
import subprocess
import sys

import ci_recipes
import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.callback import rollout_report

SCHEMAS = {"github": "vendor.github-workflows", "forgejo": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}
JOBS = {
    ("github", "dry"): ci_recipes.actions("github", "dry-run", dry=True),
    ("github", "real"): ci_recipes.actions("github", "rollout", dry=False),
    ("forgejo", "dry"): ci_recipes.actions("forgejo", "mail", dry=True),
    ("forgejo", "real"): ci_recipes.actions("forgejo", "mail", dry=False),
    ("gitlab", "dry"): ci_recipes.gitlab("dry-run"),
    ("gitlab", "real"): ci_recipes.gitlab("rollout"),
}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_recipe_follows_the_schema_of_its_ci_system(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name]]
    done = subprocess.run(
        [*command, str(ci_recipes.FOLDER / f"{name}.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", ["dry", "real"])
def test_all_recipes_run_the_same_commands_in_the_same_environment(kind: str) -> None:
    jobs = {name: job for (name, of), job in JOBS.items() if of == kind}
    # how Python gets into the container is the container's affair
    prepared = {
        name: [line for line in job.commands if not re.match("apt-get|python3 -m venv|echo /opt", line)]
        for name, job in jobs.items()
    }
    assert prepared["forgejo"] == prepared["gitlab"] == prepared["github"]
    assert jobs["forgejo"].environment == jobs["gitlab"].environment == jobs["github"].environment


@pytest.mark.parametrize("which", sorted(JOBS), ids="-".join)
def test_a_pull_request_gets_a_dry_run_and_only_the_main_branch_a_rollout(which: tuple[str, str]) -> None:
    job = JOBS[which]
    assert job.environment["MODE"] == ("--check" if which[1] == "dry" else "")
    assert job.commands[-1] == "ansible-playbook fediops.mastodon.smtp_rollout -i inventory --diff $MODE"


def test_the_conditions_of_the_jobs() -> None:
    github, gitlab = ci_recipes.load("github"), ci_recipes.load("gitlab")
    assert github["jobs"]["dry-run"]["if"].startswith("github.event_name == 'pull_request' &&")
    assert github["jobs"]["rollout"]["if"] == "github.event_name != 'pull_request'"
    for name in ("github", "forgejo"):
        assert ci_recipes.load(name)["on"]["push"] == {"branches": ["main"]}
    assert gitlab["dry-run"]["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
    assert gitlab["rollout"]["rules"] == [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}]


@pytest.mark.parametrize("which", sorted(JOBS), ids="-".join)
def test_secrets_come_from_the_ci_system_and_never_stand_in_a_command_line(which: tuple[str, str]) -> None:
    job = JOBS[which]
    assert {name for name, value in job.environment.items() if value is None} == set(ci_recipes.SECRETS)
    for line in job.commands:
        if any(f"${name}" in line for name in ci_recipes.SECRETS):
            # printf is a builtin of the shell: no process has them in its arguments
            assert re.fullmatch(r"printf '%s\\n' \"\$\w+\" > ~/\S+", line), line
    assert job.commands.index("umask 077") < min(job.commands.index(one) for one in job.commands if "> ~/" in one)


def test_the_variables_of_the_recipes_are_options_of_the_report() -> None:
    options = yaml.safe_load(rollout_report.DOCUMENTATION)["options"]
    known = {one["name"] for option in options.values() for one in option["env"]}
    used = {name for job in JOBS.values() for name in job.environment if name.startswith("MASTODON_")}
    assert used and used <= known


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_report_is_kept_whatever_became_of_the_run(name: str) -> None:
    recipe = ci_recipes.load(name)
    if name == "gitlab":
        kept = recipe[".mail"]["artifacts"]
        assert kept["when"] == "always" and kept["paths"] == ["rollout-report"]
        assert kept["reports"]["junit"] == "rollout-report/rollout.xml"
        return
    for job in recipe["jobs"].values():
        step = job["steps"][-1]
        assert step["if"] == "always()" and step["with"]["path"] == "rollout-report"
