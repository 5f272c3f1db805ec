# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the systemd units that make up the instance."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import typing as t

from ..._files import gate
from ..._findings.env_file import TABLE as FILES
from ..._findings.instance import TABLE
from ..._findings.model import Finding, FindingError
from .. import release
from ..model import MAIL_ROLES, Hints, Role
from ..procfs import Processes
from . import places
from .environment import ABSOLUTE
from .manager import Manager
from .units import Unit, role_of

#: Prefix of Mastodon's own units; others are found by the directory they lead to. Source: Mastodon dist/*.service.
_OFFICIAL = "mastodon-"

#: What a user's own systemd says where it has no instance; any other refusal is about one that it has.
_NOT_HERE = ("no-systemd", "no-instance", "no-mail-services", "service-unknown")
#: The same about a directory that the operator names.
_NOT_THERE = ("app-dir-missing", "app-dir-not-mastodon")


@dataclasses.dataclass(frozen=True)
class Choice:
    """The chosen instance: its directory, its user, its units and their roles."""

    app_dir: str
    user: str
    units: tuple[Unit, ...]
    roles: t.Mapping[str, Role]
    mark: str = ""


@dataclasses.dataclass(frozen=True)
class _Lead:
    """A unit that leads to an app directory."""

    unit: Unit
    app_dir: str
    role: Role


def choose_anywhere(hints: Hints, manager: Manager, processes: Processes) -> tuple[Choice, Manager]:
    """The units of the one instance that the hints describe, and the systemd that runs them.

    Where the given one has none that are meant to run, that of the user is asked whom the operator names, or as whom we
    run. No other user's: a unit of the system was written by root, one of a user says what that user wants.

    :raises FindingError: there is none, or more than one.
    """
    choice = nothing = None
    try:
        choice = choose(hints, manager, processes)
    except FindingError as error:
        nothing = error
    if choice and any(unit.meant for unit in choice.units if choice.roles[unit.name] in MAIL_ROLES):
        return choice, manager
    name = hints.user or ("" if os.geteuid() == 0 else str(os.geteuid()))
    own = Manager.of_user(name) if name and not manager.account else None
    if own:
        try:
            return choose(hints, own, processes), own
        except FindingError as error:
            if error.finding.code not in (_NOT_HERE + (_NOT_THERE if hints.app_dir else ())):
                raise
    if nothing:
        raise nothing
    return t.cast(Choice, choice), manager


def choose(hints: Hints, manager: Manager, processes: Processes) -> Choice:
    """Find the units of the one instance that the hints describe.

    :raises FindingError: there is none, or more than one.
    """
    return _as_seen(hints, manager, processes) or _searched(hints, manager, processes)


def _as_seen(hints: Hints, manager: Manager, processes: Processes) -> Choice | None:
    """The instance made of the units that an earlier step found; None when a new search might find others.

    The units themselves, and all that they lead to, are read again.
    """
    if manager.account or hints.services or not hints.seen or not hints.mark or hints.mark != places.mark():
        return None
    alone = dataclasses.replace(hints, seen=())  # what they lead to counts, not that they were found before
    groups = list(_groups(_leads(manager.show(hints.seen), alone, processes), hints).values())
    if len(groups) != 1 or {lead.unit.name for lead in groups[0]} != set(hints.seen):
        return None
    return _choice(groups[0], hints, hints.mark)


def _searched(hints: Hints, manager: Manager, processes: Processes) -> Choice:
    mark = (
        "" if hints.services or manager.account else places.mark()
    )  # before the search: units added during it invalidate the mark
    if hints.services:
        units = _named(hints, manager)
        count = len(units)
    else:
        names, count = manager.unit_names(lambda name, files: name in hints.seen or _may_lead(name, files))
        units = manager.show(names)
    leads = _owned(_leads(units, hints, processes), manager)
    groups = _groups(leads, hints)
    if not hints.services and not (groups and all(map(_sends_and_serves, groups.values()))):
        leads = _owned(_with_processes(leads, manager, processes), manager)
        groups = _groups(leads, hints)
    if not groups:
        raise FindingError(_nothing(units, count, hints))
    if len(groups) > 1:
        raise FindingError(_several(groups))
    (found,) = groups.values()
    choice = _choice(found, hints, mark)
    return dataclasses.replace(choice, user=manager.account.name) if manager.account else choice


