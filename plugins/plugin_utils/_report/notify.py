# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A message about a finished run to a webhook: whether one is due, its text, its form, and the delivery.

It has the names of hosts, their states and the codes of findings, and nothing that a host, a relay or DNS has said.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import json
import threading
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from .history import NOT_CHECKED
from .sentences import heading, since, verdict
from .words import HOST_STATES

Document = t.Mapping[str, t.Any]

#: How often it is tried, the pause before the second try (doubled each time), and seconds for all of it.
TRIES = 4
PAUSE = 1.0
SECONDS = 30.0
#: Seconds for one try.
_ONE_TRY = 10.0
#: Hosts that are named; the report has all.
_NAMED = 20
#: Discord refuses a longer content (Execute Webhook: content, up to 2000 characters).
_LONGEST = 1900


@dataclasses.dataclass(frozen=True)
class Message:
    """What is told.

    :ivar tone: good, info, bad or idle, as in the report.
    :ivar data: the same for programs.
    """

    title: str
    lines: tuple[str, ...]
    tone: str
    data: dict[str, t.Any]

    @property
    def text(self) -> str:
        """The lines, within what every receiver takes."""
        text = "\n".join(self.lines)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


@dataclasses.dataclass(frozen=True)
class Request:
    """One HTTP request; its address and headers may be secret."""

    url: str = dataclasses.field(repr=False)
    body: dict[str, t.Any]
    headers: dict[str, str] = dataclasses.field(repr=False, default_factory=dict)
    method: str = "POST"


class Invalid(ValueError):
    """The options cannot be used; the message says why, without the address."""


def due(made: Document, always: bool) -> bool:
    """Whether there is something to tell: what is wrong has changed since the last run that is kept.

    Without an earlier run, it is whether anything is wrong now.
    """
    if always:
        return True
    changes = made.get("since")
    if changes is None:
        return verdict(made)[1] == "bad"
    return bool(changes["new"] or changes["gone"] or any(_turned(host) for host in made["hosts"]))


def _turned(host: Document) -> bool:
    """Whether a host is well and was not, or the other way round; a new host counts if it is not well."""
    earlier = host.get("earlier") or []
    now = _is_bad(host["state"])
    return now != _is_bad(earlier[-1]["state"]) if earlier else now


def _is_bad(state: str) -> bool:
    """Whether a host is not well; one that did not answer is not."""
    return HOST_STATES[state].tone in ("bad", "warn") or state in NOT_CHECKED - {"skipped"}


def message_of(made: Document) -> Message:
    """What to tell about a run."""
    sentence, tone = verdict(made)
    wrong = [(host["name"], HOST_STATES[host["state"]].label) for host in made["hosts"] if _is_bad(host["state"])]
    lines = [sentence, *(f"{name}: {label}" for name, label in wrong[:_NAMED])]
    if len(wrong) > _NAMED:
        lines.append(f"and {len(wrong) - _NAMED} more")
    lines += [f"{lead}: {what}" for lead, what in since(made)]
    data = {
        "title": heading(made),
        "verdict": tone,
        "text": "\n".join(lines),
        "run": {name: made["run"][name] for name in ("purposes", "check_mode", "started", "updated")},
        "totals": {state: count for state, count in made["totals"].items() if count},
        "hosts": [{"name": host["name"], "state": host["state"]} for host in made["hosts"][:500]],
        "since": made.get("since"),
    }
    return Message(heading(made), tuple(lines), tone, data)


def request_of(shape: str, url: str, token: str, message: Message) -> Request:
    """The request for one kind of receiver.

    :param token: sent as Bearer; empty for none.
    :raises Invalid: the address cannot be used.
    """
    at = urllib.parse.urlsplit(url)
    if at.scheme not in ("https", "http") or not at.hostname or not url.isprintable() or " " in url:
        raise Invalid("notify_url must be an address that begins with https:// or http://.")
    if "@" in at.netloc:
        raise Invalid("notify_url must have no name and password before its host. Give a token as notify_token.")
    try:
        _port = at.port
    except ValueError:
        raise Invalid("notify_url must have a number as its port.") from None
    if not token.isprintable() or not token.isascii():
        raise Invalid("notify_token must be printable ASCII.")
    request = _SHAPES[shape](url, at, message)
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    return dataclasses.replace(request, headers={"Content-Type": "application/json; charset=utf-8", **bearer})


