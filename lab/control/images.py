# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images from Debian packages, named by a digest of everything that goes into them.

base (mmdebstrap or LAB_BASE_*) -> packages (a Dockerfile of lab/images) -> application (the last, cheap layer). An
image that exists is used by any checkout; a changed input gives another name, so nothing old is ever taken for new.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tarfile
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import engine, fleet
from .progress import LabError, logged, step, succeeds

#: What every machine of the lab has.
COMMON = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "python3",
    "sudo",
    "ca-certificates",
    "iproute2",
    "procps",
)
DPKG = (
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
)
#: A mirror's copy of a suite that changes daily may be older than that index allows; its signature still counts.
APT = {"forky": ('Acquire::Check-Valid-Until "false"',)}
FOLDER = fleet.SOURCE / "images"


class Build(t.NamedTuple):
    """One docker build: name of the image, Dockerfile, what lies in the context under which name, build arguments."""

    tag: str
    dockerfile: Path
    context: tuple[tuple[Path, str], ...]
    arguments: tuple[str, ...]
    label: str


def base(suite: str) -> tuple[str, bool]:
    """The base image of a suite, and whether it is ours to make (else it is LAB_BASE_TRIXIE and the like)."""
    given = os.environ.get(f"LAB_BASE_{suite.upper()}")
    if given:
        return given, False
    return f"fediops-lab/base-{suite}:{digest(' '.join((suite, *COMMON, *DPKG, *APT.get(suite, ()))))}", True


def packages(machine: fleet.Machine) -> Build:
    """The build of the layer with a machine's packages."""
    folder = FOLDER / machine.kind
    context = [(FOLDER / "machine", "machine")]
    if machine.kind != "mastodon":
        context.append((folder / "system", "system"))
    arguments = [f"BASE={base(machine.suite)[0]}", f"COMMON={' '.join(COMMON)}"]
    if machine.ruby:
        arguments.append(f"RUBY={machine.ruby}")
    return _build(
        f"{machine.model}-packages" if machine.ruby else machine.model, folder / "Dockerfile", context, arguments
    )


def application(machine: fleet.Machine) -> Build:
    """The build of the layer with the application of an instance."""
    app = fleet.SOURCE / "app"
    return _build(
        machine.model,
        FOLDER / "app" / "Dockerfile",
        [(app / "live", "live"), (app / "system", "system")],
        [f"PACKAGES={packages(machine).tag}", f"BUNDLE={machine.bundle}"],
    )


def container(machine: fleet.Machine) -> Build:
    """The build of the image that an instance in containers runs: nothing of it is on the machine itself."""
    app = fleet.SOURCE / "app"
    return _build(
        f"{machine.name}-container",
        FOLDER / "container" / "Dockerfile",
        [(app / "live", "live"), (app / "system/usr/local/sbin", "sbin")],
        [f"BASE={base(machine.suite)[0]}", f"RELEASE={machine.release}"],
    )


def final(machine: fleet.Machine) -> str:
    """Name of the image that a machine runs."""
    return (application(machine) if machine.kind == "mastodon" else packages(machine)).tag


def ensure(machines: t.Sequence[fleet.Machine]) -> None:
    """Make what these machines are missing; the suites side by side."""
    suites = sorted({machine.suite for machine in machines})
    with engine.alone(), ThreadPoolExecutor(len(suites)) as pool:
        list(pool.map(lambda suite: _ensure_suite(suite, machines), suites))


def exists(tag: str) -> bool:
    return succeeds("docker", "image", "inspect", tag)


def _ensure_suite(suite: str, wanted: t.Sequence[fleet.Machine]) -> None:
    machines = [machine for machine in wanted if machine.suite == suite and not _complete(machine)]
    if not machines:
        return
    tag, ours = base(suite)
    if ours and not exists(tag):
        with step(f"building a minimal Debian ({suite})"):
            _make_base(suite, tag)
    for machine in machines:
        _ensure(packages(machine))
        if machine.kind == "mastodon":
            _ensure(application(machine))
        if machine.kind == "compose":
            _ensure(container(machine))


def _complete(machine: fleet.Machine) -> bool:
    return exists(final(machine)) and (machine.kind != "compose" or exists(container(machine).tag))


def _ensure(build: Build) -> None:
    if exists(build.tag):
        return
    with step(f"building the image {build.label}"), tempfile.TemporaryFile() as context:
        _pack(build, context)
        context.seek(0)
        arguments = [part for argument in build.arguments for part in ("--build-arg", argument)]
        logged(f"build-{build.label}", "docker", "build", "--tag", build.tag, *arguments, "-", stdin=context)


def _make_base(suite: str, tag: str) -> None:
    if not shutil.which("mmdebstrap"):
        engine.install(["mmdebstrap"], "mmdebstrap")
    source = [f"deb {mirror} {suite} main"] if (mirror := debian_mirror()) else []
    with tempfile.TemporaryDirectory(prefix="fediops-lab-") as folder:
        archive = f"{folder}/{suite}.tar"
        options = [f"--dpkgopt={option}" for option in DPKG]
        try:
            logged(
                f"base-{suite}",
                "mmdebstrap",
                "--variant=minbase",
                f"--include={','.join(COMMON)}",
                *options,
                *(f"--aptopt={option}" for option in APT.get(suite, ())),
                suite,
                archive,
                *source,
            )
        except LabError as error:
            name = f"LAB_BASE_{suite.upper()}"
            raise LabError(
                f"{error}\nIf this machine reaches an image registry, run {name}=debian:{suite}-slim script/lab up"
            ) from error
        logged(f"base-{suite}", "docker", "import", archive, tag)


def debian_mirror() -> str:
    """The mirror that this machine's own apt uses; empty (mmdebstrap's own choice) where that is not Debian's."""
    if "ID=debian" not in Path("/etc/os-release").read_text().splitlines():
        return ""
    folder = Path("/etc/apt")
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]:
        if not path.is_file():
            continue
        for line in path.read_text(errors="replace").splitlines():
            found = re.match(r"URIs:\s*(https?://\S+)", line) or re.match(
                r"deb\s+(?:\[[^]]*\]\s+)?(https?://\S+)", line
            )
            if found:
                return found[1]
    return ""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _build(label: str, dockerfile: Path, context: t.Sequence[tuple[Path, str]], arguments: t.Sequence[str]) -> Build:
    content = hashlib.sha256("\0".join((dockerfile.read_text(), *arguments)).encode())
    for folder, name in context:
        for path, inside in _files(folder, name):
            content.update(f"\0{inside}\0{path.stat().st_mode & 0o111 != 0}\0".encode())
            content.update(path.read_bytes())
    return Build(f"fediops-lab/{label}:{content.hexdigest()[:12]}", dockerfile, tuple(context), tuple(arguments), label)


def _files(folder: Path, name: str) -> list[tuple[Path, str]]:
    return [(path, f"{name}/{path.relative_to(folder)}") for path in sorted(folder.rglob("*")) if path.is_file()]


def _pack(build: Build, target: t.IO[bytes]) -> None:
    # Owners, times and group bits of the checkout stay out: the image must not depend on who cloned it.
    with tarfile.open(fileobj=target, mode="w") as archive:
        for folder, name in build.context:
            for path, inside in _files(folder, name):
                _add(archive, inside, path.read_bytes(), 0o755 if path.stat().st_mode & 0o111 else 0o644)
        _add(archive, "Dockerfile", build.dockerfile.read_bytes(), 0o644)


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))
