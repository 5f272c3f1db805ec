# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Can this host reach the relay, verify its certificate, and log in? One call, no Ansible, no message sent.

The probe's observations are in a Result; verdict.py interprets them.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._diagnosis.model import Failure
from .connect import (
    ADDRESSES_PER_FAMILY,
    Attempt,
    Candidate,
    Outcome,
    connect,
    connect_all,
    first_of_each_family,
    resolve,
)
from .deadline import Deadline
from .dialogue import Observation, Step, blind_trust, hold, look_at_certificate
from .listen import Speaks, what_speaks
from .settings import Endpoint, Settings
from .tls import TlsDetails, Trust, trusting
from .trouble import Stopped

#: Port of the control host: the one that no hoster blocks.
CONTROL_PORT = 443
#: Time limit for finding the cause after a failed dialogue, unless the dialogue's timeout is shorter.
AFTERMATH_SECONDS = 15.0


@dataclasses.dataclass(frozen=True)
class Address:
    """The result for one address of the relay.

    :ivar outcome: such as "answered"; "silent" and "closed" accepted the connection but sent nothing.
    :ivar seconds: until the TCP connection was established or failed.
    """

    family: str
    address: str
    outcome: Outcome | t.Literal["answered", "silent", "closed"]
    seconds: float | None


@dataclasses.dataclass(frozen=True)
class Port:
    """Another port of the relay, tried because the configured one cannot be reached."""

    port: int
    tls: str
    open: bool


@dataclasses.dataclass
class Result:
    """Everything that the probe observed, without secrets.

    :ivar unusable: unusable settings, with reasons; if there are any, nothing was tried and the rest is empty.
    :ivar speaks: what the port speaks; None if unknown.
    :ivar words: the port's first line if it was not SMTP, or was a refusal.
    :ivar control: whether the control host could be reached; None if it was not tried.
    :ivar elsewhere: another address of the relay that works up to the login, after the first one failed.
    """

    host: str
    port: int
    tls_mode: str
    unusable: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    addresses: list[Address] = dataclasses.field(default_factory=list)
    seen: Observation = dataclasses.field(default_factory=Observation)
    mechanism: str = "none"
    speaks: Speaks | None = None
    words: str = ""
    ports: list[Port] = dataclasses.field(default_factory=list)
    control: bool | None = None
    elsewhere: Candidate | None = None

    @property
    def trouble(self) -> Failure | None:
        """The failure, if there was one."""
        return self.seen.trouble

    @property
    def trouble_kind(self) -> str | None:
        """The kind of the failure, if there was one."""
        return self.seen.trouble.kind if self.seen.trouble else None

    def as_dict(self) -> dict[str, t.Any]:
        """The result as the module returns it: JSON types only."""
        offered, seen = self.seen.offered, self.seen
        return {
            "host": self.host,
            "port": self.port,
            "tls": self.tls_mode,
            "addresses": [dataclasses.asdict(one) for one in self.addresses],
            "greeting": seen.greeting,
            "ehlo": None
            if offered is None
            else {
                "name": offered.name,
                "size": offered.size,
                "auth": list(offered.auth),
                "starttls": bool(seen.starttls),
                "extensions": list(offered.extensions),
            },
            "tls_details": None
            if seen.tls is None
            else {**dataclasses.asdict(seen.tls), "names": list(seen.tls.names)},
            "auth": {"mechanism": self.mechanism, **dataclasses.asdict(seen.auth)},
            "envelope": {"sender": _step(seen.sender), "recipient": _step(seen.recipient)},
            "open_ports": [dataclasses.asdict(one) for one in self.ports],
            "control_reached": self.control,
            "speaks": self.speaks,
            "stage": seen.trouble.stage if seen.trouble else None,
        }


def _step(step: Step) -> dict[str, t.Any] | None:
    return dataclasses.asdict(step) if step.tried else None


def probe(settings: Settings) -> Result:
    """Try the relay as Mastodon would, from where this runs.

    At most one AUTH command is sent. The probe ends within twice the connect timeout, plus the timeout, plus
    AFTERMATH_SECONDS. Raises nothing: failures are in the result.
    """
    result = Result(settings.host, settings.port, settings.tls, settings.unusable(), mechanism=settings.auth)
    if result.unusable:
        return result
    try:
        trust = None if settings.tls == "none" else trusting(settings.verify, settings.ca_file)
    except Stopped as stopped:
        result.seen.trouble = stopped.at("tls")
        return result
    try:
        candidates = resolve(settings.host, settings.port, Deadline(settings.connect_timeout))
    except Stopped as stopped:
        result.seen.trouble = stopped.at("connect")
        return result
    attempts = connect_all(first_of_each_family(candidates, ADDRESSES_PER_FAMILY), Deadline(settings.connect_timeout))
    _converse(settings, trust, attempts, result)
    untried = [one for one in candidates if one not in [attempt.candidate for attempt in attempts]]
    result.addresses += [Address(one.family, one.address, "not tried", None) for one in untried]
    return result


