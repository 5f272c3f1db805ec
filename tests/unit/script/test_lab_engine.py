# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""script/lab down and the Docker Engine: it is stopped by who started it, and only when nobody needs it.

The Engine is a process with its name, and docker a script: on the real one, a test that fails would stop it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lab"))

from control import engine, fleet

#: What it was asked goes to $0.calls; it lists what $0.containers has.
DOCKER = """#!/bin/sh
echo "$*" >> "$0.calls"
case "$*" in *" ps "*) exec cat "$0.containers" ;; esac
"""


class Engine:
    """A dockerd that a lab has started, as far as the files in /run/fediops-lab say."""

    def __init__(self, folder: Path) -> None:
        self.docker = folder / "docker"
        self.docker.write_text(DOCKER)
        self.docker.chmod(0o755)
        shutil.copy(shutil.which("sleep") or "", folder / "dockerd")
        self.process = subprocess.Popen([str(folder / "dockerd"), "60"])
        # Else it stays a zombie of this test, which has the name still.
        threading.Thread(target=self.process.wait, daemon=True).start()
        engine.STATE.mkdir()
        engine.PID_FILE.write_text(str(self.process.pid))
        self.started_by(fleet.OWNER)
        self.runs()

    def started_by(self, checkout: Path) -> None:
        engine.STARTER.write_text(f"{self.process.pid} {checkout}")

    def runs(self, *containers: str) -> None:
        Path(f"{self.docker}.containers").write_text("".join(f"{name}\n" for name in containers))

    @property
    def lives(self) -> bool:
        return self.process.poll() is None and engine.running_pid() is not None


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Engine]:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    state = tmp_path / "state"
    monkeypatch.setattr(engine, "STATE", state)
    for name in ("PID_FILE", "STARTER", "USERS"):
        monkeypatch.setattr(engine, name, state / getattr(engine, name).name)
    made = Engine(tmp_path)
    until = time.monotonic() + 10
    while engine.running_pid() is None:  # between fork and exec it has another name
        assert time.monotonic() < until
    yield made
    made.process.kill()


def test_the_engine_that_this_checkout_started_is_stopped_when_nobody_needs_it(
    running: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.stop_if_ours()
    assert not running.lives and "stopped the Docker Engine" in capsys.readouterr().out


def test_an_engine_that_another_checkout_started_keeps_running(
    running: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    running.started_by(Path("/srv/other-checkout"))
    engine.stop_if_ours()
    said = capsys.readouterr().out
    assert running.lives and "keeps running: /srv/other-checkout started it" in said


@pytest.mark.parametrize("note", [None, "", f"1 {fleet.OWNER}"])
def test_an_engine_of_which_nothing_says_who_started_it_keeps_running(running: Engine, note: str | None) -> None:
    """No note, or one of an Engine before it."""
    engine.STARTER.unlink()
    if note is not None:
        engine.STARTER.write_text(note)
    engine.stop_if_ours()
    assert running.lives


def test_an_engine_with_containers_of_others_keeps_running(running: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    running.runs("0123456789ab", "ba9876543210")
    engine.stop_if_ours()
    assert running.lives and "2 other containers use it" in capsys.readouterr().out


def test_the_engine_is_asked_by_its_own_socket_whatever_docker_host_says(
    running: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    engine.stop_if_ours()
    assert Path(f"{running.docker}.calls").read_text() == "--host unix:///var/run/docker.sock ps --quiet\n"


def test_an_engine_on_which_another_lab_is_being_made_keeps_running(
    running: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.in_use():
        engine.stop_if_ours()
        assert running.lives and "another lab is being created on it" in capsys.readouterr().out
    engine.stop_if_ours()
    assert not running.lives


def test_labs_are_made_side_by_side(running: Engine) -> None:
    with engine.in_use(), engine.in_use():
        assert running.lives


def test_a_lab_is_made_without_a_lock_where_no_lab_ever_started_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(engine, "USERS", tmp_path / "nothing" / "users.lock")
    with engine.in_use():
        pass


def test_whoever_starts_an_engine_is_noted(running: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    running.process.kill()
    running.process.wait()
    running.started_by(Path("/srv/other-checkout"))
    monkeypatch.setattr(engine, "LOG", engine.STATE / "dockerd.log")
    answers = iter([False, True])
    monkeypatch.setattr(engine, "wait", lambda _seconds: next(answers))
    engine.start()
    assert re.fullmatch(rf"\d+ {re.escape(str(fleet.OWNER))}", engine.STARTER.read_text())


@pytest.mark.parametrize(
    ("names", "made"),
    [
        (["masto1"], ["masto1", "relay"]),
        (["relay"], ["relay"]),
        (["relay", "masto4", "masto1"], ["masto1", "masto4", "relay"]),
        ([], []),
    ],
)
def test_the_relay_comes_along_with_a_host_that_sends_mail(names: list[str], made: list[str]) -> None:
    assert [machine.name for machine in fleet.with_relay(map(fleet.machine, names))] == made


def test_the_copy_of_a_checkout_works_for_it(tmp_path: Path) -> None:
    copy = tmp_path / ".work" / "second"
    for folder in ("control", "hosts"):
        shutil.copytree(fleet.SOURCE / folder, copy / "lab" / folder)
    done = subprocess.run(
        [sys.executable, "-c", "from control import fleet; print(fleet.OWNER)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": str(copy / "lab")},
    )
    assert done.stdout == f"{tmp_path}\n"
