# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is not judged where a library is missing, in sentences. None of them is needed to find a mail."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import libraries

#: Library -> the oldest version that works, and what is not done without it.
OPTIONAL: dict[str, tuple[tuple[int, ...], str]] = {
    "authres": ((1, 2), "The receiver's Authentication-Results are not read"),
    "dkimpy": ((1, 0), "DKIM signatures are not verified"),
    "dnspython": ((2, 6, 1), "SPF, DKIM and DMARC are not checked"),
    "spftrace": ((0, 3), "SPF is not checked"),
}


class Missing(t.NamedTuple):
    """A library that is missing: its name, what is not done, and how to install it."""

    library: str
    message: str
    fix: str


def missing() -> list[Missing]:
    """The libraries that are missing or too old."""
    found = []
    for name, (oldest, without) in OPTIONAL.items():
        wanting = libraries.missing({name: oldest})
        if wanting:
            message = f"{without}: the library {name} is not installed in the Python that runs ansible-playbook."
            found.append(Missing(name, message, libraries.remedy(wanting)))
    return found
