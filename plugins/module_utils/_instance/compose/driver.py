# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver of an instance under Docker Compose. find.py finds the instance."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import secrets
import time
import types
import typing as t

from ..._dotenv.dialects import values
from ..._files import gate
from ..._files.snapshot import placed
from ..._findings.instance import TABLE
from ..._findings.model import Finding, FindingError, errors
from .. import condition, file_times, layers, process, release, senders
from ..model import (
    MAIL_ROLES,
    Completed,
    Hints,
    Instance,
    InstanceError,
    LogLine,
    Sender,
    Service,
)
from ..procfs import Processes
from . import image_release, inside, on_disk, one_off, sight
from .containers import Container
from .engine import Engine
from .find import Choice, choose, env_file_of
from .project import ServiceModel, parse_config, passed_on
from .state import Known, as_service, log_lines

#: Number of last lines read from a failing container's log.
_LOG_END = 50


def find(hints: Hints, engine: Engine | None = None, processes: Processes | None = None) -> ComposeDriver:
    """Find the instance under Docker Compose that the hints describe.

    :raises FindingError: there is none, or more than one.
    :raises InstanceError: it was found, but has errors; the exception carries what is known.
    """
    engine, processes = engine or Engine(), processes or Processes()
    return ComposeDriver(hints, choose(hints, engine, processes), engine, processes)


