# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look for a running Mastodon, or a half of one, that no way of finding an instance found, and say who keeps it."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import pwd
import re
import typing as t

from .._files import gate
from .._findings.model import Finding, FindingError, ended
from . import not_driven, running
from .compose import client
from .keepers import IN_CONTAINERS, keeper
from .model import MAIL_ROLES, Hints, Instance
from .procfs import Processes
from .running import Running

#: Programs that run a container in the foreground for a unit.
_CLIENTS = ("docker", "docker-current")


def told(nothing: Finding, hints: Hints, processes: Processes | None = None) -> Finding:
    """What to say when no instance was found: who keeps the Mastodon that runs here; the same finding if none does.

    :param nothing: why no instance was found.
    """
    processes = processes or Processes()
    found = running.mastodons(processes)
    if not found:
        return nothing
    containers = _containers([one.keeper.name for one in found if one.keeper.kind == "docker"])
    starters = _starters(processes, {one.id: one.name for one in containers.values()})
    unknown = starters if nothing.code == "service-unknown" else {}  # that name was wrong, not how these units run
    driven = [
        one
        for one in found
        if _driven_but_elsewhere(one, hints) or one.keeper.name in unknown or _composed(one, hints, nothing, containers)
    ]
    if len(driven) == len(found):
        return _with_places(nothing, driven, containers, unknown)
    told_of = [one for one in found if one not in driven]
    return not_driven.finding(told_of, containers, starters, _user)


def with_other_half(instance: Instance, hints: Hints, processes: Processes | None = None) -> list[Finding]:
    """The findings about an instance, with one about its web or Sidekiq that runs on this host in another way.

    Only what is missing among its services is looked for. The finding then takes the place of the one that says that
    this half runs on another host.
    """
    known = list(instance.findings)
    missing = [role for role in MAIL_ROLES if role not in instance.roles]
    processes = processes or Processes()
    found = [one for one in running.mastodons(processes) if one.role in missing and _is_of(one, instance, processes)]
    containers = _containers([one.keeper.name for one in found if one.keeper.kind == "docker"])
    found = [one for one in found if not _has_its_own_host(one, instance, hints, containers)]
    if not found:
        return known
    names = {one.id: one.name for one in containers.values()}
    half = not_driven.half(found, containers, _starters(processes, names), _user)
    elsewhere = {f"{one.role}-elsewhere" for one in found}
    return [half, *(one for one in known if one.code not in elsewhere)]


def _has_its_own_host(one: Running, instance: Instance, hints: Hints, containers: t.Mapping[str, t.Any]) -> bool:
    """Whether it is driven, but as another host of the inventory: other units, or another Compose project."""
    if one.keeper.kind == "unit":
        return bool(hints.services) or gate.real(one.app_dir) != gate.real(instance.app_dir)
    known = containers.get(one.keeper.name)
    if known is None or not known.project or known.swarm or client.in_portainer(known.working_dir):
        return False
    return gate.real(known.working_dir) != gate.real(instance.app_dir)


def _is_of(one: Running, instance: Instance, processes: Processes) -> bool:
    """Whether a process belongs to an instance: it has the same code, or was given the same domain."""
    if one.keeper.kind not in IN_CONTAINERS and gate.real(one.app_dir) == gate.real(instance.app_dir):
        return True
    domain = processes.environment(one.pid).get("LOCAL_DOMAIN", "")
    return bool(domain) and domain == instance.local_domain


def _driven_but_elsewhere(one: Running, hints: Hints) -> bool:
    """Whether it belongs to a unit of systemd, and the hints lead to another directory or to other units."""
    if one.keeper.kind != "unit":
        return False
    astray = bool(hints.app_dir) and gate.real(hints.app_dir or "") != gate.real(one.app_dir)
    return astray or hints.deployment == "compose" or bool(hints.services)


def _composed(one: Running, hints: Hints, nothing: Finding, containers: t.Mapping[str, t.Any]) -> bool:
    """Whether it belongs to a Compose project that is driven, and the Engine, Compose or the hints stand in the way."""
    if one.keeper.kind != "docker" or one.keeper.user is not None:
        return False
    known = containers.get(one.keeper.name)
    if known is None:
        return nothing.code == "engine-down"
    if not known.project or known.swarm or client.in_portainer(known.working_dir):
        return False
    return (
        nothing.code in ("compose-missing", "service-unknown", "engine-down")
        or hints.deployment == "systemd"
        or bool(hints.project and hints.project != known.project)
        or bool(hints.app_dir and gate.real(hints.app_dir) != gate.real(known.working_dir))
    )


def _with_places(
    nothing: Finding, found: t.Sequence[Running], containers: t.Mapping[str, t.Any], starters: t.Mapping[str, str]
) -> Finding:
    def place(one: Running) -> str:
        if one.keeper.name in starters:
            return f"container {containers[one.keeper.name].name} ({starters[one.keeper.name]})"
        if one.keeper.kind != "docker":
            return f"{one.app_dir} ({one.keeper.name})"
        known = containers.get(one.keeper.name)
        return (
            f"{known.working_dir} (Compose project {known.project})" if known else f"container {one.keeper.name[:12]}"
        )

    places = "; ".join(dict.fromkeys(map(place, found)))
    version = " ".join(filter(None, ("Mastodon", found[0].release)))
    return dataclasses.replace(nothing, message=f"{ended(nothing.message)} {version} runs in {places}.")


def _containers(ids: t.Sequence[str]) -> dict[str, t.Any]:
    """What the Engine says about containers, by id; empty where there is no Engine for this user."""
    if not ids or client.missing():
        return {}
    from .compose.engine import Engine

    try:
        return {one.id: one for one in Engine().named(list(dict.fromkeys(ids)))}
    except FindingError:
        return {}


def _starters(processes: Processes, names: t.Mapping[str, str]) -> dict[str, str]:
    """The systemd units that run docker in the foreground for these containers: id -> unit.

    :param names: id -> name.
    """
    found: dict[str, str] = {}
    for pid in processes.pids() if names else ():
        if processes.program(pid) not in _CLIENTS:
            continue
        title = processes.title(pid, 4096)
        kept = keeper(processes.control_groups(pid), "", ())
        for identity, name in names.items():
            if kept.kind == "unit" and re.search(rf"(?:^|[\s=]){re.escape(name)}(?=\s|$)", title):
                found[identity] = kept.name
    return found


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
