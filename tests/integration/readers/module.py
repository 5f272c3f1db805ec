# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module env_file as a process: a whole one, or one that is forked off ready to run and so can be killed often."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

_PROGRAM = """
import json, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fediops.mastodon.plugins.modules import env_file
with patch_module_args(json.load(sys.stdin)):
    env_file.main()
"""


class Failed(Exception):
    """The module failed; holds its result."""

    def __init__(self, result: dict[str, t.Any]) -> None:
        super().__init__(result.get("msg"))
        self.result = result


def start(path: str, **options: t.Any) -> subprocess.Popen[str]:
    """The module as a process of its own, with its options."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"path": path, "_ansible_diff": True, **options}))
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: subprocess.Popen[str]) -> dict[str, t.Any]:
    """The result of the module.

    :raises Failed: when it failed.
    """
    output, errors = process.communicate(timeout=120)
    assert output.strip(), errors
    result: dict[str, t.Any] = json.loads(output)
    if process.returncode:
        raise Failed(result)
    return result


def run(path: str, **options: t.Any) -> dict[str, t.Any]:
    return finish(start(path, **options))


def forked(path: str, **options: t.Any) -> int:
    """The module in a forked child, everything imported already; its process id."""
    from ansible.module_utils.testing import patch_module_args

    from ansible_collections.fediops.mastodon.plugins.modules import env_file

    child = os.fork()
    if child:
        return child
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        with patch_module_args({"path": path, **options}):
            env_file.main()
    except BaseException as ended:
        os._exit(ended.code if isinstance(ended, SystemExit) and isinstance(ended.code, int) else 99)
    os._exit(98)
