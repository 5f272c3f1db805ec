# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queue check against a scripted web service on loopback and a scripted log."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.server
import json
import re
import socketserver
import threading
import time
import typing as t
import urllib.parse

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.compose import TABLE as COMPOSE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.instance import TABLE as INSTANCE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, FindingError, errors
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.queue import OF_TEST
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import (
    Completed,
    Instance,
    LogLine,
    Sender,
    Service,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.accounts import Account
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.queue_check import Question, QueueCheck, Verdict
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.queue_way import choose

ACCOUNT = "alice@here.example"
TOKEN = "cs/rf+token=="
PAGE = f"""<html><form action="/search" method="get"><input name="q"></form>
<form action="https://here.example/auth/password" method="post">
<input type="hidden" name="authenticity_token" value="{TOKEN}"><input type="email" name="user[email]"></form></html>"""
JOB = "82325230-88b1-4b09-a22b-6622c812af6d"
NAMED = f"[{JOB}] %s ActionMailer::MailDeliveryJob (Job ID: {JOB}) from Sidekiq(mailers)"
BEGUN, DONE = NAMED % "Performing", f"{NAMED % 'Performed'} in 212.5ms"
SENT = f"[{JOB}] Delivered mail 1@here.example (1ms)"


def error(text: str) -> str:
    return f"{NAMED % 'Error performing'} in 1.2ms: {text}:"


class Web:
    """Mastodon's web service: what it answers, and what it was asked."""

    def __init__(self, post: int = 303, get: int = 200) -> None:
        self.post, self.get = post, get
        self.asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = []

    @contextlib.contextmanager
    def running(self, unix: str = "") -> t.Iterator[str]:
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(web.get, PAGE if web.get == 200 else "", "_session_id=abc; path=/; secure; HttpOnly")

            def do_POST(self) -> None:
                self._answer(web.post, "", "")

            def _answer(self, status: int, body: str, cookie: str) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                web.asked.append((self.command, self.path, dict(self.headers), dict(urllib.parse.parse_qsl(sent))))
                self.send_response(status)
                if cookie:
                    self.send_header("Set-Cookie", cookie)
                if 300 <= status < 400:
                    self.send_header("Location", "https://here.example/auth/sign_in")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_arguments: object) -> None: ...

            def address_string(self) -> str:
                return ""

        server: socketserver.BaseServer
        if unix:
            server = socketserver.ThreadingUnixStreamServer(unix, Handler)
        else:
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield "" if unix else str(server.server_address[1])
        finally:
            server.shutdown()
            server.server_close()


class Stub:
    """A driver whose log is what the test says, once the request is in."""

    def __init__(self, web: Web, log: t.Sequence[str], variables: dict[str, str], sidekiq: str = "running") -> None:
        self.web, self.log = web, list(log)
        given = {"SMTP_SERVER": "smtp.example.net", "SMTP_PORT": "587", "SMTP_PASSWORD": "s3cr3t-pw", **variables}
        self.instance = Instance(
            "systemd",
            "/app",
            "mastodon",
            "/app/.env.production",
            "",
            given.pop("RELEASE", "4.2.17"),
            "here.example",
            variables=given,
        )
        self.sidekiq = sidekiq
        self.logged_by = "x"
        self.found_at = ""
        #: What Rails answers, one boot after the other, and what it was asked.
        self.answers: list[dict[str, t.Any]] = []
        self.boots: list[dict[str, t.Any]] = []
        self.instance = dataclasses.replace(self.instance, services=tuple(self.services()))

    def sidekiq_hosts(self) -> set[str]:
        return {"here"}

    def services(self) -> list[Service]:
        return [
            Service("mastodon-web.service", "web", "running"),
            Service("mastodon-sidekiq.service", "sidekiq", t.cast(t.Any, self.sidekiq), detail="failed (exit-code)"),
            Service("mastodon-streaming.service", "streaming", "running"),
        ]

    def log_cursor(self, services: t.Sequence[Service]) -> str:
        assert {one.role for one in services} == {"web", "sidekiq"}
        return "here"

    def web_url(self) -> str:
        return self.found_at

    def log_since(self, _services: t.Sequence[Service], cursor: str) -> list[LogLine]:
        assert cursor == "here"
        request = self.web.asked[-1][2].get("X-Request-Id", "") if self.web.asked else ""
        return [LogLine(0.0, self.logged_by, 1, text.replace("REQUEST", request)) for text in self.log]

    def run_in_app(self, _command: t.Sequence[str], *, stdin: bytes = b"", **_unused: t.Any) -> Completed:
        found = re.search(rb'parse\("([^"]+)"', stdin)
        assert found
        asked = json.loads(base64.b64decode(found.group(1)))
        assert self.answers, f"an unexpected boot of Rails: {asked}"
        self.boots.append(asked)
        return Completed(0, f"noise\n{asked['mark']}{json.dumps(self.answers.pop(0))}\n".encode())


