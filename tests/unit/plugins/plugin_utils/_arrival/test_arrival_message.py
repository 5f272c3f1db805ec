# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What headers of a message say, in the forms that large receivers write."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fediops.mastodon.plugins.plugin_utils._arrival import folders, message, results

GMAIL = (
    b"Delivered-To: x@gmail.com\r\n"
    b"Received: by 2002:a05:7000:1 with SMTP id a; Sun, 29 Nov 2026 02:00:01 -0800 (PST)\r\n"
    b"Authentication-Results: mx.google.com;\r\n\tdkim=pass header.i=@social.example header.s=s1 header.b=abc;\r\n"
    b"       spf=pass (google.com: domain of b@relay.example designates 192.0.2.25 as permitted sender) "
    b"smtp.mailfrom=b@relay.example;\r\n"
    b"       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=social.example\r\n"
    b"Received: from mail.relay.example (mail.relay.example. [192.0.2.25])\r\n"
    b"        by mx.google.com with ESMTPS id b\r\n"
    b"        (version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256); Sun, 29 Nov 2026 02:00:00 -0800 (PST)\r\n"
    b"From: n@social.example\r\n\r\n"
)


def hop(received: str) -> message.Hop:
    return message.hops_of(message.fields_of(f"Received: {received}\r\n\r\n".encode()))[0]


def test_a_mail_at_gmail() -> None:
    fields = message.fields_of(GMAIL)
    last = message.handover(message.hops_of(fields))
    assert last is not None
    assert (last.name, last.by, last.address) == ("mail.relay.example", "mx.google.com", "192.0.2.25")
    assert (last.tls, last.version) == (True, "TLSv1.3")
    read = results.read(fields, last)
    assert (read.authserv_id, read.word("spf"), read.word("dkim"), read.word("dmarc")) == (
        "mx.google.com",
        *["pass"] * 3,
    )
    assert [one.domain for one in read.results] == ["social.example", "relay.example", "social.example"]


@pytest.mark.parametrize(
    ("received", "outside", "tls"),
    [
        ("from a.example (a.example [192.0.2.1]) by mx.test (Postfix) with ESMTP id 1; x", True, False),
        ("from a.example (a.example [IPv6:2001:db8::1]) by mx.test with ESMTPSA id 1; x", True, True),
        ("from a.example ([192.0.2.1]) (using TLSv1.2 with cipher X) by mx.test with ESMTP id 1; x", True, True),
        ("from localhost (localhost [127.0.0.1]) by mx.test with ESMTP id 1; x", False, False),
        ("from in.mx.test (in.mx.test [10.0.0.1]) by store.mx.test with ESMTPS id 1; x", False, True),
        ("from mx.test by mx.test with LMTP id 1; x", False, None),
        ("by mx.test with SMTP id 1; x", False, False),
        ("from a.example ([999.1.1.1]) by mx.test with X; x", False, None),
        ("from mail.test ([172.22.1.253]) by b1946ac92492 with LMTP id 1; x", False, None),
        ("from a.example ([172.18.0.1]) by mx.test with ESMTPS id 1; x", None, True),
        ("from a.example ([IPv6:fd00::1]) by mx.test with ESMTPS id 1; x", None, True),
        ("from a.example ([100.64.0.1]) by mx.test with ESMTPS id 1; x", None, True),
        ("from x.mx.test (evil [192.0.2.66]) by mx.test with ESMTPS id 1; x", None, True),
        ("from mail.relay.co.uk ([192.0.2.1]) by mx.receiver.co.uk with ESMTPS id 1; x", None, True),
    ],
)
def test_a_hop(received: str, outside: bool | None, tls: bool | None) -> None:
    assert (hop(received).from_outside, hop(received).tls) == (outside, tls)


FORGED = b"Received: from a.example (a.example [192.0.2.7]) by relay.example with ESMTPS; x\r\n"


