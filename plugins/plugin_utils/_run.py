# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hosts of one run tell each other, whatever the strategy: small notes in a folder of this run alone.

Variables of other hosts are no way to do it: with the strategy C(free) they may not be there yet, and C(run_once) is
not heeded. ansible-core makes one folder for each C(ansible-playbook), for its user only; its workers share it, and it
is removed at the end.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
import typing as t
from pathlib import Path

from ansible import constants

#: Seconds between two looks at a lock that somebody else has.
_PAUSE = 0.05
#: Makes guessing a password from the name of its note slow (OWASP's figure is for stores that last; this is minutes).
_ROUNDS = 100_000


class Busy(Exception):
    """Somebody else had the lock for all the time that there was."""


def folder_of_this_run() -> Path:
    """The folder of this ansible-playbook and its workers."""
    return Path(constants.DEFAULT_LOCAL_TMP)


class Note:
    """One small JSON document that all hosts of a run read and write, one at a time.

    :param topic: what it is about; a word.
    :param key: of whom or what. It may hold a secret: it is stretched and hashed, and written nowhere.
    """

    def __init__(self, topic: str, *key: str, folder: Path | None = None) -> None:
        home = folder or folder_of_this_run()
        words = json.dumps(key).encode()
        digest = hashlib.pbkdf2_hmac("sha256", words, str(home).encode() + topic.encode(), _ROUNDS).hex()
        self._file = home / f"fediops-{topic}-{digest[:32]}.json"

    @contextlib.contextmanager
    def locked(self, patience: float) -> t.Iterator[None]:
        """Alone with the note. A worker that dies lets go of the lock.

        :param patience: seconds to wait for it.
        :raises Busy: it was not to be had.
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
        """What was written last; None when nobody has written yet."""
        try:
            found: dict[str, t.Any] = json.loads(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return None
        return found

    def write(self, value: t.Mapping[str, t.Any]) -> None:
        """Say something to the others. Readers see the old or the new, never half of it."""
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