QUEUED = (
    f"[REQUEST] [ActiveJob] Enqueued ActionMailer::MailDeliveryJob (Job ID: {JOB}) to Sidekiq(mailers) with arguments"
)


FORM = {"way": "form", "to": ACCOUNT, "reason": ""}
REMOVED = {"removed": 1, "processes": []}


def place(state: str, **more: t.Any) -> dict[str, t.Any]:
    return {"place": {"state": state, "waited": 11.0, **more}, "removed": 1, "processes": ["here"]}


@dataclasses.dataclass
class Case:
    """What there is around a check, and what came of it."""

    log: t.Sequence[str] = ()
    web: Web = dataclasses.field(default_factory=Web)
    sidekiq: str = "running"
    answers: t.Sequence[dict[str, t.Any]] = ()
    question: Question = dataclasses.field(default_factory=lambda: Question(reset=ACCOUNT, known=FORM, deadline=30))
    variables: dict[str, str] = dataclasses.field(default_factory=dict)

    def run(self) -> tuple[Verdict, Stub]:
        with self.web.running() as port:
            driver = Stub(self.web, self.log, self.variables, self.sidekiq)
            driver.found_at, driver.answers = f"http://127.0.0.1:{port}", list(self.answers)
            verdict = QueueCheck(driver, self.question, *Clock.pair()).run()  # type: ignore[arg-type]
        assert not driver.answers, "a boot of Rails that was expected and did not come"
        return verdict, driver


def reset(
    log: t.Sequence[str], web: Web | None = None, *answers: dict[str, t.Any], sidekiq: str = "running", **variables: str
) -> Verdict:
    return Case(log, web or Web(), sidekiq, answers, variables=variables).run()[0]


