# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What C(systemctl show) prints about units, as data. No I/O here.

Written for the output of systemd 247 (Debian 11) to 257 (Debian 13). A property that a version does not know is not
printed, and is read as empty.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ..model import Life, Role, Service, State, is_meant
from ..roles import role_by

#: If the two start times of a process are this many seconds apart, the clock has been set since.
_CLOCK_WAS_SET = 2.0
#: The properties that are queried, for all units in one call.
PROPERTIES = (
    "Id",
    "Names",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Job",
    "WantedBy",
    "RequiredBy",
    "TriggeredBy",
    "MainPID",
    "NRestarts",
    "User",
    "Group",
    "SupplementaryGroups",
    "WorkingDirectory",
    "ExecStartPre",
    "ExecStart",
    "Environment",
    "EnvironmentFiles",
    "UnsetEnvironment",
    "FragmentPath",
    "DropInPaths",
    "ControlGroup",
    "NoNewPrivileges",
    "PrivateTmp",
    "ProtectHome",
    "InaccessiblePaths",
    "BindPaths",
    "BindReadOnlyPaths",
    "ExecMainStartTimestamp",
    "ExecMainStartTimestampMonotonic",
)


@dataclasses.dataclass(frozen=True)
class EnvironmentFile:
    """One EnvironmentFile= of a unit; C(optional) if it has a leading dash."""

    path: str
    optional: bool


@dataclasses.dataclass(frozen=True)
class Unit:
    """One service unit, as systemd has it loaded.

    :ivar exec_start: path and arguments of every ExecStart=, one text for each.
    :ivar exec_start_pre: the same of ExecStartPre=.
    :ivar environment: the assignments of Environment=; a later one wins.
    :ivar environment_hidden: systemd withheld at least one assignment.
    :ivar files: its file and its drop-ins, in the order in which they are read.
    :ivar protect_home: C(no), C(read-only), C(yes) or C(tmpfs).
    :ivar binds: paths that are bind-mounted from the host and so stay visible, whatever else hides them.
    :ivar started_monotonic: start of the main process on CLOCK_MONOTONIC in seconds; None when it never started.
    :ivar started_recorded: the same moment by the wall clock at that time, in whole seconds since the epoch.
    """

    name: str
    load_state: str = ""
    active_state: str = ""
    sub_state: str = ""
    file_state: str = ""
    aliases: tuple[str, ...] = ()
    job: bool = False
    pulled_in: bool = False
    main_pid: int = 0
    restarts: int = 0
    user: str = ""
    group: str = ""
    supplementary_groups: tuple[str, ...] = ()
    working_directory: str = ""
    exec_start: tuple[str, ...] = ()
    exec_start_pre: tuple[str, ...] = ()
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    environment_hidden: bool = False
    environment_files: tuple[EnvironmentFile, ...] = ()
    unset_environment: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    control_group: str = ""
    no_new_privileges: bool = False
    private_tmp: bool = False
    protect_home: str = ""
    inaccessible_paths: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    started_monotonic: float | None = None
    started_recorded: float | None = None

    @property
    def exists(self) -> bool:
        return self.load_state not in ("", "not-found")

    @property
    def masked(self) -> bool:
        return self.load_state == "masked" or self.file_state.startswith("masked")

    @property
    def wanted(self) -> bool:
        """Whether it is started at boot, or by a target, a socket or another loaded unit."""
        return self.file_state.startswith("enabled") or self.pulled_in

    @property
    def meant(self) -> bool:
        """Whether it is meant to run on this host; see model.is_meant."""
        return is_meant(self.state, self.wanted, self.masked)

    @property
    def failing(self) -> bool:
        """Whether it has crashed: systemd has given it up, waits to restart it, or is starting it again by itself.

        A start by hand sets the count of restarts to 0 first (systemd src/core/service.c, service_start).
        """
        again = self.active_state == "activating" and self.restarts > 0
        return self.active_state == "failed" or self.sub_state.startswith("auto-restart") or again

    @property
    def state(self) -> State:
        """The state in this collection's words; see model.State."""
        if self.job:  # a start or stop is queued or in progress
            return "changing"
        return _STATES.get(self.active_state, "changing")

    @property
    def detail(self) -> str:
        """The state in systemd's words, such as C(activating (auto-restart))."""
        return f"{self.active_state} ({self.sub_state})" if self.sub_state else self.active_state

    def as_service(self, role: Role, *, started: float | None, stale: bool, differs: t.Sequence[str] = ()) -> Service:
        """The unit as the rest of the collection sees it.

        :param differs: variables that its processes were started with, and that its files give another value now.
        """
        running = self.state == "running"
        return Service(
            name=self.name,
            role=role,
            state=self.state,
            detail=self.detail,
            wanted=self.wanted,
            masked=self.masked,
            started=started if running else None,
            pid=self.main_pid,
            restarts=self.restarts,
            failing=self.failing,
            stale=(stale or bool(differs)) if running else False,
            differs=tuple(differs) or None,
            # The start on the monotonic clock does not change when the clock is set.
            starts=(Life(self.name, f"{self.main_pid} {self.started_monotonic}", self.restarts),),
        )


