# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""One mail through the real queue: asked for like a user does, followed in the log to its end."""

from __future__ import annotations

import dataclasses
import http.client
import secrets as random
import time
import typing as t

from .._diagnosis.diagnose import diagnose
from .._diagnosis.model import Context, Failure
from .._diagnosis.redact import one_line, redact
from .._diagnosis.row import loopback
from .._findings.delivery import TABLE as DELIVERY
from .._findings.model import Finding
from .._findings.queue import TABLE
from .._instance.model import Driver, Instance, LogLine, Service
from .._mailer.effective import effective
from .._mailer.release import Release
from . import enqueue, job_log
from .answer import boot_failure, failure, marked
from .job_log import Job
from .program import GUEST
from .web_form import FIELD, FORM, Address, Browser, FormError, Reply, new_request_id, reset_form

#: What became of the mail. performed: the job ended without an error; Mastodon 4.3 and later log no more of a delivery.
Fate = t.Literal["delivered", "performed", "failed", "waiting", "not_queued", "unknown", "not_sent"]

#: So long the log may lag behind the answer of the web service before its silence means something.
_LOG_LAG = 5.0
#: Between two looks into the log: short at first, since most jobs take a second.
_PAUSES = (0.3, 0.5, 1.0, 2.0)
#: Rails 7.1, with Mastodon 4.3, logs deliveries at the level debug only.
_DELIVERIES_UNSEEN = Release.parse("4.3.0-beta.1")
#: A mail to a relay over the network, with TLS and a login, takes longer than so many milliseconds; none takes 1 to 3.
_NO_MAIL_AT_ALL = 10.0
_QUIET_LEVELS = ("warn", "error", "fatal", "unknown")


@dataclasses.dataclass(frozen=True)
class Question:
    """What to send, and how long to wait for it.

    :ivar reset: address of a local account that gets a password reset; or
    :ivar enqueue: address that gets a plain test mail.
    :ivar deadline: seconds from the moment that the mail is in the queue.
    :ivar url: where the web service is reached; empty finds it.
    :ivar timeout: seconds for the boot of Rails that C(enqueue) needs, and for each answer of the web service.
    :ivar hint: what the provider's preset says about its logins.
    """

    reset: str = ""
    enqueue: str = ""
    deadline: float = 120.0
    url: str = ""
    timeout: float = 180.0
    hint: str = ""

    @property
    def recipient(self) -> str:
        """Who gets the mail."""
        return self.reset or self.enqueue


@dataclasses.dataclass
class Verdict:
    """What queued_mail_check returns; the same keys whether it went well or not."""

    findings: list[Finding] = dataclasses.field(default_factory=list)
    fate: Fate = "not_sent"
    job: Job | None = None
    waited: float = 0.0
    secrets: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    recipient: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        """Everything but the findings, as JSON."""
        job = self.job
        last = job.errors[-1] if job and job.errors else None
        return {
            "outcome": self.fate,
            "job": {"id": job.id, "queue": job.queue, "attempts": job.attempts} if job else None,
            "message_id": (job.message_id or None) if job else None,
            "error": {"class": last[0], "message": one_line(redact(last[1], self.secrets, [self.recipient]))}
            if last
            else None,
            "waited": round(self.waited, 1),
        }