class Clock:
    """Time passes by sleeping only, and sleeping takes none."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    @classmethod
    def pair(cls) -> tuple[Clock, t.Callable[[float], None]]:
        clock = cls()
        return clock, clock.sleep

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds or 0.01


def codes(verdict: Verdict) -> list[str]:
    return [one.code for one in verdict.findings]


def test_a_reset_is_asked_for_as_a_browser_does_and_followed_to_its_delivery() -> None:
    web = Web()
    verdict = reset([QUEUED, BEGUN, SENT, DONE], web)
    (get, post) = web.asked
    assert (get[0], get[1], post[0], post[1]) == ("GET", "/auth/password/new", "POST", "/auth/password")
    assert post[3] == {"authenticity_token": TOKEN, "user[email]": ACCOUNT}
    assert post[2]["Cookie"] == "_session_id=abc"
    assert (post[2]["Host"], post[2]["X-Forwarded-Proto"]) == ("here.example", "https")
    shown = verdict.as_dict()
    assert (verdict.findings, shown["outcome"], shown["message_id"]) == ([], "delivered", "1@here.example")
    assert shown["job"] == {"id": JOB, "queue": "mailers", "attempts": 1}


def test_the_web_domain_is_the_name_that_is_asked_for() -> None:
    web = Web()
    reset([QUEUED, BEGUN, SENT, DONE], web, WEB_DOMAIN="social.here.example")
    assert web.asked[0][2]["Host"] == "social.here.example"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Net::SMTPAuthenticationError (535 5.7.8 no boss@work.example s3cr3t-pw)", "login-refused"),
        ("Net::SMTPFatalError (554 5.7.1 <x@y.example>: Relay access denied)", "relay-denied"),
        ("Net::OpenTimeout (execution expired)", "relay-connect-timeout"),
        ("Net::SMTPServerBusy (451 4.3.0 later)", "relay-temporary"),
    ],
)
def test_a_job_that_fails_is_diagnosed_without_secrets(text: str, code: str) -> None:
    verdict = reset([QUEUED, BEGUN, SENT, error(text)], None, REMOVED)
    assert (codes(verdict), verdict.fate) == ([code], "failed")
    whole = json.dumps([verdict.as_dict(), [one.as_dict() for one in verdict.findings]])
    for hidden in ("boss@work.example", "s3cr3t-pw", "x@y.example"):
        assert hidden not in whole
    assert verdict.findings[0].subject == "smtp.example.net:587"


def several(log: list[str], *answers: dict[str, t.Any], ports: tuple[int, int] = (465, 587)) -> Finding:
    """What is found if two Sidekiqs with other settings serve the queue, and the second one writes the log."""
    with (web := Web()).running() as port:
        driver = Stub(web, log, {})
        senders = [
            Sender(f"sidekiq@{number}.service", "sidekiq", (), {"SMTP_SERVER": host, "SMTP_PORT": str(number), **more})
            for number, host, more in (
                (ports[0], "smtp.old.example", {}),
                (ports[1], "smtp.old.example", {"SMTP_PASSWORD": "an0ther-pw"}),
            )
        ]
        first = {**driver.instance.variables, **senders[0].variables}
        driver.instance = dataclasses.replace(driver.instance, senders=tuple(senders), variables=first)
        driver.found_at, driver.answers = f"http://127.0.0.1:{port}", list(answers)
        driver.logged_by = senders[1].service
        asked = Question(reset=ACCOUNT, known=FORM, deadline=30)
        verdict = QueueCheck(driver, asked, *Clock.pair()).run()  # type: ignore[arg-type]
    (finding,) = verdict.findings
    return finding


def test_the_relay_of_the_process_that_ran_the_job_is_named() -> None:
    refused = [QUEUED, BEGUN, error("Net::SMTPAuthenticationError (535 5.7.8 no an0ther-pw)")]
    finding = several(refused, REMOVED)
    assert (finding.code, finding.subject) == ("login-refused", "smtp.old.example:587")
    assert "465" not in finding.message and "an0ther-pw" not in finding.message
    finding = several([QUEUED, *QUIET], place("retry", **WRONG))  # the level warn: the log still shows who failed
    assert (finding.code, finding.subject) == ("login-refused", "smtp.old.example:587")
    assert several([QUEUED, BEGUN], REMOVED).subject == "smtp.old.example:587"


def test_where_redis_alone_tells_of_the_failure_it_is_one_of_several_relays() -> None:
    finding = several([QUEUED], place("retry", **WRONG))
    assert (finding.code, finding.subject) == ("login-refused", "relay")
    assert finding.message.endswith(
        " The relay is one of several: sidekiq@465.service uses smtp.old.example:465, and sidekiq@587.service uses "
        "smtp.old.example:587; nothing shows which of them ran the job."
    )
    assert "one of several" in several([QUEUED], place("busy")).message
    same = several([QUEUED], place("retry", **WRONG), ports=(587, 587))
    assert (same.subject, "several" in same.message) == ("smtp.old.example:587", False)


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ("Net::SMTPServerBusy (440 mail from account doesn't conform with authentication)", False),
        ("Net::SMTPServerBusy (454 4.7.1 <x@y.example>: Relay access denied)", False),
        ("Net::SMTPAuthenticationError (451 Authentication failed: Maximum credits exceeded)", False),
        ("Net::SMTPFatalError (554 Your account is on probation and limited to 100 messages / hour)", True),
        ("Net::SMTPServerBusy (451 4.3.0 later)", True),
    ],
)
def test_the_cause_and_not_the_code_decides_whether_the_next_try_is_waited_for(text: str, waits: bool) -> None:
    verdict = reset([QUEUED, BEGUN, SENT, error(text)], None, REMOVED)
    assert verdict.fate == "failed" and (verdict.waited >= 30) is waits
    assert (set(codes(verdict)) <= OF_TEST) is waits


def test_a_second_attempt_that_succeeds_is_a_warning() -> None:
    again = [QUEUED, BEGUN, error("Net::SMTPServerBusy (451 4.3.0 later)"), BEGUN, SENT, DONE]
    verdict = reset(again)
    assert (verdict.fate, [one.severity for one in verdict.findings]) == ("delivered", ["warning"])
    assert verdict.as_dict()["job"]["attempts"] == 2


def test_a_mastodon_that_does_not_log_deliveries() -> None:
    """However soon the job has ended: who is mailed is known before."""
    for took in ("1.33", "212.5"):
        verdict = reset([QUEUED, BEGUN, f"{NAMED % 'Performed'} in {took}ms"], RELEASE="4.3.8")
        assert (verdict.fate, verdict.findings) == ("performed", [])
        assert verdict.as_dict()["message_id"] is None


#: All that RAILS_LOG_LEVEL=warn leaves of a job that failed; the request that put it there is not in the log.
QUIET = [
    'WARN: {"context":"Job raised exception","job":{"args":[{"job_id":"%s"}]}}' % JOB,  # noqa: UP031
    "WARN: Net::SMTPAuthenticationError: 535 5.7.8 no",
]
LATER = [QUIET[0], "WARN: Net::SMTPServerBusy: 451 4.3.0 later"]
REQUESTED = {"requested": True, "queue": "mailers"}
REDIS_DOWN = {"failure": {"stage": "queue", "chain": [{"class": "RedisClient::CannotConnectError", "message": "no"}]}}
WRONG = {"error_class": "Net::SMTPAuthenticationError", "error_message": "535 5.7.8 no x@y.example", "attempts": 1}


@pytest.mark.parametrize(
    ("log", "answers", "fate", "found"),
    [
        ([QUEUED], [place("queued")], "waiting", "job-not-picked-up"),
        ([QUEUED], [place("done")], "performed", None),
        ([QUEUED], [place("retry", **WRONG)], "failed", "login-refused"),
        ([QUEUED], [place("dead", **WRONG)], "failed", "login-refused"),
        ([QUEUED], [place("busy")], "waiting", "relay-silent"),
        ([QUEUED], [place("gone")], "unknown", "queue-outcome-unknown"),
        # Redis had taken it; only our own Rails cannot ask it
        ([QUEUED], [REDIS_DOWN], "unknown", "queue-outcome-unknown"),
        ([QUEUED, "ERROR: Error fetching job: refused"], [REDIS_DOWN], "unknown", "redis-unreachable"),
        ([QUEUED], [{**place("queued"), "quiet": True}], "waiting", "sidekiq-quiet"),
        # the pair of warnings, then Redis: a temporary refusal may be over by now
        ([QUEUED, *QUIET], [REMOVED], "failed", "login-refused"),
        ([QUEUED, *LATER], [place("done")], "performed", None),
        ([QUEUED, *LATER], [place("retry", **WRONG)], "failed", "login-refused"),
        ([QUEUED, BEGUN], [REMOVED], "waiting", "relay-silent"),
        ([QUEUED, BEGUN], [{"removed": 0}], "waiting", "relay-silent test-mail-left-in-queue"),
        ([QUEUED, BEGUN, DONE], [], "performed", "account-gets-no-mail"),
        (["[REQUEST] method=POST status=303"], [{"requested": False}], "not_queued", "account-gets-no-mail"),
        ([], [{**REQUESTED, **place("done")}], "performed", None),
        (QUIET, [{**REQUESTED, **place("retry", **WRONG)}], "failed", "login-refused"),
        (["[REQUEST] Redis::CannotConnectError (refused):"], [], "not_queued", "redis-unreachable"),
    ],
)
def test_other_fates(log: list[str], answers: list[dict[str, t.Any]], fate: str, found: str | None) -> None:
    verdict = reset(log, None, *answers)
    assert (verdict.fate, codes(verdict)) == (fate, (found or "").split())
    assert "x@y.example" not in json.dumps(verdict.as_dict())


def test_redis_is_asked_about_the_very_job_and_told_to_take_it_out() -> None:
    _verdict, driver = Case([QUEUED], answers=[place("done")]).run()
    (asked,) = driver.boots
    assert (asked["job"], asked["remove"]) == ({"job_id": JOB, "queue": "mailers"}, True)
    assert 15 <= asked["follow"] <= 30


def test_a_reset_whose_job_no_log_names_is_found_by_its_account_and_time() -> None:
    before = time.time()
    _verdict, driver = Case([], answers=[{**REQUESTED, **place("done")}]).run()
    (asked,) = driver.boots
    assert asked["look_for"]["account"] == ACCOUNT
    assert before <= asked["look_for"]["since"] <= time.time()


@pytest.mark.parametrize("step", ["log_cursor", "log_since"])
def test_a_log_that_cannot_be_read_is_one_that_shows_nothing(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with Docker's logging driver none: Redis is the witness."""

    def unreadable(*_arguments: object) -> t.NoReturn:
        raise FindingError(INSTANCE.finding("log-unreadable", "docker logs sidekiq", "It said: no"))

    monkeypatch.setattr(Stub, step, unreadable)
    verdict, _driver = Case([QUEUED, BEGUN, DONE], answers=[{**REQUESTED, **place("done")}]).run()
    assert (verdict.fate, codes(verdict)) == ("performed", [])


