# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the Compose project that is the instance, and each service's role, by labels, programs and the hints."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import os
import typing as t

from ..._files import gate
from ..._findings.compose import TABLE
from ..._findings.instance import TABLE as INSTANCE
from ..._findings.model import Finding, FindingError
from ..layers import ENV_FILE, mail_variables
from ..model import Hints, Role
from ..procfs import Processes
from ..roles import role_by
from .containers import Container
from .engine import Engine, rootless_hint
from .project import EnvFile, Project, ServiceModel, parse_config, passed_on, project_of

#: The names under which Compose looks for its file. Source: compose-go, cli/options.go.
_USUAL = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")

#: Says what one image with a start script runs: web, sidekiq or streaming. Source: Bitnami's image of Mastodon.
_MODE = "MASTODON_MODE"


@dataclasses.dataclass(frozen=True)
class Choice:
    """The chosen instance: its project, its services, and their roles.

    :ivar raw: the project's C(config --no-interpolate) output.
    """

    project: Project
    raw: bytes = dataclasses.field(repr=False)
    services: t.Mapping[str, ServiceModel]
    roles: t.Mapping[str, Role]
    containers: tuple[Container, ...]


def choose(hints: Hints, engine: Engine, processes: Processes) -> Choice:
    """Find the one project that the hints describe.

    :raises FindingError: there is none, or more than one.
    """
    everything = engine.containers()
    candidates = _candidates(everything, hints, processes)
    if not candidates:
        candidates = _in_directory(hints, everything)
    if len(candidates) > 1 and hints.env_file:
        folder = os.path.dirname(gate.real(hints.env_file))
        candidates = {
            project: found for project, found in candidates.items() if gate.real(project.directory) == folder
        } or candidates
    if len(candidates) > 1:
        raise FindingError(_several(list(candidates)))
    ((project, containers),) = candidates.items()
    raw = engine.config(project, resolved=False)
    name, services = parse_config(raw)
    project = dataclasses.replace(project, name=name or project.name)
    if not containers:
        _not_from_elsewhere(project, everything)
    roles = _roles(services, containers, hints, processes)
    if not any(role in ("web", "sidekiq") for role in roles.values()):
        message = f"Its services are {', '.join(sorted(services)) or 'none'}."
        raise FindingError(INSTANCE.finding("no-mail-services", project.shown, message))
    return Choice(project, raw, services, roles, tuple(one for one in containers if one.service in services))


def _several(projects: t.Sequence[Project]) -> Finding:
    """The finding for more than one match: lists the projects and the option that selects one."""
    listed = "; ".join(sorted(f"{one.name} in {one.directory}" for one in projects))
    message = f"{len(projects)} Compose projects run Mastodon: {listed}."
    directories = {one.directory for one in projects}
    if len(directories) == len(projects):
        choice = f"mastodon_smtp_app_dir, for example to {min(directories)}"
    else:
        choice = f"mastodon_smtp_project, for example to {min(one.name for one in projects)}"
    fix = f"Set {choice}; give each instance its own inventory host."
    return INSTANCE.finding("several-instances", "docker compose", message, fix)


def role_of(container: Container, processes: Processes) -> Role | None:
    """A container's role in Mastodon; None when it is not one of Mastodon's."""
    if not container.is_mastodon:
        return None
    return _role(container.program, (container.environment.get(_MODE, ""), container.service), container, processes)


def _role(program: str, names: t.Iterable[str], container: Container | None, processes: Processes) -> Role | None:
    """A service's role; None if it has none, or all of them in one container.

    Its processes tell it where its command does not: a start script.
    """
    titles: list[str] = []
    if container and container.pid and role_by(program, (), ()) is None:
        titles = [processes.title(pid) for pid in processes.family(container.pid)]
    if len({role_by("", [title], ()) for title in titles} & {"web", "sidekiq"}) > 1:
        return None
    return role_by(program, titles, names)


def _candidates(
    containers: t.Sequence[Container], hints: Hints, processes: Processes
) -> dict[Project, list[Container]]:
    """The projects that the hints allow, with their containers; without hints, those that run Mastodon."""
    by_name: dict[str, list[Container]] = {}
    for one in containers:
        by_name.setdefault(one.project, []).append(one)
    found = {}
    for name, members in by_name.items():
        if hints.project and name != hints.project:
            continue
        # The newest container's labels count: single services may have been recreated from another directory.
        project = project_of(max(members, key=lambda one: one.started or 0.0))
        if hints.app_dir:
            fits = _belongs(project, gate.real(hints.app_dir))
        else:
            fits = bool(hints.project) or any(role_of(one, processes) in ("web", "sidekiq") for one in members)
        if fits:
            found[project] = members
    if hints.app_dir and len(found) > 1:  # other projects may have their files in the same directory
        mastodons = {
            project: members
            for project, members in found.items()
            if any(role_of(one, processes) in ("web", "sidekiq") for one in members)
        }
        return mastodons or found
    return found


