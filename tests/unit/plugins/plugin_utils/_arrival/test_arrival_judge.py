# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own judgement of a message: it ends in time and with a verdict, whatever the sender wrote."""

from __future__ import annotations

import base64
import time

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.fediops.mastodon.plugins.plugin_utils._arrival import judge, message
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.answers import Answer

SECRET = rsa.generate_private_key(public_exponent=65537, key_size=1024)
PRIVATE = SECRET.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
PUBLIC = base64.b64encode(
    SECRET.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
ZONE = {
    "s1._domainkey.a.example": f"v=DKIM1; k=rsa; p={PUBLIC}",
    "ed._domainkey.a.example": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "_dmarc.a.example": "v=DMARC1; p=reject",
    "a.example": "v=spf1 ip4:192.0.2.25 -all",
}
#: A signature that is well formed, so that the body and the fields are read.
FORGED = (
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.example; s=s1; h=from%s; "
    b"bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=%sQUJD\r\n"
)


def ask(name: str, rtype: str) -> Answer:
    text = ZONE.get(name)
    return Answer(name, rtype, "records", (text,)) if text else Answer(name, rtype, "nxdomain")


def judged(text: bytes, hop: message.Hop | None = None, *, spf: bool = False) -> judge.Judgement:
    return judge.judge(message.fields_of(text), text, hop, ask, spf=spf)


def signed(body: bytes = b"Hello\r\n") -> bytes:
    text = b"From: n@a.example\r\nMessage-ID: <1@a.example>\r\n\r\n" + body
    signature: bytes = dkim.sign(
        text, b"s1", b"a.example", PRIVATE, canonicalize=(b"relaxed", b"relaxed"), include_headers=[b"from"]
    )
    return signature + text


REST = b"From: n@a.example\r\n\r\nHello\r\n"


@pytest.mark.parametrize(
    "text",
    [
        FORGED % (b"", b"") + REST + b" " * 60_000 + b"x\r\n",
        FORGED % (b"", b"") + REST + b"\t" * 60_000 + b"x\n",
        FORGED % (b":to" * 20 + b" " * 60_000 + b"x", b"") + REST,
        FORGED % (b"", b"A" + b" " * 60_000 + b"!") + REST,
        FORGED % (b"", b"A" + b"\r\n\t" * 20_000 + b"!") + REST,
        FORGED % (b":x" * 20_000, b"") + b"y: z\r\n" * 8_000 + REST,
        FORGED % (b"", b"") + b"X: y" + b"\r\n\t." * 200_000 + b"\r\n" + REST,
    ],
    ids=["blanks", "tabs", "names", "signature", "folded signature", "fields", "folded field"],
)
def test_no_signature_takes_long(text: bytes) -> None:
    began = time.monotonic()
    (one,) = judged(text).signatures
    assert time.monotonic() - began < 1.5
    assert (one.verdict, one.why) == ("unknown", "the message is too intricate to verify it here")


def test_blanks_of_a_usual_message_are_verified() -> None:
    body = b"Hello  \r\n" + b" " * 5_000 + b"x\r\n" + (b" " * 76 + b"x\r\n") * 5_000 + b"\r\n" * 20_000 + b"x\r\n"
    assert [one.verdict for one in judged(signed(body)).signatures] == ["pass"]


def test_judging_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "SECONDS", 0.2)
    text = signed()
    signature = text[: text.index(b"From:")]

    def slow(name: str, rtype: str) -> Answer:
        time.sleep(0.3)
        return ask(name, rtype)

    found = judge.judge(message.fields_of(signature + text), signature + text, None, slow, spf=False).signatures
    assert [(one.verdict, one.why) for one in found] == [
        ("pass", ""),
        ("unknown", "the time for one message was used up"),
    ]


def test_no_exception_of_the_evaluation_of_spf_ends_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise AssertionError("hostile")

    monkeypatch.setattr(judge.spf_evaluation, "check_host", broken)
    hop = message.Hop(1, "relay.example", "mx.test", "192.0.2.25", True, "")
    found = judged(b"Return-Path: <b@a.example>\r\n" + REST, hop, spf=True).spf
    assert (found.verdict, found.why) == ("unknown", "SPF could not be evaluated (AssertionError)")


@pytest.mark.parametrize(
    ("name", "address", "verdict"),
    [
        ("relay.example", "192.0.2.25", "pass"),
        ("relay.example", "192.0.2.99", "fail"),
        ("x.mx.test", "192.0.2.99", "unknown"),
        ("x.mx.test", "192.0.2.25", "unknown"),
        ("relay.example", "172.18.0.5", "unknown"),
    ],
)
def test_spf_is_judged_for_an_address_of_somebody_else_only(name: str, address: str, verdict: str) -> None:
    hop = message.Hop(0, name, "mx.test", address, True, "")
    found = judged(b"Return-Path: <b@a.example>\r\n" + REST, hop, spf=True)
    assert (found.spf.verdict, found.dmarc) == (verdict, verdict)


@pytest.mark.parametrize("first", [True, False])
def test_a_mail_with_two_kinds_of_signatures_passes(monkeypatch: pytest.MonkeyPatch, first: bool) -> None:
    """Without PyNaCl the one with Ed25519 is not verified, which is no failure."""
    monkeypatch.setattr(dkim, "nacl", None, raising=False)
    monkeypatch.delattr(dkim, "nacl")
    text = signed()
    signature = text[: text.index(b"From:")]
    other = FORGED.replace(b"rsa-sha256", b"ed25519-sha256").replace(b"s=s1", b"s=ed") % (b"", b"")
    pair = (other, signature) if first else (signature, other)
    found = judged(b"".join(pair) + text[len(signature) :])
    verdicts = {one.selector: (one.verdict, one.why) for one in found.signatures}
    assert verdicts == {
        "s1": ("pass", ""),
        "ed": ("unknown", "Ed25519 is not verified without the library PyNaCl"),
    }
    assert found.dmarc == "pass"


def test_without_pynacl_an_ed25519_signature_alone_is_no_failure_of_dmarc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dkim, "nacl", None, raising=False)
    monkeypatch.delattr(dkim, "nacl")
    found = judged(FORGED.replace(b"rsa-sha256", b"ed25519-sha256").replace(b"s=s1", b"s=ed") % (b"", b"") + REST)
    assert found.dmarc == "unknown"