@pytest.mark.parametrize("step", ["log_cursor", "log_since"])
def test_an_engine_that_went_down_is_no_silent_log(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_arguments: object) -> t.NoReturn:
        raise FindingError(COMPOSE.finding("engine-down", "docker", "It said: no"))

    monkeypatch.setattr(Stub, step, down)
    with pytest.raises(FindingError, match="engine-down"):
        Case([QUEUED]).run()


@pytest.mark.parametrize("queue", ["default", "mailers", "theirs"])
def test_the_queue_of_a_job_that_no_log_names_is_the_one_that_rails_says(queue: str) -> None:
    for release in ("3.5.19", "4.6.5"):
        case = Case([], answers=[{"requested": True, "queue": queue, **place("done")}], variables={"RELEASE": release})
        verdict, driver = case.run()
        assert verdict.as_dict()["job"]["queue"] == queue
        assert "queue" not in driver.boots[0]


def test_what_failed_is_taken_out_of_the_queue() -> None:
    failing = [QUEUED, BEGUN, error("Net::SMTPFatalError (554 5.7.1 no)")]
    verdict, driver = Case(failing, answers=[REMOVED]).run()
    assert driver.boots[0]["job"]["job_id"] == JOB
    assert (driver.boots[0]["remove"], "follow" in driver.boots[0]) == (True, False)
    assert [one.severity for one in verdict.findings] == ["error"]
    verdict, _driver = Case(failing, answers=[REDIS_DOWN]).run()
    assert codes(verdict)[-1] == "test-mail-left-in-queue"


