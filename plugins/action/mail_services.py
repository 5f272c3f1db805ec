# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The restart; the module of the same name does the work on the host."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import HostStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import NOT_RUNNING


class ActionModule(HostStep):
    """The controller's part of the step C(mail_services)."""

    def key(self, options: Result) -> str:  # noqa: ARG002
        """The restart of an undo has its own key, so that it does not overwrite the rollout's."""
        return "services_back" if self.part == "undo" else "services"

    #: Whether to run the module; not needed if instance_info has seen that no service needs a restart.
    _asks = True

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Run the module, or return what is already known."""
        if self._asks:
            return super().perform(options, task_vars)
        services = [_untouched(one) for one in (self.known.instance or {})["services"]]
        return {"changed": False, "services": services, "ready_after": 0.0, "findings": []}

    def linked(self, options: Result, task_vars: Result) -> Result | None:  # noqa: ARG002
        """In a dry run the file is unchanged, so nothing looks stale yet: tell the module of the edit."""
        known, instance = self.known, self.instance()
        if instance is None:
            return None
        if self.part == "undo" and not (known.undo and known.undo_services and not known.wrong("restored")):
            return None
        edited = known.result("restored" if self.part == "rollback" else "edit").get("changed")
        entailed = known.dry and edited and self.part in ("rollout", "rollback")
        self._asks = not (self.part == "rollout" and known.services_are_current)
        told = known.handed(
            ticket=known.ticket if self.part == "rollout" else None,
            accept=sorted(NOT_RUNNING & known.accepted),
            edited=bool(entailed),
        )
        return {**options, **known.found, **told, "state": "current"}


def _untouched(service: t.Mapping[str, t.Any]) -> Result:
    """A service of instance_info in the form of a service that the module did not restart."""
    told = {name: service[name] for name in ("name", "role", "stale")}
    side = {name: one for name, one in service.items() if name not in told}
    return {**told, "restarted": False, "before": side, "after": side}
