# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of script/demo: for each instance the settings that Rails uses, since when its services run, and its mails.

Usage: evidence.py FILE      FILE: written by lab/demo.yml. Exits with 1 if a message has not arrived.
"""

from __future__ import annotations

import json
import sys
import time
import typing as t
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from mailboxes import Mailboxes

#: Seconds that a message may take from the relay's answer to the mailbox.
PATIENCE = 15.0
SHOWN = ("address", "port", "domain", "authentication", "enable_starttls", "tls", "openssl_verify_mode", "ca_file")
SHOWN_HEADERS = ("Message-ID", "From", "To", "Subject", "Date")


def tell(host: str, result: dict[str, t.Any], boxes: Mailboxes) -> bool:
    """Print one instance; whether every message of it has arrived."""
    print(f"\n{host}: Mastodon {result['release']}, Rails {result['rails']['rails']}, {result['outcome']}")
    settings = result["effective"]["main"]["settings"]
    print("  settings that Rails uses")
    for name in SHOWN:
        if settings.get(name) is not None:
            print(f"    {name:<20} {settings[name]}")
    print(f"    {'from':<20} {result['effective']['from']}")
    print("  services")
    renewed = "recreated" if result["deployment"] == "compose" else "restarted"
    for one in result["services"]:
        what = f"{renewed} by this run" if one["restarted"] else f"not {renewed}"
        print(f"    {one['name']:<31} {one['after']['state']} since {one['after']['since']}  {what}")
    print("  test message in the mailbox behind the relay")
    arrived = bool(result["test_messages"])
    for one in result["test_messages"]:
        found = boxes.find(one["message_id"], one["to"], wait=PATIENCE)
        if found is None:
            print(f"    {one['message_id']} did NOT arrive in {one['to']} within {PATIENCE:.0f} s")
            arrived = False
            continue
        for header in SHOWN_HEADERS:
            print(f"    {header + ':':<12} {found.get(header, '')}")
    if not result["test_messages"]:
        print("    this run sent none, because nothing had changed")
    return tell_queued(result, boxes) and arrived


def tell_queued(result: dict[str, t.Any], boxes: Mailboxes) -> bool:
    """Print the outcome of the mail through the queue; whether it has arrived."""
    queued = result["queued_mail"]
    if queued is None:
        return False
    print(f"  the {'mail' if queued['way'] == 'plain' else 'password reset'} that Sidekiq delivered")
    job = queued["job"]
    print(f"    {'Job:':<12} {job['id']} in the queue {job['queue']}: {queued['outcome']} after {queued['waited']} s")
    found = newest(boxes, queued, result)
    if found is None:
        print(f"    it did NOT arrive in {queued['to']} within {PATIENCE:.0f} s")
        return False
    for header in SHOWN_HEADERS:
        print(f"    {header + ':':<12} {found.get(header, '')}")
    return True


def newest(boxes: Mailboxes, queued: dict[str, t.Any], result: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """The mail of this run: where Rails does not log the Message-ID, by its sender, and sent since the restart."""
    if queued["message_id"]:
        return boxes.find(queued["message_id"], queued["to"], wait=PATIENCE)
    restarted = max(parse(one["after"]["since"]) for one in result["services"] if one["after"]["since"])
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for one in reversed(boxes.messages(queued["to"])):
            if one["From"] == result["effective"]["from"] and parsedate_to_datetime(one["Date"]) >= restarted:
                return one
        time.sleep(0.5)
    return None


def parse(moment: str) -> datetime:
    """ISO 8601 in UTC, as the services have it; Python 3.10 does not know the Z."""
    return datetime.fromisoformat(moment.replace("Z", "+00:00"))


def main() -> int:
    evidence = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    boxes = Mailboxes()
    # Each host is printed, whatever the outcome of the one before.
    verdicts = [tell(host, result, boxes) for host, result in evidence.items()]
    good = sum(verdicts)
    print(f"\nAfter: mail arrives from {good} of {len(verdicts)} servers (test message and password reset)")
    return 0 if good == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
