# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rails' check; the module of the same name does the work on the host."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import HostStep

_WHO = ("send_to", "queue_account", "queue_recipient")


class ActionModule(HostStep):
    """The controller's part of the step C(mailer_check)."""

    KEY: t.ClassVar[str] = "mailer"
    SECRETS: t.ClassVar[frozenset[str]] = frozenset({"secrets"})

    def linked(self, options: Result, task_vars: Result) -> Result | None:
        """Compare Rails with the plan, and send a test message if Known.send_message says so."""
        instance = self.instance()
        planned = instance and self.planned(options, instance)
        if not planned:
            return None
        known, plan = self.known, self.known.plan or {}
        addressed = {name: one for name, one in planned.items() if name not in _WHO or one}
        if not (known.send_message if self.part == "rollout" else self._send_anyway(task_vars)):
            addressed.pop("send_to", None)
        if known.setting("send") == "never":
            addressed = {name: one for name, one in addressed.items() if not name.startswith("queue_")}
        return {
            **addressed,
            **known.found,
            **known.handed(
                ticket=known.ticket if self.part == "rollout" else None,
                repairing=True if self.part == "rollout" else None,
            ),
            "expected": plan.get("effective"),
            "provider_hint": self.hint("relay"),
            "bulk_provider_hint": self.hint("bulk_relay"),
        }

    def _send_anyway(self, task_vars: Result) -> bool:
        """Whether the drift check sends a test message. Uses the run's check mode; the step is never in check mode."""
        return bool(self.known.setting("check_send")) and not task_vars.get("ansible_check_mode")
