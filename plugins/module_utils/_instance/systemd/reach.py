# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what units name: files and processes.

Root wrote the units of the host's systemd: what they name is read with our rights. What a user's own systemd says is
that user's word, and he can have it say anything: what it names is read with his rights, so that the kernel decides,
and a process counts only if it is his. Otherwise his unit would lend him ours.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import errno
import glob
import os
import typing as t

from ..._files.snapshot import LARGEST
from ..._findings.model import Finding
from .. import layers, process
from ..model import Completed
from ..process import Account
from ..procfs import Processes
from .units import Unit

#: Seconds that reading as a user may take: a unit of his may name a disk that hangs.
_PATIENCE = 10.0
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
#: Exit status -> why a file was not read. A named pipe, which would wait for its writer, is not opened.
_READ = 'test -e "$1" || exit 11; test -f "$1" || exit 12; test -r "$1" || exit 13; exec head -c "$2" -- "$1"'
_REFUSED = {11: errno.ENOENT, 12: errno.EINVAL, 13: errno.EACCES}
#: Without separators, an unquoted word is only expanded as a pattern.
_EXPAND = 'IFS=; for one in $1; do test -e "$one" && printf "%s\\0" "$one"; done; exit 0'
#: Bytes of the names that a pattern stands for.
_NAMES = 64 * 1024


class Reach:
    """The files and processes that units name.

    :param account: the user whose own systemd has the units; None for the host's.
    """

    def __init__(self, account: Account | None, processes: Processes) -> None:
        self._account = account
        self._processes = processes

    def environment_files(self, units: t.Iterable[Unit]) -> list[str]:
        """The existing files of EnvironmentFile=, patterns expanded, in the order in which they are read."""
        named = [file.path for unit in units for file in unit.environment_files]
        return list(dict.fromkeys(path for pattern in named for path in self._expanded(pattern)))

    def _expanded(self, pattern: str) -> list[str]:
        if self._account is None or not glob.has_magic(pattern):
            return sorted(glob.glob(pattern))
        done = self._as_user(_EXPAND, pattern, keep=_NAMES)
        return sorted(filter(None, done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]))

    def read(self, path: str) -> bytes:
        """The bytes of a regular file.

        :raises OSError: as layers.read_regular does.
        """
        if self._account is None:
            return layers.read_regular(path)
        done = self._as_user(_READ, path, str(LARGEST + 1), keep=LARGEST + 1)
        code = errno.EFBIG if len(done.stdout) > LARGEST else _REFUSED.get(done.returncode, errno.EIO)
        if done.timed_out or done.returncode != 0 or code == errno.EFBIG:
            raise OSError(errno.ETIMEDOUT if done.timed_out else code, os.strerror(code), path)
        return done.stdout

    def _as_user(self, script: str, *words: str, keep: int) -> Completed:
        command = ["/bin/sh", "-c", script, "sh", *words]
        return process.run(command, environment=_ENVIRONMENT, timeout=_PATIENCE, account=self._account, keep=(keep, 0))

    def given_by_files(self, unit: Unit) -> list[dict[str, str]]:
        """The contents of the unit's EnvironmentFile=, in the order in which they are read."""
        ignored: list[Finding] = []  # reported when the instance was found
        found = [layers.file_layer("", path, "systemd", ignored, self.read) for path in self.environment_files([unit])]
        return [layers.resolve([layer], ignored) for layer in found if layer]

    def pids(self, unit: Unit) -> list[int]:
        """The processes of a unit; empty when it does not run."""
        if unit.state != "running" or not unit.main_pid:
            return []
        found = list(self._processes.of_control_group(unit.control_group)) or [unit.main_pid]
        return [pid for pid in found if self._may_look_into(pid)]

    def environment(self, pid: int) -> dict[str, str]:
        """The environment that a process was started with; empty when it is gone or not readable. Holds secrets."""
        if not pid or not self._may_look_into(pid):
            return {}
        found = self._processes.environment(pid)
        return found if self._may_look_into(pid) else {}  # by now its number may be that of another process

    def _may_look_into(self, pid: int) -> bool:
        return self._account is None or self._processes.belongs(pid, self._account.uid)
