# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of a lab and their network: make, start, look at, remove."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import socket
import subprocess
import tarfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import fleet, images, project, seed
from .progress import LabError, capture, step, succeeds

#: On machines that lack CAP_SYS_RESOURCE themselves, --privileged fails, and older Engines must be told to leave that
#: one out; newer ones leave it out by themselves there, and refuse to be told.
WITHOUT_RESOURCE = ("--cap-drop", "SYS_RESOURCE")
#: systemd as PID 1 needs exactly these.
SYSTEMD = (
    *("--cap-add", "ALL", "--cgroupns=private"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--tmpfs", "/run", "--tmpfs", "/run/lock"),
)
UNITS = ("mastodon-web", "mastodon-sidekiq", "mastodon-streaming@4000")


@dataclasses.dataclass(frozen=True)
class State:
    """What Docker says about one container of the lab."""

    running: bool
    image: str
    seed: str
    address: str

    def fits(self, machine: fleet.Machine) -> bool:
        """Whether it was made from today's sources."""
        return self.image == images.final(machine) and self.seed == made_from(machine)


def made_from(machine: fleet.Machine) -> str:
    """What a container is made from besides its own image: it is made anew when that changes."""
    inner = images.container(machine).tag.rsplit(":", 1)[1] if machine.kind == "compose" else ""
    return f"{fleet.SEED_KEY}-{inner}".rstrip("-")


def states() -> dict[str, State]:
    """The lab's containers that exist, by short name."""
    names = capture(
        "docker", "ps", "--all", "--filter", f"label={fleet.LABEL}={fleet.KEY}", "--format", "{{.Names}}"
    ).split()
    if not names:
        return {}
    found = {}
    for detail in json.loads(capture("docker", "inspect", *names)):
        short = detail["Name"].rsplit("-", 1)[1]
        network = detail["NetworkSettings"]["Networks"].get(fleet.NETWORK) or {}
        found[short] = State(
            detail["State"]["Running"],
            detail["Config"]["Image"],
            detail["Config"]["Labels"].get(f"{fleet.LABEL}.seed", ""),
            network.get("IPAddress", ""),
        )
    return found


def ensure(machines: t.Sequence[fleet.Machine]) -> dict[str, str]:
    """These machines run, on the image of today's sources; the addresses of all that run, by name."""
    if not succeeds("docker", "network", "inspect", fleet.NETWORK):
        capture("docker", "network", "create", "--label", f"{fleet.LABEL}={fleet.KEY}", fleet.NETWORK)
    existing = states()
    with ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(lambda machine: _ensure(machine, existing.get(machine.name)), machines))
    found = addresses()
    for machine in machines:
        if machine.name not in found:
            raise LabError(f"{machine.name} exited right after its start. See docker logs {machine.container}")
    return found


def addresses() -> dict[str, str]:
    """The addresses of the machines that run, by name."""
    return {name: state.address for name, state in states().items() if state.running}


def _ensure(machine: fleet.Machine, state: State | None) -> None:
    if state and not state.fits(machine):
        capture("docker", "rm", "--force", "--volumes", machine.container)
        state = None
    if state and state.running:
        project.ensure(machine)
        return
    if not state:
        names = [part for alias in machine.aliases for part in ("--network-alias", alias)]
        options = (
            *("--name", machine.container, "--hostname", machine.name),
            *("--label", f"{fleet.LABEL}={fleet.KEY}", "--label", f"{fleet.LABEL}.seed={made_from(machine)}"),
            *("--network", fleet.NETWORK, *names),
            *SYSTEMD,
        )
        program = (images.final(machine), "/bin/sh", "/usr/local/lib/lab/init")
        try:
            capture("docker", "create", *options, *WITHOUT_RESOURCE, *program)
        except LabError as error:
            if "invalid CapDrop" not in str(error):
                raise
            capture("docker", "create", *options, *program)
    # Before each start, so that a lab whose making was cut short is whole at the next try.
    capture("docker", "cp", "-", f"{machine.container}:/", stdin=_seed_archive(machine))
    capture("docker", "start", machine.container)
    project.ensure(machine)


