# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""The two Python packages that the DNS step needs on the controller, and what to say when one is missing."""

from __future__ import annotations

import importlib.metadata

#: Package and the oldest version that is known to work.
NEEDED: dict[str, tuple[int, ...]] = {"dnspython": (2, 6), "spftrace": (0, 3)}


def missing() -> list[str]:
    """The packages that are not there or too old, as pip would be told: C(["spftrace>=0.3"])."""
    wanting: list[str] = []
    for package, oldest in NEEDED.items():
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found = ""
        if not found or _numbers(found) < oldest:
            wanting.append(f"{package}>={'.'.join(map(str, oldest))}")
    return wanting


def _numbers(version: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
