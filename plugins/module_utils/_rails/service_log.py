# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What services have logged since a moment, as a witness that may be silent.

A log that cannot be read (Docker's logging driver none) says as little about a mail as one that goes elsewhere or that
RAILS_LOG_LEVEL hides: nothing. Redis is queried then; it is no fault of the settings.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .._findings.model import FindingError
from .._instance.model import Driver, LogLine, Service


class ServiceLog:
    """The log of some services from the moment on at which this is created.

    :raises FindingError: for anything but a log that cannot be read.
    """

    def __init__(self, driver: Driver, services: t.Sequence[Service]) -> None:
        self._driver = driver
        self._services = services
        self._cursor = _unless_unreadable(lambda: driver.log_cursor(services), None)

    def lines(self) -> list[LogLine]:
        """What they have logged so far; nothing if that cannot be read."""
        cursor = self._cursor
        if cursor is None:
            return []
        return _unless_unreadable(lambda: self._driver.log_since(self._services, cursor), [])

    def texts(self) -> list[str]:
        """The texts of the lines."""
        return [line.text for line in self.lines()]


Read = t.TypeVar("Read")


def _unless_unreadable(read: t.Callable[[], Read], silent: Read) -> Read:
    try:
        return read()
    except FindingError as refused:
        if refused.finding.code != "log-unreadable":
            raise
        return silent
