# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What YAML does to a bare value. The expected values are those that Psych gave, with the types of 5.2 and later.

tests/integration/rails_verdict compares thousands of texts with the Psych of the lab's hosts.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.ruby_value import Odd, Symbol, YamlRefusal
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.yaml_value import bare_value

VALUES: list[tuple[str, t.Any]] = [
    ("123456", 123456), ("0123", 83), ("0x1F", 31), ("1_000", 1000), (".5", 0.5), ("12:30:45", 45045),
    ("yes", True), ("no", False), ("on", True), ("off", False), ("true", True), ("false", False), ("TRUE", True),
    ("null", None), ("~", None), ("", None), ("&abc", None), ("!abc", None), (":x", "x"), ("a #b", "a"),
    ("1,000", 1000), ("1.", 1.0), ("12:30", 45000), ("1:2", 3720), ("-1:30", -1800), ("99:99", "99:99"),
    ("08", "08"), ("0o17", "0o17"), ("0b101", 5), ("-0x1F", -31), ("1e5", "1e5"), ("1.5e+3", 1500.0),
    ("12,34.5", 1234.5), ("9_9.5", 99.5), ("00", 0), ("0_7", 7), ("1__0", "1__0"), ("1_", "1_"), ("0x", "0x"),
    ("+5", 5), ("-5", -5), ("1.2.3.4", "1.2.3.4"), ("2024-13-45", "2024-13-45"), ("y", "y"), ("Null", None),
    ("nil", "nil"), ("~x", "~x"), ("#b", None), ("a#b", "a#b"), ("a\t#b", "a"), ("a:b", "a:b"), ("a :b", "a :b"),
    ("-x", "-x"), ("?x", "?x"), ("<a@b>", "<a@b>"), ("é", "é"), (".", "."), ("Name <a@b>", "Name <a@b>"),
    ("'a'", "a"), ("'it''s'", "it's"), ("'a' #b", "a"), ('"a\\nb"', "a\nb"), ('"\\u00e9"', "é"), ("|", ""),
    (">-", ""), ("&abc def", "def"), ("!abc def", "def"), ("!", None), (" 587 ", 587), ("587 # submission", 587),
    ("!!int 5", 5), ("!!str 5", "5"), ("!!float 5", 5.0), ("! 5", 5), ("!binary YQ==", "a"), ("&a 5", 5),
    ("0x_", "0x_"), ("0_", "0_"), ("0b_1", 1), ("1__0:3", 3780), ("::x", ":x"), (":'x'", "x"), ("1.e+3", 1000.0),
    ("o\ufb00", False),
    ("---", "---"), ("=", "="), ("<<", "<<"), ("smtp.example.com", "smtp.example.com"),
]  # fmt: skip
SYNTAX_ERRORS = [
    "a\x80b", "a\x9fb", "a\ufffeb", "a\uffffb", "a\nb", "a\u2028b", "a\u2029b", "a\x85b", "a\n\tb", "a\n  - b",
    "@x", "*", "%x", "|x", ">x", "[", "[a, b] c", "{", "'a", "'a'b", '"a', '"a"b', "]", "}", "`x", ",x", "- x", "-",
    "? x", "?", "a: b", "a:", ":", ": x", '"Name" <a@b>', "!!", "&", "&a &b", "*x y", "a\x07b", "a\x7fb",
]  # fmt: skip
ODD = {
    "2024-01-02": "Date", "2024-01-02 10:11:12": "Time", "[a]": "Array", "{a: b}": "Hash", ".inf": "Float",
    "-.INF": "Float", ".nan": "Float", "[]": "empty Array", "{}": "empty Hash", "[a,\n     b]": "Array",
    "0000-02-29": "Date", "1.0e+999": "Float",
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_3_5_value(text: str, value: t.Any) -> None:
    found = bare_value(text)
    assert found == value
    assert type(found) is type(value) or isinstance(found, Symbol)


@pytest.mark.parametrize("text", SYNTAX_ERRORS)
def test_3_5_boot_error(text: str) -> None:
    with pytest.raises(YamlRefusal) as caught:
        bare_value(text)
    assert caught.value.error_class == "Psych::SyntaxError"


def test_3_5_an_alias_of_nothing() -> None:
    with pytest.raises(YamlRefusal) as caught:
        bare_value("*secret")
    assert caught.value.error_class == "Psych::AnchorNotDefined"


@pytest.mark.parametrize(("text", "kind"), ODD.items())
def test_3_5_other_types(text: str, kind: str) -> None:
    found = bare_value(text)
    assert isinstance(found, Odd)
    assert found == kind


@pytest.mark.parametrize("text", ["smtp.example.com", "Example <a@example.com>"])
def test_an_ordinary_text_arrives_as_it_is(text: str) -> None:
    assert bare_value(text) == text


#: Texts of more than one line, in a mapping whose keys have four blanks before them.
LINES: list[tuple[str, t.Any]] = [
    ("a\n", "a"), ("\n     a", "a"), ("a\n# b", "a"), ("a #b\n  #c", "a"), ("a\n     b", "a b"),
    ("a\n\n     b", "a\nb"),
    ("a\n    domain: b", "b"), ("a\n    other: b", "a"), ("a\n    <<: {domain: b}", "b"),
    ("a\n    domain: [b]", "Array"),
    ("'a\n     b'", "a b"), ('"a\\\n     b"', "ab"), ("'a\u2028b'", "a\u2028b"), ("'a\x85b'", "a b"),
    ("'a\x85 \x85 b'", "a\nb"), ("|\n      a\n       b\n", "a\n b\n"), (">-\n      a\n      b\n\n      c", "a b\nc"),
    ("|2-\n      a", "a"), ("|+\n      a\n", "a\n\n"), ("a\u2028    domain: b", "b"), ("a\r\n     b", "a b"),
    ("a\n...\nb: [", "a"), ("a\n---\nb: [", "a"), ("no\n\n     ~", False), ("&a b\n    domain: *a", "b"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), LINES)
def test_a_text_of_more_lines(text: str, value: t.Any) -> None:
    assert bare_value(text) == value != text


@pytest.mark.parametrize(("text", "error_class"), [(".e+5", "ArgumentError"), ("!!float x", "ArgumentError")])
def test_a_number_that_is_none(text: str, error_class: str) -> None:
    with pytest.raises(YamlRefusal) as caught:
        bare_value(text)
    assert caught.value.error_class == error_class


@pytest.mark.parametrize(
    "text", ["[" * 3000, "[" * 3000 + "]" * 3000, "'" * 3001, "a " * 9000, "&a " * 900, "{a: " * 900]
)
def test_a_long_text_ends(text: str) -> None:
    try:
        bare_value(text)
    except YamlRefusal as refused:
        assert refused.error_class == "Psych::SyntaxError"


def test_a_refusal_says_nothing_of_the_text() -> None:
    for text in SYNTAX_ERRORS:
        with pytest.raises(YamlRefusal) as caught:
            bare_value(text.replace("x", "qqq"))
        assert "qqq" not in str(caught.value)
