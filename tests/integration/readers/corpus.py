# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The corpus of hand-made cases, read once for the models' unit tests and for the real programs."""

from __future__ import annotations

import dataclasses
import pathlib

import yaml

#: What every reader has in its environment: C($NAME) in a value may refer to it.
PROCESS = {"FROM_PROCESS": "process"}

FOLDER = pathlib.Path(__file__).parent / "corpus"


@dataclasses.dataclass(frozen=True)
class Case:
    """One text, and what each reader makes of it."""

    row: str
    text: str
    seen: dict[str, dict[str, str | None] | None]

    def expected(self, reader: str, version: str) -> dict[str, str | None] | None:
        """What one generation of a reader sees; None when it refuses the file."""
        for key in (f"{reader} {version}", reader, "all"):
            if key in self.seen:
                return self.seen[key]
        raise KeyError(f"{self.row}: nothing is said about {reader}")


def cases() -> list[Case]:
    return [Case(**one) for one in yaml.safe_load((FOLDER / "dialects.yml").read_text(encoding="utf-8"))]


def awkward_secrets() -> list[str]:
    return [str(one) for one in yaml.safe_load((FOLDER / "awkward_secrets.yml").read_text(encoding="utf-8"))]
