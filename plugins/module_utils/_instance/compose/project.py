# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Compose project as its files describe it: what C(docker compose config) prints, as data. No I/O here.

It is printed twice: without interpolation, where each service still names its environment files and its own
C(environment:) entries, and as Compose itself would run it, with all of that resolved. Compose's own reading is the one
that counts; the first print only tells where a value comes from.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import json
import os
import re
import typing as t

from .containers import Container, assignments

#: What a client's own configuration adds to containers, whatever the Compose file says (~/.docker/config.json).
_PROXIES = re.compile(r"(?i)^(?:http|https|ftp|all|no)_proxy$")


@dataclasses.dataclass(frozen=True)
class Project:
    """How to speak to Compose about one project.

    :ivar directory: relative paths in the Compose files begin here, and its C(.env) is read.
    :ivar files: the Compose files; empty: those with the usual names in the directory.
    :ivar dotenv_files: what was named with C(--env-file) in place of C(.env).
    """

    name: str
    directory: str
    files: tuple[str, ...] = ()
    dotenv_files: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """The options that every command of Compose gets."""
        options = ["--project-name", self.name] if self.name else []
        options += ["--project-directory", self.directory]
        for path in self.files:
            options += ["--file", path]
        for path in self.dotenv_files:
            options += ["--env-file", path]
        return [*options, "--profile", "*"]

    @property
    def shown(self) -> str:
        """The Compose file, for people."""
        return self.files[0] if self.files else self.directory


def project_of(container: Container) -> Project:
    """The project of a container, from its labels."""
    directory = container.working_dir
    files = tuple(os.path.join(directory, path) for path in container.config_files)
    return Project(container.project, directory, files, container.dotenv_files)


@dataclasses.dataclass(frozen=True)
class EnvFile:
    """One C(env_file) of a service; C(reader) is a name of _dotenv.dialects."""

    path: str
    reader: str = "compose"


@dataclasses.dataclass(frozen=True)
class ServiceModel:
    """One service as the Compose files describe it.

    :ivar env_files: in the order in which they are read; the last one wins.
    :ivar own: the C(environment:) entries, which win over the files, each with its text before interpolation; None
        for a name without a value, which is taken from the environment of whoever calls Compose.
    :ivar environment: what Compose gives to a new container, on top of the image's own. Holds secrets.
    :ivar replicas: how many containers it is meant to have.
    :ivar profiles: it is started only where one of them is asked for; empty: always.
    """

    name: str
    image: str = ""
    program: str = ""
    env_files: tuple[EnvFile, ...] = ()
    own: t.Mapping[str, str | None] = dataclasses.field(default_factory=dict, repr=False)
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    replicas: int = 1
    profiles: tuple[str, ...] = ()

    @property
    def is_mastodon(self) -> bool:
        """Whether it looks like one of Mastodon's own; see Container.is_mastodon."""
        return bool(re.search(r"mastodon|glitch", self.image)) or bool(
            {"LOCAL_DOMAIN"} & {*self.own, *self.environment}
        )


def parse_config(raw: bytes, resolved: bytes = b"") -> tuple[str, dict[str, ServiceModel]]:
    """The project's name and its services.

    :param raw: what C(config --no-interpolate --format json) printed.
    :param resolved: what C(config --format json) printed; without it the services have no environment.
    """
    before, after = _object(raw), _object(resolved)
    services = {}
    for name, given in (before.get("services") or {}).items():
        final = (after.get("services") or {}).get(name) or {}
        services[name] = ServiceModel(
            name=name,
            image=str(final.get("image") or given.get("image") or ""),
            program=_words(given.get("entrypoint"), given.get("command")),
            env_files=tuple(_env_files(given.get("env_file"))),
            own=_entries(given.get("environment")),
            environment={
                key: unescape(value) for key, value in _entries(final.get("environment")).items() if value is not None
            },
            replicas=_replicas(given),
            profiles=tuple(map(str, given.get("profiles") or ())),
        )
    return str(after.get("name") or before.get("name") or ""), services


def unescape(value: str) -> str:
    """Compose prints each dollar sign of a value twice, so that its output can be its input again."""
    return value.replace("$$", "$")


def _object(output: bytes) -> dict[str, t.Any]:
    try:
        found = json.loads(output.decode("utf-8", "replace") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(*commands: object) -> str:
    found: list[str] = []
    for command in commands:
        found += [command] if isinstance(command, str) else map(str, command) if isinstance(command, list) else []
    return " ".join(found)


def _env_files(given: object) -> t.Iterator[EnvFile]:
    """A path, or a list of paths and of objects with C(path), C(required) and, from Compose 2.30, C(format)."""
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, str):
            yield EnvFile(one)
        elif isinstance(one, dict) and one.get("path"):
            yield EnvFile(str(one["path"]), "raw" if one.get("format") == "raw" else "compose")


def _entries(given: object) -> dict[str, str | None]:
    """C(environment:) as an object, or as a list of C(NAME=value) and C(NAME)."""
    if isinstance(given, dict):
        return {str(name): None if value is None else _scalar(value) for name, value in given.items()}
    listed = [str(one) for one in given] if isinstance(given, list) else []
    return {**{one: None for one in listed if "=" not in one}, **assignments(listed)}


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _replicas(given: t.Mapping[str, t.Any]) -> int:
    count = (given.get("deploy") or {}).get("replicas", given.get("scale", 1))
    return count if isinstance(count, int) else 1


def differing(container: Container, expected: t.Mapping[str, str]) -> tuple[str, ...]:
    """The names of the variables that a container has otherwise than it would have when made now, sorted."""
    names = {*container.environment, *expected}
    return tuple(
        sorted(
            name for name in names if container.environment.get(name) != expected.get(name) and not _PROXIES.match(name)
        )
    )


def interpolated(service: ServiceModel, name: str) -> bool:
    """Whether the value of an C(environment:) entry comes from C(.env), or from who calls Compose."""
    text = service.own.get(name)
    return name in service.own and (text is None or "$" in text.replace("$$", ""))


def lost(service: ServiceModel, container: Container) -> tuple[str, ...]:
    """Interpolated entries that a container has a value for, and that a new one would have none for, sorted.

    Somebody gave them on the command line when the container was made; nothing on the host knows them any more.
    """
    return tuple(
        sorted(
            name
            for name in service.own
            if interpolated(service, name) and container.environment.get(name) and not service.environment.get(name)
        )
    )
