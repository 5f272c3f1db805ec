# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the settings of the two relays are called: by the role, by Mastodon's variables, and for people."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

#: What the role's variables begin with.
ROLE = "mastodon_smtp_"
#: What Mastodon's variables of the two relays begin with.
MAIN, BULK = "SMTP_", "BULK_SMTP_"
PREFIXES = {"main": MAIN, "bulk": BULK}

#: The settings that are passwords, by the role's names.
PASSWORDS = ("password", "bulk_password")
#: The end of the variable that holds a credential.
CREDENTIAL = {"login": "LOGIN", "password": "PASSWORD"}
#: Which variable holds which credential of which relay.
CREDENTIALS: dict[str, tuple[str, str]] = {
    prefix + suffix: (relay, what) for relay, prefix in PREFIXES.items() for what, suffix in CREDENTIAL.items()
}

TlsMode = t.Literal["starttls", "starttls_optional", "implicit", "none"]
#: The TLS modes for people who do not know ours by name.
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
    """A relay's setting as an option of smtp_settings."""
    if not bulk:
        return name
    return "bulk_password" if name == "password" else f"bulk.{name}"


def variable(name: str, *, bulk: bool) -> str:
    """A relay's setting as a variable of the role."""
    return ROLE + option(name, bulk=bulk)
