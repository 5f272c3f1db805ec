# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of the two relays' settings: in the role, in Mastodon's variables, and for people."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

#: Prefix of the role's variables.
ROLE = "mastodon_smtp_"
#: Prefixes of Mastodon's variables for the two relays.
MAIN, BULK = "SMTP_", "BULK_SMTP_"
PREFIXES = {"main": MAIN, "bulk": BULK}

#: The password settings, by the role's names.
PASSWORDS = ("password", "bulk_password")
#: Credential -> suffix of its variable.
CREDENTIAL = {"login": "LOGIN", "password": "PASSWORD"}
#: Variable -> (relay, credential).
CREDENTIALS: dict[str, tuple[str, str]] = {
    prefix + suffix: (relay, what) for relay, prefix in PREFIXES.items() for what, suffix in CREDENTIAL.items()
}

TlsMode = t.Literal["starttls", "starttls_optional", "implicit", "none"]
#: TLS mode -> its description for people.
TLS_WORDS = {
    "starttls": "STARTTLS",
    "starttls_optional": "STARTTLS if the relay offers it",
    "implicit": "TLS from the first byte",
    "none": "no encryption",
}
TLS_MODES = tuple(TLS_WORDS)
AUTH_METHODS = ("plain", "login", "cram_md5", "none")
VERIFY_MODES = ("peer", "none")


def option(name: str, *, bulk: bool) -> str:
    """The option of smtp_settings for a relay's setting."""
    if not bulk:
        return name
    return "bulk_password" if name == "password" else f"bulk.{name}"


def variable(name: str, *, bulk: bool) -> str:
    """The role variable for a relay's setting."""
    return ROLE + option(name, bulk=bulk)
