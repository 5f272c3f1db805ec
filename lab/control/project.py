# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside of a machine with Docker Compose: its image goes in from here, since there is no registry."""

from __future__ import annotations

import subprocess
import time

from . import fleet, images
from .progress import LabError, capture, step, succeeds

#: What the Compose file calls the image.
NAME = "ghcr.io/mastodon/mastodon"
STREAMING = "ghcr.io/mastodon/mastodon-streaming"
DIRECTORY = "/srv/mastodon"


def ensure(machine: fleet.Machine) -> None:
    """A machine with Docker Compose has the image of today's application, and its project runs."""
    if machine.kind != "compose":
        return
    _wait_for_engine(machine)
    tags = [f"{name}:v{machine.release}" for name in (NAME, STREAMING)]
    if not succeeds("docker", "exec", machine.container, "docker", "image", "inspect", *tags):
        with step(f"copying the image to {machine.name}"):
            _copy_image(images.container(machine).tag, machine)
            for tag in tags:
                capture("docker", "exec", machine.container, "docker", "tag", images.container(machine).tag, tag)
    capture("docker", "exec", machine.container, "sh", "/opt/lab/seed/apply", "project", timeout=180)


def _wait_for_engine(machine: fleet.Machine) -> None:
    until = time.monotonic() + 60
    while not succeeds("docker", "exec", machine.container, "docker", "info"):
        if time.monotonic() > until:
            raise LabError(
                f"the Docker Engine in {machine.name} does not start. See script/lab logs {machine.name} -u docker"
            )
        time.sleep(0.5)


def _copy_image(tag: str, machine: fleet.Machine) -> None:
    save = subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE)
    load = subprocess.run(
        ["docker", "exec", "-i", machine.container, "docker", "load", "--quiet"],
        stdin=save.stdout,
        capture_output=True,
        timeout=300,
        check=False,
    )
    if save.wait() != 0 or load.returncode != 0:
        raise LabError(f"{tag} could not be copied into {machine.name}: {load.stderr.decode(errors='replace').strip()}")


def at_work(machine: fleet.Machine) -> None:
    """LabError unless its Sidekiq takes jobs; web is asked by the health check."""
    capture("docker", "exec", machine.container, "pgrep", "--full", r"^sidekiq [0-9.]+ .*\[[0-9]+ of [0-9]+ busy\]")


#: In a container of its own, which becomes the image of the other release; its tag cannot hold a plus sign.
_RELEASE = """set -e
old=$(sed -n 's,.* image: {name}:,,p' docker-compose.yml | head -n 1)
docker rm --force lab-release > /dev/null 2>&1 || true
docker run --interactive --name lab-release --network none --user 0 --entrypoint env {name}:$old \\
  LAB_APP=/opt/mastodon python3 - {version}
docker commit --change 'USER mastodon' --change 'ENTRYPOINT ["/usr/bin/tini", "--"]' --change 'CMD []' \\
  --change 'LABEL org.opencontainers.image.version="v{version}"' lab-release {name}:{tag} > /dev/null
docker rm lab-release > /dev/null
docker tag {name}:{tag} {streaming}:{tag}
sed -i 's,\\(image: {name}[-a-z]*\\):.*,\\1:{tag},' docker-compose.yml
docker compose up --detach --timeout 2
"""


def release(machine: fleet.Machine, version: str) -> None:
    """Give its instance the image of another release, as an upgrade does. A reset brings back the first one."""
    script = _RELEASE.format(name=NAME, streaming=STREAMING, version=version, tag=f"v{version.replace('+', '-')}")
    program = (fleet.SOURCE / "app/system/usr/local/sbin/lab-release").read_bytes()
    command = ("docker", "exec", "--interactive", "--workdir", DIRECTORY, machine.container, "sh", "-c", script)
    capture(*command, stdin=program, timeout=180)


def unthrottle(machine: fleet.Machine) -> None:
    """Forget how often a password reset was asked for, and which jobs failed."""
    program = (fleet.SOURCE / "app/system/usr/local/sbin/lab-unthrottle").read_bytes()
    compose = ("docker", "compose", "--project-directory", DIRECTORY, "exec", "--no-TTY", "redis", "sh")
    capture("docker", "exec", "--interactive", machine.container, *compose, stdin=program)


def describe(machine: fleet.Machine) -> str:
    """Its services and their state, on one line."""
    listed = capture(
        *("docker", "exec", "--workdir", DIRECTORY, machine.container),
        *("docker", "compose", "ps", "--all", "--format", "{{.Service}} {{.State}} {{.Image}}"),
    )
    services = sorted(line.rsplit(" ", 1)[0] for line in listed.splitlines())
    tags = {line.rsplit(":v", 1)[1] for line in listed.splitlines() if line.startswith("web ")}
    return f"Docker Compose; {', '.join(services)}; Mastodon {', '.join(tags) or machine.release}"
