# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A common deadline for many small waits, so that bytes that drip in slowly do not prolong anything."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import time

from .trouble import Stopped

#: How long Mastodon waits for one answer (read_timeout in mastodon/mastodon#23750, since 4.1).
ANSWER_SECONDS = 20.0


class Deadline:
    """A time by which something must be finished."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the deadline, always positive.

        :raises Stopped: "timed-out" when it has passed.
        """
        seconds = self.remaining
        if seconds <= 0:
            raise Stopped("timed-out")
        return seconds

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; 0 when it has passed."""
        return max(self._end - time.monotonic(), 0.0)

    @property
    def passed(self) -> bool:
        """Whether it has passed."""
        return self.remaining == 0

    def within(self, seconds: float) -> Deadline:
        """A deadline C(seconds) from now, but not later than this one."""
        return Deadline(min(seconds, self.remaining))
