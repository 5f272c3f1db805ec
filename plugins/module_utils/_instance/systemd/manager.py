# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemctl and journalctl, as functions."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import json
import os
import re
import typing as t

from ... import _lifeline
from ..._findings.instance import TABLE
from ..._findings.model import FindingError
from .. import process
from ..model import Completed, LogLine
from . import places
from .units import PROPERTIES, Unit, parse_names, parse_show

#: Messages of the tools when there is no systemd to talk to.
_ABSENT = re.compile(
    r"not been booted with systemd|Failed to connect to bus|Failed to get D-Bus connection|Host is down", re.IGNORECASE
)
#: Messages of the tools when we lack permission.
_DENIED = re.compile(
    r"Access denied|authentication required|Permission denied|not permitted|authorization", re.IGNORECASE
)
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "TZ": "UTC",  # the zone that timestamps are printed in
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_URLIFY": "0",
}
#: Seconds that a query may take; systemd's own bus timeout is 25.
_PATIENCE = 60.0
#: Bytes kept of the beginning and the end of an answer: practically all of it, since answers are data.
_KEEP = (0, 32 * 1024 * 1024)


#: What the journal says about an entry. A unit of a user's own systemd has the fields with USER.
_FIELDS = "MESSAGE,_PID,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,UNIT,_SYSTEMD_USER_UNIT,USER_UNIT"


class Manager:
    """The host's systemd, or the one of a user. Methods raise FindingError (no-systemd, not-permitted, systemd-answer).

    :ivar account: the user whose own systemd it is; None for the host's.
    """

    def __init__(self, account: process.Account | None = None) -> None:
        self.account = account

    @classmethod
    def of_user(cls, name: str) -> Manager | None:
        """The systemd of a user; None if there is no such user or it does not run (he has to linger, or be logged in).

        :param name: his name or number.
        """
        try:
            account = process.Account.named(name)
        except (KeyError, OverflowError):
            return None
        return cls(account) if os.path.isdir(os.path.join(_runtime(account), "systemd")) else None

    def unit_names(self, may_lead: t.Callable[[str, places.UnitFiles], bool]) -> tuple[list[str], int]:
        """The loaded or installed service units that may belong to an instance, and the number of all units.

        :param may_lead: decides by a unit's name and the unit files.
        """
        kinds = ["--type=service", "--plain", "--no-legend", "--no-pager", "--full"]
        loaded = self._ask([*self._systemctl, "list-units", "--all", *kinds])
        if self.account:  # a user has few units, so all of them may be asked about
            names = parse_names(loaded + self._ask([*self._systemctl, "list-unit-files", *kinds]))
            return names, len(names)
        files = places.UnitFiles()
        names = list(dict.fromkeys([*parse_names(loaded), *files.names]))
        return [name for name in names if may_lead(name, files)], len(names)

    def show(self, names: t.Sequence[str]) -> list[Unit]:
        """Read these units in one call. A unit that does not exist has C(exists) false; an alias becomes its unit."""
        if not names:
            return []
        command = [*self._systemctl, "show", "--no-pager", f"--property={','.join(PROPERTIES)}", "--", *names]
        units = parse_show(self._ask(command))
        if self.account is None:
            return units
        # A user's own systemd runs its units as that user, whatever they say.
        name = self.account.name
        return [dataclasses.replace(unit, user=name, group="", supplementary_groups=()) for unit in units]

    def restart(self, names: t.Sequence[str]) -> None:
        """Queue the restart of these units, all at once, without waiting for them.

        All at once, because each takes a Rails boot, and the web service should not be down longer than its own.
        A unit that crashed in a loop may have used up its starts (StartLimitBurst=), and systemd would refuse another
        although the cause is fixed; reset-failed resets the counter.

        :raises FindingError: C(restart-refused), with the units that systemd refuses to restart.
        """
        with _lifeline.finished_first():
            self._run([*self._systemctl, "reset-failed", "--", *names])
            done = self._run([*self._systemctl, "restart", "--no-block", "--", *names])
        if done.returncode != 0:
            raise self._refusal("restart-refused", f"{' '.join(self._systemctl)} restart {' '.join(names)}", done)

    def log_end(self) -> str:
        """A cursor of the journal's last entry; empty when the journal has none."""
        last = ["--lines=1", "--output=json", "--output-fields=_PID"]
        done = self._run(["journalctl", "--no-pager", "--quiet", *last], as_user=False)
        for line in reversed(done.stdout.splitlines()):
            entry = _entry(line)
            if "__CURSOR" in entry:
                return str(entry["__CURSOR"])
        if done.returncode != 0:
            raise self._refusal("log-unreadable", "journalctl", done)
        return ""

    def log_since(self, names: t.Sequence[str], cursor: str, *, lines: int | None = None) -> list[LogLine]:
        """The log lines of these units, and systemd's about them, since the cursor; oldest first.

        :param lines: only the last so many lines.
        """
        command = ["journalctl", "--no-pager", "--quiet", "--output=json"]
        command.append(f"--output-fields={_FIELDS}")
        command += [f"--after-cursor={cursor}"] if cursor else ["--boot"]
        command += [f"--lines={lines}"] if lines else []
        command += self._matches(names) if self.account else [f"--unit={name}" for name in names]
        done = self._run(command, as_user=False)
        if done.returncode != 0 and not done.stdout.strip():
            raise self._refusal("log-unreadable", "journalctl", done)
        return [line for line in map(_log_line, done.stdout.splitlines()) if line]

    def _matches(self, names: t.Sequence[str]) -> list[str]:
        """The journal's entries from and about units of the user; C(--user-unit) would mean those of the caller."""
        owner = f"_UID={self.account.uid}" if self.account else ""
        either = [[f"{field}={name}", owner] for name in names for field in ("_SYSTEMD_USER_UNIT", "USER_UNIT")]
        return [word for one in either for word in ("+", *one)][1:]

    @property
    def _systemctl(self) -> list[str]:
        return ["systemctl", "--user"] if self.account else ["systemctl"]

    def _ask(self, command: t.Sequence[str]) -> str:
        done = self._run(command)
        if done.returncode != 0:
            raise self._refusal("systemd-answer", " ".join(command[:2]), done)
        return done.stdout.decode("utf-8", "replace")

    def _run(self, command: t.Sequence[str], *, as_user: bool = True) -> Completed:
        environment, account = _ENVIRONMENT, self.account if as_user else None
        if account:
            environment = {**environment, "HOME": account.home, "XDG_RUNTIME_DIR": _runtime(account)}
        try:
            done = process.run(command, environment=environment, timeout=_PATIENCE, keep=_KEEP, account=account)
        except OSError as error:
            message = f"{command[0]} cannot be run: {error.strerror}."
            raise FindingError(TABLE.finding("no-systemd", command[0], message)) from None
        if done.timed_out:
            message = f"It did not answer within {_PATIENCE:.0f} s."
            raise FindingError(TABLE.finding("systemd-answer", " ".join(command[:2]), message))
        return done

    def _refusal(self, code: str, subject: str, done: Completed) -> FindingError:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:500]
        if _ABSENT.search(said):
            code = "no-systemd"
        elif _DENIED.search(said):
            code = "not-permitted"
        return FindingError(TABLE.finding(code, subject, f"It said: {said or f'exit status {done.returncode}'}"))


