# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a rollout over a fleet goes on, and how it ended. Documented in the module of the same name."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils import _gate
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import ControllerStep, Result


class ActionModule(ControllerStep):
    """The step C(smtp_fleet)."""

    KEY: t.ClassVar[str] = "fleet"
    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]] = {
        "at": {"type": "str", "required": True, "choices": ["preflight", "batch", "end"]},
        "require_all": {"type": "bool", "default": False},
        "batches": {"type": "raw", "default": "100%"},
        "max_fail_percentage": {"type": "float", "default": 0.0},
    }

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Decide from what the steps of all hosts recorded; the step fails if the rollout stops."""
        verdict = self._verdict(self.validated(options), task_vars)
        if verdict.not_started:
            return {"failed": True, "msg": " ".join(verdict.told), "not_started": verdict.not_started}
        if not verdict.told:
            return {"changed": False}
        message = verdict.told if len(verdict.told) > 1 else verdict.told[0]
        return {"changed": False, "msg": message, "_ansible_verbose_always": True}

    def _verdict(self, given: Result, task_vars: Result) -> _gate.Verdict:
        hosts, passed, batch = _gate.hosts_of(task_vars)
        seen = _gate.seen_of(hosts)
        if given["at"] == "preflight":
            return _gate.after_preflight(seen, hosts, passed, strict=given["require_all"])
        if given["at"] == "batch":
            return _gate.before_batch(seen, hosts, batch, given["batches"], given["max_fail_percentage"])
        if self.part == "waiting":
            return _gate.Verdict(_gate.fleet_waiting(seen, hosts), [])
        return _gate.Verdict(_gate.fleet_summary(seen, hosts), [])
