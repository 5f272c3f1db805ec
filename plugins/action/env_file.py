# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edit and its undo; the module of the same name does the work on the host."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import HostStep


class ActionModule(HostStep):
    """The controller's part of the step C(env_file)."""

    SECRETS: t.ClassVar[frozenset[str]] = frozenset({"secrets"})

    def key(self, options: Result) -> str:
        """The edit and the restore are two steps."""
        return "restored" if options.get("state") == "restored" else "edit"

    def linked(self, options: Result, task_vars: Result) -> Result | None:  # noqa: ARG002
        """The edit takes its variables from the plan, an undo its backup from the edit, if there is one to undo."""
        if self.part == "undo":
            return self._undone(options) if self.known.undo else None
        instance = self.instance()
        if instance is None:
            return None
        if self.part == "rollback":
            return {"path": instance["env_file"], "readers": instance["readers"], **options}
        planned = self.planned(options, instance)
        if planned is None or self.part == "check":
            return planned and {"path": instance["env_file"], **planned}
        return {
            "path": instance["env_file"],
            "expected_checksum": instance["env_file_checksum"],
            "handed": {"prove": self.known.proofs},
            # A step of a run that died may still be running and hold the lock.
            "busy_timeout": self.known.longest_step,
            **planned,
        }

    def _undone(self, options: Result) -> Result:
        edit = self.known.result("edit")
        return {
            "path": (self.known.instance or {})["env_file"],
            "backup_file": edit["backup_file"],
            "expected_checksum": edit["checksum_after"],
            "handed": {"ticket": edit["ticket"]},
            "restored_mtime": "now" if self.known.undo_services else "preserve",
            **options,
        }
