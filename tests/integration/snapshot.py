# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a dry run really touched nothing: files, processes and mailboxes, before and after.

Usage: snapshot.py --save | --compare
"""

from __future__ import annotations

import json
import subprocess
import sys

from harness import CHECKOUT, Lab

NOTE = CHECKOUT / ".work" / "molecule-snapshot.json"

#: Everything that could be edited: the whole application, its home, the units. Left out: what the running services
#: write by themselves, and the empty folders that Ansible's own connection makes.
LOOK = (
    "find /home/mastodon /etc/systemd /etc/default -xdev \\( -path '*/live/log' -o -path '*/live/tmp'"
    " -o -path '*/.ansible' -o -name '*.sqlite3*' -o -path '*/.cache' \\) -prune -o"
    " -printf '%p %y %u %g %m %s %T@ %l\\n' | sort; "
    "find /home/mastodon/live -xdev \\( -path '*/live/log' -o -path '*/live/tmp' -o -name '*.sqlite3*' \\) -prune"
    " -o -type f -print0 | sort -z | xargs -0 sha256sum"
)


def look() -> dict[str, object]:
    lab = Lab()
    counts = subprocess.run(
        [sys.executable, str(CHECKOUT / "lab" / "mailboxes.py"), "count"], capture_output=True, text=True, check=True
    )
    return {
        "files": {host: lab.ssh(host, LOOK).splitlines() for host in lab.hosts},
        "processes": {host: lab.processes(host) for host in lab.hosts},
        "mailboxes": counts.stdout.splitlines(),
    }


def main() -> None:
    now = json.loads(json.dumps(look()))
    if sys.argv[1:] == ["--save"]:
        NOTE.write_text(json.dumps(now))
        return
    before = json.loads(NOTE.read_text())
    if now == before:
        print("nothing was touched: files, processes and mailboxes are as before")
        return
    for host in now["files"]:
        for line in sorted(set(before["files"][host]) ^ set(now["files"][host])):
            print(f"{host}: {'gone or changed' if line in before['files'][host] else 'new or changed'}: {line}")
    for key in ("processes", "mailboxes"):
        if before[key] != now[key]:
            print(f"{key}: before {before[key]}\n{key}: now    {now[key]}")
    sys.exit(1)


main()
