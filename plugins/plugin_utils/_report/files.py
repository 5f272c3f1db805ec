# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the report, their atomic replacement, and those of earlier runs."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import typing as t
from pathlib import Path

from .document import FINISHED
from .history import reduced
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
            beside.unlink(missing_ok=True)
            with open(beside, "xb") as file:  # never through a link that somebody has put there
                file.write(text.encode("utf-8", "replace"))
            beside.replace(folder / name)
        finally:
            beside.unlink(missing_ok=True)


#: The folder of one run, named by its beginning, and the link to the newest.
_DATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ")
LATEST = "latest"
#: A larger file is no report of a fleet that the page could show.
_LARGEST = 128 * 1024 * 1024


def folder_of(directory: str, started: str, keep: int) -> str:
    """Where the files of a run go: to a folder of its own if runs are kept.

    :param started: the beginning of the run, in ISO 8601.
    """
    return str(Path(directory) / started.replace(":", "-")) if keep else directory


def place(directory: str, folder: str, files: t.Mapping[str, str]) -> None:
    """Write the files of a run, and let C(latest) lead to a folder of its own.

    The metrics stay where node_exporter looks for them, so a run that does not finish leaves the old ones.

    :raises OSError: they cannot be written.
    """
    if folder != directory and Path(folder).is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), folder)
    metrics = {FILES[one] for one in ONLY_FINISHED}
    replace(directory, {name: text for name, text in files.items() if name in metrics})
    replace(folder, {name: text for name, text in files.items() if name not in metrics})
    if folder != directory:
        beside = Path(directory) / f".{LATEST}.{os.getpid()}"
        beside.unlink(missing_ok=True)
        beside.symlink_to(Path(folder).name)
        beside.replace(Path(directory) / LATEST)


def earlier(directory: str, folder: str, keep: int) -> list[dict[str, t.Any]]:
    """What the kept runs before this one found, the oldest first. A file that is no report is passed over."""
    found = []
    for one in _dated(directory)[-keep:] if keep else []:
        file = one / FILES["json"]
        with contextlib.suppress(OSError, ValueError, RecursionError):
            if str(one) != folder and file.stat().st_size < _LARGEST:
                found.append(reduced(json.loads(file.read_text("utf-8"))))
    return [one for one in found if one is not None]


def forget(directory: str, folder: str, keep: int) -> None:
    """Remove the files of all but the newest runs, and their folders unless somebody put something else there.

    :param folder: of this run. It stays, even if a clock that was set back has given it the earliest name.
    """
    others = [one for one in _dated(directory) if str(one) != folder]
    for one in others[: max(0, len(others) - keep + 1)] if keep else []:
        with contextlib.suppress(OSError):
            for name in FILES.values():
                (one / name).unlink(missing_ok=True)
            one.rmdir()


def _dated(directory: str) -> list[Path]:
    try:
        return sorted(one for one in Path(directory).iterdir() if _DATED.fullmatch(one.name) and not one.is_symlink())
    except OSError:
        return []


def append(path: str, text: str) -> None:
    """Append to a file that others may also write.

    :raises OSError: it cannot be written.
    """
    with open(path, "a", encoding="utf-8", errors="replace") as file:
        file.write(f"\n{text}")
