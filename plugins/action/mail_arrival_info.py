# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Message-IDs -> what arrived in the receiver's mailbox. Runs on the controller; see the module of the same name."""

from __future__ import annotations

import datetime
import re
import typing as t
from pathlib import Path

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.arrival import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, FindingError
from ansible_collections.fediops.mastodon.plugins.plugin_utils._accepted import EVERY_CODE
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import ControllerStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._arrival import (
    imap,
    judge,
    libraries,
    look,
    message,
    results,
    verdict,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import queries
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.answers import Ask

#: Messages and mailboxes of one task, and the longest wait in seconds.
MOST = 50
LONGEST = 3600
#: Seconds by which the clocks of sender and receiver may differ, and for all DNS queries.
CLOCKS = 120.0
DNS_SECONDS = 40.0

_PORTS = {"implicit": 993, "starttls": 143, "none": 143}
_MESSAGE_ID = re.compile(r"[!#-;=?-\[\]-~]{1,400}")
_BLOCKING: dict[str, tuple[str, ...]] = {"error": ("error",), "warning": ("error", "warning"), "never": ()}


class ActionModule(ControllerStep):
    """The step C(mail_arrival_info)."""

    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]] = {
        "mailboxes": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "host": {"type": "str", "required": True},
                "port": {"type": "int"},
                "tls": {"type": "str", "choices": ["implicit", "starttls", "none"], "default": "implicit"},
                "ca_file": {"type": "path"},
                "verify": {"type": "bool", "default": True},
                "login": {"type": "str", "required": True},
                "password": {"type": "str", "required": True, "no_log": True},
                "address": {"type": "str"},
                "authserv_id": {"type": "str"},
            },
        },
        "messages": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "message_id": {"type": "str", "required": True},
                "to": {"type": "str"},
                "name": {"type": "str", "default": "mail"},
                "sent": {"type": "str"},
                "bulk": {"type": "bool", "default": False},
            },
        },
        "since": {"type": "str"},
        "timeout": {"type": "float", "default": 120.0},
        "late_after": {"type": "float", "default": 300.0},
        "cleanup": {"type": "bool", "default": False},
        "nameservers": {"type": "list", "elements": "str"},
        "dns_port": {"type": "int", "default": 53},
        "fail_on": {"type": "str", "choices": ["error", "warning", "never"], "default": "error"},
    }
    KEY: t.ClassVar[str] = "arrival"
    ACCEPTABLE: t.ClassVar[frozenset[str]] = EVERY_CODE
    #: What a receiver does after the last proof undoes nothing, and fails no rollout.
    STOPS: t.ClassVar[bool] = False
    #: The mailboxes hold the passwords.
    QUIET: t.ClassVar[frozenset[str]] = frozenset({"mailboxes"})

    def linked(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any] | None:  # noqa: ARG002
        """Look for the mails that this run has sent to somebody whose mailbox is given.

        If no mailbox is of any of them, all mails are passed on, so that the step says so.
        """
        boxes = [one for one in options.get("mailboxes") or () if isinstance(one, t.Mapping)]
        reachable = {str(one.get("address") or one.get("login")).lower() for one in boxes}
        sent = self.known.sent_mails
        mails = [one for one in sent if one["to"].lower() in reachable] or sent
        return {**options, "messages": mails} if boxes and mails else None

    def conclude_from(
        self,
        options: dict[str, t.Any],
        task_vars: dict[str, t.Any],  # noqa: ARG002
    ) -> tuple[list[Finding], dict[str, t.Any]]:
        """Find the messages, and judge each that arrived."""
        boxes, wanted = [_box(one) for one in options["mailboxes"]], [_wanted(one) for one in options["messages"]]
        since = _checked(options, boxes, wanted)
        lacking = libraries.missing()
        searched, unseen = _with_a_mailbox(boxes, wanted)
        searches = look.search_all(boxes, searched, since, options["timeout"])
        ask = _ask(options, {one.library for one in lacking})
        findings = [_trouble(one) for one in searches if one.code]
        findings += [TABLE.finding("arrival-unjudged", one.library, one.message, one.fix) for one in lacking]
        findings += [_unseen(one) for one in unseen]
        usable = [one.box.address for one in searches if not one.code]
        shown = []
        for one in searched:
            seen = next((each.seen[one] for each in searches if one in each.seen), None)
            about = {"name": one.name, "message_id": one.message_id, "to": one.to, "deleted": False}
            if seen is None:
                where = [each for each in usable if not one.to or each.lower() == one.to.lower()]
                findings.append(verdict.not_arrived(one, options["timeout"], where))
                shown.append({**about, "arrived": False})
                continue
            arrival = _arrival(one, seen, ask, spf="spftrace" not in {each.library for each in lacking})
            findings += verdict.findings_of(arrival, options["late_after"], judging=ask is not None)
            gone = options["cleanup"] and not self._task.check_mode and look.delete(seen)
            shown.append({**about, **verdict.shown(arrival), "deleted": gone})
        return findings, {"arrivals": shown, "all_arrived": not unseen and all(one["arrived"] for one in shown)}

    def blocking(self, findings: list[Finding], options: dict[str, t.Any]) -> list[Finding]:
        """The findings that C(fail_on) makes blocking."""
        return [one for one in findings if one.severity in _BLOCKING[options["fail_on"]]]


