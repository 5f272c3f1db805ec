# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One answer to whether a relay is the machine itself, in every spelling."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._loopback import is_loopback

HERE = [
    *("localhost", "LOCALHOST", "localhost.", "mail.localhost", "localhost.localdomain", "localhost6", "ip6-localhost"),
    *("127.0.0.1", "127.1", "127.255.0.9", "2130706433", "0x7f.1", "0.0.0.0", "127.0.0.1."),
    *("::1", "[::1]", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]", "::1%lo", "0:0:0:0:0:0:0:1", "::"),
]
ELSEWHERE = [
    *(
        "smtp.example.org",
        "localhost.example.org",
        "notlocalhost",
        "localhost.localdomain.example",
        "",
        ".",
        "face",
        "12.",
    ),
    *("172.17.0.1", "128.0.0.1", "::2", "fe80::1%eth0", "::ffff:192.0.2.1", "127.0.0.1 x", "1.2.3.4.5", "a" * 100_000),
]


@pytest.mark.parametrize("host", HERE)
def test_the_machine_itself(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE, ids=lambda host: host[:20])
def test_another_machine(host: str) -> None:
    assert not is_loopback(host)
