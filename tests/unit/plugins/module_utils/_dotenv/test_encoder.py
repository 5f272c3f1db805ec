# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written, and what is refused: against the portable write rule, stated here once more on its own."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import READERS, generations
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.encoder import encode, refusal
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.source import Source

#: All readers with quoting rules.
QUOTING = ("ruby", "node", "compose", "python_dotenv", "systemd", "sh")

WICKED = st.text(st.sampled_from("'\"\\$`# ab{}()=:-;&~!\t"), max_size=12)
ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)

_REFERENCE = re.compile(r"\$\{[^}:]*(?::-[^}]*)?\}")
_HARMLESS_BEHIND_DOLLAR = " %.,:;/+=~^&|<>)]}'"


def rule(value: str) -> str | None:
    """The portable write rule: bare, else single quotes, else double quotes, nothing escaped; else nothing."""
    if any(char in value for char in "\0\r\n"):
        return None
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,=^-]*", value):
        return value
    if "'" not in value and "\\\\" not in value and not value.endswith("\\") and not _REFERENCE.search(value):
        return f"'{value}'"
    dollars = [found.end() for found in re.finditer(r"\$", value)]
    if not any(char in value for char in '"\\`') and all(
        end == len(value) or value[end] in _HARMLESS_BEHIND_DOLLAR for end in dollars
    ):
        return f'"{value}"'
    return None


@settings(max_examples=400, deadline=None)
@given(st.one_of(WICKED, ANY))
def test_what_the_portable_rule_writes_is_written_so(value: str) -> None:
    written = encode("K", value, generations(QUOTING))
    expected = rule(value)
    if expected is not None:
        assert written == expected


@settings(max_examples=200, deadline=None)
@given(st.one_of(WICKED, ANY), st.lists(st.sampled_from(list(READERS)), min_size=1, unique=True))
def test_every_named_reader_reads_back_the_value(value: str, readers: list[str]) -> None:
    spelling = encode("K", value, generations(readers))
    if spelling is None:
        assert refusal("K", value, readers) is not None
        return
    assert refusal("K", value, readers) is None
    text = f"A='1'\nK={spelling}\nB='2' # it's\n"
    for generation in generations(readers):
        assert generation.read(Source(text), {}).values()["K"] == value


@settings(max_examples=100, deadline=None)
@given(WICKED)
def test_a_reader_more_never_makes_more_writable(value: str) -> None:
    if encode("K", value, generations(QUOTING)) is not None:
        for reader in QUOTING:
            assert encode("K", value, READERS[reader]) is not None


@pytest.mark.parametrize(
    ("value", "readers", "spelling"),
    [
        ("", QUOTING, ""),
        ("abc/d:e@f%g+h,i=j^k-l.m_n", QUOTING, "abc/d:e@f%g+h,i=j^k-l.m_n"),
        ("abc", ("raw",), "abc"),
        ("a b", ("raw",), "a b"),
        ("a b", (*QUOTING, "raw"), None),
        ("a#b", QUOTING, "'a#b'"),
        ("$x", QUOTING, "'$x'"),
        ("$(id)", QUOTING, "'$(id)'"),
        ("it's", QUOTING, '"it\'s"'),
        ("it's 5$ ", QUOTING, '"it\'s 5$ "'),
        ("it's $x", QUOTING, None),
        ("a\\\\b", QUOTING, None),
        ("a\\\\b", ("ruby", "node"), "'a\\\\b'"),
        ("${x}", QUOTING, None),
        ("${x}", ("ruby", "node", "compose"), "'${x}'"),
        ("${x}", ("python_dotenv",), "'${:-$}{x}'"),
        ("x\\", QUOTING, None),
        ("x\\", ("sh",), "'x\\'"),
        ("x\\", ("compose",), '"x\\\\"'),
        ("a'b\"c", ("compose",), "a'b\"c"),
        ("'b\"c", ("compose",), '"\'b\\"c"'),
        ("a'b\"c`d", ("sh",), '"a\'b\\"c\\`d"'),
        ("a'b\"c\\", ("systemd",), '"a\'b\\"c\\\\"'),
        ("a'b\"c", ("node",), "a'b\"c"),
        ("'a\" b", ("node",), "`'a\" b`"),
        ("a\nb", ("compose",), "'a\nb'"),
        ("a\nb", ("ruby",), None),
        ("a\rb", ("compose",), None),
        ("a\0b", ("sh",), None),
    ],
)
def test_spelling(value: str, readers: tuple[str, ...], spelling: str | None) -> None:
    assert encode("K", value, generations(readers)) == spelling


@pytest.mark.parametrize("name", ["", "9A", "A-B", "A B", "A.B", "É", "A=B", "A\n"])
def test_name_that_somebody_does_not_accept(name: str) -> None:
    found = refusal(name, "x", ["ruby"])
    assert found is not None
    assert found.code == "env-name-invalid"


@pytest.mark.parametrize(
    ("value", "readers", "words"),
    [
        ("zq'zq\"zq", QUOTING, ("node", "both kinds of quotes")),
        ("zqzq\\", ("ruby", "node"), ("ruby and node", "backslash at its end")),
        ("zq${zq}", ("ruby", "python_dotenv"), ("python_dotenv", "${...}")),
        ("zq #zq", ("ruby", "raw"), ("raw", "verbatim")),
        ("zq\rzq", ("ruby",), ("ruby", "carriage return")),
        ("zq\nzq", ("ruby", "node"), ("ruby", "line break")),
    ],
)
def test_refusal_names_reader_reason_and_choice_but_not_the_value(
    value: str, readers: tuple[str, ...], words: tuple[str, ...]
) -> None:
    found = refusal("SMTP_PASSWORD", value, readers)
    assert found is not None
    assert (found.code, found.severity, found.subject) == ("env-value-not-writable", "error", "SMTP_PASSWORD")
    for word in words:
        assert word in found.message
    assert "Choose a value without" in found.fix
    assert "zq" not in found.sentence()
