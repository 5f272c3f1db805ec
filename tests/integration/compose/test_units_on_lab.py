# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units that each run a container with docker run --env-file, in place of the Compose project's web and sidekiq."""

from __future__ import annotations

import typing as t

import pytest
from compose_host import ENV_FILE, NAME, ComposeHost

UNIT = f"""[Service]
ExecStartPre=-/usr/bin/docker rm --force m-%p
ExecStart=/usr/bin/docker run --rm --name m-%p --network mastodon_internal_network --network mastodon_external_network \
 --env-file {ENV_FILE} -v /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro @OPTIONS@ \
 ghcr.io/mastodon/mastodon:v4.4.8 bundle exec @PROGRAM@
ExecStop=/usr/bin/docker stop --time 2 m-%p
Restart=always
[Install]
WantedBy=multi-user.target
"""
#: docker run takes quotes and what follows a value as parts of it.
VERBATIM = f"""sed -i -E "s/^([A-Z0-9_]+)=['\\"](.*)['\\"]$/\\1=\\2/; s/ +#.*//" {ENV_FILE}"""
PROGRAMS = {"masto-web": "puma -C config/puma.rb", "masto-jobs": "sidekiq"}


@pytest.fixture
def units(host: ComposeHost) -> t.Iterator[ComposeHost]:
    host.compose("rm --stop --force web sidekiq streaming 2>&1")
    host.ssh(VERBATIM)
    for name, program in PROGRAMS.items():
        options = "--publish 127.0.0.1:3000:3000" if "web" in name else ""
        text = UNIT.replace("@OPTIONS@", options).replace("@PROGRAM@", program)
        host.ssh(f"cat > /etc/systemd/system/{name}.service", stdin=text)
    host.ssh(f"systemctl daemon-reload && systemctl enable --now --quiet {' '.join(PROGRAMS)}")
    yield host
    remove = "rm -rf /etc/systemd/system/masto-*; systemctl daemon-reload"
    host.ssh(f"systemctl disable --now --quiet {' '.join(PROGRAMS)}; {remove}")
    host.lab.reset(NAME)


def containers(host: ComposeHost) -> dict[str, str]:
    return {name: host.docker(f"inspect --format '{{{{.Id}}}}' m-{name}").strip() for name in PROGRAMS}


def test_units_that_run_containers_are_driven(units: ComposeHost) -> None:
    host, before = units, containers(units)
    done = host.rollout()
    said = " ".join(done.output.split())
    assert done.status == 0 and "Done and proved" in said and "restarted" in said, done.output
    now = containers(host)
    assert all(now[name] != before[name] for name in PROGRAMS)
    given = host.docker("inspect --format '{{json .Config.Env}}' m-masto-jobs")
    assert '"SMTP_SERVER=smtp.relay.test"' in given and '"SMTP_PORT=587"' in given
    found = host.module("instance_info")["instance"]
    assert (found["deployment"], found["env_file"], found["release"]) == ("systemd", ENV_FILE, "4.4.8")
    assert {one["name"]: (one["role"], one["stale"]) for one in found["services"]} == {
        "masto-web.service": ("web", False),
        "masto-jobs.service": ("sidekiq", False),
    }
