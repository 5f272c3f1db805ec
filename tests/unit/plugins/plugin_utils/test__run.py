# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible import constants

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


def test_one_key_has_another_name_in_another_run(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    names = {Note("login", "x", folder=folder)._file.name for folder in (tmp_path, tmp_path / "other")}
    assert len(names) == 2


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