def _runtime(account: process.Account) -> str:
    """Where a user's systemd has its socket. Source: pam_systemd(8)."""
    return f"/run/user/{account.uid}"


def _entry(line: bytes) -> dict[str, t.Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


#: Fields that name the unit of an entry: those about it before those from it.
_UNITS = ("USER_UNIT", "_SYSTEMD_USER_UNIT", "UNIT", "_SYSTEMD_UNIT")


def _log_line(line: bytes) -> LogLine | None:
    """One entry of C(journalctl --output=json). A message that is not UTF-8 comes as a list of byte values."""
    entry = _entry(line)
    message = entry.get("MESSAGE")
    if isinstance(message, list) and all(isinstance(byte, int) for byte in message):
        message = bytes(message).decode("utf-8", "replace")
    if not isinstance(message, str):
        return None
    # Before a new process executes its program, systemd logs in it under the name "(program)".
    by_systemd = str(entry.get("SYSLOG_IDENTIFIER", "")).startswith("(") or "USER_UNIT" in entry
    pid = "1" if by_systemd else str(entry.get("_PID", ""))
    return LogLine(
        at=int(entry.get("__REALTIME_TIMESTAMP", 0)) / 1_000_000,
        service=str(next(filter(None, map(entry.get, _UNITS)), "")),
        pid=int(pid) if pid.isdecimal() else 0,
        text=message.rstrip("\n"),
    )
