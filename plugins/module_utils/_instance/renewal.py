# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restart services so that they run with the current mail settings, and check that they stay up.

A table below decides which services are restarted. Nothing here knows how a service is run.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import time
import typing as t

from .._findings.instance import TABLE
from .._findings.model import Finding, FindingError, errors
from .condition import stopped
from .model import Driver, Service, State, roles_of
from .watch import DISTURBED, ENDING, Clock, Watch, is_replaced

#: current: restart every service that does not verifiably run with the current settings. restarted: restart all.
#: edited: what "current" will restart once the environment file has been edited; a dry run asks for that.
Goal = t.Literal["current", "restarted", "edited"]

#: (state, stale) -> goal -> whether the service is restarted (started, if it does not run).
#: Services that neither run nor are meant to (disabled, masked) are not looked up here, and neither is streaming.
_RESTART: dict[tuple[State, bool], dict[Goal, bool]] = {
    ("running", True): {"current": True, "restarted": True, "edited": True},
    ("running", False): {"current": False, "restarted": True, "edited": True},
    # It crashed, or waits for an automatic restart, perhaps because of old settings. Nobody stopped it on purpose.
    ("changing", False): {"current": True, "restarted": True, "edited": True},
    ("failed", False): {"current": True, "restarted": True, "edited": True},
    # Somebody stopped it. It will read the current settings when it is started.
    ("stopped", False): {"current": False, "restarted": True, "edited": False},
}


@dataclasses.dataclass(frozen=True)
class Renewal:
    """The result for one service.

    :ivar restarted: this step restarted or started it (in check mode: would have).
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
    """What the step did and found, after success and failure alike.

    :ivar waited: seconds until all restarted services were ready.
    """

    renewals: list[Renewal]
    findings: list[Finding]
    waited: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether any service was restarted (in check mode: would have been)."""
        return any(one.restarted for one in self.renewals)


def plan(
    services: t.Iterable[Service], goal: Goal, accepted: t.Container[str] = ()
) -> tuple[list[Service], list[Finding]]:
    """The services to restart, and findings about the others.

    A masked service cannot be restarted: an error if it runs with old settings, otherwise ignored. The streaming
    service holds no mail settings and is never touched. A host where only web is meant to run needs no Sidekiq.

    :param accepted: the codes that the operator accepts.
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
        else:
            findings += filter(None, [stopped(service)])
    names = {service.name for service in chosen}
    roles = roles_of(concerned)
    if "web" in roles and "sidekiq" not in roles:  # already reported: see condition.elsewhere
        return chosen, TABLE.accept(findings, accepted)
    if not any(one.role == "sidekiq" and (one.state == "running" or one.name in names) for one in concerned):
        sidekiqs = ", ".join(one.name for one in concerned if one.role == "sidekiq") or "sidekiq"
        findings.append(TABLE.finding("mail-not-served", sidekiqs, "No sidekiq service of the instance is running."))
    return chosen, TABLE.accept(findings, accepted)


def not_served(services: t.Iterable[Service]) -> Finding | None:
    """A warning if no Sidekiq runs or will be restarted, so that a rollout could not prove its edit."""
    told = (one for one in plan(services, "current")[1] if one.code == "mail-not-served")
    return next((dataclasses.replace(one, severity="warning") for one in told), None)


def predict(driver: Driver, goal: Goal, accepted: t.Container[str] = ()) -> Outcome:
    """What C(renew) would do now; changes nothing."""
    services = driver.services()
    chosen, findings = plan(services, goal, accepted)
    findings += _clock_in_doubt(driver, chosen)
    names = {service.name for service in chosen}
    return Outcome([Renewal(one, one, one.name in names) for one in services], findings)


def renew(
    driver: Driver,
    goal: Goal,
    *,
    steady: float,
    timeout: float,
    accepted: t.Container[str] = (),
    clock: Clock = time,
) -> Outcome:
    """Restart the services that need it, wait until they are ready, and check that they stay up.

    All of them are restarted at once. Services that need no restart but are still booting are waited for, too, because
    a crash loop looks the same. If all services are already at work, there is no wait.

    :param steady: seconds that the services must stay up once they are ready.
    :param timeout: seconds that all of them together may take to become ready.
    :param accepted: the codes of errors about services that do not run, which the operator accepts.
    """
    before = driver.services()
    chosen, findings = plan(before, goal, accepted)
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
    ordered = False
    try:
        if chosen:
            driver.restart(chosen)
            ordered = True
        findings += watch.until_steady(timeout, steady) or watch.not_current()
    except FindingError as refusal:
        findings.append(refusal.finding)
    after = _last_look(driver, before, findings)
    renewals = [
        Renewal(one, after[one.name], one in chosen and (ordered or is_replaced(one, after[one.name])))
        for one in before
    ]
    return Outcome(renewals, findings + watch.said, watch.waited)


def _clock_in_doubt(driver: Driver, chosen: t.Sequence[Service]) -> list[Finding]:
    """A finding that a restart may not have been needed: file times in the future make a service count as stale."""
    stale = any(service.stale for service in chosen)
    return [one for one in driver.instance.findings if one.code == "file-time-ahead"] if stale else []


def _last_look(driver: Driver, before: t.Sequence[Service], findings: list[Finding]) -> dict[str, Service]:
    """The services by name as they are now; as they were before, with a finding, if they cannot be read any more."""
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
    """Seconds that C(renew) may take at most, if others restart services as often as is tolerated meanwhile."""
    return (1 + DISTURBED) * (timeout + steady + ENDING)
