# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config/email.yml as a whole: what Rails reads from it, and which variable is named when it cannot.

The expected values are those of the files of Mastodon 4.4.0 and 4.4.1 with Psych; tests/integration/rails_verdict asks
the Psych of the lab's hosts about thousands of others.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.effective import Effective, effective
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.email_yml import (
    broken_variable,
    problem,
    variable_at,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.release import Release, era_of

BARE_ALL = ["4.4.0"]
QUOTING = ["4.4.1", "4.5.15", "4.6.5", "4.7.0-alpha.2"]
LOGIN = {"SMTP_LOGIN": "user", "SMTP_PASSWORD": "secret", "SMTP_AUTH_METHOD": "plain"}


def used(variables: dict[str, str], release: str, local_domain: str = "social.example.org") -> Effective:
    return effective({**LOGIN, **variables}, Release.parse(release), local_domain)


CONTROL = ["\x7f", "\x80", "\x84", "\x86", "\x9f", "\ufffe", "\uffff"]
QUOTED = ["SMTP_SERVER", "SMTP_LOGIN", "SMTP_PASSWORD", "SMTP_FROM_ADDRESS", "SMTP_REPLY_TO", "BULK_SMTP_PASSWORD"]
BARE = ["PORT", "DOMAIN", "AUTH_METHOD", "CA_FILE", "OPENSSL_VERIFY_MODE", "ENABLE_STARTTLS"]


@pytest.mark.parametrize("release", [*BARE_ALL, *QUOTING])
@pytest.mark.parametrize("character", CONTROL)
@pytest.mark.parametrize("name", [*QUOTED, "SMTP_PORT", "SMTP_DELIVERY_METHOD", "BULK_SMTP_DOMAIN"])
def test_d3_a_character_that_yaml_forbids_breaks_the_file(release: str, character: str, name: str) -> None:
    error = used({name: f"ab{character}cd"}, release).error
    assert error is not None
    assert (error.error_class, error.stage) == ("RuntimeError", "boot")
    assert name in error.message
    assert character not in error.message
    assert problem(name, f"ab{character}cd", era_of(Release.parse(release)))


JSON_ESCAPES = [
    "a\x07b", "a\u2028b", "a\u2029b", "a\u00a0b", "a\ufeffb", '"\\\\', "\U0001f600", "<&>", "a\tb", "é", "a\nb", " a ",
]  # fmt: skip


@pytest.mark.parametrize("release", QUOTING)
@pytest.mark.parametrize("name", QUOTED)
def test_json_escapes_what_it_knows(release: str, name: str) -> None:
    era = era_of(Release.parse(release))
    for text in JSON_ESCAPES:
        assert not problem(name, text, era), ascii(text)


@pytest.mark.parametrize("release", QUOTING)
@pytest.mark.parametrize(
    ("text", "read"), [("a\x85b", "a b"), ("a \x85 b", "a b"), ("a\x85\x85b", "a\nb"), ("\x85a", " a"), ("a\x85", "a ")]
)
def test_d4_a_next_line_character_is_folded(release: str, text: str, read: str) -> None:
    main = used({"SMTP_SERVER": text}, release).main
    assert main is not None
    assert main.settings["address"] == read
    assert problem("SMTP_SERVER", text, era_of(Release.parse(release)))


@pytest.mark.parametrize("release", [*BARE_ALL, *QUOTING])
@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\n", "\r"])
@pytest.mark.parametrize("name", BARE)
@pytest.mark.parametrize("prefix", ["SMTP_", "BULK_SMTP_"])
def test_d5_a_line_end_inside_a_bare_value(release: str, mark: str, name: str, prefix: str) -> None:
    error = used({f"{prefix}{name}": f"ab{mark}cd"}, release).error
    assert error is not None
    assert (error.error_class, error.stage) == ("RuntimeError", "boot")
    assert f"({prefix}{name}:" in error.message


@pytest.mark.parametrize("name", QUOTED)
def test_d5_nothing_is_quoted_in_4_4_0(name: str) -> None:
    error = used({name: "ab\u2028cd"}, "4.4.0").error
    assert error is not None
    assert error.stage == "boot"


@pytest.mark.parametrize("release", [*BARE_ALL, *QUOTING])
@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("a\n", "a"),
        ("a\n\n", "a"),
        ("a\n# comment", "a"),
        ("a\n      b", "a b"),
        ("a\n    domain: evil.example", "evil.example"),
        ("a\n    tls: true", "a"),
        ("a\u2028    domain: evil.example", "evil.example"),
        ("|\n      a\n", "a\n"),
    ],
)
def test_d6_more_lines_that_fit_the_file(release: str, text: str, domain: str) -> None:
    found = used({"SMTP_DOMAIN": text}, release)
    assert found.main is not None
    assert found.main.settings["domain"] == domain
    assert found.main.settings["tls"] is None  # the file's own line comes later and counts
    assert problem("SMTP_DOMAIN", text, era_of(Release.parse(release)))


