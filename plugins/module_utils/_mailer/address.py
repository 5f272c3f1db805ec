# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sender addresses: what mail servers accept, and what keeps Rails from starting because the mail gem rejects it.

Sources: RFC 5322 section 3.4; config/environments/production.rb (C(Mail::Address.new) at boot,
mastodon#16076); lib/mail/parsers/address_lists_parser.rl of the mail gem, whose answers are compared with this file in
tests/integration/rails_verdict.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import unicodedata

_COMMENT = r"\((?:[^()\\]|\\.)*\)"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
# Wider than RFC 5322's atext: the gem also accepts any character beyond ASCII. No pattern here nests one repetition
# directly in another, so that no text takes long to reject. Only one thing that the gem accepts is rejected here:
# blanks beside a dot in the local part.
_ATEXT = r"[^()<>\[\]:;@\\,.\"\x00-\x20\x7f]"
_BLANKS = rf"(?:[ \t]|{_COMMENT})*"
_FULL_QUOTED = r'"(?:[^"\\]|\\.)+"'
_LOCAL = rf'(?:\.*(?:{_ATEXT}|{_FULL_QUOTED})(?:{_ATEXT}|{_FULL_QUOTED}|\.)*|"")'
_ATOM = rf"(?:{_ATEXT}|{_FULL_QUOTED})+"
_DOMAIN = rf"(?:\.*{_ATOM}(?:\.+{_ATOM})*|\[[^\[\]\\\x00-\x20]*\])"
_SPEC = rf"{_BLANKS}{_LOCAL}{_BLANKS}(?:@{_BLANKS}{_DOMAIN}{_BLANKS})?"
_ROUTE = rf"(?:[, \t]*@{_DOMAIN}(?:,[, \t]*@{_DOMAIN})*:)?"
_PHRASE = rf"(?:{_ATEXT}|{_QUOTED}|[.@ \t]|{_COMMENT})"
_NAME = rf"(?:[.@]+|(?:[.@ \t]|{_COMMENT})*(?:{_ATEXT}|{_QUOTED}){_PHRASE}*)"
_ONE = rf"(?:{_SPEC}|{_PHRASE}*<{_ROUTE}{_SPEC}>{_BLANKS}|[ \t]*)"
_MEMBER = rf"(?:{_SPEC}|{_PHRASE}*<{_ROUTE}{_SPEC}>{_BLANKS}|{_BLANKS})"
_GROUP = rf"{_NAME}:{_MEMBER}(?:,{_MEMBER})*;{_BLANKS}"
_RUBY = rf"(?:{_GROUP}|{_ONE})(?:[,;](?:{_GROUP}|{_ONE}))*"
#: The gem finds no mailbox in a name without a domain, in angle brackets or right before a comment.
_NOBODY = rf"(?:{_PHRASE}*<{_BLANKS}{_LOCAL}{_BLANKS}>{_BLANKS}|{_BLANKS}{_LOCAL}{_COMMENT}{_BLANKS})"
_EMPTY_GROUP = rf"{_NAME}:{_BLANKS}(?:,{_BLANKS})*;{_BLANKS}"
#: Only the first mailbox counts; empty members and groups before it are skipped.
_RUBY_NOBODY = (
    rf"(?:(?:{_EMPTY_GROUP}|[ \t]*)[,;])*"
    rf"(?:(?:{_NAME}:(?:{_BLANKS},)*)?{_NOBODY}(?=[,;]|\Z)|(?:{_EMPTY_GROUP}|[ \t]*)\Z)"
)
#: The form of nearly every sender, recognised without the two patterns above, which take long to compile.
_USUAL = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_USUAL_NAMED = re.compile(rf"[A-Za-z0-9_-]+(?: [A-Za-z0-9_-]+)* <{_USUAL.pattern}>")
#: Blanks that are stripped around an address; other blanks are part of it, in Ruby too.
OUTER_BLANKS = " \t\r\n"
#: Ruby's white space (mail/utilities.rb, C(blank?)).
_RUBY_BLANKS = " \t\r\n\f\v"

_PLAIN_NAME = re.compile(rf"(?:{_ATEXT}|[ \t])*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


@dataclasses.dataclass(frozen=True)
class Mailbox:
    """One sender: an optional name and an address.

    :ivar display: without quotes; may be empty.
    """

    display: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"


class AddressProblem(ValueError):
    """Why a text is not one sender address, and what to write instead.

    :ivar kind: C(syntax), C(name), C(several), C(local), C(domain) or C(idn).
    """

    def __init__(self, kind: str, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.fix = fix


def ruby_refuses(text: str) -> bool:
    """Whether C(Mail::Address.new) of the mail gem raises, which keeps Mastodon from starting. A blank text passes."""
    if _is_usual(text):
        return False
    return bool(text.strip(_RUBY_BLANKS)) and not re.fullmatch(_RUBY, text.strip(" \t"))


def names_nobody(text: str) -> bool:
    """Whether the mail gem accepts a text but finds no sender in it; it then sends nothing."""
    if _is_usual(text):
        return False
    return not text.strip(_RUBY_BLANKS) or bool(re.match(_RUBY_NOBODY, text.strip(" \t")))


def _is_usual(text: str) -> bool:
    return bool(_USUAL.fullmatch(text) or _USUAL_NAMED.fullmatch(text))


def mailbox(text: str) -> Mailbox:
    """Read one sender, C(notifications@example.com) or C(Example <notifications@example.com>).

    :raises AddressProblem: it is something else, or an address that mail servers refuse.
    """
    text = text.strip(OUTER_BLANKS)
    if not text:
        raise AddressProblem("syntax", "It is empty.")
    if any(ord(one) < 0x20 or ord(one) == 0x7F for one in text):
        raise AddressProblem("syntax", "It contains a line break or a control character.")
    before, opened, spec = text[:-1].rpartition("<")
    if opened and text.endswith(">") and ">" not in spec and ("<" not in before or '"' in before):
        return _address(_display(before), spec)
    if "<" in text or ">" in text:
        raise AddressProblem("syntax", "It has an unmatched < or >, or more than one pair.")
    if re.search(r"[,;]", text):
        raise AddressProblem("several", "It is a list; there can be only one sender.")
    return _address("", text)


def _display(text: str) -> str:
    text = text.strip()
    if re.fullmatch(_QUOTED, text):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if not _PLAIN_NAME.fullmatch(text):
        name = text.replace("\\", "").replace('"', "")
        raise AddressProblem(
            "name",
            "The display name contains a comma, dot or another character that must be quoted.",
            f'Write the name in double quotes: "{name}" <...>.',
        )
    return text


def _address(display: str, spec: str) -> Mailbox:
    odd = next((one for one in spec if one not in " \t" and (one.isspace() or unicodedata.category(one) == "Cf")), "")
    if odd:
        raise AddressProblem(
            "syntax",
            f"The address contains a space or invisible character that is not a plain space (U+{ord(odd):04X}).",
            "Type the address instead of copying it.",
        )
    local, at, domain = spec.strip(" \t").rpartition("@")
    if not at or not local or not domain:
        raise AddressProblem("syntax", "It contains no name@domain.")
    if not _LOCAL_PART.fullmatch(local):
        raise AddressProblem(
            "local",
            "The part before the @ has characters that mail servers reject or that need quoting.",
            "Use letters, digits and . _ + - before the @.",
        )
    return Mailbox(display, local, _domain(domain))


def _domain(domain: str) -> str:
    if not domain.isascii():
        raise AddressProblem(
            "idn", "The domain is not in its ASCII form, which mail servers require.", _ascii_hint(domain)
        )
    labels = domain.split(".")
    if len(domain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressProblem("domain", "The part after the @ is not a domain name.")
    return domain


def _ascii_hint(domain: str) -> str:
    # Python's codec (RFC 3490) maps these characters differently, and is slow for names that are too long anyway.
    if len(domain) > 253 or re.search("[\u00df\u03c2\u200c\u200d]", domain.lower()):
        return "Write the domain in its xn-- form, as the registrar shows it."
    try:
        return f"Write the domain as {domain.encode('idna').decode('ascii')}."
    except UnicodeError:
        return "Write the domain in its xn-- form."


def host_problem(host: str) -> str | None:
    """Why a text cannot be a relay's host name or IP address; None when it can."""
    if not host.isascii():
        return f"It is not in its ASCII form. {_ascii_hint(host)}"
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", host) or "/" in host:
        return "It is a URL; set only the host name."
    if re.fullmatch(r"\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?", host) and host.count(":") >= 2:
        return "It is an IPv6 address in brackets; write it without brackets." if "[" in host else None
    if ":" in host:
        return "It contains a port; set the port in its own option."
    labels = host.rstrip(".").split(".")
    return (
        None
        if host and all(_LABEL.fullmatch(label.replace("_", "a")) for label in labels)
        else "It is not a host name."
    )