def _seed_archive(machine: fleet.Machine) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder in ("opt", "opt/lab", "opt/lab/seed"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755 if folder == "opt" else 0o700
            archive.addfile(entry)
        for path in sorted((seed.SEED / machine.name).iterdir()):
            entry = tarfile.TarInfo(f"opt/lab/seed/{path.name}")
            entry.size, entry.mode = path.stat().st_size, path.stat().st_mode & 0o777
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    return packed.getvalue()


def execute(machine: fleet.Machine, *command: str, timeout: float = 120) -> str:
    """Output of a command that root runs in a machine, by way of Docker (the lab's own errands only)."""
    return capture("docker", "exec", machine.container, *command, timeout=timeout)


def wait(addresses: t.Mapping[str, str], seconds: float = 120) -> None:
    """Until every machine answers to SSH, the relay takes mail, and the applications answer their health check."""
    machines = [fleet.machine(name) for name in addresses]
    with step("waiting for the machines to be ready"), ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(lambda machine: _wait(machine, addresses[machine.name], seconds), machines))


def _wait(machine: fleet.Machine, address: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (missing := not_ready(machine, address)) is not None:
        if time.monotonic() > until:
            raise LabError(
                f"{machine.name} is not ready after {seconds:.0f} s: {missing}. See script/lab logs {machine.name}"
            )
        time.sleep(0.5)


def not_ready(machine: fleet.Machine, address: str) -> str | None:
    """What is still missing on a machine, or None."""
    ports = (22, 587, 465, 25, 143) if machine.kind == "relay" else (22,)
    for port in ports:
        try:
            with socket.create_connection((address, port), timeout=2) as connection:
                connection.settimeout(5)
                if port != 465 and not connection.recv(1):
                    return f"port {port} closes the connection immediately"
        except OSError as error:
            return f"port {port} of {address}: {error}"
    if machine.kind != "relay":
        try:
            if machine.kind == "mastodon":
                execute(machine, "systemctl", "is-active", *UNITS)
            else:
                project.at_work(machine)
            execute(machine, "python3", "-c", HEALTH)
        except LabError as error:
            return str(error).splitlines()[-1]
    return None


HEALTH = "import urllib.request as r; assert r.urlopen('http://127.0.0.1:3000/health', timeout=10).read() == b'OK'"


def host_keys() -> dict[str, str]:
    """The public SSH host key of each machine, read from inside: nothing is trusted on first sight."""
    names = {}
    for machine in map(fleet.machine, addresses()):
        fields = execute(machine, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()
        names[machine.name] = " ".join(fields[:2])
    return names


def reset(machine: fleet.Machine) -> None:
    """One machine back to its first state, without making it anew."""
    # The seed of today: a changed first .env.production must not need new containers.
    capture("docker", "cp", "-", f"{machine.container}:/", stdin=_seed_archive(machine))
    execute(machine, "sh", "/opt/lab/seed/apply", "reset", timeout=180)


def unthrottle(machine: fleet.Machine) -> None:
    """Forget how often a password reset was asked for, and which jobs failed; nothing where no Redis answers."""
    with contextlib.suppress(LabError):
        if machine.kind == "compose":
            project.unthrottle(machine)
        elif machine.kind == "mastodon":
            execute(machine, "lab-unthrottle")


def remove() -> None:
    """Containers and network of this lab, and nothing else."""
    for name in states():
        capture("docker", "rm", "--force", "--volumes", fleet.machine(name).container)
    if succeeds("docker", "network", "inspect", fleet.NETWORK):
        capture("docker", "network", "rm", fleet.NETWORK)


def ssh_command(machine: fleet.Machine, address: str, known_hosts: Path) -> list[str]:
    """The ssh command line up to the remote command."""
    return [
        *("ssh", "-q", "-i", str(seed.SSH_KEY), "-o", "IdentitiesOnly=yes"),
        *("-o", f"UserKnownHostsFile={known_hosts}", "-o", "StrictHostKeyChecking=yes"),
        f"{machine.login}@{address}",
    ]


def journal(machine: fleet.Machine, arguments: t.Sequence[str]) -> int:
    """Show a machine's journal on the terminal; exit status of journalctl."""
    command = ["docker", "exec", machine.container, "journalctl", "--no-pager", *arguments]
    with contextlib.suppress(KeyboardInterrupt):
        return subprocess.run(command, check=False).returncode
    return 130
