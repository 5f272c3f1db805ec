# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random edits of random files, read before and after by the real programs: ours as wanted, all else as before."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import random

import generate
import pytest
from corpus import PROCESS
from test_models import model, write
from test_values import EVERY_PROGRAM

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.edit import edit
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.source import UNKNOWABLE, Reading, Source
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import errors

COUNT = 400
LISTS = {
    "default": ("ruby", "node", "compose"),
    "source": ("ruby", "node", "systemd", "sh"),
    "podman": ("python_dotenv",),
}


@dataclasses.dataclass(frozen=True)
class Edited:
    """One edit that worked; C(loose) are variables that are made of ours and change with them."""

    before: str
    after: str
    wanted: dict[str, str | None]
    loose: frozenset[str]


@functools.cache
def edits(readers: tuple[str, ...]) -> list[Edited]:
    source = random.Random(2026)
    found = []
    values = generate.values(24000, seed=9)
    for text, first, second in zip(generate.files(12000, seed=8), values[::2], values[1::2]):
        wanted = {"A": first, source.choice("BG"): second}
        removed = source.choice("CDH")
        made = edit(text.encode(), set=wanted, remove=[removed], readers=readers)
        if not errors(made.findings):
            loose = frozenset(one.subject for one in made.findings if one.code == "env-dependent-variable")
            found.append(Edited(text, made.data.decode(), {**wanted, removed: None}, loose))
        if len(found) == COUNT:
            return found
    raise AssertionError(f"only {len(found)} edits worked")


def knowable(reader: str, one: Edited, before: Reading) -> bool:
    """Whether the programs can tell: no file that was refused before, nothing that a shell runs."""
    if reader == "systemd":
        return "\\$" not in one.before + one.after  # see real.systemd
    runs = any(trap.kind == "runs-command" for trap in before.traps)
    unknown = any(UNKNOWABLE in (statement.value or "") for statement in before.statements)
    return not before.refusal and not (reader == "sh" and (runs or unknown))


@pytest.mark.parametrize(
    ("readers", "reader", "version"),
    [(readers, *one) for readers in LISTS.values() for one in EVERY_PROGRAM if one[0] in readers],
)
def test_ours_as_wanted_and_everything_else_as_before(
    readers: tuple[str, ...], reader: str, version: str, tmp_path: pathlib.Path
) -> None:
    program = EVERY_PROGRAM[(reader, version)]
    generation = model(reader, version)
    before = [generation.read(Source(one.before), PROCESS) for one in edits(readers)]
    some = [one for one, reading in zip(edits(readers), before) if knowable(reader, one, reading)]
    assert len(some) > COUNT / 5
    if reader == "systemd":
        del some[100:]  # it takes a process for each file
    seen_after = program(write(tmp_path, [one.after for one in some]))
    for one, after in zip(some, seen_after):
        assert after is not None, one
        for name, value in one.wanted.items():
            # systemd's generator passes over empty values.
            assert after.get(name) == value or (reader == "systemd" and not value and not after.get(name)), (name, one)
    seen_before = program(write(tmp_path, [one.before for one in some]))
    for one, old, new in zip(some, seen_before, seen_after):
        others = {*old, *new} - {*one.wanted, *one.loose}
        assert {name: new.get(name) for name in others} == {name: old.get(name) for name in others}, one