class QueueCheck:
    """One run of the check against one instance."""

    def __init__(
        self,
        driver: Driver,
        question: Question,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._driver = driver
        self._question = question
        self._clock = clock
        self._sleep = sleep
        self._instance: Instance = driver.instance
        self._services: list[Service] = []
        self._cursor = ""
        self._context = context_of(self._instance, question)

    def run(self) -> Verdict:
        """Send it and follow it. FindingError when the instance cannot be driven."""
        self._services = [one for one in self._driver.services() if one.holds_mail_settings]
        dead = self._no_sidekiq()
        if dead:
            return Verdict([dead])
        self._cursor = self._driver.log_cursor(self._services)
        verdict = self._reset() if self._question.reset else self._enqueue()
        verdict.secrets, verdict.recipient = self._context.secrets, self._question.recipient
        if verdict.job is not None and not verdict.findings:
            self._follow(verdict, verdict.job)
        return verdict

    # Into the queue

    def _reset(self) -> Verdict:
        """A password reset through the web form. No job in the verdict: why there is none is a finding."""
        address = Address.of(
            self._instance.variables, self._instance.local_domain, self._question.url, self._driver.web_url()
        )
        browser = Browser(address, min(30.0, self._question.timeout))
        request_id = new_request_id()
        try:
            page = browser.get(FORM, request_id)
            if page.status != 200:
                return Verdict([self._form_failed(page, address, request_id)])
            form = reset_form(page.body)
            reply = browser.post(form.action, {**form.fields, FIELD: self._question.reset}, request_id)
        except FormError as error:
            message = f"{address.shown}{FORM}: {error}."
            return Verdict([TABLE.finding("reset-form-refused", address.shown, message)])
        except (OSError, http.client.HTTPException) as error:
            words = one_line(str(error)) or type(error).__name__
            message = f"It gave no answer: {words}."
            return Verdict([TABLE.finding("web-not-reached", address.shown, message)])
        if reply.status not in (302, 303):
            return Verdict([self._form_failed(reply, address, request_id)], "not_queued")
        return self._queued_by(request_id)

    def _form_failed(self, reply: Reply, address: Address, request_id: str) -> Finding:
        raised = self._raised(request_id) if reply.status >= 500 else None
        if raised and raised[0].startswith("Redis"):
            return diagnose(Failure("queue", (raised[0],), raised[1]), self._context)
        finding = _refused(reply, address)
        if raised:
            words = one_line(redact(f"{raised[0]}: {raised[1]}", self._context.secrets))
            finding = dataclasses.replace(finding, message=f"{finding.message} It logged: {words}")
        return finding

    def _raised(self, request_id: str) -> tuple[str, str] | None:
        """The exception that ended a request; the log may lag behind the answer."""
        until = self._clock() + _LOG_LAG
        while True:
            raised = job_log.request_error([line.text for line in self._lines()], request_id)
            if raised or self._clock() >= until:
                return raised
            self._sleep(_PAUSES[1])

    def _queued_by(self, request_id: str) -> Verdict:
        """The job that the accepted request put into the queue."""
        until = self._clock() + _LOG_LAG
        while True:
            texts = [line.text for line in self._lines()]
            job = job_log.enqueued(texts, request_id)
            if job is not None:
                return Verdict(job=job)
            if self._clock() >= until:
                break
            self._sleep(_PAUSES[1])
        if not any(request_id in text for text in texts):
            message = "The web service accepted the request, but its log does not show it."
            return Verdict([TABLE.finding("queue-outcome-unknown", "web", message)], "unknown")
        raised = job_log.request_error(texts, request_id)
        if raised:
            return Verdict([diagnose(Failure("queue", (raised[0],), raised[1]), self._context)], "not_queued")
        message = (
            "Mastodon accepted the request, but put no mail into the queue: there is no account with this address, or "
            "it has no password of its own."
        )
        return Verdict([TABLE.finding("account-gets-no-mail", self._question.reset, message)], "not_queued")

    def _enqueue(self) -> Verdict:
        """A plain mail, put into the queue by a Rails of our own."""
        mark = f"fediops-{random.token_hex(16)}:"
        name = self._instance.local_domain or "this server"
        asked = {
            "mark": mark,
            "message_id": f"{random.token_hex(12)}@{self._instance.local_domain or 'localhost'}",
            "to": self._question.enqueue,
            "subject": f"Test message from {name}",
            "body": f"This is a test message that went through the mail queue of the Mastodon server {name}.\n\n"
            "The Ansible collection fediops.mastodon sent it to check outgoing mail.\nYou need not do anything.\n",
        }
        completed = self._driver.run_in_app(
            ("bin/rails", "runner", "-"),
            stdin=enqueue.program(asked),
            environment=GUEST,
            timeout=self._question.timeout,
        )
        answer = marked(completed.stdout, mark)
        if answer is None:
            if completed.timed_out:
                message = f"Rails did not put the mail into the queue within {self._question.timeout:g} seconds."
                return Verdict([TABLE.finding("queue-outcome-unknown", "Rails", message, severity="error")])
            return Verdict([diagnose(boot_failure(completed.stderr, self._instance.code), self._context)])
        if "failure" in answer:
            return Verdict([diagnose(failure(answer["failure"]), self._context)], "not_queued")
        if "refused" in answer:
            message = "Rails refused to put the mail into the queue; a callback of the application stopped it."
            return Verdict([TABLE.finding("queue-outcome-unknown", "Rails", message, severity="error")], "not_queued")
        job = Job(answer["job_id"], answer["jid"], answer["queue"], message_id=asked["message_id"])
        served = answer["served"]
        if served and job.queue not in served:
            message = f"The mail is in the queue {job.queue}; the running processes serve {', '.join(sorted(served))}."
            return Verdict([TABLE.finding("queue-not-served", "Sidekiq", message)], "waiting", job)
        return Verdict(job=job)

    # To its end

    def _follow(self, verdict: Verdict, fresh: Job) -> None:
        """Read the log until the job has ended for good, or time is up."""
        start = self._clock()
        pauses = iter(_PAUSES)
        pause = next(pauses)
        while True:
            lines = self._lines()
            job = dataclasses.replace(fresh, errors=[])
            for line in lines:
                job.read(line.text)
            verdict.job, verdict.waited = job, self._clock() - start
            late = verdict.waited >= self._question.deadline
            if job.ended == "performed" or (job.ended == "failed" and not self._may_yet_succeed(job)) or late:
                break
            self._sleep(max(0.0, min(pause, self._question.deadline - verdict.waited)))
            pause = next(pauses, pause)
        verdict.fate, finding = self._fate(job, lines)
        if finding is not None:
            verdict.findings.append(finding)

    def _fate(self, job: Job, lines: list[LogLine]) -> tuple[Fate, Finding | None]:
        if job.errors and job.ended != "performed":
            return "failed", self._diagnosis(job)
        if job.ended == "failed":
            message = "Sidekiq reports that the job failed, but not why."
            return "failed", DELIVERY.finding("delivery-failed", self._context.endpoint, message)
        if job.ended == "performed":
            return self._performed(job)
        return self._not_ended(job, lines)

    def _performed(self, job: Job) -> tuple[Fate, Finding | None]:
        if job.delivered:
            if not job.errors:
                return "delivered", None
            first = one_line(redact(": ".join(job.errors[0]), self._context.secrets))
            message = f"It took {job.attempts} attempts. The first one failed: {first}"
            return "delivered", TABLE.finding("job-needed-retries", self._context.endpoint, message)
        if job.took is None:
            message = "Sidekiq reports that the job ended well; nothing else is in its log."
            return "performed", TABLE.finding("queue-outcome-unknown", "Sidekiq", message)
        if not self._question.reset:
            return "performed", None
        if Release.parse(self._instance.release) < _DELIVERIES_UNSEEN:
            message = "The job ran, but Mastodon made no mail of it: the account is not confirmed, or disabled."
            return "performed", TABLE.finding("account-gets-no-mail", self._question.reset, message)
        if job.took < _NO_MAIL_AT_ALL and not loopback(self._context):
            message = (
                f"The job ended after {job.took:g} ms, too soon to have handed a mail to the relay: the account is not "
                "confirmed, or disabled, most likely."
            )
            return "performed", TABLE.finding("account-gets-no-mail", self._question.reset, message, severity="warning")
        return "performed", None

    def _not_ended(self, job: Job, lines: list[LogLine]) -> tuple[Fate, Finding | None]:
        texts = [line.text for line in lines]
        trouble = job_log.redis_trouble(texts)
        if trouble:
            return "waiting", diagnose(Failure("queue", ("RedisClient::CannotConnectError",), trouble), self._context)
        self._services = [one for one in self._driver.services() if one.holds_mail_settings]
        dead = self._no_sidekiq()
        if dead:
            return "waiting", dead
        if self._instance.variables.get("RAILS_LOG_LEVEL", "info").lower() in _QUIET_LEVELS:
            message = "Sidekiq logs too little to follow the job (RAILS_LOG_LEVEL)."
            return "unknown", TABLE.finding("queue-outcome-unknown", "Sidekiq", message)
        if job.attempts:
            message = f"The job was begun, but did not end within {self._question.deadline:g} seconds."
            return "waiting", DELIVERY.finding("relay-silent", self._context.endpoint, message)
        return "waiting", diagnose(Failure("queue"), self._context)

    def _may_yet_succeed(self, job: Job) -> bool:
        """A temporary refusal: Sidekiq tries again by itself, after some fifteen seconds at first."""
        if not job.errors:
            return False
        code = Failure("queue", (job.errors[-1][0],), job.errors[-1][1]).completed().code
        return code is not None and 400 <= code < 500

    def _diagnosis(self, job: Job) -> Finding:
        error_class, message = job.errors[-1]
        return diagnose(Failure("queue", (error_class,), message), self._context)

    def _no_sidekiq(self) -> Finding | None:
        sidekiq = [one for one in self._services if one.role == "sidekiq"]
        if any(one.state == "running" for one in sidekiq):
            return None
        states = ", ".join(f"{one.name} is {one.detail or one.state}" for one in sidekiq) or "there is none"
        return TABLE.finding("sidekiq-not-running", "Sidekiq", f"No Sidekiq service runs: {states}.")

    def _lines(self) -> list[LogLine]:
        return self._driver.log_since(self._services, self._cursor)


def context_of(instance: Instance, question: Question) -> Context:
    """The relay that the services use, from the settings on disk."""
    known = Context(
        release=f"Mastodon {instance.release}" if instance.release else "",
        file=instance.env_file,
        recipient=question.recipient,
        hint=question.hint,
        secrets=tuple(
            value for name, value in instance.variables.items() if name.endswith("SMTP_PASSWORD") and len(value) > 3
        ),
    )
    verdict = effective(instance.variables, Release.parse(instance.release), instance.local_domain)
    if verdict.main is None:
        return known
    settings = verdict.main.settings
    port = str(settings.get("port") or 25)
    return dataclasses.replace(
        known,
        host=str(settings.get("address") or "localhost"),
        port=int(port) if port.isdecimal() else None,
        tls=verdict.main.tls_mode,
        auth=verdict.main.auth_mode,
        sender=str(verdict.from_address or ""),
    )


def _refused(reply: Reply, address: Address) -> Finding:
    if reply.status == 429:
        message = "It answered 429: too many password resets lately."
        return TABLE.finding("reset-form-throttled", address.shown, message)
    reasons = {
        403: f"403 is what it answers to a host name that it does not serve ({address.name})",
        422: "422 is what it answers to a form without its token",
    }
    away = f" and sent us to {reply.location}" if reply.location else ""
    reason = reasons.get(reply.status, "")
    message = f"It answered {reply.status} to the form for a password reset{away}. {reason}".strip()
    return TABLE.finding("reset-form-refused", address.shown, message if message.endswith(".") else f"{message}.")
