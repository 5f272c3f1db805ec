# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove from other programs' messages what nobody should read: passwords, tokens, people's addresses."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import base64
import re
import typing as t

from .._masking import TELLING, masked
from .._text import CUT, bounded

SECRET = "[secret]"
ADDRESS = "[address]"

#: Settings whose name shows that their value is secret, in any notation (KEY=value, "key": "value", key => value);
#: matches from the telling part of the name on.
_NAMED = re.compile(
    rf"""( (?: {TELLING} ) [\w-]{{0,64}} )
        (["']? \s* (?: => | [=:] ) \s* )
        ( "(?:[^"\\]|\\.)*" | '[^']*' | [^\s,;}}]+ )""",
    re.VERBOSE | re.IGNORECASE,
)
#: An AUTH command with credentials, as a relay may repeat it in an error reply.
_AUTH = re.compile(r"(?i)\b(AUTH\s+(?:PLAIN|LOGIN|CRAM-MD5|XOAUTH2))\s+[A-Za-z0-9+/=]{4,}")
#: Connection strings with a password inside: scheme://user:password@host
_URL_PASSWORD = re.compile(r"(?i)(?<=[a-z0-9+.-])(://[^\s:/@]*):[^\s/@]+@")
#: Anchored at the beginning of a word: otherwise a long word would be scanned again from each of its letters.
_ADDRESS = re.compile(r"(?<![^\s<>()\[\],;:\"'=])[^\s<>()\[\],;:\"'=]+@[^\s<>()\[\],;:\"'=]*[^\s<>()\[\],;:\"'=.]")
#: What comes right before a Message-ID, which has the form of an address but is harmless.
_MESSAGE_ID = re.compile(r"(?i)(message-id:?\s*<?|\bmail\s+<?)$")
_BEFORE = 40
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")
#: At least so many letters of a secret at a place where the text was cut count as part of the secret.
_PIECE = 3


def redact(text: str, secrets: t.Iterable[str] = (), keep: t.Iterable[str] = ()) -> str:
    """The text, cut to the length of bounded(), without secrets and without addresses other than those to keep.

    :param secrets: values to remove, also in the Base64 forms in which they are sent; a line with a short secret is
        dropped as a whole, see _masking.
    :param keep: mail addresses to leave in the text, compared without case.
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
    """The text without parts of secrets next to a place where it was cut, here or before."""
    head, *others = text.split(CUT)
    for other in others:
        left = max((_overlap(head, secret) for secret in secrets), default=0)
        right = max((_overlap(secret, other) for secret in secrets), default=0)
        head = f"{head[: len(head) - left]}{SECRET if left else ''}{CUT}{SECRET if right else ''}{other[right:]}"
    return head


def _overlap(first: str, second: str) -> int:
    """The number of letters at the end of one text that begin the other (but are not all of it)."""
    longest = min(len(first), len(second), 512)
    return next((size for size in range(longest, _PIECE - 1, -1) if first.endswith(second[:size])), 0)


#: Letters of a program's message that a person is shown, and that the diagnosis reads.
SHOWN, EXAMINED = 300, 2000


def one_line(text: str, limit: int = SHOWN) -> str:
    """The text on one line, without control characters, cut to a readable length."""
    line = " ".join(_CONTROL.sub(" ", bounded(text)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _forms(secrets: t.Iterable[str]) -> set[str]:
    """The secrets, and each as AUTH LOGIN sends it; without blank ones, which would match everywhere."""
    forms: set[str] = set()
    for secret in secrets:
        if secret.strip():
            forms.add(secret)
            forms.add(base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode("ascii"))
    return forms
