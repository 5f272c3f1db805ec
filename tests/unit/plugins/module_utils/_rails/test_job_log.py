# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log lines as Rails 6.1 with Sidekiq 6.4, and Rails 7.2 with Sidekiq 7.3, wrote them."""

from __future__ import annotations

import json

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._rails.job_log import (
    Job,
    enqueued,
    plain,
    redis_trouble,
    request_error,
)

ID = "82325230-88b1-4b09-a22b-6622c812af6d"
JID = "9e0889d326e2559eefb53da4"
OLD = f"[ActiveJob] [ActionMailer::MailDeliveryJob] [{ID}] "
NEW = f"I, [2026-11-23T09:58:32.072011 #1512]  INFO -- : {OLD}"
NAMED = f"ActionMailer::MailDeliveryJob (Job ID: {ID}) from Sidekiq(mailers)"
START = f"2026-11-23T09:58:38.744Z pid=1278 tid=77i class=ActionMailer::MailDeliveryJob jid={JID} INFO: start"
DONE = (
    f"2026-11-23T09:58:38.746Z pid=1278 tid=77i class=ActionMailer::MailDeliveryJob jid={JID} elapsed=0.003 INFO: done"
)
FAIL = DONE.replace("INFO: done", "INFO: fail")
JSON_DONE = f'{{"ts":"x","pid":1,"lvl":"INFO","ctx":{{"class":"X","jid":"{JID}","elapsed":0.1}},"msg":"done"}}'
ARGUMENTS = 'enqueued at 2026-11-23T09:58:38Z with arguments: "UserMailer", "reset_password_instructions", "t0ken"'

BEGIN = f"{OLD}Performing {NAMED} {ARGUMENTS}"
SENT = f"{OLD}Delivered mail 6b04@masto.example (1.3ms)"
ENDED = f"{OLD}Performed {NAMED} in 0.86ms"
#: Rails 6.1 says "Delivered mail" of this one as well.
REFUSED = f"{OLD}Error performing {NAMED} in 18.5ms: Net::SMTPAuthenticationError (535 5.7.8 no (really)\n):"
REFUSED_FIRST_LINE = REFUSED.split("\n", 1)[0]
RESOLUTION = f"E, [x]  ERROR -- : {OLD}Error performing {NAMED} in 4ms: Socket::ResolutionError (getaddrinfo: unknown):"
UNDELIVERED = f'{NEW}Failed delivery of mail 6b04@masto.example error_class=Net::OpenTimeout error_message="expired"'


def job(*lines: str, jid: str = JID) -> Job:
    found = Job(id=ID, jid=jid, queue="mailers")
    for line in lines:
        found.read(line)
    return found


@pytest.mark.parametrize("lines", [(START, BEGIN, SENT, ENDED, DONE), (BEGIN, SENT, ENDED), (START, SENT, DONE)])
def test_delivered(lines: tuple[str, ...]) -> None:
    found = job(*lines)
    assert (found.ended, found.delivered, found.message_id) == ("performed", True, "6b04@masto.example")
    assert (found.attempts, found.errors) == (1, [])


def test_delivered_mail_does_not_count_when_the_job_failed_then() -> None:
    found = job(START, BEGIN, SENT, REFUSED_FIRST_LINE, FAIL)
    assert (found.ended, found.delivered) == ("failed", False)
    assert found.errors == [("Net::SMTPAuthenticationError", "535 5.7.8 no (really)")]


def test_failed_delivery_of_the_newer_rails() -> None:
    found = job(BEGIN, UNDELIVERED, RESOLUTION)
    assert (found.ended, found.message_id) == ("failed", "6b04@masto.example")
    assert found.errors == [("Socket::ResolutionError", "getaddrinfo: unknown")]


def test_a_second_attempt() -> None:
    found = job(START, BEGIN, RESOLUTION, FAIL, START, BEGIN, SENT, ENDED, DONE)
    assert (found.ended, found.delivered, found.attempts, len(found.errors)) == ("performed", True, 2, 1)


def test_between_two_attempts_it_has_failed_and_during_the_second_it_has_not_ended() -> None:
    assert job(BEGIN, RESOLUTION).ended == "failed"
    assert job(BEGIN, RESOLUTION, BEGIN).ended == ""


def test_sidekiqs_own_lines_are_enough() -> None:
    assert (job(START, DONE).ended, job(START, FAIL).ended, job(START).ended) == ("performed", "failed", "")
    assert job(JSON_DONE).ended == "performed"