def test_sidekiq_of_another_host_may_have_sent_it() -> None:
    done = place("done")
    verdict = reset([QUEUED], None, {**done, "processes": ["sidekiq2", "here"]})
    assert (verdict.fate, [(one.code, one.severity) for one in verdict.findings]) == (
        "unknown",
        [("job-done-elsewhere", "error")],
    )
    assert set(codes(verdict)) <= OF_TEST
    assert "sidekiq2" in verdict.findings[0].message


@pytest.mark.parametrize("state", ["failed", "stopped", "changing"])
def test_without_sidekiq_nothing_is_sent(state: str) -> None:
    web = Web()
    verdict = reset([], web, sidekiq=state)
    assert (codes(verdict), verdict.fate, web.asked) == (["sidekiq-not-running"], "not_sent", [])
    assert "failed (exit-code)" in verdict.findings[0].message


@pytest.mark.parametrize(
    ("web", "log", "found"),
    [
        (Web(get=403), [], "reset-form-refused"),
        (Web(get=301), [], "reset-form-refused"),
        (Web(get=500), ["[REQUEST] ActionView::Template::Error (x):"], "reset-form-refused"),
        (Web(post=422), [], "reset-form-refused"),
        (Web(post=429), [], "reset-form-throttled"),
        (Web(post=500), ["[REQUEST] KeyError (x):"], "reset-form-refused"),
    ],
)
def test_where_the_form_cannot_be_used_rails_itself_asks_for_the_reset(web: Web, log: list[str], found: str) -> None:
    verdict, driver = Case([*log, BEGUN, SENT, DONE], web, answers=[ANSWER]).run()
    assert (verdict.fate, verdict.way, codes(verdict)) == ("delivered", "reset", [found])
    assert not errors(verdict.findings)
    assert driver.boots[0]["send"] == {"way": "reset", "to": ACCOUNT}


