# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""Take out of other programs' words what nobody should read: passwords, tokens, addresses of people."""

from __future__ import annotations

import base64
import re
import typing as t

SECRET = "[secret]"
ADDRESS = "[address]"

#: Names of settings whose value is a secret, in any notation (KEY=value, "key": "value", key => value).
_NAMED = re.compile(
    r"""\b( [\w-]* (?: passw(?:or)?d | passphrase | secret | token | private_?key | api_?key | credential ) [\w-]* )
        (["']? \s* (?: => | [=:] ) \s* )
        ( "(?:[^"\\]|\\.)*" | '[^']*' | [^\s,;}]+ )""",
    re.VERBOSE | re.IGNORECASE,
)
#: What a relay that cannot make sense of a login repeats in its answer.
_AUTH = re.compile(r"(?i)\b(AUTH\s+(?:PLAIN|LOGIN|CRAM-MD5|XOAUTH2))\s+[A-Za-z0-9+/=]{4,}")
#: Connection strings with a password inside: scheme://user:password@host
_URL_PASSWORD = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/@]+@")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'=]+@[^\s<>()\[\],;:\"'=]*[^\s<>()\[\],;:\"'=.]")
#: A mail's own identifier has an address's form and tells nobody anything.
_MESSAGE_ID = re.compile(r"(?i)(message-id:?\s*<?|\bmail\s+<?)$")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")


def redact(text: str, secrets: t.Iterable[str] = (), keep: t.Iterable[str] = ()) -> str:
    """The text without secrets and without addresses other than those to keep.

    :param secrets: values to cut out, also in the forms in which they travel (Base64, percent-encoded is not used).
    :param keep: mail addresses that may stand, compared without case.
    """
    for secret in sorted(_forms(secrets), key=len, reverse=True):
        text = text.replace(secret, SECRET)
    text = _NAMED.sub(lambda found: f"{found.group(1)}{found.group(2)}{SECRET}", text)
    text = _AUTH.sub(rf"\1 {SECRET}", text)
    text = _URL_PASSWORD.sub(rf"\1:{SECRET}@", text)
    allowed = {address.casefold() for address in keep}

    def address(found: re.Match[str]) -> str:
        if found.group(0).casefold() in allowed or _MESSAGE_ID.search(text[: found.start()]):
            return found.group(0)
        return ADDRESS

    return _ADDRESS.sub(address, text)


def one_line(text: str, limit: int = 300) -> str:
    """The text on one line, without control characters, cut at a length that a person still reads."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _forms(secrets: t.Iterable[str]) -> set[str]:
    """The secrets themselves, and each as AUTH LOGIN sends it. Blank ones would match everywhere."""
    forms: set[str] = set()
    for secret in secrets:
        if secret.strip():
            forms.add(secret)
            forms.add(base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode("ascii"))
    return forms
