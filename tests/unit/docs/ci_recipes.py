# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recipe of examples/ci would run: its commands in order, with the environment that the CI system gives them."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "ci"
SECRETS = ("SSH_KEY", "SSH_KNOWN_HOSTS", "VAULT_PASSWORD")


@dataclasses.dataclass(frozen=True)
class Job:
    """One job of a recipe, flat.

    :ivar commands: single lines of shell.
    :ivar environment: what its commands see; a secret that the CI system fills in is V(None).
    """

    commands: list[str]
    environment: dict[str, str | None]


def load(name: str) -> t.Any:
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text())


def actions(name: str, job: str, *, dry: bool) -> Job:
    """A job of GitHub or Forgejo Actions."""
    recipe = load(name)
    commands: list[str] = []
    environment = dict(recipe["env"])
    for step in recipe["jobs"][job]["steps"]:
        commands += step.get("run", "").splitlines()
        environment.update({key: _filled_in(value, dry) for key, value in step.get("env", {}).items()})
    return Job(commands, environment)


def gitlab(job: str) -> Job:
    """A job of GitLab CI with what it extends."""
    recipe = load("gitlab")
    base = recipe[recipe[job]["extends"]]
    environment = {**base["variables"], **recipe[job]["variables"], **dict.fromkeys(SECRETS)}
    return Job(base["before_script"] + base["script"], environment)


def _filled_in(value: str, dry: bool) -> str | None:
    if re.fullmatch(r"\$\{\{ (secrets|vars)\.\w+ \}\}", value):
        return None
    wanted = "${{ github.event_name == 'pull_request' && '--check' || '' }}"
    assert value == wanted, value
    return "--check" if dry else ""
