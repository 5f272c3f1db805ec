# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to say about a Mastodon that runs, but not in a way that is driven: who keeps it, what to do. No I/O here.

docs/deployments.md has the table of all ways.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from .._findings.instance import TABLE
from .._findings.model import Finding
from .compose.client import PORTAINER_FIX, in_portainer
from .keepers import Keeper, Kind
from .running import Running

#: At most so many processes are named.
_MOST = 4
_UNITS_OF_DIST = "the units in the folder dist of Mastodon"
_BY_HAND = "Edit {app_dir}/.env.production yourself and restart {service}."


class ContainerLike(t.Protocol):
    """What is used of compose.containers.Container."""

    @property
    def name(self) -> str: ...

    @property
    def project(self) -> str: ...

    @property
    def service(self) -> str: ...

    @property
    def swarm(self) -> str: ...

    @property
    def working_dir(self) -> str: ...


#: How a keeper is named, and what the operator can do. Names in braces: see _words.
_ROWS: dict[Kind, tuple[str, str]] = {
    "unit": (
        "the systemd unit {name}",
        "Let the unit say where it runs: set WorkingDirectory={app_dir} and User={user} in it, or name it with "
        "mastodon_smtp_services and the directory with mastodon_smtp_app_dir.",
    ),
    "user-unit": (
        "{name}, a unit of the user manager of {owner}",
        "Units of a user's own systemd are driven when the user is named: set mastodon_smtp_user to {owner}, who must "
        "own {app_dir}. Or edit {app_dir}/.env.production yourself, and restart it as that user with systemctl --user "
        "restart {name}.",
    ),
    "docker": (
        "docker run, container {name}",
        "Run it with Docker Compose and an env_file. Or set the variables in the file that its --env-file names (or "
        "its --env options), and recreate the container: docker restart keeps the old values.",
    ),
    "podman": (
        "Podman, container {name}",
        "Podman is not driven. Set the variables where the container gets them (EnvironmentFile= or Environment= of "
        "its quadlet, env_file of podman-compose, --env-file), and recreate the container.",
    ),
    "containerd": (
        "containerd, container {name}",
        "Only containers of Docker Compose are driven. Set the variables where the container gets them, and recreate "
        "it.",
    ),
    "kubernetes": (
        "Kubernetes",
        "Take the host out of the inventory group. Set the SMTP variables in the values of the Helm chart (the module "
        "fediops.mastodon.smtp_settings, used alone, returns them as snippets), or in the ConfigMap and the Secret "
        "that the Deployments of web and Sidekiq read, and roll both out again.",
    ),
    "machine": (
        "the container {name}, which is a host of its own",
        "Put that container itself into the inventory group, in place of this host.",
    ),
    "openrc": (
        "OpenRC{named}",
        "OpenRC is not driven. " + _BY_HAND.format(app_dir="{app_dir}", service="the services with rc-service"),
    ),
    "runit": (
        "runit{named}",
        "runit is not driven. " + _BY_HAND.format(app_dir="{app_dir}", service="the services with sv restart"),
    ),
    "s6": (
        "s6{named}",
        "s6 is not driven. " + _BY_HAND.format(app_dir="{app_dir}", service="the services with s6-svc -r"),
    ),
    "daemontools": (
        "daemontools{named}",
        "daemontools is not driven. " + _BY_HAND.format(app_dir="{app_dir}", service="the services with svc -t"),
    ),
    "supervisor": (
        "supervisord",
        "supervisord is not driven. "
        + _BY_HAND.format(app_dir="{app_dir}", service="the programs with supervisorctl restart"),
    ),
    "pm2": (
        "pm2",
        "pm2 is not driven. " + _BY_HAND.format(app_dir="{app_dir}", service="the processes with pm2 restart"),
    ),
    "hand": (
        "no service manager: it was started by hand or by cron",
        f"Install {_UNITS_OF_DIST}, so that it also survives a reboot, and run this again. Or edit "
        "{app_dir}/.env.production yourself and start it again.",
    ),
}
_SWARM = (
    "the Swarm service {name}",
    "Swarm is not driven. Set the variables in the stack's file and deploy it again (docker stack deploy), or use "
    "docker service update --env-add NAME=VALUE {name}.",
)
_WRAPPED = (
    "the systemd unit {unit}, which runs the container {name}",
    "A unit that runs docker is driven if its docker run (or docker create) has --name and --env-file, and the command "
    "is in the unit itself. Otherwise set the variables where {unit} takes them from, and restart {unit}, which must "
    "recreate the container.",
)
_COMPOSE = (
    "the container {name} of the Compose project {project}",
    "Neither its command nor its name shows its role. Name the service with mastodon_smtp_services if its name "
    "contains web or sidekiq. Otherwise set the variables in its env_file or environment yourself, and recreate it: "
    "docker compose up -d {service}.",
)
_ALL_IN_ONE = (
    "the container {name}, which holds web and Sidekiq",
    "An image with all services in one container is not driven. Set the variables in its environment or env_file "
    "yourself and recreate the container: docker restart keeps the old values.",
)
_ROOTLESS = (
    "a rootless Docker Engine of {engine_of}",
    "Log in as that user without become, or set ansible_become_user to that user: a Compose project is then found.",
)
_ACCEPTED = "Or accept half-not-driven with mastodon_smtp_accept, and restart that half yourself after each rollout."
#: Without control groups of its own, a rootless Engine leaves its containers in that of its unit.
_ENGINE = re.compile(r"docker(?:-[\w-]+)?\.service")
_PORTAINERS = ("the container {name} of Portainer's stack {project}", PORTAINER_FIX)


