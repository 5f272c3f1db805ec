# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watch restarted services until they are ready, and check that they stay up."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .._findings.instance import TABLE
from .._findings.model import Finding, FindingError
from .last_words import fit_to_see
from .model import Driver, Service

#: A service that crashed so often after one restart is in a loop; waiting longer is useless.
_LOOP = 2

#: How often somebody else may restart a service while it is watched.
DISTURBED = 3
#: Seconds that a service may take to stop until it is clear whether it was told to stop: systemd's own limit.
ENDING = 90.0
#: Seconds after which a service that is stopped while it should boot counts as stopped for good.
_STOPPED = 10.0

#: Seconds between two polls: while services boot, and while they only have to stay up. A service that ended and started
#: again between two polls is recognised by its start and its restart count.
_POLL = 1.0
_CALM = 2.5


class Clock(t.Protocol):
    """The two functions that waiting needs, so that tests can replace them."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


class Watch:
    """Watches services until they are ready and have stayed up.

    :param chosen: the services being restarted; they count as ready only once their processes are new ones.
    :param booting: other services that are not ready yet.
    """

    def __init__(
        self,
        driver: Driver,
        chosen: t.Sequence[Service],
        booting: t.Sequence[Service],
        cursor: str | None,
        clock: Clock,
    ) -> None:
        self._driver = driver
        self._chosen = {service.name: service for service in chosen}
        self._names = {service.name for service in (*chosen, *booting)}
        self._cursor = cursor
        self._clock = clock
        self._fewest_restarts: dict[str, int] = {}
        self._others: dict[str, int] = {}
        self._stopped: dict[str, float] = {}
        self.waited = 0.0
        self.said: list[Finding] = []

    def until_steady(self, timeout: float, steady: float) -> list[Finding]:
        """Wait for all services, then check that they stay up; return the errors of those that do not.

        A service that somebody else restarts or stops meanwhile (unattended-upgrades, an administrator) has not failed:
        it gets the same time again to become ready and to stay up, a few times.
        """
        late = self._until_ready(timeout)
        while not late:
            disturbed, failed = self._stay_up(steady)
            if failed or not disturbed:
                late = failed
                break
            self._others[disturbed.name] = self._others.get(disturbed.name, 0) + 1
            if sum(self._others.values()) > DISTURBED:
                return [self._never_left_alone(disturbed, steady)]
            late = self._until_ready(timeout)
        self._tell_of_others()
        return late

    def _until_ready(self, timeout: float) -> list[Finding]:
        """Wait for all services; return the errors as soon as one fails, or of those not ready in time."""
        began = self._clock.monotonic()
        while True:
            now = self._look()
            failed = [one for service in now for one in self._failed(service)]
            waiting = [service for service in now if not self._ready(service)]
            taken = self._clock.monotonic() - began
            if not self._others:
                self.waited = taken
            if failed or not waiting:
                return failed
            if taken >= timeout:
                return [self._late(service, timeout) for service in waiting]
            self._clock.sleep(_POLL)

    def _stay_up(self, steady: float) -> tuple[Service | None, list[Finding]]:
        """Watch the ready services for C(steady) seconds: (one restarted by somebody else, the errors of a failed one).

        A service that is stopping may have crashed or been told to stop; that is known only when it has ended.
        """
        first = {service.name: service for service in self._look()}
        until = self._clock.monotonic() + steady
        while True:
            ending = None
            for service in self._look():
                known = first[service.name]
                if crashed(known, service):
                    message = f"It was ready, but did not stay up for {steady:g} s: it is {service.detail}."
                    return None, [self._with_log("service-crash-loop", service, message)]
                if service.state == "stopped" or (service.state == "running" and not _same_lives(known, service)):
                    return service, []
                ending = service if service.state != "running" else ending
            left = until - self._clock.monotonic()
            if left <= (-ENDING if ending else 0):
                return ending, []
            self._clock.sleep(min(_POLL if ending else _CALM, left) if left > 0 else _POLL)

    def _never_left_alone(self, service: Service, steady: float) -> Finding:
        message = (
            f"Something else keeps restarting or stopping it ({_times(self._others[service.name])} so far), so it never"
            f" stayed up for {steady:g} s: it is {service.detail}."
        )
        return self._with_log("service-not-ready", service, message)

    def _tell_of_others(self) -> None:
        for name, count in self._others.items():
            message = f"Something else restarted or stopped it {_times(count)} during the check."
            self.said.append(TABLE.finding("service-restarted-elsewhere", name, message))

    def not_current(self) -> list[Finding]:
        """The errors of services that have other variables than the files hold, where that can be compared."""
        found = []
        for service in self._look():
            if service.differs:
                message = (
                    "It is running, but with different values than the files now have for "
                    f"{', '.join(service.differs)}."
                )
                found.append(TABLE.finding("service-not-current", service.name, message))
        return found

    def _look(self) -> list[Service]:
        return [service for service in self._driver.services() if service.name in self._names]

    def _ready(self, service: Service) -> bool:
        before = self._chosen.get(service.name)
        if service.state != "running" or (before is not None and not is_replaced(before, service)):
            return False
        ready = self._driver.ready(service)
        if ready is None:
            message = "It is running, but access to its processes is denied."
            self.said = [one for one in self.said if one.subject != service.name]
            self.said.append(TABLE.finding("readiness-unknown", service.name, message))
        return ready is not False

    def _failed(self, service: Service) -> list[Finding]:
        # systemd resets the counter after a manual restart, but not if the service was already in a loop.
        fewest = min(service.restarts, self._fewest_restarts.get(service.name, service.restarts))
        self._fewest_restarts[service.name] = fewest
        if service.restarts - fewest >= _LOOP:
            message = f"It has crashed and restarted {service.restarts - fewest} times."
            return [self._with_log("service-crash-loop", service, message)]
        if service.state == "failed" or self._stays_stopped(service):
            return [self._with_log("service-failed", service, f"It is {service.detail}.")]
        return []

    def _stays_stopped(self, service: Service) -> bool:
        """Whether it is stopped for good; during a restart by somebody (docker restart) it is stopped for a moment."""
        now = self._clock.monotonic()
        since = self._stopped.setdefault(service.name, now) if service.state == "stopped" else now
        if service.state != "stopped":
            self._stopped.pop(service.name, None)
        return now - since >= _STOPPED and service.name not in self._others

    def _late(self, service: Service, timeout: float) -> Finding:
        message = f"After {timeout:g} s it is {service.detail}"
        message += " and has not finished booting." if service.state == "running" else "."
        return self._with_log("service-not-ready", service, message)

    def _with_log(self, code: str, service: Service, message: str) -> Finding:
        lines = self._log(service)
        if lines:
            message += " The end of its log: " + " | ".join(lines)
        return TABLE.finding(code, service.name, message)

    def _log(self, service: Service) -> list[str]:
        """The last lines that the service has logged since the restart, made safe to show."""
        if self._cursor is None:
            return []
        try:
            logged = self._driver.log_since([service], self._cursor)
        except FindingError:
            return []
        return fit_to_see(logged, self._driver.instance.variables, self._names)


def is_replaced(before: Service, now: Service) -> bool:
    """Whether none of the old processes runs any more. A service that did not run before is new once it runs."""
    if before.state != "running":
        return now.state != before.state
    return not _starts(before) & _starts(now)


def crashed(before: Service, now: Service) -> bool:
    """Whether a running service has crashed since.

    Only automatic restarts count: systemd's NRestarts, Docker's RestartCount. Both are reset to 0 when somebody
    restarts the service, and a new container has its own counter. Sources: systemd src/core/service.c,
    flush_n_restarts; moby daemon/start.go, ResetRestartManager.
    """
    known = {life.thing: life.restarts for life in before.lives}
    if any(life.restarts > known.get(life.thing, 0) for life in now.lives):
        return True
    return now.failing and now.state != "running"


def _same_lives(one: Service, other: Service) -> bool:
    return _starts(one) == _starts(other)


def _starts(service: Service) -> set[tuple[str, str]]:
    return {(life.thing, life.start) for life in service.lives}


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
