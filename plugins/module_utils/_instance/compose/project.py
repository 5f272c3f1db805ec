# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Compose project as its files describe it: what C(docker compose config) prints, as data. No I/O here.

The configuration is printed twice: uninterpolated, where each service still names its environment files and its own
C(environment:) entries; and fully resolved, as Compose would run it. The resolved values count; the uninterpolated
output only shows where a value comes from.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import json
import os
import re
import typing as t

from .containers import Container, assignments

#: Variables that the client's own configuration adds to containers, whatever the Compose file says
#: (~/.docker/config.json).
_PROXIES = re.compile(r"(?i)^(?:http|https|ftp|all|no)_proxy$")


@dataclasses.dataclass(frozen=True)
class Project:
    """How one project is identified to Compose.

    :ivar directory: base of relative paths in the Compose files; its C(.env) is read.
    :ivar files: the Compose files; empty: those with the usual names in the directory.
    :ivar dotenv_files: the files given with C(--env-file) instead of C(.env).
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
    def dotenv(self) -> str:
        """The file that Compose fills in variables from; of several, the last one, which wins."""
        return os.path.join(self.directory, self.dotenv_files[-1] if self.dotenv_files else ".env")

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
    :ivar own: the C(environment:) entries, uninterpolated; they win over the files. None for a name without a value,
        which Compose takes from its caller's environment.
    :ivar environment: what Compose gives to a new container, on top of the image's own variables. Holds secrets.
    :ivar replicas: how many containers it is meant to have.
    :ivar profiles: it starts only if one of them is asked for; empty: always.
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
    """Undo the doubling of dollar signs, which makes Compose's output valid as input."""
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
    """The names of variables whose value in a container differs from that in a new one, sorted."""
    names = {*container.environment, *expected}
    return tuple(
        sorted(
            name for name in names if container.environment.get(name) != expected.get(name) and not _PROXIES.match(name)
        )
    )


def interpolated(service: ServiceModel, name: str) -> bool:
    """Whether the value of an C(environment:) entry comes from C(.env) or from the caller of Compose."""
    text = service.own.get(name)
    return name in service.own and (text is None or "$" in text.replace("$$", ""))


#: NAME, ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?error}, ${NAME?error}. Source: Compose specification,
#: interpolation.
_PASSED = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?([-?])([^${}]*))?\})")


@dataclasses.dataclass(frozen=True)
class Passed:
    """An C(environment:) entry that passes on the variable of the same name from C(.env).

    :ivar default: what it is when C(.env) does not set it; None where it is then not set either.
    :ivar required: Compose refuses its files when C(.env) does not set it.
    """

    default: str | None = None
    required: bool = False


def passed_on(service: ServiceModel) -> dict[str, Passed]:
    """The C(environment:) entries that pass on the variable of the same name from C(.env), by its name."""
    found: dict[str, Passed] = {}
    for name, text in service.own.items():
        reference = _PASSED.fullmatch(text or "")
        if text is None:
            found[name] = Passed()
        elif reference and name in (reference[1], reference[2]):
            sign, default = reference[3], reference[4] or ""
            found[name] = Passed(required=True) if sign == "?" else Passed(default if sign == "-" else "")
    return found


def lost(service: ServiceModel, container: Container) -> tuple[str, ...]:
    """Interpolated entries that have a value in this container, but would have none in a new one; sorted.

    Somebody set them on the command line when the container was created; no file on the host has them.
    """
    return tuple(
        sorted(
            name
            for name in service.own
            if interpolated(service, name) and container.environment.get(name) and not service.environment.get(name)
        )
    )
