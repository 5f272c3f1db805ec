# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every error that the field knows, as it was seen, and the cause that is named for it."""

from __future__ import annotations

import dataclasses

import pytest
from errors_seen import ANY, CASES, SEEN, STARTTLS, Case

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.diagnose import diagnose, row_for, rows
from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.model import Context, Failure
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.delivery import TABLE as DELIVERY
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.refusals import TABLE as REFUSALS


@pytest.mark.parametrize("case", CASES, ids=[f"{case.stage}: {case.message[:40]}" for case in CASES])
def test_a_seen_error_gets_its_cause(case: Case) -> None:
    assert diagnose(case.failure, case.context).code == case.code


@pytest.mark.parametrize("case", [case for case in CASES if not case.classes and case.failure.completed().code])
def test_a_reply_means_the_same_whether_it_comes_apart_or_inside_an_exception(case: Case) -> None:
    number, _unused, text = case.message.partition(" ")
    assert diagnose(Failure(case.stage, message=text, code=int(number)), case.context).code == case.code
    inside = Failure(case.stage, ("Net::SMTPUnknownError",), case.message + "\n")
    assert diagnose(inside, case.context).code == case.code


#: What only the stage can tell: a handshake that gets no answer looks like a connection that gets none.
STAGE_TELLS = {("tls", "Net::OpenTimeout")}


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in CASES
        if case.stage not in ("boot", "queue") and any("::" in name for name in case.classes[:1])
        if (case.stage, case.classes[0]) not in STAGE_TELLS
    ],
    ids=lambda case: f"{case.stage}: {case.message[:40]}",
)
def test_the_cause_is_the_same_where_sidekiq_logs_it_without_a_stage(case: Case) -> None:
    without = Failure("queue", case.classes, case.message)
    assert diagnose(without, case.context).code == case.code


