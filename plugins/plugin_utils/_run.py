# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares results between the hosts of one run, whatever the strategy, in small files in the run's private folder.

Other hosts' variables do not work for that: with strategy C(free) they may not be set yet, and C(run_once) is ignored.
ansible-core creates one folder for each C(ansible-playbook), accessible to its user only; its workers share it, and it
is removed at the end.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import fcntl
import hmac
import json
import multiprocessing
import os
import time
import typing as t
from pathlib import Path

from ansible import constants

#: Seconds between two tries to get a lock.
_PAUSE = 0.05


class Busy(Exception):
    """Another host held the lock for the whole waiting time."""


def folder_of_this_run() -> Path:
    """The folder of this ansible-playbook and its workers."""
    return Path(constants.DEFAULT_LOCAL_TMP)


class Note:
    """One small JSON document that all hosts of a run read and write, one at a time.

    :param topic: its topic, one word.
    :param key: identifies the note within the topic. May hold a secret, which cannot be guessed from the file's name.
    """

    def __init__(self, topic: str, *key: str, folder: Path | None = None) -> None:
        home = folder or folder_of_this_run()
        # Random for each run and never in a file. ansible-core's workers are processes that inherit it.
        known_to_this_run = bytes(multiprocessing.current_process().authkey)
        digest = hmac.new(known_to_this_run, json.dumps([topic, *key]).encode(), "sha256").hexdigest()
        self._file = home / f"fediops-{topic}-{digest[:32]}.json"

    @contextlib.contextmanager
    def locked(self, patience: float) -> t.Iterator[None]:
        """Hold the note's lock. A worker that dies releases it.

        :param patience: seconds to wait for the lock.
        :raises Busy: the lock was not free in that time.
        """
        end = time.monotonic() + patience
        lock = os.open(self._file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            while not _taken(lock):
                if time.monotonic() > end:
                    raise Busy
                time.sleep(_PAUSE)
            yield
        finally:
            os.close(lock)

    def read(self) -> dict[str, t.Any] | None:
        """What was written last; None if nothing has been written yet."""
        try:
            found: dict[str, t.Any] = json.loads(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return None
        return found

    def write(self, value: t.Mapping[str, t.Any]) -> None:
        """Write the note for the other hosts. The write is atomic: readers see the old or the new content."""
        fresh = self._file.with_suffix(f".{os.getpid()}")
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(value, file)
        fresh.replace(self._file)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
