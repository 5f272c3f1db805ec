# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mails that wait in Sidekiq; the module of the same name does the work on the host."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import HostStep


class ActionModule(HostStep):
    """The controller's part of the step C(waiting_mails)."""

    KEY: t.ClassVar[str] = "waiting"
    STOPS: t.ClassVar[bool] = False

    def linked(self, options: Result, task_vars: Result) -> Result | None:  # noqa: ARG002
        """In a rollout: retry only if that is asked for and mail works. On its own: count at least."""
        known = self.known
        if self.instance() is None or not known.has_sidekiq:
            return None
        if self.part == "rollout" and not (options.get("retry", "none") != "none" and known.mail_works):
            return None
        return {
            **options,
            **known.found,
            **known.handed(repairing=True if self.part == "rollout" else None),
            "provider_hint": self.hint("relay"),
        }
