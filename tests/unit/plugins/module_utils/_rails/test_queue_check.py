# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queue check against a scripted web service on loopback and a scripted log."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import re
import socketserver
import threading
import typing as t
import urllib.parse
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import (
    Completed,
    Instance,
    LogLine,
    Service,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.queue_check import Question, QueueCheck, Verdict

ACCOUNT = "alice@here.example"
TOKEN = "cs/rf+token=="
PAGE = f"""<html><form action="/search" method="get"><input name="q"></form>
<form action="https://here.example/auth/password" method="post">
<input type="hidden" name="authenticity_token" value="{TOKEN}"><input type="email" name="user[email]"></form></html>"""
JOB = "82325230-88b1-4b09-a22b-6622c812af6d"
NAMED = f"[{JOB}] %s ActionMailer::MailDeliveryJob (Job ID: {JOB}) from Sidekiq(mailers)"
BEGUN, DONE = NAMED % "Performing", f"{NAMED % 'Performed'} in 212.5ms"
NOTHING = f"{NAMED % 'Performed'} in 1.33ms"
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
        self.found_at = (
            f"unix:{given['SOCKET']}" if "SOCKET" in given else f"http://127.0.0.1:{given.get('PORT', 3000)}"
        )
        self.answer: dict[str, t.Any] = {}
        self.stdin = b""

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
        return [LogLine(0.0, "x", 1, text.replace("REQUEST", request)) for text in self.log]

    def run_in_app(self, _command: t.Sequence[str], *, stdin: bytes = b"", **_unused: t.Any) -> Completed:
        self.stdin = stdin

        found = re.search(rb'parse\("([^"]+)"', stdin)
        assert found
        mark = json.loads(base64.b64decode(found.group(1)))["mark"]
        return Completed(0, f"noise\n{mark}{json.dumps(self.answer)}\n".encode())


QUEUED = (
    f"[REQUEST] [ActiveJob] Enqueued ActionMailer::MailDeliveryJob (Job ID: {JOB}) to Sidekiq(mailers) with arguments"
)


def reset(log: t.Sequence[str], web: Web | None = None, sidekiq: str = "running", **variables: str) -> Verdict:
    web = web or Web()
    with web.running() as port:
        driver = Stub(web, log, {"PORT": port, **variables}, sidekiq)
        return QueueCheck(driver, Question(reset=ACCOUNT, deadline=0.5), *Clock.pair()).run()  # type: ignore[arg-type]


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


def test_a_web_service_behind_a_socket(tmp_path: Path) -> None:
    web = Web()
    path = str(tmp_path / "web.sock")
    with web.running(path):
        driver = Stub(web, [QUEUED, BEGUN, SENT, DONE], {"SOCKET": path})
        verdict = QueueCheck(driver, Question(reset=ACCOUNT)).run()  # type: ignore[arg-type]
    assert verdict.fate == "delivered"


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
    verdict = reset([QUEUED, BEGUN, SENT, error(text)])
    assert (codes(verdict), verdict.fate) == ([code], "failed")
    whole = json.dumps([verdict.as_dict(), [one.as_dict() for one in verdict.findings]])
    for hidden in ("boss@work.example", "s3cr3t-pw", "x@y.example"):
        assert hidden not in whole
    assert verdict.findings[0].subject == "smtp.example.net:587"


def test_a_second_attempt_that_succeeds_is_a_warning() -> None:
    again = [QUEUED, BEGUN, error("Net::SMTPServerBusy (451 4.3.0 later)"), BEGUN, SENT, DONE]
    verdict = reset(again)
    assert (verdict.fate, [one.severity for one in verdict.findings]) == ("delivered", ["warning"])
    assert verdict.as_dict()["job"]["attempts"] == 2


@pytest.mark.parametrize(
    ("log", "severities", "server"),
    [
        ([QUEUED, BEGUN, DONE], [], "smtp.example.net"),
        ([QUEUED, BEGUN, NOTHING], ["warning"], "smtp.example.net"),
        ([QUEUED, BEGUN, NOTHING], [], "localhost"),
    ],
)
def test_a_mastodon_that_does_not_log_deliveries(log: list[str], severities: list[str], server: str) -> None:
    verdict = reset(log, RELEASE="4.3.8", SMTP_SERVER=server)
    assert (verdict.fate, [one.severity for one in verdict.findings]) == ("performed", severities)
    assert verdict.as_dict()["message_id"] is None


@pytest.mark.parametrize(
    ("log", "fate", "found"),
    [
        ([QUEUED], "waiting", "job-not-picked-up"),
        ([QUEUED, "ERROR: Error fetching job: Connection refused"], "waiting", "redis-unreachable"),
        ([QUEUED, BEGUN], "waiting", "relay-silent"),
        ([QUEUED, BEGUN, DONE], "performed", "account-gets-no-mail"),
        (["[REQUEST] method=POST status=303"], "not_queued", "account-gets-no-mail"),
        (["[REQUEST] Redis::CannotConnectError (refused):"], "not_queued", "redis-unreachable"),
        ([], "unknown", "queue-outcome-unknown"),
    ],
)
def test_other_fates(log: list[str], fate: str, found: str) -> None:
    verdict = reset(log)
    assert (verdict.fate, codes(verdict)) == (fate, [found])


def test_a_log_level_that_hides_jobs_is_no_error() -> None:
    verdict = reset([QUEUED], RAILS_LOG_LEVEL="warn")
    assert [(one.code, one.severity) for one in verdict.findings] == [("queue-outcome-unknown", "unknown")]


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
        (Web(post=422), [], "reset-form-refused"),
        (Web(post=429), [], "reset-form-throttled"),
        (Web(post=500), ["[REQUEST] KeyError (x):"], "reset-form-refused"),
        (Web(post=500), ["[REQUEST] RedisClient::CannotConnectError (no):"], "redis-unreachable"),
        (Web(get=500), ["[REQUEST] RedisClient::CannotConnectError (no):"], "redis-unreachable"),
    ],
)
def test_a_web_service_that_refuses(web: Web, log: list[str], found: str) -> None:
    verdict = reset(log, web)
    assert codes(verdict) == [found]
    assert verdict.job is None


