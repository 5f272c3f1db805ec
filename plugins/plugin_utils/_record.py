# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a run: each step leaves its task name, outcome and result here, per host.

Later steps, the summary, the checks between the plays and the report read it. A failed step prints only its messages,
and Ansible registers no more than it prints; the whole result is here.

The files are in the private folder that ansible-core creates for each run and deletes when the run ends.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import typing as t
from pathlib import Path

from ansible_collections.fediops.mastodon.plugins.plugin_utils._run import folder_of_this_run

#: How a step can end. C(not_proved): its test could not be made, which says nothing about the mail.
OUTCOMES = ("ok", "changed", "failed", "not_proved", "skipped", "unreachable", "running")
#: Keys of a result that are not recorded: options, lines of a file, and what is meant for Ansible itself.
_NOT_KEPT = frozenset({"diff", "exception", "invocation", "deprecations", "warnings"})


@dataclasses.dataclass(frozen=True)
class Entry:
    """One step of one host.

    :ivar task: the task's name, for people.
    :ivar outcome: one of C(OUTCOMES).
    :ivar problems: the problems, one sentence each.
    :ivar result: everything that the step returned, with secrets masked.
    :ivar uuid: the task's UUID, for the report.
    """

    task: str
    outcome: str
    problems: tuple[str, ...] = ()
    result: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    uuid: str = ""

    @property
    def went_wrong(self) -> bool:
        """Whether the step failed or could not make its test."""
        return self.outcome in ("failed", "not_proved")


class Record:
    """The steps of one host."""

    def __init__(self, host: str, folder: Path | None = None) -> None:
        self._home = folder or folder_of_this_run()
        self._stem = f"fediops-host-{hashlib.sha256(host.encode()).hexdigest()[:32]}-"

    def begin(self) -> None:
        """Delete what an earlier playbook or an earlier try in the same run recorded."""
        for file in self._home.glob(f"{self._stem}*.json"):
            file.unlink(missing_ok=True)

    def leave(self, key: str, entry: Entry) -> None:
        """Record how a step ended. The write is atomic: readers see the old entry or the new one."""
        kept = {name: one for name, one in entry.result.items() if name not in _NOT_KEPT and name[:9] != "_ansible_"}
        text = json.dumps({**dataclasses.asdict(dataclasses.replace(entry, result={})), "result": kept}, default=str)
        fresh = self._file(key).with_suffix(f".{os.getpid()}")
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
        fresh.replace(self._file(key))

    def entry(self, key: str) -> Entry | None:
        """The entry of a step; None when it has not begun."""
        try:
            found = json.loads(self._file(key).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return Entry(**{**found, "problems": tuple(found["problems"])})

    def entries(self) -> dict[str, Entry]:
        """The entries of all steps that have begun, by key."""
        keys = [file.name[len(self._stem) : -len(".json")] for file in self._home.glob(f"{self._stem}*.json")]
        found = ((key, self.entry(key)) for key in sorted(keys))
        return {key: entry for key, entry in found if entry is not None}

    def _file(self, key: str) -> Path:
        return self._home / f"{self._stem}{key}.json"
