# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interprets a probe's result as findings. Pure functions of the settings and the result.

A failure that the mailer can have as well keeps its code from the diagnosis; only the wording is more certain here,
because the probe has looked for the cause.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._diagnosis.diagnose import diagnose, hints
from .._diagnosis.model import Context, Failure
from .._findings.delivery import TABLE as DELIVERY
from .._findings.model import Finding
from .._findings.refusals import TABLE as REFUSALS
from .._findings.relay import TABLE
from .._mailer.names import TLS_WORDS
from .._text import listed
from .auth import travelling_forms
from .probe import CONTROL_PORT, Result
from .remarks import remarks
from .settings import MECHANISMS, Settings
from .wording import certificate, port_words

#: Days. Automatic renewal replaces a certificate some weeks before it expires; one that expires sooner is suspicious.
WARNING_DAYS = 14


def context_of(settings: Settings, relay: t.Literal["main", "bulk"] = "main", hint: str = "") -> Context:
    """The context for the diagnosis.

    :param relay: which of Mastodon's two relays it is; decides which options the fixes name.
    :param hint: the provider preset's hint about logins, shown when a login is refused.
    """
    return Context(
        host=settings.host,
        port=settings.port,
        tls=settings.tls,
        auth=settings.auth,
        relay=relay,
        sender=settings.sender,
        recipient=settings.recipient,
        hint=hint,
        secrets=travelling_forms(settings.login, settings.password),
    )


def verdict(settings: Settings, result: Result, context: Context, warning_days: int = WARNING_DAYS) -> list[Finding]:
    """All findings of a probe: one error for what ended it, and other findings about the relay."""
    if result.unusable:
        return [
            TABLE.finding("relay-setting-unusable", _option(setting, context), reason)
            for setting, reason in result.unusable
        ]
    findings = [_failure(result.trouble, settings, result, context)] if result.trouble else []
    if settings.refused_on:
        findings.append(_refused_elsewhere(settings, context))
    return findings + remarks(settings, result, context, warning_days)


#: Settings of the probe that have another name in the role.
_OPTIONS = {"sender": "from_address", "recipient": "test_recipient"}


def _option(setting: str, context: Context) -> str:
    """The role variable for a setting; the module's own name if the role has none."""
    if setting in ("timeout", "connect_timeout", "control_host"):
        return setting
    return context.option(_OPTIONS.get(setting, setting))


def _failure(trouble: Failure, settings: Settings, result: Result, context: Context) -> Finding:
    """The one error for what ended the dialogue."""
    by_kind = _BY_KIND.get(trouble.kind)
    if by_kind:
        return by_kind(trouble, settings, result, context)
    if trouble.stage == "auth" and trouble.code == 334:
        return _asks_on(settings, context)
    if trouble.code is not None and trouble.code < 400:
        return _not_smtp(trouble, settings, result, context)
    if trouble.stage == "connect" and (result.ports or result.control is not None):
        return _unreachable(trouble, settings, result, context)
    if trouble.stage in ("banner", "tls") and trouble.kind != "reply":
        doubted = _by_what_it_speaks(trouble, settings, result, context)
        if doubted:
            return doubted
    finding = diagnose(trouble, context)
    if trouble.kind == "certificate":
        return dataclasses.replace(finding, message=f"{finding.message} {certificate(result)}".strip())
    return finding


def _refused_elsewhere(settings: Settings, context: Context) -> Finding:
    return TABLE.finding(
        "login-refused-elsewhere",
        context.endpoint,
        f"{settings.refused_on} was rejected with this login and password, so they were not tried from here: relays "
        "lock accounts.",
        f"Fix the login problem reported for {settings.refused_on} ({context.option('login')}, "
        f"{context.option('password')}), then run again.",
    )


def _login(code: str, context: Context, message: str, fix: str) -> Finding:
    """What stands in the way of the login, with what is known about the provider, as after a refusal."""
    return REFUSALS.finding(code, context.endpoint, message, " ".join([fix, *hints(code, context)]))


def _asks_on(settings: Settings, context: Context) -> Finding:
    """One challenge more than the mechanism has (PLAIN sends its answer at once: RFC 4954, 4); Mastodon gives up."""
    return _login(
        "login-mechanism-not-offered",
        context,
        f"{context.endpoint} offers {MECHANISMS[settings.auth]}, but does not accept the form that Mastodon sends: "
        "it asks for more (334).",
        f"Set {context.option('auth')} to {'plain' if settings.auth == 'login' else 'login'}.",
    )


