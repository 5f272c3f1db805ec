# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real authoritative name server (NSD) on a port of loopback, with the zones beside this file."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import dns.exception
import dns.message
import dns.query

ZONES = Path(__file__).parent / "zones"
ADDRESS = "127.0.0.1"

CONFIGURATION = """\
server:
  ip-address: {address}
  port: {port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{zones}"
  database: ""
  pidfile: "{state}/nsd.pid"
  logfile: "{state}/nsd.log"
  xfrdfile: "{state}/xfrd.state"
  zonelistfile: "{state}/zone.list"
  xfrdir: "{state}"
remote-control:
  control-enable: no
"""


def program() -> str:
    """NSD's path; as root on Debian it is installed when it is missing.

    :raises RuntimeError: with what to do.
    """
    path = os.environ["PATH"] + os.pathsep + "/usr/sbin"
    found = shutil.which("nsd", path=path)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        # The package would start a server of its own on port 53.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "nsd"]
        for command in (install, ["apt-get", "update", "-qq"], install):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            found = shutil.which("nsd", path=path)
            if found is not None:
                return found
        raise RuntimeError(f"apt-get could not install nsd: {done.stderr.strip()[-300:]}")
    if found is None:
        raise RuntimeError("nsd is missing: apt-get install nsd")
    return found


def free_port() -> int:
    """A port that is free for UDP and TCP at this moment."""
    while True:
        with contextlib.ExitStack() as both:
            udp = both.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            udp.bind((ADDRESS, 0))
            port: int = udp.getsockname()[1]
            tcp = both.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            with contextlib.suppress(OSError):
                tcp.bind((ADDRESS, port))
                return port


@contextlib.contextmanager
def running(zones: Path = ZONES) -> t.Iterator[int]:
    """The port of a server that serves every C(NAME.zone) of a folder; it is gone afterwards."""
    nsd, port = program(), free_port()
    with tempfile.TemporaryDirectory(prefix="mastodon-nsd-") as state:
        text = CONFIGURATION.format(address=ADDRESS, port=port, zones=zones, state=state)
        for zone in sorted(zones.glob("*.zone")):
            text += f'zone:\n  name: "{zone.stem}"\n  zonefile: "{zone.name}"\n'
        configuration = Path(state, "nsd.conf")
        configuration.write_text(text, encoding="utf-8")
        process = subprocess.Popen(
            [nsd, "-d", "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            _wait_for(process, port, Path(state, "nsd.log"))
            yield port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
            if process.stderr:
                process.stderr.close()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    query = dns.message.make_query("test", "SOA")
    for _attempt in range(100):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, dns.exception.DNSException):
            if dns.query.udp(query, ADDRESS, port=port, timeout=0.2).answer:
                return
        time.sleep(0.1)
    said = log.read_text("utf-8", "replace")[-2000:] if log.is_file() else ""
    raise RuntimeError(f"nsd did not answer on {ADDRESS} port {port}: {said}")
