# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of this run found and did on a host: each step leaves its own name, outcome and result.

The steps after it take what they need from here, and so do the summary, the gates between the plays and the report. A
failing step shows its sentences alone, and Ansible registers no more than it shows; the whole result is here.

The files lie in the folder that ansible-core makes for each run, for its user only, and are gone at its end.
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

#: How a step can end. A step that only could not make its test is C(not_proved): that says nothing about the mail.
OUTCOMES = ("ok", "changed", "failed", "not_proved", "skipped", "unreachable", "running")
#: Of a result, what nobody needs later: options, lines of a file, and words for Ansible itself.
_NOT_KEPT = frozenset({"diff", "exception", "invocation", "deprecations", "warnings"})


@dataclasses.dataclass(frozen=True)
class Entry:
    """One step of one host.

    :ivar task: what the task is called, for people.
    :ivar outcome: one of C(OUTCOMES).
    :ivar problems: what is wrong, a sentence each.
    :ivar result: all that it returned, without its secrets.
    :ivar uuid: of the task, for the report.
    """

    task: str
    outcome: str
    problems: tuple[str, ...] = ()
    result: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    uuid: str = ""

    @property
    def went_wrong(self) -> bool:
        """Whether it has bad news."""
        return self.outcome in ("failed", "not_proved")


class Record:
    """The steps of one host."""

    def __init__(self, host: str, folder: Path | None = None) -> None:
        self._home = folder or folder_of_this_run()
        self._stem = f"fediops-host-{hashlib.sha256(host.encode()).hexdigest()[:32]}-"

    def begin(self) -> None:
        """Forget what an earlier playbook, or an earlier try, of the same run left."""
        for file in self._home.glob(f"{self._stem}*.json"):
            file.unlink(missing_ok=True)

    def leave(self, key: str, entry: Entry) -> None:
        """Keep how a step ended. Readers see the old or the new, never half of it."""
        kept = {name: one for name, one in entry.result.items() if name not in _NOT_KEPT and name[:9] != "_ansible_"}
        text = json.dumps({**dataclasses.asdict(dataclasses.replace(entry, result={})), "result": kept}, default=str)
        fresh = self._file(key).with_suffix(f".{os.getpid()}")
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
        fresh.replace(self._file(key))

    def entry(self, key: str) -> Entry | None:
        """What a step left; None when it has not begun."""
        try:
            found = json.loads(self._file(key).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return Entry(**{**found, "problems": tuple(found["problems"])})

    def entries(self) -> dict[str, Entry]:
        """All steps that have begun, by their keys."""
        keys = [file.name[len(self._stem) : -len(".json")] for file in self._home.glob(f"{self._stem}*.json")]
        found = ((key, self.entry(key)) for key in sorted(keys))
        return {key: entry for key, entry in found if entry is not None}

    def _file(self, key: str) -> Path:
        return self._home / f"{self._stem}{key}.json"
