# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send one mail through the real queue and follow it to its end, in the log and in Sidekiq's data in Redis.

The log is cheap and immediate. If it does not show the job (it goes to a file, or RAILS_LOG_LEVEL hides it), Redis is
queried by booting Rails. A mail that does not get through is removed from the queue.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import secrets as random
import time
import typing as t

from .._diagnosis.diagnose import diagnose, is_temporary
from .._diagnosis.model import Failure
from .._diagnosis.redact import one_line, redact
from .._findings.delivery import TABLE as DELIVERY
from .._findings.model import Finding, errors
from .._findings.queue import TABLE
from .._instance.model import Driver, Instance, LogLine, Service
from .._mailer.release import Release
from . import job_log
from .form_reset import LOG_LAG, FormReset
from .job_log import Job
from .queue_boot import QueueBoot
from .queue_relays import Relays
from .queue_way import Choice, Way, choose, sends_elsewhere
from .service_log import ServiceLog
from .web_form import Address

#: What became of the mail. performed: the job ended without an error; Mastodon 4.3 and later do not log the delivery.
Fate = t.Literal["delivered", "performed", "failed", "waiting", "not_queued", "unknown", "not_sent"]

#: Seconds between two reads of the log; short at first, since most jobs take a second.
_PAUSES = (0.3, 0.5, 1.0, 2.0)
#: From Rails 7.1 (Mastodon 4.3) on, deliveries are logged only at level debug.
_DELIVERIES_UNSEEN = Release.parse("4.3.0-beta.1")
#: Seconds that Redis is queried at least: Sidekiq's heartbeat comes every ten seconds.
_SIGN_OF_LIFE = 15.0
_AT_WORK = "It was still being processed and could not be removed."
#: If our own job fails with one of these, the way it was enqueued is at fault, not a setting.
_OURS = ("NoMethodError", "NameError", "SyntaxError", "ActiveJob::UnknownJobClassError")


@dataclasses.dataclass(frozen=True)
class Question:
    """What to send, and how long to wait.

    :ivar reset: address of a local account that gets a password reset.
    :ivar enqueue: address that gets a plain test mail if there is no such account.
    :ivar known: what mailer_check has found out about the two (queue_way.Choice.as_dict); None asks Rails.
    :ivar deadline: seconds from the moment the mail is in the queue.
    :ivar url: URL of the web service; empty: find it.
    :ivar timeout: seconds for a boot of Rails, and for each answer of the web service.
    :ivar hint: the provider preset's hint about logins.
    """

    reset: str = ""
    enqueue: str = ""
    known: t.Mapping[str, t.Any] | None = None
    deadline: float = 120.0
    url: str = ""
    timeout: float = 180.0
    hint: str = ""


