# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What YAML does to a bare value. The expected values are those that Psych 4.0.4 (Ruby 3.1) gave.

tests/integration/rails_verdict compares thousands of texts with the Psych of the lab's hosts.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.yaml_value import (
    Odd,
    Symbol,
    YamlRefusal,
    bare_value,
    same_text,
)

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
    ("---", "---"), ("=", "="), ("<<", "<<"), ("smtp.example.com", "smtp.example.com"),
]  # fmt: skip
SYNTAX_ERRORS = [
    "@x", "*", "%x", "|x", ">x", "[", "[a, b] c", "{", "'a", "'a'b", '"a', '"a"b', "]", "}", "`x", ",x", "- x", "-",
    "? x", "?", "a: b", "a:", ":", ": x", '"Name" <a@b>', "!!", "&", "&a &b", "*x y", "a\x07b", "a\x7fb",
]  # fmt: skip
ODD = {
    "2024-01-02": "Date", "2024-01-02 10:11:12": "Time", "[a]": "Array", "{a: b}": "Hash", ".inf": "Float",
    "-.INF": "Float", ".nan": "Float", "!!int 5": "tagged !!int",
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
    assert caught.value.error_class == "Psych::BadAlias"


@pytest.mark.parametrize(("text", "kind"), ODD.items())
def test_3_5_other_types(text: str, kind: str) -> None:
    found = bare_value(text)
    assert isinstance(found, Odd)
    assert found == kind


def test_same_text_is_true_for_text_alone() -> None:
    assert same_text("smtp.example.com")
    assert same_text("Example <a@example.com>")
    assert not same_text("123")
    assert not same_text(":always")
    assert not same_text("a #b")
    assert not same_text("@x")


#: One value a line in a block mapping, as config/email.yml has it; the class of the error, or type and value.
