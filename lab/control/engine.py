# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker Engine: the one that runs, or one that we install and start ourselves (as root)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
import typing as t
from pathlib import Path

from . import fleet
from .progress import LabError, capture, hold, logged, say, step, succeeds, tail

#: Machine-wide: an Engine serves all checkouts.
STATE = Path("/run/fediops-lab")
PID_FILE = STATE / "dockerd.pid"
LOG = STATE / "dockerd.log"
#: Its process id, and the checkout whose scripts started it; nobody else's stop it.
STARTER = STATE / "started-by"
#: Locked, shared, by each lab that is being made, and exclusively by the one that stops the Engine.
USERS = STATE / "users.lock"
#: Where the Engine that a lab starts listens; DOCKER_HOST may name another one.
SOCKET = "unix:///var/run/docker.sock"


def answers() -> bool:
    """Whether an Engine can be talked to as this user."""
    # Not docker info: with no Engine there it has succeeded all the same since Docker 26.
    return succeeds("docker", "version", "--format", "{{.Server.Version}}")


def ensure() -> None:
    """An Engine that answers; LabError says what is missing where we cannot have one."""
    if answers():
        return
    if os.geteuid() != 0:
        raise LabError(
            "this user reaches no Docker Engine. Start one and make sure that `docker version` shows "
            "its Server (group docker, or DOCKER_HOST), or run this command as root, which installs and starts one."
        )
    if os.environ.get("DOCKER_HOST") and not os.environ["DOCKER_HOST"].startswith("unix://"):
        raise LabError(f"no Docker Engine answers at DOCKER_HOST, {os.environ['DOCKER_HOST']}")
    with alone():
        if not shutil.which("dockerd"):
            install(["docker.io"], "the Docker Engine")
        if not shutil.which("docker"):
            install(["docker-cli"], "Docker's command line")  # a package of its own since Debian 13
        start()


def install(packages: list[str], what: str) -> None:
    """Debian packages on this machine; root only."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(
            f"{what} is missing. Install {' '.join(packages)}, or run this command as root on Debian or Ubuntu."
        )
    with step(f"installing {what} ({', '.join(packages)})"):
        logged("install", str(fleet.CHECKOUT / "script/lib/install-packages"), *packages)


def start() -> None:
    """Start dockerd in the background, its process id and its log in /run/fediops-lab."""
    # A package's maintainer script may just have started one through the machine's own service manager.
    if wait(60 if succeeds("systemctl", "is-active", "--quiet", "docker") else 3):
        return
    STATE.mkdir(mode=0o755, exist_ok=True)
    if running_pid() is None:
        say(f"starting dockerd in the background (log: {LOG})")
        with contextlib.suppress(FileNotFoundError):
            PID_FILE.unlink()
        with open(LOG, "ab") as log:
            process = subprocess.Popen(
                ["dockerd", "--storage-driver=overlay2", f"--pidfile={PID_FILE}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        STARTER.write_text(f"{process.pid} {fleet.OWNER}")
    if not wait(60):
        raise LabError(f"dockerd does not answer after 60 s; the end of {LOG}:\n{tail(LOG)}")


def wait(seconds: float) -> bool:
    """Whether the Engine answers within so many seconds."""
    until = time.monotonic() + seconds
    while not answers():
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


@contextlib.contextmanager
def alone() -> t.Iterator[None]:
    """One lab of this machine at a time starts the Engine or makes images; the next one then finds them there.

    The lock is a name in Linux's abstract namespace of sockets; it ends with the process.
    """
    with socket.socket(socket.AF_UNIX) as lock:
        told = False
        while True:
            try:
                lock.bind("\0fediops-lab")
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            if not told:
                say("another lab on this machine is starting the Engine or building images; waiting for it ...")
                told = True
            time.sleep(0.5)
        yield


def running_pid() -> int | None:
    """Process id of the dockerd that a lab started, if that very process lives."""
    try:
        pid = int(PID_FILE.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return pid if name == "dockerd" else None


@contextlib.contextmanager
def in_use() -> t.Iterator[None]:
    """While a lab is being made, nobody stops the Engine: no container shows yet that it is needed."""
    if os.geteuid() == 0:
        STATE.mkdir(mode=0o755, exist_ok=True)
        USERS.touch(0o644)
    if not USERS.exists():  # no lab has ever started an Engine here, and only root can
        yield
        return
    with open(USERS, "rb") as users:
        hold(users.fileno(), fcntl.LOCK_SH, "another lab is stopping the Docker Engine; waiting for it ...")
        yield


def _starter(pid: int) -> str:
    """The checkout whose scripts started this process."""
    noted, _unused, checkout = (STARTER.read_text() if STARTER.exists() else "").partition(" ")
    return checkout if noted == str(pid) else "another checkout"


def stop_if_ours() -> None:
    """Stop the Engine that this checkout started, unless somebody uses it, or is about to."""
    pid = running_pid()
    if pid is None or os.geteuid() != 0:
        return
    starter = _starter(pid)
    if starter != str(fleet.OWNER):
        say(f"the Docker Engine keeps running: {starter} started it, and script/lab down stops it there")
        return
    USERS.touch(0o644)
    with open(USERS, "rb") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("the Docker Engine keeps running: another lab is being created on it")
            return
        others = capture("docker", "--host", SOCKET, "ps", "--quiet").split()
        if others:
            say(f"the Docker Engine keeps running: {len(others)} other containers use it")
            return
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 30
        while running_pid() is not None and time.monotonic() < until:
            time.sleep(0.2)
    say("stopped the Docker Engine that this checkout started")
