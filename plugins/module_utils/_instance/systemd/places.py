# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemd's unit files: which exist, which can lead to a directory, and whether any was added or removed.

systemd itself knows all this more exactly, but listing all files and showing all units takes it longer than everything
else in the search for an instance. So the files decide which units to ask systemd about; in doubt, too many.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import glob
import hashlib
import os
import re
import typing as t

from ..._files import gate

#: Directories of unit files, and of the links that enable units. Source: systemd.unit(5).
PLACES = (
    "/etc/systemd/system",
    "/etc/systemd/system/*.wants",
    "/etc/systemd/system.control",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.control",
    "/run/systemd/system.attached",
    "/run/systemd/transient",
    "/run/systemd/generator*",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
#: Bytes read of a unit file at most.
_LARGEST = 256 * 1024
#: Characters of a path: PATH_MAX of Linux.
_LONGEST = 4096
_LINES = re.compile(r"^[ \t]*(?:WorkingDirectory|ExecStart)[ \t]*=(.*)$", re.MULTILINE)
_PATHS = re.compile(r"/[^\s'\";]+")

#: Has a link for each unit that is active. Source: systemd src/core/unit.c, unit_export_invocation_id.
ACTIVE = "/run/systemd/units"


def mark() -> str:
    """A value that changes when a unit file or an instance of a template is added or removed.

    Of the active units only those named after Mastodon count: others come and go all the time.
    """
    seen: list[object] = []
    for place in PLACES:
        for path in sorted(glob.glob(place)):
            try:
                status = os.stat(path)
            except OSError:
                continue
            seen.append((path, status.st_dev, status.st_ino, status.st_mtime_ns))
    try:
        seen += sorted(name for name in os.listdir(ACTIVE) if "mastodon" in name)
    except OSError:
        return ""
    return hashlib.sha256(repr(seen).encode()).hexdigest()


class UnitFiles:
    """The files of all service units, read once."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str | None]] = {}
        self._additions: dict[str, list[str | None]] = {}
        self._homes: dict[str, bool] = {}
        folders = (path for place in PLACES if not place.endswith(".wants") for path in sorted(glob.glob(place)))
        for folder in dict.fromkeys(map(os.path.realpath, folders)):
            self._read(folder)

    def _read(self, folder: str) -> None:
        for name in _listed(folder):
            path = os.path.join(folder, name)
            if name.endswith(".service"):
                self._texts.setdefault(name, []).append(_text(path))
            elif name.endswith("service.d"):
                parts = [one for one in _listed(path) if one.endswith(".conf")]
                self._additions.setdefault(name, []).extend(_text(os.path.join(path, one)) for one in parts)

    @property
    def names(self) -> list[str]:
        """The names of units that have a file, without templates."""
        return sorted(name for name in self._texts if not name.endswith("@.service"))

    def says(self, name: str, shape: re.Pattern[str]) -> bool:
        """Whether the files of a unit have a text in them; false where they are not known."""
        template = re.sub("@.*", "@.service", name)
        texts = [*(self._texts.get(name) or self._texts.get(template) or ())]
        texts += [one for key in _additions_of(name, template) for one in self._additions.get(key, ())]
        return any(shape.search(text.replace("\\\n", " ")) for text in texts if text)

    def may_lead(self, name: str, is_home: t.Callable[[str], bool]) -> bool:
        """Whether a unit's settings can name a path in one of the wanted directories; true if unknown.

        :param is_home: whether a directory is a wanted one.
        """
        template = re.sub("@.*", "@.service", name)
        texts = self._texts.get(name) or self._texts.get(template)
        added = (one for key in _additions_of(name, template) for one in self._additions.get(key, ()))
        known = [None] if texts is None else [*texts, *added]
        lines = [line for text in known if text for line in _LINES.findall(text.replace("\\\n", " "))]
        # How systemd expands %, ~ and backslashes is not reproduced here: such a unit counts as possible.
        if None in known or any(set("%~\\") & set(line) for line in lines):
            return True
        folders = {folder for line in lines for folder in _folders(line)}
        for folder in folders - self._homes.keys():
            self._homes[folder] = is_home(folder)
        return any(self._homes[folder] for folder in folders)


def _additions_of(name: str, template: str) -> t.Iterator[str]:
    """The drop-in folders for a unit. Source: systemd.unit(5)."""
    yield from ("service.d", f"{name}.d", f"{template}.d")
    stem = name[: -len(".service")]
    for found in re.finditer("-", stem):
        yield f"{stem[: found.end()]}.service.d"


def _folders(line: str) -> t.Iterator[str]:
    for path in _PATHS.findall(line):
        yield from upwards(path)


def upwards(path: str) -> t.Iterator[str]:
    """An absolute path and the folders above it, without the root; nothing for a path that no system can have.

    The folder above C(//) is C(//) again, so no end is found by the name C(/).
    """
    above = os.path.dirname(path)
    while path != above and path.startswith("/") and len(path) < _LONGEST:
        yield path
        path, above = above, os.path.dirname(above)


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _text(path: str) -> str | None:
    """The text of a unit file; empty if the unit is masked, None if it cannot be read (a link to a pipe, say)."""
    if os.path.realpath(path) == os.devnull:
        return ""
    try:
        return gate.read(path, _LARGEST).decode("utf-8", "replace")
    except OSError:
        return None
