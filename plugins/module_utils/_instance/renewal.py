# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""Make the services that hold mail settings run on the present ones, and see that they stay up.

Which service is restarted is a table (below); nothing here knows how a service is run.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._findings.instance import TABLE
from .._findings.model import Finding, FindingError, errors
from .last_words import fit_to_see
from .model import Driver, Service, State, roles_of

#: current: whatever does not verifiably run on the present settings. restarted: all.
Goal = t.Literal["current", "restarted"]

#: Whether a service is restarted (what does not run: started), by its state, whether it is stale, and the goal.
#: A service that does not run and is not meant to (disabled, masked) never comes here, and streaming neither.
_RESTART: dict[tuple[State, bool], dict[Goal, bool]] = {
    ("running", True): {"current": True, "restarted": True},
    ("running", False): {"current": False, "restarted": True},
    # It crashed, or is about to be tried again: perhaps on settings that are gone by now. Nobody stopped it on purpose.
    ("changing", False): {"current": True, "restarted": True},
    ("failed", False): {"current": True, "restarted": True},
    # Somebody stopped it. When it is started again, it reads the present settings by itself.
    ("stopped", False): {"current": False, "restarted": True},
}

#: Within one restart, a service that had to be brought back so often is in a loop; no need to wait any longer.
_LOOP = 2

_POLL = 0.5


class Clock(t.Protocol):
    """The two things that waiting needs, so that a test can make time pass."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


@dataclasses.dataclass(frozen=True)
class Renewal:
    """What became of one service.

    :ivar restarted: it was (in check mode: would be) restarted or started by this step.
    """

    before: Service
    after: Service
    restarted: bool

    def as_dict(self) -> dict[str, t.Any]:
        """The service as mail_services returns it."""
        sides = {
            side: {key: value for key, value in service.as_dict().items() if key not in ("name", "role", "stale")}
            for side, service in (("before", self.before), ("after", self.after))
        }
        return {
            "name": self.before.name,
            "role": self.before.role,
            "stale": self.before.stale,
            "restarted": self.restarted,
            **sides,
        }


@dataclasses.dataclass
class Outcome:
    """What the step did and saw; the same in success and failure.

    :ivar waited: seconds until all restarted services were ready.
    """

    renewals: list[Renewal]
    findings: list[Finding]
    waited: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether anything was (in check mode: would be) restarted."""
        return any(one.restarted for one in self.renewals)


def plan(services: t.Iterable[Service], goal: Goal) -> tuple[list[Service], list[Finding]]:
    """Which services are to be restarted, and what is to be said about the others.

    A service that is masked cannot be restarted: an error if it runs on old settings, no matter otherwise. The
    streaming service holds no mail settings and is never touched. A host where only web is meant to run needs no
    Sidekiq.
    """
    chosen: list[Service] = []
    findings: list[Finding] = []
    concerned = [service for service in services if service.holds_mail_settings]
    for service in concerned:
        running = service.state == "running"
        if not service.meant:
            continue
        wanted = _RESTART[service.state, running and service.stale][goal]
        if service.masked and wanted:
            message = f"It is {service.detail} with settings from before the last change, and masked."
            findings.append(TABLE.finding("service-masked", service.name, message))
        elif wanted:
            chosen.append(service)
        elif not running:
            message = f"It is {service.detail}, although it is meant to run. It was not started."
            findings.append(TABLE.finding("service-stopped", service.name, message))
    names = {service.name for service in chosen}
    roles = roles_of(concerned)
    if "web" in roles and "sidekiq" not in roles:  # said when the instance was found: see condition.elsewhere
        return chosen, findings
    if not any(one.role == "sidekiq" and (one.state == "running" or one.name in names) for one in concerned):
        sidekiqs = ", ".join(one.name for one in concerned if one.role == "sidekiq") or "sidekiq"
        findings.append(TABLE.finding("mail-not-served", sidekiqs, "No sidekiq service of the instance is running."))
    return chosen, findings


def predict(driver: Driver, goal: Goal) -> Outcome:
    """What C(renew) would do now; changes nothing."""
    services = driver.services()
    chosen, findings = plan(services, goal)
    names = {service.name for service in chosen}
    return Outcome([Renewal(one, one, one.name in names) for one in services], findings)


