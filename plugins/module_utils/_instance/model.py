# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an instance is, and what every way of running one can do for us.

A deployment (source install under systemd, Docker Compose) is one file that makes a :class:`Driver`. Nothing else
in the collection asks how an instance is run.
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
#: Those that hold mail settings; the first of them that a host has stands for the instance.
MAIL_ROLES: tuple[Role, ...] = ("web", "sidekiq")

#: running: its main process is up. changing: on its way up or down, asked to be, or waiting to be tried again.
#: failed: given up. stopped: not running and not meant to be.
State = t.Literal["running", "changing", "failed", "stopped"]


@dataclasses.dataclass(frozen=True)
class Hints:
    """What the operator says about an instance. Each hint that is given outranks what is found.

    :ivar app_dir: absolute path, usually C(/home/mastodon/live).
    :ivar user: the account Mastodon runs as.
    :ivar env_file: absolute path of the file that holds the mail variables.
    :ivar services: the names of the instance's services; empty means: find them.
    :ivar project: the name of its Compose project, where directories do not tell projects apart.
    :ivar seen: the services that a step before found. They are looked at alone as long as C(mark) is still right.
    :ivar mark: what systemd's units looked like then, see systemd/places.py.
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
    """One start of one thing that a service consists of.

    :ivar thing: the unit, or the container's id.
    :ivar start: differs from one start of it to the next, however the clock is set in between.
    :ivar restarts: how often the service manager brought it back by itself; a start by somebody begins at 0 again.
    """

    thing: str
    start: str
    restarts: int = 0


@dataclasses.dataclass(frozen=True)
class Service:
    """One service of an instance at one moment.

    :ivar name: as the service manager knows it (C(mastodon-sidekiq@25.service)).
    :ivar detail: the state in the service manager's own words (C(activating (auto-restart))).
    :ivar wanted: meant to run: started at boot, or by something else that is (a template's instance, a target).
    :ivar masked: cannot be started at all.
    :ivar started: when its main process started, seconds since the epoch; None when it does not run.
    :ivar pid: its main process; 0 when it does not run.
    :ivar restarts: how often the service manager brought it back by itself since it was last started by someone.
    :ivar failing: it has ended by itself and is tried again or given up, or its health check fails.
    :ivar stale: it started before the settings on disk last changed, so it runs on older ones; in doubt true.
    :ivar differs: names of the variables that its processes were given with another value than the files now hold;
        None where that cannot be compared, because the processes read the files themselves.
    :ivar starts: what it consists of, each as it was last started; empty means: its main process alone.
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
        """What tells one start of it from the next."""
        return self.starts or (Life(self.name, f"{self.pid} {self.started}", self.restarts),)

    @property
    def holds_mail_settings(self) -> bool:
        """Whether this service hands mail to the relay itself or through a queue (never streaming)."""
        return self.role in MAIL_ROLES

    @property
    def meant(self) -> bool:
        """Whether it is meant to run on this host: it runs, or has failed, or would be started."""
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
    """Whether a service in this state is meant to run: not when it is masked, or stopped and not wanted.

    One that has failed is: nobody stopped it.
    """
    return state == "running" or (not masked and (wanted or state != "stopped"))


def roles_of(services: t.Iterable[Service]) -> tuple[Role, ...]:
    """What is meant to run on this host, of web and Sidekiq, in that order."""
    meant = {service.role for service in services if service.meant}
    return tuple(role for role in MAIL_ROLES if role in meant)


@dataclasses.dataclass(frozen=True)
class Override:
    """A mail variable set in a layer that wins over the environment file.

    :ivar layer: C(Environment), C(EnvironmentFile), or a file's name such as C(.env.production.local).
    :ivar path: the file, or the service, that holds it.
    """

    variable: str
    layer: str
    path: str

    def as_dict(self) -> dict[str, str]:
        """Three strings; never the value."""
        return {"variable": self.variable, "layer": self.layer, "path": self.path}


@dataclasses.dataclass(frozen=True)
class Instance:
    """One Mastodon server as it was found.

    :ivar app_dir: the directory on the host that it is known by: Mastodon's own, or the Compose project's.
    :ivar code_dir: where its processes see Mastodon's code, if that is another directory than C(app_dir).
    :ivar env_file: the environment file with symbolic links resolved: what is read and edited.
    :ivar env_file_checksum: sha256 of its bytes, hexadecimal.
    :ivar release: Mastodon's own version text, such as C(4.3.8) or C(4.5.0-rc.1+glitch).
    :ivar local_domain: LOCAL_DOMAIN as Rails sees it; empty when it is not set.
    :ivar variables: all that Rails sees, from every layer. Holds secrets: never returned.
    :ivar readers: who reads the environment file, as names of _dotenv.dialects.
    :ivar mail_variables: the names in it that begin with SMTP_ or BULK_SMTP_, sorted.
    :ivar mark: tells the steps after this one whether its services have to be looked for again; empty when they have.
    :ivar findings: warnings and infos met on the way; what is an error was raised.
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
    overrides: tuple[Override, ...] = ()
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
    def roles(self) -> tuple[Role, ...]:
        """What is meant to run on this host, of web and Sidekiq; see roles_of()."""
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
    """An instance was found, but something about it must be put right first.

    :ivar instance: what is known of it; what could not be read is empty.
    :ivar findings: all of them, at least one of them an error.
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
    :ivar truncated: it wrote more than is kept; the beginning and the end of its output are there.
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
    :ivar pid: the process that wrote it; 1 for what the service manager wrote about it, 0 when unknown.
    :ivar text: the line without its end. May hold addresses and tokens: redact before it is returned.
    """

    at: float
    service: str
    pid: int
    text: str


Seen = t.TypeVar("Seen")

#: Makes of a path as the instance's processes know it one that can be opened from here.
Translate = t.Callable[[str], str]


class Driver(t.Protocol):
    """One instance under one way of running it. All methods raise FindingError when they cannot do their work."""

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

        :param environment: set on top; a value None unsets. This and C(stdin) are the only ways for a secret in.
        :param timeout: seconds; after that the whole process group is killed.
        """

    def may_read(self, path: str, descriptor: int) -> bool:
        """Whether the instance's user may read an open file by its path: only then is it given to his programs."""

    def services(self) -> list[Service]:
        """The instance's services as they are now."""

    def restart(self, services: t.Sequence[Service]) -> None:
        """Begin to give each service fresh processes that read the settings anew. Does not wait for them."""

    def ready(self, service: Service) -> bool | None:
        """Whether a running service has booted and does its work (listens, takes jobs). None: cannot be seen."""

    def log_cursor(self, services: t.Sequence[Service]) -> str:
        """A mark of the log's present end, for C(log_since)."""

    def log_since(self, services: t.Sequence[Service], cursor: str) -> list[LogLine]:
        """What these services logged after the mark, oldest first."""

    def sidekiq_hosts(self) -> set[str]:
        """What the machines or containers of this instance's Sidekiq call themselves."""

    def web_url(self) -> str:
        """Where the host reaches the web service: C(http://127.0.0.1:3000), or C(unix:/path) of a socket.

        Where its processes listen, else what they are started with, else Mastodon's default. Empty when no web service
        is meant to run on this host, or when no way to it is known.
        """

    def look_from(self, work: t.Callable[[Translate], Seen]) -> tuple[Seen, list[Finding]]:
        """Do C(work) with the network, the name resolution and the trusted authorities of the sidekiq service.

        :returns: what C(work) returned, and what has to be said about where it was done.
        """

    def relay_findings(self, host: str, ca_file: str, reached: bool) -> list[Finding]:
        """What stands between the services and a relay, other than the relay itself.

        :param ca_file: what the settings name as trusted authorities; may be empty.
        :param reached: whether C(look_from) came through to the relay.
        """

    def sendmail_findings(self) -> list[Finding]:
        """What keeps the services from handing mail to the host's sendmail; only of use where they do that."""


def iso_time(at: float) -> str:
    """Seconds since the epoch as ISO 8601 UTC in whole seconds."""
    moment = datetime.datetime.fromtimestamp(int(at), tz=datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