@pytest.mark.parametrize(
    "top",
    [
        b"from x.receiver.example (evil [192.0.2.66]) by mx.receiver.example with ESMTPS; x",
        b"from mail.relay.co.uk (mail.relay.co.uk [192.0.2.1]) by mx.receiver.co.uk with ESMTPS; x",
        b"from evil.example ([172.18.0.1]) by mx.receiver.example with ESMTPS; x",
    ],
    ids=["calls itself the receiver's", "same public suffix", "behind NAT"],
)
def test_the_handover_is_above_what_a_sender_may_have_written(top: bytes) -> None:
    forged = b"Authentication-Results: mx.receiver.example; dmarc=pass header.from=a.example\r\n"
    fields = message.fields_of(b"Received: " + top + b"\r\n" + forged + FORGED + b"From: n@a.example\r\n\r\n")
    last = message.handover(message.hops_of(fields))
    assert last is not None and (last.index, last.from_outside) == (0, None)
    assert results.read(fields, last).results == ()


@pytest.mark.parametrize(
    ("header", "domain"),
    [
        (b"From: A <a@Social.Example>\r\n", "social.example"),
        (b"From: a@b.example\r\nFrom: c@d.example\r\n", ""),
        (b"From: nobody\r\n", ""),
        (b"From: <a@\x1b[31m.example>\r\n", ""),
        (b"", ""),
    ],
)
def test_the_from_domain(header: bytes, domain: str) -> None:
    assert message.from_domain(message.fields_of(header + b"\r\n")) == domain


@settings(max_examples=200)
@given(st.binary(max_size=2000))
def test_no_octets_break_the_reading(raw: bytes) -> None:
    fields = message.fields_of(raw)
    message.handover(message.hops_of(fields))
    message.spam_headers(fields)
    results.read(fields, None, "x")
    assert all("\n" not in field.value and len(field.value) <= message.LONGEST_FIELD for field in fields)


#: The parts that Authentication-Results are made of, in any order.
PARTS = st.sampled_from(
    [
        "x",
        ";",
        " ",
        "dkim",
        "=",
        "pass",
        "(",
        ")",
        '"',
        "\\",
        "header",
        ".",
        "d",
        "a.example",
        "@",
        "reason",
        "1",
        "/",
        "é",
    ]
)


@settings(max_examples=500)
@given(st.lists(PARTS, max_size=40).map("".join))
def test_no_results_break_the_reading(text: str) -> None:
    for value in (f"x; {text}", f"x; dkim=pass {text}"):
        field = message.Field("authentication-results", value)
        assert results.read([field], None, "x").authserv_id in ("x", "")


@pytest.mark.parametrize(
    ("listed", "name", "junk"),
    [
        (b'(\\HasNoChildren) "/" "INBOX"', "INBOX", False),
        (b'(\\HasNoChildren \\Junk) "." Werbung', "Werbung", True),
        (b'(\\HasNoChildren) "/" "Mail/Spam"', "Mail/Spam", True),
        (b'() "." "Junk E-mail"', "Junk E-mail", True),
        (b'(\\Trash) "/" "Spam trash"', "Spam trash", False),
        (b'() NIL "a \\"b\\" \\\\c"', 'a "b" \\c', False),
        (b'() "/" "Entw&APw-rfe &- &x"', "Entwürfe & &x", False),
    ],
)
def test_a_folder(listed: bytes, name: str, junk: bool) -> None:
    folder = folders._folder(listed)
    assert folder is not None
    assert (folder.name, folder.junk) == (name, junk)


@pytest.mark.parametrize("listed", [b"", b"x", b'(\\Noselect) "/" "a"', (b'() "/" {3}', b"a\r\n"), b'() "/" ""'])
def test_what_is_no_folder(listed: object) -> None:
    assert folders._folder(listed) is None


@pytest.mark.parametrize("zone", ["-0000", "+0000", "GMT", "", "+0900"])
def test_a_date_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        fields = message.fields_of(f"Date: Sun, 29 Nov 2026 13:00:00 {zone}\r\n\r\n".encode())
        assert message.date_of(fields) == 1795957200 - (9 * 3600 if zone == "+0900" else 0)
    finally:
        monkeypatch.undo()
        time.tzset()
