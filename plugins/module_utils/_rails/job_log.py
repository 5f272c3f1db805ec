# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the log lines of one background job, in the wording of Rails 6.1 to 8.1 (7.0 and 7.1: as read). No I/O.

Active Job names the job in each line (Job ID), Sidekiq its own (jid). Either is enough, so the outcome does not depend
on one wording. "Delivered mail" alone proves nothing: Rails 6.1 and 7.0 (Mastodon up to 4.2) print it even if the
delivery raised an exception (mastodon#22496), and Rails 7.1 and later print it only with RAILS_LOG_LEVEL=debug
(subscribe_log_level in action_mailer/log_subscriber.rb). So the end of the job decides.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._text import bounded_line

#: Active Job's log subscriber (active_job/log_subscriber.rb).
_ENQUEUED = re.compile(r"\bEnqueued (?P<class>[\w:]+) \(Job ID: (?P<id>[\w-]+)\) to \w+\((?P<queue>[\w.-]+)\)")
#: The last line of a job: how it begins, and, after that, how long the job took.
_ERROR = re.compile(r"\bError performing ")
_ERROR_ITSELF = re.compile(r" in [\d.]+ ?ms: (?P<class>[\w:]+) \((?P<message>[^\n]*)")
_PERFORMED = re.compile(r"\bPerformed ")
#: In milliseconds.
_TOOK = re.compile(r" in (?P<took>[\d.]+) ?ms")
#: Action Mailer's (action_mailer/log_subscriber.rb), from Rails 7.1 with the second form.
_DELIVERED = re.compile(r"\bDelivered mail (?P<id>\S+)")
_UNDELIVERED = re.compile(
    r'\bFailed delivery of mail (?P<id>\S+) error_class=(?P<class>\S+) error_message="?(?P<message>[^\n]*)'
)
#: Sidekiq's job logger: "... jid=abc ... INFO: done", or as JSON with "msg":"done".
_SIDEKIQ = re.compile(r"(?:\b|\")(?P<what>start|done|fail)\"?\W*$")
#: An exception that ended a request, as Rails prints it ("Class (message):") and lograge ("error='Class: message'").
_RAISED = re.compile(
    r"(?<![\w:])(?P<class>(?:[A-Z]\w*::)*[A-Z]\w*(?:Error|Exception|Refused|Timeout))(?: \(|: )(?P<message>[^\n]*)"
)
#: Sidekiq could not fetch work from Redis.
_REDIS = re.compile(r"Error fetching job|Redis(?:Client)?::\w*(?:CannotConnect|Connection|Timeout)")


@dataclasses.dataclass
class Job:
    """What the log shows about one job so far.

    :ivar id: Active Job's id; empty while unknown.
    :ivar jid: Sidekiq's id; empty while unknown.
    :ivar queue: the queue that it was put into.
    :ivar begun: how often Active Job logged its start.
    :ivar taken: how often Sidekiq logged its start.
    :ivar ended: C(performed) or C(failed), how the last attempt ended; empty before the first end.
    :ivar took: milliseconds of the last successful attempt, as Active Job logs it; None without one.
    :ivar message_id: of the mail that it delivered or tried to deliver.
    :ivar errors: (class, message) of each failed attempt, in order.
    """

    id: str = ""
    jid: str = ""
    queue: str = ""
    begun: int = 0
    taken: int = 0
    ended: str = ""
    took: float | None = None
    message_id: str = ""
    delivered: bool = False
    errors: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    @property
    def attempts(self) -> int:
        """How often it was tried, as far as the log shows."""
        return max(self.begun, self.taken, len(self.errors))

    def read(self, text: str) -> None:
        """Process one line of a Sidekiq process; lines of other jobs are ignored."""
        if self.id and self.id in text:
            self._read_active_job(bounded_line(text))
        if self.jid and self.jid in text:
            self._read_sidekiq(bounded_line(text))

    def _read_active_job(self, text: str) -> None:
        delivered, undelivered = _DELIVERED.search(text), _UNDELIVERED.search(text)
        error = _from(_ERROR, _ERROR_ITSELF, text)
        if delivered:
            self.message_id, self.delivered = delivered["id"].strip("<>"), True
        elif undelivered:
            self.message_id, self.delivered = undelivered["id"].strip("<>"), False
        elif error:
            self.ended, self.delivered = "failed", False
            self.errors.append((error["class"], _message(error)))
        elif "Performing " in text:
            self.begun += 1
            self.ended = ""
        elif performed := _from(_PERFORMED, _TOOK, text):
            self.ended, self.took = "performed", float(performed["took"])

    def _read_sidekiq(self, text: str) -> None:
        found = _SIDEKIQ.search(text)
        what = found["what"] if found else ""
        if what == "start":
            self.taken += 1
        elif what == "done":
            self.ended = "performed"
        elif what == "fail":
            self.ended, self.delivered = "failed", False


def enqueued(lines: t.Iterable[str], request_id: str) -> Job | None:
    """The job that a web request put into the queue, found by the request id in the line's tags."""
    for text in lines:
        found = _ENQUEUED.search(bounded_line(text)) if request_id in text else None
        if found and "mail" in found["class"].lower():
            return Job(id=found["id"], queue=found["queue"])
    return None


def request_error(lines: t.Iterable[str], request_id: str) -> tuple[str, str] | None:
    """Class and message of the exception that ended a web request; None if its lines show none."""
    for text in lines:
        found = _RAISED.search(bounded_line(text)) if request_id in text else None
        if found:
            return found["class"], _message(found).strip("'\" ")
    return None


def redis_trouble(lines: t.Iterable[str]) -> str:
    """The first line showing that Sidekiq cannot reach Redis; empty if there is none."""
    return next((line for line in map(bounded_line, lines) if _REDIS.search(line)), "")


def _from(beginning: re.Pattern[str], rest: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match of C(rest) after the first match of C(beginning)."""
    begun = beginning.search(text)
    return rest.search(text, begun.end()) if begun else None


def _message(found: re.Match[str]) -> str:
    """The message of an exception, without the parenthesis and colon that Rails adds."""
    message = found["message"]
    return message[:-2] if message.endswith("):") else message