def _unreachable(trouble: Failure, settings: Settings, result: Result, context: Context) -> Finding:
    """The error for an unreachable port, with the results for the provider's other ports and the control host."""
    finding = diagnose(trouble, context)
    best = next((port for port in result.ports if port.open), None)
    if best is None:
        also = ""
        if result.ports:
            tried = listed([str(port.port) for port in result.ports])
            also = f" Other ports tried, unreachable too: {tried}."
        if result.control is not None:
            also += f" {settings.control_host}:{CONTROL_PORT} {_CONTROL[result.control]}"
        return dataclasses.replace(finding, message=finding.message + also)
    answering = [port_words(port) for port in result.ports if port.open]
    others = f"{listed(answering)} {'is' if len(answering) == 1 else 'are'} reachable"
    how = {"timed-out": "does not answer", "refused": "is refused"}.get(trouble.kind, "cannot be reached")
    return TABLE.finding(
        "relay-port-blocked",
        context.endpoint,
        f"Port {context.port} of {context.host} {how} from this host, but {others}.",
        f"Set {context.option('port')} to {best.port} and {context.option('tls')} to {best.tls}, or have port "
        f"{context.port} opened for this host by its hosting provider.",
    )


_CONTROL = {
    True: "is reachable, so this host has internet access: the relay is down, or SMTP is blocked on the way.",
    False: "is unreachable too: this host has no internet access, or only through a proxy, which SMTP cannot use.",
}


def _by_what_it_speaks(trouble: Failure, settings: Settings, result: Result, context: Context) -> Finding | None:
    """The error if the port speaks something else than the settings say; None otherwise."""
    wanted, port, tls = TLS_WORDS[settings.tls], context.port, context.option("tls")
    speaks = result.speaks
    if settings.tls == "implicit" and speaks == "starttls":
        message = f"Port {port} uses STARTTLS, but the settings say implicit TLS (from the first byte)."
        return DELIVERY.finding("tls-on-plaintext-port", context.endpoint, message, f"Set {tls} to starttls.")
    if settings.tls == "implicit" and speaks == "plain":
        return DELIVERY.finding(
            "tls-on-plaintext-port",
            context.endpoint,
            f"Port {port} speaks SMTP without encryption and offers no STARTTLS, but the settings say implicit TLS "
            "(from the first byte).",
            f"Set {context.option('port')} to the relay's TLS port (usually 465). Only for a relay on the host itself: "
            f"set {tls} to none.",
        )
    if settings.tls != "implicit" and speaks == "implicit":
        message = f"Port {port} uses implicit TLS (from the first byte), but the settings say {wanted}."
        return DELIVERY.finding("plaintext-on-tls-port", context.endpoint, message, f"Set {tls} to implicit.")
    if speaks == "silent":
        return DELIVERY.finding(
            "relay-silent",
            context.endpoint,
            f"Port {port} accepts the connection but sends nothing, neither in plain text nor in TLS.",
            "Something on the way or the relay itself stalls the connection: try from another network, use another "
            "port of the relay, or ask its operator.",
        )
    if speaks == "closed":
        return DELIVERY.finding(
            "relay-hung-up",
            context.endpoint,
            f"Port {port} accepts the connection and closes it before sending anything.",
            "Have this host's addresses (IPv4 and IPv6) allow-listed at the relay; check for a proxy on the SMTP port.",
        )
    if speaks == "rejecting" and settings.tls == "implicit":
        message = f"Port {port} greets in plain text, with a rejection, but the settings say implicit TLS."
        return DELIVERY.finding("tls-on-plaintext-port", context.endpoint, message, f"Set {tls} to starttls.")
    if speaks == "other" or trouble.kind == "plaintext":
        return _not_smtp(trouble, settings, result, context)
    return None


def _not_smtp(trouble: Failure, _settings: Settings, result: Result, context: Context) -> Finding:
    if trouble.code is not None:
        what = "an unexpected answer"
    else:
        what = "an endless answer" if trouble.kind == "too-long" else "something other than SMTP"
    words = result.words or trouble.message
    said = f': "{words}"' if words else ""
    message = f"{context.endpoint} gives {what} ({_STAGES.get(trouble.stage, trouble.stage)}){said}."
    return TABLE.finding("not-smtp", context.endpoint, message)


_STAGES = {
    "banner": "instead of a greeting",
    "ehlo": "in reply to EHLO",
    "starttls": "in reply to STARTTLS",
    "tls": "instead of TLS",
    "auth": "during the login",
    "mail": "in reply to MAIL FROM",
    "rcpt": "in reply to RCPT TO",
}


