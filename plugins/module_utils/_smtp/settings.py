# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a relay that matter for a dialogue with it."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from .._mailer.names import TlsMode

VerifyMode = t.Literal["peer", "none"]
AuthMode = t.Literal["plain", "login", "cram_md5", "none"]

#: Mechanism -> its name in SMTP (RFC 4616; LOGIN has no RFC; RFC 2195).
MECHANISMS: dict[str, str] = {"plain": "PLAIN", "login": "LOGIN", "cram_md5": "CRAM-MD5"}

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
#: RFC 5321, 4.1.1.1: a domain or an address literal; nothing that could end the command line.
_HELO = re.compile(r"[\x21-\x7e]{1,255}\Z")
#: Bare address without the brackets; blanks and brackets would end the command's argument.
_ADDRESS = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]{1,254}\Z")


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A port of the same host, and its TLS mode."""

    port: int
    tls: TlsMode


@dataclasses.dataclass(frozen=True)
class Settings:
    """One relay as Mastodon will use it, and the limits of the probe.

    :ivar tls: C(starttls_optional) is what Mastodon does when nothing is set: encrypted only if the relay offers it.
    :ivar ca_file: trusted in addition to OpenSSL's default store, as in Ruby's C(Net::SMTP); empty: only that store.
    :ivar helo_domain: the name in EHLO: Mastodon's C(SMTP_DOMAIN) or C(LOCAL_DOMAIN).
    :ivar sender: if given, the envelope is tried too: MAIL FROM, RCPT TO if there is a recipient, then RSET.
    :ivar connect_timeout: seconds for the name lookup, and again for the TCP connections.
    :ivar timeout: seconds for the whole dialogue after that.
    :ivar alternative_ports: the provider's other ports, tried when this one cannot be reached.
    :ivar control_host: a web server unrelated to the relay, tried when none of the relay's ports can be reached.
    :ivar skip_auth: skip the AUTH step.
    :ivar refused_on: the host on which the same login has already been refused; also skips the AUTH step.
    """

    host: str
    port: int
    helo_domain: str
    tls: TlsMode = "starttls"
    verify: VerifyMode = "peer"
    ca_file: str = ""
    auth: AuthMode = "plain"
    login: str = ""
    password: str = dataclasses.field(default="", repr=False)
    sender: str = ""
    recipient: str = ""
    connect_timeout: float = 5.0
    timeout: float = 30.0
    alternative_ports: tuple[Endpoint, ...] = ()
    control_host: str = ""
    skip_auth: bool = False
    refused_on: str = ""

    @property
    def wants_auth(self) -> bool:
        """Whether to do the AUTH step."""
        return self.auth != "none" and not self.skip_auth and not self.refused_on

    def unusable(self) -> list[tuple[str, str]]:
        """The settings that make a dialogue impossible: (setting, reason). Never holds a secret."""
        return [
            (setting, reason)
            for setting, wrong, reason in (
                (
                    "timeout",
                    not _is_wait(self.timeout),
                    f"timeout must be greater than 0 and at most 3600 seconds, not {self.timeout}.",
                ),
                (
                    "connect_timeout",
                    not _is_wait(self.connect_timeout),
                    f"connect_timeout must be greater than 0, not {self.connect_timeout}.",
                ),
                ("host", not _is_host(self.host), f"{self.host!r} is not a host name or address in plain ASCII."),
                (
                    "control_host",
                    bool(self.control_host) and not _is_host(self.control_host),
                    f"{self.control_host!r} is not a host name or address in plain ASCII.",
                ),
                ("port", not 0 < self.port < 65536, f"{self.port} is not a port; ports are 1 to 65535."),
                ("helo_domain", not _HELO.match(self.helo_domain), f"{self.helo_domain!r} cannot be used in EHLO."),
                ("login", self.wants_auth and not self.login, f"It is empty, but {self.auth} requires it."),
                ("password", self.wants_auth and not self.password, f"It is empty, but {self.auth} requires it."),
                ("login", _breaks(self.login), "The login contains a NUL character, which AUTH cannot send."),
                ("password", _breaks(self.password), "The password contains a NUL character, which AUTH cannot send."),
                ("sender", _no_address(self.sender), f"{self.sender!r} is not a plain ASCII mail address."),
                ("recipient", _no_address(self.recipient), f"{self.recipient!r} is not a plain ASCII mail address."),
                (
                    "sender",
                    bool(self.recipient and not self.sender),
                    "A recipient can only be tested together with a sender.",
                ),
            )
            if wrong
        ]


def _is_host(host: str) -> bool:
    """Whether it is an IP address or an ASCII host name. Ruby does not encode IDNs, so they must be in xn-- form."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        name = host[:-1] if host.endswith(".") else host
        return len(name) < 254 and all(_LABEL.match(label) for label in name.split("."))
    return True


def _is_wait(seconds: float) -> bool:
    """Whether it is a usable number of seconds; false for NaN."""
    return 0 < seconds <= 3600


def _no_address(address: str) -> bool:
    return bool(address) and not (_ADDRESS.match(address) and "@" in address)


def _breaks(text: str) -> bool:
    """Whether the text contains NUL, which separates the fields of AUTH PLAIN (RFC 4616)."""
    return "\0" in text
