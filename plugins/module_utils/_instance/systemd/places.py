# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a unit may have come or gone since somebody looked through all of them, which takes systemd a while."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import glob
import hashlib
import os

#: Where units lie, and where links enable them. Source: systemd.unit(5).
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
#: Has a link for each unit that is active. Source: systemd src/core/unit.c, unit_export_invocation_id.
ACTIVE = "/run/systemd/units"


def mark() -> str:
    """Stays the same as long as no unit comes or goes: of files that are laid down, and of instances of a template.

    Of the units that are active only those that are called after Mastodon count: others come and go all the time.
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
