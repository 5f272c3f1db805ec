# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about the condition of an instance's services before anything is changed. No I/O except C(log)."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import time
import typing as t

from .._findings.instance import TABLE
from .._findings.model import Finding, FindingError
from .last_words import fit_to_see
from .model import Instance, LogLine, Service, roles_of

#: A service counts as crash-looping after so many automatic restarts, if the last one was at most so many seconds ago.
#: One that has run longer is fine, whatever happened before: a boot takes 6 to 12 s, on a slow host a minute.
_OFTEN, _LATELY = 2, 120.0
_LINES = 3


def about(
    instance: Instance, log: t.Callable[[Service], list[LogLine]], *, named: bool, now: float | None = None
) -> list[Finding]:
    """All findings about the condition of the services.

    :param log: returns the end of a service's log; may raise FindingError.
    :param named: whether the operator has named the services of this host.
    """
    current = time.time() if now is None else now
    return [
        *elsewhere(instance.services, named),
        *filter(None, map(stopped, instance.services)),
        *_failing(instance, log, current),
    ]


def stopped(service: Service) -> Finding | None:
    """The finding for a service that sends mail, is stopped and would be started at the next boot."""
    if not service.holds_mail_settings or service.state != "stopped" or not service.meant:
        return None
    message = f"It is {service.detail or service.state}, although it is meant to run."
    return TABLE.finding("service-stopped", service.name, message)


def elsewhere(services: t.Sequence[Service], named: bool) -> list[Finding]:
    """A finding if only web or only Sidekiq runs on this host; none if no service is meant to run at all."""
    roles = roles_of(services)
    found = []
    if roles == ("web",):
        message = (
            f"No Sidekiq runs on this host and none is enabled ({_reason(services, 'sidekiq', named)}): its mail is "
            "sent by Sidekiq on another host, which must have the same settings."
        )
        found.append(TABLE.finding("sidekiq-elsewhere", "sidekiq", message))
    if roles == ("sidekiq",):
        message = (
            f"No web service runs on this host and none is enabled ({_reason(services, 'web', named)}): the mail that "
            "this Sidekiq sends is queued by the web service on another host, which must have the same settings."
        )
        found.append(TABLE.finding("web-elsewhere", "web", message))
    return found


def _reason(services: t.Sequence[Service], role: str, named: bool) -> str:
    idle = [
        f"{one.name}: {'masked' if one.masked else f'{one.detail or one.state}, not enabled'}"
        for one in services
        if one.role == role
    ]
    return ", ".join(idle) or ("mastodon_smtp_services lists none" if named else "no such service was found")


def _failing(instance: Instance, log: t.Callable[[Service], list[LogLine]], now: float) -> list[Finding]:
    """The services that do not stay up. Not an error: the cause may be wrong mail settings, which this run fixes."""
    found = []
    for service in instance.services:
        message = failing(service, now)
        if not message:
            continue
        try:
            lines = fit_to_see(log(service), instance.variables, [one.name for one in instance.services], _LINES)
        except FindingError:
            lines = []
        message += " The end of its log: " + " | ".join(lines) if lines else ""
        found.append(TABLE.finding("service-failing-before", service.name, message))
    return found


def failing(service: Service, now: float) -> str:
    """How a service that should run fails to stay up; empty when it does not fail."""
    if not service.holds_mail_settings or not service.meant:
        return ""
    if service.failing:
        often = f", and was restarted {service.restarts} times" if service.restarts else ""
        return f"It is {service.detail}{often}."
    since = None if service.started is None else now - service.started
    if service.state == "running" and service.restarts >= _OFTEN and since is not None and since < _LATELY:
        return f"It keeps crashing: it was restarted {service.restarts} times, last {max(since, 0.0):.0f} s ago."
    return ""
