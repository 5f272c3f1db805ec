# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Relays that talk at random: no traceback, no hang, and always a verdict."""

from __future__ import annotations

import concurrent.futures
import random
import time

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.probe import probe
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.settings import Settings
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.verdict import context_of, verdict
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faulty_server import (
    FaultyServer,
    Peer,
    Script,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.smtp_pki import Pki

WORDS = [
    b"220 relay.test\r\n",
    b"250-relay.test\r\n250-AUTH PLAIN LOGIN CRAM-MD5\r\n250 STARTTLS\r\n",
    b"250 ok\r\n",
    b"334 \r\n",
    b"334 PDE+\r\n",
    b"235 ok\r\n",
    b"221 bye\r\n",
    b"220-\r\n",
    b"250-\n250\n",
    b"250 SIZE 99999999999\r\n",
    b"421\r\n",
    b"999 x\r\n",
    b"\r\n",
    b"\n",
    b"\0\r\n",
    b"\x15\x03\x01\x00\x02\x02\x28",
    b"\x16\x03\x03\x00\x7a\x02\x00",
]


def random_words(seed: int, pki: Pki) -> Script:
    """A server that mostly says what is due, now and then anything, in pieces of any size."""
    chance = random.Random(seed)

    def script(peer: Peer) -> None:
        peer.sock.settimeout(1.0)
        for due in (0, 1, chance.choice((0, 3, 4, 5)), 5, 2, 2):
            data = WORDS[due] if chance.random() < 0.7 else chance.choice([*WORDS, chance.randbytes(20)])
            while data:
                size = chance.randint(1, len(data))
                peer.raw(data[:size])
                data = data[size:]
            if chance.random() < 0.1:
                return
            if b"STARTTLS" in peer.sock.recv(4096) and chance.random() < 0.7:
                peer.raw(b"220 go\r\n")
                peer.start_tls(pki.server(chance.choice(["good", "good", "expired"])))

    return script


@pytest.mark.parametrize("tls", ["starttls", "starttls_optional", "implicit", "none"])
def test_random_relays(pki: Pki, tls: str) -> None:
    def run(seed: int) -> float:
        with FaultyServer(random_words(seed, pki)) as server:
            settings = Settings(
                "localhost",
                server.port,
                "social.test",
                tls=tls,  # type: ignore[arg-type]
                ca_file=pki.ca_file,
                auth=("plain", "login", "cram_md5")[seed % 3],  # type: ignore[arg-type]
                login="mastodon",
                password="correct horse",
                sender="a@b.example",
                recipient="c@d.example",
                timeout=1.5,
            )
            begun = time.monotonic()
            result = probe(settings)
            seconds = time.monotonic() - begun
            findings = verdict(settings, result, context_of(settings))
        assert (result.trouble is None) == (not [one for one in findings if one.severity == "error"]), seed
        assert len([one for one in findings if one.severity == "error"]) <= 1, seed
        assert "correct horse" not in str(result.as_dict()) + str(findings), seed
        return seconds

    with concurrent.futures.ThreadPoolExecutor(max_workers=25) as pool:
        assert max(pool.map(run, range(50))) < 15
