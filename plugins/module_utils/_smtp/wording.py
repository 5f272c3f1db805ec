# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wording of ports, certificates and lists in the probe's findings."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .._mailer.names import TLS_WORDS
from .._text import listed
from .probe import Port, Result


def certificate(result: Result) -> str:
    """The certificate in a sentence or two."""
    tls = result.seen.tls
    if tls is None or tls.subject is None:
        return ""
    names = listed(list(tls.names[:6]) + (["others"] if len(tls.names) > 6 else [])) or "no name at all"
    issuer = "itself" if tls.self_issued else tls.issuer or "nobody named"
    return f"It is for {names}, issued by {issuer}, valid from {tls.not_before} to {tls.not_after}."


def port_words(port: Port) -> str:
    return f"{port.port} ({TLS_WORDS[port.tls]})"
