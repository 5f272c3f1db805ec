# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates made by openssl, and bytes that are none."""

from __future__ import annotations

import datetime
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.certificate import (
    CertificateError,
    read_certificate,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.smtp_pki import LEAVES, Pki


def openssl_says(pki: Pki, name: str, *what: str) -> str:
    command = ["openssl", "x509", "-noout", "-in", str(pki.pem(name)), *what]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("name", [*LEAVES, "self-signed", "unknown-authority"])
def test_agrees_with_openssl(pki: Pki, name: str) -> None:
    certificate = read_certificate(pki.der(name))
    fingerprint = openssl_says(pki, name, "-fingerprint", "-sha256").split("=")[1].replace(":", "").lower()
    dates = openssl_says(pki, name, "-dates", "-dateopt", "iso_8601").splitlines()
    subject = openssl_says(pki, name, "-subject", "-nameopt", "utf8,sep_comma_plus_space,sname")
    issuer = openssl_says(pki, name, "-issuer", "-nameopt", "utf8,sep_comma_plus_space,sname")
    assert certificate.sha256 == fingerprint
    assert f"notBefore={certificate.not_before:%Y-%m-%d %H:%M:%SZ}" == dates[0]
    assert f"notAfter={certificate.not_after:%Y-%m-%d %H:%M:%SZ}" == dates[1]
    assert f"subject={certificate.subject}" == subject
    assert f"issuer={certificate.issuer}" == issuer


def test_reads_every_kind_of_name(pki: Pki) -> None:
    certificate = read_certificate(pki.der("rich"))
    assert certificate.names == ("smtp.xn--bcher-kva.example", "*.example.org", "192.0.2.7", "2001:db8::7")
    assert certificate.subject == "C=DE, O=Bücher, Söhne, OU=Post, CN=smtp.xn--bcher-kva.example"
    # After 2049 the date is written in its long form (RFC 5280, 4.1.2.5.2).
    assert certificate.not_after == datetime.datetime(2060, 2, 29, 12, tzinfo=datetime.timezone.utc)


def test_without_alternative_names_the_common_name_counts(pki: Pki) -> None:
    assert read_certificate(pki.der("common-name-only")).names == ("localhost",)


def test_knows_who_issued_itself(pki: Pki) -> None:
    assert read_certificate(pki.der("self-signed")).self_issued
    assert not read_certificate(pki.der("good")).self_issued


def test_counts_whole_days(pki: Pki) -> None:
    certificate = read_certificate(pki.der("good"))
    before = certificate.not_after - datetime.timedelta(days=3, seconds=1)
    assert certificate.days_left(before) == 3
    assert certificate.days_left(certificate.not_after + datetime.timedelta(seconds=1)) == -1


@given(data=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_bytes_that_are_no_certificate(data: bytes) -> None:
    with pytest.raises(CertificateError):
        read_certificate(data)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_certificates_never_crash(pki: Pki, data: st.DataObject) -> None:
    der = bytearray(pki.der("rich"))
    for at in data.draw(st.lists(st.integers(0, len(der) - 1), min_size=1, max_size=4)):
        der[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(der)))
    for damaged in (bytes(der), bytes(der[:cut])):
        try:
            certificate = read_certificate(damaged)
        except CertificateError:
            continue
        assert all(text.isprintable() for text in (certificate.subject, certificate.issuer, *certificate.names))
