# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each instance looks like after the rollout, its repetition and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing as t

import pytest
from harness import CHECKOUT, Lab

LIVE = "/home/mastodon/live"
ENV_FILE = f"{LIVE}/.env.production"
FIRST = f"{ENV_FILE}.before-smtp"
MAIL = re.compile(r"^(export +)?(BULK_)?SMTP_[A-Z_]+ *=")


@pytest.fixture(scope="module")
def wanted(host: t.Any) -> dict[str, t.Any]:
    name = host.backend.get_hostname()
    return {"name": name, **Lab().variables[name]}


def test_the_relay_of_the_inventory_is_in_the_file(host: t.Any, wanted: dict[str, t.Any]) -> None:
    lines = host.file(ENV_FILE).content_string.splitlines()
    assert f"SMTP_SERVER={wanted['mastodon_smtp_host']}" in lines
    assert f"SMTP_PORT={wanted['mastodon_smtp_port']}" in lines
    assert [line for line in lines if line.startswith(("SMTP_TLS=", "SMTP_SSL="))] == []


def test_every_line_that_is_not_ours_is_still_there_in_order(host: t.Any) -> None:
    def foreign(path: str) -> list[str]:
        return [line for line in host.file(path).content_string.splitlines() if not MAIL.match(line)]

    assert foreign(ENV_FILE) == foreign(FIRST)
    assert len(foreign(ENV_FILE)) > 60


@pytest.mark.parametrize("path", [ENV_FILE, FIRST, f"{ENV_FILE}.last-smtp"])
def test_file_and_backups_belong_to_mastodon_and_are_closed_to_others(host: t.Any, path: str) -> None:
    file = host.file(path)
    assert (file.user, file.group) == ("mastodon", "mastodon")
    assert file.mode == host.file(ENV_FILE).mode
    assert file.mode & 0o007 == 0


def test_web_and_sidekiq_run_on_the_new_file_and_streaming_was_left_alone(host: t.Any) -> None:
    edited = float(host.check_output(f"stat -c %.Y {ENV_FILE}"))
    for unit, restarted in (("mastodon-web", True), ("mastodon-sidekiq", True), ("mastodon-streaming@4000", False)):
        assert host.service(unit).is_running
        pid = host.check_output(f"systemctl show -p MainPID --value {unit}")
        elapsed = float(host.check_output(f"ps -o etimes= -p {pid}"))
        started = float(host.check_output("date +%s")) - elapsed
        # ps counts whole seconds
        assert (started > edited - 1.5) is restarted, unit


def test_the_password_is_nowhere_but_in_the_file_and_its_backup(wanted: dict[str, t.Any]) -> None:
    password = str(wanted["mastodon_smtp_password"])
    assert Lab().places_of(wanted["name"], password) == [ENV_FILE]


@pytest.mark.parametrize("mailbox", ["mastodon_smtp_test_recipient", "mastodon_smtp_test_account"])
def test_the_mail_arrived_exactly_once(wanted: dict[str, t.Any], mailbox: str) -> None:
    """The test message that Rails sent itself, and the password reset that Sidekiq delivered."""
    done = subprocess.run(
        [
            sys.executable,
            str(CHECKOUT / "lab" / "mailboxes.py"),
            "list",
            "--mailbox",
            wanted[mailbox],
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    mine = [one for one in json.loads(done.stdout) if one["From"] == wanted["mastodon_smtp_from_address"]]
    assert len(mine) == 1, done.stdout
