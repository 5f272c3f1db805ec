# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import pkgutil

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils import _findings
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import (
    SEVERITIES,
    Code,
    Finding,
    Table,
    errors,
    explain,
    weigh,
    worst_first,
)

TABLE = Table(
    Code("bad", "error", "It is bad.", "Mend it."),
    Code("odd", "warning", "It is odd.", "Look at it."),
)


def test_a_finding_takes_severity_and_fix_from_its_row() -> None:
    assert TABLE.finding("bad", "x", "Bad.") == Finding("bad", "error", "x", "Bad.", "Mend it.")


def test_a_code_without_a_row_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        TABLE.finding("worse", "x", "Worse.")


def test_a_code_has_one_row() -> None:
    with pytest.raises(ValueError, match="twice"):
        Table(Code("bad", "error", "", ""), Code("bad", "info", "", ""))


def test_worst_first_keeps_the_order_within_a_severity_and_drops_repeats() -> None:
    odd, bad, bad2 = TABLE.finding("odd", "x", "o"), TABLE.finding("bad", "x", "1"), TABLE.finding("bad", "x", "2")
    assert worst_first([odd, bad, bad2, bad]) == [bad, bad2, odd]


def test_accept_turns_what_is_named_into_infos_and_nothing_else() -> None:
    found = [TABLE.finding("bad", "x", "Bad."), TABLE.finding("odd", "x", "Odd.")]
    assert [one.severity for one in TABLE.accept(found, ["bad"])] == ["info", "warning"]
    assert [one.severity for one in TABLE.accept(found, ["bad", "odd"])] == ["info", "info"]
    open_question = TABLE.finding("odd", "x", "Odd.", severity="unknown")
    assert TABLE.accept([open_question], ["odd"]) == [open_question]
    assert errors(TABLE.accept(found, ["odd"])) == [found[0]]


@pytest.mark.parametrize(
    ("fail_on", "severities"),
    [
        ("error", ["error", "warning", "unknown", "info"]),
        ("warning", ["error", "error", "unknown", "info"]),
        ("never", ["info", "info", "unknown", "info"]),  # and not a warning, which another limit may count
    ],
)
def test_the_severity_that_counts(fail_on: str, severities: list[str]) -> None:
    found = [TABLE.finding("bad", "x", one, severity=one) for one in SEVERITIES]
    assert [one.severity for one in weigh(found, (), fail_on)] == severities
    assert {one.severity for one in weigh(found, {"bad"}, fail_on)} == {"info", "unknown"}


def test_a_code_is_accepted_by_the_names_that_it_had_before() -> None:
    table = Table(Code("bad", "error", "It is bad.", "Mend it.", formerly=("evil", "wrong")))
    found = [table.finding("bad", "x", "Bad.")]
    for code, severity in (("evil", "info"), ("wrong", "info"), ("bad", "info"), ("odd", "error")):
        assert table.accept(found, [code])[0].severity == severity
    with pytest.raises(ValueError, match="twice"):
        Table(Code("bad", "error", "", "", formerly=("odd",)), Code("odd", "info", "", ""))


@pytest.mark.parametrize(
    ("subject", "message", "told"),
    [
        ("port", "It is 0.", "port: It is 0. Mend it. [bad]"),
        ("smtp.example.com:587", "smtp.example.com:587 is silent.", "smtp.example.com:587 is silent. Mend it. [bad]"),
        ("example.com", "example.com: no answer.", "example.com: no answer. Mend it. [bad]"),
        ("port", "ports 25 and 465 are closed.", "port: ports 25 and 465 are closed. Mend it. [bad]"),
        ("host", "smtp.example.com is no host.", "host: smtp.example.com is no host. Mend it. [bad]"),
    ],
)
def test_a_sentence_names_its_subject_once(subject: str, message: str, told: str) -> None:
    found = TABLE.finding("bad", subject, message)
    assert found.sentence() == told
    assert explain([found]) == told
    assert explain([found, TABLE.finding("bad", "x", "Bad.")]) == f"2 problems:\n- {told}\n- x: Bad. Mend it. [bad]"


@pytest.mark.parametrize(
    ("message", "fix", "told"),
    [
        ("Publish a.test MX 1 mx.", "Publish an MX record.", "x: Publish a.test MX 1 mx. [bad]"),
        ("Correct the From address: no such domain.", "Correct the From address.", None),
        ("There are two.", "Publish one.", "x: There are two. Publish one. [bad]"),
        ("It runs.", "It stayed up; look at its log.", "x: It runs. It stayed up; look at its log. [bad]"),
    ],
)
def test_what_to_do_is_said_once(message: str, fix: str, told: str | None) -> None:
    one = Finding("bad", "error", "x", message, fix)
    assert one.sentence() == (told or f"x: {message} [bad]")


def test_no_advice_of_any_table_is_lost_because_a_message_happens_to_begin_alike() -> None:
    rows = [
        row
        for one in pkgutil.iter_modules(_findings.__path__)
        for row in getattr(importlib.import_module(f"{_findings.__name__}.{one.name}"), "TABLE", Table()).rows.values()
    ]
    lost = set()
    for row in rows:
        word = row.remedy.partition(" ")[0]
        if not Finding(row.code, row.severity, "x", f"{word} is what the message is about.", row.remedy).advice():
            lost.add(word)
    # with these verbs a message about a DNS record says itself what to do
    assert len(rows) > 200 and lost == {"Publish", "Correct", "Remove", "Take"}


def test_a_sentence_without_a_fix_ends_with_its_code() -> None:
    assert Finding("bad", "error", "x", "Bad.").sentence() == "x: Bad. [bad]"
