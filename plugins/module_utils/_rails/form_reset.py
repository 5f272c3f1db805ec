# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Request a password reset with Mastodon's web form, as a user does, and find the job that it put into the queue."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import http.client
import time
import typing as t

from .._diagnosis.diagnose import diagnose
from .._diagnosis.model import Context, Failure
from .._diagnosis.redact import one_line, redact
from .._findings.model import Finding
from .._findings.queue import TABLE
from . import job_log
from .job_log import Job
from .queue_way import throttled
from .web_form import FIELD, FORM, Address, Browser, FormError, Reply, new_request_id, reset_form

#: Seconds that the log may lag behind the web service's answer.
LOG_LAG = 5.0


@dataclasses.dataclass(frozen=True)
class Asked:
    """The result of the request.

    :ivar job: the job that it put into the queue, if the log shows it.
    :ivar accepted: the form accepted the request, or may have.
    :ivar finding: why it did not, or what else is wrong; an error means that the queue itself does not work.
    """

    job: Job | None = None
    accepted: bool = False
    finding: Finding | None = None


class FormReset:
    """One request for one address.

    :param lines: returns what web and sidekiq have logged since the request.
    """

    def __init__(
        self,
        address: Address,
        context: Context,
        lines: t.Callable[[], list[str]],
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._address = address
        self._context = context
        self._lines = lines
        self._clock = clock
        self._sleep = sleep
        self._request_id = new_request_id()

    def ask(self, account: str, timeout: float) -> Asked:
        """Fill in the form and send it."""
        browser = Browser(self._address, timeout)
        sent = False
        try:
            page = browser.get(FORM, self._request_id)
            if page.status != 200:
                return self._refused(page, account)
            form = reset_form(page.body)
            sent = True
            reply = browser.post(form.action, {**form.fields, FIELD: account}, self._request_id)
        except FormError as error:
            message = f"{self._address.shown}{FORM}: {error}."
            return Asked(finding=TABLE.finding("reset-form-refused", self._address.shown, message))
        except (OSError, http.client.HTTPException) as error:
            words = one_line(str(error)) or type(error).__name__
            message = f"It did not answer: {words}."
            # A request that was sent may have been carried out even without an answer.
            return Asked(accepted=sent, finding=TABLE.finding("web-not-reached", self._address.shown, message))
        return self._job() if reply.status in (302, 303) else self._refused(reply, account)

    def _job(self) -> Asked:
        """The job of the accepted request; none if the log does not show it."""
        job = self._wait_for(lambda texts: job_log.enqueued(texts, self._request_id))
        raised = None if job else job_log.request_error(self._lines(), self._request_id)
        if raised:
            return Asked(finding=diagnose(Failure("queue", (raised[0],), raised[1]), self._context))
        return Asked(job, accepted=True)

    def _refused(self, reply: Reply, account: str) -> Asked:
        if reply.status == 429:
            return Asked(finding=throttled(account))
        raised = None
        if reply.status >= 500:
            raised = self._wait_for(lambda texts: job_log.request_error(texts, self._request_id))
        if raised and raised[0].startswith("Redis"):
            return Asked(finding=diagnose(Failure("queue", (raised[0],), raised[1]), self._context))
        message = _status(reply, self._address)
        if raised:
            message += f" It logged: {one_line(redact(': '.join(raised), self._context.secrets))}"
        return Asked(finding=TABLE.finding("reset-form-refused", self._address.shown, message))

    def _wait_for(self, look: t.Callable[[list[str]], Seen | None]) -> Seen | None:
        """Apply C(look) to the log until it finds something, since the log may lag behind the answer."""
        until = self._clock() + LOG_LAG
        while True:
            found = look(self._lines())
            if found is not None or self._clock() >= until:
                return found
            self._sleep(0.5)


Seen = t.TypeVar("Seen")


def _status(reply: Reply, address: Address) -> str:
    reasons = {
        403: f" 403 means that it does not serve the host name ({address.name}).",
        422: " 422 means that the form's token was missing.",
    }
    away = f" and redirected to {reply.location}" if reply.location else ""
    return f"It answered {reply.status} to the form for a password reset{away}.{reasons.get(reply.status, '')}"