def _owned(leads: t.Sequence[_Lead], manager: Manager) -> list[_Lead]:
    """Of a user's own units, those in a directory that is his: he could name that of somebody else in a unit."""
    if manager.account is None:
        return list(leads)
    owned = []
    for lead in leads:
        with contextlib.suppress(OSError):
            # Not one of root's in his folder either.
            owners = {gate.owner(lead.app_dir), os.stat(lead.app_dir).st_uid}
            owned += [lead] if owners == {manager.account.uid} else []
    return owned


def _choice(found: t.Sequence[_Lead], hints: Hints, mark: str) -> Choice:
    roles = {lead.unit.name: lead.role for lead in found}
    for lead in found:
        if lead.role != roles[lead.unit.name]:
            message = f"It runs both {lead.role} and {roles[lead.unit.name]} of {lead.app_dir}."
            raise FindingError(TABLE.finding("unit-with-two-roles", lead.unit.name, message))
    if not any(role in ("web", "sidekiq") for role in roles.values()):
        message = f"Only {', '.join(sorted(roles))} leads there."
        raise FindingError(TABLE.finding("no-mail-services", found[0].app_dir, message))
    return Choice(
        app_dir=found[0].app_dir,
        user=hints.user or _user(found),
        units=tuple(lead.unit for lead in found),
        roles=roles,
        mark=mark,
    )


def _named(hints: Hints, manager: Manager) -> list[Unit]:
    """The units that the operator names."""
    names = [name if name.endswith(".service") else f"{name}.service" for name in hints.services]
    units = manager.show(names)
    missing = [name for name in names if not any(name in (one.name, *one.aliases) and one.exists for one in units)]
    if missing:
        message = "systemd does not know this unit."
        raise FindingError(TABLE.finding("service-unknown", ", ".join(missing), message))
    return units


def _leads(units: t.Iterable[Unit], hints: Hints, processes: Processes) -> list[_Lead]:
    """The units that belong to any Mastodon, with the directory and role of each."""
    leads = []
    homeless: list[tuple[Unit, Role]] = []
    for unit in units:
        if not unit.exists:
            continue
        app_dir = "" if unit.masked and not unit.exec_start else app_dir_of(unit)
        may_be = app_dir or hints.services or unit.name.startswith(_OFFICIAL) or unit.name in hints.seen
        role = _role(unit, processes) if may_be else None
        if role is None:
            if hints.services:
                message = "Neither its program, its processes nor its name shows its role (web, sidekiq or streaming)."
                raise FindingError(TABLE.finding("service-role-unknown", unit.name, message))
        elif app_dir:
            leads.append(_Lead(unit, app_dir, role))
        else:
            homeless.append((unit, role))
    return leads + _adopt(homeless, leads, hints)


def _adopt(homeless: t.Sequence[tuple[Unit, Role]], leads: t.Sequence[_Lead], hints: Hints) -> list[_Lead]:
    """Assign units that name no directory (masked, or started by a custom script) to the only directory found."""
    homes = list(dict.fromkeys(gate.real(lead.app_dir) for lead in leads))
    if hints.services and hints.app_dir:
        return [_Lead(unit, hints.app_dir, role) for unit, role in homeless]
    if len(homes) != 1:
        return []
    # An earlier step may have found a unit by a process that does not run at this moment.
    return [
        _Lead(unit, leads[0].app_dir, role)
        for unit, role in homeless
        if unit.masked or hints.services or unit.name in hints.seen
    ]


def _sends_and_serves(found: t.Iterable[_Lead]) -> bool:
    """Whether both roles that hold mail settings are there, as on an ordinary host."""
    return {"web", "sidekiq"} <= {lead.role for lead in found}


def _with_processes(leads: t.Sequence[_Lead], manager: Manager, processes: Processes) -> list[_Lead]:
    """The leads, and those units that only their processes show to be Mastodon's (a script, no WorkingDirectory=)."""
    from . import by_process  # an ordinary host pays nothing for it

    known = {lead.unit.name: lead.role for lead in leads}
    found = by_process.units(known, manager, processes)
    return [*leads, *(_Lead(unit, home, role) for unit, home, role in found if is_app_dir(home))]


def _role(unit: Unit, processes: Processes) -> Role | None:
    pids = processes.of_control_group(unit.control_group) if unit.main_pid else []
    return role_of(unit, [processes.title(pid) for pid in pids])


def app_dir_of(unit: Unit) -> str:
    """The Mastodon directory that a unit's WorkingDirectory= or program leads to; empty when there is none."""
    leads = [_home(unit.user) if unit.working_directory == "~" else unit.working_directory]
    leads += [path for program in unit.exec_start for path in ABSOLUTE.findall(program)]
    for place in leads:
        for folder in places.upwards(place):
            if is_app_dir(folder):
                return folder
    return ""