#: ActiveState -> State; any other is changing (activating, deactivating, maintenance, refreshing).
#: Source: org.freedesktop.systemd1(5).
_STATES: dict[str, State] = {
    "active": "running",
    "reloading": "running",
    "inactive": "stopped",
    "failed": "failed",
}


def parse_show(output: str) -> list[Unit]:
    """The units in the output of C(systemctl show --property=... UNIT ...): blocks separated by blank lines."""
    units: dict[str, Unit] = {}
    for block in re.split(r"\n{2,}", output.strip("\n")):
        properties: dict[str, list[str]] = {}
        for line in block.splitlines():
            name, equals, value = line.partition("=")
            if equals:
                properties.setdefault(name, []).append(value)
        unit = _unit(properties)
        if unit.name:
            units.setdefault(unit.name, unit)
    return list(units.values())


def parse_names(output: str) -> list[str]:
    """The service units in the output of C(list-units) or C(list-unit-files) with C(--plain --no-legend).

    Templates (C(mastodon-sidekiq@.service)) run nothing themselves and are left out.
    """
    names = []
    for line in output.splitlines():
        # Older versions put a bullet before a failed unit even with --plain.
        name = next((word for word in line.split()[:2] if word.endswith(".service")), "")
        if name and not name.endswith("@.service"):
            names.append(name)
    return list(dict.fromkeys(names))


def _unit(properties: t.Mapping[str, list[str]]) -> Unit:
    def one(name: str) -> str:
        return properties.get(name, [""])[-1]

    assignments = [word for line in properties.get("Environment", []) for word in split_words(line)]
    monotonic = _number(one("ExecMainStartTimestampMonotonic"))
    return Unit(
        name=one("Id"),
        load_state=one("LoadState"),
        active_state=one("ActiveState"),
        sub_state=one("SubState"),
        file_state=one("UnitFileState"),
        aliases=tuple(one("Names").split()),
        job=one("Job") not in ("", "0"),
        pulled_in=any(map(one, ("WantedBy", "RequiredBy", "TriggeredBy"))),
        main_pid=_number(one("MainPID")),
        restarts=_number(one("NRestarts")),
        user=one("User"),
        group=one("Group"),
        supplementary_groups=tuple(one("SupplementaryGroups").split()),
        # A leading "!" means that the directory may be missing (WorkingDirectory=-/path).
        working_directory=one("WorkingDirectory").lstrip("!"),
        exec_start=tuple(filter(None, map(_program, properties.get("ExecStart", [])))),
        exec_start_pre=tuple(filter(None, map(_program, properties.get("ExecStartPre", [])))),
        environment=dict(word.split("=", 1) for word in assignments if "=" in word),
        environment_hidden=_HIDDEN in assignments,
        environment_files=tuple(filter(None, map(_environment_file, properties.get("EnvironmentFiles", [])))),
        unset_environment=tuple(split_words(one("UnsetEnvironment"))),
        files=tuple(filter(None, (one("FragmentPath"), *split_words(one("DropInPaths"))))),
        control_group=one("ControlGroup"),
        no_new_privileges=one("NoNewPrivileges") == "yes",
        private_tmp=one("PrivateTmp") not in ("", "no"),
        protect_home=one("ProtectHome"),
        inaccessible_paths=tuple(word.lstrip("-+") for word in split_words(one("InaccessiblePaths"))),
        binds=tuple(map(_bound, split_words(f"{one('BindPaths')} {one('BindReadOnlyPaths')}"))),
        started_monotonic=monotonic / 1_000_000 if monotonic else None,
        started_recorded=_recorded_time(one("ExecMainStartTimestamp")),
    )