@pytest.mark.parametrize("web", [Web(post=500), Web(get=500)])
def test_a_web_service_that_does_not_reach_redis(web: Web) -> None:
    verdict = reset(["[REQUEST] RedisClient::CannotConnectError (no):"], web)
    assert (codes(verdict), verdict.job) == (["redis-unreachable"], None)


def test_the_log_may_lag_behind_an_answer_of_500() -> None:
    web = Web(get=500)
    with web.running() as port:
        driver = Stub(web, ["[REQUEST] RedisClient::CannotConnectError (no):"], {})
        driver.found_at = f"http://127.0.0.1:{port}"
        clock, sleep = Clock.pair()
        complete = driver.log_since
        driver.log_since = lambda *asked: complete(*asked) if clock() > 1 else []  # type: ignore[method-assign]
        verdict = QueueCheck(driver, Question(reset=ACCOUNT, known=FORM), clock, sleep).run()  # type: ignore[arg-type]
    assert codes(verdict) == ["redis-unreachable"]


def test_a_web_service_that_is_not_there() -> None:
    driver = Stub(Web(), [BEGUN, SENT, DONE], {})
    driver.found_at, driver.answers = "http://127.0.0.1:1", [ANSWER]
    verdict = QueueCheck(driver, Question(reset=ACCOUNT, known=FORM), *Clock.pair()).run()  # type: ignore[arg-type]
    assert (codes(verdict), verdict.findings[0].subject) == (["web-not-reached"], "http://127.0.0.1:1")
    assert (verdict.fate, verdict.findings[0].severity) == ("delivered", "warning")


def enqueue(answer: dict[str, t.Any], log: t.Sequence[str] = (), *more: dict[str, t.Any]) -> Verdict:
    question = Question(enqueue="a@b.example", deadline=30)
    return Case(log, answers=[answer, *more], question=question).run()[0]


ANSWER = {"job_id": JOB, "jid": "9e0889d326e2559eefb53da4", "queue": "mailers", "served": ["default", "mailers"]}


def test_a_plain_mail_through_the_queue() -> None:
    assert enqueue(ANSWER, [BEGUN, SENT, DONE]).fate == "delivered"
    silent = enqueue(ANSWER, [BEGUN, DONE])
    assert (silent.fate, silent.findings) == ("performed", [])
    assert str(silent.as_dict()["message_id"]).endswith("@here.example")


def test_a_queue_that_nobody_serves_is_known_at_once() -> None:
    verdict = enqueue({**ANSWER, "served": ["default", "push"], "unserved": True, "removed": 1})
    assert (codes(verdict), verdict.fate) == (["queue-not-served"], "waiting")
    assert "default, push" in verdict.findings[0].message


NO_METHOD = {"class": "NoMethodError", "message": "undefined method 'mail'"}


@pytest.mark.parametrize(
    ("answer", "code", "fate"),
    [
        (REDIS_DOWN, "redis-unreachable", "not_queued"),
        ({"refused": True}, "queue-outcome-unknown", "not_queued"),
        ({"failure": {"stage": "queue", "chain": [NO_METHOD]}}, "queue-outcome-unknown", "unknown"),
    ],
)  # fmt: skip
def test_a_mail_that_does_not_get_into_the_queue(answer: dict[str, t.Any], code: str, fate: str) -> None:
    verdict = enqueue(answer)
    assert (codes(verdict), verdict.fate) == ([code], fate)


