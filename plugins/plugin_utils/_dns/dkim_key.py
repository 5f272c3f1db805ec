# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DKIM key records (RFC 6376, section 3.6.1; RFC 8463 for ed25519): is there a usable key, and how strong is it?"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
import typing as t

from .answers import Answer

#: DER tags: INTEGER, BIT STRING, SEQUENCE (X.690).
INTEGER, BIT_STRING, SEQUENCE = 0x02, 0x03, 0x30

ED25519_OCTETS = 32


@dataclasses.dataclass(frozen=True)
class Key:
    """A key record as verifiers see it.

    :ivar problem: why verifiers cannot use it, in words; empty if they can.
    :ivar kind: rsa or ed25519.
    :ivar bits: length of the RSA modulus; 256 for ed25519; 0 if unusable.
    :ivar testing: the C(t=y) flag: verifiers must treat signed mail like unsigned.
    :ivar revoked: C(p=) is empty: the key was withdrawn.
    """

    problem: str = ""
    kind: str = "rsa"
    bits: int = 0
    testing: bool = False
    revoked: bool = False


def key_of(answer: Answer) -> Key | None:
    """The key of a selector; None if DNS did not answer."""
    if not answer.known:
        return None
    if not answer.records:
        return Key(problem="there is no TXT record")
    if len(answer.records) > 1:
        return Key(problem=f"there are {len(answer.records)} TXT records, but only one is allowed")
    return read(answer.records[0])


def read(text: str) -> Key:
    """Parse the text of a key record."""
    tags = _tags(text)
    if tags is None:
        return Key(problem="the record is not a tag=value list, so it is not a DKIM key")
    if "v" in tags and (tags["v"] != "DKIM1" or next(iter(tags)) != "v"):
        return Key(problem='it does not begin with "v=DKIM1", so it is not a DKIM key')
    if "p" not in tags:
        return Key(problem='there is no "p" tag, so it contains no key')
    kind = tags.get("k", "rsa")
    testing = "y" in (one.strip() for one in tags.get("t", "").split(":"))
    if not tags["p"]:
        return Key(problem='"p" is empty: the key was revoked', kind=kind, revoked=True)
    if kind not in ("rsa", "ed25519"):
        return Key(problem=f'"k={kind}" is neither rsa nor ed25519', kind=kind)
    try:
        raw = base64.b64decode(re.sub(r"\s+", "", tags["p"]), validate=True)
    except (binascii.Error, ValueError):
        return Key(problem='"p" is not valid base64 (cut off, or an extra character)', kind=kind)
    if kind == "ed25519":
        if len(raw) != ED25519_OCTETS:
            return Key(problem=f'"p" contains {len(raw)} bytes, but an ed25519 key has {ED25519_OCTETS}', kind=kind)
        return Key(kind=kind, bits=256, testing=testing)
    bits = rsa_bits(raw)
    if not bits:
        return Key(problem='"p" contains no RSA key (cut off?)', kind=kind)
    return Key(kind=kind, bits=bits, testing=testing)


def _tags(text: str) -> dict[str, str] | None:
    """The tags in order; None if the text is not a tag list."""
    tags: dict[str, str] = {}
    for piece in text.split(";"):
        if not piece.strip():
            continue
        tag, separator, value = (part.strip() for part in piece.partition("="))
        if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", tag) or tag in tags:
            return None
        tags[tag] = value
    return tags


def rsa_bits(der: bytes) -> int:
    """Bits of the modulus of a DER public key (SubjectPublicKeyInfo, RFC 5280, or RSAPublicKey, RFC 8017), else 0."""
    try:
        first = list(_elements(_only(der, SEQUENCE)))
        if first[0][0] == SEQUENCE:
            bit_string = first[1]
            if bit_string[0] != BIT_STRING or bit_string[1][:1] != b"\x00":
                return 0
            first = list(_elements(_only(bit_string[1][1:], SEQUENCE)))
        if [tag for tag, _value in first] != [INTEGER, INTEGER]:
            return 0
        return int.from_bytes(first[0][1], "big").bit_length()
    except (IndexError, ValueError):
        return 0


def _only(data: bytes, wanted: int) -> bytes:
    elements = list(_elements(data))
    if len(elements) != 1 or elements[0][0] != wanted:
        raise ValueError("not the element that belongs here")
    return elements[0][1]


def _elements(data: bytes) -> t.Iterator[tuple[int, bytes]]:
    """Tag and content of each DER element in a row."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            octets = length & 0x7F
            length, at = int.from_bytes(data[at : at + octets], "big"), at + octets
        if at + length > len(data):
            raise ValueError("cut off")
        yield tag, data[at : at + length]
        at += length