#: Older versions print this instead of a value with blanks or line breaks.
_HIDDEN = "[unprintable]"

_AFTER_PROGRAM = re.compile(r" ; (?:ignore_errors|flags)=")


def _program(value: str) -> str:
    """C({ path=/usr/bin/node ; argv[]=/usr/bin/node ./streaming ; ignore_errors=no ; ...}) -> path and words."""
    path, _separator, rest = value.partition(" ; argv[]=")
    end = _AFTER_PROGRAM.search(rest)
    return f"{path[len('{ path=') :]} {rest[: end.start()]}" if path.startswith("{ path=") and end else ""


def _environment_file(value: str) -> EnvironmentFile | None:
    """C(/etc/default/mastodon (ignore_errors=yes)); the path itself may hold blanks."""
    found = re.fullmatch(r"(.+) \(ignore_errors=(yes|no)\)", value)
    return EnvironmentFile(found[1], found[2] == "yes") if found else None


def _bound(value: str) -> str:
    """C(/source:/destination:rbind), optionally with a leading dash -> the destination."""
    source, *more = value.lstrip("-").split(":")
    return more[0] if more and more[0] else source


def _number(value: str) -> int:
    """The number, or 0 if unset: a counter prints C([not set]) or the largest 64-bit number, a time 0 or nothing."""
    return int(value) if value.isdecimal() and int(value) < 2**63 else 0


def _recorded_time(value: str) -> float | None:
    """C(Mon 2026-11-23 09:11:42 UTC), as systemctl prints it under TZ=UTC."""
    time, utc, rest = value[4:].partition(" UTC")
    if not utc or rest:
        return None
    try:
        moment = datetime.datetime.fromisoformat(time)  # strptime would load the names of months and days as well
    except ValueError:
        return None
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


_BARE = re.compile(r"""[^\s"$'\\][^\s]*|\$(?!')[^\s]*|'[^\s]*|\\[^\s]*""")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DOLLAR = re.compile(r"\$'((?:[^'\\]|\\.)*)'")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-7]{3}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_NAMED_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}


def split_words(value: str) -> list[str]:
    """The words of a list property.

    Words are quoted only if needed. Since systemd 250, quoted words are in double quotes with backslash escapes, or in
    C($'...') if they hold control characters.
    """
    words: list[str] = []
    position = 0
    while position < len(value):
        if value[position].isspace():
            position += 1
            continue
        quoted = _DOUBLE.match(value, position) or _DOLLAR.match(value, position)
        found = quoted or _BARE.match(value, position)
        if not found:  # an unclosed quote: take the rest literally
            words.append(value[position:])
            break
        words.append(_unescape(quoted[1]) if quoted else found[0])
        position = found.end()
    return words


def _unescape(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        code = found[1]
        if len(code) == 1:
            return _NAMED_ESCAPES.get(code, code)
        return chr(int(code, 8) if code.isdecimal() else int(code[1:], 16))

    return _ESCAPE.sub(plain, text)


def role_of(unit: Unit, titles: t.Iterable[str] = ()) -> Role | None:
    """The unit's role in Mastodon; None if it has none of the three, or it is unknown.

    :param titles: the titles of the unit's processes, if known.
    """
    return role_by(" ; ".join(unit.exec_start), titles, [unit.name, *unit.aliases])


def start_times(unit: Unit, wall_minus_monotonic: float) -> tuple[float | None, float | None]:
    """When the unit's main process started: (by the current clock, the earliest possible time by any clock).

    systemd records the start on the monotonic clock; the current clock turns that into a date. If this differs from the
    date that systemd recorded at the start, the clock has been set in between (a server that booted with a wrong
    clock), and file times may be from before or after that. The earlier date is the safe one to compare them with.
    """
    if unit.started_monotonic is None:
        return None, None
    started = wall_minus_monotonic + unit.started_monotonic
    recorded = unit.started_recorded
    if recorded is None or abs(started - recorded) < _CLOCK_WAS_SET:
        return started, started
    return started, min(started, recorded)
