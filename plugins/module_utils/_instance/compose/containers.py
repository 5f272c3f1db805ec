# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What C(docker inspect) prints about containers, as data. No I/O here.

Written for Docker Engine 20.10 to 28 and the labels that Compose 1 and 2 put on their containers.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import typing as t

from ..model import State

_LABEL = "com.docker.compose."


@dataclasses.dataclass(frozen=True)
class Container:
    """One container of a Compose project.

    :ivar made_by: the version of Compose that created it.
    :ivar image: the image's name in the Compose file when the container was created.
    :ivar image_id: the id of its image.
    :ivar program: entrypoint and command as one text.
    :ivar environment: what its processes were started with. Holds secrets.
    :ivar pid: its main process, as the Engine sees it; 0 when it does not run.
    :ivar started: seconds since the epoch; None when it does not run.
    :ivar restart_policy: C(no), C(always), C(unless-stopped) or C(on-failure).
    :ivar health: C(healthy), C(unhealthy) or C(starting); empty without a health check.
    :ivar addresses: its addresses by network.
    :ivar published: (container's port, host's address, host's port) of each published TCP port.
    :ivar no_new_privileges: setuid and setgid programs have no effect in it.
    :ivar hostname: the host name that its processes see.
    :ivar mounts: path in the container -> directory or file of the host.
    :ivar swarm: the Swarm service that it is a task of.
    """

    id: str
    name: str
    project: str = ""
    service: str = ""
    working_dir: str = ""
    config_files: tuple[str, ...] = ()
    dotenv_files: tuple[str, ...] = ()
    oneoff: bool = False
    number: int = 0
    made_by: str = ""
    image: str = ""
    image_id: str = ""
    release_label: str = ""
    program: str = ""
    user: str = ""
    directory: str = ""
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    status: str = ""
    exit_code: int = 0
    pid: int = 0
    started: float | None = None
    restarts: int = 0
    restart_policy: str = ""
    health: str = ""
    addresses: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    network_mode: str = ""
    published: tuple[tuple[int, str, int], ...] = ()
    no_new_privileges: bool = False
    hostname: str = ""
    mounts: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    swarm: str = ""

    @property
    def state(self) -> State:
        """The state in this collection's words; see model.State."""
        if self.status == "exited":
            # Under such a policy the Engine restarts what crashes, so somebody has stopped it.
            by_hand = self.restart_policy in ("always", "unless-stopped")
            return "stopped" if by_hand or self.exit_code == 0 else "failed"
        return _STATES.get(self.status, "changing")

    @property
    def detail(self) -> str:
        """The state in the Engine's words, such as C(running (healthy)) or C(exited (1))."""
        more = self.health if self.status == "running" else str(self.exit_code)
        return f"{self.status} ({more})" if more and self.status in ("running", "exited", "restarting") else self.status

    @property
    def failing(self) -> bool:
        """Whether it has crashed (and is restarted or given up), or its health check fails."""
        return self.status == "restarting" or self.state == "failed" or self.detail == "running (unhealthy)"

    @property
    def made_as(self) -> str:
        """How the Compose that created it reads environment files, as a name of _dotenv.dialects.

        Compose 1 took lines verbatim up to 1.25, and has used python-dotenv since 1.26 (docker/docs#12000).
        """
        if not self.made_by.startswith("1."):
            return "compose"
        return "python_dotenv" if _number(self.made_by.split(".")[1]) >= 26 else "raw"

    @property
    def is_mastodon(self) -> bool:
        """Whether it looks like one of Mastodon's own processes: by its image, or by the one variable it must have."""
        return bool(re.search(r"mastodon|glitch", self.image)) or "LOCAL_DOMAIN" in self.environment


#: State.Status -> State; any other status is changing (created, restarting, removing). Source: Docker Engine API.
_STATES: dict[str, State] = {"running": "running", "paused": "stopped", "dead": "failed"}


def parse_containers(output: bytes) -> list[Container]:
    """The containers in the output of C(docker inspect ID ...); empty when it is not JSON."""
    return [_container(one) for one in _objects(output)]


def parse_image(output: bytes) -> tuple[str, dict[str, str]]:
    """Id and environment of the first image in the output of C(docker image inspect); empty when there is none."""
    for one in _objects(output):
        return str(one.get("Id") or ""), assignments((one.get("Config") or {}).get("Env"))
    return "", {}