@dataclasses.dataclass
class Verdict:
    """The return values of queued_mail_check; the same keys in success and failure."""

    findings: list[Finding] = dataclasses.field(default_factory=list)
    fate: Fate = "not_sent"
    way: Way | None = None
    recipient: str = ""
    job: Job | None = None
    waited: float = 0.0
    secrets: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    def as_dict(self) -> dict[str, t.Any]:
        """Everything but the findings, as JSON."""
        job = self.job
        last = job.errors[-1] if job and job.errors else None
        return {
            "outcome": self.fate,
            "way": self.way,
            "to": self.recipient or None,
            "job": {"id": job.id, "queue": job.queue, "attempts": job.attempts} if job else None,
            "message_id": (job.message_id or None) if job else None,
            "error": {"class": last[0], "message": one_line(redact(last[1], self.secrets, [self.recipient]))}
            if last
            else None,
            "waited": round(self.waited, 1),
        }

    def ends(self, fate: Fate, finding: Finding | None = None) -> Verdict:
        """Set how the mail ended, add a finding about that, and return the verdict."""
        self.fate = fate
        self.findings += [finding] if finding else []
        return self


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
        self._log: ServiceLog
        self._relays = Relays(self._instance, question.hint)
        self._rails = QueueBoot(driver, self._relays.first, question.timeout)

    def run(self) -> Verdict:
        """Send the mail and follow it.

        :raises FindingError: the instance cannot be accessed.
        """
        if sends_elsewhere(self._instance.roles):
            return Verdict([one for one in self._instance.findings if one.code == "sidekiq-elsewhere"])
        self._services = [one for one in self._driver.services() if one.holds_mail_settings]
        dead = self._no_sidekiq()
        if dead:
            return Verdict([dead])
        choice = self._choice()
        if not choice.to:
            return Verdict(list(choice.findings))
        self._relays.to(choice.to)
        verdict = Verdict([*choice.findings], "not_sent", choice.way, choice.to, secrets=self._relays.first.secrets)
        self._log = ServiceLog(self._driver, self._services)
        if choice.way == "form" and self._by_form(verdict):
            return verdict
        if verdict.job is None and not errors(verdict.findings):
            self._by_rails(verdict)
        if verdict.job is not None and not errors(verdict.findings):
            self._follow(verdict, verdict.job)
        return verdict

    def _choice(self) -> Choice:
        """What to send, according to mailer_check if it has found that out, else to Rails."""
        known = self._question.known
        if known is not None:
            code = "account-gets-no-mail" if known["way"] == "none" else "account-not-checked"
            reason = str(known["reason"])
            findings = (TABLE.finding(code, self._question.reset, reason),) if reason else ()
            return Choice(known["way"], str(known["to"]), findings)
        told = {"account": self._rails.account(self._question.reset)} if self._question.reset else {}
        return choose(self._question.reset, self._question.enqueue, told, self._instance.roles)

    # Into the queue

    def _by_form(self, verdict: Verdict) -> bool:
        """Request a password reset with the web form; return True if the outcome is already known."""
        known = self._instance
        address = Address.of(known.variables, known.local_domain, self._question.url, self._driver.web_url())
        form = FormReset(address, self._relays.first, self._log.texts, self._clock, self._sleep)
        since = time.time()
        asked = form.ask(verdict.recipient, min(30.0, self._question.timeout))
        verdict.job = asked.job
        verdict.findings += [asked.finding] if asked.finding else []
        if asked.accepted and asked.job is None:
            self._by_redis(verdict, None, since, sure=not asked.finding)
            if verdict.fate != "not_queued" or not asked.finding:
                return True
        if asked.finding:
            verdict.fate, verdict.way = "not_queued", "reset"  # unless this was an error, Rails requests it next
        return False

    def _by_rails(self, verdict: Verdict) -> None:
        """Boot Rails to put a password reset or a plain mail into the queue."""
        name = self._instance.local_domain or "this server"
        message_id = f"{random.token_hex(12)}@{self._instance.local_domain or 'localhost'}"
        mail = {
            "to": verdict.recipient,
            "subject": f"Test message from {name}",
            "body": f"This is a test message that went through the mail queue of the Mastodon server {name}.\n\nThe "
            "Ansible collection fediops.mastodon sent it to check outgoing mail.\nYou do not need to do "
            "anything.\n",
            "message_id": f"<{message_id}>",
            "content_type": "text/plain",
        }
        asked = {"way": "reset", "to": verdict.recipient} if verdict.way == "reset" else {"way": "plain", "mail": mail}
        answer = self._rails.ask({"send": asked})
        if isinstance(answer, Finding):
            verdict.ends("unknown" if answer.code == "queue-outcome-unknown" else "not_queued", answer)
            return
        if "refused" in answer:
            message = "Rails did not queue the mail; a callback of the application stopped it."
            verdict.ends("not_queued", TABLE.finding("queue-outcome-unknown", "Rails", message))
            return
        job = Job(answer["job_id"], answer["jid"], answer["queue"])
        job.message_id = "" if verdict.way == "reset" else message_id
        verdict.job = job
        if answer.get("unserved"):
            served = ", ".join(sorted(map(str, answer["served"])))
            message = f"The mail was in the queue {job.queue}; the running processes serve {served}."
            verdict.ends("waiting", TABLE.finding("queue-not-served", "Sidekiq", message))

    # To its end

    def _follow(self, verdict: Verdict, fresh: Job) -> None:
        """Read the log until the job has finally ended or time is up; query Redis if the log does not show it."""
        start = self._clock()
        pauses = iter(_PAUSES)
        pause = next(pauses)
        while True:
            lines = self._log.lines()
            job = dataclasses.replace(fresh, errors=[])
            self._read(job, lines)
            verdict.job, verdict.waited = job, self._clock() - start
            if job.ended == "performed" or (job.ended == "failed" and not self._may_yet_succeed(job)):
                break
            late = verdict.waited >= self._question.deadline
            if not job.begins_are_logged and (late or verdict.waited >= LOG_LAG):
                self._by_redis(verdict, job)
                return
            if late:
                break
            self._sleep(max(0.0, min(pause, self._question.deadline - verdict.waited)))
            pause = next(pauses, pause)
        self._conclude(verdict, job, lines)
        self._witness_account(verdict)
        if verdict.fate in ("failed", "waiting"):
            self._take_out(verdict, job)

    def _read(self, job: Job, lines: list[LogLine]) -> None:
        """Read what the log says of the job, and which service ran it last."""
        for line in lines:
            before = job.attempts
            job.read(line.text)
            if job.attempts > before:
                self._relays.ran = line.service

    def _conclude(self, verdict: Verdict, job: Job, lines: list[LogLine]) -> None:
        """Conclude from the log, for a job that appears in it."""
        if job.ended == "performed":
            self._performed(verdict, job)
        elif job.errors:
            verdict.ends("failed", self._diagnosis(verdict, job))
        elif job.ended == "failed":
            message = "Sidekiq reports that the job failed, but not why."
            verdict.ends("failed", self._of_relay("delivery-failed", message))
        else:
            self._not_ended(verdict, job, [line.text for line in lines])

    def _performed(self, verdict: Verdict, job: Job) -> None:
        logs_deliveries = Release.parse(self._instance.release) < _DELIVERIES_UNSEEN
        if verdict.way != "plain" and logs_deliveries and job.took is not None and not job.delivered:
            message = "The job ran, but Mastodon sent no mail."
            verdict.ends("performed", TABLE.finding("account-gets-no-mail", verdict.recipient, message))
            return
        verdict.ends("delivered" if job.delivered else "performed")
        if job.errors:
            first = one_line(redact(": ".join(job.errors[0]), self._relays.first.secrets))
            message = f"It took {job.attempts} attempts. The first one failed: {first}"
            verdict.findings.append(TABLE.finding("job-needed-retries", self._relays.used.endpoint, message))

    def _not_ended(self, verdict: Verdict, job: Job, texts: list[str]) -> None:
        trouble = job_log.redis_trouble(texts)
        self._services = [one for one in self._driver.services() if one.holds_mail_settings]
        dead = self._no_sidekiq()
        if trouble:
            redis = Failure("queue", ("RedisClient::CannotConnectError",), trouble)
            verdict.ends("waiting", diagnose(redis, self._relays.first))
        elif dead or not job.attempts:
            verdict.ends("waiting", dead or diagnose(Failure("queue"), self._relays.first))
        else:
            verdict.ends("waiting", self._still_at_work())

    def _still_at_work(self) -> Finding:
        message = f"The job started, but did not finish within {self._question.deadline:g} seconds."
        return self._of_relay("relay-silent", message)

    def _of_relay(self, code: str, message: str) -> Finding:
        return self._relays.told(DELIVERY.finding(code, self._relays.used.endpoint, message))

    def _may_yet_succeed(self, job: Job) -> bool:
        """Whether the relay refused temporarily: Sidekiq then retries by itself, first after some fifteen seconds."""
        if not job.errors:
            return False
        return is_temporary(Failure("queue", (job.errors[-1][0],), job.errors[-1][1]), self._relays.first)

    def _diagnosis(self, verdict: Verdict, job: Job) -> Finding:
        error_class, message = job.errors[-1]
        finding = self._relays.told(diagnose(Failure("queue", (error_class,), message), self._relays.used))
        if verdict.way == "plain" and error_class in _OURS and finding.code == "delivery-failed":
            words = one_line(redact(f"{error_class}: {message}", self._relays.first.secrets))
            text = f"Sidekiq cannot process the plain test mail: {words}."
            return TABLE.finding("queue-outcome-unknown", "Sidekiq", text)
        return finding

    def _no_sidekiq(self) -> Finding | None:
        sidekiq = [one for one in self._services if one.role == "sidekiq"]
        if any(one.state == "running" for one in sidekiq):
            return None
        states = ", ".join(f"{one.name} is {one.detail or one.state}" for one in sidekiq) or "there is none"
        return TABLE.finding("sidekiq-not-running", "Sidekiq", f"No Sidekiq service is running: {states}.")

    # What Redis says

    def _by_redis(self, verdict: Verdict, job: Job | None, since: float = 0.0, sure: bool = True) -> None:
        """Find the outcome in Redis, for a job that the log does not show; its id may be unknown.

        :param sure: the form accepted the request, so it is an error if Mastodon has created no reset.
        """
        seconds = max(_SIGN_OF_LIFE, self._question.deadline - verdict.waited)
        asked: dict[str, t.Any] = {"follow": seconds, "remove": True}
        if job:
            asked["job"] = {"job_id": job.id, "queue": job.queue}
        else:
            asked["look_for"] = {"account": verdict.recipient, "since": since}
        answer = self._rails.ask(asked, seconds)
        if isinstance(answer, Finding):
            verdict.ends("unknown", self._of_redis(answer))
        elif answer.get("requested") is False:
            message = "The form was accepted, but Mastodon queued no reset for this address."
            silent = TABLE.finding("account-gets-no-mail", verdict.recipient, message)
            verdict.ends("not_queued", silent if sure else None)
        else:
            verdict.job = job or Job(queue=str(answer["queue"]))
            self._placed(verdict, verdict.job, answer)
            self._witness_account(verdict)

    def _of_redis(self, finding: Finding) -> Finding:
        """Redis took the mail. If only the one-off Rails cannot reach it now, the test failed, and not the mail."""
        if finding.code != "redis-unreachable" or job_log.redis_trouble(self._log.texts()):
            return finding
        message = f"The log shows nothing of the job, and the Rails of this test cannot reach Redis: {finding.message}"
        return TABLE.finding("queue-outcome-unknown", "Redis", message)

    def _witness_account(self, verdict: Verdict) -> None:
        """A job that ended well proves a mail only together with Rails' word that the account gets one.

        An account without mail ends its job in the same way. Plain mails and logged deliveries need no such word.
        """
        unchecked = [one for one in verdict.findings if one.code == "account-not-checked"]
        if verdict.fate == "performed" and verdict.way != "plain" and unchecked:
            message = f"The job ended without an error, perhaps because no mail was due. {unchecked[0].message}"
            verdict.findings.remove(unchecked[0])
            verdict.ends("unknown", dataclasses.replace(unchecked[0], severity="error", message=message))

    def _placed(self, verdict: Verdict, job: Job, answer: t.Mapping[str, t.Any]) -> None:
        place = answer["place"]
        verdict.waited += float(place["waited"])
        job = verdict.job = Job(job.id, job.jid, job.queue, message_id=job.message_id)
        lines = self._log.lines()
        self._read(job, lines)
        if job.ended and job.begins_are_logged:  # the log was late and now shows more than Redis
            self._conclude(verdict, job, lines)
            return
        state = place["state"]
        if state in ("retry", "dead"):
            job.errors = [(str(place["error_class"]), str(place["error_message"]))]
            verdict.ends("failed", self._diagnosis(verdict, job))
        elif state == "done":
            job.taken = max(1, len(job.errors))
            elsewhere = self._elsewhere(answer["processes"])
            verdict.ends("unknown" if elsewhere else "performed", elsewhere)
        elif state == "busy":
            verdict.ends("waiting", self._still_at_work())
        elif state == "queued" and answer.get("quiet"):
            message = "The mail waits in the queue. Every process that serves it takes no new jobs."
            verdict.ends("waiting", TABLE.finding("sidekiq-quiet", "Sidekiq", message))
        elif state == "queued":
            self._not_ended(verdict, job, self._log.texts())
        else:
            message = "It left the queue, and no Sidekiq process has reported since."
            verdict.ends("unknown", TABLE.finding("queue-outcome-unknown", "Sidekiq", message))
        if verdict.fate == "waiting" and not answer.get("removed"):
            verdict.findings.append(_left(_AT_WORK))

    def _elsewhere(self, hosts: t.Iterable[str]) -> Finding | None:
        """The finding when Sidekiq on other hosts serves the same queue."""
        others = sorted(set(map(str, hosts)) - self._driver.sidekiq_hosts())
        if not others:
            return None
        message = f"Sidekiq on this host logged nothing about it; these hosts serve the queue too: {', '.join(others)}."
        return TABLE.finding("job-done-elsewhere", "Sidekiq", one_line(message))

    def _take_out(self, verdict: Verdict, job: Job) -> None:
        answer = self._rails.ask({"job": {"job_id": job.id, "queue": job.queue}, "remove": True})
        if isinstance(answer, Finding):
            verdict.findings.append(_left(f"Rails did not remove it: {answer.message}"))
        elif not answer.get("removed") and verdict.fate == "waiting":
            verdict.findings.append(_left(_AT_WORK))


def _left(why: str) -> Finding:
    return TABLE.finding("test-mail-left-in-queue", "Sidekiq", why)
