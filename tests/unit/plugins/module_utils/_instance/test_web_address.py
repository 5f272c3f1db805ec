# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Listener
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.web_address import choose, default, url


def tcp(port, host="127.0.0.1"):
    return Listener(1, host, port)


def unix(path):
    return Listener(1, path=path)


PUMA = "puma 6.6.0 (tcp://127.0.0.1:3100,unix:///run/mastodon/web.sock) [live]"

ROWS = [
    # why, listeners, environment, titles, the chosen one
    ("the default", [tcp(9394), tcp(3000)], {}, [], "http://127.0.0.1:3000"),
    ("PORT", [tcp(3000), tcp(3100)], {"PORT": "3100"}, [], "http://127.0.0.1:3100"),
    ("PORT of which nothing listens", [tcp(3000)], {"PORT": "3100"}, [], "http://127.0.0.1:3000"),
    (
        "BIND tells two addresses apart",
        [tcp(3000), tcp(3000, "10.0.0.5")],
        {"BIND": "10.0.0.5"},
        [],
        "http://10.0.0.5:3000",
    ),
    ("both families", [tcp(3000, "::1"), tcp(3000)], {"BIND": "localhost"}, [], "http://127.0.0.1:3000"),
    ("IPv6 in brackets", [tcp(3000, "fd00::5")], {"BIND": "[fd00::5]"}, [], "http://[fd00::5]:3000"),
    ("any address", [tcp(3000, "0.0.0.0")], {"BIND": "0.0.0.0"}, [], "http://127.0.0.1:3000"),
    ("any address of IPv6", [tcp(3000, "::")], {"BIND": "[::]"}, [], "http://[::1]:3000"),
    ("SOCKET", [tcp(3000), unix("/run/web.sock")], {"SOCKET": "/run/web.sock"}, [], "unix:/run/web.sock"),
    ("a relative SOCKET", [unix("/home/m/live/tmp/s")], {"SOCKET": "tmp/s"}, [], "unix:/home/m/live/tmp/s"),
    ("a SOCKET on which nothing listens", [tcp(3000)], {"SOCKET": "/run/web.sock"}, [], "http://127.0.0.1:3000"),
    ("a file only", [unix("/run/a.sock")], {}, [], "unix:/run/a.sock"),
    ("the exporter is not it", [tcp(9394), tcp(4444)], {}, [], "http://127.0.0.1:4444"),
    (
        "several: what Puma calls itself",
        [tcp(2999), tcp(3100), unix("/x")],
        {},
        ["sh -c x", PUMA],
        "http://127.0.0.1:3100",
    ),
    (
        "Puma's control server beside its socket",
        [unix("/run/mastodon/web.sock"), tcp(9293)],
        {},
        ["puma 6.6.0 (unix:///run/mastodon/web.sock) [live]"],
        "unix:/run/mastodon/web.sock",
    ),
    (
        "several: loopback, lowest port",
        [tcp(8080, "10.0.0.5"), tcp(8082), tcp(8081), unix("/x")],
        {},
        [],
        "http://127.0.0.1:8081",
    ),
]


@pytest.mark.parametrize(
    ("listeners", "environment", "titles", "expected"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_which_socket_is_asked(listeners, environment, titles, expected):
    chosen = choose(listeners, environment, titles)
    assert chosen and url(chosen) == expected
    assert choose(list(reversed(listeners)), environment, titles) == chosen


def test_the_exporter_alone_is_no_web_service():
    assert choose([tcp(9394)], {}) is None
    assert choose([tcp(9500)], {}, variables={"MASTODON_PROMETHEUS_EXPORTER_PORT": "9500"}) is None
    assert choose([], {}) is None


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "http://127.0.0.1:3000"),
        ({"PORT": "3100", "BIND": "0.0.0.0"}, "http://127.0.0.1:3100"),
        ({"BIND": "[::]"}, "http://[::1]:3000"),
        ({"SOCKET": "/run/web.sock", "PORT": "3100"}, "unix:/run/web.sock"),
        ({"PORT": "no number"}, "http://127.0.0.1:3000"),
    ],
)
def test_what_an_environment_says_when_nothing_can_be_seen(environment, expected):
    assert default(environment) == expected
