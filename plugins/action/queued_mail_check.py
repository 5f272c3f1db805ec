# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof of the queue; the module of the same name does the work on the host."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import HostStep


class ActionModule(HostStep):
    """The controller's part of the step C(queued_mail_check)."""

    KEY: t.ClassVar[str] = "queue"

    def linked(self, options: Result, task_vars: Result) -> Result | None:  # noqa: ARG002
        """Send a mail through the queue only if there is something to prove and somebody to receive it."""
        known = self.known
        if self.instance() is None or not known.prove_queue:
            return None
        addressed = {name: one for name, one in options.items() if name not in ("reset", "enqueue") or one}
        return {
            **addressed,
            **known.found,
            **known.handed(ticket=known.ticket, queue=known.result("mailer").get("queue")),
            "provider_hint": self.hint("relay"),
        }
