# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reading models on the hand-made corpus; tests/integration/readers runs the same corpus through the real programs.

The generations of the Ruby gem from 2.7 on are in no Debian package: their rules are the corpus' rows, from
bkeepers/dotenv, lib/dotenv/parser.rb, at v2.7.6, v2.8.1, v3.0.0, v3.1.4, v3.1.5 and v3.2.0.
"""

from __future__ import annotations

import pathlib
import sys

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv import dialects
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import READERS, Generation, values
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.source import Source
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError

sys.path.insert(0, str(pathlib.Path(__file__).parents[4] / "integration" / "readers"))
import corpus

GENERATIONS = [one for group in READERS.values() for one in group]


def label(generation: Generation) -> str:
    return f"{generation.reader} {generation.version}".strip()


@pytest.mark.parametrize("generation", GENERATIONS, ids=label)
@pytest.mark.parametrize("case", corpus.cases(), ids=lambda one: one.row.replace(" ", "-"))
def test_corpus(case: corpus.Case, generation: Generation) -> None:
    reading = generation.read(Source(case.text), corpus.PROCESS)
    seen = None if reading.refusal else reading.values()
    assert seen == case.expected(generation.reader, generation.version)


@pytest.mark.parametrize("generation", GENERATIONS, ids=label)
def test_positions_enclose_the_value_as_written(generation: Generation) -> None:
    text = "A=1\r\n# c\r\nB='x y'\r\nC=\"z\"\r\n"
    last = generation.read(Source(text), {}).last()
    assert text[last["A"].start] == "A"
    written = {name: text[one.value_start : one.value_end].rstrip("\r") for name, one in last.items()}
    assert written == {"A": "1", "B": "'x y'", "C": '"z"'}


@pytest.mark.parametrize(
    ("reader", "text", "expected"),
    [
        ("ruby", b"A=file\nB=$A\n", "process"),  # the process wins (env.merge(ENV))
        ("compose", b"A=file\nB=$A\n", "process"),
        ("python_dotenv", b"A=file\nB=${A}\n", "file"),  # lines above win
        ("sh", b"A=file\nB=$A\n", "file"),
        ("node", b"A=file\nB=$A\n", "$A"),
        ("systemd", b"A=file\nB=$A\n", "$A"),
        ("python_dotenv", b"B=${A}\n", "process"),
        ("compose", b"A\nB=$A\n", "process"),
    ],
)
def test_process_environment_in_references(reader: str, text: bytes, expected: str) -> None:
    assert values(text, reader, {"A": "process"})["B"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B=${A:-d}", "d"),
        ("B=${A-d}", "d"),
        ("A=\nB=${A:-d}", "d"),
        ("A=\nB=${A-d}", ""),
        ("A=1\nB=${A:+d}", "d"),
        ("A=\nB=${A:+d}", ""),
        ("A=\nB=${A+d}", "d"),
        ("B=${A:-${C:-x}}y", "xy"),
        ("A=1\nB=${A:?no}", "1"),
        ("B=$5", "$5"),
        ('B="a$(b"', "a$(b"),
    ],
)
def test_compose_references(text: str, expected: str) -> None:
    assert values(text.encode(), "compose")["B"] == expected


@pytest.mark.parametrize("text", ["B=${A:?no}", "B=${", 'B="${1}"', "B='x", "A B=1", "é!=1"])
def test_compose_refuses(text: str) -> None:
    with pytest.raises(FindingError) as caught:
        values(b"X=1\n" + text.encode() + b"\n", "compose")
    assert caught.value.finding.code == "env-file-refused"
    assert caught.value.finding.subject == "line 2"
    assert "Docker Compose" in caught.value.finding.message


def test_values_of_the_newest_generation() -> None:
    assert values(b"K\nB=a\\b\n", "ruby") == {"K": "", "B": "ab"}
    assert values(b"A= # c\n", "python_dotenv") == {"A": ""}
    assert values(b"# c \\\nA=1\n", "systemd") == {"A": "1"}


def test_values_leave_out_what_comes_from_elsewhere_and_run_nothing(tmp_path: pathlib.Path) -> None:
    assert values(b"K\nB=1\n", "python_dotenv") == {"B": "1"}
    trace = tmp_path / "trace"
    assert values(f"A=$(touch {trace})\n".encode(), "ruby") == {"A": f"$(touch {trace})"}
    assert not trace.exists()


@pytest.mark.parametrize(
    ("data", "code", "subject"),
    [(b"A=1\nB=\xff\n", "env-file-not-utf8", "line 2"), (b"A=1\n\nB=\0\n", "env-nul", "line 3")],
)
def test_what_is_no_text(data: bytes, code: str, subject: str) -> None:
    for reader in READERS:
        with pytest.raises(FindingError) as caught:
            values(data, reader)
        assert (caught.value.finding.code, caught.value.finding.subject) == (code, subject)


def test_empty_file() -> None:
    assert all(values(b"", reader) == {} for reader in READERS)


def test_readers_in_words() -> None:
    assert dialects.named(READERS["ruby"]) == "the Ruby gem dotenv"
    assert dialects.named(READERS["ruby"][1:3]) == "the Ruby gem dotenv 2.7, 2.8"
    assert dialects.named([*READERS["node"], *READERS["compose"]]) == "npm dotenv and Docker Compose"


@pytest.mark.parametrize(("name", "known"), [("ruby", True), ("ruby-2.8", True), ("ruby-9", False), ("perl", False)])
def test_which_names_are_known(name: str, known: bool) -> None:
    assert (name in READERS) is known


def test_an_unknown_reader_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        dialects.generations(["perl"])


@pytest.mark.parametrize("generation", GENERATIONS, ids=label)
@pytest.mark.parametrize(
    "text",
    [
        "\n" * 100_000 + "# c\n",
        "A=1\n" + "\n" * 100_000 + "B=2\n",
        "K='" + "\\'" * 100_000 + "\n",
        "# it's\n" * 30_000 + "A='x'\n",
        "A=" + "$" * 100_000 + "\n",
        "A=" + "${A" * 30_000 + "\n",
        "A=" + "$(" * 30_000 + "\n",
        "A='x'y\n" * 10_000,
        "A='\n" * 10_000,
        "export A\n" * 10_000,
    ],
    ids=["blank", "gap", "escapes", "comments", "dollars", "references", "commands", "joined", "open", "exports"],
)
def test_no_text_takes_a_model_quadratic_time(generation: Generation, text: str) -> None:
    """Nothing is measured: what is quadratic does not come to an end here for minutes."""
    generation.read(Source(text), {})


@pytest.mark.parametrize(
    ("version", "name"),
    [("2.4.0", "ruby-2.4"), ("2.5.0", "ruby"), ("2.7.6", "ruby-2.7"), ("2.8.1", "ruby-2.8"),
     ("3.0.0", "ruby-3.0-3.1.4"), ("3.1.4", "ruby-3.0-3.1.4"), ("3.1.5", "ruby-3.1.5-3.1.8"),
     ("3.1.8", "ruby-3.1.5-3.1.8"), ("3.1.9", "ruby"), ("3.2.0", "ruby-3.2"), ("3.3.0", "ruby")],
)  # fmt: skip
def test_the_gem_of_a_gemfile_lock(version: str, name: str) -> None:
    lock = f"    a (1)\n      dotenv (9.9)\n    dotenv ({version})\n    dotenv-rails (9.9)\n\nDEPENDENCIES\n  dotenv\n"
    assert dialects.installed_ruby(lock) == name
    assert dialects.installed_ruby(lock.replace("    dotenv (", "    env (")) == "ruby"
    assert READERS[name] == READERS["ruby"] or len(READERS[name]) == 1


def test_only_the_named_generation_reads_a_file() -> None:
    assert values(b"export A=\n", "ruby-2.8") == {"A": ""}
    with pytest.raises(FindingError, match=r"dotenv 3\.2"):
        values(b"export A=\n", "ruby")
    with pytest.raises(FindingError, match=r"dotenv 3\.1\.5-3\.1\.8"):
        values(b"export A=\n", "ruby-3.1.5-3.1.8")


def test_an_option_takes_every_generation_of_the_gem() -> None:
    named = [name for name in dialects.NAMES if "-" in name]
    assert [READERS[name] for name in named] == [(one,) for one in READERS["ruby"]]
    assert dialects.whole(["ruby-2.8", "node", "ruby"]) == ("ruby", "node")