class ComposeDriver(inside.Inside):
    """One instance under Docker Compose; see model.Driver."""

    def __init__(self, hints: Hints, choice: Choice, engine: Engine, processes: Processes) -> None:
        self._engine = engine
        self._processes = processes
        self._project = choice.project
        self._roles = dict(choice.roles)
        self._models: t.Mapping[str, ServiceModel] = choice.services
        self._containers = list(choice.containers)
        self._raw = choice.raw
        self._raw_at = [on_disk.stamp(path) for path in self._project.files]
        self._resolved_at: object = None
        services = [self._models[name] for name in self._mail_services()]
        self._file = env_file_of(self._project, services, hints.env_file, on_disk.variables)
        self.instance = self._describe(hints)

    # What it is

    def _describe(self, hints: Hints) -> Instance:
        findings: list[Finding] = []
        first = self._first()
        web = next((one for one in self._containers if one.service == first), None)
        path = self._file.path if self._file else ""
        instance = Instance(
            deployment="compose",
            app_dir=self._project.directory,
            user=hints.user or (web.user if web else ""),
            env_file=gate.real(path) if path else "",
            env_file_checksum="",
            release="",
            local_domain="",
            code_dir=web.directory if web else "",
        )
        try:
            env_file = self._read(path)
            self._refresh_models()
        except FindingError as error:
            findings.append(error.finding)
            instance = dataclasses.replace(instance, release=self._release({}, findings))
            raise InstanceError(instance, findings) from None
        instance = self._with_settings(instance, env_file, findings)
        findings += self._before_replacing(instance.env_file)
        findings += condition.about(instance, self._log_end, named=bool(hints.services))
        # Staleness does not depend on times here, but a wrong clock is still reported.
        named_files = [one.path for name in self._mail_services() for one in self._models[name].env_files]
        findings += file_times.ahead(file_times.look([instance.env_file, *named_files]), time.time())
        if errors(findings):
            raise InstanceError(instance, findings)
        return dataclasses.replace(instance, findings=tuple(findings))

    def _read(self, path: str) -> layers.EnvFile:
        named = [one.path for model in self._models.values() for one in model.env_files]
        if not path:
            raise FindingError(sight.no_env_file(self._models[self._first()], self._project))
        if "$" in path:
            raise FindingError(sight.unclear_env_file(path, self._project.shown))
        return layers.read_env_file(path, [one for one in dict.fromkeys(named) if one != path])

    def _with_settings(self, instance: Instance, env_file: layers.EnvFile, findings: list[Finding]) -> Instance:
        """The instance completed from its environment file and the Compose files."""
        findings += env_file.noted
        if not env_file.data.strip():
            findings.append(TABLE.finding("env-file-empty", env_file.path, "It is empty."))
        found = [self._resolved(name, env_file.path, findings) for name in self._mail_services()]
        findings += senders.about_overrides(found, env_file.path)
        reader = self._file.reader if self._file else "compose"
        own: dict[str, str] = {}
        try:
            own = values(env_file.data, reader, {})
        except FindingError as refused:
            findings.append(placed(refused.finding, env_file.path))
        variables = found[0].variables
        readers = self._readers(reader, env_file.path)
        findings += layers.misread(env_file, readers, variables)
        return dataclasses.replace(
            instance,
            env_file_checksum=env_file.checksum,
            release=self._release(variables, findings),
            local_domain=variables.get("LOCAL_DOMAIN", ""),
            readers=readers,
            services=tuple(self._as_services()),
            mail_variables=layers.mail_variables(own),
            senders=tuple(found),
            variables=variables,
        )

    def _resolved(self, name: str, env_file: str, findings: list[Finding]) -> Sender:
        """The service with the variables that its processes have."""
        model, image = self._models[name], self._image_of(name)
        texts = [(path, on_disk.text(path)) for path in self._project.files]
        dotenv = env_file if gate.real(self._project.dotenv) == env_file else ""
        stack = sight.layers_of(model, image, sight.Places(self._project.shown, texts), findings, dotenv)
        if not any(gate.real(layer.path) == env_file for layer in stack if layer.data is not None):
            findings.append(sight.reads_other_file(name, env_file, model))
        own: dict[str, str] = {}
        for container in self._of(name):
            if container.state == "running":  # an entrypoint may set more than the container was given
                for pid in reversed(self._processes.family(container.pid)):
                    own.update(senders.of_process(self._processes.environment(pid), container.environment))
        expected = self._expected(name)
        return senders.resolved(name, self._roles[name], stack, env_file, expected, senders.of_process(own, expected))

    def _readers(self, reader: str, env_file: str) -> tuple[str, ...]:
        """The readers of the environment file: this Compose, an older one that created the containers, the app."""
        readers = [reader]
        for one in self._containers:
            if self._roles.get(one.service) in ("web", "sidekiq") and reader == "compose":
                readers.append(one.made_as)
            if env_file in map(gate.real, one.mounts.values()):
                readers.append("ruby")
        return tuple(dict.fromkeys(readers))

    def _before_replacing(self, env_file: str) -> list[Finding]:
        """What else would change if the containers were recreated now."""
        found = []
        for name in self._mail_services():
            model = self._models[name]
            image_id, _unused = self._engine.image(model.image)
            containers = self._of(name)
            edited = passed_on(model) if gate.real(self._project.dotenv) == env_file else {}
            found += sight.about_replacing(
                model, image_id, containers, self._project.shown, layers.mail_variables(edited)
            )
            found += sight.about_compose_1(containers, self._expected(name))
        return found

    def _release(self, variables: t.Mapping[str, str], findings: list[Finding]) -> str:
        containers = [one for name in self._mail_services() for one in self._of(name)]
        image = next((one.image_id for one in containers), "") or self._models[self._first()].image
        found = image_release.release_of(self._engine, containers, image, variables)
        if not found:
            message = f"Neither a running container nor the image contains {release.PATH}."
            findings.append(TABLE.finding("release-unreadable", image or self._project.shown, message))
        return found

    def _mail_services(self) -> list[str]:
        """The services that send mail and are meant to run or have a container, the one that sends most of it first.

        The first one represents the instance. If there are none, all services with mail settings.
        """
        found = [name for name in self._models if self._roles.get(name) in MAIL_ROLES]
        found.sort(key=lambda name: senders.sending_order(self._roles[name], self._models[name].program))
        return [name for name in found if self._wanted(name) or self._of(name)] or found

    def _of(self, service: str) -> list[Container]:
        return [one for one in self._containers if one.service == service]

    def _wanted(self, service: str) -> bool:
        """Whether Compose would start it: a service with a profile starts only when that is asked for."""
        model = self._models[service]
        return model.replicas > 0 and (not model.profiles or bool(self._of(service)))

    def _first(self) -> str:
        return self._mail_services()[0]

    def _expected(self, service: str) -> dict[str, str]:
        """The environment of a new container of the service."""
        return {**self._image_of(service), **self._models[service].environment}

    def _image_of(self, service: str) -> dict[str, str]:
        """The variables of the image that its containers run."""
        running = next((one.image_id for one in self._containers if one.service == service), "")
        return self._engine.image(running or self._models[service].image)[1]

    def _refresh_models(self) -> None:
        """Let Compose read its files again if any has changed."""
        named = [one.path for model in self._models.values() for one in model.env_files]
        dotenv = (*self._project.dotenv_files, self._project.dotenv)
        files = [on_disk.stamp(path) for path in self._project.files]
        if files != self._raw_at:
            self._raw, self._raw_at = self._engine.config(self._project, resolved=False), files
        state = [*files, *map(on_disk.stamp, (*dotenv, *dict.fromkeys(named)))]
        if state != self._resolved_at:
            self._models = parse_config(self._raw, self._engine.config(self._project, resolved=True))[1]
            self._resolved_at = state

    # Running something in it

    def run_in_app(
        self,
        command: t.Sequence[str],
        *,
        stdin: bytes = b"",
        environment: t.Mapping[str, str | None] = types.MappingProxyType({}),
        timeout: float,
    ) -> Completed:
        """See model.Driver. Runs in a one-off container, created as a new container of the Sidekiq service would be."""
        name = f"{self._project.name}-check-{secrets.token_hex(4)}"
        options = ["--rm", "--no-deps", "--no-TTY", "--name", name]
        words, setup = one_off.wrapped(command, environment, timeout)
        ended = False
        try:
            done = process.run(
                [*self._engine.compose_command(), *self._project.arguments, "run", *options, self._first(), *words],
                environment=self._engine.environment(),
                timeout=timeout,
                stdin=setup + stdin,
                directory=self._project.directory,
            )
            ended = not done.timed_out and done.returncode >= 0
        finally:
            if not ended:  # the client has ended, the container has not
                self._engine.remove(name)
        if done.returncode == 127:
            message = "The image does not contain that program."
            raise FindingError(TABLE.finding("app-command-missing", command[0], message))
        return done

    # Its services

    def services(self) -> list[Service]:
        """See model.Driver."""
        self._containers = self._engine.containers(self._project.name)
        self._refresh_models()
        return self._as_services()

    def _as_services(self) -> list[Service]:
        found = []
        for name, role in self._roles.items():
            known = Known(role, self._wanted(name), self._expected(name))
            found.append(as_service(name, self._of(name), known))
        return found

    def restart(self, services: t.Sequence[Service]) -> None:
        """See model.Driver. Recreates the containers: a restart would keep their old environment."""
        names = [service.name for service in services]
        counts = {name: sum(one.service == name for one in self._containers) for name in names}
        self._engine.replace(self._project, names, {name: count for name, count in counts.items() if count > 1})

    def log_cursor(self, services: t.Sequence[Service]) -> str:  # noqa: ARG002  one clock for all
        """See model.Driver."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        return f"{seconds}.{nanoseconds:09d}"

    def log_since(self, services: t.Sequence[Service], cursor: str) -> list[LogLine]:
        """See model.Driver."""
        names = {service.name for service in services}
        lines = []
        for container in self._engine.containers(self._project.name):
            if container.service in names:
                lines += log_lines(container, self._engine.log(container, cursor))
        return sorted(lines, key=lambda line: line.at)

    def _log_end(self, service: Service) -> list[LogLine]:
        containers = [one for one in self._of(service.name) if one.failing] or self._of(service.name)
        return [line for one in containers for line in log_lines(one, self._engine.log(one, lines=_LOG_END))]
