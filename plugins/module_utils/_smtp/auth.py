# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AUTH exchange, done as Ruby's net-smtp does it for each of Mastodon's mechanisms (RFC 4954)."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import typing as t

from .reply import Reply
from .settings import MECHANISMS
from .trouble import Stopped


class Say(t.Protocol):
    """Sends one line and returns the reply."""

    def __call__(self, line: bytes) -> Reply: ...


def refuse_unspeakable(mode: str, password: str) -> None:
    """Stop before a login that Mastodon could not do, since its success here would prove nothing.

    :raises Stopped: "not-ascii".
    """
    if mode != "cram_md5":
        return
    from .._mailer.session import cram_md5_fails

    if cram_md5_fails(password):
        raise Stopped("not-ascii", "incompatible character encodings")


def authenticate(say: Say, mode: str, login: str, password: str) -> Reply:
    """Log in once. Exactly one AUTH command is sent, whatever the relay answers.

    :param mode: C(plain), C(login) or C(cram_md5).
    :return: the deciding reply: 235 if the login was accepted.
    :raises Stopped: "garbage" for a CRAM-MD5 challenge that is not Base64, and whatever C(say) raises.
    """
    user, secret = login.encode(), password.encode()
    if mode == "plain":
        return say(b"AUTH PLAIN " + base64.b64encode(b"\0" + user + b"\0" + secret))
    reply = say(b"AUTH " + MECHANISMS[mode].encode())
    if reply.code != 334:
        return reply
    if mode == "login":
        reply = say(base64.b64encode(user))
        return say(base64.b64encode(secret)) if reply.code == 334 else reply
    return say(base64.b64encode(user + b" " + cram_md5(_challenge(reply), secret)))


def cram_md5(challenge: bytes, secret: bytes) -> bytes:
    """The response to a CRAM-MD5 challenge (RFC 2195); works on hosts where MD5 is disabled (FIPS)."""
    return hmac.new(secret, challenge, functools.partial(hashlib.md5, usedforsecurity=False)).hexdigest().encode()


def _challenge(reply: Reply) -> bytes:
    text = reply.lines[0] if reply.lines else ""
    try:
        return base64.b64decode(text.encode(), validate=True)
    except binascii.Error:
        raise Stopped("garbage", "the CRAM-MD5 challenge is not Base64") from None


def travelling_forms(login: str, password: str) -> tuple[str, ...]:
    """All forms in which the password may appear if a relay repeats what it was sent.

    These are the password, and its Base64 at each of the three possible offsets in a longer Base64 text.
    """
    if not password:
        return ()
    secret = password.encode()
    forms = {password, base64.b64encode(f"\0{login}\0{password}".encode()).decode()}
    for shift in range(3):
        inner = base64.b64encode(b"\0" * shift + secret).decode().rstrip("=")
        # The outermost characters also encode bits of neighbouring characters, so they vary.
        inner = inner[(0, 2, 3)[shift] : len(inner) - 1]
        if len(inner) >= 6:
            forms.add(inner)
    return tuple(sorted(forms, key=len, reverse=True))