def _with_a_mailbox(
    boxes: t.Sequence[look.Box], wanted: t.Sequence[verdict.Wanted]
) -> tuple[list[verdict.Wanted], list[verdict.Wanted]]:
    """The messages that can be looked for, and those for whose recipient no mailbox is given."""
    unseen = [one for one in wanted if not any(box.may_have(one) for box in boxes)]
    return [one for one in wanted if one not in unseen], unseen


def _unseen(wanted: verdict.Wanted) -> Finding:
    why = f"No mailbox of {wanted.to} is given, so nobody looked for it (Message-ID {wanted.message_id})."
    fix = f"Give the mailbox of {wanted.to}, and its address if the login is another one."
    return TABLE.finding("arrival-unjudged", wanted.subject, why, fix)


def _arrival(wanted: verdict.Wanted, seen: look.Seen, ask: Ask | None, *, spf: bool) -> verdict.Arrival:
    fields = message.fields_of(seen.found.header)
    hop = message.handover(message.hops_of(fields))
    sent = message.date_of(fields) if wanted.sent is None else wanted.sent
    seconds = None if sent is None else max(0.0, seen.found.arrived - sent)
    return verdict.Arrival(
        wanted=wanted,
        mailbox=seen.box.address,
        folder=seen.found.folder.name,
        junk=seen.found.folder.junk,
        seconds=seconds,
        hop=hop,
        receiver=results.read(fields, hop, seen.box.authserv_id),
        judged=judge.judge(fields, seen.text, hop, ask, spf=spf),
        spam=message.spam_headers(fields),
        unsubscribe=message.unsubscribing(fields),
        others=seen.others,
    )


def _trouble(search: look.Search) -> Finding:
    why = search.why
    if search.code == "mailbox-login-refused":
        why = f"{search.box.server.host} port {search.box.server.port} refuses the login: {why}."
    return TABLE.finding(search.code, search.box.address, why)


def _ask(options: dict[str, t.Any], lacking: set[str]) -> Ask | None:
    if "dnspython" in lacking:
        return None
    servers = tuple(options["nameservers"] or queries.system_nameservers())
    return queries.Resolver(queries.Settings(servers, options["dns_port"], lifetime=DNS_SECONDS)).ask


def _box(given: dict[str, t.Any]) -> look.Box:
    server = imap.Server(
        host=given["host"],
        port=_PORTS[given["tls"]] if given["port"] is None else given["port"],
        tls=given["tls"],
        login=given["login"] or "",
        password=given["password"] or "",
        ca_file=given["ca_file"] or "",
        verify=given["verify"],
    )
    return look.Box(given["address"] or given["login"], server, given["authserv_id"] or "")


def _wanted(given: dict[str, t.Any]) -> verdict.Wanted:
    message_id = given["message_id"].strip().strip("<>")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise _invalid(
            "messages.message_id", "A Message-ID has printable ASCII characters only, and no blank or quote."
        )
    sent = _time(given["sent"], "messages.sent")
    return verdict.Wanted(message_id, given["to"] or "", given["name"], sent, given["bulk"])


def _checked(
    options: dict[str, t.Any], boxes: t.Sequence[look.Box], wanted: t.Sequence[verdict.Wanted]
) -> float | None:
    """The time before which no message is meant.

    :raises FindingError: an option cannot be used.
    """
    if not 0 < len(boxes) <= MOST or len(wanted) > MOST:
        raise _invalid("mailboxes", f"Give 1 to {MOST} mailboxes, and at most {MOST} messages.")
    for box in boxes:
        server = box.server
        if not 0 < server.port < 65536:
            raise _invalid("mailboxes.port", f"{server.port} is not a port.")
        if not server.login or not server.password:
            raise _invalid("mailboxes.password", f"{server.host}: login or password is empty.")
        if not server.login.isprintable() or any(char in server.password for char in "\r\n\0"):
            raise _invalid("mailboxes.password", f"{server.host}: login or password has a line break or NUL.")
        if "@" not in box.address:
            raise _invalid("mailboxes.address", f"{server.host}: {box.address} is no address; set address.")
        if server.ca_file and not Path(server.ca_file).is_file():
            raise _invalid("mailboxes.ca_file", f"{server.ca_file} is not a file on the controller.")
    if not 0 < options["timeout"] <= LONGEST:
        raise _invalid("timeout", f"timeout must be greater than 0 and at most {LONGEST} seconds.")
    if not options["late_after"] > 0:
        raise _invalid("late_after", "late_after must be greater than 0.")
    since = _time(options["since"], "since")
    sent = [one.sent for one in wanted if one.sent is not None]
    if since is None and len(sent) == len(wanted) and sent:
        since = min(sent)
    return None if since is None else since - CLOCKS


def _time(text: str | None, option: str) -> float | None:
    """A time as seconds since 1970, from these or from ISO 8601; without a time zone it is UTC."""
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{1,12}(?:\.\d{1,9})?", text):
            return float(text)
        when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        raise _invalid(option, f'"{text[:50]}" is not a time; give ISO 8601 or seconds since 1970.') from None


def _invalid(option: str, message_text: str) -> FindingError:
    return FindingError(TABLE.finding("arrival-option-invalid", option, message_text))
