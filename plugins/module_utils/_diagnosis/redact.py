# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take out of other programs' words what nobody should read: passwords, tokens, addresses of people."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import base64
import re
import typing as t

from .._masking import TELLING, masked
from .._text import CUT, bounded

SECRET = "[secret]"
ADDRESS = "[address]"

#: Names of settings whose value is a secret, in any notation (KEY=value, "key": "value", key => value), from the
#: telling part of the name on.
_NAMED = re.compile(
    rf"""( (?: {TELLING} ) [\w-]{{0,64}} )
        (["']? \s* (?: => | [=:] ) \s* )
        ( "(?:[^"\\]|\\.)*" | '[^']*' | [^\s,;}}]+ )""",
    re.VERBOSE | re.IGNORECASE,
)
#: What a relay that cannot make sense of a login repeats in its answer.
_AUTH = re.compile(r"(?i)\b(AUTH\s+(?:PLAIN|LOGIN|CRAM-MD5|XOAUTH2))\s+[A-Za-z0-9+/=]{4,}")
#: Connection strings with a password inside: scheme://user:password@host
_URL_PASSWORD = re.compile(r"(?i)(?<=[a-z0-9+.-])(://[^\s:/@]*):[^\s/@]+@")
#: From the beginning of a word only: from anywhere in it, a long word would be gone through for each of its letters.
_ADDRESS = re.compile(r"(?<![^\s<>()\[\],;:\"'=])[^\s<>()\[\],;:\"'=]+@[^\s<>()\[\],;:\"'=]*[^\s<>()\[\],;:\"'=.]")
#: A mail's own identifier has an address's form and tells nobody anything. It is looked for right before the address.
_MESSAGE_ID = re.compile(r"(?i)(message-id:?\s*<?|\bmail\s+<?)$")
_BEFORE = 40
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")
#: So many letters of a secret beside a place where the text was cut are taken for a piece of it.
_PIECE = 3


def redact(text: str, secrets: t.Iterable[str] = (), keep: t.Iterable[str] = ()) -> str:
    """The text without secrets and without addresses other than those to keep, and not longer than bounded() leaves it.

    :param secrets: values to cut out, also in the forms in which they travel (Base64, percent-encoded is not used);
        a line with a short one is left out as a whole, see _masking.
    :param keep: mail addresses that may stand, compared without case.
    """
    forms = sorted(_forms(secrets), key=len, reverse=True)
    text = _without_pieces(bounded(masked(text, forms, SECRET)), forms)
    text = _NAMED.sub(lambda found: f"{found.group(1)}{found.group(2)}{SECRET}", text)
    text = _AUTH.sub(rf"\1 {SECRET}", text)
    text = _URL_PASSWORD.sub(rf"\1:{SECRET}@", text)
    allowed = {address.casefold() for address in keep}

    def address(found: re.Match[str]) -> str:
        before = text[max(0, found.start() - _BEFORE) : found.start()]
        if found.group(0).casefold() in allowed or _MESSAGE_ID.search(before):
            return found.group(0)
        return ADDRESS

    return _ADDRESS.sub(address, text)


def _without_pieces(text: str, secrets: t.Sequence[str]) -> str:
    """The text without the pieces of secrets that stand where it was cut, here or by whoever read it."""
    head, *others = text.split(CUT)
    for other in others:
        left = max((_overlap(head, secret) for secret in secrets), default=0)
        right = max((_overlap(secret, other) for secret in secrets), default=0)
        head = f"{head[: len(head) - left]}{SECRET if left else ''}{CUT}{SECRET if right else ''}{other[right:]}"
    return head


def _overlap(first: str, second: str) -> int:
    """How many letters at the end of one text are the beginning of the other, short of all of it."""
    longest = min(len(first), len(second), 512)
    return next((size for size in range(longest, _PIECE - 1, -1) if first.endswith(second[:size])), 0)


def one_line(text: str, limit: int = 300) -> str:
    """The text on one line, without control characters, cut at a length that a person still reads."""
    line = " ".join(_CONTROL.sub(" ", bounded(text)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _forms(secrets: t.Iterable[str]) -> set[str]:
    """The secrets themselves, and each as AUTH LOGIN sends it. Blank ones would match everywhere."""
    forms: set[str] = set()
    for secret in secrets:
        if secret.strip():
            forms.add(secret)
            forms.add(base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode("ascii"))
    return forms
