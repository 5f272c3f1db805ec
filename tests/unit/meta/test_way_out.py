# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where words of others come in and where they go out: no plugin has a way of its own past the gate and its bounds."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance import process
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import ControllerStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import HostStep

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
SOURCES = {str(path.relative_to(PLUGINS)): path.read_text(encoding="utf-8") for path in PLUGINS.rglob("*.py")}
STEPS = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))
#: What starts a program.
_STARTS = re.compile(r"\bsubprocess\b|\bPopen\b|\brun_command\b|\bos\.(?:system|popen|exec\w*|spawn\w*)\b")
#: AnsibleModule's own ends, and what stands for them: options out of range are named before anything is read.
_ENDS = {"exit_json", "fail_json"}


def test_one_place_starts_programs_and_it_keeps_no_more_than_it_may() -> None:
    starting = {name for name, text in SOURCES.items() if _STARTS.search("\n".join(map(_code, text.splitlines())))}
    assert starting == {"module_utils/_instance/process.py"}


def _code(line: str) -> str:
    return line.partition("#")[0]


def test_a_program_that_writes_without_end_costs_no_memory() -> None:
    done = process.run(["/bin/sh", "-c", "yes & yes >&2"], environment={"PATH": "/usr/bin:/bin"}, timeout=1)
    assert done.timed_out and done.truncated
    assert max(len(done.stdout), len(done.stderr)) < 2 * 1024 * 1024


@pytest.mark.parametrize("step", STEPS)
def test_each_step_has_its_gate_on_the_controller(step: str) -> None:
    action = importlib.import_module(f"ansible_collections.fediops.mastodon.plugins.action.{step}").ActionModule
    assert issubclass(action, (HostStep, ControllerStep))
    assert action._supports_async is False


@pytest.mark.parametrize("step", STEPS)
def test_no_module_ends_past_the_gate(step: str) -> None:
    """What one says by itself is a sentence of ours about an option, in which nothing is from outside."""
    found = []
    for node in ast.walk(ast.parse(SOURCES[f"modules/{step}.py"])):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ENDS:
            found.append(ast.unparse(node))
    assert all(re.match(r"module\.fail_json\(msg=f?['\"]", one) for one in found)


def test_no_action_asks_a_host_but_by_the_gate() -> None:
    asking = {name for name, text in SOURCES.items() if "_execute_module(" in text}
    assert asking == {"plugin_utils/_host_step.py"}
