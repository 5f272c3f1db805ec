# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the report, and their atomic replacement."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from .document import FINISHED
from .junit import junit
from .markdown import markdown
from .openmetrics import openmetrics
from .page import page

FILES = {
    "html": "rollout.html",
    "json": "rollout.json",
    "junit": "rollout.xml",
    "markdown": "rollout.md",
    "openmetrics": "rollout.prom",
}
#: Written once, by a run that finishes. Else an alert would come from a run that is half done, and the age of the file
#: would hide that no run has finished since.
ONLY_FINISHED = frozenset({"openmetrics"})

_RENDERERS: dict[str, t.Callable[[t.Mapping[str, t.Any]], str]] = {
    "html": page,
    "json": lambda made: json.dumps(made, indent=1, ensure_ascii=False) + "\n",
    "junit": junit,
    "markdown": markdown,
    "openmetrics": openmetrics,
}


def due(formats: t.Iterable[str], state: str) -> list[str]:
    """The formats to write for a run in this state."""
    return [one for one in formats if state == FINISHED or one not in ONLY_FINISHED]


def render(made: t.Mapping[str, t.Any], formats: t.Iterable[str]) -> dict[str, str]:
    """File name -> content, for these formats."""
    return {FILES[one]: _RENDERERS[one](made) for one in formats}


def replace(directory: str, files: t.Mapping[str, str]) -> None:
    """Write each file under a temporary name and rename it.

    :raises OSError: it cannot be written.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        beside = folder / f".{name}.{os.getpid()}"
        try:
            beside.write_bytes(text.encode("utf-8", "replace"))
            beside.replace(folder / name)
        finally:
            beside.unlink(missing_ok=True)


def append(path: str, text: str) -> None:
    """Append to a file that others may also write.

    :raises OSError: it cannot be written.
    """
    with open(path, "a", encoding="utf-8", errors="replace") as file:
        file.write(f"\n{text}")
