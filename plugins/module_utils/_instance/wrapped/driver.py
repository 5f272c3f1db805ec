# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver of an instance whose systemd units each run a container: systemd restarts, the programs are in containers.

What is done with units is systemd/'s, what is done in containers is compose/inside.py's.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import os
import secrets
import time
import types
import typing as t

from ..._dotenv.dialects import values
from ..._files import gate
from ..._files.snapshot import placed
from ..._findings.compose import TABLE as COMPOSE
from ..._findings.instance import TABLE
from ..._findings.model import Finding, FindingError, errors
from .. import condition, file_times, layers, process, senders
from ..compose import image_release, inside, one_off, sight
from ..compose.engine import Engine
from ..compose.project import differing
from ..model import MAIL_ROLES, Completed, Hints, Instance, InstanceError, LogLine, Sender, Service
from ..procfs import Processes
from ..systemd.manager import Manager
from .caller import environment_of, files_of
from .find import Choice, choose

#: Number of last lines read from a failing service's log.
_LOG_END = 50
_READER = "raw"
#: systemctl show joins the words of a command with blanks. What then seems to be the image may be part of a password.
_NO_IMAGE = "The image in its docker run, as systemctl show prints the command, is not on this host."
_NO_IMAGE_FIX = (
    "If a value in the command has blanks, move that variable into the file of --env-file: systemctl show prints no "
    "quotes. Otherwise fetch the image (docker pull) and start the unit with it first; this collection pulls nothing."
)


def find(
    hints: Hints, manager: Manager | None = None, engine: Engine | None = None, processes: Processes | None = None
) -> WrappedDriver | None:
    """The instance in units that run containers; None if there is none.

    :raises FindingError: there is more than one.
    :raises InstanceError: it was found, but has errors; the exception carries what is known.
    """
    manager, engine, processes = manager or Manager(), engine or Engine(), processes or Processes()
    choice = choose(hints, manager, engine, processes)
    return WrappedDriver(hints, choice, manager, engine, processes) if choice else None


