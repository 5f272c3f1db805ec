# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests a password reset on each instance and shows what happens to the mail.

Usage: today.py [HOST ...]      default: all running instances. A failed mail is removed from Sidekiq's retry set, so
that it does not arrive later. Exits with 1 if an instance could not be asked.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from control import containers, fleet, project
from control.progress import LabError
from mailboxes import Mailboxes

ACCOUNT = "alice@example.com"
#: Fills in the form as a browser does, then looks for the job in Sidekiq's retry set.
PROGRAM = r"""
import json, re, subprocess, sys, time, urllib.error, urllib.parse, urllib.request

domain, account, *redis = sys.argv[1:]


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def ask_for_a_new_password():
    browser = urllib.request.build_opener(Stay)
    page, headers = "http://127.0.0.1:3000/auth/password", {"Host": domain, "X-Forwarded-Proto": "https"}
    form = browser.open(urllib.request.Request(page + "/new", headers=headers))
    headers["Cookie"] = form.headers["Set-Cookie"].split(";")[0]
    token = re.search('name="authenticity_token" value="([^"]+)"', form.read().decode())[1]
    fields = urllib.parse.urlencode({"authenticity_token": token, "user[email]": account}).encode()
    try:
        return browser.open(urllib.request.Request(page, fields, headers)).status
    except urllib.error.HTTPError as answer:
        return answer.code


def failed_jobs():
    listed = subprocess.run([*redis, "zrange", "retry", "0", "-1"], capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


before = failed_jobs()
status = ask_for_a_new_password()
until = time.monotonic() + 8
found = set()
while status == 303 and not found and time.monotonic() < until:
    found = failed_jobs() - before
    time.sleep(0.1)
for job in found:
    subprocess.run([*redis, "zrem", "retry", job], capture_output=True, check=True)
    job = json.loads(job)
    print("does not arrive:", job["error_class"] + ":", job["error_message"].splitlines()[0])
if not found:
    print("no failed job was seen" if status == 303 else f"the form answered {status}")
"""


def ask(machine: fleet.Machine) -> str:
    """What happened to the mail, in one sentence."""
    redis = ["redis-cli"]
    if machine.kind == "compose":
        redis = ["docker", "compose", "--project-directory", project.DIRECTORY, "exec", "-T", "redis", "redis-cli"]
    return containers.execute(machine, "python3", "-c", PROGRAM, f"{machine.name}.test", ACCOUNT, *redis, timeout=60)


def main(arguments: list[str]) -> int:
    running = containers.addresses()
    machines = [one for one in fleet.MACHINES if one.kind != "relay" and one.name in (arguments or running)]
    try:
        boxes = Mailboxes()
        with ThreadPoolExecutor(len(machines) or 1) as pool:
            answers = list(pool.map(ask, machines))
    except (LabError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"\n{ACCOUNT} requests a password reset; the page says that a mail is on its way")
    for machine, answer in zip(machines, answers):
        print(f"  {machine.name}  {answer}")
    print(f"  the mailbox of {ACCOUNT} holds {boxes.counts()[ACCOUNT]} messages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
