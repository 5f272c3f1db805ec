# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that prints all that Ansible hands to callbacks: what ansible-runner, AWX or a logger may take from it."""

from __future__ import annotations

import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: nosy
type: aggregate
short_description: Prints everything
description: Prints everything.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "nosy"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:  # noqa: ARG002
        self._display.display(f"NOSY start {task.args} {task.dump_attrs()}")

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._display.display(f"NOSY runner {host} {task.args}")

    def _ended(self, result: t.Any, **_unused: t.Any) -> None:
        if not hasattr(result, "result"):  # before ansible-core 2.19
            result.task, result.task_fields, result.result = result._task, result._task_fields, result._result
        shown = (result.task.args, result.task.dump_attrs(), result.task_fields, result.result)
        self._display.display(f"NOSY ended {shown}")

    v2_runner_on_ok = v2_runner_on_failed = v2_runner_on_skipped = v2_runner_on_unreachable = _ended
    v2_runner_item_on_ok = v2_runner_item_on_failed = v2_runner_item_on_skipped = v2_runner_retry = _ended
