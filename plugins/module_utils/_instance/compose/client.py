# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the host has a Docker client. Checked first, so that without one the Compose code is not even imported."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import errno
import os
import re

from ..._findings.compose import TABLE
from ..._findings.model import Finding

#: Where the client is searched for.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
#: Seconds that the replacement of containers may take.
REPLACE = 300.0

#: Folders of Compose projects that exist in Portainer's own container alone. Source: Portainer's data volume.
_PORTAINER = re.compile(r"^/data/compose/\d+(?:/|$)")
PORTAINER_FIX = (
    "Change the variables in the stack's editor in Portainer and update the stack. To have it done here, move the "
    "Compose file to a directory of the host and start it there (docker compose up -d)."
)


def missing() -> Finding | None:
    """The finding when no Docker client is installed; None when there is one."""
    if any(os.path.lexists(os.path.join(folder, "docker")) for folder in PATH.split(":")):
        return None
    return unusable("docker", FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))


def unusable(program: str, error: OSError) -> Finding:
    """The finding when a client cannot be run."""
    return TABLE.finding("no-engine", program, f"{program} cannot be run: {error.strerror}.")


def in_portainer(directory: str) -> bool:
    """Whether a Compose project's directory is one that exists in Portainer's own container."""
    return bool(_PORTAINER.match(directory))
