# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an execution environment gets: exactly the packages that the controller needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[3]


def test_ansible_builder_finds_what_the_controller_needs() -> None:
    builder = Path(sys.executable).parent / "ansible-builder"
    collections = CHECKOUT / ".work" / "collections"
    done = subprocess.run([builder, "introspect", collections], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)
    lines = (CHECKOUT / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert [one.partition("#")[0].strip() for one in found["python"]] == wanted
    assert found["system"] == []


def test_ansible_builder_takes_the_definition_in_the_guide(tmp_path: Path) -> None:
    shown = re.search(r"```yaml\n# execution-environment\.yml\n(.*?)```", (CHECKOUT / "docs/ci.md").read_text(), re.S)
    assert shown
    (tmp_path / "execution-environment.yml").write_text(shown[1])
    builder = Path(sys.executable).parent / "ansible-builder"
    done = subprocess.run([builder, "create"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fediops.mastodon" in (tmp_path / "context" / "_build" / "requirements.yml").read_text()
