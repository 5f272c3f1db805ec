# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reading models against the real programs, over random files, most of which are broken in somebody's eyes."""

from __future__ import annotations

import collections.abc as c
import functools
import pathlib

import generate
import pytest
import real
from corpus import PROCESS

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import READERS, Generation
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.source import UNKNOWABLE, Reading, Source

COUNT = 2500

#: (reader, generation) -> the real program for it.
PROGRAMS: dict[tuple[str, str], c.Callable[[c.Sequence[pathlib.Path]], list[real.Seen]]] = {
    ("ruby", "2.4"): functools.partial(real.ruby, "2.4"),
    ("ruby", "newest"): functools.partial(real.ruby, "newest"),
    ("node", "16.0.3"): functools.partial(real.node, "16.0.3"),
    ("node", "18.0.10"): functools.partial(real.node, "18.0.10"),
    ("python_dotenv", "0.21"): functools.partial(real.python_dotenv, "0.21.0"),
    ("python_dotenv", "1.2.1"): functools.partial(real.python_dotenv, "1.2.1"),
    ("python_dotenv", "1.2.4"): functools.partial(real.python_dotenv, "1.2.4"),
}
#: The same for one without rules for quotes.
VERBATIM = {("raw", "Compose 1.25"): functools.partial(real.compose_1_reading, "1.25")}
#: The same for those that take many files in one process, as long as none of them is refused.
TOGETHER: dict[tuple[str, str], c.Callable[[c.Sequence[pathlib.Path]], list[real.Seen]]] = {
    ("compose", "2.26"): functools.partial(real.compose, "2.26"),
    ("compose", "newest"): functools.partial(real.compose, "newest"),
    ("raw", "docker"): real.docker,
}


def model(reader: str, version: str) -> Generation:
    return next((one for one in READERS[reader] if one.version == version), READERS[reader][-1])


def write(folder: pathlib.Path, texts: c.Sequence[str]) -> list[pathlib.Path]:
    paths = [folder / f"{number:05}.env" for number in range(len(texts))]
    for path, text in zip(paths, texts):
        path.write_bytes(text.encode("utf-8"))
    return paths


def seen(reading: Reading) -> real.Seen:
    return None if reading.refusal else reading.values()


def compare(texts: c.Sequence[str], readings: c.Sequence[Reading], found: c.Sequence[real.Seen]) -> None:
    wrong = [
        (text, seen(reading), actual)
        for text, reading, actual in zip(texts, readings, found)
        if seen(reading) != actual
    ]
    shown = "\n".join(f"{text!r}\n  model {ours}\n  real  {actual}" for text, ours, actual in wrong[:10])
    assert not wrong, f"{len(wrong)} of {len(texts)} files are read otherwise by the real program:\n{shown}"


@pytest.mark.parametrize(("reader", "version"), [*PROGRAMS, *VERBATIM])
def test_model_reads_random_files_as_the_program_does(reader: str, version: str, tmp_path: pathlib.Path) -> None:
    texts = generate.files(COUNT)
    generation = model(reader, version)
    readings = [generation.read(Source(text), PROCESS) for text in texts]
    compare(texts, readings, {**PROGRAMS, **VERBATIM}[(reader, version)](write(tmp_path, texts)))


@pytest.mark.parametrize("name", ["dash", "bash"])
def test_shell_model(name: str, tmp_path: pathlib.Path) -> None:
    """Only files of assignments: what a shell does with a command is no business of the model."""
    generation = READERS["sh"][0]
    texts, readings = [], []
    for text in generate.files(COUNT * 6, seed=99, wild=False):
        reading = generation.read(Source(text), PROCESS)
        if any(one.kind == "runs-command" for one in reading.traps):
            continue
        if any(UNKNOWABLE in (one.value or "") for one in reading.statements):
            continue
        if reading.refusal and name == "bash":
            continue
        texts.append(text)
        readings.append(reading)
    assert len(texts) > 2000
    compare(texts, readings, real.shell(name, write(tmp_path, texts)))


@pytest.mark.parametrize("version", ["252", "257"])
def test_systemd_model(version: str, tmp_path: pathlib.Path) -> None:
    generation = READERS["systemd"][0 if version == "252" else 1]
    texts = [one for one in generate.files(3000, seed=31) if "\\$" not in one][:2000]
    assert len(texts) == 2000
    readings = [generation.read(Source(text), PROCESS) for text in texts]
    for reading in readings:
        reading.statements = [one for one in reading.statements if one.value]
    compare(texts, readings, real.systemd(version, write(tmp_path, texts)))


@pytest.mark.parametrize(("reader", "version"), TOGETHER)
def test_model_of_a_program_that_refuses_files(reader: str, version: str, tmp_path: pathlib.Path) -> None:
    generation, program = model(reader, version), TOGETHER[(reader, version)]
    texts = generate.files(8000, seed=57)
    readings = [generation.read(Source(text), PROCESS) for text in texts]
    taken = [(text, one) for text, one in zip(texts, readings) if not one.refusal][:2500]
    refused = [(text, one) for text, one in zip(texts, readings) if one.refusal][:100]
    assert len(taken) > 2000
    paths = write(tmp_path, [text for text, _one in [*taken, *refused]])
    found = program(paths[: len(taken)]) + [program([one])[0] for one in paths[len(taken) :]]
    compare([text for text, _one in [*taken, *refused]], [one for _text, one in [*taken, *refused]], found)
