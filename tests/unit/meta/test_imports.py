# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step reads before it begins. The host compiles each of these files anew, so it pays for every one."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


@pytest.mark.parametrize(
    "name", ["env_file", "instance_info", "mail_services", "mailer_check", "queued_mail_check", "smtp_relay_info"]
)
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
