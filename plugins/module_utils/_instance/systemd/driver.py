# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver of a source install under systemd. find.py finds the instance."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import time
import types
import typing as t

from ..._dotenv.dialects import values
from ..._files import gate
from ..._findings.instance import TABLE
from ..._findings.model import Finding, FindingError, errors
from .. import condition, file_times, layers, process, release, senders, sendmail, web_address
from ..model import MAIL_ROLES, Completed, Hints, Instance, InstanceError, LogLine, Seen, Sender, Service, Translate
from ..process import Account
from ..procfs import SIDEKIQ_AT_WORK, Processes
from . import places, sandbox
from .environment import app_environment, given_to
from .find import Choice, choose_anywhere
from .manager import Manager
from .reach import Reach
from .unit_layers import process_layers
from .units import Unit, start_times

#: Number of last lines read from a failing service's log.
_LOG_END = 50


def find(hints: Hints, manager: Manager | None = None, processes: Processes | None = None) -> SystemdDriver:
    """Find the instance under systemd that the hints describe.

    :raises FindingError: there is none, or more than one.
    :raises InstanceError: it was found, but has errors; the exception carries what is known.
    """
    processes = processes or Processes()
    choice, manager = choose_anywhere(hints, manager or Manager(), processes)
    return SystemdDriver(hints, choice, manager, processes)


