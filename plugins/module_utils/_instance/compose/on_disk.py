# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a Compose project, read from the host. What cannot be read is taken as empty."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import os
import typing as t

from ..._dotenv.dialects import values
from ..._findings.model import FindingError
from .. import layers
from .project import EnvFile


def stamp(path: str) -> tuple[int, int, int] | None:
    """What differs once a file has changed; None for a file that cannot be seen."""
    with contextlib.suppress(OSError):
        status = os.stat(path)
        return status.st_ino, status.st_size, status.st_mtime_ns
    return None


def text(path: str) -> str:
    """The text of a file; empty for one that cannot be read."""
    with contextlib.suppress(OSError):
        return layers.read_regular(path).decode("utf-8", "replace")
    return ""


def variables(file: EnvFile) -> t.Mapping[str, str]:
    """What an environment file sets; nothing for one that cannot be read."""
    with contextlib.suppress(OSError, FindingError):
        return values(layers.read_regular(file.path), file.reader, {})
    return {}
