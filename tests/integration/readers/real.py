# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real programs that read environment files, each over many files in as few processes as it allows."""

from __future__ import annotations

import collections.abc as c
import json
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
HOME = ROOT / ".work" / "readers"
PROGRAMS = HERE / "programs"

#: What a reader makes of one file; None when it refuses the file.
Seen = dict[str, "str | None"] | None


def _run(command: c.Sequence[str | os.PathLike[str]], text: str = "", **environment: str) -> str:
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
    output = _run(command, "".join(f"{one}\n" for one in files), **environment)
    # Not splitlines: JSON may hold line separators of Unicode as they are.
    seen = [json.loads(line) for line in output.split("\n") if line]
    assert len(seen) == len(files)
    return seen


def _which(name: str) -> str:
    for folder in ("/usr/bin", "/bin", "/usr/local/bin"):
        if os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    raise AssertionError(f"{name} is missing; run tests/integration/readers/setup")


def ruby_version() -> str:
    return _run([_which("ruby"), "-e", "require 'dotenv/version'; print Dotenv::VERSION"])


def ruby(files: c.Sequence[pathlib.Path]) -> list[Seen]:
    return _lines([_which("ruby"), "-Eutf-8", PROGRAMS / "read.rb"], files)


def node(version: str, files: c.Sequence[pathlib.Path]) -> list[Seen]:
    return _lines([_which("node"), PROGRAMS / "read.js", HOME / f"node-{version}"], files)


def python_dotenv(version: str, files: c.Sequence[pathlib.Path]) -> list[Seen]:
    python = next(ROOT.glob(".work/venv-*/bin/python"))
    return _lines([python, PROGRAMS / "read.py"], files, PYTHONPATH=str(HOME / f"python-{version}"))


def shell(name: str, files: c.Sequence[pathlib.Path]) -> list[Seen]:
    """A shell that cannot find any command but env: what a file would run, does not run."""
    done = subprocess.run(
        [_which(name), str(PROGRAMS / "read.sh")],
        input="".join(f"{one}\n" for one in files).encode(),
        env={"PATH": "/nonexistent"},
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
        seen.append(found if found.pop("PATH", None) is not None else None)
    assert len(seen) == len(files), done.stderr[-2000:]
    return seen


def compose(files: c.Sequence[pathlib.Path]) -> list[Seen]:
    """C(docker compose config) with a service for each file. One refused file makes it fail, so the rest is split."""
    if not files:
        return []
    folder = files[0].parent
    project = folder / "compose.json"
    services = {f"s{number}": {"image": "x", "env_file": [str(one)]} for number, one in enumerate(files)}
    project.write_text(json.dumps({"name": "x", "services": services}))
    binary = HOME / "compose-2.26/usr/libexec/docker/cli-plugins/docker-compose"
    done = subprocess.run(
        [binary, "-f", project, "config", "--format", "json", "--no-path-resolution"],
        env={"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        if len(files) == 1:
            return [None]
        half = len(files) // 2
        return compose(files[:half]) + compose(files[half:])
    found = json.loads(done.stdout)["services"]
    return [
        {
            name: None if value is None else value.replace("$$", "$")
            for name, value in found[f"s{number}"].get("environment", {}).items()
        }
        for number in range(len(files))
    ]


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
    config = files[0].parent / "config"
    (config / "environment.d").mkdir(parents=True, exist_ok=True)
    command = [str(one) for one in (loader, "--library-path", path, generator)]
    seen: list[Seen] = []
    for number, one in enumerate(files):
        name = f"{number:05}.conf" if together else "x.conf"
        (config / "environment.d" / name).write_bytes(one.read_bytes().replace(b"$", STAND_IN.encode()))
        if together and number < len(files) - 1:
            continue
        done = subprocess.run(
            command, env={"XDG_CONFIG_HOME": str(config)}, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        seen.append(_assignments(done.stdout.replace(STAND_IN, "$")))
    return seen


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _assignments(text: str) -> dict[str, str | None]:
    """What the generator prints: NAME=value, in double quotes with C's escapes where needed."""
    found: dict[str, str | None] = {}
    for line in text.split("\n"):
        name, _equals, value = line.partition("=")
        if value.startswith('"'):
            value = re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), value[1:-1])
        found[name] = value
    for own in ("", "QT_ACCESSIBILITY", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "SSH_AUTH_SOCK"):
        found.pop(own, None)
    return found