def test_the_log_may_lag_behind_an_answer_of_500() -> None:
    web = Web(get=500)
    with web.running() as port:
        driver = Stub(web, ["[REQUEST] RedisClient::CannotConnectError (no):"], {"PORT": port})
        clock, sleep = Clock.pair()
        complete = driver.log_since
        driver.log_since = lambda *asked: complete(*asked) if clock() > 1 else []  # type: ignore[method-assign]
        verdict = QueueCheck(driver, Question(reset=ACCOUNT), clock, sleep).run()  # type: ignore[arg-type]
    assert codes(verdict) == ["redis-unreachable"]


def test_a_web_service_that_is_not_there() -> None:
    driver = Stub(Web(), [], {"PORT": "1"})
    verdict = QueueCheck(driver, Question(reset=ACCOUNT)).run()  # type: ignore[arg-type]
    assert (codes(verdict), verdict.findings[0].subject) == (["web-not-reached"], "http://127.0.0.1:1")


def enqueue(answer: dict[str, t.Any], log: t.Sequence[str] = ()) -> Verdict:
    driver = Stub(Web(), log, {})
    driver.answer = answer
    return QueueCheck(driver, Question(enqueue="a@b.example", deadline=0.5), *Clock.pair()).run()  # type: ignore[arg-type]


ANSWER = {"job_id": JOB, "jid": "9e0889d326e2559eefb53da4", "queue": "mailers", "served": ["default", "mailers"]}


def test_a_plain_mail_through_the_queue() -> None:
    assert enqueue(ANSWER, [BEGUN, SENT, DONE]).fate == "delivered"
    silent = enqueue(ANSWER, [BEGUN, DONE])
    assert (silent.fate, silent.findings) == ("performed", [])
    assert str(silent.as_dict()["message_id"]).endswith("@here.example")


def test_a_queue_that_nobody_serves_is_known_at_once() -> None:
    verdict = enqueue({**ANSWER, "served": ["default", "push"]})
    assert (codes(verdict), verdict.fate) == (["queue-not-served"], "waiting")
    assert "default, push" in verdict.findings[0].message


REDIS_DOWN = {"class": "RedisClient::CannotConnectError", "message": "no"}


@pytest.mark.parametrize(
    ("answer", "code", "fate"),
    [
        ({"failure": {"stage": "queue", "chain": [REDIS_DOWN]}}, "redis-unreachable", "not_queued"),
        ({"refused": True}, "queue-outcome-unknown", "not_queued"),
    ],
)  # fmt: skip
def test_a_mail_that_does_not_get_into_the_queue(answer: dict[str, t.Any], code: str, fate: str) -> None:
    verdict = enqueue(answer)
    assert (codes(verdict), verdict.fate) == ([code], fate)


def test_where_the_driver_has_found_it_counts_more_than_the_environment_file() -> None:
    web = Web()
    with web.running() as port:
        driver = Stub(web, [QUEUED, BEGUN, SENT, DONE], {"PORT": "1", "BIND": "0.0.0.0"})
        driver.found_at = f"http://127.0.0.1:{port}"
        verdict = QueueCheck(driver, Question(reset=ACCOUNT, deadline=0.5), *Clock.pair()).run()  # type: ignore[arg-type]
    assert verdict.findings == []
    assert web.asked[0][2]["Host"] == "here.example"
