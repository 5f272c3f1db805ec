# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of one relay against what is known about its provider."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .._findings.model import Finding, Severity
from .._findings.provider import TABLE
from .address import AddressProblem, mailbox
from .names import TLS_WORDS
from .nearest import did_you_mean, provider_meant
from .relay_case import Case, Rule
from .settings import Preset


def _provider(case: Case) -> t.Iterator[Finding]:
    preset, wanted = case.preset, case.wanted
    if preset is None:
        if wanted.provider:
            others = {name: known.aliases for name, known in case.presets.items()}
            message = f"No preset is named {wanted.provider}{provider_meant(wanted.provider, others)}"
            fix = (
                f"Known providers: {', '.join(sorted(case.presets))}. For another provider, set "
                f"{case.variable('host')}, port and tls."
            )
            yield TABLE.finding("provider-unknown", case.option("provider"), message, fix)
        elif case.relay.host and not case.relay.loopback:
            yield from _provider_not_named(case)
        return
    if preset.hosts and not wanted.host and not preset.host(wanted.region):
        named = sorted(region for region in preset.hosts if region not in ("", "*"))
        known = f"{preset.title} has {', '.join(named)}." if named else f"{preset.title} has one host per region."
        if wanted.region:
            asked = did_you_mean(wanted.region, named)
            message = f"{wanted.region} is not a region of {preset.title}{asked}"
            regions = f"to one of {', '.join(named)}" if named else f"to a region as {preset.title} writes it"
            fix = f"Correct {case.variable('region')} {regions}."
            yield TABLE.finding("provider-region-unknown", case.option("region"), message, fix)
        else:
            fix = f"Set {case.variable('region')} as {preset.title} writes it."
            yield TABLE.finding("provider-region-missing", case.option("region"), known, fix)
    listed = f"This server's address must be listed under {preset.allow_list}."
    for advice in (*preset.advice, *((listed,) if preset.allow_list else ())):
        severity: t.Literal["warning", "info"] = "warning" if preset.warn else "info"
        subject = f"{case.option('provider')} {preset.name}"
        yield TABLE.finding("provider-advice", subject, advice, severity=severity)


def _provider_not_named(case: Case) -> t.Iterator[Finding]:
    found = {name: preset.regions_of(case.relay.host) for name, preset in case.presets.items()}
    for name, regions in found.items():
        if regions:
            region = f" and {case.variable('region')} to {regions[0]}" if regions[0] else ""
            message = f"{case.relay.host} is a host of {case.presets[name].title}, but no provider is set."
            fix = (
                f"Set {case.variable('provider')} to {name}{region}, to have port, login and the sender's DNS checked "
                "against its documentation."
            )
            yield TABLE.finding("provider-not-named", case.option("host"), message, fix)


def _provider_host(case: Case) -> t.Iterator[Finding]:
    """Compare the given host with the provider's hosts, and with the given region."""
    preset, wanted = case.preset, case.wanted
    if preset is None or not preset.hosts or not wanted.host or wanted.host.lower() == preset.regionless:
        return
    regions = preset.regions_of(wanted.host)
    host, region = case.variable("host"), case.variable("region")
    if not regions:
        message = f"{wanted.host} is not a host of {preset.title}."
        fix = f"Drop {host} to use the provider's, or {case.variable('provider')} for another relay."
        yield TABLE.finding("provider-host-differs", case.option("host"), message, fix)
    elif wanted.region and wanted.region not in regions and any(regions):
        named = [one for one in regions if one]
        of = " and ".join(named)
        message = f"{wanted.host} is the host of {preset.title} for {of}, but the region is {wanted.region}."
        fix = f"Set {region} to {named[0]}"
        if preset.host(wanted.region):
            fix += f", or drop {host} to use {preset.host(wanted.region)}"
        yield TABLE.finding("provider-region-differs", case.option("region"), message, f"{fix}.")


def about_host(
    host: str, presets: t.Mapping[str, Preset], subject: str, prefix: str, severity: Severity | None = None
) -> t.Iterator[Finding]:
    """A host that does not exist, because the provider's hosts have a region in their names.

    :param subject: the option or variable that names the host.
    :param prefix: of the role's variables for this relay.
    """
    for name, preset in presets.items():
        if preset.regionless and host.lower().rstrip(".") == preset.regionless:
            message = f"{host} does not exist: {preset.title} has one host per region."
            fix = (
                "Write the host with its region, as the provider's console shows it, or set "
                f"{prefix}provider to {name} and {prefix}region."
            )
            yield TABLE.finding("host-unknown", subject, message, fix, severity=severity)


def _host_without_region(case: Case) -> t.Iterator[Finding]:
    yield from about_host(case.relay.host, case.presets, case.option("host"), case.variable(""))


