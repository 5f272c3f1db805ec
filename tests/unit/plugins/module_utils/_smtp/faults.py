# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way of failing that the probe has to tell apart, as rows: what the server does, and what is to be found.

A row's scripts are run by FaultyServer, which checks what it is asked. The rows themselves are in faults_tls.py,
faults_words.py and faults_steps.py.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faulty_server import Peer, Script

EXTENSIONS = ("PIPELINING", "SIZE 10485760", "STARTTLS", "AUTH PLAIN LOGIN CRAM-MD5", "8BITMIME")
UNDER_TLS = tuple(one for one in EXTENSIONS if one != "STARTTLS")
#: "\0mastodon\0correct horse"
PLAIN_LOGIN = "AUTH PLAIN AG1hc3RvZG9uAGNvcnJlY3QgaG9yc2U="


@dataclasses.dataclass(frozen=True)
class Row:
    """One case.

    :ivar settings: what differs from the good ones.
    :ivar codes: all findings that are to come, in order.
    :ivar stage: where the dialogue is to end; None for one that ends well.
    :ivar speaks: what the port is to be recognised as.
    :ivar says: what the findings' texts have to contain.
    :ivar logins: how many AUTH commands the server is to hear.
    """

    scripts: tuple[Script, ...]
    codes: tuple[str, ...] = ()
    stage: str | None = None
    speaks: str | None = None
    settings: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    says: tuple[str, ...] = ()
    logins: int = 0


def plain_smtp(*extensions: str, then: Script | None = None) -> Script:
    """Greeting and EHLO, then a leave-taking or something else."""

    def script(peer: Peer) -> None:
        peer.greet(*extensions)
        (then or Peer.bye)(peer)

    return script


def raw(data: bytes, then: Script = Peer.hang) -> Script:
    """Bytes instead of a greeting."""

    def script(peer: Peer) -> None:
        peer.raw(data)
        then(peer)

    return script


def cut(peer: Peer) -> None:
    """Hang up at once."""


def logged_in(*extensions: str, then: Script = Peer.bye) -> Script:
    """Greeting, EHLO and a login that is accepted."""

    def script(peer: Peer) -> None:
        peer.greet(*extensions)
        peer.hear(PLAIN_LOGIN.replace("+", r"\+"))
        peer.say("235 2.7.0 Authentication successful")
        then(peer)

    return script


def refused_login(*answer: str) -> Row:
    """An answer to AUTH in a dialogue without TLS, and what comes of it."""

    def script(peer: Peer) -> None:
        peer.greet("AUTH PLAIN")
        peer.hear("AUTH PLAIN .*")
        peer.say(*answer)
        peer.hang()

    return Row((script,), stage="auth", speaks="plain", settings={"tls": "none"}, logins=1)


def because(row: Row, *codes: str, says: tuple[str, ...] = ()) -> Row:
    """The row with what is to be found."""
    return dataclasses.replace(row, codes=codes, says=says)