def _generic(url: str, _at: urllib.parse.SplitResult, message: Message) -> Request:
    return Request(url, message.data)


def _ntfy(_url: str, at: urllib.parse.SplitResult, message: Message) -> Request:
    """docs.ntfy.sh/publish, "Publish as JSON": to the root, with the topic in the body."""
    root, _slash, topic = at.path.rstrip("/").rpartition("/")
    if not topic:
        raise Invalid("notify_url must end with the topic, as in https://ntfy.example/topic.")
    good = message.tone == "good"
    body = {
        "topic": urllib.parse.unquote(topic),
        "title": message.title,
        "message": message.text,
        "tags": ["white_check_mark" if good else "warning"],
        "priority": 3 if good else 4,
    }
    return Request(urllib.parse.urlunsplit((at.scheme, at.netloc, f"{root}/", at.query, "")), body)


def _matrix(_url: str, at: urllib.parse.SplitResult, message: Message) -> Request:
    """spec.matrix.org, client-server API: PUT .../rooms/{roomId}/send/{eventType}/{txnId}.

    The last part makes a repeated request the same one, so that a retry does not tell it twice.
    """
    path = at.path.rstrip("/")
    if not path.endswith("/send/m.room.message"):
        raise Invalid("notify_url must end with /_matrix/client/v3/rooms/ROOM/send/m.room.message.")
    once = hashlib.sha256(json.dumps(message.data, sort_keys=True).encode()).hexdigest()[:32]
    body = {"msgtype": "m.text", "body": f"{message.title}\n{message.text}", "m.mentions": {}}
    return Request(urllib.parse.urlunsplit((at.scheme, at.netloc, f"{path}/{once}", at.query, "")), body, method="PUT")


def _slack(url: str, _at: urllib.parse.SplitResult, message: Message) -> Request:
    """docs.slack.dev, "Sending messages using incoming webhooks"; Mattermost takes the same.

    The three characters have a meaning there (docs.slack.dev, "Formatting message text", escaping).
    """
    text = f"{message.title}\n{message.text}"
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(char, entity)
    return Request(url, {"text": text})


def _discord(url: str, _at: urllib.parse.SplitResult, message: Message) -> Request:
    """docs.discord.com, Webhook Resource, "Execute Webhook"."""
    content = f"{message.title[:90]}\n{message.text}"
    return Request(url, {"content": content, "allowed_mentions": {"parse": []}})


_SHAPES: dict[str, t.Callable[[str, urllib.parse.SplitResult, Message], Request]] = {
    "generic": _generic,
    "ntfy": _ntfy,
    "matrix": _matrix,
    "slack": _slack,
    "mattermost": _slack,
    "discord": _discord,
}
SHAPES = tuple(_SHAPES)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token, and what happened to the mail, to somebody else."""

    def redirect_request(self, *_given: t.Any, **_more: t.Any) -> None:
        return None


def deliver(request: Request, seconds: float = SECONDS) -> str:
    """Deliver it within some seconds; why it was not, or nothing. The reason does not have the address."""
    outcome = ["no answer in time"]
    # A server that sends an octet now and then would keep a try for longer than its timeout.
    work = threading.Thread(target=_tried, args=(request, time.monotonic() + seconds, outcome), daemon=True)
    work.start()
    work.join(seconds + 1)
    return outcome[0]


def _tried(request: Request, until: float, outcome: list[str]) -> None:
    opener = urllib.request.build_opener(_NoRedirect)
    data = json.dumps(request.body, ensure_ascii=False).encode("utf-8", "replace")
    pause = PAUSE
    for number in range(TRIES):
        left = until - time.monotonic()
        if left <= 0:
            return
        made = urllib.request.Request(request.url, data, request.headers, method=request.method)
        again, why = _one_try(opener, made, min(_ONE_TRY, left))
        outcome[0] = why
        if not again or number == TRIES - 1 or time.monotonic() + pause >= until:
            return
        time.sleep(pause)
        pause *= 2


def _one_try(opener: urllib.request.OpenerDirector, made: urllib.request.Request, seconds: float) -> tuple[bool, str]:
    """Whether to try again, and why it was not delivered."""
    try:
        with opener.open(made, timeout=seconds):
            return False, ""
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 429 or error.code >= 500, f"it answered {error.code}"
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or type(error.reason).__name__
        return True, str(reason)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return True, type(error).__name__