def _belongs(project: Project, directory: str) -> bool:
    places = [project.directory, *(os.path.dirname(path) for path in project.files)]
    return any(gate.real(place) == directory for place in places if place)


def _in_directory(hints: Hints, containers: t.Sequence[Container]) -> dict[Project, list[Container]]:
    """The project in a directory that the hints name, if it has no container yet."""
    directory = hints.app_dir
    if not directory:
        message = "No Compose container runs Mastodon's web or sidekiq."
        if hints.project:
            others = ", ".join(sorted({one.project for one in containers})) or "none"
            message = f"The project {hints.project} has no containers; projects on this host: {others}."
        raise FindingError(TABLE.finding("no-compose-instance", "docker compose", f"{message}{rootless_hint()}"))
    if not os.path.isdir(directory):
        raise FindingError(INSTANCE.finding("app-dir-missing", directory, "The directory does not exist."))
    if not any(os.path.exists(os.path.join(directory, name)) for name in _USUAL):
        message = f"It contains no Compose file ({', '.join(_USUAL)}), and no container was started from it."
        raise FindingError(TABLE.finding("no-compose-instance", directory, message))
    hint = rootless_hint(os.stat(directory).st_uid)
    if hint:
        message = f"This user's Docker Engine has no container of it.{hint}"
        raise FindingError(TABLE.finding("engine-of-another-user", directory, message))
    return {Project(hints.project or "", gate.real(directory)): []}


def _not_from_elsewhere(project: Project, containers: t.Sequence[Container]) -> None:
    """Refuse a project whose name another directory also uses: Compose would mix up their containers."""
    for one in containers:
        if one.project == project.name:
            message = f"Its containers were started from {one.working_dir}, not from {project.directory}."
            raise FindingError(TABLE.finding("project-from-elsewhere", f"the project {project.name}", message))


def _roles(
    services: t.Mapping[str, ServiceModel], containers: t.Sequence[Container], hints: Hints, processes: Processes
) -> dict[str, Role]:
    unknown = [name for name in hints.services if name not in services]
    if unknown:
        message = f"The Compose file does not define this service; it has {', '.join(sorted(services))}."
        raise FindingError(INSTANCE.finding("service-unknown", ", ".join(unknown), message))
    running = {one.service: one for one in containers}
    roles: dict[str, Role] = {}
    for name in hints.services or services:
        service, container = services[name], running.get(name)
        known = bool(hints.services) or service.is_mastodon or (container is not None and container.is_mastodon)
        program = container.program if container else service.program
        mode = (container.environment if container else service.environment).get(_MODE, service.own.get(_MODE))
        role = _role(program, (mode or "", name), container, processes) if known else None
        if role:
            roles[name] = role
        elif hints.services:
            message = "Neither its command, its processes nor its name shows its role (web, sidekiq or streaming)."
            raise FindingError(INSTANCE.finding("service-role-unknown", name, message))
    return roles


def env_file_of(
    project: Project,
    services: t.Sequence[ServiceModel],
    hinted: str | None,
    read: t.Callable[[EnvFile], t.Mapping[str, str]],
) -> EnvFile | None:
    """The environment file of an instance: the hinted one, an C(env_file), or the C(.env) that fills in its variables.

    :param services: those with mail settings.
    :param read: returns a file's variables; empty when it cannot be read.
    """
    if hinted:
        named = [one for service in services for one in service.env_files]
        return next((one for one in named if gate.real(one.path) == gate.real(hinted)), EnvFile(hinted))
    chosen = mail_env_file(services, read)
    if chosen and mail_variables(read(chosen)):
        return chosen
    passed = any(mail_variables(passed_on(service)) for service in services)
    return EnvFile(project.dotenv) if passed and os.path.exists(project.dotenv) else chosen


def mail_env_file(
    services: t.Iterable[ServiceModel], read: t.Callable[[EnvFile], t.Mapping[str, str]]
) -> EnvFile | None:
    """The environment file for the mail variables; None when the services name no environment file.

    The last file that sets mail variables, else C(.env.production), else the last file: later files win. A file that
    every service reads outranks others: what only one of them reads is an override in that one.

    :param read: returns a file's variables; empty when it cannot be read.
    """
    read_by = [service.env_files for service in services]
    named = list(dict.fromkeys(one for files in read_by for one in files))
    named = [one for one in named if all(one in files for files in read_by)] or named
    for one in reversed(named):
        if mail_variables(read(one)):
            return one
    usual = [one for one in named if os.path.basename(one.path) == ENV_FILE]
    chosen = usual or named
    return chosen[-1] if chosen else None
