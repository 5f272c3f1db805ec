# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hand-made corpus against the real programs (the unit tests run it against the models)."""

from __future__ import annotations

import pathlib

import corpus
import pytest
import real
from test_models import PROGRAMS, write

CASES = corpus.cases()


def check(cases: list[corpus.Case], expected: list[real.Seen], found: list[real.Seen]) -> None:
    wrong = [
        f"{case.row}: {case.text!r}\n  corpus {wanted}\n  real   {seen}"
        for case, wanted, seen in zip(cases, expected, found)
        if wanted != seen
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("reader", "version"), PROGRAMS)
def test_program(reader: str, version: str, tmp_path: pathlib.Path) -> None:
    paths = write(tmp_path, [one.text for one in CASES])
    check(CASES, [one.expected(reader, version) for one in CASES], PROGRAMS[(reader, version)](paths))


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


def test_compose(tmp_path: pathlib.Path) -> None:
    paths = write(tmp_path, [one.text for one in CASES])
    check(CASES, [one.expected("compose", "v2") for one in CASES], [real.compose([one])[0] for one in paths])
