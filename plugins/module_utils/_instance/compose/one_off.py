# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A command for a one-off container: how it gets its variables, and how it is sure to end."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import shlex
import typing as t

#: Seconds that a container may run on after its client should have ended it.
_SLACK = 30.0


def wrapped(
    command: t.Sequence[str], environment: t.Mapping[str, str | None], timeout: float
) -> tuple[list[str], bytes]:
    """The command for the container, and the text to send before its own standard input.

    Variables are passed on standard input because the Engine stores a container's options on disk, where secrets would
    outlive the container.

    :param environment: variables to set; None unsets one.
    """
    lines = [
        f"unset {name}\n" if value is None else f"export {name}={shlex.quote(value)}\n"
        for name, value in environment.items()
    ]
    setup = "".join(lines).encode("utf-8", "surrogateescape")
    # The container has its own time limit, so it ends even if this process and the client are killed.
    script = f'command -v timeout >/dev/null && set -- timeout -k 5 {timeout + _SLACK:.0f} "$@"; exec "$@"'
    if setup:
        # dd, because it never reads more than the given count.
        script = f'eval "$(dd bs=1 count={len(setup)} 2>/dev/null)"; {script}'
    return ["sh", "-c", script, "sh", *command], setup