def renew(driver: Driver, goal: Goal, *, steady: float, timeout: float, clock: Clock = time) -> Outcome:
    """Restart what has to be, wait until it is ready, and watch that it stays up.

    All of them are restarted at once. A service that needs no restart, but is still booting, is waited for, too: a
    service in a crash loop looks just so. When all are at work already, nothing is waited for.

    :param steady: seconds that every service that was waited for must then stay up.
    :param timeout: seconds that all of them together may take to become ready.
    """
    before = driver.services()
    chosen, findings = plan(before, goal)
    if errors(findings):
        return Outcome([Renewal(one, one, False) for one in before], findings)
    booting = [
        service
        for service in before
        if service.holds_mail_settings
        and service.state == "running"
        and service not in chosen
        and driver.ready(service) is False
    ]
    if not chosen and not booting:
        return Outcome([Renewal(one, one, False) for one in before], findings)
    watch = _Watch(driver, chosen, booting, _cursor(driver, [*chosen, *booting], findings), clock)
    accepted = False
    try:
        if chosen:
            driver.restart(chosen)
            accepted = True
        findings += watch.until_ready(timeout) or watch.stay_up(steady) or watch.not_current()
    except FindingError as refusal:
        findings.append(refusal.finding)
    after = _last_look(driver, before, findings)
    renewals = [
        Renewal(one, after[one.name], one in chosen and (accepted or is_replaced(one, after[one.name])))
        for one in before
    ]
    return Outcome(renewals, findings + watch.doubts, watch.waited)


def _last_look(driver: Driver, before: t.Sequence[Service], findings: list[Finding]) -> dict[str, Service]:
    """The services by name as they are now; as they were when that cannot be seen any more, which is said."""
    known = {service.name: service for service in before}
    try:
        known.update((service.name, service) for service in driver.services())
    except FindingError as unseen:
        findings.append(unseen.finding)
    return known


def _cursor(driver: Driver, services: t.Sequence[Service], findings: list[Finding]) -> str | None:
    try:
        return driver.log_cursor(services)
    except FindingError as unreadable:
        findings.append(unreadable.finding)
        return None


class _Watch:
    """Looks at services until they are ready, and on.

    :param chosen: those that are restarted now; they count only when they are no longer what they were.
    :param booting: others that are not ready yet.
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
        self.waited = 0.0
        self.doubts: list[Finding] = []

    def until_ready(self, timeout: float) -> list[Finding]:
        """Wait for all; the errors of those that failed, as soon as one has, or of those that are late."""
        began = self._clock.monotonic()
        while True:
            now = self._look()
            failed = [one for service in now for one in self._failed(service)]
            waiting = [service for service in now if not self._ready(service)]
            self.waited = self._clock.monotonic() - began
            if failed or not waiting:
                return failed
            if self.waited >= timeout:
                return [self._late(service, timeout) for service in waiting]
            self._clock.sleep(_POLL)

    def stay_up(self, steady: float) -> list[Finding]:
        """Watch the ready services for so many seconds; the error of the first that does not stay."""
        first = {service.name: service for service in self._look()}
        until = self._clock.monotonic() + steady
        while True:
            for service in self._look():
                known = first[service.name]
                if service.state != "running" or service.pid != known.pid or service.restarts > known.restarts:
                    message = f"It was ready, but did not stay up for {steady:g} s: it is {service.detail}."
                    return [self._with_log("service-crash-loop", service, message)]
            left = until - self._clock.monotonic()
            if left <= 0:
                return []
            self._clock.sleep(min(_POLL, left))

    def not_current(self) -> list[Finding]:
        """The errors of those that were given other variables than the files hold, where that can be compared."""
        found = []
        for service in self._look():
            if service.differs:
                message = f"It runs, but with other values than the files now hold for {', '.join(service.differs)}."
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
            message = "It runs, but its processes may not be looked into."
            self.doubts = [one for one in self.doubts if one.subject != service.name]
            self.doubts.append(TABLE.finding("readiness-unknown", service.name, message))
        return ready is not False

    def _failed(self, service: Service) -> list[Finding]:
        # systemd counts from 0 after a restart by hand, but goes on counting when it was already in a loop.
        fewest = min(service.restarts, self._fewest_restarts.get(service.name, service.restarts))
        self._fewest_restarts[service.name] = fewest
        if service.restarts - fewest >= _LOOP:
            message = f"It has ended and been started again {service.restarts - fewest} times."
            return [self._with_log("service-crash-loop", service, message)]
        if service.state in ("failed", "stopped"):
            return [self._with_log("service-failed", service, f"It is {service.detail}.")]
        return []

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
        """The last lines that the service logged since the restart, fit to be seen."""
        if self._cursor is None:
            return []
        try:
            logged = self._driver.log_since([service], self._cursor)
        except FindingError:
            return []
        return fit_to_see(logged, self._driver.instance.variables, self._names)


def is_replaced(before: Service, now: Service) -> bool:
    """Whether what runs now is not what ran before. One that did not run before is new as soon as it runs."""
    if before.state != "running":
        return now.state != before.state
    return now.pid != before.pid or not _same_moment(now.started, before.started)


def _same_moment(one: float | None, other: float | None) -> bool:
    """Equal but for the jitter of turning one clock's time into the other's."""
    return one is not None and other is not None and abs(one - other) < 0.2
