# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""script/bootstrap: one at a time, and no environment is called ready that is not whole.

The Python is a script that plays venv and pip, since the real ones would fetch from an index.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]

#: Says in $CALLS what it was asked. It installs until $GATE is there, if one is given, and fails at the word $BROKEN.
PYTHON = """#!/bin/bash
case "$*" in
  *"sys.version_info[:2]"*) [[ "$*" == *print* ]] && echo 3.11; exit 0 ;;
esac
echo "$$ $*" >> "$CALLS"
[ -z "${BROKEN:-}" ] || [[ "$*" != *"$BROKEN"* ]] || exit 1
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *" -r "*) until [ -z "${GATE:-}" ] || [ -e "$GATE" ]; do sleep 0.05; done; touch "${0%/*}/ansible-playbook" ;;
esac
"""


class Run:
    """A process, and what it has said so far."""

    def __init__(self, command: list[str], said: Path, environment: dict[str, str]) -> None:
        self._said = said
        with said.open("w") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, start_new_session=True
            )

    @property
    def waits(self) -> bool:
        return "waiting for another script/bootstrap" in self.errors

    @property
    def makes(self) -> bool:
        return "Python environment: making" in self.errors

    @property
    def errors(self) -> str:
        return self._said.read_text()

    def end(self) -> tuple[int, str, str]:
        try:
            output = self.process.communicate(timeout=30)[0]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.returncode, output, self.errors


class Bootstrap:
    """A checkout with nothing but what script/bootstrap reads."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        for name in ("script/bootstrap", "requirements.txt", "tests/requirements/dev.txt"):
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, self.checkout / name)
        programs = folder / "bin"
        programs.mkdir()
        for name in ("python3.11", "python3"):
            (programs / name).write_text(PYTHON)
            (programs / name).chmod(0o755)
        self.calls_file = folder / "calls"
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CALLS": str(self.calls_file),
            "PYENV_ROOT": str(folder / "no-pyenv"),
        }
        self.venv = self.checkout / ".work" / "venv-3.11"

    def start(self, checkout: Path | None = None, **environment: str) -> Run:
        return Run(
            [str((checkout or self.checkout) / "script/bootstrap")],
            self.checkout.parent / f"said-{time.monotonic_ns()}",
            {**self.environment, **environment},
        )

    def run(self, **environment: str) -> tuple[int, str, str]:
        return self.start(**environment).end()

    def made(self) -> int:
        """How often an environment was made."""
        return sum("-m venv" in line for line in self.calls_file.read_text().splitlines())

    def copy(self) -> Path:
        """A checkout that shares the environments, as script/test makes one."""
        second = self.checkout / ".work" / "second"
        shutil.copytree(self.checkout, second, ignore=shutil.ignore_patterns(".work"))
        (second / ".work").mkdir()
        (second / ".work/venv-3.11").symlink_to(self.venv)
        return second

    @property
    def ready(self) -> bool:
        return (self.venv / ".ready").exists()


@pytest.fixture
def bootstrap(tmp_path: Path) -> Bootstrap:
    return Bootstrap(tmp_path)


@pytest.fixture
def gate(tmp_path: Path) -> t.Iterator[Path]:
    """Nothing is installed before this file is there."""
    yield tmp_path / "gate"
    (tmp_path / "gate").touch()


def test_an_environment_is_made_once_and_then_taken_as_it_is(bootstrap: Bootstrap) -> None:
    for _unused in range(2):
        status, output, errors = bootstrap.run()
        assert (status, output.splitlines()[-1]) == (0, str(bootstrap.venv)), errors
    assert bootstrap.made() == 1 and bootstrap.ready
    link = bootstrap.checkout / ".work/collections/ansible_collections/fediops/mastodon"
    assert link.resolve() == bootstrap.checkout.resolve()


def test_of_several_at_once_one_makes_it_and_the_others_wait_and_say_so(bootstrap: Bootstrap, gate: Path) -> None:
    runs = [bootstrap.start(GATE=str(gate)) for _unused in range(4)]
    wait_for(lambda: [sum(run.makes for run in runs), sum(run.waits for run in runs)] == [1, 3])
    assert not bootstrap.ready
    gate.touch()
    assert [run.end()[:2] for run in runs] == [(0, f"{bootstrap.venv}\n")] * 4
    assert bootstrap.made() == 1 and bootstrap.ready


def test_a_copy_that_shares_the_environment_waits_as_well(bootstrap: Bootstrap, gate: Path) -> None:
    first = bootstrap.start(GATE=str(gate))
    wait_for((bootstrap.venv / "bin/python").exists)
    second = bootstrap.copy()
    other = bootstrap.start(second)
    wait_for(lambda: other.waits)
    gate.touch()
    assert other.end()[:2] == (0, f"{second}/.work/venv-3.11\n") and first.end()[0] == 0
    assert bootstrap.made() == 1 and (second / ".work/venv-3.11").is_symlink()


def test_the_wait_has_an_end(bootstrap: Bootstrap) -> None:
    assert bootstrap.run()[0] == 0
    (lock,) = bootstrap.checkout.glob(".work/*.lock")
    (bootstrap.venv / ".ready").unlink()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        status, output, errors = bootstrap.run(BOOTSTRAP_WAIT="1")
    assert (status, output) == (1, "") and not bootstrap.ready
    assert "after 1 s" in errors.splitlines()[-1] and str(lock) in errors


def test_a_copy_with_other_requirements_makes_its_own_and_leaves_the_shared_one_alone(
    bootstrap: Bootstrap, gate: Path
) -> None:
    assert bootstrap.run()[0] == 0
    second = bootstrap.copy()
    (second / "requirements.txt").write_text("other\n")
    runs = [bootstrap.start(second, GATE=str(gate)) for _unused in range(2)]
    wait_for(lambda: sum(run.makes for run in runs) == 1 and sum(run.waits for run in runs) == 1)
    late = bootstrap.start(second, GATE=str(gate))  # by now the link is gone
    wait_for(lambda: late.waits)
    gate.touch()
    assert [run.end()[0] for run in (*runs, late)] == [0, 0, 0] and bootstrap.made() == 2
    assert bootstrap.ready and not (second / ".work/venv-3.11").is_symlink()


@pytest.mark.parametrize("broken", ["-m venv", "install", "pip check"])
def test_what_was_not_made_whole_is_not_ready_and_is_made_by_the_next_one(bootstrap: Bootstrap, broken: str) -> None:
    status, output, _errors = bootstrap.run(BROKEN=broken)
    assert status != 0 and output == "" and not bootstrap.ready
    assert bootstrap.run()[0] == 0 and bootstrap.ready and bootstrap.made() == 2


def test_a_remaking_cut_short_leaves_no_old_mark(bootstrap: Bootstrap) -> None:
    """Else the old requirements, put back, would find half an environment that is called ready."""
    assert bootstrap.run()[0] == 0
    requirements = bootstrap.checkout / "requirements.txt"
    before = requirements.read_text()
    requirements.write_text(before + "other\n")
    # The old environment cannot be removed whole: a mount in it, or a kill meanwhile.
    (remover := bootstrap.checkout.parent / "bin" / "rm").write_text(
        '#!/bin/bash\ncase "$1" in -rf) exit 1 ;; esac\nexec /bin/rm "$@"\n'
    )
    remover.chmod(0o755)
    assert bootstrap.run()[0] != 0
    remover.unlink()
    requirements.write_text(before)
    assert bootstrap.run()[0] == 0 and bootstrap.made() == 2


def wait_for(condition: t.Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