def test_a_plain_mail_that_sidekiq_cannot_carry_out_says_nothing_about_the_settings() -> None:
    verdict = enqueue(ANSWER, [BEGUN, error("NoMethodError (undefined method 'class_eval')")], REMOVED)
    assert (verdict.fate, codes(verdict)) == ("failed", ["queue-outcome-unknown"])
    assert set(codes(verdict)) <= OF_TEST


LOOKED = {"state": "gets_mail", "throttled_for": None}


def test_without_an_earlier_answer_rails_is_asked_who_gets_mail() -> None:
    question = Question(reset=ACCOUNT, deadline=30)
    verdict, driver = Case([QUEUED, BEGUN, SENT, DONE], answers=[LOOKED], question=question).run()
    assert (verdict.fate, verdict.way, driver.boots[0]["account"]) == ("delivered", "form", ACCOUNT)


@pytest.mark.parametrize(("sent", "fate", "severity"), [(True, "delivered", "unknown"), (False, "unknown", "error")])
def test_a_job_that_ended_well_proves_nothing_where_nobody_knows_whether_a_mail_was_due(
    sent: bool, fate: str, severity: str
) -> None:
    unasked = {"state": "unasked", "error": "NoMethodError: no", "throttled_for": None}
    log = [QUEUED, BEGUN, *([SENT] if sent else []), DONE]
    case = Case(log, answers=[unasked], question=Question(reset=ACCOUNT, deadline=30), variables={"RELEASE": "4.5.3"})
    told = choose(ACCOUNT, "", {"account": Account.told(unasked)}, ["web", "sidekiq"])
    known = Question(reset=ACCOUNT, deadline=30, known=told.as_dict())
    for seen in (case, dataclasses.replace(case, web=Web(), answers=[], question=known)):
        verdict, _driver = seen.run()
        assert (verdict.fate, [(one.code, one.severity) for one in verdict.findings]) == (
            fate,
            [("account-not-checked", severity)],
        )
        assert set(codes(verdict)) <= OF_TEST and "NoMethodError" in verdict.findings[0].message


@pytest.mark.parametrize("state", ["unknown", "no_password", "memorial"])
def test_an_account_that_gets_no_mail_is_known_before_anything_is_sent(state: str) -> None:
    web = Web()
    looked = {"state": state, "throttled_for": None}
    verdict, _driver = Case(web=web, answers=[looked], question=Question(reset=ACCOUNT)).run()
    assert (verdict.fate, codes(verdict), web.asked) == ("not_sent", ["account-gets-no-mail"], [])
    known = {"way": "none", "to": "", "reason": "It is a memorial."}
    verdict, _driver = Case(web=web, question=Question(reset=ACCOUNT, known=known)).run()
    assert (verdict.fate, codes(verdict), web.asked) == ("not_sent", ["account-gets-no-mail"], [])


def test_where_no_sidekiq_runs_nothing_is_sent() -> None:
    driver = Stub(Web(), [], {})
    elsewhere = Finding("sidekiq-elsewhere", "info", "sidekiq", "No Sidekiq runs on this host.")
    web = driver.instance.services[:1]
    driver.instance = dataclasses.replace(driver.instance, services=web, findings=(elsewhere,))
    verdict = QueueCheck(driver, Question(reset=ACCOUNT)).run()  # type: ignore[arg-type]
    assert (verdict.fate, verdict.way, verdict.findings) == ("not_sent", None, [elsewhere])


def test_a_host_on_which_nothing_is_meant_to_run_is_no_half() -> None:
    driver = Stub(Web(), [], {}, "stopped")
    driver.instance = dataclasses.replace(driver.instance, services=())
    assert codes(QueueCheck(driver, Question(reset=ACCOUNT)).run()) == ["sidekiq-not-running"]  # type: ignore[arg-type]


def test_where_web_is_found_counts_and_not_what_the_environment_file_says() -> None:
    case = Case([QUEUED, BEGUN, SENT, DONE], variables={"PORT": "1", "BIND": "0.0.0.0"})
    verdict, _driver = case.run()
    assert verdict.findings == []
    assert case.web.asked[0][2]["Host"] == "here.example"