class WrappedDriver(inside.Inside):
    """One instance in units that run containers; see model.Driver."""

    _with_privileges = "Send by SMTP instead, or remove no-new-privileges from the unit's docker run."

    def __init__(self, hints: Hints, choice: Choice, manager: Manager, engine: Engine, processes: Processes) -> None:
        self._manager = manager
        self._engine = engine
        self._processes = processes
        self._path = choice.env_file
        self._units = {one.unit.name: one.unit for one in choice.wrapped}
        self._runs = {one.unit.name: one.run for one in choice.wrapped}
        self._models = {one.unit.name: one.model for one in choice.wrapped}
        self._roles = {one.unit.name: one.role for one in choice.wrapped}
        self._look()
        self.instance = self._describe(hints)

    def _look(self) -> None:
        """The containers as they are now, each with the name of its unit."""
        units = {run.name: name for name, run in self._runs.items()}
        found = self._engine.named(list(units))
        self._containers = [dataclasses.replace(one, service=units[one.name]) for one in found if one.name in units]

    # What it is

    def _describe(self, hints: Hints) -> Instance:
        findings: list[Finding] = []
        first = self._mail_units()[0]
        container = next((one for one in self._containers if one.service == first), None)
        run = self._runs[first]
        instance = Instance(
            deployment="systemd",
            app_dir=os.path.dirname(gate.real(self._path)),
            user=hints.user or (container.user if container else "") or "".join(run.every("user")[-1:]),
            env_file=gate.real(self._path),
            env_file_checksum="",
            release="",
            local_domain="",
            code_dir=(container.directory if container else "") or "".join(run.every("workdir")[-1:]),
            services=tuple(self._as_services()),
        )
        try:
            if "$" in self._path:
                raise FindingError(sight.unclear_env_file(self._path, first))
            named = [one.path for model in self._models.values() for one in model.env_files]
            env_file = layers.read_env_file(self._path, [one for one in dict.fromkeys(named) if one != self._path])
        except FindingError as error:
            findings.append(error.finding)
            raise InstanceError(instance, findings) from None
        instance = self._with_settings(instance, env_file, findings)
        findings += condition.about(instance, self._log_end, named=bool(hints.services))
        findings += file_times.ahead(file_times.look([instance.env_file]), time.time())
        if errors(findings):
            raise InstanceError(instance, findings)
        return dataclasses.replace(instance, findings=tuple(findings))

    def _with_settings(self, instance: Instance, env_file: layers.EnvFile, findings: list[Finding]) -> Instance:
        findings += env_file.noted
        if not env_file.data.strip():
            findings.append(TABLE.finding("env-file-empty", env_file.path, "It is empty."))
        mail = self._mail_units()
        found = [self._resolved(name, env_file.path, findings) for name in mail]
        findings += senders.about_overrides(found, env_file.path)
        for name in mail:
            image = self._engine.image(self._runs[name].image)[0]
            beside = [one for one in self._containers if one.service == name]
            findings += (
                sight.about_replacing(self._models[name], image, beside, f"The unit {name}")
                if image
                else [COMPOSE.finding("image-missing", name, _NO_IMAGE, _NO_IMAGE_FIX)]
            )
        own: dict[str, str] = {}
        try:
            own = values(env_file.data, _READER, {})
        except FindingError as refused:
            findings.append(placed(refused.finding, env_file.path))
        variables = found[0].variables
        findings += layers.misread(env_file, (_READER,), variables)
        image = self._runs[mail[0]].image
        sending = [one for one in self._containers if one.service in mail]
        release = image_release.release_of(self._engine, sending, image, variables)
        if not release:
            message = "Neither a running container nor the image contains Mastodon's version."
            findings.append(TABLE.finding("release-unreadable", mail[0], message))
        return dataclasses.replace(
            instance,
            env_file=env_file.path,
            env_file_checksum=env_file.checksum,
            release=release,
            local_domain=variables.get("LOCAL_DOMAIN", ""),
            readers=(_READER,),
            mail_variables=layers.mail_variables(own),
            services=tuple(self._as_services()),
            senders=tuple(found),
            variables=types.MappingProxyType(dict(variables)),
        )

    def _resolved(self, name: str, env_file: str, findings: list[Finding]) -> Sender:
        stack = self._stack(name, findings)
        if not any(gate.real(layer.path) == env_file for layer in stack if layer.data is not None):
            findings.append(sight.reads_other_file(name, env_file, self._models[name]))
        known = layers.resolve(stack, findings)
        own: dict[str, str] = {}
        for container in self._containers:
            if container.service == name and container.state == "running":
                for pid in reversed(self._processes.family(container.pid)):
                    own.update(senders.of_process(self._processes.environment(pid), container.environment))
        return senders.resolved(name, self._roles[name], stack, env_file, known, senders.of_process(own, known))

    def _stack(self, name: str, findings: list[Finding]) -> list[layers.Layer]:
        """The layers of a new container of a unit, the winner first."""
        run, unit = self._runs[name], self._units[name]
        callers = environment_of(unit, findings)
        given = {key: callers.get(key) if text is None else text for key, text in run.given.items()}
        by_systemd = files_of(unit, [])

        def where(key: str) -> tuple[str, int]:
            """The file from which the unit's docker takes a variable, else the unit."""
            lines = [(one.path, line) for one in by_systemd if (line := layers.line_of(key, one.data or b""))]
            return lines[-1] if lines and run.given[key] is None else (name, 0)

        files = [layers.file_layer("--env-file", path, _READER, findings) for path in reversed(run.every("env-file"))]
        return [
            layers.Layer(
                "--env", name, given={key: text for key, text in given.items() if text is not None}, where=where
            ),
            *filter(None, files),
            layers.Layer("image", run.image, given=self._engine.image(run.image)[1]),
        ]

    def _mail_units(self) -> list[str]:
        """The units that send mail and are meant to run here, the one that sends most of it first."""
        found = [name for name in self._units if self._roles[name] in MAIL_ROLES]
        found.sort(key=lambda name: senders.sending_order(self._roles[name], self._runs[name].program))
        return [name for name in found if self._units[name].meant] or found

    # Running something in it

    def run_in_app(
        self,
        command: t.Sequence[str],
        *,
        stdin: bytes = b"",
        environment: t.Mapping[str, str | None] = types.MappingProxyType({}),
        timeout: float,
    ) -> Completed:
        """See model.Driver. Runs in a one-off container, made as the unit of Sidekiq makes its own."""
        name = f"mastodon-check-{secrets.token_hex(4)}"
        words, setup = one_off.wrapped(command, environment, timeout)
        ended = False
        try:
            done = process.run(
                self._runs[self._mail_units()[0]].for_check(name, words),
                environment={**self._engine.environment(), **environment_of(self._units[self._mail_units()[0]], [])},
                timeout=timeout,
                stdin=setup + stdin,
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
        for unit in self._manager.show(list(self._units)):
            self._units[unit.name] = unit
        self._look()
        return self._as_services()

    def _as_services(self) -> list[Service]:
        return [self._as_service(name) for name in self._units]

    def _as_service(self, name: str) -> Service:
        """The unit, with the start of its container and what that was given."""
        ignored: list[Finding] = []  # reported when the instance was found
        expected = layers.resolve(self._stack(name, ignored), ignored)
        running = [one for one in self._containers if one.service == name and one.state == "running"]
        differs = sorted({key for one in running for key in differing(one, expected)})
        started = min((one.started for one in running if one.started), default=None)
        # Without its container, nothing shows what the unit's processes were given.
        return self._units[name].as_service(self._roles[name], started=started, stale=not running, differs=differs)

    def restart(self, services: t.Sequence[Service]) -> None:
        """See model.Driver. The unit makes a new container; one that only starts the old one again stays stale."""
        self._manager.restart([service.name for service in services])

    def ready(self, service: Service) -> bool | None:
        """See model.Driver. A unit that runs may not have made its container yet."""
        if not any(one.service == service.name and one.state == "running" for one in self._containers):
            return False
        return super().ready(service)

    def log_cursor(self, services: t.Sequence[Service]) -> str:  # noqa: ARG002  the journal has one end for all
        """See model.Driver."""
        return self._manager.log_end()

    def log_since(self, services: t.Sequence[Service], cursor: str) -> list[LogLine]:
        """See model.Driver. What a container prints is in the journal of its unit, which runs it in the foreground."""
        return self._manager.log_since([service.name for service in services], cursor)

    def _log_end(self, service: Service) -> list[LogLine]:
        return self._manager.log_since([service.name], "", lines=_LOG_END)
