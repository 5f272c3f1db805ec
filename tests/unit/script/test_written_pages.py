# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of docs/ that a script writes say what their data say today."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(params=["findings", "faults", "providers"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def script(name: str, load_script: t.Callable[[str], t.Any]) -> t.Any:
    return load_script(f"{name}-docs")


def run(script: t.Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["script", *arguments])
    return int(script.main())


def test_the_page_is_not_stale(script: t.Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert DOCS / f"{name}.md" == script.PAGE
    assert run(script, monkeypatch, "--check") == 0, f"run script/{name}-docs"


def test_check_fails_on_a_stale_page_and_writes_nothing(
    script: t.Any, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(script, "PAGE", page)
    assert run(script, monkeypatch, "--check") == 1 and not page.exists()
    assert f"run script/{name}-docs" in capsys.readouterr().err
    assert run(script, monkeypatch) == 0 and page.read_bytes() == (DOCS / f"{name}.md").read_bytes()
    page.write_text(f"{page.read_text()}more\n")
    assert run(script, monkeypatch, "--check") == 1


def test_a_wrong_option_is_explained(
    script: t.Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(script, monkeypatch, "--chekc") == 2 and "Usage: script/" in capsys.readouterr().err
