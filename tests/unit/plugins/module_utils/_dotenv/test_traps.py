# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in a file and is not what it looks like: a warning with its line, once, with all its readers."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv import traps
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import decode, generations
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.env_file import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding


def found(text: str, *readers: str) -> list[Finding]:
    source = decode(text.encode())
    return traps.find(source, [(one, one.read(source, {})) for one in generations(readers)])


@pytest.mark.parametrize(
    ("text", "readers", "code", "subject", "word"),
    [
        ("A=$(id)\n", ("ruby", "node"), "env-command-runs", "line 2 (A)", "by the Ruby gem dotenv."),
        ('A="x$(id)"\n', ("ruby",), "env-command-runs", "line 2 (A)", "Ruby"),
        ("A='x\n", ("systemd",), "env-quote-open", "line 2 (A)", "all lines below"),
        ("A='x\n", ("node",), "env-quote-open", "line 2 (A)", "npm dotenv"),
        ("A='x\n", ("python_dotenv",), "env-quote-open", "line 2", "python-dotenv"),
        ("A='it' is\n", ("ruby", "node"), "env-text-after-quote", "line 2 (A)", "the Ruby gem dotenv"),
        ("A='x'y\n", ("systemd",), "env-text-after-quote", "line 2 (A)", "systemd"),
        ("word\n", ("ruby",), "env-lone-word", "line 2", "the Ruby gem dotenv 3.1.5-3.1.8, 3.2"),
        ("A=${B:-c}\n", ("ruby", "compose"), "env-shell-default", "line 2 (A)", "the Ruby gem dotenv"),
        ("unset X\n", ("ruby",), "env-line-skipped", "line 2", "Ruby"),
        ("export A=1\n", ("systemd",), "env-line-skipped", "line 2", "systemd"),
        ("A=x;rm -r /\n", ("sh",), "env-line-runs", "line 2", "a POSIX shell"),
        ("A = 1\n", ("sh",), "env-line-runs", "line 2", "a POSIX shell"),
        ("# c \\\nA=1\n", ("systemd",), "env-comment-continues", "line 2", "systemd before 254"),
    ],
)
def test_warning(text: str, readers: tuple[str, ...], code: str, subject: str, word: str) -> None:
    (one,) = [finding for finding in found("Z=1\n" + text, *readers) if finding.code == code]
    assert (one.severity, one.subject) == ("warning", subject)
    assert word in one.message


@pytest.mark.parametrize(
    ("text", "reader", "reason"),
    [
        ("what?\n", "compose", "does not understand"),
        ("A='x\n", "compose", "a quote is not closed"),
        ("A=${B:?x}\n", "compose", "${...}"),
        ("A='x\n", "sh", "a quote is not closed"),
        ("A=(x)\n", "sh", "syntax error"),
        ("export A\n", "ruby", "export has no value"),
        ("A B=1\n", "raw", "does not understand"),
    ],
)
def test_a_refused_file_is_an_error(text: str, reader: str, reason: str) -> None:
    (one,) = [finding for finding in found("Z=1\n" + text, reader) if finding.severity == "error"]
    assert (one.code, one.subject) == ("env-file-refused", "line 2")
    assert reason in one.message


def test_only_some_versions_are_told() -> None:
    (one,) = [finding for finding in found("export A=\n", "ruby", "node") if finding.severity == "error"]
    assert "the Ruby gem dotenv 3.1.5-3.1.8, 3.2:" in one.message


def test_byte_order_mark() -> None:
    assert [one.code for one in found("\ufeffA=1\n", "ruby")] == ["env-byte-order-mark"]


@pytest.mark.parametrize(
    "text",
    [
        "A=1\n# it's\nB='a b' # c\nexport C=\"x\"\n",
        "A='x\ny'\nB=1\n",
        "A=a$b\n",
        "A='$(id)'\n",
        "#!;'\n",
        "",
    ],
)
def test_nothing_is_said_about_a_sound_file(text: str) -> None:
    assert found(text, "ruby", "node", "compose") == []


def test_a_quote_between_two_others_is_read_as_it_looks_by_some() -> None:
    text = "A='it's'\nB=\"a\"b\"\n"
    assert found(text, "ruby", "node") == []
    assert [one.code for one in found(text, "systemd")] == ["env-text-after-quote"] * 2
    assert "env-file-refused" in {one.code for one in found(text, "compose")}


def test_the_same_trap_on_many_lines_is_one_finding() -> None:
    (one,) = found("A=$(x)\n" * 30, "ruby")
    assert one.subject == "lines 1, 2, 3, 4, 5 and 25 more"


def test_a_lone_word_may_be_a_piece_of_a_secret() -> None:
    text = "zqzq\nexport zqzq\nzq zq zq\n"
    for reader in ("ruby", "node", "compose", "python_dotenv", "systemd", "sh", "raw"):
        assert not any("zq" in one.sentence() for one in found(text, reader))


def test_every_row_has_its_code() -> None:
    assert {row.code for row in traps.ROWS.values()} <= set(TABLE.rows)
