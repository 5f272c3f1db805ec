# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hand-made corpus against the real programs (the unit tests run it against the models)."""

from __future__ import annotations

import pathlib

import corpus
import pytest
import real
from test_models import PROGRAMS, TOGETHER, VERBATIM, model, write

CASES = corpus.cases()


def check(cases: list[corpus.Case], expected: list[real.Seen], found: list[real.Seen]) -> None:
    wrong = [
        f"{case.row}: {case.text!r}\n  corpus {wanted}\n  real   {seen}"
        for case, wanted, seen in zip(cases, expected, found)
        if wanted != seen
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("reader", "version"), [*PROGRAMS, *TOGETHER, *VERBATIM])
def test_program(reader: str, version: str, tmp_path: pathlib.Path) -> None:
    paths = write(tmp_path, [one.text for one in CASES])
    expected = [one.expected(reader, model(reader, version).version) for one in CASES]
    check(CASES, expected, {**PROGRAMS, **TOGETHER, **VERBATIM}[(reader, version)](paths))


@pytest.mark.parametrize("name", ["dash", "bash"])
def test_shell(name: str, tmp_path: pathlib.Path) -> None:
    """Not what a shell alone can know; and bash keeps what stands above a syntax error, dash stops."""
    cases = []
    for one in CASES:
        expected = one.expected("sh", "")
        if expected is None and name == "bash":
            continue
        if not any("\0" in (value or "") for value in (expected or {}).values()):
            cases.append(one)
    assert len(cases) > 30
    paths = write(tmp_path, [one.text for one in cases])
    check(cases, [one.expected("sh", "") for one in cases], real.shell(name, paths))


@pytest.mark.parametrize(("program", "version"), [("252", "before 254"), ("257", "254 and later")])
def test_systemd(program: str, version: str, tmp_path: pathlib.Path) -> None:
    cases = [one for one in CASES if "\\$" not in one.text]
    expected = [
        {name: value for name, value in (one.expected("systemd", version) or {}).items() if value} for one in cases
    ]
    check(cases, expected, real.systemd(program, write(tmp_path, [one.text for one in cases])))


_LOADS = {
    "ruby": ("-I", "{library}", "-e", "require 'dotenv'; Dotenv.load(ARGV[0]); puts ENV['FROM_PROCESS'], ENV['B']"),
    "node": (
        "-e",
        "require('{library}').config({path: process.argv[1], quiet: true});"
        "console.log(process.env.FROM_PROCESS + '\\n' + process.env.B)",
    ),
}


@pytest.mark.parametrize(
    ("program", "library"),
    [
        ("ruby", "ruby-2.4"),
        ("ruby", "ruby-newest"),
        ("node", "node-16.0.3/node_modules/dotenv"),
        ("node", "node-18.0.10/node_modules/dotenv"),
    ],
)
def test_what_the_process_has_already_outranks_the_file(program: str, library: str, tmp_path: pathlib.Path) -> None:
    """As Mastodon and its streaming server load it: a variable that the unit sets hides the one in the file."""
    (path,) = write(tmp_path, ["FROM_PROCESS=file\nB=file\n"])
    folder = real.HOME / library
    if program == "ruby":
        folder = next(folder.rglob("dotenv.rb")).parent
    arguments = [one.replace("{library}", str(folder)) for one in _LOADS[program]]
    assert real.run([real.which(program), *arguments, path], **corpus.PROCESS) == "process\nfile\n"
