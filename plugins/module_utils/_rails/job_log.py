# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the log lines of one background job, in the wording of Rails 6.1 to 8.1 and Sidekiq 6.4 to 8.1. No I/O.

Active Job names the job in each line (Job ID), Sidekiq its own (jid). Either is enough, so the outcome does not depend
on one wording. "Delivered mail" alone proves nothing: Rails 6.1 and 7.0 (Mastodon up to 4.2) print it even if the
delivery raised an exception (mastodon#22496), and Rails 7.1 and later print it only with RAILS_LOG_LEVEL=debug
(subscribe_log_level in action_mailer/log_subscriber.rb). So the end of the job decides.

Below level info only Sidekiq's own report of an exception is left: a line with the job as JSON and then one with the
error (exception_handler.rb of 6.4, config.rb of 7.3), or one line with both (config.rb of 8.0 and 8.1).
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import json
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
    r"(?<![\w:])(?P<class>(?:[A-Z]\w*::)*[A-Z]\w*(?:Error|Exception|Refused|Timeout))(?P<opens> \(|: )"
    r"(?P<message>[^\n]*)"
)
#: What follows the error in a line of lograge's key=value form.
_NEXT_KEY = re.compile(r"' (?=[a-z_]{1,30}=)")
#: Active Job gave the mail up; Sidekiq then logs "done" (Rails 7.1 and later with id and message).
_DISCARDED = re.compile(r"\bDiscarded [\w:]+ .{0,80}?due to an? (?P<class>[\w:]+)(?: \((?P<message>[^\n]*))?")
#: Sidekiq's own pair of lines about a job that failed, all that RAILS_LOG_LEVEL=warn leaves of it: the job, then the
#: exception (sidekiq up to 7.3: lib/sidekiq/exception_handler.rb, config.rb; 8.0 writes one line, at info).
_ABOUT_JOB = re.compile(r'WARN: \{"context":"Job raised exception"')
_WARNED = re.compile(r"WARN: (?P<class>(?:[A-Z]\w*::)*[A-Z]\w*): (?P<message>[^\n]*)")
#: Sidekiq 8.0 and 8.1: the report and the error in one line (Config::ERROR_HANDLER).
_REPORTED = "context=Job raised exception"
#: What a logger that writes to a terminal puts around its words.
_COLOUR = re.compile(r"\x1b\[[\d;]{0,20}m")
#: A longer line is not read as JSON.
_LONGEST_JSON = 64 * 1024
#: The thread that writes a line: lines of others may stand between the two of a pair.
_THREAD = re.compile(r"\bpid=\d+ tid=\w+")
#: Sidekiq could not fetch work from Redis, or not report that it lives (launcher.rb).
_REDIS = re.compile(r"Error fetching job|\bheartbeat: |Redis(?:Client)?::\w*(?:CannotConnect|Connection|Timeout)")


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
    :ivar discarded: Active Job gave it up after an error that is not retried.
    :ivar raising: the thread whose next line names the exception of this job; None outside such a pair of lines.
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
    discarded: bool = False
    raising: str | None = None

    @property
    def begins_are_logged(self) -> bool:
        """Whether the log shows when the job begins; if not, it does not show either that it ended well."""
        return bool(self.begun or self.taken)

    @property
    def attempts(self) -> int:
        """How often it was tried, as far as the log shows."""
        return max(self.begun, self.taken, len(self.errors))

    def read(self, text: str) -> None:
        """Process one line of a Sidekiq process; lines of other jobs are ignored."""
        of_id, of_jid = (bool(mark) and mark in text for mark in (self.id, self.jid))
        if self.raising is None and not (of_id or of_jid):
            return
        line = bounded_line(plain(text))
        if self.raising is not None and self.raising == _thread(line):
            self._read_exception(line)
        if of_id:
            self._read_active_job(line)
        if of_jid:
            self._read_sidekiq(line)
        if (of_id or of_jid) and _ABOUT_JOB.search(line):
            self.raising = _thread(line)
        elif (of_id or of_jid) and _REPORTED in line:
            self._read_report(line)

    def _read_exception(self, text: str) -> None:
        """The second line of the pair; it says nothing new if Active Job's own line about this attempt was logged."""
        found, self.raising = _WARNED.search(text), None
        if found:
            self._failed(found["class"], found["message"])

    def _read_report(self, text: str) -> None:
        """The one line of Sidekiq 8: "... job={...}: message (Class)"."""
        error = text.rstrip().rpartition("}: ")[2]
        if error.endswith(")") and " (" in error:
            message, _opens, name = error[:-1].rpartition(" (")
            self._failed(name, message)

    def _failed(self, name: str, message: str) -> None:
        begun = max(self.begun, self.taken)
        if not begun or len(self.errors) < begun:
            self.ended, self.delivered = "failed", False
            self.errors.append((name, message))

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
        elif _ERROR.search(text):  # a callback halted it
            self.ended, self.delivered = "failed", False
        elif discarded := _DISCARDED.search(text):
            self.ended, self.delivered, self.discarded = "failed", False, True
            if not self.errors or self.errors[-1][0] != discarded["class"]:
                self.errors.append((discarded["class"], (discarded["message"] or "").rstrip(".").removesuffix(")")))
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
        elif what == "done" and not self.discarded:
            self.ended = "performed"
        elif what == "fail":
            self.ended, self.delivered = "failed", False


