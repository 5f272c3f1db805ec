# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module of the same name, whose answer goes through the gate."""

from __future__ import annotations

import secrets
import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import UNREACHED, HostStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._names import MISSPELT


class ActionModule(HostStep):
    """The controller's part of the step C(instance_info)."""

    KEY: t.ClassVar[str] = "instance"
    UNREACHED: t.ClassVar[str] = UNREACHED

    def linked(self, options: Result, task_vars: Result) -> Result | None:  # noqa: ARG002
        """Skip the step if the role's variables are unusable; with misspelt names, the rest is still worth a look."""
        wrong = self.known.wrong("variables")
        codes = {one["code"] for entry in wrong for one in entry.result.get("findings") or ()}
        if wrong and not (codes and codes <= MISSPELT):
            return None
        self.unshown["digest_key"] = key = secrets.token_hex(16)
        return {**options, "handed": {"digest_key": key}}
