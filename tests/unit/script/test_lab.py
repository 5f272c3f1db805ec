# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What script/lab says when it is not understood; no lab is needed for that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


def lab(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [str(CHECKOUT / "script" / "lab"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("stat", "error: unknown command 'stat'; did you mean status?\n"),
        ("log", "error: unknown command 'log'; did you mean logs?\n"),
        ("frobnicate", "error: unknown command 'frobnicate'; there are up, down, "),
    ],
)
def test_an_unknown_command_is_named_with_the_nearest_one(command: str, said: str) -> None:
    status, output, errors = lab(command)
    assert (status, output) == (2, "") and errors.startswith(said) and errors.count("\n") == 1


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_is_no_error(word: str) -> None:
    status, output, errors = lab(word)
    assert (status, errors) == (0, "") and "usage: script/lab COMMAND" in output


def test_without_a_command_the_help_is_an_error() -> None:
    status, output, errors = lab()
    assert (status, output) == (2, "") and "usage: script/lab COMMAND" in errors