def _garbage(trouble: Failure, settings: Settings, result: Result, context: Context) -> Finding:
    doubted = _by_what_it_speaks(trouble, settings, result, context) if trouble.stage == "banner" else None
    return doubted or _not_smtp(trouble, settings, result, context)


def _injected(trouble: Failure, _settings: Settings, _result: Result, context: Context) -> Finding:
    return TABLE.finding(
        "starttls-answer-injected",
        context.endpoint,
        f"After the answer to STARTTLS and before encryption began, {trouble.message or 'more bytes'} arrived. They "
        "were discarded, and no login was sent.",
    )


def _plaintext(trouble: Failure, settings: Settings, result: Result, context: Context) -> Finding:
    if settings.tls == "implicit":
        return _by_what_it_speaks(trouble, settings, result, context) or _not_smtp(trouble, settings, result, context)
    return _injected(dataclasses.replace(trouble, message="readable text"), settings, result, context)


def _ca_file(trouble: Failure, settings: Settings, _result: Result, context: Context) -> Finding:
    return DELIVERY.finding(
        "ca-file-missing",
        context.option("ca_file"),
        f"The CA file {settings.ca_file} cannot be used on this host: {trouble.message}. Mastodon fails on it too, "
        "even with verification off.",
        f"Set {context.option('ca_file')} to a file that exists: /etc/ssl/certs/ca-certificates.crt on Debian "
        "(package ca-certificates), /etc/pki/tls/certs/ca-bundle.crt on Red Hat, /etc/ssl/cert.pem on Alpine.",
    )


def _no_starttls(_trouble: Failure, settings: Settings, result: Result, context: Context) -> Finding:
    others = [one for one in settings.alternative_ports if one.tls == "implicit"]
    elsewhere = (
        f"Set {context.option('port')} to {others[0].port} and {context.option('tls')} to implicit"
        if others
        else f"Use the relay's port for implicit TLS ({context.option('port')} 465, {context.option('tls')} implicit)"
    )
    return DELIVERY.finding(
        "starttls-not-offered",
        context.endpoint,
        f"STARTTLS is required, but {context.endpoint} does not offer it{_only_helo(result)}: the relay has no TLS "
        "there, or something on the way (a mail filter) strips it.",
        f"{elsewhere}. Only for a relay on the host itself: set {context.option('tls')} to none.",
    )


def _no_encryption(_trouble: Failure, _settings: Settings, _result: Result, context: Context) -> Finding:
    return TABLE.finding(
        "login-withheld",
        context.endpoint,
        f"{context.endpoint} offers no STARTTLS, so Mastodon would send login and password unencrypted. The probe "
        "did not send them.",
        f"Set {context.option('tls')} to starttls (or implicit on a port for it). If the login may be sent "
        f"unencrypted, set {context.option('tls')} to none.",
    )


def _no_auth(_trouble: Failure, settings: Settings, result: Result, context: Context) -> Finding:
    if settings.tls in ("none", "starttls_optional") and result.seen.starttls and not result.seen.tls:
        return _login(
            "login-not-offered",
            context,
            f"{context.endpoint} offers no login without encryption, but offers STARTTLS.",
            f"Set {context.option('tls')} to starttls.",
        )
    return _login(
        "login-not-offered",
        context,
        f"{context.endpoint} does not offer logins{_only_helo(result)}, but a login is configured.",
        "Use the relay's submission port (587 or 465). For a relay without login, remove "
        f"{context.option('login')} and {context.option('password')} (blank is not enough) and set "
        f"{context.option('auth')} to none.",
    )


def _no_mechanism(trouble: Failure, settings: Settings, _result: Result, context: Context) -> Finding:
    usable = [mode for mode, name in MECHANISMS.items() if name in trouble.message.split(", ")]
    fix = (
        f"Set {context.option('auth')} to {' or '.join(usable)}."
        if usable
        else "Mastodon supports only plain, login and cram_md5: use another credential or relay."
    )
    return _login(
        "login-mechanism-not-offered",
        context,
        f"{context.endpoint} offers the login methods {trouble.message}, but the settings say "
        f"{MECHANISMS[settings.auth]}. No login was sent.",
        fix,
    )


_BY_KIND: dict[str, t.Callable[[Failure, Settings, Result, Context], Finding]] = {
    "garbage": _garbage,
    "too-long": _garbage,
    "plaintext": _plaintext,
    "injected": _injected,
    "ca-file": _ca_file,
    "no-starttls": _no_starttls,
    "no-encryption": _no_encryption,
    "no-auth": _no_auth,
    "no-mechanism": _no_mechanism,
}


def _only_helo(result: Result) -> str:
    return " (it rejects EHLO)" if result.seen.offered and not result.seen.offered.esmtp else ""
