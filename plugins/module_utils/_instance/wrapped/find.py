# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the systemd units that run Mastodon in containers, each with its own C(docker run)."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from ..._files import gate
from ..._findings.instance import TABLE
from ..._findings.model import FindingError
from ..compose import on_disk
from ..compose.containers import Container
from ..compose.engine import Engine
from ..compose.find import mail_env_file
from ..compose.project import EnvFile, ServiceModel
from ..model import MAIL_ROLES, Hints, Role
from ..procfs import Processes
from ..roles import role_by
from ..systemd.manager import Manager
from ..systemd.units import Unit
from . import left_out
from .docker_run import DockerRun, of_unit
from .left_out import Left

_MAKES_CONTAINER = re.compile(r"\bdocker\s+(?:container\s+)?(?:run|create)\b")


@dataclasses.dataclass(frozen=True)
class Wrapped:
    """A unit, the container that it makes, and its role."""

    unit: Unit
    run: DockerRun
    role: Role

    @property
    def model(self) -> ServiceModel:
        """What makes it, as a service of a Compose project would be described."""
        files = tuple(EnvFile(path, "raw") for path in self.run.every("env-file"))
        return ServiceModel(self.unit.name, self.run.image, self.run.program, files)


@dataclasses.dataclass(frozen=True)
class Choice:
    """The chosen instance.

    :ivar env_file: the one that holds the mail variables.
    """

    env_file: str
    wrapped: tuple[Wrapped, ...]


def choose(hints: Hints, manager: Manager, engine: Engine, processes: Processes) -> Choice | None:
    """The units of the one instance that the hints describe; None if no unit runs Mastodon in a container.

    :raises FindingError: there is more than one, a unit of it is not driven, or the Engine does not answer.
    """
    runs = [(unit, of_unit(unit)) for unit in _units(hints, manager)]
    if hints.services and not any(run for _unused, run in runs):
        return None
    containers = {one.name: one for one in engine.named([run.name for _unused, run in runs if run and run.name])}
    found: list[Wrapped] = []
    left: list[Left] = []
    for unit, said in runs:
        run = said.seen_from(unit.working_directory or "/") if said else None
        why = left_out.why(unit, run)
        one = _wrapped(unit, run, containers.get(run.name), processes) if run and not why else None
        if one:
            found.append(one)
        elif unit.meant and (hints.services or (why and left_out.sends_mail(unit, run))):
            left.append(Left(unit.name, _home(run) if run else "", why or "It does not show that it runs Mastodon."))
    groups: dict[str, list[Wrapped]] = {}
    for one in found:
        groups.setdefault(_home(one.run), []).append(one)
    groups = {home: members for home, members in groups.items() if any(one.role in MAIL_ROLES for one in members)}
    if hints.app_dir:
        groups = {home: members for home, members in groups.items() if home == gate.real(hints.app_dir)}
    if len(groups) > 1:
        listed = "; ".join(f"{home} ({', '.join(one.unit.name for one in groups[home])})" for home in sorted(groups))
        message = f"The host has {len(groups)} instances in units that run docker: {listed}."
        fix = (
            f"Set mastodon_smtp_app_dir, for example to {sorted(groups)[0]}; give each instance its own inventory host."
        )
        raise FindingError(TABLE.finding("several-instances", "systemd", message, fix))
    left_out.refuse(left, gate.real(hints.app_dir) if hints.app_dir else "", alone=not groups)
    for members in groups.values():
        models = [one.model for one in members if one.role in MAIL_ROLES]
        file = mail_env_file(models, on_disk.variables)
        return Choice(hints.env_file or (file.path if file else ""), tuple(members))
    return None


def _units(hints: Hints, manager: Manager) -> list[Unit]:
    """The units that may run Mastodon in a container; if the operator names units, those."""
    if not hints.services:
        names, _unused = manager.unit_names(lambda name, files: files.says(name, _MAKES_CONTAINER))
        return [unit for unit in manager.show(names) if unit.exists]
    names = [name if name.endswith(".service") else f"{name}.service" for name in hints.services]
    units = [unit for unit in manager.show(names) if unit.exists]
    missing = [name for name in names if not any(name in (unit.name, *unit.aliases) for unit in units)]
    if missing and any(map(of_unit, units)):
        raise FindingError(TABLE.finding("service-unknown", ", ".join(missing), "systemd does not know this unit."))
    return units


def _home(run: DockerRun) -> str:
    """The directory of its environment file, which identifies an instance; empty if it has none."""
    files = run.every("env-file")
    return gate.real(os.path.dirname(files[-1])) if files else ""


def _wrapped(unit: Unit, run: DockerRun, container: Container | None, processes: Processes) -> Wrapped | None:
    """The unit, if it runs a part of Mastodon."""
    if not left_out.is_mastodon(run):
        return None
    titles: t.Sequence[str] = ()
    if container and container.pid and role_by(run.program, (), ()) is None:
        titles = [processes.title(pid) for pid in processes.family(container.pid)]
    role = role_by(run.program, titles, (unit.name,))
    return Wrapped(unit, run, role) if role else None
