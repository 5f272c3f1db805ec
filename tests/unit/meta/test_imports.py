# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step reads before it begins. The host compiles each of these files anew, so it pays for every one."""

from __future__ import annotations

import collections
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from patterns import PLUGINS

ROOT = "ansible_collections.fediops.mastodon.plugins"
#: What only some instances, only some releases, or only failures need.
SELDOM = (
    "_instance.compose.driver",
    "_instance.compose.engine",
    "_mailer.yaml_",
    "_diagnosis.rows_",
    "_dotenv.compose",
    "_dotenv.shell",
    "_dotenv.python_dotenv",
    "_dotenv.raw",
)
PROGRAM = "import sys, {root}.modules.{name}; print('\\n'.join(one for one in sys.modules if one.startswith('{root}')))"


#: Prints the name of each file that is compiled, as often as it is. Files that are not on this path are not.
COMPILED = """
import sys
sys.path.insert(0, {sent!r})
sys.addaudithook(lambda event, given: event == "compile" and print(given[1]))
import {root}.modules.{name}
"""
STEPS = ["env_file", "instance_info", "mail_services", "mailer_check", "queued_mail_check", "smtp_relay_info"]


@pytest.mark.parametrize("name", STEPS)
def test_a_step_reads_nothing_that_it_seldom_needs(name: str) -> None:
    command = [sys.executable, "-c", PROGRAM.format(root=ROOT, name=name)]
    path = [one for one in sys.path if one]
    done = subprocess.run(command, env={"PYTHONPATH": ":".join(path)}, capture_output=True, text=True, check=True)
    read = {one.removeprefix(f"{ROOT}.module_utils.") for one in done.stdout.split()}
    assert len(read) > 10
    assert [one for one in sorted(read) if one.startswith(SELDOM)] == []


def test_the_probe_of_a_relay_reads_nothing_of_an_instance() -> None:
    command = [sys.executable, "-c", PROGRAM.format(root=ROOT, name="smtp_relay_info")]
    path = [one for one in sys.path if one]
    done = subprocess.run(command, env={"PYTHONPATH": ":".join(path)}, capture_output=True, text=True, check=True)
    assert "_instance.model" not in done.stdout and "_smtp.probe" in done.stdout


@pytest.mark.parametrize("name", [*STEPS, "smtp_adopt"])
def test_a_host_compiles_each_file_once(name: str, tmp_path: Path) -> None:
    """Python's own importer of zip files compiles each twice; _edge, imported first, sees to it that ours does not."""
    sent, home = tmp_path / "sent.zip", Path(*ROOT.split("."))
    with zipfile.ZipFile(sent, "w") as archive:
        for folder in (*home.parents, home):
            archive.writestr(str(folder / "__init__.py"), "")
        archive.writestr(str(home / "modules" / "__init__.py"), "")
        archive.writestr(str(home / "module_utils" / "__init__.py"), "")
        for path in (PLUGINS / "modules" / f"{name}.py", *(PLUGINS / "module_utils").rglob("*.py")):
            archive.write(path, str(home / path.relative_to(PLUGINS)))
    command = [sys.executable, "-B", "-c", COMPILED.format(sent=str(sent), root=ROOT, name=name)]
    path = ":".join(one for one in sys.path if one)
    done = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    core = f"{sent}/{home}/module_utils/"
    times = collections.Counter(one.removeprefix(core) for one in done.stdout.splitlines() if one.startswith(core))
    assert len(times) > 10
    assert {file for file, number in times.items() if number > 1} == {"__init__.py", "_edge.py", "_compiled_once.py"}
