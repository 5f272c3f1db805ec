# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of the host a unit's sandbox settings hide from it. Source: systemd.exec(5)."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from ..._files import gate
from ..._findings.instance import TABLE
from ..._findings.model import Finding
from .units import Unit

_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")


def hidden_by(unit: Unit, path: str) -> str:
    """The unit's setting that hides a path of the host from its processes; empty when none does."""
    if any(_below(path, place) for place in unit.binds):
        return ""
    for place in unit.inaccessible_paths:
        if _below(path, place):
            return f"InaccessiblePaths={place}"
    if unit.protect_home in ("yes", "tmpfs") and any(_below(path, place) for place in _HOMES):
        return f"ProtectHome={unit.protect_home}"
    if unit.private_tmp and any(_below(path, place) for place in _TEMPORARY):
        return "PrivateTmp=yes"
    return ""


def hidden_ca_file(units: t.Iterable[Unit], path: str) -> list[Finding]:
    """The findings when some units cannot see the file of trusted authorities, one for each reason.

    :param path: absolute.
    """
    reasons: dict[str, list[str]] = {}
    for unit in units:
        reason = hidden_by(unit, path) or hidden_by(unit, gate.real(path))
        if reason:
            reasons.setdefault(reason, []).append(unit.name)
    return [
        TABLE.finding("ca-file-hidden", path, f"{', '.join(names)} cannot see it because of {reason}.")
        for reason, names in reasons.items()
    ]


def _below(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip("/") + "/")
