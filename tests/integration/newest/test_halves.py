# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server on two hosts: web on the first, Sidekiq on the second, one Redis between them."""

from __future__ import annotations

import typing as t

import pytest
from harness import ENV_FILE, Lab, Run

WEB, SIDEKIQ = "masto1", Lab.newest
#: The same LOCAL_DOMAIN on both, as the two halves of a server have it.
DOMAIN = "pair.test"


def flat(done: Run) -> str:
    return " ".join(done.output.split())


def rollout(lab: Lab, limit: str, **variables: t.Any) -> Run:
    return lab.rollout("--limit", limit, mastodon_smtp_hosts="fleet", mastodon_smtp_steady=2, **variables)


@pytest.fixture(scope="module")
def halves(lab: Lab) -> t.Iterator[Lab]:
    """A host without Sidekiq, and one without web."""
    lab.reset(WEB, SIDEKIQ)
    address = lab.ssh(SIDEKIQ, "hostname -I").split()[0]
    settings = f"LOCAL_DOMAIN={DOMAIN}\\nREDIS_HOST={address}\\n"
    for host, other in ((WEB, "sidekiq"), (SIDEKIQ, "web")):
        lab.ssh(
            host,
            f"sed -i '/^LOCAL_DOMAIN=/d; /^REDIS_HOST=/d' {ENV_FILE} && printf '{settings}' >> {ENV_FILE} && "
            # One that is too slow to stop is killed, and a failed service counts as one that is meant to run.
            f"systemctl disable --now mastodon-{other};"
            f" ! systemctl --quiet is-failed mastodon-{other} || systemctl reset-failed mastodon-{other}",
        )
    lab.ssh(SIDEKIQ, "redis-cli config set protected-mode no && redis-cli config set bind '* -::*'")
    lab.ssh(WEB, "systemctl restart mastodon-web")
    lab.ssh(SIDEKIQ, "systemctl restart mastodon-sidekiq")
    yield lab
    lab.ssh(SIDEKIQ, "systemctl restart redis-server")
    for host, other in ((WEB, "sidekiq"), (SIDEKIQ, "web")):
        lab.ssh(host, f"systemctl enable mastodon-{other}")
    lab.reset(WEB, SIDEKIQ)


def test_the_roles_are_found(halves: Lab) -> None:
    assert halves.module(WEB, "instance_info")["instance"]["roles"] == ["web"]
    found = halves.module(SIDEKIQ, "instance_info")
    assert found["instance"]["roles"] == ["sidekiq"]
    assert [one["severity"] for one in found["findings"] if one["code"] == "web-elsewhere"] == ["info"]


def test_web_alone_says_who_is_missing(halves: Lab) -> None:
    done = rollout(halves, WEB)
    assert done.status == 0 and "Done: the mail settings are in place and in use." in flat(done), done.output
    assert "Sidekiq runs on another host; the queue is proved there." in flat(done)
    assert f"{WEB} runs no Sidekiq, and no other host of this run proved the queue of {DOMAIN}" in flat(done)


def test_the_pair_proves_the_mail(halves: Lab) -> None:
    done = rollout(halves, f"{WEB},{SIDEKIQ}", mastodon_smtp_send="always")
    assert done.status == 0, done.output
    # Without a form on its host, Rails asks for the reset, and the Sidekiq of the host sends it.
    assert "The password reset for alice@example.com went through the queue" in flat(done)
    assert "runs no Sidekiq, and no other host" not in flat(done)
    assert halves.module(WEB, "instance_info")["instance"]["unproved"] == []


def test_a_service_that_is_stopped_but_meant_to_run_is_no_half(halves: Lab) -> None:
    """An outage must not pass for a division of labour."""
    halves.ssh(SIDEKIQ, "systemctl stop mastodon-sidekiq")
    try:
        found = halves.module(SIDEKIQ, "instance_info")["instance"]["roles"]
        done = halves.module(SIDEKIQ, "queued_mail_check", {"reset": "alice@example.com"})
    finally:
        halves.ssh(SIDEKIQ, "systemctl start mastodon-sidekiq")
    assert found == ["sidekiq"]
    assert done["failed"] and [one["code"] for one in done["findings"]] == ["sidekiq-not-running"]
