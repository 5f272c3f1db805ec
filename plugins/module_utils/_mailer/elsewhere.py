# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mail variables that processes get from elsewhere than the environment file, compared with the plan. No I/O.

The host returns them (told), the controller knows the plan (contradictions). Logins and passwords do not leave the
host: their keyed digests do, and the key is in no output.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import typing as t

from .._findings.model import Finding
from .._findings.settings import TABLE
from .compare import differences
from .effective import effective
from .names import CREDENTIALS
from .plan import Plan
from .variables import VARIABLES

#: What a variable's layer needs besides the removal of the line; see _instance: layers, senders and compose.sight.
_AFTERWARDS = {
    "Environment": " Then run systemctl daemon-reload.",
    "UnsetEnvironment": " Then run systemctl daemon-reload.",
    "--env": " Then run systemctl daemon-reload.",  # of a docker run in the unit
}
_OF_PROCESS = "process"
_NOT_PASSED = "not in environment:"
_DEFAULT = "environment: (default)"
_REQUIRED = "environment: (required)"


def told(value: str | None, variable: str, key: str) -> dict[str, str | None]:
    """The value as the host may return it: itself, or a digest if it is a credential.

    :param key: of the digest; without one there is none.
    """
    if value is None or variable not in VARIABLES:
        return {"value": None, "digest": None}
    if variable in CREDENTIALS and value:
        return {"value": None, "digest": digest(value, key) if key else None}
    return {"value": value, "digest": None}


def digest(value: str, key: str) -> str:
    """HMAC-SHA256 of a value, hexadecimal."""
    return hmac.new(key.encode(), value.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


@dataclasses.dataclass(frozen=True)
class _Clash:
    """One assignment that differs from the plan, in all services that have it.

    :ivar seen: as instance_info returns it.
    :ivar planned: the text; None if the plan removes the variable.
    """

    seen: t.Mapping[str, t.Any]
    services: tuple[str, ...]
    planned: str | None = dataclasses.field(repr=False)

    @property
    def variable(self) -> str:
        return str(self.seen["variable"])

    @property
    def hidden(self) -> bool:
        """Whether its value is not known here, only that it is not the planned one."""
        return self.seen["value"] is None and bool(self.seen["set"])


def contradictions(plan: Plan, senders: t.Sequence[t.Mapping[str, t.Any]], env_file: str, key: str) -> list[Finding]:
    """An error for each variable that a service would still have with another effect after the edit.

    :param senders: C(instance.senders) of instance_info.
    :param key: of the digests.
    """
    clashes: dict[tuple[t.Any, ...], _Clash] = {}
    for sender in senders:
        for one in _differing(plan, sender, key):
            if not _changes(plan, one):
                continue
            place = tuple(one.seen[name] for name in ("variable", "layer", "path", "line"))
            known = clashes.get(place)
            clashes[place] = dataclasses.replace(one, services=(*(known.services if known else ()), *one.services))
    return [_finding(one, env_file) for one in clashes.values()]


def _differing(plan: Plan, sender: t.Mapping[str, t.Any], key: str) -> t.Iterator[_Clash]:
    """What the service gets with another text than planned, the winner of each variable first."""
    planned = {**plan.set, **plan.secrets}
    agreed = set()
    for one in sender["elsewhere"]:
        name = one["variable"]
        # Below the file it counts only while the file does not set the variable.
        counts = one["wins"] or name not in planned
        reads = name in VARIABLES and VARIABLES[name].read_by(plan.era)
        # Compose refuses its files for a variable that Mastodon does not read, too.
        if not counts or name in agreed or not (reads or (one["layer"] == _REQUIRED and name in plan.remove)):
            continue
        if one["layer"] == _REQUIRED:
            yield _Clash(one, (sender["service"],), None)
        elif _same(one, planned.get(name), key):
            agreed.add(name)  # and hides what lower layers say
        else:
            yield _Clash(one, (sender["service"],), planned.get(name))


def _same(one: t.Mapping[str, t.Any], planned: str | None, key: str) -> bool:
    if one["digest"]:
        return planned is not None and hmac.compare_digest(one["digest"], digest(planned, key))
    if one["set"] and one["value"] is None:
        return planned is not None  # without a key it cannot be compared; Rails' own check decides
    return bool(one["value"] == planned)


def _changes(plan: Plan, clash: _Clash) -> bool:
    """Whether Rails would do something else with it than with the plan alone."""
    text = clash.seen["value"]
    if clash.seen["layer"] == _REQUIRED:
        return True
    if clash.hidden or (clash.variable in CREDENTIALS and clash.planned is not None):
        return True
    variables: dict[str, str] = {**plan.set, **plan.secrets}
    variables.pop(clash.variable, None)
    if text is not None:
        variables[clash.variable] = text
    seen, wanted = effective(variables, plan.release, plan.local_domain), plan.effective
    return seen.error != wanted.error or bool(differences(wanted.as_dict(), seen.as_dict()))


def _finding(one: _Clash, env_file: str) -> Finding:
    seen = one.seen
    place = f"{seen['path']}, line {seen['line']}" if seen["line"] else seen["path"]
    services = " and ".join(one.services)
    if seen["layer"] == _OF_PROCESS:
        message = f"The service's processes are started with it; no file is seen to set it. It overrides {env_file}"
        fix = (
            f"Remove {one.variable} from what sets it: the command or script that starts {services}, PassEnvironment= "
            "of the unit, or systemctl set-environment. Then restart the service."
        )
        return TABLE.finding("override-contradicts", f"{one.variable} in {place}", f"{message}{_values(one)}.", fix)
    if seen["layer"] == _NOT_PASSED:
        message = f"{services} would not get it from {env_file}: environment: does not pass it on{_values(one)}."
        fix = f"Add {one.variable}: (without a value) to environment: there, or replace these entries by an env_file."
        return TABLE.finding("override-contradicts", f"{one.variable} in {place}", message, fix)
    if seen["layer"] == _REQUIRED:
        message = f"Compose refuses to start {services} without it, and the plan removes it from {env_file}."
        fix = f"Write {one.variable}: (without a value) there; it is then unset where {env_file} does not set it."
        return TABLE.finding("override-contradicts", f"{one.variable} in {place}", message, fix)
    verb = "sets" if seen["set"] else "unsets"
    over = f"which overrides {env_file}" if seen["wins"] else f"and the plan removes it from {env_file} only"
    message = f"{seen['layer']} {verb} it there for {services}, {over}{_values(one)}."
    if seen["layer"] == _DEFAULT:
        fix = f"Write {one.variable}: (without a value) there; it is then unset where {env_file} does not set it."
        return TABLE.finding("override-contradicts", f"{one.variable} in {place}", message, fix)
    fix = f"Remove {one.variable} from {place}.{_AFTERWARDS.get(str(seen['layer']), '')}"
    return TABLE.finding("override-contradicts", f"{one.variable} in {place}", message, fix)


def _values(one: _Clash) -> str:
    """Both values, as far as they may be shown."""
    planned = "nothing" if one.planned is None else f"{one.planned!r}"
    if one.variable in CREDENTIALS:
        return f". The plan sets no {one.variable}" if one.planned is None else " with another value than planned"
    return (
        f". It is {one.seen['value']!r} there; the plan says {planned}"
        if one.seen["set"]
        else f". The plan says {planned}"
    )
