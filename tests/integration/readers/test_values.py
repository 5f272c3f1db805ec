# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the encoder writes, read back by the real programs: 2,000 random values, alone and all in one file."""

from __future__ import annotations

import collections.abc as c
import functools
import pathlib
import random

import generate
import pytest
import real
from test_models import PROGRAMS, write

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import READERS, generations
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.encoder import encode

VALUES = generate.values(2000)
#: Every reader with quoting rules: what is written for these is right for all.
ALL = ("ruby", "node", "compose", "python_dotenv", "systemd", "sh")
EVERY_PROGRAM: dict[tuple[str, str], c.Callable[[c.Sequence[pathlib.Path]], list[real.Seen]]] = {
    **PROGRAMS,
    ("compose", "2.26"): functools.partial(real.compose, "2.26"),
    ("compose", "newest"): functools.partial(real.compose, "newest"),
    ("python_dotenv", "Compose 1.29"): functools.partial(real.compose_1, "1.29"),
    ("systemd", "252"): functools.partial(real.systemd, "252"),
    ("systemd", "257"): functools.partial(real.systemd, "257"),
    ("sh", "dash"): functools.partial(real.shell, "dash"),
    ("sh", "bash"): functools.partial(real.shell, "bash"),
}
#: A verbatim reader has no quoting rules: only what is written for it, or for it too, is right for it.
VERBATIM = {
    ("raw", "docker"): real.docker,
    ("raw", "Compose 1.25"): functools.partial(real.compose_1, "1.25"),
}


@functools.cache
def lines(readers: tuple[str, ...], values: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Name -> (value, its line), for the values that can be written for these readers."""
    found = {}
    for number, value in enumerate(values):
        name = f"K{number:04}"
        spelling = encode(name, value, generations(readers))
        if spelling is not None:
            found[name] = (value, f"{name}={spelling}\n")
    return found


def check(written: dict[str, tuple[str, str]], seen: dict[str, str | None]) -> None:
    wrong = [(line, seen.get(name)) for name, (value, line) in written.items() if seen.get(name) != value]
    assert not wrong, f"{len(wrong)} of {len(written)} values are read otherwise: {wrong[:5]}"


def without_references(written: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """What the stand-in for dollar signs (see real.systemd) leaves meaning the same."""
    return {name: pair for name, pair in written.items() if "\\$" not in pair[1]}


@pytest.mark.parametrize(("reader", "version"), EVERY_PROGRAM)
def test_values_for_all_readers_in_one_file(reader: str, version: str, tmp_path: pathlib.Path) -> None:
    written = lines(ALL, tuple(VALUES))
    assert len(written) > 1500
    text = "".join(line for _value, line in written.values())
    (seen,) = EVERY_PROGRAM[(reader, version)](write(tmp_path, [text]))
    check(written, seen or {})


@pytest.mark.parametrize(("reader", "version"), EVERY_PROGRAM)
def test_values_for_all_readers_each_in_a_file(reader: str, version: str, tmp_path: pathlib.Path) -> None:
    written = lines(ALL, tuple(VALUES))
    texts = [line for _value, line in written.values()]
    program = EVERY_PROGRAM[(reader, version)]
    if reader == "systemd":
        program = functools.partial(program, together=True)
    found = program(write(tmp_path, texts))
    merged: dict[str, str | None] = {}
    for one in found:
        merged.update(one or {})
    check(written, merged)


@pytest.mark.parametrize(("reader", "version"), [*EVERY_PROGRAM, *VERBATIM])
def test_values_for_one_reader(reader: str, version: str, tmp_path: pathlib.Path) -> None:
    """Its own spellings: escapes, joined quotes, backticks."""
    written = lines((reader,), tuple(VALUES))
    if reader == "systemd":
        written = without_references(written)
    assert len(written) > 1700
    text = "".join(line for _value, line in written.values())
    (seen,) = {**EVERY_PROGRAM, **VERBATIM}[(reader, version)](write(tmp_path, [text]))
    check(written, seen or {})


@pytest.mark.parametrize(("reader", "version"), [*EVERY_PROGRAM, *VERBATIM])
def test_values_for_verbatim_and_quoting_readers_alike(reader: str, version: str, tmp_path: pathlib.Path) -> None:
    """Only bare text is left: what needs quotes is refused."""
    source = random.Random(31)
    alphabet = generate.LETTERS * 2 + "_./:@%+,=^-!*?[]{}~äß漢"
    values = tuple("".join(source.choice(alphabet) for _unused in range(source.randint(1, 24))) for _unused in VALUES)
    written = lines((*ALL, "raw"), values)
    assert len(written) > 1500
    assert not lines((*ALL, "raw"), ("a b", "a#b", "$a", "'a'", '"a"', "a;b", "a&b", "~a", "a:~b"))
    (seen,) = {**EVERY_PROGRAM, **VERBATIM}[(reader, version)](
        write(tmp_path, ["".join(line for _value, line in written.values())])
    )
    check(written, seen or {})


@pytest.mark.parametrize(("reader", "version"), [one for one in EVERY_PROGRAM if one[0] != "ruby"])
def test_values_of_many_lines(reader: str, version: str, tmp_path: pathlib.Path) -> None:
    values = tuple(f"{first}\n{second}" for first, second in zip(VALUES[:300], VALUES[300:600]))
    written = lines(tuple(one for one in ALL if one != "ruby"), values)
    assert len(written) > 150
    text = "".join(line for _value, line in written.values())
    (seen,) = EVERY_PROGRAM[(reader, version)](write(tmp_path, [text]))
    check(written, seen or {})


def test_how_many_values_each_reader_can_hold() -> None:
    """The figures of the reference: what one reader alone can represent of 2,000 random values."""
    held = {reader: len(lines((reader,), tuple(VALUES))) for reader in READERS if reader != "raw"}
    print(held)
    assert held["compose"] == held["systemd"] == held["sh"] == 2000
    # python-dotenv before 1.2.3 may take a backslash before the closing quote for an escape.
    assert held["python_dotenv"] == sum(not value.endswith("\\") for value in VALUES)