def finding(
    running: t.Sequence[Running],
    containers: t.Mapping[str, ContainerLike],
    starters: t.Mapping[str, str],
    owners: t.Callable[[int], str] = str,
) -> Finding:
    """The finding about a Mastodon that runs in a way that is not driven.

    :param running: its processes, at least one.
    :param containers: what Docker says about them, by their ids; not all are known.
    :param starters: the systemd unit that runs docker for a container, by the container's id.
    :param owners: the name of a user by his number.
    """
    named, fix = _told(running, containers, starters, owners)
    release = next((one.release for one in running if one.release), "")
    message = (
        f"{' '.join(filter(None, ('Mastodon', release)))} runs here ({named}), which this collection does not drive."
    )
    return TABLE.finding("mastodon-not-driven", "host", message, fix)


def half(
    running: t.Sequence[Running],
    containers: t.Mapping[str, ContainerLike],
    starters: t.Mapping[str, str],
    owners: t.Callable[[int], str] = str,
) -> Finding:
    """The finding about web or Sidekiq of an instance whose other half is driven; parameters as of finding()."""
    named, fix = _told(running, containers, starters, owners)
    programs = list(dict.fromkeys(one.program for one in running))
    message = (
        f"{' and '.join(programs)} of this instance {'run' if len(programs) > 1 else 'runs'} here too ({named}), which "
        "this collection does not drive: the old settings would stay in use there."
    )
    return TABLE.finding("half-not-driven", running[0].role, message, f"{fix} {_ACCEPTED}")


def _told(
    running: t.Sequence[Running],
    containers: t.Mapping[str, ContainerLike],
    starters: t.Mapping[str, str],
    owners: t.Callable[[int], str],
) -> tuple[str, str]:
    """The processes with their keepers, and what to do, once for each kind of keeper."""
    shared = {
        one.keeper.name
        for one in running
        if one.keeper.kind == "docker"
        and not _is_rootless(one.keeper)
        and {other.role for other in running if other.keeper == one.keeper} >= {"web", "sidekiq"}
    }
    named, fixes = [], []
    for one in running:
        kept_by, fix = _row(one.keeper, containers, starters, shared)
        words = _words(one, containers, starters, owners)
        named.append(f"{one.program}, pid {one.pid}, user {one.user}, kept by {kept_by.format_map(words)}")
        fixes.append(fix.format_map(words))
    more = f"; {len(named) - _MOST} more" if len(named) > _MOST else ""
    first_of_kind = {one.keeper.kind: fix for one, fix in reversed(list(zip(running, fixes)))}
    kinds = dict.fromkeys(one.keeper.kind for one in running)
    return f"{'; '.join(named[:_MOST])}{more}", " ".join(first_of_kind[kind] for kind in kinds)


def _row(
    keeper: Keeper, containers: t.Mapping[str, ContainerLike], starters: t.Mapping[str, str], shared: t.Container[str]
) -> tuple[str, str]:
    container = containers.get(keeper.name)
    if _is_rootless(keeper):
        return _ROOTLESS
    if keeper.kind != "docker":
        return _ROWS[keeper.kind]
    if container and container.swarm:
        return _SWARM
    if container and container.project and in_portainer(container.working_dir):
        return _PORTAINERS
    if keeper.name in shared:
        return _ALL_IN_ONE
    if container and container.project:
        return _COMPOSE
    return _WRAPPED if keeper.name in starters else _ROWS["docker"]


def _is_rootless(keeper: Keeper) -> bool:
    if keeper.kind == "docker":
        return keeper.user is not None
    return keeper.kind in ("unit", "user-unit") and bool(_ENGINE.fullmatch(keeper.name))


def _words(
    one: Running,
    containers: t.Mapping[str, ContainerLike],
    starters: t.Mapping[str, str],
    owners: t.Callable[[int], str],
) -> dict[str, str]:
    keeper = one.keeper
    container = containers.get(keeper.name)
    name = (container.swarm or container.name) if container else ""
    if not name:
        name = keeper.name[:12] if re.fullmatch(r"[0-9a-f]{12,64}", keeper.name) else keeper.name
    return {
        "name": name,
        "named": f" (service {keeper.name})" if keeper.name else "",
        "owner": owners(keeper.user) if keeper.user is not None else one.user,
        "engine_of": owners(keeper.user) if keeper.user is not None else f"another user (see {keeper.name})",
        "user": one.user,
        "app_dir": one.app_dir,
        "project": container.project if container else "",
        "service": container.service if container else "",
        "unit": starters.get(keeper.name, ""),
    }
