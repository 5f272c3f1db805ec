# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads a script, which has no suffix, as a module."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import typing as t
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "script"


@pytest.fixture(scope="module")
def load_script() -> t.Callable[[str], t.Any]:
    def load(name: str) -> t.Any:
        loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(SCRIPTS / name))
        spec = importlib.util.spec_from_loader(loader.name, loader)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