def is_app_dir(path: str) -> bool:
    """Whether the directory holds Mastodon."""
    return os.path.isfile(os.path.join(path, release.PATH))


def _home(user: str) -> str:
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return ""


def _groups(leads: t.Iterable[_Lead], hints: Hints) -> dict[str, list[_Lead]]:
    """The leads by directory, without those that a hint rules out.

    A hint about the directory always decides. The user and the environment file only choose between several instances:
    with a single one they may be meant to correct what was found.
    """
    groups: dict[str, list[_Lead]] = {}
    for lead in leads:
        groups.setdefault(gate.real(lead.app_dir), []).append(lead)
    if hints.app_dir:
        wanted = gate.real(hints.app_dir)
        return {home: found for home, found in groups.items() if home == wanted}
    tests: list[t.Callable[[str, list[_Lead]], bool]] = []
    if hints.env_file:
        tests.append(lambda home, found: _reads(home, found, gate.real(hints.env_file or "")))
    if hints.user:
        tests.append(lambda _unused, found: any(lead.unit.user == hints.user for lead in found))
    for passes in tests:
        if len(groups) > 1:
            groups = {home: found for home, found in groups.items() if passes(home, found)} or groups
    return groups


def _reads(home: str, found: t.Iterable[_Lead], env_file: str) -> bool:
    named = {gate.real(file.path) for lead in found for file in lead.unit.environment_files}
    return os.path.dirname(env_file) == home or env_file in named


def _user(found: t.Sequence[_Lead]) -> str:
    """The instance's user: User= of its web service, else of another service, else the directory's owner.

    Never root by default: a Rails boot as root leaves files behind that the instance cannot write.
    """
    for role in ("web", "sidekiq", "streaming"):
        for lead in found:
            if lead.role == role and lead.unit.user:
                return lead.unit.user
    try:
        owner = gate.owner(found[0].app_dir)
    except gate.Refused as error:
        message = f"{error.strerror}."
        raise FindingError(FILES.finding("link-not-followed", str(error.filename), message, error.fix)) from None
    except OSError as error:
        message = f"Its owner cannot be determined: {error.strerror}."
        raise FindingError(TABLE.finding("app-dir-missing", found[0].app_dir, message)) from None
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)


def _may_lead(name: str, files: places.UnitFiles) -> bool:
    """Whether to ask systemd about a unit: Mastodon's own by their names, others by the directories they name."""
    return name.startswith(_OFFICIAL) or files.may_lead(name, is_app_dir)


def _nothing(units: t.Sequence[Unit], count: int, hints: Hints) -> Finding:
    """Why no instance was found, as exactly as possible.

    :param count: number of units that were considered, including those ruled out without asking systemd.
    """
    if hints.app_dir:
        return _no_app_dir(hints.app_dir)
    official = [unit for unit in units if hints.services or (unit.exists and unit.name.startswith(_OFFICIAL))]
    for unit in official:
        if unit.working_directory.startswith("/"):
            return _no_app_dir(unit.working_directory, f"{unit.name} names it as its working directory. ")
    if official:
        names = ", ".join(unit.name for unit in official)
        return TABLE.finding("no-instance", names, "None of these units has a Mastodon working directory.")
    message = f"No Mastodon was found here: none of the {count} units points to a directory with {release.PATH}."
    return TABLE.finding("no-instance", "systemd", message)


def _no_app_dir(path: str, where: str = "") -> Finding:
    try:
        os.stat(os.path.join(path, release.PATH))
    except PermissionError:
        return TABLE.finding("not-permitted", path, f"{where}uid {os.geteuid()} is not allowed to read it.")
    except OSError:
        if not os.path.isdir(path):
            return TABLE.finding("app-dir-missing", path, f"{where}The directory does not exist.")
        return TABLE.finding("app-dir-not-mastodon", path, f"{where}It does not contain {release.PATH}.")
    return TABLE.finding("no-mail-services", path, f"{where}It contains Mastodon, but no systemd unit points to it.")


def _several(groups: t.Mapping[str, t.Sequence[_Lead]]) -> Finding:
    listed = "; ".join(
        f"{home} ({', '.join(sorted(lead.unit.name for lead in found))})" for home, found in sorted(groups.items())
    )
    message = f"The host has {len(groups)} instances: {listed}."
    fix = f"Set mastodon_smtp_app_dir, for example to {sorted(groups)[0]}; give each instance its own inventory host."
    return TABLE.finding("several-instances", "systemd", message, fix)
