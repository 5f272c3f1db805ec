# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""masto3, put back after what a test does to it."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from compose_host import NAME, PROJECT, ComposeHost
from harness import Lab


@pytest.fixture(scope="session")
def fresh(lab: Lab) -> ComposeHost:
    """The host in its first state, once for all tests."""
    lab.reset(NAME)
    return ComposeHost(lab)


@pytest.fixture
def host(fresh: ComposeHost) -> ComposeHost:
    """The host to look at."""
    return fresh


@pytest.fixture
def disturbed(fresh: ComposeHost) -> t.Iterator[ComposeHost]:
    """The host, whose project's files are put back afterwards. What was made anew meanwhile is said by the test."""
    fresh.ssh("rm -rf /root/kept && cp -a /srv/mastodon /root/kept")
    yield fresh
    fresh.ssh("rm -rf /srv/mastodon && mv /root/kept /srv/mastodon")


#: Where the user fedi has a project, and how its commands reach this user's own Engine.
HOME = "/home/fedi"
OWN_ENGINE = f"runuser -u fedi -- env HOME={HOME} DOCKER_HOST=unix:///run/user/1002/docker.sock"
#: Not docker info: with no Engine there it has succeeded all the same since Docker 26.
ANSWERS = OWN_ENGINE + ' docker version --format "{{.Server.Version}}"'
#: From root's Engine into that of fedi: there is no registry.
IMAGES = "ghcr.io/mastodon/mastodon:v4.4.8 ghcr.io/mastodon/mastodon-streaming:v4.4.8"
MOVE_IN = f"""set -e
systemctl start docker-fedi
timeout 60 sh -c 'until {ANSWERS} > /dev/null 2>&1; do sleep 0.3; done' || {{
  echo "The Engine of fedi does not answer after 60 s:" >&2
  {ANSWERS}
}}
if ! {OWN_ENGINE} docker image inspect {IMAGES} > /dev/null 2>&1; then
  docker save {IMAGES} | {OWN_ENGINE} docker load --quiet
fi
rm -rf {HOME}/mastodon && cp -a {PROJECT} {HOME}/mastodon
cat > {HOME}/mastodon/docker-compose.override.yml
chown -R fedi:fedi {HOME}/mastodon && cd {HOME}/mastodon
{OWN_ENGINE} docker compose up --detach --force-recreate --timeout 2 2>&1
"""


@pytest.fixture(scope="session")
def rootless(fresh: ComposeHost) -> t.Iterator[ComposeHost]:
    """A project with two Sidekiq services on the rootless Engine of a user, beside the one of root's Engine."""
    override = Path(__file__).with_name("rootless.override.yml").read_text()
    fresh.ssh(MOVE_IN, stdin=override)
    yield fresh.at(project=f"{HOME}/mastodon", engine=OWN_ENGINE, login={"ansible_user": "fedi"})
    fresh.ssh(f"cd {HOME}/mastodon && {OWN_ENGINE} docker compose down --timeout 1 2>&1; systemctl stop docker-fedi")
