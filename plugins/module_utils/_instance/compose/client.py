# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host has a Docker client at all: looked at before everything that drives one is read."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import errno
import os

from ..._findings.compose import TABLE
from ..._findings.model import Finding

#: Where it is looked for.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
#: Seconds that the replacement of containers may take.
REPLACE = 300.0


def missing() -> Finding | None:
    """Why nothing can run in containers of Compose here: there is no client; None where there is one."""
    if any(os.path.lexists(os.path.join(folder, "docker")) for folder in PATH.split(":")):
        return None
    return unusable("docker", FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))


def unusable(program: str, error: OSError) -> Finding:
    """That a client cannot be run."""
    return TABLE.finding("no-engine", program, f"{program} cannot be run: {error.strerror}.")
