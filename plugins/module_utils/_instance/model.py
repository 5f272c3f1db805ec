# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model of an instance, and the interface to each way of running one.

Each deployment (source install under systemd, Docker Compose) implements :class:`Driver`. Nothing else in the
collection depends on how an instance is run.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import datetime
import types
import typing as t

from .._findings.model import Finding, FindingError, errors

Deployment = t.Literal["systemd", "compose"]
DEPLOYMENTS: tuple[Deployment, ...] = ("systemd", "compose")

#: What a service does for Mastodon. web and sidekiq hold mail settings; streaming (Node) sends no mail.
Role = t.Literal["web", "sidekiq", "streaming"]
#: The roles that hold mail settings.
MAIL_ROLES: tuple[Role, ...] = ("web", "sidekiq")

#: running: its main process is up. changing: starting, stopping, or waiting for an automatic restart.
#: failed: the service manager has given up. stopped: not running and not started automatically.
State = t.Literal["running", "changing", "failed", "stopped"]


@dataclasses.dataclass(frozen=True)
class Hints:
    """What the operator says about an instance. A given hint outranks what is found.

    :ivar app_dir: absolute path, usually C(/home/mastodon/live).
    :ivar user: the account Mastodon runs as.
    :ivar env_file: absolute path of the file that holds the mail variables.
    :ivar services: the names of the instance's services; empty: find them.
    :ivar project: the name of its Compose project, where the directory does not identify it.
    :ivar seen: the services that an earlier step found. Only these are checked as long as C(mark) is still valid.
    :ivar mark: identifies the set of systemd's units at that time, see systemd/places.py.
    """

    deployment: Deployment | None = None
    app_dir: str | None = None
    user: str | None = None
    env_file: str | None = None
    services: tuple[str, ...] = ()
    project: str | None = None
    seen: tuple[str, ...] = ()
    mark: str = ""


@dataclasses.dataclass(frozen=True)
class Life:
    """One start of one unit or container of a service.

    :ivar thing: the unit, or the container's id.
    :ivar start: identifies the start; differs for each start, even if the clock is set in between.
    :ivar restarts: automatic restarts by the service manager; a manual start resets it to 0.
    """

    thing: str
    start: str
    restarts: int = 0


@dataclasses.dataclass(frozen=True)
class Service:
    """One service of an instance at one moment.

    :ivar name: as the service manager knows it (C(mastodon-sidekiq@25.service)).
    :ivar detail: the state in the service manager's own words (C(activating (auto-restart))).
    :ivar wanted: it is meant to run: started at boot, or by something that is (a template's instance, a target).
    :ivar masked: it cannot be started at all.
    :ivar started: when its main process started, seconds since the epoch; None when it does not run.
    :ivar pid: its main process; 0 when it does not run.
    :ivar restarts: automatic restarts by the service manager since the last manual start.
    :ivar failing: it crashed (and is restarted or given up), or its health check fails.
    :ivar stale: it started before the settings on disk last changed, so it runs with older ones; in doubt true.
    :ivar differs: names of variables that its processes got with another value than the files now have; None where
        that cannot be compared, because the processes read the files themselves.
    :ivar starts: the last start of each of its units or containers; empty: its main process alone.
    """

    name: str
    role: Role
    state: State
    detail: str = ""
    wanted: bool = True
    masked: bool = False
    started: float | None = None
    pid: int = 0
    restarts: int = 0
    failing: bool = False
    stale: bool = False
    differs: tuple[str, ...] | None = None
    starts: tuple[Life, ...] = ()

    @property
    def lives(self) -> tuple[Life, ...]:
        """What distinguishes one start of the service from the next."""
        return self.starts or (Life(self.name, f"{self.pid} {self.started}", self.restarts),)

    @property
    def holds_mail_settings(self) -> bool:
        """Whether this service sends mail, directly or through the queue (web and Sidekiq, not streaming)."""
        return self.role in MAIL_ROLES

    @property
    def meant(self) -> bool:
        """Whether it is meant to run on this host: it runs, has failed, or would be started."""
        return is_meant(self.state, self.wanted, self.masked)

    @property
    def since(self) -> str | None:
        """C(started) as ISO 8601 UTC in whole seconds, or None."""
        return None if self.started is None else iso_time(self.started)

    def as_dict(self) -> dict[str, t.Any]:
        """The service as modules return it."""
        return {
            "name": self.name,
            "role": self.role,
            "state": self.state,
            "detail": self.detail,
            "since": self.since,
            "pid": self.pid,
            "restarts": self.restarts,
            "stale": self.stale,
            "differs": None if self.differs is None else list(self.differs),
        }