def test_a_line_can_set_a_key_that_mastodon_has_not() -> None:
    main = used({"SMTP_PORT": "587\n    open_timeout: 3\n    read_timeout: 9"}, "4.6.5").main
    assert main is not None
    # The later line of the file is the one that counts.
    assert (main.settings["open_timeout"], main.settings["read_timeout"]) == (3, 20)


@pytest.mark.parametrize("text", ["587\nproduction: x", "587\n  smtp_settings: x", "|\nproduction: x", "587\nother: x"])
def test_a_line_that_ends_the_settings_breaks_the_file(text: str) -> None:
    error = used({"SMTP_PORT": text}, "4.6.5").error
    assert error is not None
    assert (error.error_class, error.stage) == ("RuntimeError", "boot")
    assert "(SMTP_PORT: " in error.message


@pytest.mark.parametrize("text", ["587\n...", "587\n---\nproduction:\n  smtp_settings:"])
def test_a_line_that_ends_the_document_takes_the_rest_away(text: str) -> None:
    found = used({"SMTP_PORT": text, "SMTP_SERVER": "smtp.example.com"}, "4.6.5")
    assert found.error is not None
    assert (found.error.error_class, found.error.stage) == ("ArgumentError", "build")
    assert found.main is not None
    assert (found.main.settings["port"], found.main.settings["address"]) == (587, None)


def test_no_settings_at_all() -> None:
    found = used({"SMTP_DELIVERY_METHOD": "smtp\n..."}, "4.6.5")
    assert found.error is not None
    assert (found.error.error_class, found.error.stage) == ("NoMethodError", "boot")


@pytest.mark.parametrize("release", [*BARE_ALL, *QUOTING])
def test_the_variable_and_what_is_wrong_with_it_are_named(release: str) -> None:
    for variables, named in (
        ({"SMTP_DOMAIN": "@gmail.com"}, "SMTP_DOMAIN"),
        ({"SMTP_CA_FILE": "a: b", "SMTP_PORT": "587"}, "SMTP_CA_FILE"),
        ({"BULK_SMTP_AUTH_METHOD": "*a"}, "BULK_SMTP_AUTH_METHOD"),
        ({"SMTP_TLS": "@", "SMTP_DELIVERY_METHOD": "%"}, "SMTP_DELIVERY_METHOD"),
    ):
        error = used(variables, release).error
        assert error is not None
        assert f"({named}: it " in error.message
        assert broken_variable(variables, Release.parse(release), "social.example.org") == named
    assert broken_variable({"SMTP_PORT": "587"}, Release.parse(release), "@x") == "LOCAL_DOMAIN"
    assert broken_variable({"SMTP_PORT": "587", "SMTP_HOST": "@"}, Release.parse(release), "social.example.org") == ""


def test_before_4_4_nothing_breaks() -> None:
    assert broken_variable({"SMTP_DOMAIN": "@gmail.com"}, Release.parse("4.3.23"), "") == ""


