# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Error texts of the field get their true cause, from the probe and from a queue job alike (field.txt)."""

from __future__ import annotations

import typing as t

import pytest
from errors_seen import REPLIES, SEEN, WHERE, Seen

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.diagnose import (
    blocklist,
    code_row,
    diagnose,
    is_temporary,
    row_for,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.model import Context, Failure, Stage
from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.providers import HINTS, about
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.refusals import NOT_THE_LOGIN


@pytest.mark.parametrize("one", SEEN, ids=lambda one: one.name)
def test_the_true_cause_is_named_with_the_stage(one: Seen) -> None:
    assert diagnose(one.failure, one.context).code in one.causes


@pytest.mark.parametrize("one", SEEN, ids=lambda one: one.name)
def test_the_true_cause_is_named_in_a_queue_job(one: Seen) -> None:
    assert diagnose(one.of_queue, one.context).code in one.causes


@pytest.mark.parametrize("one", REPLIES, ids=lambda one: one.name)
def test_the_probe_comes_to_the_same_row_as_rails(one: Seen) -> None:
    assert row_for(one.of_probe, one.context) is row_for(one.failure, one.context)


@pytest.mark.parametrize("one", REPLIES, ids=lambda one: one.name)
def test_a_permanent_refusal_is_never_waited_for_and_a_temporary_one_undoes_nothing(one: Seen) -> None:
    lasting = not any(code_row(code).of_test for code in one.causes)
    assert is_temporary(one.of_queue, one.context) is not lasting


def test_texts_that_no_row_knows_get_the_stage_the_words_and_the_hint() -> None:
    context = Context(host="smtp.example.net", port=587, hint="Example: the login is a token.")
    for stage, where in (("auth", ""), ("data", "after the message"), ("mail", ""), ("rcpt", "")):
        for number in (500, 550, 571, 599):
            finding = diagnose(Failure(t.cast(Stage, stage), message=f"{number} zzyzx qux"), context)
            assert f'"{number} zzyzx qux"' in finding.message and where in finding.message
            assert finding.code == "recipient-refused" or finding.fix.endswith("Example: the login is a token.")
    unknown = diagnose(Failure("mail", message="577 zzyzx"), context)
    assert "in reply to MAIL FROM (the sender)" in unknown.message
    assert diagnose(Failure("data", ("Frob",), "x"), context).fix.endswith("is a token.")


def test_a_providers_facts_are_told_by_its_host_name_alone() -> None:
    unauthorized = Failure("auth", message="525 5.7.1 Unauthorized IP address")
    fix = diagnose(unauthorized, Context(host="smtp-relay.sendinblue.com", port=587)).fix
    assert "Authorized IPs" in fix
    assert "Brevo" not in diagnose(unauthorized, Context(host="smtp.example.net", port=587)).fix
    assert about("notbrevo.com", "address-not-allowed") == ""
    assert all(code_row(code) and one.text.endswith(".") and one.source for one in HINTS for code in one.codes)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("554 5.7.1 Client host [192.0.2.4] blocked using zen.spamhaus.org; https://x.example", "zen.spamhaus.org"),
        ("554 listed at bl.spamcop.net", "bl.spamcop.net"),
        ("550 rejected due to listing in Spamhaus SBL.", "Spamhaus"),
        ("550 5.7.1 part of their network is on our block list (S3150)", "of Microsoft (S3150)"),
        ("550 you are on a blacklist", "that the relay uses"),
    ],
)
def test_the_blocklist_is_named(text: str, name: str) -> None:
    assert blocklist(text) == name
    finding = diagnose(Failure("rcpt", message=text), WHERE["starttls"])
    assert finding.code == "host-address-blocklisted" and name in finding.message


def test_the_code_on_each_line_of_a_reply_does_not_break_its_words() -> None:
    text = "550-5.7.1 not owned\n550-5.7.1 by user x\n550 5.7.1 end 550-x"
    assert Failure("queue", message=text).completed().message == "550-5.7.1 not owned by user x end x"
    wrapped = Failure("queue", ("Net::SMTPUnknownError",), f"could not get 3xx (550: {text}\n)").completed()
    assert (wrapped.stage, wrapped.code, wrapped.enhanced) == ("data", 550, "5.7.1")
    assert wrapped.message == "550-5.7.1 not owned by user x end x"


def test_what_says_nothing_about_the_login_does_not_count_as_a_refused_one() -> None:
    for text in (
        "432 4.3.2 sender thread limit exceeded",
        "525 5.7.1 Unauthorized IP address",
        "454 4.7.0 Temporary authentication failure",
        "421 4.7.0 Too many login attempts",
    ):
        assert diagnose(Failure("auth", message=text), WHERE["starttls"]).code in NOT_THE_LOGIN
    assert diagnose(Failure("auth", message="535 5.7.8 no"), WHERE["starttls"]).code not in NOT_THE_LOGIN


@pytest.mark.parametrize(
    ("text", "words"),
    [("It isn't, can\u2019t, doesn't", "It is not, cannot, does not"), ("don'ts and n't", "don'ts and  not")],
)
def test_contractions_are_read_as_the_long_form(text: str, words: str) -> None:
    assert Failure("data", message=text).completed().words == words