@pytest.mark.parametrize(
    ("failure", "ruby", "words"),
    [
        (Failure("connect", kind="timed-out"), "Net::OpenTimeout", "attempts (no answer in time)"),
        (Failure("auth", kind="closed"), "EOFError", "(the connection was closed)"),
        (Failure("connect", ("Errno::ECONNREFUSED",), "no", kind="refused"), "Errno::ECONNREFUSED", "ECONNREFUSED"),
        (Failure("mail", ("Errno::ECONNRESET",), "reset", kind="closed"), "Errno::ECONNRESET", "was interrupted"),
        (Failure("tls", (), "alert", verify_code=10, kind="certificate"), "OpenSSL::SSL::SSLError", '("alert")'),
        (Failure("tls", (), "unsupported protocol", kind="tls"), "OpenSSL::SSL::SSLError", '("unsupported protocol")'),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_probe_and_rails_are_told_the_same_of_one_fault(failure: Failure, ruby: str, words: str) -> None:
    context = Context(host="smtp.example.net", port=587, tls="starttls")
    mine, theirs = (row_for(one, context) for one in (failure, dataclasses.replace(failure, classes=(ruby,), kind="")))
    assert mine is theirs and words in diagnose(failure, context).message


def test_every_row_speaks_for_a_case() -> None:
    spoken = {id(row_for(case.failure, case.context)) for case in CASES}
    spoken |= {id(row_for(one, seen.context)) for seen in SEEN for one in (seen.failure, seen.of_queue)}
    assert [f"{row.code}: {row.message}" for row in rows() if id(row) not in spoken] == []


def test_every_code_of_the_table_can_be_diagnosed() -> None:
    assert {row.code for row in rows()} == {*DELIVERY.rows, *REFUSALS.rows}


@pytest.mark.parametrize(
    "context", [ANY, STARTTLS, Context(host="::1", port=25, relay="bulk", hint="Use an SMTP key.")]
)
def test_every_template_can_be_filled_and_names_real_options(context: Context) -> None:
    for row in rows():
        for text in (row.message, row.fix):
            assert text.count("{") == text.count("}")
    for case in CASES:
        finding = diagnose(case.failure, context)
        assert "{" not in finding.message + finding.fix
        assert finding.fix


def test_the_bulk_relay_names_the_bulk_options() -> None:
    failure = Failure("auth", code=535, message="5.7.8 no")
    assert "mastodon_smtp_password" in diagnose(failure, STARTTLS).fix
    fix = diagnose(failure, Context(relay="bulk")).fix
    assert "mastodon_smtp_bulk_password" in fix
    assert "mastodon_smtp_bulk.login" in fix


def test_the_providers_hint_is_given_with_a_refused_login_only() -> None:
    context = Context(host="smtp.example.net", port=587, hint="Use an SMTP key, not the API key.")
    assert diagnose(Failure("auth", code=535), context).fix.endswith("Use an SMTP key, not the API key.")
    assert "SMTP key" not in diagnose(Failure("connect", ("Errno::ECONNREFUSED",)), context).fix


def test_quoting_is_suspected_only_where_a_file_was_read_and_nothing_has_compared_the_password() -> None:
    refused = Failure("auth", message="535 5.7.8 no")
    told = "a quoting mistake in /live/.env.production"
    assert told in diagnose(refused, Context(file="/live/.env.production")).fix
    for context in (Context(), Context(file="/live/.env.production", as_intended=True)):
        assert "quoting" not in diagnose(refused, context).fix


def test_the_words_are_quoted_without_secrets_and_other_peoples_addresses() -> None:
    context = Context(host="r", port=25, sender="me@here.example", recipient="you@there.example", secrets=("hunter2!",))
    failure = Failure("data", ("Net::SMTPFatalError",), "554 5.7.0 me@here.example boss@work.example hunter2!\r\n")
    message = diagnose(failure, context).message
    assert "me@here.example" in message
    assert "boss@work.example" not in message
    assert "hunter2!" not in message
    assert "\n" not in message


def test_a_code_is_not_repeated_in_the_words() -> None:
    assert '"554 5.7.1 no"' in diagnose(Failure("data", code=554, message="5.7.1 no")).message
    assert '"554 5.7.1 no"' in diagnose(Failure("data", (), "554 5.7.1 no")).message


@pytest.mark.parametrize(
    ("failure", "subject"),
    [
        (Failure("boot", ("NoMethodError",), "undefined method 'to_sym' for nil"), "/srv/.env.production"),
        (Failure("boot", ("KeyError",), "x"), "Rails"),
        (Failure("queue", (), ""), "Sidekiq"),
        (Failure("auth", code=535), "[2001:db8::1]:587"),
    ],
)
def test_subject(failure: Failure, subject: str) -> None:
    assert diagnose(failure, Context(host="2001:db8::1", port=587, file="/srv/.env.production")).subject == subject


UNREADABLE = "YAML syntax error occurred while parsing /live/config/email.yml. Please note that ... Error: "
NO_TOKEN = UNREADABLE + "found character that cannot start any token while scanning for the next token at line {}"
NO_KEY = UNREADABLE + "did not find expected key while parsing a block mapping at line 4 column 3"


def unreadable(release: str, message: str, variable: str = "") -> tuple[str, str]:
    context = Context(release=release and f"Mastodon {release}", file=".env.production", variable=variable)
    finding = diagnose(Failure("boot", ("RuntimeError",), message), context)
    assert finding.code == "email-yml-unreadable"
    return finding.message, finding.fix


@pytest.mark.parametrize("release", ["4.4.1", "4.5.15", "4.6.5", "4.7.0-alpha.2", ""])
def test_an_upgrade_is_advised_only_where_it_helps(release: str) -> None:
    message, fix = unreadable(release, NO_TOKEN.format(13))
    assert "SMTP_DOMAIN or LOCAL_DOMAIN" in message
    assert "Upgrade" not in fix
    assert fix.startswith("Correct SMTP_DOMAIN or LOCAL_DOMAIN. ")
    message, fix = unreadable(release, NO_KEY)
    assert "Upgrade" not in fix
    assert "SMTP_PORT, SMTP_DOMAIN, SMTP_AUTH_METHOD, SMTP_CA_FILE" in fix
    assert "Upgrade" not in unreadable(release, UNREADABLE, "LOCAL_DOMAIN")[1]


def test_4_4_0_quotes_nothing_and_later_releases_most() -> None:
    seen = ((12, "", True), (13, "", False), (9, "", False), (1, "SMTP_LOGIN", True), (1, "SMTP_PORT", False))
    for line, variable, helps in seen:
        _unused, fix = unreadable("4.4.0", NO_TOKEN.format(line), variable)
        assert ("Upgrade to Mastodon 4.4.1" in fix) == helps, (line, variable)
