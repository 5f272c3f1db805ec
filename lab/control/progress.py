# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees while the lab works, and commands whose output goes to a log."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

from . import fleet

_started = time.monotonic()
_lock = threading.Lock()


class LabError(Exception):
    """Something is missing or went wrong; the text says what and what to do."""


def say(text: str) -> None:
    """One line of progress, with the seconds since the command began."""
    with _lock:
        print(f"[{time.monotonic() - _started:4.0f} s] {text}", flush=True)


@contextlib.contextmanager
def step(text: str) -> t.Iterator[None]:
    """A step that takes its time: said when it begins and when it is done."""
    say(f"{text} ...")
    began = time.monotonic()
    yield
    say(f"{text}: done in {time.monotonic() - began:.0f} s")


def hold(lock: int, kind: int, waiting: str) -> None:
    """Take a lock on an open file; what is waited for is said."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        say(waiting)
        fcntl.flock(lock, kind)


def capture(*command: str, stdin: bytes = b"", timeout: float = 120, env: t.Mapping[str, str] | None = None) -> str:
    """Standard output of a short command, without the last line break; LabError when it fails."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, env=env, check=False)
    except FileNotFoundError as missing:
        raise LabError(f"{command[0]} is not installed on this machine") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"no answer within {timeout:.0f} s: {' '.join(command)}") from late
    if done.returncode != 0:
        detail = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise LabError(f"{' '.join(command)}: exit status {done.returncode}: {detail}")
    return done.stdout.decode(errors="replace").rstrip("\n")


def succeeds(*command: str) -> bool:
    """Whether a command exits with 0; its output is of no interest."""
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


def logged(name: str, *command: str, stdin: t.Any = None, env: t.Mapping[str, str] | None = None) -> None:
    """A long command; its output goes to .work/lab/logs/NAME.log, whose end is shown when it fails."""
    fleet.LOGS.mkdir(parents=True, exist_ok=True)
    log = fleet.LOGS / f"{name}.log"
    with open(log, "ab") as out:
        out.write(f"\n$ {' '.join(command)}\n".encode())
        out.flush()
        try:
            done = subprocess.run(
                command, stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=out, env=env, check=False
            )
        except FileNotFoundError as missing:
            raise LabError(f"{command[0]} is not installed on this machine") from missing
    if done.returncode != 0:
        raise LabError(f"{name} failed (exit status {done.returncode}); the end of {relative(log)}:\n{tail(log)}")


def tail(path: Path, lines: int = 25) -> str:
    """The last lines of a text file, indented."""
    text = path.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"    {line}" for line in text)


def relative(path: Path) -> str:
    """A path as a person in the checkout types it."""
    return str(path.relative_to(fleet.CHECKOUT)) if path.is_relative_to(fleet.CHECKOUT) else str(path)


def fail(error: LabError) -> t.NoReturn:
    """Say what is wrong and end."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    sys.exit(1)