def _converse(settings: Settings, trust: Trust | None, attempts: list[Attempt], result: Result) -> None:
    """Run the dialogue with the first reachable address, like Ruby, and look for the cause if it fails."""
    reached = [attempt for attempt in attempts if attempt.outcome == "connected"]
    if not reached:
        _unreached(settings, attempts, result)
        return
    chosen, *spare = reached
    for attempt in spare:
        attempt.discard()
    result.seen = hold(settings, trust, chosen.take(), Deadline(settings.timeout))
    result.addresses = [_address(attempt, result.seen if attempt is chosen else None) for attempt in attempts]
    result.speaks = _spoken(settings, result.seen)
    aftermath = Deadline(min(settings.timeout, AFTERMATH_SECONDS))
    trouble = result.trouble
    if trouble is None:
        if trust and settings.verify == "none" and result.seen.tls:
            result.seen.tls.would_verify = _would_verify(settings, chosen.candidate, aftermath)
        return
    if trouble.kind == "certificate" and trust:
        result.seen.tls = _unbelieved(settings, trust, chosen.candidate, aftermath)
    elif _mode_in_doubt(settings, trouble):
        result.speaks, result.words = what_speaks(chosen.candidate, settings.helo_domain, aftermath)
    if trouble.stage in ("banner", "tls"):
        others = [one.candidate for one in spare if one.candidate.family != chosen.candidate.family]
        result.elsewhere = _answering(settings, trust, others[:1], aftermath)


def _unreached(settings: Settings, attempts: list[Attempt], result: Result) -> None:
    """Record that no address can be reached: the most informative failure, and which other ports can be reached."""
    order: list[Outcome] = ["timed out", "refused", "unreachable"]
    attempt = min(attempts, key=lambda one: order.index(one.outcome))
    result.seen.trouble = attempt.stopped().at("connect")
    result.addresses = [_address(one, None) for one in attempts]
    result.speaks = "refused" if attempt.outcome == "refused" else None
    others = [one for one in settings.alternative_ports if one.port != settings.port]
    if others:
        tried = first_of_each_family([one.candidate for one in attempts], 1)
        result.ports = _open_ports(tried, others, settings.connect_timeout)
    if settings.control_host and not any(port.open for port in result.ports):
        result.control = _takes_connections(settings.control_host, CONTROL_PORT, settings.connect_timeout)


def _takes_connections(host: str, port: int, seconds: float) -> bool:
    """Whether a host can be reached within so many seconds, including the name lookup."""
    deadline = Deadline(seconds)
    try:
        candidates = first_of_each_family(resolve(host, port, deadline), ADDRESSES_PER_FAMILY)
    except Stopped:
        return False
    attempts = connect_all(candidates, deadline)
    for attempt in attempts:
        attempt.discard()
    return any(attempt.outcome == "connected" for attempt in attempts)


def _open_ports(candidates: list[Candidate], endpoints: list[Endpoint], seconds: float) -> list[Port]:
    """The ports that accept a TCP connection on any of the addresses; all are tried at once."""
    attempts = connect_all(
        [one.at_port(endpoint.port) for endpoint in endpoints for one in candidates], Deadline(seconds)
    )
    for attempt in attempts:
        attempt.discard()
    answering = {attempt.candidate.sockaddr[1] for attempt in attempts if attempt.outcome == "connected"}
    return [Port(one.port, one.tls, one.port in answering) for one in endpoints]


def _address(attempt: Attempt, seen: Observation | None) -> Address:
    """The result for one address; C(seen) is the dialogue if it was held with this address."""
    outcome: Outcome | t.Literal["answered", "silent", "closed"] = attempt.outcome
    if seen is not None:
        kind = seen.trouble.kind if seen.trouble and seen.greeting is None else None
        outcome = "silent" if kind == "timed-out" else "closed" if kind == "closed" else "answered"
    return Address(attempt.candidate.family, attempt.candidate.address, outcome, attempt.seconds)


def _spoken(settings: Settings, seen: Observation) -> Speaks | None:
    """What the port speaks, as far as the dialogue shows it."""
    trouble = seen.trouble
    if settings.tls == "implicit":
        return "implicit" if seen.tls or (trouble and trouble.kind == "certificate") else None
    if seen.starttls is None:
        if trouble and trouble.stage == "banner" and trouble.code:
            return "rejecting" if trouble.code >= 400 else "other"
        return None
    return "starttls" if seen.starttls else "plain"


def _mode_in_doubt(settings: Settings, trouble: Failure) -> bool:
    """Whether a wrong TLS mode may be the cause of the failure."""
    if trouble.stage == "banner":
        return trouble.kind in ("timed-out", "closed", "garbage", "too-long", "tls")
    return (
        settings.tls == "implicit"
        and trouble.stage == "tls"
        and trouble.kind in ("plaintext", "timed-out", "closed", "tls")
    )


def _unbelieved(settings: Settings, trust: Trust, candidate: Candidate, deadline: Deadline) -> TlsDetails | None:
    """The certificate that failed verification, read over a separate connection."""
    try:
        details = look_at_certificate(settings, blind_trust(), connect(candidate, deadline), deadline)
    except Stopped:
        return None
    details.trust_store = trust.store
    return details


def _would_verify(settings: Settings, candidate: Candidate, deadline: Deadline) -> bool | None:
    """Whether the certificate would pass verification; None if unknown."""
    try:
        strict = trusting("peer", settings.ca_file)
        look_at_certificate(settings, strict, connect(candidate, deadline), deadline)
    except Stopped as stopped:
        return False if stopped.kind == "certificate" else None
    return True


def _answering(
    settings: Settings, trust: Trust | None, candidates: list[Candidate], deadline: Deadline
) -> Candidate | None:
    """An address with which everything up to the login works. No login is tried there."""
    harmless = dataclasses.replace(settings, auth="none", login="", password="", sender="", recipient="")
    for candidate in candidates:
        try:
            sock = connect(candidate, deadline)
        except Stopped:
            continue
        if hold(harmless, trust, sock, deadline).trouble is None:
            return candidate
    return None
