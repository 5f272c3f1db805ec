# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible import constants
from ansible.executor.process.worker import WorkerProcess

from ansible_collections.fediops.mastodon.plugins.plugin_utils import _run
from ansible_collections.fediops.mastodon.plugins.plugin_utils._run import Busy, Note, folder_of_this_run


def test_what_one_writes_the_others_read(tmp_path: Path) -> None:
    mine, yours = (Note("login", "smtp.example.org", "secret", folder=tmp_path) for _half in range(2))
    assert yours.read() is None
    mine.write({"accepted": False})
    mine.write({"accepted": True})
    assert yours.read() == {"accepted": True}
    assert Note("login", "smtp.example.org", "other", folder=tmp_path).read() is None
    assert Note("sender", "smtp.example.org", "secret", folder=tmp_path).read() is None


def test_the_key_is_nowhere_to_be_read_and_nobody_else_can_look(tmp_path: Path) -> None:
    note = Note("login", "smtp.example.org", "correct horse", folder=tmp_path)
    with note.locked(1):
        note.write({"accepted": True})
    files = list(tmp_path.iterdir())
    assert len(files) == 2
    for file in files:
        assert "horse" not in file.name + file.read_text() and "example" not in file.name
        assert file.stat().st_mode & 0o777 == 0o600


def _tell(folder: Path) -> None:
    Note("login", "x", folder=folder).write({"accepted": True})


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_the_workers_of_a_run_share_a_note_however_they_are_started(tmp_path: Path, method: str) -> None:
    worker = multiprocessing.get_context(method).Process(target=_tell, args=(tmp_path,))
    worker.start()
    worker.join(60)
    assert (worker.exitcode, Note("login", "x", folder=tmp_path).read()) == (0, {"accepted": True})


def test_ansible_starts_its_workers_that_way() -> None:
    assert issubclass(WorkerProcess, multiprocessing.process.BaseProcess)


def test_a_guessed_key_does_not_lead_to_the_file_in_another_run(tmp_path: Path) -> None:
    """Even who has a copy of the folder cannot try passwords: what makes the name was in the memory of the run."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ansible_collections.fediops.mastodon.plugins.plugin_utils._run import Note\n"
        "print(Note('login', 'x', folder=Path(sys.argv[1]))._file.name)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    names = {
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        for _half in range(2)
    }
    assert len(names) == 2 and all(name.startswith("fediops-login-") for name in names)


def test_a_note_is_for_one_at_a_time(tmp_path: Path) -> None:
    first, second = (Note("login", "x", folder=tmp_path) for _half in range(2))
    order: list[str] = []
    waiting = threading.Event()

    def later() -> None:
        waiting.set()
        with second.locked(60):
            order.append("second")

    with first.locked(1):
        thread = threading.Thread(target=later)
        thread.start()
        waiting.wait(60)
        with pytest.raises(Busy), second.locked(0):
            order.append("never")
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]


def test_a_worker_that_dies_lets_go(tmp_path: Path) -> None:
    note = Note("login", "x", folder=tmp_path)
    holder = os.fork()
    if holder == 0:
        lock = os.open(note._file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        os._exit(0 if _run._taken(lock) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(holder, 0)[1]) == 0
    with note.locked(0):
        pass


def test_the_folder_is_ansibles_own_for_this_run() -> None:
    """Forked workers have the same; it is the user's alone, and gone when the run is over."""
    assert folder_of_this_run() == Path(constants.DEFAULT_LOCAL_TMP)
    program = (
        "import os\n"
        "from ansible import constants\n"
        "seen = constants.DEFAULT_LOCAL_TMP\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if constants.DEFAULT_LOCAL_TMP == seen and os.path.isdir(seen) else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "print(seen, oct(os.stat(seen).st_mode & 0o777))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seen, mode = done.stdout.split()
    assert (mode, Path(seen).exists()) == ("0o700", False)
