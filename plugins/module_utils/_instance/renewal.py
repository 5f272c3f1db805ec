# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the services that hold mail settings run on the present ones, and see that they stay up.

Which service is restarted is a table (below); nothing here knows how a service is run.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._findings.instance import TABLE
from .._findings.model import Finding, FindingError, errors
from .model import Driver, Service, State, roles_of
from .watch import DISTURBED, ENDING, Clock, Watch, is_replaced

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
            message = f"It is {service.detail} with old settings, and masked."
            findings.append(TABLE.finding("service-masked", service.name, message))
        elif wanted:
            chosen.append(service)
        elif not running:
            message = f"It is {service.detail}, although it is enabled. It was not started."
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
    findings += _clock_in_doubt(driver, chosen)
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
    findings += _clock_in_doubt(driver, chosen)
    watch = Watch(driver, chosen, booting, _cursor(driver, [*chosen, *booting], findings), clock)
    accepted = False
    try:
        if chosen:
            driver.restart(chosen)
            accepted = True
        findings += watch.until_steady(timeout, steady) or watch.not_current()
    except FindingError as refusal:
        findings.append(refusal.finding)
    after = _last_look(driver, before, findings)
    renewals = [
        Renewal(one, after[one.name], one in chosen and (accepted or is_replaced(one, after[one.name])))
        for one in before
    ]
    return Outcome(renewals, findings + watch.said, watch.waited)


def _clock_in_doubt(driver: Driver, chosen: t.Sequence[Service]) -> list[Finding]:
    """Why a restart may not have been needed: where times are in the future, a service counts as stale in doubt."""
    stale = any(service.stale for service in chosen)
    return [one for one in driver.instance.findings if one.code == "file-time-ahead"] if stale else []


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


def longest(timeout: float, steady: float) -> float:
    """Seconds that C(renew) may take, should something else restart services meanwhile as often as it may."""
    return (1 + DISTURBED) * (timeout + steady + ENDING)