CONTEXT = f'{{"context":"Job raised exception","job":{{"args":[{{"job_id":"{ID}"}}],"jid":"{JID}"}},"jobstr":"x"}}'
WARNED = f"2026-11-23T09:58:38.746Z pid=1278 tid=77i WARN: {CONTEXT}"
CAUSE = "2026-11-23T09:58:38.747Z pid=1278 tid=77i WARN: Net::SMTPAuthenticationError: 535 5.7.8 no: really"


@pytest.mark.parametrize("jid", [JID, ""])
def test_sidekiqs_pair_of_warnings_is_all_that_a_high_level_leaves(jid: str) -> None:
    found = job(WARNED, CAUSE, CAUSE, jid=jid)
    assert (found.ended, found.errors) == ("failed", [("Net::SMTPAuthenticationError", "535 5.7.8 no: really")])
    assert not found.begins_are_logged and job(START).begins_are_logged


def test_lines_of_other_threads_may_stand_between_the_two() -> None:
    other = CAUSE.replace("tid=77i", "tid=8aa").replace("Net::SMTPAuthenticationError", "KeyError")
    assert job(WARNED, other, CAUSE).errors == [("Net::SMTPAuthenticationError", "535 5.7.8 no: really")]
    assert job(WARNED.replace(ID, "1").replace(JID, "2"), CAUSE).errors == []


def test_the_pair_says_nothing_new_where_active_job_has_said_it() -> None:
    found = job(START, BEGIN, REFUSED_FIRST_LINE, FAIL, WARNED, CAUSE)
    assert found.errors == [("Net::SMTPAuthenticationError", "535 5.7.8 no (really)")] and found.attempts == 1


def test_other_jobs_are_passed_over() -> None:
    other = [line.replace(ID, "0" * 8).replace(JID, "f" * 24) for line in (START, BEGIN, SENT, ENDED, DONE)]
    assert job(*other) == Job(id=ID, jid=JID, queue="mailers")
    assert job(START, DONE, jid="").ended == ""


def test_no_mail_of_a_job_that_made_none() -> None:
    found = job(START, BEGIN, ENDED, DONE)
    assert (found.ended, found.delivered, found.message_id) == ("performed", False, "")


REQUEST = "561b3808-1ef5-45d9-8f50-6765e5c26683"
QUEUED = f"[{REQUEST}] [ActiveJob] Enqueued ActionMailer::MailDeliveryJob (Job ID: {ID}) to Sidekiq(mailers) with: x"
REDIS = "RedisClient::CannotConnectError"


def test_the_job_of_a_request() -> None:
    lines = [
        QUEUED.replace(REQUEST, "other").replace(ID, "1-2"),
        QUEUED.replace("ActionMailer::MailDelivery", "Push"),
        QUEUED,
    ]
    assert enqueued(lines, REQUEST) == Job(id=ID, queue="mailers")
    assert enqueued(lines[:2], REQUEST) is None


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (f"[{REQUEST}] {REDIS} (refused):", (REDIS, "refused")),
        (f"[{REQUEST}] method=POST status=500 error='{REDIS}: refused'", (REDIS, "refused")),
        (f"[{REQUEST}] method=POST status=303", None),
        ("[other] KeyError (x):", None),
    ],
)  # fmt: skip
def test_what_ended_a_request(line: str, error: tuple[str, str] | None) -> None:
    assert request_error([line], REQUEST) == error


def test_redis() -> None:
    down = "2026-11-23T10:32:54Z pid=1 tid=2 ERROR: Error fetching job: Cannot assign requested address"
    assert redis_trouble([START, down]) == down
    assert redis_trouble([START, BEGIN, QUEUED]) == ""


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-23T10:32:54Z pid=1 tid=2 ERROR: heartbeat: Connection refused - connect(2) for 127.0.0.1:6379",
        '{"ts":"x","pid":1,"tid":"2","lvl":"ERROR","msg":"heartbeat: Connection refused"}',
    ],
)
def test_a_heartbeat_that_fails_is_redis(line: str) -> None:
    assert "heartbeat: Connection refused" in redis_trouble([START, line])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"[{REQUEST}] method=POST status=500 error='{REDIS}: refused' duration=12.3 view=0.0 request_id=x", "refused"),
        (f"[{REQUEST}] {REDIS} (Connection refused)", "Connection refused"),
        (f'{{"level":"ERROR","request_id":"{REQUEST}","message":"{REDIS} (refused):"}}', "refused"),
    ],
)
def test_the_message_of_a_request_ends_where_it_ends(line: str, message: str) -> None:
    assert request_error([line], REQUEST) == (REDIS, message)


