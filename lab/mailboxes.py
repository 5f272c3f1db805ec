#!/usr/bin/env python3
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the lab's mailboxes over IMAP: what really arrived behind the relay.

Importable (Mailboxes), and a command:

  lab/mailboxes.py find MESSAGE-ID [--mailbox admin@example.com] [--wait 30]   headers as JSON; exit status 1: not found
  lab/mailboxes.py list [--mailbox admin@example.com]                          headers of all messages, a JSON list
  lab/mailboxes.py count                                                       messages per mailbox as JSON
"""

from __future__ import annotations

import argparse
import contextlib
import email
import email.policy
import imaplib
import json
import sys
import time
import typing as t
from pathlib import Path

WHERE = Path(__file__).resolve().parents[1] / ".work" / "lab" / "mailboxes.json"
#: The headers that show where a message came from and how; "Received" is a list.
HEADERS = ("Message-ID", "From", "To", "Reply-To", "Return-Path", "Subject", "Date")


class Mailboxes:
    """The mailboxes of the lab of this checkout.

    :param where: the file that script/lab up wrote; FileNotFoundError if there is no lab.
    """

    def __init__(self, where: Path = WHERE) -> None:
        self._where = json.loads(where.read_text())

    @property
    def names(self) -> list[str]:
        """The addresses that have a mailbox."""
        return list(self._where["mailboxes"])

    def find(self, message_id: str, mailbox: str, wait: float = 0) -> dict[str, t.Any] | None:
        """The headers of the message with this Message-ID, waiting for it; None if it is not there."""
        wanted = f"<{message_id.strip().strip('<>')}>"
        until = time.monotonic() + wait
        while True:
            for message in self.messages(mailbox, wanted):
                return message
            if time.monotonic() >= until:
                return None
            time.sleep(0.3)

    def messages(self, mailbox: str, message_id: str = "") -> list[dict[str, t.Any]]:
        """The headers of all messages in a mailbox (or of those with a Message-ID), oldest first."""
        with self._opened(mailbox) as connection:
            criteria = f'HEADER Message-ID "{message_id}"' if message_id else "ALL"
            numbers = connection.search(None, criteria)[1][0].split()
            return [_headers(_fetched(connection, number)) for number in numbers]

    def text(self, mailbox: str, message_id: str) -> str:
        """The whole message with this Message-ID, as it was delivered; LookupError if it is not there."""
        with self._opened(mailbox) as connection:
            numbers = connection.search(None, f'HEADER Message-ID "{message_id}"')[1][0].split()
            if not numbers:
                raise LookupError(f"no message {message_id} in {mailbox}")
            return _fetched(connection, numbers[0]).decode(errors="replace")

    def counts(self) -> dict[str, int]:
        """How many messages each mailbox holds."""
        found = {}
        for mailbox in self.names:
            with self._opened(mailbox) as connection:
                found[mailbox] = len(connection.search(None, "ALL")[1][0].split())
        return found

    @contextlib.contextmanager
    def _opened(self, mailbox: str) -> t.Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4(self._where["host"], self._where["port"], timeout=10) as connection:
            connection.login(mailbox, self._where["password"])
            # Read-only: looking leaves no trace, not even a seen flag.
            connection.select("INBOX", readonly=True)
            yield connection


def _fetched(connection: imaplib.IMAP4, number: bytes) -> bytes:
    parts = connection.fetch(number.decode(), "(BODY.PEEK[])")[1]
    return b"".join(part[1] for part in parts if isinstance(part, tuple))


def _headers(raw: bytes) -> dict[str, t.Any]:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    found: dict[str, t.Any] = {name: str(message[name]) for name in HEADERS if message[name] is not None}
    found["Received"] = [str(line) for line in message.get_all("Received", [])]
    return found


def main(arguments: list[str]) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(description="Read the lab's mailboxes over IMAP.")
    actions = parser.add_subparsers(dest="action", required=True)
    finder = actions.add_parser("find", help="the headers of one message as JSON")
    finder.add_argument("message_id")
    finder.add_argument("--wait", type=float, default=0, metavar="SECONDS")
    lister = actions.add_parser("list", help="the headers of all messages of a mailbox as JSON")
    for each in (finder, lister):
        each.add_argument("--mailbox", default="admin@example.com")
    actions.add_parser("count", help="messages per mailbox as JSON")
    options = parser.parse_args(arguments)
    try:
        mailboxes = Mailboxes()
    except FileNotFoundError:
        print("error: the lab is not up. Start it with script/lab up.", file=sys.stderr)
        return 2
    result: t.Any
    if options.action == "find":
        result = mailboxes.find(options.message_id, options.mailbox, options.wait)
    elif options.action == "list":
        result = mailboxes.messages(options.mailbox)
    else:
        result = mailboxes.counts()
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return 1 if result is None else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
