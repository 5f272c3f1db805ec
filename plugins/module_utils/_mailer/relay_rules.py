# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of one relay: the operator's settings against each other. Those against the provider are beside this file."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import difflib
import re
import typing as t

from .._findings.model import Finding
from .._findings.settings import TABLE
from .._masking import SHORT
from . import provider_rules
from .address import host_problem
from .names import TLS_WORDS
from .relay_case import Case, Rule
from .session import cram_md5_fails
from .settings import PORTS

ENCRYPTED = "starttls or implicit (TLS from the first byte)"
#: The ports suggested for an unusual one.
NAMED_PORTS = (25, 465, 587, 2465, 2525, 2587)


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


RULES: tuple[Rule, ...] = (
    _host,
    _port,
    *provider_rules.RULES,
    _encryption,
    _certificate,
    _login,
    _secret,
    _helo,
)