def plain(text: str) -> str:
    """A line without colours, and in Sidekiq's plain form where a JSON formatter wrote it.

    Sidekiq's own has ts, pid, tid, lvl, msg and ctx (logger.rb); others name the text "message".
    """
    text = _COLOUR.sub("", text)
    start = text.find("{")
    if start < 0 or len(text) > _LONGEST_JSON or ('"msg"' not in text and '"message"' not in text):
        return text
    try:
        told = json.loads(text[start:])
    except (ValueError, RecursionError):
        return text
    said = told.get("msg", told.get("message")) if isinstance(told, dict) else None
    if not isinstance(said, str):
        return text
    context = told.get("ctx") if isinstance(told.get("ctx"), dict) else {}
    names = {**{name: told.get(name) for name in ("pid", "tid", "jid")}, **context}
    marks = [f"{name}={value}" for name, value in names.items() if value is not None]
    level = told.get("lvl") or told.get("level") or told.get("severity") or "INFO"
    return f"{' '.join(marks)} {level}: {said.partition(chr(10))[0]}"


def enqueued(lines: t.Iterable[str], request_id: str) -> Job | None:
    """The job that a web request put into the queue, found by the request id in the line's tags."""
    for text in lines:
        found = _ENQUEUED.search(bounded_line(plain(text))) if request_id in text else None
        if found and "mail" in found["class"].lower():
            return Job(id=found["id"], queue=found["queue"])
    return None


def request_error(lines: t.Iterable[str], request_id: str) -> tuple[str, str] | None:
    """Class and message of the exception that ended a web request; None if its lines show none."""
    for text in lines:
        found = _RAISED.search(bounded_line(plain(text))) if request_id in text else None
        if found:
            message = _NEXT_KEY.split(found["message"], maxsplit=1)[0].strip("'\" ")
            return found["class"], _unbracketed(message) if found["opens"] == " (" else message
    return None


def redis_trouble(lines: t.Iterable[str]) -> str:
    """The first line showing that Sidekiq cannot reach Redis; empty if there is none."""
    return next((line for line in (bounded_line(plain(one)) for one in lines) if _REDIS.search(line)), "")


def _thread(text: str) -> str:
    found = _THREAD.search(bounded_line(text))
    return found[0] if found else ""


def _from(beginning: re.Pattern[str], rest: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match of C(rest) after the first match of C(beginning)."""
    begun = beginning.search(text)
    return rest.search(text, begun.end()) if begun else None


def _message(found: re.Match[str]) -> str:
    """The message of an exception, without the parenthesis and colon that Rails adds."""
    message = found["message"]
    return message[:-2] if message.endswith("):") else message


def _unbracketed(message: str) -> str:
    """The same for a line in which the colon may be missing."""
    return message.removesuffix(":").removesuffix(")")
