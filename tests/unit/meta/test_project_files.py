# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files around the code: forms and settings that their programs accept, and the changelog of the first release."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
FORMS = CHECKOUT / ".github" / "ISSUE_TEMPLATE"
FRAGMENTS = sorted((CHECKOUT / "changelogs" / "fragments").glob("*"))


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-issue-forms", sorted(path for path in FORMS.glob("*.yml") if path.name != "config.yml")),
        ("vendor.github-issue-config", [FORMS / "config.yml"]),
        ("vendor.renovate", [CHECKOUT / "renovate.json"]),
    ],
    ids=["forms", "chooser", "renovate"],
)
def test_the_program_that_reads_a_file_accepts_it(schema: str, files: list[Path]) -> None:
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_report_of_a_problem_contains_the_report_of_the_run() -> None:
    form = yaml.safe_load((FORMS / "problem.yml").read_text(encoding="utf-8"))
    asked = {field["id"]: field for field in form["body"] if "id" in field}
    assert "rollout-report/rollout.md" in asked["report"]["attributes"]["description"]
    assert {name for name, field in asked.items() if field["validations"]["required"]} >= {"report", "versions"}


def test_the_links_of_the_forms_lead_to_files() -> None:
    base = "https://github.com/fediops/ansible-collection-mastodon/blob/main/"
    linked = re.findall(rf"{base}([\w./-]+)", "".join(path.read_text(encoding="utf-8") for path in FORMS.iterdir()))
    assert linked and [name for name in linked if not (CHECKOUT / name).is_file()] == []


def test_the_first_release_has_one_entry() -> None:
    """Nobody had what was not released, so no fragment tells how it changed or which faults it had."""
    released = yaml.safe_load((CHECKOUT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8"))["releases"]
    if released:
        return
    assert [path.name for path in FRAGMENTS] == ["first-release.yml"], (
        "Until the first release, first-release.yml alone says what it brings: change it, and remove the others."
    )
    assert set(yaml.safe_load(FRAGMENTS[0].read_text(encoding="utf-8"))) <= {
        "release_summary",
        "major_changes",
        "known_issues",
    }


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_fragments_have_no_markup_of_ansible_doc(path: Path) -> None:
    """A changelog shows C(...) as it is; two backquotes mark code there."""
    assert re.findall(r"\b(?:[BCEILMOPUV]|RV)\([^)]*\)", path.read_text(encoding="utf-8")) == []
