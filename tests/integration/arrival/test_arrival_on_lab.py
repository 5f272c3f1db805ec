# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_arrival_info with the lab's Postfix and Dovecot: inbox, junk, never, a forged Message-ID, a full mailbox."""

from __future__ import annotations

import imaplib
import json
import smtplib
import ssl
import time
import typing as t

import pytest
from harness import CHECKOUT, Lab, run

BOX = "dave@example.com"
WHERE = CHECKOUT / ".work" / "lab" / "mailboxes.json"
#: Runs on the relay: 10,000 messages, every other one with the Message-ID that is searched, and one of 50 MB.
FILL = f"""
import os, sys
message_id = sys.stdin.read().strip()
folder = "/var/vmail/{BOX}/cur"
for number in range(10000):
    own = message_id if number % 2 else f"<{{number}}@flood.test>"
    with open(f"{{folder}}/9999999999.{{number}}.x:2,", "w") as file:
        file.write(f"From: a@flood.test\\nMessage-ID: {{own}}\\nDKIM-Signature: v=1; d=x.test\\n\\n{{number}}\\n")
with open(f"{{folder}}/9999999999.large.x:2,", "w") as file:
    file.write(f"Message-ID: {{message_id}}\\n\\n" + "x" * 50_000_000)
"""


def on_relay(command: str, stdin: str = "") -> str:
    done = run(str(CHECKOUT / "script/lab"), "ssh", "relay", command, stdin=stdin)
    assert done.status == 0, done.output
    return done.output


@pytest.fixture
def relay(lab: Lab) -> t.Iterator[dict[str, t.Any]]:
    """Where the mailboxes are; the one of the test is empty before and after."""
    assert lab.variables
    on_relay(f"find /var/vmail/{BOX} -mindepth 1 -delete || true")
    yield json.loads(WHERE.read_text())
    on_relay(f"find /var/vmail/{BOX} -mindepth 1 -delete")


def send(relay: dict[str, t.Any], message_id: str, sender: str, *, tls: bool = True) -> float:
    """Hand a mail to the port that takes mail from everywhere; the time when it took it."""
    with smtplib.SMTP(relay["host"], 25, timeout=20, local_hostname="sender.test") as session:
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            session.starttls(context=context)
        text = f"From: {sender}\r\nTo: {BOX}\r\nMessage-ID: {message_id}\r\nSubject: x\r\n\r\nHello\r\n"
        session.sendmail(sender, [BOX], text)
    return time.time()


def test_what_became_of_mails(lab: Lab, relay: dict[str, t.Any]) -> None:
    box = {"host": relay["host"], "port": relay["port"], "tls": "starttls", "login": BOX, "password": relay["password"]}
    sent = send(relay, "<inbox.1@masto1.test>", "n@masto1.test")
    send(relay, "<junk.1@masto1.test>", "n@masto1.test", tls=False)
    with imaplib.IMAP4(relay["host"], relay["port"], timeout=20) as session:
        session.login(BOX, relay["password"])
        session.create("Junk")
        for _try in range(50):
            session.select("INBOX")
            found = session.search(None, 'HEADER Message-ID "<junk.1@masto1.test>"')[1][0]
            if found:
                break
            time.sleep(0.2)
        session.copy(found, "Junk")
        session.store(found, "+FLAGS", r"(\Deleted)")
        session.expunge()
    time.sleep(1.1)  # Dovecot keeps whole seconds, and the first of two with one Message-ID is meant
    send(relay, "<inbox.1@masto1.test>", "x@evil.test")
    on_relay("python3 -c " + "'" + FILL.replace("'", "'\\''") + "'", "<inbox.1@masto1.test>")
    names = ("inbox", "junk", "never")
    options = {
        "mailboxes": [{**box, "verify": False}],
        "messages": [{"message_id": f"{name}.1@masto1.test", "name": name, "sent": str(sent)} for name in names],
        "timeout": 25,
        "nameservers": ["127.0.0.1"],
        "dns_port": 9,
        "fail_on": "never",
        "cleanup": True,
    }
    began = time.monotonic()
    result = lab.module("masto1", "mail_arrival_info", options)
    assert time.monotonic() - began < 60
    assert not result["failed"], result
    inbox, junk, never = result["arrivals"]
    assert (inbox["arrived"], inbox["folder"], inbox["junk"], inbox["deleted"]) == (True, "INBOX", False, True)
    assert inbox["judged"]["from_domain"] == "masto1.test"
    assert inbox["others_with_this_id"] > 0
    assert (inbox["last_hop"]["from"], inbox["last_hop"]["tls"]) == ("sender.test", True)
    assert 0 <= inbox["seconds"] < 30
    assert (junk["arrived"], junk["folder"], junk["junk"], junk["deleted"]) == (True, "Junk", True, True)
    assert junk["last_hop"]["tls"] is False
    assert never["arrived"] is False
    codes = {one["code"] for one in result["findings"]}
    assert {"mail-in-junk", "mail-not-arrived", "arrival-id-reused", "arrival-without-tls"} <= codes
    left = on_relay(f"ls /var/vmail/{BOX}/cur /var/vmail/{BOX}/new | wc -l; ls /var/vmail/{BOX}/.Junk/cur")
    assert int(left.split()[0]) >= 10_002 and len(left.split()) == 1  # nothing but the two is gone
    untrusting = lab.module("masto1", "mail_arrival_info", {**options, "mailboxes": [box], "timeout": 5})
    assert "is not trusted" in json.dumps(untrusting["findings"])
    refused = lab.module(
        "masto1", "mail_arrival_info", {**options, "mailboxes": [{**box, "verify": False, "password": "wrong"}]}
    )
    assert "mailbox-login-refused" in {one["code"] for one in refused["findings"]}
