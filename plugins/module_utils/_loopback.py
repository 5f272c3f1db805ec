# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a relay is the machine itself."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import ipaddress
import re
import socket

#: Names of the machine itself: RFC 6761 section 6.3, and /etc/hosts of Debian and Red Hat.
_NAMES = re.compile(r"(?:[^.\s]+\.)*localhost|localhost6?\.localdomain6?|localhost6|ip6-localhost|ip6-loopback")
#: An IPv4 address in any form that the system's resolver accepts, such as 127.1 or one number: inet_aton(3).
_NUMBERS = re.compile(r"[0-9a-fx.]+")


def is_loopback(host: str) -> bool:
    """Whether a connection to this name or address stays on the connecting machine."""
    name = host.strip().rstrip(".").lower().strip("[]").partition("%")[0]
    if _NAMES.fullmatch(name):
        return True
    try:
        address = ipaddress.ip_address(socket.inet_aton(name) if _NUMBERS.fullmatch(name) else name)
    except (ValueError, OSError):
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified
