# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find units by the processes that they run, where their text does not lead to Mastodon: a script, foreman."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import pwd
import typing as t

from ..._files import gate
from .. import running
from ..model import Role
from ..procfs import Processes
from ..running import Running
from .manager import Manager
from .units import Unit


def units(known: t.Mapping[str, Role], manager: Manager, processes: Processes) -> list[tuple[Unit, str, Role]]:
    """(unit, Mastodon's directory, role) of each unit that runs web or Sidekiq and is not known to.

    :param known: name -> role of the units that were found by their text.
    """
    kept = [one for one in running.mastodons(processes) if _keeps(manager, one)]
    kept = [one for one in kept if known.get(one.keeper.name) != one.role]
    shown = {unit.name: unit for unit in manager.show(sorted({one.keeper.name for one in kept})) if unit.exists}
    return [
        (shown[one.keeper.name], one.app_dir, one.role)
        for one in kept
        if one.keeper.name in shown
        and (one.keeper.name in known or manager.account or is_meant_for(shown[one.keeper.name], one))
    ]


def _keeps(manager: Manager, process: Running) -> bool:
    """Whether a process is one of this systemd's; of a user's systemd, one in a directory of his."""
    keeper, account = process.keeper, manager.account
    if account is None:
        return keeper.kind == "unit"
    try:
        return keeper.kind == "user-unit" and keeper.user == account.uid == gate.owner(process.app_dir)
    except OSError:
        return False


def is_meant_for(unit: Unit, process: Running) -> bool:
    """Whether whoever wrote the unit means it to run this process.

    A user can have any process run in the control group of cron.service, say. So the unit must be one of Mastodon's by
    its name, or name the user, who must be the one that controls Mastodon's directory: any other could only pose as it.
    """
    if unit.name.startswith("mastodon"):
        return True
    try:
        if gate.owner(process.app_dir) != process.uid:
            return False
    except OSError:
        return False
    try:
        return bool(unit.user) and pwd.getpwnam(unit.user).pw_uid == process.uid
    except KeyError:
        return unit.user.isdecimal() and int(unit.user) == process.uid
