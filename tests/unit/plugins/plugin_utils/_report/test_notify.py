# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message to a webhook: when it is due, what it says, its forms, and its delivery to a real server on loopback."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
import typing as t

import pytest
import report_runs as runs
from test_history import OTHER, WARNED, compared, night

from ansible_collections.fediops.mastodon.plugins.plugin_utils._report import notify

TOKEN = "s3cr3t-token"


class Receiver(http.server.ThreadingHTTPServer):
    """Remembers what arrived, and answers with these codes in turn, the last one for ever."""

    def __init__(self, *codes: int, headers: dict[str, str] | None = None) -> None:
        self.codes, self.extra = list(codes or (200,)), headers or {}
        self.got: list[tuple[str, str, str, t.Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Receiver:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.command, self.path, self.headers.get("Authorization", ""), body))
        self.send_response(self.server.codes[min(len(self.server.got), len(self.server.codes)) - 1])
        for name, value in self.server.extra.items():
            self.send_header(name, value)
        self.end_headers()

    do_PUT = do_POST
    do_GET = do_POST

    def log_message(self, *_unused: t.Any) -> None:
        pass


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "PAUSE", 0.01)


GOOD, BAD = night(1, a=[], b=[]), night(1, a=[OTHER], b=[])


@pytest.mark.parametrize(
    ("made", "is_due"),
    [
        (GOOD, False),
        (BAD, True),
        (compared(night(0, a=[], b=[]), BAD), True),
        (compared(night(0, a=[OTHER], b=[]), BAD), False),
        (compared(night(0, a=[OTHER], b=[]), GOOD), True),
        (compared(night(0, a=[], b=[]), GOOD), False),
        (compared(night(0, a=[]), night(1, a=[WARNED])), True),
        (compared(night(0, a=[]), night(1, a=None)), True),
        (compared(night(0, a=None), night(1, a=None)), False),
        (compared(night(0, a=None), night(1, a=[])), True),
        (compared(night(0, a=[]), night(1, a=[], b=[])), False),
        (compared(night(0, a=[]), night(1, a=[], b=None)), True),
    ],
)
def test_it_is_due_when_something_has_changed(made: dict[str, t.Any], is_due: bool) -> None:
    assert notify.due(made, always=False) is is_due
    assert notify.due(made, always=True)


def test_it_names_hosts_and_codes() -> None:
    message = notify.message_of(compared(night(0, a=[WARNED], b=[]), night(1, a=[OTHER], b=[])))
    assert (message.title, message.tone) == ("Mail drift check", "bad")
    assert message.lines[:2] == ("1 of 2 hosts differs from the inventory.", "a: differs")
    assert "New since 2026-09-21 14:13:20 UTC: spf-missing (a)" in message.lines
    assert "Gone: dmarc-missing (a)" in message.lines


def test_a_large_fleet_is_not_a_large_message() -> None:
    message = notify.message_of(night(1, **{f"host{number}": [OTHER] for number in range(300)}))
    assert "and 280 more" in message.lines
    assert len(message.text) < 2000


@pytest.mark.parametrize("hostile", runs.HOSTILE)
def test_nothing_that_somebody_else_said_is_in_it(hostile: str) -> None:
    """A host's name is the operator's own; messages and subjects are not."""
    made = night(1, a=[{**OTHER, "message": hostile, "subject": hostile, "fix": runs.PASSWORD}])
    for shape in notify.SHAPES:
        url = "https://x.example/_matrix/client/v3/rooms/r/send/m.room.message"
        text = json.dumps(notify.request_of(shape, url, "", notify.message_of(made)).body)
        assert json.dumps(hostile)[1:-1] not in text and runs.PASSWORD not in text


ROOM = "/_matrix/client/v3/rooms/!r:x.example/send/m.room.message"


