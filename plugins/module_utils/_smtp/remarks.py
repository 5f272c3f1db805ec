# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about a relay apart from what failed. Pure functions, like verdict.py."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .._diagnosis.model import Context
from .._findings.model import Finding
from .._findings.relay import TABLE
from .._loopback import is_loopback
from .._text import listed
from .probe import Result
from .settings import Settings
from .wording import certificate

#: Below this a mail of Mastodon with its HTML part and a few long lines may not fit (bytes).
SMALL_MESSAGE = 256 * 1024


def remarks(settings: Settings, result: Result, context: Context, warning_days: int) -> list[Finding]:
    """All findings apart from what failed."""
    found: list[tuple[str, str, str]] = []
    found += _about_addresses(result, context)
    found += _about_encryption(settings, result, context)
    tls, offered = result.seen.tls, result.seen.offered
    if tls and tls.days_left is not None and 0 <= tls.days_left < warning_days and result.trouble_kind != "certificate":
        message = f"The certificate of {context.endpoint} expires in {tls.days_left} days, at {tls.not_after}."
        found.append(("certificate-expires-soon", message, ""))
    if settings.skip_auth and settings.auth != "none" and not result.trouble:
        message = f"The login at {context.endpoint} was not tried from this host (skip_auth)."
        found.append(("login-not-tried", message, ""))
    if offered and offered.size and offered.size < SMALL_MESSAGE:
        message = f"{context.endpoint} accepts messages up to {offered.size} bytes; some of Mastodon's are larger."
        found.append(("relay-size-limit-small", message, ""))
    return [TABLE.finding(code, context.endpoint, message, fix) for code, message, fix in found]


def _about_addresses(result: Result, context: Context) -> t.Iterator[tuple[str, str, str]]:
    dead: list[str] = []
    for one in result.addresses:
        if one.outcome == "timed out":
            dead.append(one.address)
        elif one.outcome not in ("refused", "unreachable", "not tried"):
            if dead:
                message = (
                    f"{listed(dead)} of {context.host} does not answer, {one.address} does. Mastodon tries them in "
                    "this order; before Ruby 3.4 the first one uses up the timeout, and mail fails."
                )
                yield "relay-address-dead", message, ""
            break
    if result.elsewhere:
        used = next((one.address for one in result.addresses if one.outcome in _USED), "the first address")
        message = f"At {result.elsewhere.address} the relay works up to the login, but Mastodon tries {used} first."
        yield "relay-other-address-answers", message, ""


_USED = ("answered", "silent", "closed", "connected")


def _about_encryption(settings: Settings, result: Result, context: Context) -> t.Iterator[tuple[str, str, str]]:
    seen = result.seen
    if seen.greeting is None or _loopback(settings.host, result):
        return
    if seen.tls is None and settings.tls in ("none", "starttls_optional") and result.trouble_kind != "no-encryption":
        offer = "It offers STARTTLS." if seen.starttls else "It does not offer STARTTLS."
        fix = f"Set {context.option('tls')} to starttls." if seen.starttls else ""
        if settings.auth != "none":
            yield "login-in-the-clear", f"Login and password are sent unencrypted to {context.endpoint}. {offer}", fix
        else:
            yield "relay-unencrypted", f"Mail is sent unencrypted to {context.endpoint}. {offer}", fix
    if seen.tls and settings.verify == "none":
        verify, ca_file = context.option("verify"), context.option("ca_file")
        if seen.tls.would_verify:
            message = f"The certificate of {context.endpoint} is valid, but the settings do not verify it."
            yield "verification-off-needlessly", message, f"Set {verify} to peer."
        elif seen.tls.would_verify is False:
            message = f"The settings do not verify the certificate of {context.endpoint}. {certificate(result)}"
            yield "verification-off", message, f"Set {ca_file} to the CA's certificate and {verify} to peer."


def _loopback(host: str, result: Result) -> bool:
    return all(map(is_loopback, [one.address for one in result.addresses] or [host]))
