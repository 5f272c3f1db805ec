# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real programs that read environment files, each over many files in as few processes as it allows."""

from __future__ import annotations

import collections.abc as c
import concurrent.futures
import functools
import http.server
import json
import os
import pathlib
import re
import socketserver
import subprocess
import tempfile
import threading
import typing as t

import yaml
from corpus import PROCESS

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
HOME = ROOT / ".work" / "readers"
PROGRAMS = HERE / "programs"

#: What a reader makes of one file; None when it refuses the file.
Seen = dict[str, "str | None"] | None


def run(command: c.Sequence[str | os.PathLike[str]], text: str = "", **environment: str) -> str:
    done = subprocess.run(
        [str(one) for one in command],
        input=text,
        env={"PATH": "/usr/bin:/bin", **environment} if environment else {},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{command[0]} failed: {done.stderr[-2000:]}"
    return done.stdout


def _lines(
    command: c.Sequence[str | os.PathLike[str]], files: c.Sequence[pathlib.Path], **environment: str
) -> list[Seen]:
    output = run(command, "".join(f"{one}\n" for one in files), **environment)
    # Not splitlines: JSON may hold line separators of Unicode as they are.
    seen = [json.loads(line) for line in output.split("\n") if line]
    assert len(seen) == len(files)
    return seen


def which(name: str) -> str:
    for folder in ("/usr/bin", "/bin", "/usr/local/bin"):
        if os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    raise AssertionError(f"{name} is missing; run tests/integration/readers/setup")


def ruby(version: str, files: c.Sequence[pathlib.Path]) -> list[Seen]:
    library = next((HOME / f"ruby-{version}").rglob("dotenv.rb")).parent
    return _lines([which("ruby"), "-Eutf-8", "-I", library, PROGRAMS / "read.rb"], files, **PROCESS)


def node(version: str, files: c.Sequence[pathlib.Path]) -> list[Seen]:
    return _lines([which("node"), PROGRAMS / "read.js", HOME / f"node-{version}"], files, **PROCESS)


def python_dotenv(version: str, files: c.Sequence[pathlib.Path]) -> list[Seen]:
    python = next(ROOT.glob(".work/venv-*/bin/python"))
    return _lines([python, PROGRAMS / "read.py"], files, PYTHONPATH=str(HOME / f"python-{version}"), **PROCESS)


def shell(name: str, files: c.Sequence[pathlib.Path]) -> list[Seen]:
    """A shell that cannot find any command but env: what a file would run, does not run."""
    done = subprocess.run(
        [which(name), str(PROGRAMS / "read.sh")],
        input="".join(f"{one}\n" for one in files).encode(),
        env={"PATH": "/nonexistent", **PROCESS},
        cwd=files[0].parent,
        capture_output=True,
        check=False,
        timeout=300,
    )
    seen: list[Seen] = []
    for block in done.stdout.split(b"<begin>\0")[1:]:
        content, end, _rest = block.rpartition(b"<end>\0")
        assert end
        pairs = [one.partition(b"=") for one in content.split(b"\0") if one]
        found = {name.decode(): value.decode(errors="surrogateescape") for name, _equals, value in pairs}
        for own in ("PWD", "OLDPWD", "_", "SHLVL", "path"):
            found.pop(own, None)
        if found.get("FROM_PROCESS") == PROCESS["FROM_PROCESS"]:
            del found["FROM_PROCESS"]
        seen.append(found if found.pop("PATH", None) is not None else None)
    assert len(seen) == len(files), done.stderr[-2000:]
    return seen


def _bisected(
    files: c.Sequence[pathlib.Path], together: c.Callable[[c.Sequence[pathlib.Path]], list[Seen] | None]
) -> list[Seen]:
    """Many files in one process. One refused file makes it fail (None); then each half is tried."""
    if not files:
        return []
    seen = together(files)
    if seen is not None:
        return seen
    if len(files) == 1:
        return [None]
    half = len(files) // 2
    return _bisected(files[:half], together) + _bisected(files[half:], together)


def compose(version: str, files: c.Sequence[pathlib.Path]) -> list[Seen]:
    """C(docker compose config) with a service for each file."""
    return _bisected(files, functools.partial(_compose, version))


def _compose(version: str, files: c.Sequence[pathlib.Path]) -> list[Seen] | None:
    folder = files[0].parent
    project = folder / "compose.json"
    services = {f"s{number}": {"image": "x", "env_file": [str(one)]} for number, one in enumerate(files)}
    project.write_text(json.dumps({"name": "x", "services": services}))
    binary = HOME / f"compose-{version}" / "usr/libexec/docker/cli-plugins/docker-compose"
    done = subprocess.run(
        [binary, "-f", project, "config", "--format", "json", "--no-path-resolution"],
        env={"HOME": str(folder), **PROCESS},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        return None
    found = json.loads(done.stdout)["services"]
    return [
        {
            name: None if value is None else value.replace("$$", "$")
            for name, value in found[f"s{number}"].get("environment", {}).items()
        }
        for number in range(len(files))
    ]


def compose_1_reading(version: str, files: c.Sequence[pathlib.Path]) -> list[Seen]:
    """The part of the first Compose, which was written in Python, that reads one file after another."""
    python = next(ROOT.glob(".work/venv-*/bin/python"))
    library = str(HOME / f"compose-{version}")
    return _lines([python, PROGRAMS / "read_compose_1.py"], files, PYTHONPATH=library, **PROCESS)


def compose_1(version: str, files: c.Sequence[pathlib.Path]) -> list[Seen]:
    """C(docker-compose config) with a service for each file. It must take them all."""
    project = files[0].parent / "docker-compose.yml"
    services = {f"s{number}": {"image": "x", "env_file": str(one)} for number, one in enumerate(files)}
    project.write_text(json.dumps({"version": "3.7", "services": services}))
    python = next(ROOT.glob(".work/venv-*/bin/python"))
    done = subprocess.run(
        [python, HOME / f"compose-{version}" / "docker-compose", "-f", project, "config"],
        env={"HOME": str(project.parent), "PATH": "/usr/bin:/bin", **PROCESS},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = yaml.load(done.stdout, Loader=yaml.CSafeLoader)["services"]
    return [
        {
            name: None if value is None else str(value).replace("$$", "$")
            for name, value in found[f"s{number}"].get("environment", {}).items()
        }
        for number in range(len(files))
    ]


class _Daemon(http.server.BaseHTTPRequestHandler):
    """As much of a Docker Engine as C(docker create) needs; keeps the environment that it is asked for."""

    asked: t.ClassVar[list[list[str]]] = []

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Api-Version", "1.44")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_POST(self) -> None:
        assert self.path.startswith("/v1.44/containers/create"), self.path
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Env"])
        self._answer(201, b'{"Id": "x"}')

    def log_message(self, *_unused: object) -> None:
        pass


class _Listener(socketserver.UnixStreamServer):
    def handle_error(self, _request: object, _client: object) -> None:
        """The command goes away when it refuses a file; if anything else is wrong, it fails by itself."""


def docker(files: c.Sequence[pathlib.Path]) -> list[Seen]:
    """C(docker create --env-file): the command reads the files itself, so the daemon's place is taken by a listener."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/s"
        with _Listener(address, _Daemon) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            try:
                return _bisected(files, functools.partial(_docker, address, pathlib.Path(folder)))
            finally:
                server.shutdown()


def _docker(address: str, folder: pathlib.Path, files: c.Sequence[pathlib.Path]) -> list[Seen] | None:
    # All in one process; the result is one list, so a variable of ours stands between two files.
    options = []
    for number, one in enumerate(files):
        mark = folder / str(number)
        mark.write_text(f"__NEXT__={number}\n")
        options += ["--env-file", str(mark), "--env-file", str(one)]
    done = subprocess.run(
        [HOME / "docker/usr/bin/docker", "-H", f"unix://{address}", "create", "--pull", "never", *options, "image"],
        env={"HOME": str(folder), **PROCESS},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        return None
    seen: list[Seen] = []
    for one in _Daemon.asked.pop():
        name, _equals, value = one.partition("=")
        if name == "__NEXT__":
            seen.append({})
        else:
            t.cast("dict[str, str | None]", seen[-1])[name] = value
    assert len(seen) == len(files)
    return seen


#: The generator gives C($) a meaning that EnvironmentFile= does not; the parser they share has none for it.
STAND_IN = "\ue000"


def systemd(version: str, files: c.Sequence[pathlib.Path], *, together: bool = False) -> list[Seen]:
    """systemd's parser of environment files, through its generator for environment.d (one process per file).

    :param together: all files in one process, as one result; right where no name is in two files.

    A file must not hold a backslash before a dollar sign: dollar signs are replaced for the generator and put back.
    The generator passes over assignments of an empty value.
    """
    home = HOME / f"systemd-{version}"
    loader = next(home.rglob("ld-linux-x86-64.so.2"))
    path = ":".join(
        str(home / one)
        for one in (
            "usr/lib/x86_64-linux-gnu",
            "lib/x86_64-linux-gnu",
            "usr/lib/x86_64-linux-gnu/systemd",
            "lib/x86_64-linux-gnu/systemd",
            "usr/lib/systemd",
            "lib/systemd",
        )
    )
    generator = home / "usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
    command = [str(one) for one in (loader, "--library-path", path, generator)]
    if together:
        merged = _systemd(command, files)
        return [{}] * (len(files) - 1) + [merged]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda one: _systemd(command, [one]), files))


def _systemd(command: c.Sequence[str], files: c.Sequence[pathlib.Path]) -> Seen:
    with tempfile.TemporaryDirectory() as config:
        folder = pathlib.Path(config, "environment.d")
        folder.mkdir()
        for number, one in enumerate(files):
            (folder / f"{number:05}.conf").write_bytes(one.read_bytes().replace(b"$", STAND_IN.encode()))
        output = run(command, XDG_CONFIG_HOME=config, **PROCESS)
    return _assignments(output.replace(STAND_IN, "$"))


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 8)) if len(found[1]) == 3 else _ESCAPES.get(found[1], found[1])


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _assignments(text: str) -> dict[str, str | None]:
    """What the generator prints: NAME=value, in double quotes with C's escapes where needed."""
    found: dict[str, str | None] = {}
    for line in text.split("\n"):
        name, _equals, value = line.partition("=")
        if value.startswith('"'):
            value = re.sub(r"\\([0-7]{3}|.)", _unescaped, value[1:-1])
        found[name] = value
    for own in ("", "QT_ACCESSIBILITY", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "SSH_AUTH_SOCK"):
        found.pop(own, None)
    return found
