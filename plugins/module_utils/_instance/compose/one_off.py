# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A command for a container of its own: the variables that it gets, and its end whatever happens."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import shlex
import typing as t

#: Seconds that a container may go on when its client should have ended it.
_SLACK = 30.0


def wrapped(
    command: t.Sequence[str], environment: t.Mapping[str, str | None], timeout: float
) -> tuple[list[str], bytes]:
    """The command as the container is given it, and what comes before its own standard input.

    The variables go in by standard input: the Engine writes what it is told of a container to its disk, and there it
    outlives the container.

    :param environment: variables to set; those that are None are unset.
    """
    lines = [
        f"unset {name}\n" if value is None else f"export {name}={shlex.quote(value)}\n"
        for name, value in environment.items()
    ]
    setup = "".join(lines).encode("utf-8", "surrogateescape")
    # Whatever becomes of us and of the client, the container ends: it has its own time limit.
    script = f'command -v timeout >/dev/null && set -- timeout -k 5 {timeout + _SLACK:.0f} "$@"; exec "$@"'
    if setup:
        # dd, since it is sure to read no further.
        script = f'eval "$(dd bs=1 count={len(setup)} 2>/dev/null)"; {script}'
    return ["sh", "-c", script, "sh", *command], setup