def as_json(message: str, level: str = "INFO", *, jid: str = JID, tid: str = "77i") -> str:
    """A line of Sidekiq's JSON formatter (lib/sidekiq/logger.rb)."""
    told = {"ts": "2026-11-23T09:58:38.744Z", "pid": 1278, "tid": tid, "lvl": level, "msg": message}
    return json.dumps({**told, "ctx": {"class": "ActionMailer::MailDeliveryJob", "jid": jid}} if jid else told)


def test_sidekiqs_json_form() -> None:
    started = as_json("start")
    assert (job(started, as_json("done")).ended, job(started).attempts) == ("performed", 1)
    assert job(f"sidekiq-1  | {started}", f"sidekiq-1  | {as_json('fail')}").ended == "failed"


def test_active_jobs_lines_in_json_have_no_tail() -> None:
    found = job(as_json(BEGIN), as_json(REFUSED, "ERROR"))
    assert found.errors == [("Net::SMTPAuthenticationError", "535 5.7.8 no (really)")]
    assert job(as_json(BEGIN), as_json(ENDED)).ended == "performed"
    assert enqueued([as_json(QUEUED, jid="")], REQUEST) == Job(id=ID, queue="mailers")


REPORT = json.dumps(
    {"context": "Job raised exception", "job": {"jid": JID, "args": [{"job_id": ID, "x": "y" * 3000}]}},
    separators=(",", ":"),
)
ERROR = 'Errno::ECONNREFUSED: Connection refused - connect(2) for "smtp.relay.test" port 587'
TOLD = ("Errno::ECONNREFUSED", 'Connection refused - connect(2) for "smtp.relay.test" port 587')
STAMP = "2026-11-23T09:58:38.744Z pid=1278 tid=77i"


@pytest.mark.parametrize(
    "lines",
    [
        (f"{STAMP} WARN: {REPORT}", f"{STAMP} WARN: {ERROR}"),  # Sidekiq 6.4 to 7.3
        (f"WARN: {REPORT}", f"WARN: {ERROR}"),
        (as_json(REPORT, "WARN", jid=""), as_json(ERROR, "WARN", jid="")),
        (f'INFO  {STAMP} context=Job raised exception job={{"jid" => "{JID}"}}: {TOLD[1]} ({TOLD[0]})',),  # Sidekiq 8
    ],
)
def test_below_level_info_sidekiqs_own_report_has_the_cause(lines: tuple[str, ...]) -> None:
    found = job(*lines)
    assert (found.ended, found.errors, found.attempts) == ("failed", [TOLD], 1)


def test_one_failed_attempt_is_one_error_however_many_lines_tell_it() -> None:
    pair = (f"{STAMP} WARN: {REPORT}", f"{STAMP} WARN: {ERROR}")
    assert len(job(BEGIN, RESOLUTION, FAIL, *pair).errors) == 1
    assert len(job(*pair, *pair).errors) == 2


@pytest.mark.parametrize("identified", ["", f"(Job ID: {ID}) "])
def test_a_discarded_job_has_failed_though_sidekiq_says_done(identified: str) -> None:
    what = "ActiveJob::DeserializationError"
    gone = f"{OLD}Discarded ActionMailer::MailDeliveryJob {identified}due to a {what}" + (
        " (gone)." if identified else "."
    )
    found = job(START, BEGIN, gone, DONE)
    assert (found.ended, found.errors) == ("failed", [(what, "gone" if identified else "")])


def test_a_job_that_a_callback_halted_has_failed() -> None:
    halted = f"{OLD}Error performing {NAMED} in 4ms: a before_perform callback halted the job execution"
    assert job(START, BEGIN, halted).ended == "failed"


@pytest.mark.parametrize(
    "text", ["{", '{"msg":', '{"msg":3}', '[{"msg":"x"}]', '{"msg":"x"' + "[" * 60000, "x" * 70000]
)
def test_what_is_no_json_is_read_as_it_is(text: str) -> None:
    assert plain(text) == text
