# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the headers of a message say. Anybody may have written them; nothing here trusts one."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import hashlib
import ipaddress
import re
import typing as t

#: Limits for one message: octets of the whole header, number of fields, characters of one.
HEADERS = 128 * 1024
MOST_FIELDS = 500
LONGEST_FIELD = 4096

_FIELD = re.compile(rb"([!-9;-~]{1,80})[ \t]*:")
_DOMAIN = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,20}")
_VERSION = re.compile(r"\bTLS[v ]?1[._]([0-3])\b", re.IGNORECASE)
_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]{3,45})\]", re.IGNORECASE)
#: RFC 3848 and the registry of mail parameters: the protocols that mean TLS.
_WITH_TLS = frozenset({"esmtps", "esmtpsa", "utf8smtps", "utf8smtpsa", "smtps"})
_WITHOUT_TLS = frozenset({"smtp", "esmtp", "esmtpa", "utf8smtp", "utf8smtpa"})
#: Addresses behind a gateway: RFC 1918, 6598, 3927, 4193, 4291. C(is_private) has those of documentation, too.
_GATED = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16 fc00::/7 fe80::/10"
_PRIVATE = [ipaddress.ip_network(one) for one in _GATED.split()]
#: What spam filters add: SpamAssassin, rspamd, Exchange, and what the large providers use.
SPAM = ("x-spam-status", "x-spam-flag", "x-spam-score", "x-spam", "x-spamd-result", "x-rspamd-action",
        "x-ms-exchange-organization-scl", "x-microsoft-antispam", "x-forefront-antispam-report")  # fmt: skip


class Field(t.NamedTuple):
    """One header field: the name in lower case, the value on one line."""

    name: str
    value: str


@dataclasses.dataclass(frozen=True)
class Hop:
    """One Received field.

    :ivar index: its place among the fields of the message.
    :ivar name: what the sending host called itself.
    :ivar by: the host that wrote the field.
    :ivar address: the sending host's address; empty without one.
    :ivar tls: whether TLS was used; None if the field does not tell.
    :ivar version: the version of TLS, if it is told.
    :ivar protocol: the protocol, in lower case; empty if it is not told.
    """

    index: int
    name: str
    by: str
    address: str
    tls: bool | None
    version: str
    protocol: str = ""

    @property
    def from_outside(self) -> bool | None:
        """Whether the message came from a host of somebody else; None if the field cannot tell.

        A sender may call itself what it likes, so a name of the receiver's own proves nothing with a public address.
        A private address with another name may be a gateway before the receiver, or a filter behind it.
        """
        if not self.address or self.protocol.startswith("lmtp"):  # LMTP is for delivery within one place (RFC 2033)
            return False
        address = ipaddress.ip_address(self.address)
        own = bool(self.by) and _near(self.name, self.by)
        if address.is_loopback:
            return False
        if any(address in network for network in _PRIVATE):
            return False if own else None
        return None if own else True


def fields_of(raw: bytes) -> tuple[Field, ...]:
    """The header fields, in order; what is not one is left out."""
    found: list[tuple[str, list[bytes]]] = []
    for line in raw[:HEADERS].replace(b"\r\n", b"\n").split(b"\n"):
        if not line:
            break
        field = _FIELD.match(line)
        if line[:1] in (b" ", b"\t"):
            if found:
                found[-1][1].append(line)
        elif field and len(found) < MOST_FIELDS:
            found.append((field[1].decode("ascii").lower(), [line[field.end() :]]))
    return tuple(Field(name, _one_line(b" ".join(lines))) for name, lines in found)


def _one_line(value: bytes) -> str:
    return " ".join(value[:LONGEST_FIELD].decode("utf-8", "replace").split())


def value_of(fields: t.Iterable[Field], name: str) -> str:
    """The topmost field's value; empty without one."""
    return next((field.value for field in fields if field.name == name), "")


def fingerprint(raw: bytes) -> str:
    """Tells messages apart: copies of one in several folders have the same."""
    return hashlib.sha256(raw[:HEADERS]).hexdigest()


def domain_of(address: str) -> str:
    """The domain of an address, in lower case; empty if there is none."""
    text = address[:LONGEST_FIELD].strip()
    if text.endswith(">"):
        text = text[:-1].rpartition("<")[2]
    domain = text.rpartition("@")[2].strip().rstrip(".").lower()
    return domain if "@" in text and _DOMAIN.fullmatch(domain) else ""


def from_domain(fields: t.Iterable[Field]) -> str:
    """The From domain; empty if there is not exactly one From field with one (DMARC then has nothing to check)."""
    values = [field.value for field in fields if field.name == "from"]
    return domain_of(values[0]) if len(values) == 1 else ""


def date_of(fields: t.Iterable[Field]) -> float | None:
    """When the sender says that it wrote the message; None without a Date. Without a zone, and with -0000, it is UTC
    (RFC 5322, section 3.3)."""
    try:
        when = email.utils.parsedate_to_datetime(value_of(fields, "date")[:100])
        return (when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def hops_of(fields: t.Sequence[Field]) -> list[Hop]:
    """The Received fields, latest first."""
    return [_hop(index, field.value) for index, field in enumerate(fields) if field.name == "received"]


def _hop(index: int, value: str) -> Hop:
    words = value.partition(";")[0].split()
    version = _VERSION.search(value)
    protocol = _after(words, "with").lower()
    tls = True if version or protocol in _WITH_TLS else False if protocol in _WITHOUT_TLS else None
    name = words[1] if len(words) > 1 and words[0].lower() == "from" else ""
    address = _address(value) if name else ""
    told = f"TLSv1.{version[1]}" if version else ""
    return Hop(index, name, _after(words, "by"), address, tls, told, protocol)


def _after(words: t.Sequence[str], keyword: str) -> str:
    """The word after a keyword outside brackets."""
    depth = 0
    for index, word in enumerate(words[:-1]):
        if depth <= 0 and word.lower() == keyword:
            return words[index + 1]
        depth += word.count("(") - word.count(")")
    return ""


def _address(value: str) -> str:
    for literal in _LITERAL.findall(value.partition(" by ")[0]):
        try:
            return str(ipaddress.ip_address(literal))
        except ValueError:
            continue
    return ""


def _near(one: str, other: str) -> bool:
    """Whether two hosts may be of one organisation: their names end alike, be it in a public suffix only (co.uk)."""
    ends = [host.lower().strip("[]().").split(".")[-2:] for host in (one, other)]
    return ends[0] == ends[1]


def handover(hops: t.Sequence[Hop]) -> Hop | None:
    """The hop by which the message reached the receiver: the topmost that is not certainly the receiver's own.

    What is above was written by the receiver; whatever is below, the sender can write. If that hop cannot tell
    whether it came from outside, the handover may be below it, and the address proves nothing.
    """
    return next((hop for hop in hops[:20] if hop.from_outside is not False), None)


def spam_headers(fields: t.Iterable[Field]) -> dict[str, str]:
    """What spam filters wrote. A sender can write them as well, so they prove nothing."""
    found: dict[str, str] = {}
    for field in fields:
        if field.name in SPAM:
            found.setdefault(field.name, field.value[:300])
    return found


def unsubscribing(fields: t.Iterable[Field]) -> dict[str, t.Any]:
    """List-Unsubscribe, and whether one click is enough (RFC 8058)."""
    fields = tuple(fields)
    target = value_of(fields, "list-unsubscribe")
    post = value_of(fields, "list-unsubscribe-post").replace(" ", "").lower()
    one_click = "https://" in target.lower() and post == "list-unsubscribe=one-click"
    return {"present": bool(target), "one_click": one_click}
