# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends or holds a run of ansible-playbook at a named task, for the tests of what the next run makes of it.

FLEET_KILL_AT    kill the process group (SIGKILL) right before the task with this name begins: between two steps
FLEET_KILL_IN    kill it so many seconds after that task began, so in the middle of the step
FLEET_HOLD_AT    before that task: create the file FLEET_HOLD, and go on when it is gone again
"""

from __future__ import annotations

import os
import signal
import threading
import time
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: fleet_stop
type: aggregate
short_description: Ends or holds a run at a named task
description: For tests only.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "fleet_stop"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:  # noqa: ARG002
        name = task.get_name()
        if _named("FLEET_KILL_AT", name):
            delay = float(os.environ.get("FLEET_KILL_IN", "0"))
            if delay:
                threading.Timer(delay, _kill).start()
            else:
                _kill()
        if _named("FLEET_HOLD_AT", name):
            hold = Path(os.environ["FLEET_HOLD"])
            hold.touch()
            while hold.exists():
                time.sleep(0.1)


def _named(variable: str, name: str) -> bool:
    return bool(os.environ.get(variable)) and name.endswith(os.environ[variable])


def _kill() -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)
