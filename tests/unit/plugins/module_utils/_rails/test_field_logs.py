# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log shapes of the field, one row each: prefixes, formatters and levels that change the lines but not the outcome.

The ids are those of the reports (source beside each); names and addresses are made up.
"""

from __future__ import annotations

import json

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._rails.job_log import (
    Job,
    enqueued,
    redis_trouble,
    request_error,
)

ID = "82325230-88b1-4b09-a22b-6622c812af6d"
JID = "9e0889d326e2559eefb53da4"
STAMP = "2026-11-23T09:58:38.744Z pid=1278 tid=77i"
OURS = f"[ActiveJob] [ActionMailer::MailDeliveryJob] [{ID}]"
NAMED = f"ActionMailer::MailDeliveryJob (Job ID: {ID}) from Sidekiq(mailers)"
BEGIN = f"{STAMP} class=ActionMailer::MailDeliveryJob jid={JID} INFO: start"
DONE = f"{STAMP} class=ActionMailer::MailDeliveryJob jid={JID} elapsed=0.5 INFO: done"
FAIL = DONE.replace("done", "fail")
PERFORMING = f"{OURS} Performing {NAMED} enqueued at 2026-11-23T09:58:38Z"
PERFORMED = f"{OURS} Performed {NAMED} in 512.3ms"
DELIVERED = f"{OURS} Delivered mail 6b04@masto.example (1.3ms)"
NO_NAME = "getaddrinfo: Temporary failure in name resolution"
SOCKET = f"{OURS} Error performing {NAMED} in 4.1ms: SocketError ({NO_NAME}):"
TIMEOUT = f"{OURS} Error performing {NAMED} in 30002ms: Net::OpenTimeout (execution expired):"
LATER = f"{OURS} Error performing {NAMED} in 90ms: Net::SMTPServerBusy (450 4.2.0 Greylisted, please try again):"
TLS = "SSL_connect returned=1 errno=0 state=error: certificate verify failed (self signed certificate)"
UNTRUSTED = f"{OURS} Error performing {NAMED} in 51ms: OpenSSL::SSL::SSLError ({TLS}):"
REFUSED = 'Connection refused - connect(2) for "smtp.relay.test" port 587'
WARNED = json.dumps({"context": "Job raised exception", "job": {"jid": JID, "args": [{"job_id": ID}]}})


def told(message: str, level: str = "INFO") -> str:
    """A line of Sidekiq's JSON formatter."""
    context = {"class": "ActionMailer::MailDeliveryJob", "jid": JID}
    return json.dumps({"ts": STAMP[:24], "pid": 1278, "tid": "77i", "lvl": level, "msg": message, "ctx": context})


def prefixed(prefix: str, *lines: str) -> tuple[str, ...]:
    return tuple(prefix + line for line in lines)


