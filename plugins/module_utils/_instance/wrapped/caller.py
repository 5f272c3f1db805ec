# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment with which a unit calls docker: C(docker run --env NAME) takes its value from there."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import glob

from ..._findings.model import Finding
from .. import layers
from ..systemd.environment import given_to
from ..systemd.units import Unit


def files_of(unit: Unit, findings: list[Finding]) -> list[layers.Layer]:
    """The files of the unit's EnvironmentFile=, in the order in which they are read.

    :param findings: receives a finding for each file that cannot be read; the file is skipped.
    """
    paths = [path for file in unit.environment_files for path in sorted(glob.glob(file.path))]
    found = [layers.file_layer("EnvironmentFile", path, "systemd", findings) for path in paths]
    return [one for one in found if one]


def environment_of(unit: Unit, findings: list[Finding]) -> dict[str, str]:
    """The variables that systemd gives the unit's commands; C(findings) as of files_of()."""
    return given_to(unit, [layers.resolve([layer], findings) for layer in files_of(unit, findings)])
