# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the one instance that the hints describe, however it is run."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._findings.instance import TABLE
from .._findings.model import Finding, FindingError, ended
from .compose import client
from .model import MAIL_ROLES, Deployment, Driver, Hints, Instance, InstanceError


def _systemd(hints: Hints) -> Driver:
    from .systemd import driver

    try:
        return driver.find(hints)
    except InstanceError:
        raise
    except FindingError as nothing:
        if nothing.finding.code not in _MISSED or client.missing():
            raise
        from .wrapped import driver as wrapped  # units that run docker

        found = wrapped.find(hints)
        if found is None:
            raise
        return found


def _compose(hints: Hints) -> Driver:
    missing = None if hints.deployment or hints.project else client.missing()
    if missing:
        raise FindingError(missing)
    from .compose import driver

    return driver.find(hints)


#: The supported ways of running Mastodon. Each is imported only when it is tried, because the host compiles every file
#: that a step imports. Each takes the hints and returns a Driver. It raises FindingError when it finds no instance of
#: its kind, or several; InstanceError when it found one that has errors.
WAYS: dict[Deployment, t.Callable[[Hints], Driver]] = {
    "systemd": _systemd,
    "compose": _compose,
}


def find(hints: Hints) -> Driver:
    """The instance that the hints describe.

    :raises FindingError: there is none, or more than one (codes of the C(instance) table).
    :raises InstanceError: it was found, but has errors to fix first; the exception carries what is known.
    """
    try:
        return _found(hints)
    except InstanceError:
        raise
    except FindingError as nothing:
        if nothing.finding.code not in _MISSED:
            raise
        from . import look  # only now: a host whose instance is found pays nothing for it

        raise FindingError(look.told(nothing.finding, hints)) from None


def findings_about(instance: Instance, hints: Hints) -> list[Finding]:
    """The findings about an instance that was found; if it lacks web or Sidekiq, with those of a look for that half."""
    if set(MAIL_ROLES) <= set(instance.roles):
        return list(instance.findings)
    from . import look

    return look.with_other_half(instance, hints)


def _found(hints: Hints) -> Driver:
    named = hints.deployment or ("compose" if hints.project else None)
    if named:
        return WAYS[named](hints)
    found: list[Driver] = []
    refusals: list[FindingError] = []
    for way in WAYS.values():
        try:
            found.append(way(hints))
        except InstanceError:
            raise
        except FindingError as refusal:
            refusals.append(refusal)
    if not found:
        raise FindingError(_nowhere([refusal.finding for refusal in refusals]))
    if len(found) > 1:
        listed = "; ".join(f"{one.instance.app_dir} ({one.instance.deployment})" for one in found)
        fix = "Set mastodon_smtp_deployment to the intended one."
        raise FindingError(
            TABLE.finding("several-instances", "host", f"The host has several instances: {listed}.", fix)
        )
    return found[0]


#: Codes that only mean: nothing is run this way here.
_ABSENT = ("no-systemd", "no-instance", "app-dir-not-mastodon", "no-engine", "no-compose-instance")


def _nowhere(refusals: list[Finding]) -> Finding:
    """Why no instance was found: the first refusal that says more than "none here", else all refusals in one."""
    for one in refusals:
        if one.code not in _ABSENT:
            return one
    looked = [f"{one.subject}: {one.message}" for one in refusals]
    message = " ".join(map(ended, ["No Mastodon was found on this host", *looked]))
    return dataclasses.replace(refusals[0], subject="host", message=message)


#: Codes where the hints may have misled the search.
_LOST = (*_ABSENT, "app-dir-missing", "no-mail-services")

#: Codes after which the host's processes are looked at: a running Mastodon is never "not found".
_MISSED = (*_LOST, "service-unknown", "engine-down", "compose-missing")


def named(hints: Hints) -> Driver:
    """Like C(find), for hints that come from role variables: a refusal names those variables."""
    try:
        return find(hints)
    except InstanceError:
        raise
    except FindingError as nothing:
        raise FindingError(_with_hints(nothing.finding, hints)) from None


def _with_hints(refusal: Finding, hints: Hints) -> Finding:
    given = [
        f"mastodon_smtp_{one.name} ({', '.join(value) if isinstance(value, tuple) else value})"
        for one in dataclasses.fields(hints)
        if (value := getattr(hints, one.name))
    ]
    if refusal.code not in _LOST or not given:
        return refusal
    told = f"{ended(refusal.message)} The search used {' and '.join(given)} from the inventory: check that too."
    return dataclasses.replace(refusal, message=told)
