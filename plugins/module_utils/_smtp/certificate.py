# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the facts that people need from an X.509 certificate in DER (RFC 5280, ITU-T X.690).

Python's standard library shows a certificate's content only after verifying it, but the one that fails verification is
the one to show. Nothing here decides whether a certificate is valid.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import ipaddress
import typing as t

_OID, _SEQUENCE = 0x06, 0x30
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_SAN_DNS, _SAN_ADDRESS = 0x82, 0x87
_SUBJECT_ALT_NAME = "2.5.29.17"

#: String types in names -> their encoding (X.690, 8.23; T61String by common practice).
_STRINGS = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}

#: Short names of attributes (RFC 4514, 3, and OpenSSL's emailAddress).
_ATTRIBUTES = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}


class CertificateError(ValueError):
    """The bytes are not a certificate that can be read here."""


@dataclasses.dataclass(frozen=True)
class Certificate:
    """The content of a certificate.

    :ivar subject: such as C(CN=smtp.example.org, O=Example).
    :ivar issuer: in the same form.
    :ivar names: the DNS names and addresses that it is valid for; the subject's CN if it lists none (as Ruby and
        OpenSSL do).
    :ivar not_before: start of validity, UTC.
    :ivar not_after: end of validity, UTC.
    :ivar sha256: fingerprint of the whole, lower-case hex.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime.datetime
    not_after: datetime.datetime
    sha256: str

    @property
    def self_issued(self) -> bool:
        """Whether issuer and subject are the same, as in a self-signed certificate."""
        return self.subject == self.issuer

    def days_left(self, now: datetime.datetime) -> int:
        """Whole days until it expires; negative once it has."""
        return (self.not_after - now) // datetime.timedelta(days=1)


def read_certificate(der: bytes) -> Certificate:
    """Read a certificate.

    :raises CertificateError: the bytes are not a certificate, however malformed.
    """
    try:
        whole = _one(_Node(0, der, 0, len(der)), _SEQUENCE)
        fields = _one(whole, _SEQUENCE).children()
        if fields[0].tag == _VERSION:
            del fields[0]
        _serial, _algorithm, issuer, validity, subject, _key, *rest = fields
        start, end = validity.children()[:2]
        names = [name for node in rest if node.tag == _EXTENSIONS for name in _alternative_names(node)]
        return Certificate(
            subject=_name(subject),
            issuer=_name(issuer),
            names=tuple(names) or tuple(_common_names(subject)),
            not_before=_time(start),
            not_after=_time(end),
            sha256=hashlib.sha256(der).hexdigest(),
        )
    except CertificateError:
        raise
    except (ValueError, IndexError, OverflowError) as error:
        raise CertificateError(f"not a readable certificate: {error}") from None


@dataclasses.dataclass(frozen=True)
class _Node:
    """One DER element: its tag and the position of its content."""

    tag: int
    data: bytes
    start: int
    end: int

    @property
    def content(self) -> bytes:
        return self.data[self.start : self.end]

    def children(self) -> list[_Node]:
        """The elements inside. DER has only definite lengths, and certificates have no tags above 30."""
        found: list[_Node] = []
        at = self.start
        while at < self.end:
            tag, length, at = self.data[at], self.data[at + 1], at + 2
            if tag & 0x1F == 0x1F:
                raise CertificateError("a tag of many bytes")
            if length >= 0x80:
                size = length & 0x7F
                if not 0 < size <= 4:
                    raise CertificateError("a length that DER does not have")
                length, at = int.from_bytes(self.data[at : at + size], "big"), at + size
            if at + length > self.end:
                raise CertificateError("an element that is longer than what holds it")
            found.append(_Node(tag, self.data, at, at + length))
            at += length
        return found


def _one(node: _Node, tag: int) -> _Node:
    first = node.children()[0]
    if first.tag != tag:
        raise CertificateError(f"tag {tag:#x} expected, {first.tag:#x} found")
    return first


def _attributes(name: _Node) -> t.Iterator[tuple[str, str]]:
    """The (attribute, value) pairs of a Name: a SEQUENCE of SETs of SEQUENCEs of an OID and a string."""
    for relative in name.children():
        for pair in relative.children():
            kind, value = pair.children()[:2]
            text = value.content.decode(_STRINGS.get(value.tag, "latin-1"), "replace")
            oid = _oid(kind.content)
            yield _ATTRIBUTES.get(oid, oid), "".join(one if one.isprintable() else "?" for one in text)


def _name(name: _Node) -> str:
    return ", ".join(f"{kind}={value}" for kind, value in _attributes(name))


def _common_names(name: _Node) -> list[str]:
    return [value for kind, value in _attributes(name) if kind == "CN"]


def _alternative_names(extensions: _Node) -> t.Iterator[str]:
    """DNS names and addresses of the extension subjectAltName (RFC 5280, 4.2.1.6)."""
    for extension in _one(extensions, _SEQUENCE).children():
        kind, *flag_and_value = extension.children()
        if kind.tag != _OID or _oid(kind.content) != _SUBJECT_ALT_NAME:
            continue
        value = flag_and_value[-1]
        for name in _one(value, _SEQUENCE).children():
            if name.tag == _SAN_DNS:
                text = name.content.decode("ascii", "backslashreplace")
                yield "".join(one if one.isprintable() else "?" for one in text)
            elif name.tag == _SAN_ADDRESS:
                yield str(ipaddress.ip_address(name.content))


def _oid(content: bytes) -> str:
    """Dotted form (X.690, 8.19)."""
    numbers: list[int] = []
    number = 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    if not numbers:
        raise CertificateError("an empty object identifier")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _time(node: _Node) -> datetime.datetime:
    """A time (RFC 5280, 4.1.2.5); years 50 to 99 of the short form are 1950 to 1999."""
    text = node.content.decode("ascii")
    if node.tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif node.tag != _GENERALIZED_TIME:
        raise CertificateError("a time of unknown form")
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
