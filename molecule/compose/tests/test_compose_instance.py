# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the instance in containers looks like after the rollout, its repetition and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

import pytest
from compose_host import ENV_FILE, NAME, NOTE, PROJECT, ComposeHost
from harness import CHECKOUT


@pytest.fixture(scope="module")
def host() -> ComposeHost:
    return ComposeHost()


@pytest.fixture(scope="module")
def wanted(host: ComposeHost) -> dict[str, t.Any]:
    return host.variables()


def test_compose_itself_reads_the_relay_of_the_inventory(host: ComposeHost, wanted: dict[str, t.Any]) -> None:
    for service in ("web", "sidekiq"):
        read = host.config(service)
        assert read["SMTP_SERVER"] == wanted["mastodon_smtp_host"]
        assert read["SMTP_LOGIN"] == wanted["mastodon_smtp_login"]
        assert read["SMTP_PASSWORD"] == wanted["mastodon_smtp_password"]
        assert "SMTP_SSL" not in read


def test_the_running_containers_have_what_compose_reads(host: ComposeHost) -> None:
    for service in ("web", "sidekiq"):
        read, running = host.config(service), host.environment(service)
        assert {name for name, value in read.items() if running.get(name) != value} == set()


def test_web_and_sidekiq_were_made_anew_and_the_others_left_alone(host: ComposeHost) -> None:
    before, now = json.loads(NOTE.read_text())["containers"], host.containers()
    assert sorted(now) == sorted(before) == ["redis", "sidekiq", "streaming", "web"]
    assert {name for name in now if now[name] != before[name]} == {"web", "sidekiq"}


def test_every_line_that_is_not_ours_is_still_there_in_order(host: ComposeHost) -> None:
    def foreign(path: str) -> list[str]:
        return [line for line in host.ssh(f"cat {path}").splitlines() if not line.startswith(("SMTP_", "BULK_SMTP_"))]

    assert foreign(ENV_FILE) == foreign(f"{ENV_FILE}.before-smtp")
    assert len(foreign(ENV_FILE)) > 50
    assert (
        host.ssh(f"stat -c '%U %G %a' {ENV_FILE} {ENV_FILE}.before-smtp").split() == ["mastodon", "mastodon", "600"] * 2
    )


def test_the_password_is_in_the_file_and_in_what_docker_keeps_of_the_containers(
    host: ComposeHost, wanted: dict[str, t.Any]
) -> None:
    places = host.lab.places_of(NAME, str(wanted["mastodon_smtp_password"]))
    assert [one for one in places if not one.startswith("/var/lib/docker/containers/")] in ([], [ENV_FILE])
    assert not [one for one in places if one.startswith(("journal", "process"))]


def test_the_test_message_arrived_exactly_once(wanted: dict[str, t.Any]) -> None:
    box = ("--mailbox", wanted["mastodon_smtp_test_recipient"])
    listing = [sys.executable, str(CHECKOUT / "lab" / "mailboxes.py"), "list", *box]
    done = subprocess.run(listing, capture_output=True, text=True, check=True)
    mine = [one for one in json.loads(done.stdout) if one["From"] == wanted["mastodon_smtp_from_address"]]
    assert len(mine) == 1, done.stdout


def test_no_container_was_left_behind(host: ComposeHost) -> None:
    assert len(host.ssh("docker ps --all --quiet").split()) == 4
    assert host.ssh(f"ls -A {PROJECT}").split() == [
        ".env.production",
        ".env.production.before-smtp",
        ".env.production.last-smtp",
        ".env.production.last-smtp.sha256",
        "docker-compose.yml",
    ]