def parse_internal(output: bytes) -> dict[str, bool]:
    """Network -> whether it is C(internal), from the output of C(docker network inspect)."""
    return {str(one.get("Name")): bool(one.get("Internal")) for one in _objects(output)}


def assignments(entries: t.Iterable[str] | None) -> dict[str, str]:
    """C(NAME=value) entries as a dictionary, without names that have no value."""
    return dict(entry.split("=", 1) for entry in entries or () if "=" in entry)


def _objects(output: bytes) -> list[dict[str, t.Any]]:
    try:
        found = json.loads(output.decode("utf-8", "replace") or "[]")
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _container(given: t.Mapping[str, t.Any]) -> Container:
    config, state, host = (given.get(key) or {} for key in ("Config", "State", "HostConfig"))
    network = given.get("NetworkSettings") or {}
    labels: dict[str, str] = config.get("Labels") or {}
    running = state.get("Status") == "running"

    def listed(name: str) -> tuple[str, ...]:
        return tuple(filter(None, labels.get(_LABEL + name, "").split(",")))

    return Container(
        id=str(given.get("Id", "")),
        name=str(given.get("Name", "")).lstrip("/"),
        project=labels.get(f"{_LABEL}project", ""),
        service=labels.get(f"{_LABEL}service", ""),
        working_dir=labels.get(f"{_LABEL}project.working_dir", ""),
        config_files=listed("project.config_files"),
        dotenv_files=listed("project.environment_file"),
        oneoff=labels.get(f"{_LABEL}oneoff", "False") == "True",
        number=_number(labels.get(f"{_LABEL}container-number", "")),
        made_by=labels.get(f"{_LABEL}version", "").lstrip("v"),
        image=str(config.get("Image", "")),
        image_id=str(given.get("Image", "")),
        release_label=labels.get("org.opencontainers.image.version", ""),
        program=" ".join([str(given.get("Path") or ""), *map(str, given.get("Args") or ())]).strip(),
        user=str(config.get("User") or ""),
        directory=str(config.get("WorkingDir") or ""),
        environment=assignments(config.get("Env")),
        status=str(state.get("Status", "")),
        exit_code=int(state.get("ExitCode") or 0),
        pid=int(state.get("Pid") or 0),
        started=moment(str(state.get("StartedAt", ""))) if running else None,
        restarts=int(given.get("RestartCount") or 0),
        restart_policy=str((host.get("RestartPolicy") or {}).get("Name") or ""),
        health=str((state.get("Health") or {}).get("Status") or "").replace("none", ""),
        addresses={
            name: str(one.get("IPAddress") or "") for name, one in (network.get("Networks") or {}).items() if one
        },
        network_mode=str(host.get("NetworkMode") or ""),
        published=tuple(_published(network.get("Ports") or {})),
        no_new_privileges=any(map(_NO_NEW_PRIVILEGES.match, host.get("SecurityOpt") or ())),
        hostname=str(config.get("Hostname") or ""),
        swarm=labels.get("com.docker.swarm.service.name", ""),
        mounts={str(one.get("Destination")): str(one.get("Source") or "") for one in given.get("Mounts") or ()},
    )


#: C(security_opt:) of the Compose file: the name alone, or with a value. Source: Docker Engine, daemon_unix.go.
_NO_NEW_PRIVILEGES = re.compile(r"no-new-privileges(?:[:=]true)?$")


def _published(ports: t.Mapping[str, t.Any]) -> t.Iterator[tuple[int, str, int]]:
    for port, bindings in ports.items():
        number, _unused, protocol = port.partition("/")
        for one in bindings or ():
            if protocol == "tcp" and str(one.get("HostPort", "")).isdecimal():
                yield _number(number), str(one.get("HostIp") or ""), int(one["HostPort"])


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def moment(text: str) -> float | None:
    """C(2026-11-24T14:57:26.256720004Z) as seconds since the epoch; None for other texts and for the year 1 (never)."""
    found = _MOMENT.match(text)
    if not found or text.startswith("0001-"):
        return None
    zone = "+00:00" if found[3] == "Z" else found[3]
    whole = datetime.datetime.fromisoformat(found[1] + zone).timestamp()
    return whole + float(found[2] or 0)
