# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DKIM key records."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import dkim_key
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.answers import Answer
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns.dns_book import rsa_key


@pytest.mark.parametrize("bits", [512, 1024, 2048, 3072, 4096])
def test_a_real_key_of_openssl(bits: int, tmp_path: Path) -> None:
    private = tmp_path / "private.pem"
    subprocess.run(["openssl", "genrsa", "-out", str(private), str(bits)], check=True, capture_output=True)
    for form in ("-pubout", "-RSAPublicKey_out"):
        command = ["openssl", "rsa", "-in", str(private), form, "-outform", "DER"]
        der = subprocess.run(command, check=True, capture_output=True).stdout
        assert dkim_key.rsa_bits(der) == bits
        text = f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
        assert dkim_key.read(text) == dkim_key.Key(kind="rsa", bits=bits)


def test_a_real_ed25519_key_of_openssl(tmp_path: Path) -> None:
    private = tmp_path / "private.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)], check=True)
    command = ["openssl", "pkey", "-in", str(private), "-pubout", "-outform", "DER"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout[-32:]
    text = f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
    assert dkim_key.read(text) == dkim_key.Key(kind="ed25519", bits=256)


@pytest.mark.parametrize(
    ("text", "problem", "testing"),
    [
        (f"p={rsa_key(1024)}", "", False),
        (f"v=DKIM1; p={rsa_key(1024)[:60]} {rsa_key(1024)[60:]}", "", False),
        (f"v=DKIM1; h=sha256; n=note; p={rsa_key(1024)};", "", False),
        (f"v=DKIM1; t=s:y; p={rsa_key(1024)}", "", True),
        (f"k=rsa; v=DKIM1; p={rsa_key(1024)}", "does not begin", False),
        ("v=spf1 -all", "does not begin", False),
        ("v=DMARC1; p=none", "does not begin", False),
        ("hello", "is not a tag=value list", False),
        ("", '"p"', False),
        ("v=DKIM1; k=rsa", 'no "p" tag', False),
        ("v=DKIM1; p=", "revoked", False),
        ("v=DKIM1; p=====", "base64", False),
        ("v=DKIM1; p=AAAA", "no RSA key", False),
        (f"v=DKIM1; p={rsa_key(1024)}; p=x", "is not a tag=value list", False),
    ],
)
def test_a_record(text: str, problem: str, testing: bool) -> None:
    key = dkim_key.read(text)
    assert problem in key.problem
    assert bool(key.problem) is bool(problem)
    assert key.testing is testing


def test_no_answer_is_no_verdict() -> None:
    assert dkim_key.key_of(Answer("s._domainkey.example.org", "TXT", "servfail")) is None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120))
def test_no_octets_break_it(der: bytes) -> None:
    assert dkim_key.rsa_bits(der) >= 0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_key_never_raises(at: int, octet: int) -> None:
    der = bytearray(base64.b64decode(rsa_key(1024)))
    der[at % len(der)] = octet
    assert dkim_key.rsa_bits(bytes(der)) >= 0