NO_TOKEN = "found character that cannot start any token while scanning for the next token"
NO_NAME = "did not find expected alphabetic or numeric character while scanning an alias"
#: Psych's words for the files of 4.4.0 to 4.7.0-alpha.2.
AT: list[tuple[str, str]] = [
    (
        f"{NO_TOKEN} at line 13 column 13",
        "SMTP_DOMAIN",
    ),
    ("mapping values are not allowed in this context at line 15 column 16", "SMTP_CA_FILE"),
    ("found unexpected end of stream while scanning a quoted scalar at line 9 column 11", "SMTP_PORT"),
    (
        f"{NO_NAME} at line 24 column 13",
        "BULK_SMTP_PORT",
    ),
    ("could not find expected ':' while scanning a simple key at line 12 column 1", "SMTP_PASSWORD"),
    (
        f"{NO_TOKEN} at line 4 column 20",
        "SMTP_DELIVERY",
    ),
    ("did not find expected key while parsing a block mapping at line 9 column 5", ""),
    ("control characters are not allowed at line 1 column 1", ""),
    (f"{NO_TOKEN} at line 99 column 1", ""),
]


@pytest.mark.parametrize(("words", "named"), AT)
def test_the_line_that_rails_names(words: str, named: str) -> None:
    said = f"YAML syntax error occurred while parsing /home/mastodon/live/config/email.yml. Error: (<unknown>): {words}"
    found = variable_at(said)
    assert found.startswith(named)
    assert bool(found) == bool(named)


@pytest.mark.parametrize("release", QUOTING)
def test_a_text_that_is_not_utf_8(release: str) -> None:
    for name, error_class in (("SMTP_PASSWORD", "JSON::GeneratorError"), ("SMTP_DOMAIN", "RuntimeError")):
        error = used({name: "a\udcffb"}, release).error
        assert error is not None
        assert (error.error_class, error.stage) == (error_class, "boot")
        assert name in error.message


def test_flags_are_compared_before_they_reach_the_file() -> None:
    era = era_of(Release.parse("4.6.5"))
    assert not any(problem(f"SMTP_{name}", "@x: {", era) for name in ("TLS", "SSL", "ENABLE_STARTTLS_AUTO"))


#: (variables, error class, stage): what Ruby does with a value that is no text.
NO_TEXT: list[tuple[dict[str, str], str, str]] = [
    *(({"SMTP_DELIVERY_METHOD": text}, "NoMethodError", "boot") for text in ("[a]", "{}", "-.INF", "5", "yes")),
    *(({"SMTP_OPENSSL_VERIFY_MODE": text}, "TypeError", "build") for text in ("2024-01-01", ':"sym"', "[a]", "yes")),
    *(({"SMTP_OPENSSL_VERIFY_MODE": text}, "RangeError", "build") for text in (".nan", "-.inf", "4294967296")),
    ({"SMTP_DOMAIN": "*a"}, "Psych::AnchorNotDefined", "boot"),
]


@pytest.mark.parametrize("release", [*BARE_ALL, *QUOTING])
@pytest.mark.parametrize(("variables", "error_class", "stage"), NO_TEXT)
def test_d7_d8_d9_values_that_are_no_text(
    release: str, variables: dict[str, str], error_class: str, stage: t.Literal["boot", "build"]
) -> None:
    error = used(variables, release).error
    assert error is not None
    assert (error.error_class, error.stage) == (error_class, stage)


@pytest.mark.parametrize("release", BARE_ALL)
@pytest.mark.parametrize(
    ("method", "password", "error_class"),
    [("login", "123456", "TypeError"), ("cram_md5", "123456", "NoMethodError"), ("plain", "123456", None)],
)
def test_a_password_that_becomes_a_number(release: str, method: str, password: str, error_class: str | None) -> None:
    error = used({"SMTP_AUTH_METHOD": method, "SMTP_PASSWORD": password}, release).error
    assert (error.error_class if error else None) == error_class
    assert used({"SMTP_AUTH_METHOD": method, "SMTP_PASSWORD": password}, "4.4.1").error is None