def is_meant(state: State, wanted: bool, masked: bool) -> bool:
    """Whether a service is meant to run: not if it is masked, or stopped and not wanted.

    A failed service is meant to run: nobody stopped it.
    """
    return state == "running" or (not masked and (wanted or state != "stopped"))


def roles_of(services: t.Iterable[Service]) -> tuple[Role, ...]:
    """Which of web and Sidekiq are meant to run on this host, in that order."""
    meant = {service.role for service in services if service.meant}
    return tuple(role for role in MAIL_ROLES if role in meant)


#: The layer of a variable that a service does not get at all, because its Compose file does not pass it on from .env.
NOT_PASSED = "not in environment:"
#: The layer of a variable without which Compose refuses its files: C(${NAME:?}).
REQUIRED = "environment: (required)"


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """A mail variable that a process gets from somewhere else than the environment file.

    :ivar layer: C(Environment), C(EnvironmentFile), or a file's name such as C(.env.production.local).
    :ivar path: the file that sets it; the service, if no file is known to.
    :ivar line: its line in that file; 0 if unknown.
    :ivar wins: over the environment file; otherwise it counts only while the file does not set the variable.
    :ivar value: None if the variable is unset there.
    """

    variable: str
    layer: str
    path: str
    line: int = 0
    wins: bool = True
    value: str | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def place(self) -> str:
        """The file and the line, for people."""
        return f"{self.path}, line {self.line}" if self.line else self.path

    def as_dict(self) -> dict[str, t.Any]:
        """The place as modules return it; never the value."""
        return {"variable": self.variable, "layer": self.layer, "path": self.path, "line": self.line}


@dataclasses.dataclass(frozen=True)
class Sender:
    """One service that sends mail, and the variables that its processes have: the one resolution, which all use.

    :ivar variables: all variables, from every layer. Holds secrets.
    """

    service: str
    role: Role
    elsewhere: tuple[Elsewhere, ...] = ()
    variables: t.Mapping[str, str] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType({}), repr=False, compare=False
    )

    @property
    def overrides(self) -> tuple[Elsewhere, ...]:
        """What wins over the environment file."""
        return tuple(one for one in self.elsewhere if one.wins and one.layer != NOT_PASSED)


@dataclasses.dataclass(frozen=True)
class Instance:
    """One Mastodon server as it was found.

    :ivar app_dir: the directory on the host that identifies it: Mastodon's own, or the Compose project's.
    :ivar code_dir: where its processes see Mastodon's code, if not in C(app_dir).
    :ivar env_file: the environment file that is read and edited, with symbolic links resolved.
    :ivar env_file_checksum: sha256 of its bytes, hexadecimal.
    :ivar release: Mastodon's own version text, such as C(4.3.8) or C(4.5.0-rc.1+glitch).
    :ivar local_domain: LOCAL_DOMAIN as Rails sees it; empty when it is not set.
    :ivar senders: the services that send mail, the one that sends nearly all of it first (Sidekiq, where it runs here).
    :ivar variables: all variables that Rails sees in the first sender. Holds secrets: never returned.
    :ivar readers: the readers of the environment file, as names of _dotenv.dialects.
    :ivar mail_variables: the names in the file that begin with SMTP_ or BULK_SMTP_, sorted.
    :ivar mark: lets later steps see whether they must search for the services again; empty: they must.
    :ivar findings: warnings and infos; errors are raised instead.
    """

    deployment: Deployment
    app_dir: str
    user: str
    env_file: str
    env_file_checksum: str
    release: str
    local_domain: str
    readers: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    mail_variables: tuple[str, ...] = ()
    senders: tuple[Sender, ...] = ()
    findings: tuple[Finding, ...] = ()
    code_dir: str = ""
    mark: str = ""
    variables: t.Mapping[str, str] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType({}), repr=False, compare=False
    )

    @property
    def code(self) -> str:
        """The directory of Mastodon's code, as its processes see it."""
        return self.code_dir or self.app_dir

    @property
    def overrides(self) -> tuple[Elsewhere, ...]:
        """The mail variables that win over the environment file in any service."""
        return tuple(dict.fromkeys(one for sender in self.senders for one in sender.overrides))

    @property
    def overrides_of_first(self) -> tuple[Elsewhere, ...]:
        """Those in the service whose variables Rails is asked with."""
        return self.senders[0].overrides if self.senders else ()

    @property
    def roles(self) -> tuple[Role, ...]:
        """Which of web and Sidekiq are meant to run on this host; see roles_of()."""
        return roles_of(self.services)

    def as_dict(self) -> dict[str, t.Any]:
        """The instance as modules return it: names of variables, never values."""
        return {
            "deployment": self.deployment,
            "app_dir": self.app_dir,
            "user": self.user,
            "env_file": self.env_file,
            "env_file_checksum": self.env_file_checksum,
            "release": self.release,
            "local_domain": self.local_domain,
            "readers": list(self.readers),
            "roles": list(self.roles),
            "services": [one.as_dict() for one in self.services],
            "mail_variables": list(self.mail_variables),
            "overrides": [one.as_dict() for one in self.overrides],
            "mark": self.mark,
        }