@pytest.mark.parametrize(
    ("shape", "path", "method", "arrives_at", "keys"),
    [
        ("generic", "/hook?x=1", "POST", "/hook?x=1", {"title", "verdict", "text", "run", "totals", "hosts", "since"}),
        ("ntfy", "/mail", "POST", "/", {"topic", "title", "message", "tags", "priority"}),
        ("ntfy", "/below/mail/", "POST", "/below/", {"topic", "title", "message", "tags", "priority"}),
        ("matrix", ROOM, "PUT", f"{ROOM}/", {"msgtype", "body", "m.mentions"}),
        ("slack", "/services/T/B/X", "POST", "/services/T/B/X", {"text"}),
        ("mattermost", "/hooks/x", "POST", "/hooks/x", {"text"}),
        ("discord", "/api/webhooks/1/x", "POST", "/api/webhooks/1/x", {"content", "allowed_mentions"}),
    ],
)
def test_each_receiver_gets_its_form(shape: str, path: str, method: str, arrives_at: str, keys: set[str]) -> None:
    message = notify.message_of(BAD)
    with Receiver() as receiver:
        assert notify.deliver(notify.request_of(shape, receiver.url + path, TOKEN, message)) == ""
    ((got, where, authorization, body),) = receiver.got
    assert (got, authorization, set(body)) == (method, f"Bearer {TOKEN}", keys)
    assert where.startswith(arrives_at) if shape == "matrix" else where == arrives_at
    assert "a: differs" in json.dumps(body)
    assert body.get("topic", "mail") == "mail"


def test_a_retry_at_matrix_is_the_same_message() -> None:
    urls = {notify.request_of("matrix", f"https://x.example{ROOM}", "", notify.message_of(BAD)).url for _try in "ab"}
    other = notify.request_of("matrix", f"https://x.example{ROOM}", "", notify.message_of(GOOD)).url
    assert len(urls) == 1 and other not in urls


def test_slack_and_discord_call_nobody() -> None:
    message = notify.Message("<!channel> & @everyone", ("x",), "bad", {})
    slack = notify.request_of("slack", "https://x.example/y", "", message).body
    assert slack["text"].startswith("&lt;!channel&gt; &amp; ")
    assert notify.request_of("discord", "https://x.example/y", "", message).body["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize(
    ("shape", "url"),
    [
        ("generic", ""),
        ("generic", "file:///etc/passwd"),
        ("generic", "https://x.example/a b"),
        ("ntfy", "https://joe:tok3nsecret@ntfy.example/topic"),
        ("ntfy", "https://tok3nsecret@ntfy.example:443/topic"),
        ("generic", "https://x.example:port/"),
        ("generic", "https://x.example/\r\nX: y"),
        ("ntfy", "https://x.example/"),
        ("matrix", "https://x.example/room"),
    ],
)
def test_an_address_that_cannot_be_used(shape: str, url: str) -> None:
    with pytest.raises(notify.Invalid) as refused:
        notify.request_of(shape, url, "", notify.message_of(BAD))
    assert not url or url not in str(refused.value)


@pytest.mark.parametrize(
    ("codes", "tries", "why"),
    [
        ((503, 429, 200), 3, ""),
        ((500,), notify.TRIES, "it answered 500"),
        ((403,), 1, "it answered 403"),
        ((204,), 1, ""),
    ],
)
def test_it_is_tried_again_when_that_may_help(codes: tuple[int, ...], tries: int, why: str) -> None:
    with Receiver(*codes) as receiver:
        request = notify.request_of("generic", f"{receiver.url}/x", "", notify.message_of(BAD))
        assert notify.deliver(request) == why
    assert len(receiver.got) == tries


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as other, Receiver(307, headers={"Location": f"{other.url}/elsewhere"}) as receiver:
        request = notify.request_of("generic", f"{receiver.url}/x", TOKEN, notify.message_of(BAD))
        assert notify.deliver(request) == "it answered 307"
    assert other.got == []


def test_nobody_listens_and_a_server_that_never_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{TOKEN}"
        began = time.monotonic()
        why = notify.deliver(notify.request_of("generic", url, TOKEN, notify.message_of(BAD)), seconds=1)
        assert why and TOKEN not in why
        assert time.monotonic() - began < 5
    why = notify.deliver(notify.request_of("generic", url, TOKEN, notify.message_of(BAD)))
    assert why == "Connection refused"
    assert TOKEN not in repr(notify.request_of("generic", url, TOKEN, notify.message_of(BAD)))
