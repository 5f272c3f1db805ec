# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layers of variables that systemd gives to a unit's processes. Source: systemd.exec(5), Environment."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ..._findings.instance import TABLE
from ..._findings.model import Finding
from .. import layers
from .reach import Reach
from .unit_lines import last_line
from .units import Unit


def process_layers(unit: Unit, reach: Reach, findings: list[Finding], *, alone: bool) -> list[layers.Layer]:
    """The layers of a unit, the winner first.

    :param reach: reads the files that the unit names.
    :param alone: nothing but systemd reads the environment file, so what the unit unsets is set nowhere.
    """
    if unit.environment_hidden:
        message = "systemd shows one of its Environment= values as [unprintable]."
        findings.append(TABLE.finding("unit-environment-hidden", unit.name, message))
    named = reversed(reach.environment_files([unit]))
    files = [layers.file_layer("EnvironmentFile", path, "systemd", findings, reach.read) for path in named]
    unset = unit.unset_environment
    blocks = tuple(name for name in unset if alone and "=" not in name)

    def set_by(name: str) -> tuple[str, int]:
        return last_line("Environment", name, _texts(unit, reach)) or (unit.name, 0)

    def unset_by(name: str) -> tuple[str, int]:
        return last_line("UnsetEnvironment", name, _texts(unit, reach)) or (unit.name, 0)

    return [
        layers.Layer("UnsetEnvironment", unit.name, blocks=blocks, where=unset_by),
        *(dataclasses.replace(file, unset=unset) for file in files if file),
        layers.Layer("Environment", unit.name, given=unit.environment, unset=unset, where=set_by),
    ]


def _texts(unit: Unit, reach: Reach) -> t.Iterator[tuple[str, str]]:
    for path in unit.files:
        with contextlib.suppress(OSError):
            yield path, reach.read(path).decode("utf-8", "replace")
