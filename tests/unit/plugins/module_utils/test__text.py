# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a text from outside is looked at, and how it is shown."""

from __future__ import annotations

import sys
import typing as t
import unicodedata

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._text import (
    CUT,
    LINE,
    WHOLE,
    bounded,
    bounded_line,
    shown,
    shown_lines,
    shown_value,
)


@pytest.mark.parametrize(
    "text", ["", "a", "a\n", "\n\na\n", "x" * LINE, f"{'x' * LINE}\n{'y' * LINE}\n", "a\n" * 32768]
)
def test_what_is_short_enough_stays(text: str) -> None:
    assert bounded(text) == text


@pytest.mark.parametrize(
    "text", ["x" * 5000, "x" * 5_000_000, "x" * 5000 + "\n" + "y" * 5000, "ab\n" * 100_000, "\n" * 10**6]
)
def test_nothing_is_longer_than_it_may_be(text: str) -> None:
    cut = bounded(text)
    assert len(cut) <= WHOLE and all(len(line) <= LINE for line in cut.split("\n"))
    assert CUT in cut


def test_a_line_keeps_its_beginning_and_its_end() -> None:
    cut = bounded_line(f"/a.rb:1:in 'x': boom {'x' * 100_000} (KeyError)")
    assert cut.startswith("/a.rb:1:in 'x': boom x") and cut.endswith("x (KeyError)") and len(cut) == LINE


def test_a_text_keeps_whole_lines_of_its_beginning_and_its_end() -> None:
    lines = [f"line {number}" for number in range(100_000)]
    cut = bounded("\n".join(lines)).split("\n")
    assert cut[0] == lines[0] and cut[-1] == lines[-1]
    assert set(cut) <= {*lines, CUT} and cut.count(CUT) == 1


# The gate


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("x\x9b2Jy", r"x\x9b2Jy"),
        ("a\nb\r\nc\td", r"a\nb\r\nc\td"),
        ("\x85\u2028\u2029", r"\x85\u2028\u2029"),
        ("admin\u202egpj.exe", r"admin\u202egpj.exe"),
        ("\u2066a\u2069\u200b\ufeff\u061c", r"\u2066a\u2069\u200b\ufeff\u061c"),
        ("\U000e0041", r"\U000e0041"),
        ("\udc80\ud800\uffff", r"\udc80\ud800\uffff"),
        ("535 ##[set-output name=x;]y", r"535 #\x23[set-output name=x;]y"),
        ("####[a]##VSO[b]", r"###\x23[a]#\x23VSO[b]"),
        ("::stop-commands::t", r"\x3a:stop-commands::t"),
        (" \u3000::add-mask::t", " \u3000\\x3a:add-mask::t"),
        ("folded ::error::x", r"folded \x3a:error::x"),
        ("x\n::stop-commands::t", r"x\n::stop-commands::t"),
        ("section_start:1:x\r\x1b[0K", r"section_start:1:x\r\x1b[0K"),
    ],
)
def test_what_would_be_obeyed_is_written_out(text: str, seen: str) -> None:
    assert shown(text) == seen
    assert shown(seen) == seen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "smtp.example.net:587 answers 535 5.7.8: Net::SMTPAuthenticationError, OpenSSL::SSL::SSLError",
        "::1",
        "at ::ffff:192.0.2.1 and [::]:25, fe80::1",
        "C:\\Users and a\\nb",
        "Grüße, 漢字, العربية, \u00a0no-break, 🐘, #1 ##heading",
    ],
)
def test_what_is_harmless_stays(text: str) -> None:
    assert shown(text) == text


def test_every_character_that_acts_is_written_out() -> None:
    acting = [
        chr(one)
        for one in range(sys.maxunicode + 1)
        if unicodedata.category(chr(one)) in ("Cc", "Cf", "Zl", "Zp", "Cs")
    ]
    assert len(acting) > 2000
    for char in acting:
        assert shown(f"a{char}b").isprintable() and char not in shown(f"a{char}b")


def test_a_text_of_many_lines_is_shown_line_by_line() -> None:
    assert shown_lines("a\tb\r\n ::debug::x\n\x1bc") == "a\tb\n " r"\x3a:debug::x" "\n" r"\x1bc"


def test_a_value_is_shown_with_its_keys() -> None:
    given = {"a\x1b": ["##[x]", 1, None, True, {"b": "c\nd"}], "diff": {"before": "a\n::x::c\x1b"}}
    assert shown_value(given) == {
        r"a\x1b": [r"#\x23[x]", 1, None, True, {"b": r"c\nd"}],
        "diff": {"before": "a\n" r"\x3a:x::c\x1b"},
    }


def test_numbers_and_nesting_beyond_reason_are_named() -> None:
    deep: list[t.Any] = []
    for _unused in range(500):
        deep = [deep]
    found = shown_value({"a": float("nan"), "b": float("-inf"), "c": 10**400, "d": deep})
    assert [found[name] for name in "abc"] == ["(a number out of range)"] * 3
    assert "(nested too deeply)" in str(found["d"]) and len(str(found["d"])) < 200
