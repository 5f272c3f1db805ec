# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find out what a port speaks, without assumptions: plain SMTP, SMTP with STARTTLS, or implicit TLS."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .._diagnosis.redact import one_line
from .connect import Candidate, connect
from .deadline import Deadline
from .reply import Ehlo
from .tls import blind, handshake
from .trouble import Stopped
from .wire import Wire

Speaks = t.Literal["implicit", "starttls", "plain", "rejecting", "closed", "other", "silent", "refused", "unreachable"]

#: A server that speaks first usually does so at once; one that waits for TLS never does.
FIRST_WORD_SECONDS = 1.5
#: How long a silent server may take to answer a TLS handshake.
HANDSHAKE_SECONDS = 5.0


class Heard(t.NamedTuple):
    """What a port speaks, and its first line if that is not SMTP."""

    speaks: Speaks
    words: str = ""


def what_speaks(candidate: Candidate, helo_domain: str, deadline: Deadline) -> Heard:
    """Find out what a port speaks. No login is sent, nothing is verified. Raises nothing.

    "rejecting" greets with 4xx or 5xx, "closed" hangs up, "other" speaks but not SMTP, "silent" sends nothing.
    """
    try:
        first = Wire(connect(candidate, deadline), deadline)
    except Stopped as stopped:
        return Heard("refused" if stopped.kind == "refused" else "unreachable")
    try:
        if first.wait_for_bytes(deadline.within(FIRST_WORD_SECONDS)):
            return _spoken(first, helo_domain)
        if _answers_tls(candidate, deadline.within(HANDSHAKE_SECONDS)):
            return Heard("implicit")
        # It may only be slow to greet (a banner delay against spammers); the first connection is still open.
        return _spoken(first, helo_domain)
    finally:
        first.close()


def _answers_tls(candidate: Candidate, deadline: Deadline) -> bool:
    try:
        # No server name is sent: whether there is TLS at all does not depend on it.
        handshake(connect(candidate, deadline), blind(), candidate.address, deadline).close()
    except Stopped as stopped:
        # A TLS alert ("tls") proves TLS as well as a successful handshake.
        return stopped.kind == "tls"
    return True


def _spoken(wire: Wire, helo_domain: str) -> Heard:
    try:
        greeting = wire.reply()
    except Stopped as stopped:
        if stopped.kind in ("timed-out", "closed"):
            return Heard("silent" if stopped.kind == "timed-out" else "closed")
        return Heard("other", one_line(stopped.message))
    if greeting.code != 220:
        return Heard("rejecting" if greeting.code >= 400 else "other", one_line(greeting.text))
    try:
        hello = wire.say(b"EHLO " + helo_domain.encode("ascii"))
    except Stopped:
        return Heard("plain")
    wire.quit()
    return Heard("starttls" if hello.positive and Ehlo.of(hello).starttls else "plain")