PERFORMED_ONCE = ("performed", 1, [])
NOT_RESOLVED = ("failed", 1, [("SocketError", NO_NAME)])
#: Row and source, lines -> end, attempts, errors.
SHAPES: tuple[tuple[str, tuple[str, ...], tuple[str, int, list[tuple[str, str]]]], ...] = (
    (
        "L01 journal, Rails 6.1: delivered, then the error (mastodon#16669)",
        prefixed("Nov 23 09:58:38 host bundle[1278]: ", BEGIN, PERFORMING, DELIVERED, SOCKET, FAIL),
        NOT_RESOLVED,
    ),
    (
        "L02 Compose's prefix (mastodon#20310)",
        prefixed("mastodon-sidekiq-1  | ", BEGIN, PERFORMING, UNTRUSTED, FAIL),
        ("failed", 1, [("OpenSSL::SSL::SSLError", TLS)]),
    ),
    (
        "L03 docker logs --timestamps",
        prefixed("2026-11-23T09:58:38.744123456Z ", BEGIN, PERFORMING, PERFORMED, DONE),
        PERFORMED_ONCE,
    ),
    (
        "L04 Sidekiq without timestamps (DYNO is set)",
        (BEGIN.partition(" ")[2], PERFORMING, PERFORMED, DONE.partition(" ")[2]),
        PERFORMED_ONCE,
    ),
    (
        "L05 colours of a terminal",
        (
            BEGIN.replace("INFO", "\x1b[32mINFO\x1b[0m"),
            f"\x1b[1m{SOCKET}\x1b[0m",
            FAIL.replace("INFO", "\x1b[32mINFO\x1b[0m"),
        ),
        NOT_RESOLVED,
    ),
    ("L06 Sidekiq's JSON formatter (chatwoot#9188)", (told("start"), told("done")), PERFORMED_ONCE),
    ("L06b Active Job's line within JSON", (told("start"), told(SOCKET, "ERROR"), told("fail")), NOT_RESOLVED),
    (
        "L07 ::Logger::Formatter (docuseal#193)",
        prefixed("E, [2026-11-23T09:58:38.744000 #1278] ERROR -- : ", PERFORMING, SOCKET),
        NOT_RESOLVED,
    ),
    ("L08 Rails 7.1", (BEGIN, PERFORMING, PERFORMED, DONE), PERFORMED_ONCE),
    (
        "L09 two attempts that time out",
        (BEGIN, PERFORMING, TIMEOUT, FAIL, BEGIN, PERFORMING, TIMEOUT, FAIL),
        ("failed", 2, [("Net::OpenTimeout", "execution expired")] * 2),
    ),
    ("L10 level warn on Rails 6.1: the error's line stays", (SOCKET,), NOT_RESOLVED),
    (
        "L11 level warn: only Sidekiq's pair (seen on 4.5.3)",
        (f"{STAMP} WARN: {WARNED.replace(': ', ':')}", f"{STAMP} WARN: Errno::ECONNREFUSED: {REFUSED}"),
        ("failed", 1, [("Errno::ECONNREFUSED", REFUSED)]),
    ),
    (
        "L14 parentheses and a colon in the message",
        (BEGIN, PERFORMING, SOCKET.replace(NO_NAME, "no (really): not (yet)"), FAIL),
        ("failed", 1, [("SocketError", "no (really): not (yet)")]),
    ),
    (
        "L15 greylisted, then performed",
        (BEGIN, PERFORMING, LATER, FAIL, BEGIN, PERFORMING, PERFORMED, DONE),
        ("performed", 2, [("Net::SMTPServerBusy", "450 4.2.0 Greylisted, please try again")]),
    ),
)


@pytest.mark.parametrize(("lines", "outcome"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES])
def test_a_job_in_every_shape_of_log(lines: tuple[str, ...], outcome: tuple[str, int, list[tuple[str, str]]]) -> None:
    found = Job(id=ID, jid=JID, queue="mailers")
    for line in lines:
        found.read(line)
    assert (found.ended, found.attempts, found.errors) == outcome


REQUEST = "561b3808-1ef5-45d9-8f50-6765e5c26683"
QUEUED = f"[{REQUEST}] [ActiveJob] Enqueued ActionMailer::MailDeliveryJob (Job ID: {ID}) to Sidekiq(mailers) with: x"


@pytest.mark.parametrize(
    "line",
    [QUEUED, f"I, [2026-11-23T09:58:38.744000 #1278]  INFO -- : {QUEUED}", told(QUEUED)],
    ids=["Q01 tagged", "Q02 Logger::Formatter", "Q03 JSON"],
)
def test_the_line_that_puts_a_job_into_the_queue(line: str) -> None:
    assert enqueued([line], REQUEST) == Job(id=ID, queue="mailers")


DOWN = "Error connecting to Redis on 127.0.0.1:6379 (Errno::ECONNREFUSED)"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (f"[{REQUEST}] method=POST status=500 error='SocketError: {NO_NAME}' duration=4.2", ("SocketError", NO_NAME)),
        (f"[{REQUEST}] Redis::CannotConnectError ({DOWN}):", ("Redis::CannotConnectError", DOWN)),
        (f"[{REQUEST}] Redis::CannotConnectError ({DOWN})", ("Redis::CannotConnectError", DOWN)),
        (
            f"[{REQUEST}] RedisClient::ReadTimeoutError (Waited 1.0 seconds)",
            ("RedisClient::ReadTimeoutError", "Waited 1.0 seconds"),
        ),
    ],
    ids=["Q04 lograge with a tail", "Q05 Redis", "Q06 without the colon", "Q08 a timeout"],
)
def test_what_ended_a_request_in_every_shape(line: str, error: tuple[str, str]) -> None:
    assert request_error([line], REQUEST) == error


@pytest.mark.parametrize(
    "line",
    [
        f"{STAMP} ERROR: heartbeat: Connection refused - connect(2) for 127.0.0.1:6379",
        f"{STAMP} ERROR: Error fetching job: MISCONF Redis is configured to save RDB snapshots, but cannot",
    ],
    ids=["R01 heartbeat", "R02 MISCONF"],
)
def test_trouble_with_redis(line: str) -> None:
    assert redis_trouble([BEGIN, line, DONE]) == line
