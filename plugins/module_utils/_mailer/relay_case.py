# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check of one relay is given."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._findings.model import Finding
from .names import option, variable
from .settings import Preset, Relay, Wanted


@dataclasses.dataclass(frozen=True)
class Case:
    """The input of a check.

    :ivar bulk: whether this is the bulk relay; decides the names of options.
    :ivar presets: all presets, by name.
    :ivar senders: option -> address that a mail is sent from.
    :ivar local_domain: LOCAL_DOMAIN; empty when it is not known.
    """

    wanted: Wanted
    preset: Preset | None
    relay: Relay
    bulk: bool = False
    presets: t.Mapping[str, Preset] = dataclasses.field(default_factory=dict)
    senders: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    local_domain: str = ""

    def option(self, name: str) -> str:
        """The name of the option, as the subject of a finding."""
        return option(name, bulk=self.bulk)

    def variable(self, name: str) -> str:
        """The role variable of an option, for the fix."""
        return variable(name, bulk=self.bulk)


Rule = t.Callable[[Case], t.Iterator[Finding]]
