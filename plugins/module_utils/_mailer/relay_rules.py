# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of one relay: the operator's settings against each other and against the provider's preset."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import difflib
import re
import typing as t

from .._findings.model import Finding
from .._findings.settings import TABLE
from .._masking import SHORT
from .address import AddressProblem, host_problem, mailbox
from .names import TLS_WORDS, option, variable
from .nearest import did_you_mean
from .session import cram_md5_fails
from .settings import PORTS, Preset, Relay, Wanted

ENCRYPTED = "starttls or implicit (TLS from the first byte)"
#: The ports suggested for an unusual one.
NAMED_PORTS = (25, 465, 587, 2465, 2525, 2587)


@dataclasses.dataclass(frozen=True)
class Case:
    """The input of a check.

    :ivar bulk: whether this is the bulk relay; decides the names of options.
    :ivar presets: all presets, by name.
    """

    wanted: Wanted
    preset: Preset | None
    relay: Relay
    bulk: bool = False
    presets: t.Mapping[str, Preset] = dataclasses.field(default_factory=dict)

    def option(self, name: str) -> str:
        """The name of the option, as the subject of a finding."""
        return option(name, bulk=self.bulk)

    def variable(self, name: str) -> str:
        """The role variable of an option, for the fix."""
        return variable(name, bulk=self.bulk)


Rule = t.Callable[[Case], t.Iterator[Finding]]


def check(case: Case) -> list[Finding]:
    """All findings about one relay."""
    return [finding for rule in RULES for finding in rule(case)]


def _host(case: Case) -> t.Iterator[Finding]:
    if not case.relay.host:
        # Otherwise the provider's name is wrong or the region is missing, which is reported elsewhere.
        if not case.wanted.provider or (case.preset and not case.preset.hosts):
            fix = ""
            if case.bulk:
                fix = "Set mastodon_smtp_bulk.host, or mastodon_smtp_bulk.provider for a known provider."
            yield TABLE.finding("host-missing", case.option("host"), "No relay is set.", fix)
        return
    problem = host_problem(case.relay.host)
    if problem:
        yield TABLE.finding("host-invalid", case.option("host"), problem)


def _port(case: Case) -> t.Iterator[Finding]:
    port, tls = case.relay.port, case.relay.tls
    if not 1 <= port <= 65535:
        yield TABLE.finding("port-invalid", case.option("port"), f"{port} is not between 1 and 65535.")
        return
    if case.preset and case.preset.tls_on(port) is not None:
        return  # the provider's documentation decides, see _provider_endpoint
    yield from _unusual_port(case)
    fitting = PORTS.get(port)
    if fitting and tls not in fitting:
        speaks = TLS_WORDS["implicit"] if fitting == ("implicit",) else "plain text first, then STARTTLS"
        other = next((str(one) for one in ((465, 2465) if tls == "implicit" else (587, 2587)) if tls in PORTS[one]), "")
        yield TABLE.finding(
            "port-contradicts-tls",
            f"{case.option('port')} {port}, {case.option('tls')} {tls}",
            f"Port {port} uses {speaks}, but {case.variable('tls')} is {tls} ({TLS_WORDS[tls]}): the connection "
            "would hang or fail.",
            f"Set {case.variable('tls')}: {fitting[0]}, or {case.variable('port')}: {other}.",
        )


def _unusual_port(case: Case) -> t.Iterator[Finding]:
    """A port that no known relay uses. Ports from 1024 on are accepted if the TLS mode is given as well."""
    port = case.relay.port
    usual = {*PORTS, *(one.port for preset in case.presets.values() for one in preset.endpoints)}
    if port in usual or case.relay.loopback or (port >= 1024 and case.wanted.tls):
        return
    named = ", ".join(map(str, NAMED_PORTS))
    message = f"{port} is not a usual relay port ({named})."
    meant = f"Set {case.variable('port')} to {nearest_port(port)} if that is what you meant."
    own = f"If the relay does listen on {port}, leave it"
    own += f", and set {case.variable('tls')}, too." if port >= 1024 else "."
    yield TABLE.finding("port-unusual", case.option("port"), message, f"{meant} {own}")


def nearest_port(port: int) -> int:
    """The usual port most similar to another: with the same digits, else similarly written, else closest in value."""
    same = [one for one in NAMED_PORTS if sorted(str(one)) == sorted(str(port))]
    alike = difflib.get_close_matches(str(port), list(map(str, NAMED_PORTS)), 1, 0.6)
    return (same or list(map(int, alike)) or sorted(NAMED_PORTS, key=lambda one: abs(one - port)))[0]


def _encryption(case: Case) -> t.Iterator[Finding]:
    relay = case.relay
    if relay.loopback or not relay.host:
        return
    sends_login = relay.auth != "none"
    if relay.tls == "none":
        code = "credentials-unencrypted" if sends_login else "mail-unencrypted"
        message = TABLE.rows[code].meaning
        yield TABLE.finding(code, case.option("tls"), message, f"Set {case.variable('tls')} to {ENCRYPTED}.")
    if relay.tls == "starttls_optional":
        fix = f"Set {case.variable('tls')}: starttls, which refuses to send unencrypted."
        yield TABLE.finding("starttls-optional", case.option("tls"), TABLE.rows["starttls-optional"].meaning, fix)
    if relay.encrypted and relay.verify == "none":
        yield TABLE.finding(
            "verify-off",
            case.option("verify"),
            TABLE.rows["verify-off"].meaning if sends_login else "The relay's certificate is not verified.",
            f"Set {case.variable('verify')}: peer. For a private CA, put its certificate into "
            f"{case.variable('ca_file')}.",
            severity="error" if sends_login else "warning",
        )