def _provider_endpoint(case: Case) -> t.Iterator[Finding]:
    preset, relay = case.preset, case.relay
    if preset is None or not preset.endpoints:
        return
    ports = ", ".join(f"{one.port} ({TLS_WORDS[one.tls]})" for one in preset.endpoints)
    spoken = preset.tls_on(relay.port)
    asked = "starttls" if relay.tls == "starttls_optional" else relay.tls
    if spoken is None and 1 <= relay.port <= 65535:
        message = f"{preset.title} does not document port {relay.port}; it documents {ports}."
        fix = f"Drop {case.variable('port')} to use the provider's preferred port."
        yield TABLE.finding("provider-port-unknown", case.option("port"), message, fix)
    elif spoken is not None and asked != spoken:
        subject = f"{case.option('port')} {relay.port}, {case.option('tls')} {relay.tls}"
        message = (
            f"{preset.title} uses {TLS_WORDS[spoken]} on port {relay.port}, but {case.variable('tls')} is "
            f"{relay.tls} ({TLS_WORDS[relay.tls]}). It documents {ports}."
        )
        fix = f"Set {case.variable('tls')} to {spoken} or drop it, or choose a port that uses {TLS_WORDS[asked]}."
        yield TABLE.finding("provider-tls-differs", subject, message, fix)
    elif asked != "none" and not any(one.tls == asked for one in preset.endpoints):
        message = f"{preset.title} has no port for {TLS_WORDS[relay.tls]}; it documents {ports}."
        yield TABLE.finding("provider-tls-differs", case.option("tls"), message, f"Drop {case.variable('tls')}.")


def _provider_login(case: Case) -> t.Iterator[Finding]:
    preset, relay = case.preset, case.relay
    if preset is None or relay.auth == "none":
        return
    address = _is_address(relay.login)
    if preset.login:
        if relay.login != preset.login and not (preset.login_form == "address" and address):
            also = ", or a sender's address" if preset.login_form == "address" else ""
            message = f"The login of {preset.title} is always the word {preset.login}{also}."
            fix = (
                f"Drop {case.variable('login')}; it is filled in. The password is {preset.password_hint or 'the key'}."
            )
            yield TABLE.finding("provider-login-differs", case.option("login"), message, fix)
    elif preset.login_form and relay.login and address is not (preset.login_form == "address"):
        form = "a full mail address, and this is not one" if not address else "no mail address, and this is one"
        message = f"The login of {preset.title} is {form}."
        fix = f"Set {case.variable('login')}: {preset.login_hint or 'the full address'}."
        yield TABLE.finding("provider-login-form", case.option("login"), message, fix)
    if relay.auth in preset.refused_auth:
        message = f"{preset.title} refuses {relay.auth}: it answers {preset.refused_auth[relay.auth]}."
        fix = f"Drop {case.variable('auth')} to use {preset.auth[0]}."
        yield TABLE.finding("provider-auth-refused", case.option("auth"), message, fix)
    elif preset.auth and relay.auth not in preset.auth:
        message = f"{preset.title} documents {', '.join(preset.auth)}, not {relay.auth}."
        fix = f"Drop {case.variable('auth')} to use {preset.auth[0]}."
        yield TABLE.finding("provider-auth-undocumented", case.option("auth"), message, fix)


def _is_address(login: str) -> bool:
    try:
        mailbox(login)
    except AddressProblem:
        return False
    return True


def _provider_sender(case: Case) -> t.Iterator[Finding]:
    """A sender that the provider accepts only for another login."""
    preset, relay = case.preset, case.relay
    if preset is None or not preset.sender_is or relay.auth == "none" or not _is_address(relay.login):
        return
    for option_name, address in case.senders.items():
        if address.lower() == mailbox(relay.login).address.lower():
            continue
        if preset.sender_is == "login":
            message = f"{preset.title} accepts only the login as the sender, and {address} is another address."
            fix = f"Set it to the login, or {case.variable('login')} to this address."
            yield TABLE.finding("provider-sender-differs", option_name, message, fix)
        else:
            message = f"{preset.title} accepts only the login or an address that belongs to it as the sender."
            fix = f"Check in the provider's console that {address} is an alias of the login or may be sent from."
            yield TABLE.finding("provider-sender-differs", option_name, message, fix, severity="warning")


def _provider_helo(case: Case) -> t.Iterator[Finding]:
    """A customer without a login whom the provider would not know by the EHLO name."""
    preset, relay = case.preset, case.relay
    name = relay.helo_domain or case.local_domain
    sender = case.senders.get("from_address", "").rpartition("@")[2]
    if preset is None or not preset.named_by_helo or relay.auth != "none" or not name or not sender:
        return
    if not f".{name}".lower().endswith(f".{sender}".lower()) and not f".{sender}".lower().endswith(f".{name}".lower()):
        message = f"Without a login, {preset.title} knows you by the EHLO name, and {name} is not in {sender}."
        fix = f"Set {case.variable('helo_domain')} to a name in a domain of your account."
        yield TABLE.finding("provider-helo-differs", case.option("helo_domain"), message, fix)


RULES: tuple[Rule, ...] = (
    _provider,
    _host_without_region,
    _provider_host,
    _provider_endpoint,
    _provider_login,
    _provider_sender,
    _provider_helo,
)
