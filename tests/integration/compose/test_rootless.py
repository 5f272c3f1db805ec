# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance on the rootless Engine of a user, with two Sidekiq services; root's Engine runs another one beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from compose_host import ENV_FILE, NAME, PROJECT, ComposeHost
from harness import Lab

MADE_ANEW = {"web", "sidekiq", "sidekiq-mailers"}


def test_its_owner_finds_it_and_root_is_told_whose_it_is(rootless: ComposeHost) -> None:
    done = rootless.module("instance_info")
    assert not done["failed"], done
    assert [one["code"] for one in done["findings"]] == ["credential-blank"], done  # as Mastodon's own sample has it
    found = done["instance"]
    assert (found["app_dir"], found["env_file"]) == (rootless.project, f"{rootless.project}/.env.production")
    assert (found["release"], found["readers"]) == ("4.4.8", ["compose"])
    roles = {one["name"]: (one["role"], one["state"], one["differs"]) for one in found["services"]}
    assert roles == {
        "web": ("web", "running", []),
        "sidekiq": ("sidekiq", "running", []),
        "sidekiq-mailers": ("sidekiq", "running", []),
        "streaming": ("streaming", "running", []),
    }
    by_root = rootless.at(login={})
    assert by_root.module("instance_info")["instance"]["app_dir"] == PROJECT
    refused = by_root.module("instance_info", app_dir=rootless.project)
    assert [one["code"] for one in refused["findings"]] == ["engine-of-another-user"]
    assert "A rootless Engine of fedi" in refused["msg"] and "ansible_become_user" in refused["msg"]


def test_the_relay_is_tried_from_its_network(rootless: ComposeHost) -> None:
    """By the user who owns it: no root is needed."""
    relay = {"helo_domain": "masto3.test", "auth": "none", "vantage": "instance", "timeout": 5}
    # A name that only the container's network knows.
    there = rootless.module("smtp_relay_info", host="redis", port=6379, tls="none", **relay)
    assert [one["outcome"] for one in there["relay"]["addresses"]] == ["silent"], there
    good = rootless.module("smtp_relay_info", host="smtp.relay.test", port=587, tls="starttls", **relay)
    assert (good["failed"], good["findings"]) == (False, []), good
    assert "in the container" not in str(good["findings"]) and good["relay"]["tls_details"]["verified"]


def test_a_sidekiq_that_ends_on_the_new_settings_brings_everything_back(rootless: ComposeHost) -> None:
    """One of two. The undo makes the containers anew once more, with the old file. Root becomes the owner here."""
    rootless.lab.reset("relay")
    override, file = f"{rootless.project}/docker-compose.override.yml", f"{rootless.project}/.env.production"
    kept = rootless.ssh(f"cat {override}")
    command = "bundle exec sidekiq -q mailers"
    script = f"[ $$SMTP_SERVER = localhost ] && exec {command}; sleep 1; exit 7"
    assert command in kept
    rootless.ssh(f"cat > {override}", stdin=kept.replace(command, json.dumps(["sh", "-c", script])))
    rootless.compose("up --detach --no-deps --timeout 1 sidekiq-mailers")
    before, checksum = rootless.containers(), rootless.ssh(f"sha256sum {file}")
    login = {"ansible_become": True, "ansible_become_user": "fedi"}
    done = rootless.rollout(mastodon_smtp_service_timeout=60, mastodon_smtp_steady=3, **login)
    assert done.status != 0
    flat = " ".join(done.output.split())
    assert "restored byte for byte" in flat and "the services run on it again" in flat, done.output
    assert "sidekiq-mailers" in flat and not re.search(r"Traceback|is undefined", done.output)
    assert rootless.ssh(f"sha256sum {file}") == checksum
    after = rootless.containers()
    assert {name for name in after if after[name] != before[name]} == MADE_ANEW
    assert {rootless.environment(name)["SMTP_SERVER"] for name in MADE_ANEW} == {"localhost"}
    rootless.ssh(f"cat > {override}", stdin=kept)
    rootless.compose("up --detach --no-deps --timeout 1 sidekiq-mailers")


def test_a_fleet_of_both_kinds_in_one_rollout(rootless: ComposeHost, tmp_path: Path) -> None:
    """Two source installs, and the rootless Engine's project, whose password reset goes through its second Sidekiq."""
    lab = Lab()
    lab.reset(*lab.hosts, "relay")
    hosts = [*lab.hosts, NAME]
    before = {host: lab.processes(host) for host in lab.hosts}
    containers, of_root = rootless.containers(), rootless.at(project=PROJECT, engine="").containers()
    as_owner = tmp_path / "login.json"
    as_owner.write_text(json.dumps({"all": {"hosts": {NAME: rootless.login}}}))
    both = "mastodon:mastodon_compose"
    done = lab.rollout("-i", str(as_owner), mastodon_smtp_hosts=both, mastodon_smtp_batches=[1, "100%"])
    assert done.status == 0, done.output
    for host in hosts:
        assert re.search(rf"^{host} +: ok=\d+ +changed=2 .* failed=0", done.output, re.M), done.output
    # Nothing answers the form where this project's web is looked for, so the reset is asked for in Rails: a warning.
    ended = re.findall(r"Done and proved(?:, with 1 warning)?: the mail settings are in place", done.output)
    assert len(ended) == len(hosts), done.output
    # Each in its own way: units restarted, containers made anew, streaming and Redis left alone.
    for host in lab.hosts:
        now = lab.processes(host)
        assert {unit for unit in now if now[unit] != before[host][unit]} == {
            "mastodon-web.service",
            "mastodon-sidekiq.service",
        }
    after = rootless.containers()
    assert {name for name in after if after[name] != containers[name]} == MADE_ANEW
    assert rootless.at(project=PROJECT, engine="").containers() == of_root
    assert lab.ssh(NAME, f"grep ^SMTP_SERVER {ENV_FILE}").strip() == "SMTP_SERVER=localhost"
    # The job was done by the Sidekiq that serves the queue, and followed in its log.
    jobs = re.findall(r"\(job (\S+)\s+of\s+the\s+queue\s+mailers\)", done.output)
    assert len(jobs) == len(hosts), done.output
    logs = {name: rootless.compose(f"logs --no-color {name}") for name in ("sidekiq", "sidekiq-mailers")}
    assert [sum(job in logs[name] for job in jobs) for name in logs] == [0, 1]
