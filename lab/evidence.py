# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What script/demo ends with: per instance what Rails uses, what runs since when, and the message in the mailbox.

Usage: evidence.py FILE      FILE: what lab/demo.yml kept. Exits with 1 when a message has not arrived.
"""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

from mailboxes import Mailboxes

#: Seconds that a message may take from the relay's answer to the mailbox.
PATIENCE = 15.0
SHOWN = ("address", "port", "domain", "authentication", "enable_starttls", "tls", "openssl_verify_mode", "ca_file")


def tell(host: str, result: dict[str, t.Any], boxes: Mailboxes) -> bool:
    """Print one instance; whether every message of it has arrived."""
    print(f"\n{host}: Mastodon {result['release']}, Rails {result['rails']['rails']}, {result['outcome']}")
    settings = result["effective"]["main"]["settings"]
    print("  settings that Rails really uses")
    for name in SHOWN:
        if settings.get(name) is not None:
            print(f"    {name:<20} {settings[name]}")
    print(f"    {'from':<20} {result['effective']['from']}")
    print("  services")
    for one in result["services"]:
        what = "restarted by this run" if one["restarted"] else "left alone"
        print(f"    {one['name']:<28} {one['after']['state']} since {one['after']['since']}  {what}")
    print("  the message in the mailbox behind the relay")
    arrived = bool(result["test_messages"])
    for one in result["test_messages"]:
        found = boxes.find(one["message_id"], one["to"], wait=PATIENCE)
        if found is None:
            print(f"    {one['message_id']} did NOT arrive in {one['to']} within {PATIENCE:.0f} s")
            arrived = False
            continue
        for header in ("Message-ID", "From", "To", "Subject", "Date"):
            print(f"    {header + ':':<12} {found.get(header, '')}")
    if not result["test_messages"]:
        print("    this run sent none: nothing had changed")
    return arrived


def main() -> int:
    evidence = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    boxes = Mailboxes()
    # Each host is told of, whatever the one before had to say.
    verdicts = [tell(host, result, boxes) for host, result in evidence.items()]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