def _certificate(case: Case) -> t.Iterator[Finding]:
    relay = case.relay
    if relay.loopback and relay.encrypted and relay.verify == "peer" and not relay.ca_file:
        message = f"{relay.host} seldom has a certificate for that name, but verify is peer."
        fix = f"Set {case.variable('tls')}: none for a relay on the same machine; nothing leaves it."
        yield TABLE.finding("loopback-certificate", case.option("tls"), message, fix)
    if not relay.ca_file:
        return
    if not relay.ca_file.startswith("/"):
        message = f"{relay.ca_file} is not an absolute path."
        yield TABLE.finding("ca-file-relative", case.option("ca_file"), message)
    if not relay.encrypted or relay.verify == "none":
        yield TABLE.finding("ca-file-unused", case.option("ca_file"), TABLE.rows["ca-file-unused"].meaning)


def _login(case: Case) -> t.Iterator[Finding]:
    relay, preset = case.relay, case.preset
    if relay.auth == "none":
        if relay.login or relay.password:
            given = "login" if relay.login else "password"
            remove = f"{case.variable('login')} and {case.variable('password')}"
            fix = f"Remove {remove}, or set {case.variable('auth')}: plain."
            message = "auth is none, but a login or password is set; Mastodon would log in with it."
            yield TABLE.finding("login-without-auth", case.option(given), message, fix)
        return
    if not relay.login:
        hint = preset.login_hint if preset else ""
        needs = (
            f"{preset.title} accepts no mail without a login." if preset else "A login is required, but none is set."
        )
        fix = f"Set {case.variable('login')}{f': {hint}' if hint else ''}, or {case.variable('auth')}: none."
        yield TABLE.finding("login-not-given", case.option("login"), needs, fix)
    if not relay.password:
        hint = preset.password_hint if preset else ""
        fix = f"Set {case.variable('password')} (keep it in Ansible Vault){f': {hint}' if hint else ''}."
        yield TABLE.finding(
            "password-not-given", case.option("password"), "A password is required, but none is set.", fix
        )


def _secret(case: Case) -> t.Iterator[Finding]:
    secret, subject = case.relay.password, case.option("password")
    if not secret:
        return
    if len(secret) < SHORT:
        yield TABLE.finding("secret-short", subject, TABLE.rows["secret-short"].meaning)
    if case.relay.auth == "cram_md5" and cram_md5_fails(secret):
        fix = f"Set {case.variable('auth')} to plain or login, or use an ASCII password."
        yield TABLE.finding("cram-md5-not-ascii", subject, TABLE.rows["cram-md5-not-ascii"].meaning, fix)
    if re.search(r"[\x00-\x1f\x7f]", secret):
        fix = f'Remove it, for instance with {case.variable("password")}: "{{{{ ... | trim }}}}".'
        yield TABLE.finding("secret-has-line-break", subject, TABLE.rows["secret-has-line-break"].meaning, fix)
    elif secret != secret.strip():
        yield TABLE.finding("secret-has-outer-blanks", subject, TABLE.rows["secret-has-outer-blanks"].meaning)


def _helo(case: Case) -> t.Iterator[Finding]:
    name = case.relay.helo_domain
    if not name:
        return
    problem = host_problem(name)
    if problem or "." not in name.strip(".") or ":" in name:
        fix = (
            f"Leave {case.variable('helo_domain')} unset (Mastodon then uses LOCAL_DOMAIN), or set a full domain name."
        )
        yield TABLE.finding(
            "helo-invalid", case.option("helo_domain"), problem or f"{name} is not a full domain name.", fix
        )


def _provider(case: Case) -> t.Iterator[Finding]:
    preset, wanted = case.preset, case.wanted
    if preset is None:
        if wanted.provider:
            message = f"No preset is named {wanted.provider}{did_you_mean(wanted.provider, case.presets)}"
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
    for advice in preset.advice:
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
    if preset is None or not preset.hosts or not wanted.host:
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
    if preset.login and relay.login != preset.login:
        message = f"The login of {preset.title} is always the word {preset.login}."
        fix = f"Drop {case.variable('login')}; it is filled in. The password is {preset.password_hint or 'the key'}."
        yield TABLE.finding("provider-login-differs", case.option("login"), message, fix)
    if preset.login_form == "address" and relay.login:
        try:
            mailbox(relay.login)
        except AddressProblem:
            message = f"The login of {preset.title} is a full mail address, and this is not one."
            fix = f"Set {case.variable('login')}: {preset.login_hint or 'the full address'}."
            yield TABLE.finding("provider-login-form", case.option("login"), message, fix)
    if preset.auth and relay.auth not in preset.auth:
        message = f"{preset.title} documents {', '.join(preset.auth)}, not {relay.auth}."
        fix = f"Drop {case.variable('auth')} to use {preset.auth[0]}."
        yield TABLE.finding("provider-auth-undocumented", case.option("auth"), message, fix)


RULES: tuple[Rule, ...] = (
    _host,
    _port,
    _provider,
    _provider_host,
    _provider_endpoint,
    _encryption,
    _certificate,
    _login,
    _provider_login,
    _secret,
    _helo,
)