class InstanceError(FindingError):
    """An instance was found, but it has errors to fix first.

    :ivar instance: what is known about it; fields that could not be read are empty.
    :ivar findings: all findings, at least one of them an error.
    """

    def __init__(self, instance: Instance, findings: t.Sequence[Finding]) -> None:
        super().__init__(errors(findings)[0])
        self.instance = instance
        self.findings = tuple(findings)


@dataclasses.dataclass(frozen=True)
class Completed:
    """How a command in the app ended.

    :ivar returncode: its exit status; minus the signal's number when a signal ended it.
    :ivar timed_out: it was still running after C(timeout) seconds and was killed with all its children.
    :ivar truncated: its output was too long; only the beginning and the end were kept.
    """

    returncode: int
    stdout: bytes = dataclasses.field(default=b"", repr=False)
    stderr: bytes = dataclasses.field(default=b"", repr=False)
    timed_out: bool = False
    truncated: bool = False


@dataclasses.dataclass(frozen=True)
class LogLine:
    """One line that a service logged.

    :ivar at: seconds since the epoch.
    :ivar service: the service's name.
    :ivar pid: the process that wrote it; 1 for the service manager's lines about the service, 0 when unknown.
    :ivar text: the line without its line end. May hold addresses and tokens: redact it before returning it.
    """

    at: float
    service: str
    pid: int
    text: str


Seen = t.TypeVar("Seen")

#: Maps a path as the instance's processes see it to one that can be opened from here.
Translate = t.Callable[[str], str]


class Driver(t.Protocol):
    """Access to one instance, whatever way it is run. All methods raise FindingError when they fail."""

    @property
    def instance(self) -> Instance:
        """The instance as it was found."""

    def run_in_app(
        self,
        command: t.Sequence[str],
        *,
        stdin: bytes = b"",
        environment: t.Mapping[str, str | None] = ...,
        timeout: float,
    ) -> Completed:
        """Run a command as the instance's user, in its app directory, with the environment of its services.

        :param environment: additional variables; None unsets one. Pass secrets only here or by C(stdin).
        :param timeout: seconds; after that the whole process group is killed.
        """

    def may_read(self, path: str, descriptor: int) -> bool:
        """Whether the instance's user may read an open file by its path; only then may his programs be given it."""

    def services(self) -> list[Service]:
        """The instance's services as they are now."""

    def restart(self, services: t.Sequence[Service]) -> None:
        """Start to restart (or recreate) the services so that they read the settings again. Does not wait for them."""

    def ready(self, service: Service) -> bool | None:
        """Whether a running service has booted and is at work (listens, takes jobs); None when that cannot be seen."""

    def log_cursor(self, services: t.Sequence[Service]) -> str:
        """A cursor for the current end of the log, for C(log_since)."""

    def log_since(self, services: t.Sequence[Service], cursor: str) -> list[LogLine]:
        """What these services have logged since the cursor, oldest first."""

    def sidekiq_hosts(self) -> set[str]:
        """The host names of the machine or containers that run this instance's Sidekiq."""

    def web_url(self) -> str:
        """The URL at which the host reaches the web service: C(http://127.0.0.1:3000), or C(unix:/path) of a socket.

        From where its processes listen, else from how they are started, else Mastodon's default. Empty when no web
        service is meant to run on this host, or when the URL is unknown.
        """

    def look_from(self, work: t.Callable[[Translate], Seen]) -> tuple[Seen, list[Finding]]:
        """Run C(work) with the network, name resolution and trusted authorities of the sidekiq service.

        :returns: the result of C(work), and findings about where it was run.
        """

    def relay_findings(self, host: str, ca_file: str, reached: bool) -> list[Finding]:
        """What keeps the services from a relay, apart from the relay itself.

        :param ca_file: the file of trusted authorities in the settings; may be empty.
        :param reached: whether C(look_from) reached the relay.
        """

    def sendmail_findings(self) -> list[Finding]:
        """What keeps the services from using the host's sendmail; call it only if they are meant to use it."""


def iso_time(at: float) -> str:
    """Seconds since the epoch as ISO 8601 UTC in whole seconds."""
    moment = datetime.datetime.fromtimestamp(int(at), tz=datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