class SystemdDriver:
    """One instance under systemd; see model.Driver."""

    def __init__(self, hints: Hints, choice: Choice, manager: Manager, processes: Processes) -> None:
        self._manager = manager
        self._processes = processes
        self._reach = Reach(manager.account, processes)
        self._roles = dict(choice.roles)
        self._units = {unit.name: unit for unit in choice.units}
        self._app_dir = choice.app_dir
        self._env_path = hints.env_file or os.path.join(choice.app_dir, layers.ENV_FILE)
        self._named = bool(hints.services)
        self._account: Account | None = None
        self._sightings = file_times.Sightings(choice.app_dir)
        self._noted: dict[str, float] | None = None
        self._mark = choice.mark
        #: Unit -> the variables that its files give its processes, once they have been read.
        self._known: dict[str, dict[str, str]] = {}
        self.instance = self._describe(choice.user)

    # What it is

    def _describe(self, user: str) -> Instance:
        findings: list[Finding] = []
        try:
            self._account = self._account_of(user)
        except FindingError as error:
            findings.append(error.finding)
        files = self._environment_files()
        instance = Instance(
            deployment="systemd",
            app_dir=self._app_dir,
            user=user,
            env_file=gate.real(self._env_path),
            env_file_checksum="",
            release="",
            local_domain="",
            services=tuple(self._as_services(self._units.values())),
            mark=self._mark,
        )
        try:
            env_file = layers.read_env_file(self._env_path, files)
        except FindingError as error:
            findings.append(error.finding)
            instance = dataclasses.replace(instance, release=self._release({}, findings))
            raise InstanceError(instance, findings) from None
        instance = self._with_settings(instance, env_file, findings)
        findings += condition.about(instance, self._log_end, named=self._named)
        findings += file_times.ahead(self._stamps(), time.time())
        if errors(findings):
            raise InstanceError(instance, findings)
        return dataclasses.replace(instance, findings=tuple(findings))

    def _with_settings(self, instance: Instance, env_file: layers.EnvFile, findings: list[Finding]) -> Instance:
        """The instance completed from its environment file and the layers around it."""
        findings += env_file.noted
        if not env_file.data.strip():
            findings.append(TABLE.finding("env-file-empty", env_file.path, "It is empty."))
        readers = self._readers(env_file.path)
        gem = layers.installed_ruby(self._app_dir)
        at_work = tuple(gem if one == "ruby" else one for one in readers)
        dotenv = layers.dotenv_layers(self._app_dir, env_file if "ruby" in readers else None, gem, findings)
        found = [self._resolved(unit, dotenv, env_file.path, readers, findings) for unit in self._mail_units()]
        findings += senders.about_overrides(found, env_file.path)
        variables = found[0].variables if found else layers.resolve(dotenv, findings)
        own: dict[str, str] = {}
        with contextlib.suppress(FindingError):  # resolve() has reported it, with the file's name
            own = values(env_file.data, at_work[0], {})
        findings += layers.misread(env_file, at_work, variables)
        return dataclasses.replace(
            instance,
            env_file=env_file.path,
            env_file_checksum=env_file.checksum,
            release=self._release(variables, findings),
            local_domain=variables.get("LOCAL_DOMAIN", ""),
            readers=at_work,
            mail_variables=layers.mail_variables(own),
            services=tuple(self._as_services(self._units.values())),
            senders=tuple(found),
            variables=types.MappingProxyType(variables),
        )

    def _release(self, variables: t.Mapping[str, str], findings: list[Finding]) -> str:
        path = os.path.join(self._app_dir, release.PATH)
        try:
            source = layers.read_regular(path).decode("utf-8", "replace")
        except OSError as error:
            code = "not-permitted" if isinstance(error, PermissionError) else "release-unreadable"
            findings.append(TABLE.finding(code, path, f"Reading it failed: {error.strerror}."))
            return ""
        config = ""
        with contextlib.suppress(OSError):  # up to 4.3 there is none
            config = layers.read_regular(os.path.join(self._app_dir, release.CONFIG)).decode("utf-8", "replace")
        found = release.read(source, variables, config)
        if not found:
            message = "It does not contain the release's three version numbers in any known form."
            findings.append(TABLE.finding("release-unreadable", path, message))
        return found or ""

    def _readers(self, env_file: str) -> tuple[str, ...]:
        """The file's readers: dotenv in Ruby and Node if it is the app's own file, systemd if a unit names it."""
        in_app = gate.real(os.path.join(self._app_dir, layers.ENV_FILE)) == env_file
        by_unit = env_file in map(gate.real, self._environment_files())
        if by_unit:
            return ("ruby", "node", "systemd") if in_app else ("systemd",)
        return ("ruby", "node")

    def _resolved(
        self,
        unit: Unit,
        dotenv: t.Sequence[layers.Layer],
        env_file: str,
        readers: t.Sequence[str],
        findings: list[Finding],
    ) -> Sender:
        """The unit with the variables that its processes have."""
        stack = [*process_layers(unit, self._reach, findings, alone="ruby" not in readers), *dotenv]
        self._known[unit.name] = known = layers.resolve(stack, findings)
        (service,) = self._as_services([unit])
        # What a process was started with counts if a restart would not change it.
        own = {} if service.differs else self._of_processes(unit)
        return senders.resolved(unit.name, service.role, stack, env_file, known, own)

    def _of_processes(self, unit: Unit) -> dict[str, str]:
        """The mail variables with which the unit's processes were started, and that nothing known gives them."""
        if unit.name not in self._known:
            return {}
        running: dict[str, str] = {}
        for pid in reversed(self._reach.pids(unit)):
            running.update(self._reach.environment(pid))
        return senders.of_process(running, self._known[unit.name])

    def _environment_files(self, units: t.Iterable[Unit] | None = None) -> list[str]:
        """The existing files of EnvironmentFile=, patterns expanded, in the order in which they are read."""
        return self._reach.environment_files(units or self._units.values())

    def _mail_units(self) -> list[Unit]:
        """The units that send mail and are meant to run here, the one that sends most of it first.

        The first one represents the instance. If none is meant to run, all units with mail settings.
        """
        found = [unit for unit in self._units.values() if self._roles[unit.name] in MAIL_ROLES]
        found.sort(key=lambda unit: senders.sending_order(self._roles[unit.name], " ; ".join(unit.exec_start)))
        return [unit for unit in found if unit.meant] or [unit for unit in found if not unit.masked] or found

    def _account_of(self, user: str) -> Account:
        if self._manager.account:  # what he says about groups is his word
            return self._manager.account
        unit = next(iter(self._mail_units()), None)
        try:
            if unit is not None and unit.user == user:
                return Account.named(user, unit.group, unit.supplementary_groups)
            return Account.named(user)
        except (KeyError, OverflowError):
            message = "The user, or a group that the unit names, does not exist on the host."
            raise FindingError(TABLE.finding("user-unknown", user, message)) from None

    # Running something in it

    def run_in_app(
        self,
        command: t.Sequence[str],
        *,
        stdin: bytes = b"",
        environment: t.Mapping[str, str | None] = types.MappingProxyType({}),
        timeout: float,
    ) -> Completed:
        """See model.Driver.

        :raises FindingError: C(not-permitted), C(app-command-missing).
        """
        account = self._account
        if account is None:
            raise ValueError("the instance has no user")  # the constructor has already refused that
        if not account.current and os.geteuid() != 0:
            message = f"uid {os.geteuid()} is not allowed to run programs as {account.name}."
            raise FindingError(TABLE.finding("not-permitted", self.instance.app_dir, message))
        complete = self._app_environment(account)
        complete.update(
            (one.variable, one.value)
            for one in self.instance.overrides_of_first
            if one.layer == senders.OF_PROCESS and one.value is not None
        )
        for name, value in environment.items():
            if value is None:
                complete.pop(name, None)
            else:
                complete[name] = value
        try:
            return process.run(
                command,
                environment=complete,
                timeout=timeout,
                stdin=stdin,
                directory=self.instance.app_dir,
                account=account,
            )
        except OSError as error:
            message = f"Starting it in {self.instance.app_dir} failed: {error.strerror}."
            raise FindingError(TABLE.finding("app-command-missing", command[0], message)) from None

    def _app_environment(self, account: Account) -> dict[str, str]:
        unit = self._mail_units()[0]
        running = self._reach.environment(unit.main_pid)
        return app_environment(unit, account, self._reach.given_by_files(unit), running)

    def _given(self, unit: Unit) -> dict[str, str]:
        """The variables that systemd sets for the unit's processes, as far as they are known without a process."""
        return given_to(unit, self._reach.given_by_files(unit))

    def may_read(self, path: str, descriptor: int) -> bool:
        """See model.Driver."""
        return self._account is not None and process.may_read(self._account, path, descriptor)

    # Its services

    def services(self) -> list[Service]:
        """See model.Driver."""
        files = self._stamps() if self._noted is not None else {}
        for unit in self._manager.show(list(self._units)):
            if unit.name in self._units:
                self._units[unit.name] = unit
        found = self._as_services(self._units.values())
        if self._noted not in (None, self._current(found)):
            self._note(files, found)
        return found

    def _note(self, files: t.Mapping[str, file_times.Stamp], services: t.Iterable[Service]) -> None:
        """Store a sighting: what the files looked like before the services were read, and which run on that."""
        self._noted = self._current(services)
        self._sightings.note(files, self._noted)

    def _current(self, services: t.Iterable[Service]) -> dict[str, float]:
        current = [self._units[one.name] for one in services if one.state == "running" and not one.stale]
        return {unit.name: unit.started_monotonic for unit in current if unit.started_monotonic is not None}

    def _stamps(self) -> dict[str, file_times.Stamp]:
        return file_times.look(self._files_of(self._units.values()))

    def _as_services(self, units: t.Iterable[Unit]) -> list[Service]:
        now = time.time()
        # Both clocks are read together to get their offset.
        wall_minus_monotonic = now - time.clock_gettime(time.CLOCK_MONOTONIC)
        sighting = self._sightings.last()
        services = []
        for unit in units:
            started, earliest = start_times(unit, wall_minus_monotonic)
            start = None
            if unit.started_monotonic is not None and earliest is not None:
                start = file_times.Start(unit.name, unit.started_monotonic, earliest)
            stale = file_times.is_stale(start, file_times.look(self._files_of([unit])), now, sighting)
            changed = stale or file_times.is_stale(start, file_times.look(_unit_files(unit)), now, None)
            differs = sorted(self._of_processes(unit)) if changed else []
            services.append(unit.as_service(self._roles[unit.name], started=started, stale=stale, differs=differs))
        return services

    def _files_of(self, units: t.Iterable[Unit]) -> list[str]:
        """The files from which these units take variables, whether they exist or not."""
        common = [os.path.join(self._app_dir, name) for name in layers.RAILS_FILES]
        return [*common, self._env_path, *self._environment_files(units)]

    def restart(self, services: t.Sequence[Service]) -> None:
        """See model.Driver. A sighting of the files is stored first: what starts after it reads exactly that state.

        It is stored again whenever one of the services is up.
        """
        files = self._stamps()
        self._note(files, self.services())
        self._manager.restart([service.name for service in services])

    def ready(self, service: Service) -> bool | None:
        """See model.Driver.

        Web is ready when one of its processes accepts connections (Puma binds after loading the app, because Mastodon's
        config/puma.rb preloads it); Sidekiq is ready when its title shows how many jobs it works on.
        """
        if service.state != "running":
            return False
        pids = self._reach.pids(self._units[service.name])
        if service.role == "sidekiq":
            return any(SIDEKIQ_AT_WORK.search(self._processes.title(pid)) for pid in pids)
        return self._processes.listens(pids)

    def log_cursor(self, services: t.Sequence[Service]) -> str:  # noqa: ARG002  the journal has one end for all
        """See model.Driver."""
        return self._manager.log_end()

    def log_since(self, services: t.Sequence[Service], cursor: str) -> list[LogLine]:
        """See model.Driver."""
        return self._manager.log_since([service.name for service in services], cursor)

    def _log_end(self, service: Service) -> list[LogLine]:
        return self._manager.log_since([service.name], "", lines=_LOG_END)

    def sidekiq_hosts(self) -> set[str]:
        """See model.Driver."""
        return {socket.gethostname()}

    def web_url(self) -> str:
        """See model.Driver. From the listening sockets of its processes, else from how systemd starts them."""
        units = [unit for unit in self._mail_units() if self._roles[unit.name] == "web"]
        for unit in units:
            pids = self._reach.pids(unit)
            listeners = self._processes.listeners(pids)
            given = {**self._given(unit), **(self._reach.environment(listeners[0].pid) if listeners else {})}
            titles = map(self._processes.title, pids)
            found = web_address.choose(listeners, given, titles, self.instance.variables)
            if found:
                path = found.path and self._processes.reachable(found.pid, found.path)
                return web_address.url(dataclasses.replace(found, path=path))
        return web_address.default(self._given(units[0])) if units else ""

    def look_from(self, work: t.Callable[[Translate], Seen]) -> tuple[Seen, list[Finding]]:
        """See model.Driver. Runs here: the services have the host's network and files."""
        return work(str), []

    def relay_findings(self, host: str, ca_file: str, reached: bool) -> list[Finding]:  # noqa: ARG002
        """See model.Driver. The units have the host's network, but perhaps not all of its files."""
        path = os.path.join(self._app_dir, ca_file)
        return sandbox.hidden_ca_file(self._mail_units(), path) if ca_file else []

    def sendmail_findings(self) -> list[Finding]:
        """See model.Driver. Other settings of a unit imply NoNewPrivileges=, so its process is checked, too."""
        barred = [
            unit.name
            for unit in self._mail_units()
            if unit.no_new_privileges or any(map(self._processes.no_new_privileges, self._reach.pids(unit)))
        ]
        program = sendmail.privileged_program() if barred else ""
        return sendmail.barred(barred, "NoNewPrivileges", program)


def _unit_files(unit: Unit) -> list[str]:
    """The files that define a unit, and the folders in which a file may have been added or removed."""
    folders = dict.fromkeys([*map(os.path.dirname, unit.files), f"{places.PLACES[0]}/{unit.name}.d", places.PLACES[0]])
    return [*unit.files, *folders]
