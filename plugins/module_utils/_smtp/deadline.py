# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One end of time for many small waits, so that a slow drip of bytes does not prolong anything."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import time

from .trouble import Stopped

#: How long Mastodon waits for one answer (read_timeout in mastodon/mastodon#23750, since 4.1).
ANSWER_SECONDS = 20.0


class Deadline:
    """A moment by which something has to be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, always more than nothing; Stopped("timed-out") when it has passed."""
        seconds = self.remaining
        if seconds <= 0:
            raise Stopped("timed-out")
        return seconds

    @property
    def remaining(self) -> float:
        """Seconds until then; 0 when it has passed."""
        return max(self._end - time.monotonic(), 0.0)

    @property
    def passed(self) -> bool:
        """Whether it has passed."""
        return self.remaining == 0

    def within(self, seconds: float) -> Deadline:
        """An earlier deadline: so many seconds from now, but never later than this one."""
        return Deadline(min(seconds, self.remaining))
