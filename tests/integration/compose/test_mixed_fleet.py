# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rollout over instances from source and in containers."""

from __future__ import annotations

import re

from compose_host import NAME, ComposeHost
from harness import Lab


def test_a_fleet_of_both_kinds_in_one_rollout(lab: Lab) -> None:
    lab.reset()
    hosts = [*lab.hosts, NAME]
    before = {host: lab.processes(host) for host in lab.hosts}
    containers = ComposeHost(lab).containers()
    done = lab.rollout(mastodon_smtp_hosts="fleet", mastodon_smtp_batches=[1, "100%"])
    assert done.status == 0, done.output
    for host in hosts:
        assert re.search(rf"^{host} +: ok=\d+ +changed=2 .* failed=0", done.output, re.M), done.output
    assert done.output.count("Done: the mail settings are in place and in use.") == len(hosts)
    # Each in its own way: units restarted, containers made anew, streaming and Redis left alone.
    for host in lab.hosts:
        now = lab.processes(host)
        assert {unit for unit in now if now[unit] != before[host][unit]} == {
            "mastodon-web.service",
            "mastodon-sidekiq.service",
        }
    after = ComposeHost(lab).containers()
    assert {name for name in after if after[name] != containers[name]} == {"web", "sidekiq"}
