# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host where the app's user is somebody else: what he puts into his folder gets nothing of root's."""

from __future__ import annotations

import re
import time
import typing as t

import pytest
from harness import ENV_FILE, LIVE, Lab, Run

HOST = "masto1"
#: Root's own, closed to all others, in the form of an environment file: the worst case.
PRIVATE, SECRET = "/srv/tenant/.env.production", "zq-of-another-tenant-zq"
CAUGHT = "/tmp/caught"
#: The app's user has replaced the program: it keeps all that it is given, and then behaves.
TRAP = f"""#!/usr/bin/env ruby
File.write("{CAUGHT}", [$stdin.read, ENV.to_h, Process.uid].inspect)
"""


def rollout(lab: Lab, *arguments: str, **variables: t.Any) -> Run:
    return lab.rollout("--limit", HOST, *arguments, mastodon_smtp_steady=2, **variables)


def flat(done: Run) -> str:
    return re.sub(r"\s+", " ", done.output)


@pytest.fixture
def hostile(lab: Lab) -> t.Iterator[Lab]:
    lab.reset(HOST)
    lab.ssh(
        HOST,
        f"install -d /srv/tenant && cp {ENV_FILE} {PRIVATE} && chmod 600 {PRIVATE} && chown root: {PRIVATE}"
        f" && echo TENANT_SECRET={SECRET} >> {PRIVATE} && cp -p {ENV_FILE} /root/env.keep"
        f" && cp -p {LIVE}/bin/rails /root/rails.keep && rm -f {CAUGHT}",
    )
    lab.ssh(HOST, f"cat > {LIVE}/bin/rails", stdin=TRAP)
    lab.ssh(HOST, f"runuser -u mastodon -- ln -sf {PRIVATE} {ENV_FILE}")
    yield lab
    lab.ssh(HOST, f"rm -f {ENV_FILE} && cp -p /root/env.keep {ENV_FILE} && cat /root/rails.keep > {LIVE}/bin/rails")
    lab.ssh(HOST, f"rm -rf /srv/tenant /root/env.keep /root/rails.keep {CAUGHT}")
    lab.reset(HOST)


@pytest.mark.parametrize("arguments", [("--check",), ()], ids=["dry-run", "rollout"])
def test_a_file_of_root_is_neither_shown_to_the_apps_user_nor_edited(hostile: Lab, arguments: tuple[str, ...]) -> None:
    before = hostile.ssh(HOST, f"stat -c '%y %i' {PRIVATE}; sha256sum < {PRIVATE}; ls -A /srv/tenant")
    done = rollout(hostile, "-vvvv", *arguments)
    assert done.status != 0
    assert (
        f"{ENV_FILE} is a symbolic link that mastodon created, and it points to {PRIVATE}, which belongs to root"
        in flat(done)
    )
    assert f"chown -h root {ENV_FILE}" in flat(done)
    assert "Done" not in done.output and SECRET not in done.output
    assert SECRET not in hostile.ssh(HOST, f"cat {CAUGHT} 2>/dev/null", check=False)
    assert hostile.ssh(HOST, f"stat -c '%y %i' {PRIVATE}; sha256sum < {PRIVATE}; ls -A /srv/tenant") == before
    assert hostile.ssh(HOST, f"ls -A {LIVE} | grep -c smtp", check=False).strip() == "0"


def test_root_can_vouch_for_the_link_but_a_file_that_he_may_not_read_is_still_not_given_to_him(hostile: Lab) -> None:
    hostile.ssh(HOST, f"chown -h root {ENV_FILE}")
    done = rollout(hostile, "--check")
    assert done.status != 0 and "mastodon may not read it" in flat(done)
    assert SECRET not in hostile.ssh(HOST, f"cat {CAUGHT} 2>/dev/null", check=False)
    found = hostile.module(HOST, "instance_info")["findings"]
    assert [one["message"] for one in found if one["code"] == "link-followed"] == [
        f"It is reached through a symbolic link to {PRIVATE}; that file is read and edited."
    ]


def test_a_pipe_in_the_place_of_the_authorities_hangs_nothing(lab: Lab) -> None:
    lab.ssh(HOST, "mkfifo /etc/ssl/pipe.pem")
    try:
        began = time.monotonic()
        done = rollout(lab, "--check", mastodon_smtp_ca_file="/etc/ssl/pipe.pem")
        assert done.status != 0 and "/etc/ssl/pipe.pem" in done.output and "ca-file-missing" in done.output
        assert "it is not a regular file" in flat(done)
        assert time.monotonic() - began < 120, "that is the time after which the probe gives up"
        assert lab.ssh(HOST, "pgrep -fc smtp_relay_info", check=False).strip() == "0"
    finally:
        lab.ssh(HOST, "rm -f /etc/ssl/pipe.pem")
