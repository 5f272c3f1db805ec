# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step mail_arrival_info against servers on loopback; tests/integration/arrival has a real Dovecot."""

from __future__ import annotations

import base64
import json
import resource
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path
from types import SimpleNamespace

import dkim
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.fediops.mastodon.plugins.action import mail_arrival_info as step_file
from ansible_collections.fediops.mastodon.plugins.modules import mail_arrival_info as documented
from ansible_collections.fediops.mastodon.plugins.plugin_utils._arrival import libraries, look
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._arrival import imap_loopback
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._arrival.imap_loopback import (
    ARRIVED,
    LOGIN,
    PASSWORD,
    Message,
    Server,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns import dns_loopback

ID = "6928b1c0.1@social.example"
SECRET = rsa.generate_private_key(public_exponent=65537, key_size=1024)
PRIVATE = SECRET.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
PUBLIC = base64.b64encode(
    SECRET.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
ZONE: dict[str, list[tuple[str, str]]] = {
    "social.example": [("TXT", "v=spf1 ip4:192.0.2.25 -all")],
    "_dmarc.social.example": [("TXT", "v=DMARC1; p=reject")],
    "s1._domainkey.social.example": [("TXT", f"v=DKIM1; k=rsa; p={PUBLIC}")],
    "s1._domainkey.relay.example": [("TXT", f"v=DKIM1; k=rsa; p={PUBLIC}")],
    "relay.example": [("TXT", "v=spf1 ip4:192.0.2.25 -all")],
}
HOP = (
    "Received: from mx.example.com by mx.example.com with LMTP id 1; Sun, 29 Nov 2026 10:00:00 +0000\r\n"
    "{results}"
    "Received: from relay.example (relay.example [{address}]) (using TLSv1.3 with cipher X)\r\n"
    "\tby mx.example.com (Postfix) with {protocol} id 2; Sun, 29 Nov 2026 10:00:00 +0000\r\n"
)
GOOD_RESULTS = (
    "Authentication-Results: mx.example.com; dkim=pass header.d=social.example header.s=s1;\r\n"
    "\tspf=pass smtp.mailfrom=bounce@social.example; dmarc=pass header.from=social.example\r\n"
)


def mail(
    *,
    message_id: str = ID,
    sender: str = "social.example",
    signs: str = "social.example",
    path: str = "bounce@social.example",
    address: str = "192.0.2.25",
    results: str = GOOD_RESULTS,
    extra: str = "",
    body: str = "Hello\r\n",
    altered: bool = False,
    protocol: str = "ESMTPS",
) -> bytes:
    """A mail as it lies in a mailbox."""
    text = f"From: Mastodon <n@{sender}>\r\nTo: {LOGIN}\r\nMessage-ID: <{message_id}>\r\n{extra}\r\n{body}"
    signature = b""
    if signs:
        signature = dkim.sign(text.encode(), b"s1", signs.encode(), PRIVATE, include_headers=[b"from", b"message-id"])
    top = f"Return-Path: <{path}>\r\n" + HOP.format(results=results, address=address, protocol=protocol)
    if altered:
        text += "altered\r\n"
    return top.encode() + signature + text.encode()


def step(port: int, dns_port: int = 9, *, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    box = {"host": "127.0.0.1", "port": port, "tls": "none", "login": LOGIN, "password": PASSWORD}
    arguments = {
        "mailboxes": [{**box, **options.pop("box", {})}],
        "messages": [{"message_id": ID, "name": "test message", "sent": str(ARRIVED - 3)}],
        "timeout": 3,
        "nameservers": ["127.0.0.1"],
        "dns_port": dns_port,
        "fail_on": "never",
        **options,
    }
    task = SimpleNamespace(
        args=arguments, async_val=0, check_mode=check_mode, diff=True, environment=[], action="x", no_log=False
    )
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    made = step_file.ActionModule(
        task, connection, SimpleNamespace(check_mode=check_mode), DataLoader(), Templar(DataLoader()), None
    )
    assert "s3cr3t" not in str(task.args)  # nothing that prints the task has the password
    result: dict[str, t.Any] = made.run(task_vars={})
    text = json.dumps(result, ensure_ascii=False)
    assert "\x1b" not in text and "s3cr3t" not in text
    return result


@pytest.fixture
def names() -> t.Iterator[int]:
    with dns_loopback.Server(dns_loopback.zone(ZONE)) as running:
        yield running.port


def codes(result: dict[str, t.Any]) -> list[str]:
    return [one["code"] for one in result["findings"]]


def arrive(names: int, text: bytes, **options: t.Any) -> dict[str, t.Any]:
    with Server({"INBOX": [Message(text)], "Junk": []}) as server:
        return step(server.port, names, **options)


def test_a_good_mail(names: int) -> None:
    result = arrive(names, mail())
    (one,) = result["arrivals"]
    assert (codes(result), result["all_arrived"], "failed" in result) == ([], True, False)
    assert (one["mailbox"], one["folder"], one["junk"], one["seconds"]) == (LOGIN, "INBOX", False, 3.0)
    assert one["receiver"]["authserv_id"] == "mx.example.com"
    assert [one["receiver"][name] for name in ("spf", "dkim", "dmarc", "arc")] == ["pass", "pass", "pass", ""]
    judged = one["judged"]
    assert [each["verdict"] for each in judged["dkim"]] == ["pass"]
    assert (judged["spf"]["verdict"], judged["spf"]["address"]) == ("pass", "192.0.2.25")
    assert (judged["dmarc"], judged["policy"], judged["aligned"]) == ("pass", "reject", ["spf", "dkim"])
    assert (one["last_hop"]["tls"], one["last_hop"]["version"]) == (True, "TLSv1.3")


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"signs": "", "results": ""}, ["arrival-dkim-missing"]),
        ({"altered": True, "results": ""}, ["arrival-dkim-broken"]),
        ({"signs": "relay.example", "results": ""}, ["arrival-dkim-other-domain"]),
        ({"address": "192.0.2.99", "results": ""}, ["arrival-spf-fail"]),
        ({"signs": "relay.example", "path": "b@relay.example", "results": ""},
         ["arrival-dmarc-fail", "arrival-dkim-other-domain"]),
        ({"signs": "", "path": "b@relay.example", "results": ""}, ["arrival-dmarc-fail", "arrival-dkim-missing"]),
        ({"results": GOOD_RESULTS.replace("dmarc=pass", "dmarc=fail")}, ["arrival-dmarc-fail"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it(names: int, about: dict[str, t.Any], expected: list[str]) -> None:
    assert codes(arrive(names, mail(**about))) == expected


def test_a_dmarc_failure_says_what_is_not_aligned(names: int) -> None:
    result = arrive(names, mail(signs="relay.example", path="b@relay.example", results=""))
    words = result["findings"][0]["message"]
    assert "SPF: pass for relay.example, not aligned." in words
    assert "DKIM: pass for relay.example, not aligned." in words


def test_in_junk_and_late(names: int) -> None:
    store = {"INBOX": [], "Werbung": [Message(mail(extra="X-Spam-Status: Yes, score=9\r\n"))]}
    with Server(store, flags={"Werbung": r"\HasNoChildren \Junk"}) as server:
        result = step(server.port, names, late_after=1)
    assert codes(result) == ["mail-in-junk", "mail-late"]
    assert "x-spam-status: Yes, score=9" in result["findings"][0]["message"]
    assert result["arrivals"][0]["folder"] == "Werbung"


def test_it_waits_and_says_what_did_not_arrive(monkeypatch: pytest.MonkeyPatch, names: int) -> None:
    monkeypatch.setattr(look, "PAUSE", 0.1)
    store: imap_loopback.Store = {"INBOX": [Message(mail(message_id=f"x{ID}"))]}
    with Server(store) as server:
        began = time.monotonic()
        result = step(server.port, names, timeout=1, fail_on="error")
    assert time.monotonic() - began < 10
    assert (codes(result), result["failed"], result["all_arrived"]) == (["mail-not-arrived"], True, False)
    assert server.asked.count("UID SEARCH") > 3


def test_one_message_to_two_people_has_to_arrive_at_both(monkeypatch: pytest.MonkeyPatch, names: int) -> None:
    monkeypatch.setattr(look, "PAUSE", 0.1)
    wanted = [{"message_id": ID, "to": to} for to in ("a@example.com", "b@example.com")]
    with Server({"INBOX": [Message(mail())]}) as has, Server({"INBOX": []}) as lacks:
        boxes = [
            {"host": "127.0.0.1", "port": port, "tls": "none", "login": LOGIN, "password": PASSWORD, "address": to}
            for port, to in ((has.port, "a@example.com"), (lacks.port, "B@Example.com"))
        ]
        result = step(9, names, mailboxes=boxes, messages=wanted, timeout=1)
        assert [one["arrived"] for one in result["arrivals"]] == [True, False]
        assert [(one["code"], one["subject"]) for one in result["findings"]] == [
            ("mail-not-arrived", "mail to b@example.com")
        ]


def test_a_mail_without_a_mailbox_is_said_to_be_unseen(names: int) -> None:
    with Server({"INBOX": [Message(mail())]}) as server:
        result = step(server.port, names, messages=[{"message_id": ID}, {"message_id": ID, "to": "b@example.com"}])
        assert [(one["code"], one["subject"]) for one in result["findings"]] == [
            ("arrival-unjudged", "mail to b@example.com")
        ]
        assert ([one["to"] for one in result["arrivals"]], result["all_arrived"]) == ([""], False)
        asked = len(server.asked)
        step(server.port, names, messages=[{"message_id": ID, "to": "b@example.com"}])
        assert len(server.asked) == asked


def test_what_arrived_before_it_was_sent_is_not_it(names: int) -> None:
    with Server({"INBOX": [Message(mail(), "28-Nov-2026 10:00:00 +0000")]}) as server:
        assert codes(step(server.port, names, timeout=1)) == ["mail-not-arrived"]


def test_a_forged_id_changes_nothing(names: int) -> None:
    forged = mail(sender="evil.example", signs="", path="x@evil.example", results="")
    later = [Message(forged, f"29-Nov-2026 10:{minute:02d}:00 +0000") for minute in range(1, 31)]
    with Server({"INBOX": [Message(mail()), *later], "Junk": []}) as server:
        result = step(server.port, names, cleanup=True)
    assert codes(result) == ["arrival-id-reused"]
    assert result["arrivals"][0]["judged"]["from_domain"] == "social.example"
    assert server.deleted == [("INBOX", 1)]


def test_no_mailbox_waits_for_another(monkeypatch: pytest.MonkeyPatch, names: int) -> None:
    monkeypatch.setattr(look, "PAUSE", 0.1)
    with Server({"INBOX": []}) as empty, Server({"INBOX": [Message(mail())]}) as server:
        ports = {f"{number}@example.com": empty.port for number in range(12)} | {"last@example.com": server.port}
        boxes = [
            {"host": "127.0.0.1", "port": port, "tls": "none", "login": LOGIN, "password": PASSWORD, "address": to}
            for to, port in ports.items()
        ]
        wanted = [{"message_id": ID, "to": to} for to in ports]
        result = step(9, names, mailboxes=boxes, messages=wanted, timeout=3)
    assert [one["to"] for one in result["arrivals"] if one["arrived"]] == ["last@example.com"]


def test_a_folder_that_shows_all_mail_is_no_second_message(names: int) -> None:
    store = {"All": [Message(mail())], "INBOX": [Message(mail())]}
    text = store["INBOX"][0]
    store["All"] = [text]
    with Server(store, flags={"All": r"\All"}) as server:
        result = step(server.port, names)
    assert (codes(result), result["arrivals"][0]["folder"]) == ([], "INBOX")


def test_forged_results_are_not_believed(names: int) -> None:
    """They are below the header with which the receiver took the mail, so the sender may have written them."""
    forged = GOOD_RESULTS.replace("dkim=pass", "dkim=pass (forged)")
    text = mail(signs="", path="b@relay.example", results="", extra=forged)
    result = arrive(names, text)
    assert codes(result) == ["arrival-dmarc-fail", "arrival-dkim-missing"]
    assert result["arrivals"][0]["receiver"]["authserv_id"] == ""
    above = arrive(names, mail(results=GOOD_RESULTS.replace("pass", "fail"), extra=forged))
    assert above["arrivals"][0]["receiver"]["dmarc"] == "fail"
    named = arrive(names, mail(results="", extra=GOOD_RESULTS), box={"authserv_id": "MX.example.com"})
    assert named["arrivals"][0]["receiver"]["dmarc"] == "pass"
    other = arrive(names, mail(), box={"authserv_id": "mx.other.example"})
    assert other["arrivals"][0]["receiver"]["why"] == "No Authentication-Results is from mx.other.example."


def test_bulk_mail_needs_one_click(names: int) -> None:
    wanted = [{"message_id": ID, "name": "bulk mail", "bulk": True}]
    assert codes(arrive(names, mail(), messages=wanted)) == ["arrival-unsubscribe-missing"]
    extra = "List-Unsubscribe: <https://social.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    assert codes(arrive(names, mail(extra=extra), messages=wanted)) == []


def test_without_tls(names: int) -> None:
    text = mail(protocol="ESMTP").replace(b" (using TLSv1.3 with cipher X)", b"")
    assert codes(arrive(names, text)) == ["arrival-without-tls"]


@pytest.mark.parametrize(
    ("options", "deletes"), [({"cleanup": True}, True), ({}, False), ({"cleanup": True, "check_mode": True}, False)]
)
def test_only_cleanup_deletes(names: int, options: dict[str, t.Any], deletes: bool) -> None:
    with Server({"INBOX": [Message(mail())]}) as server:
        result = step(server.port, names, **options)
    assert (bool(server.deleted), result["arrivals"][0]["deleted"]) == (deletes, deletes)


def test_nothing_is_deleted_without_uidplus(names: int) -> None:
    with Server({"INBOX": [Message(mail())]}, capabilities="IMAP4rev1 AUTH=PLAIN") as server:
        result = step(server.port, names, cleanup=True)
    assert "UID STORE" not in server.asked and result["arrivals"][0]["deleted"] is False


@pytest.mark.parametrize("refused", ["UID STORE INBOX", "UID EXPUNGE INBOX", "SELECT INBOX"])
def test_what_a_server_did_not_delete_is_not_deleted(names: int, refused: str) -> None:
    with Server({"INBOX": [Message(mail())]}, answers={refused: "NO [NOPERM] no"}) as server:
        result = step(server.port, names, cleanup=True)
    assert (refused.rpartition(" ")[0] in server.asked, result["arrivals"][0]["deleted"]) == (True, False)
    assert server.deleted == []


@pytest.mark.parametrize("library", sorted(libraries.OPTIONAL))
def test_without_a_library_it_says_what_is_not_judged(
    monkeypatch: pytest.MonkeyPatch, names: int, library: str
) -> None:
    module = libraries.libraries.MODULES[library]
    monkeypatch.setitem(sys.modules, module, None)
    result = arrive(names, mail())
    assert codes(result) == ["arrival-unjudged"]
    finding = result["findings"][0]
    assert (
        finding["message"].startswith(libraries.OPTIONAL[library][1]) and f"library {library} is" in finding["message"]
    )
    assert "pip install" in finding["fix"]
    assert result["all_arrived"] is True


def test_it_can_be_imported_without_its_libraries() -> None:
    program = (
        "import sys\n"
        "for name in ('dns', 'spftrace', 'idna', 'authres', 'dkim'): sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(Path(step_file.__file__).parents[5])!r})\n"
        "from ansible_collections.fediops.mastodon.plugins.action import mail_arrival_info\n"
        "print(mail_arrival_info.ActionModule.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "ActionModule"), done.stderr


FAULTS: dict[str, tuple[str, imap_loopback.Fault]] = {
    "silent greeting": ("greeting", imap_loopback.silent),
    "dripping greeting": ("greeting", imap_loopback.dripping),
    "endless line": ("greeting", imap_loopback.endless_line),
    "not IMAP": ("greeting", imap_loopback.nonsense),
    "endless list": ("LIST", imap_loopback.endless_lines),
    "endless search": ("UID SEARCH", imap_loopback.endless_lines),
    "huge message": ("UID FETCH", imap_loopback.huge_literal),
    "silent fetch": ("UID FETCH", imap_loopback.silent),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_out_of_order_ends_in_time_and_memory(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "PAUSE", 0.1)
    command, behaviour = FAULTS[fault]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    with Server({"INBOX": [Message(mail())]}, faults={command: behaviour}) as server:
        result = step(server.port, timeout=2)
    assert time.monotonic() - began < 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024
    assert codes(result) == ["mailbox-unreachable", "mail-not-arrived"]


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        ("EXAMINE INBOX", "it does not open INBOX, and it answers [UNAVAILABLE]."),
        ("UID SEARCH INBOX", "it does not search INBOX, and it answers [UNAVAILABLE]."),
        ("UID SEARCH Junk", "it does not search Junk, and it answers [UNAVAILABLE]."),
        ("UID FETCH INBOX", "it does not show a message in INBOX, and it answers [UNAVAILABLE]."),
    ],
)
def test_what_cannot_be_searched_is_not_called_empty(
    monkeypatch: pytest.MonkeyPatch, refused: str, expected: str
) -> None:
    monkeypatch.setattr(look, "PAUSE", 0.1)
    store = {"INBOX": [Message(mail())] if "FETCH" in refused else [], "Junk": []}
    with Server(store, answers={refused: "NO [UNAVAILABLE] later"}) as server:
        result = step(server.port, timeout=1)
    assert codes(result) == ["mailbox-unreachable", "mail-not-arrived"]
    assert result["findings"][0]["message"].endswith(expected)
    assert "no mailbox that could be searched" in result["findings"][1]["message"]


def test_a_folder_that_nobody_may_open_is_left_out(names: int) -> None:
    with Server({"INBOX": [Message(mail())], "Shared": []}, answers={"EXAMINE Shared": "NO [NOPERM] no"}) as server:
        assert codes(step(server.port, names)) == []


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "PAUSE", 0.1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    result = step(port)
    assert codes(result) == ["mailbox-unreachable", "mail-not-arrived"]
    assert "Connection refused" in result["findings"][0]["message"]


def test_a_refused_login_is_not_tried_again() -> None:
    with Server({"INBOX": []}) as server:
        result = step(server.port, box={"password": "other s3cr3t"})
    assert codes(result) == ["mailbox-login-refused", "mail-not-arrived"]
    assert server.asked.count("AUTHENTICATE") == 1
    words = f"127.0.0.1 port {server.port} refuses the login: it answers [AUTHENTICATIONFAILED]."
    assert result["findings"][0]["message"] == words


@pytest.mark.parametrize(
    ("command", "answer", "capabilities", "expected"),
    [
        ("AUTHENTICATE", "NO [ALERT] you sent {given}", "AUTH=PLAIN", "it answers [ALERT]."),
        ("AUTHENTICATE", "NO [s3cr3t] you sent {given}", "AUTH=PLAIN", "it gives no code for the reason."),
        ("AUTHENTICATE", "BAD you sent s3cr3t {given}", "AUTH=PLAIN", "it gives no code for the reason."),
        ("LOGIN", "NO you sent {given}", "", "it gives no code for the reason."),
        ("LIST", "BAD you sent s3cr3t", "", "it does not answer as an IMAP server."),
        ("LIST", "NO [UNAVAILABLE] you sent s3cr3t", "", "it answers [UNAVAILABLE]."),
    ],
)
def test_nothing_that_a_server_says_is_shown(
    monkeypatch: pytest.MonkeyPatch, command: str, answer: str, capabilities: str, expected: str
) -> None:
    """It knows the password, and may say it: shorter than what is masked, cut off, or as Base64."""
    monkeypatch.setattr(look, "PAUSE", 0.1)
    password = "s3cr3t" if command == "AUTHENTICATE" else PASSWORD
    with Server({"INBOX": []}, answers={command: answer}, capabilities=f"IMAP4rev1 {capabilities}") as server:
        result = step(server.port, box={"password": password}, timeout=1)
    text = json.dumps(result)
    assert "you sent" not in text and server.given[command][:20] not in text and "b'" not in text
    assert result["findings"][0]["message"].endswith(expected)


def test_login_and_password_are_sent_as_they_are(names: int) -> None:
    box = {"login": 'jane "d\\oe', "address": LOGIN}
    with Server({"INBOX": [Message(mail())]}, capabilities="IMAP4rev1 UIDPLUS") as server:
        assert codes(step(server.port, names, box=box)) == []
    assert server.given["LOGIN"] == r'"jane \"d\\oe" "s3cr3t \"pass\\word"'


@pytest.mark.parametrize(
    ("greeting", "capabilities", "tls", "expected"),
    [
        ("PREAUTH", "AUTH=PLAIN", "none", "it says that somebody is logged in already."),
        ("PREAUTH", "AUTH=PLAIN STARTTLS", "starttls", "it says that somebody is logged in already."),
        ("OK", "LOGINDISABLED", "none", "it takes no password on this connection; it may want TLS."),
    ],
)
def test_no_password_is_sent_where_the_server_takes_none(
    monkeypatch: pytest.MonkeyPatch, greeting: str, capabilities: str, tls: str, expected: str
) -> None:
    monkeypatch.setattr(look, "PAUSE", 0.1)
    with Server({"INBOX": []}, capabilities=f"IMAP4rev1 {capabilities}", greeting=greeting) as server:
        result = step(server.port, box={"tls": tls}, timeout=1)
    assert codes(result) == ["mailbox-unreachable", "mail-not-arrived"]
    assert result["findings"][0]["message"].endswith(expected)
    assert not {"AUTHENTICATE", "LOGIN", "STARTTLS"} & set(server.asked)


def test_starttls_is_never_left_out() -> None:
    with Server({"INBOX": [Message(mail())]}) as server:
        result = step(server.port, box={"tls": "starttls"})
    assert "STARTTLS" in result["findings"][0]["message"]
    assert "AUTHENTICATE" not in server.asked


@pytest.mark.parametrize(
    "text",
    [
        mail(extra="X: " + "y" * 300_000 + "\r\n"),
        mail(extra="".join(f"Authentication-Results: {'(' * 3000}\r\n" for _one in range(20))),
        mail(results=f"Authentication-Results: mx.example.com; {'(' * 3000}\r\n"),
        mail(extra="DKIM-Signature: v=1; d=\x1b[31m; s=..; b=;" * 30 + "\r\n", signs=""),
        mail(extra="Content-Type: multipart/mixed; boundary=\"\r\n\r\n--\r\n", signs=""),
        mail(body="\0\xff" * 200_000 + "\r\n"),
        mail(signs="").replace(b"From: Mastodon <n@social.example>", b"From: \xff\xfe\x1b <@@@>"),
        mail(body="x" * 5_000_000 + "\r\n", signs=""),
    ],
    ids=["long", "deep", "deep result", "signature", "mime", "binary", "from", "large"],
)  # fmt: skip
def test_a_hostile_message_is_judged_in_time(names: int, text: bytes) -> None:
    began = time.monotonic()
    result = arrive(names, text)
    assert time.monotonic() - began < 8
    assert result["all_arrived"] is True


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"messages": [{"message_id": 'a" BODY'}]}, "messages.message_id"),
        ({"messages": [{"message_id": "a\r\nb@c"}]}, "messages.message_id"),
        ({"messages": [{"message_id": "a@b", "sent": "yesterday"}]}, "messages.sent"),
        ({"since": "never"}, "since"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"late_after": -1}, "late_after"),
        ({"box": {"port": 70000}}, "mailboxes.port"),
        ({"box": {"password": "s3cr3t\r\nA1 DELETE INBOX"}}, "mailboxes.password"),
        ({"box": {"password": ""}}, "mailboxes.password"),
        ({"box": {"ca_file": "/nonesuch"}}, "mailboxes.ca_file"),
        ({"box": {"login": "jane"}}, "mailboxes.address"),
        ({"box": {"address": "example.com"}}, "mailboxes.address"),
    ],
)
def test_what_cannot_be_used_is_a_finding(options: dict[str, t.Any], subject: str) -> None:
    result = step(9, **options)
    assert [(one["code"], one["subject"]) for one in result["findings"]] == [("arrival-option-invalid", subject)]


def test_the_documentation_is_the_argument_spec() -> None:
    def compare(described: dict[str, t.Any], spec: dict[str, t.Any]) -> None:
        assert set(described) == set(spec)
        for name, option in spec.items():
            for key in ("type", "elements", "choices", "default"):
                assert described[name].get(key) == option.get(key), (name, key)
            assert described[name].get("required", False) == option.get("required", False)
            compare(described[name].get("suboptions", {}), option.get("options", {}))

    compare(yaml.safe_load(documented.DOCUMENTATION)["options"], step_file.ActionModule.ARGUMENT_SPEC)


def test_the_documentation_names_what_is_returned(names: int) -> None:
    described = yaml.safe_load(documented.RETURN)
    result = arrive(names, mail())
    assert set(described) == set(result) - {"changed"}
    contains, (one,) = described["arrivals"]["contains"], result["arrivals"]
    assert set(contains) == set(one)
    for name in ("receiver", "judged", "last_hop", "list_unsubscribe"):
        assert set(contains[name]["sample"]) == set(one[name])
