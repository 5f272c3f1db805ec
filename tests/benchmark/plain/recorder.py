# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down, as a callback, the plays of a run, and of each its tasks with their results; see ../fleet.py."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: recorder
type: aggregate
short_description: Writes down the results of a run
description: For the benchmark only.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._plays: list[list[dict[str, t.Any]]] = []

    def v2_playbook_on_play_start(self, play: t.Any) -> None:  # noqa: ARG002
        self._plays.append([])

    def v2_runner_on_ok(self, result: t.Any) -> None:
        kept = {key: value for key, value in result.result.items() if not key.startswith("_ansible")}
        self._plays[-1].append(kept)

    v2_runner_on_skipped = v2_runner_on_ok

    def v2_playbook_on_stats(self, stats: t.Any) -> None:  # noqa: ARG002
        Path(os.environ["BENCHMARK_RECORD"]).write_text(json.dumps(self._plays, default=str))
