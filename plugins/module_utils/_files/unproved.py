# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal of a pending edit: a file beside the environment file, from the edit until the last proof.

A run that dies leaves it behind, and the next run learns from it which proofs are missing and which state was the last
good one. It is written before the edit, so that no edit goes unrecorded, and it holds checksums, no values. A run that
continues another run's edit gives the journal a new ticket; steps with the old ticket then stop before doing anything.
Each step holds the file's lock and is finished even if its controller dies: a mail that is on its way is recorded, and
not sent again. The next run waits for it.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import typing as t

from .. import _lifeline
from .._findings.env_file import TABLE
from .._findings.model import Finding, FindingError
from .replace import ROLLING_BACKUP, UNPROVED, locked, put_beside
from .snapshot import Snapshot, look, opened, trouble

if t.TYPE_CHECKING:
    from .._instance.model import Driver

#: The proofs of an edit, in the order of the steps: Rails' verdict (and the test mail), the services, the queue.
PROOFS = ("mailer", "services", "queue")
_CHECKSUM = re.compile("[0-9a-f]{64}")
#: The formats of the journal's texts.
_FORMS = {"checksum": _CHECKSUM, "replaces": _CHECKSUM, "good": _CHECKSUM, "ticket": re.compile("[0-9a-f]{16}")}
#: Bytes; a journal has about four hundred.
_LONGEST = 4096


@dataclasses.dataclass(frozen=True)
class Unproved:
    """One pending edit. All checksums are SHA-256 of the file.

    :ivar checksum: the file after the edit.
    :ivar replaces: the file before the edit; the same as C(good) unless that state was an unproved edit, too.
    :ivar good: the last state that was not an unproved edit.
    :ivar backup: path of the backup of C(good); None when there is none.
    :ivar outstanding: the proofs that are still missing.
    :ivar ticket: identifies the run that may continue.
    """

    checksum: str
    replaces: str
    good: str
    backup: str | None
    outstanding: tuple[str, ...]
    ticket: str


def new_ticket() -> str:
    """A random ticket for one run's work on one edit."""
    return secrets.token_hex(8)


def read(seen: Snapshot) -> Unproved | None:
    """The journal as it applies to the file now; None when there is none, or the edit was never made or was undone.

    If somebody has edited the file since, all proofs are missing again, and no backup belongs to that state.
    """
    note = _as_it_stands(seen)
    if note is None:
        return None
    if seen.checksum == note.good:
        return None
    if seen.checksum not in (note.checksum, note.replaces):
        note = dataclasses.replace(note, good=seen.checksum, backup=None)
    if seen.checksum != note.checksum:
        note = dataclasses.replace(note, checksum=seen.checksum, outstanding=PROOFS)
    return note


def _as_it_stands(seen: Snapshot) -> Unproved | None:
    """The journal as it is on disk; None when it does not exist or is not valid.

    Root reads it in a directory of the application's user: it may be a link or a pipe, and must not be able to name
    somebody else's file as the backup.
    """
    try:
        data = look(seen.place.beside(UNPROVED)).data
        found = json.loads(data) if len(data) <= _LONGEST else None
    except (FindingError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(_matches(found.get(name), form) for name, form in _FORMS.items()):
        return None
    outstanding = found.get("outstanding")
    if not isinstance(outstanding, list):
        return None
    return Unproved(
        **{name: found[name] for name in _FORMS},
        backup=seen.target + ROLLING_BACKUP if found.get("backup") else None,
        outstanding=tuple(one for one in PROOFS if one in outstanding),
    )


def _matches(value: object, form: t.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def write(seen: Snapshot, note: Unproved) -> None:
    """Write the journal atomically.

    :raises FindingError: the system refused it.
    """
    try:
        put_beside(seen, UNPROVED, (json.dumps(dataclasses.asdict(note)) + "\n").encode("ascii"))
    except OSError as error:
        raise FindingError(trouble(error, seen.target + UNPROVED, "write the file")) from None


def clear(seen: Snapshot) -> None:
    """Remove the journal, if there is one.

    :raises FindingError: the system refused it.
    """
    try:
        os.unlink(seen.place.beside(UNPROVED).name, dir_fd=seen.place.descriptor)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise FindingError(trouble(error, seen.target + UNPROVED, "remove the file")) from None


def check_ticket(seen: Snapshot, note: Unproved | None, ticket: str) -> None:
    """Check that the holder of the ticket may still prove or undo the edit.

    :raises FindingError: C(edit-taken-over) otherwise.
    """
    if note is None or note.ticket != ticket:
        message = "Another rollout has taken over, undone or finished the edit that this run began."
        raise FindingError(TABLE.finding("edit-taken-over", seen.path, message))


class Proof(t.Protocol):
    """A proof that a step is working on."""

    def done(self) -> None:
        """Record the proof in the journal; remove the journal with the last one."""


class _Proof:
    def __init__(self, seen: Snapshot, note: Unproved, name: str) -> None:
        self._seen, self._note, self._name = seen, note, name

    def done(self) -> None:
        left = tuple(one for one in self._note.outstanding if one != self._name)
        if left:
            write(self._seen, dataclasses.replace(self._note, outstanding=left))
        else:
            clear(self._seen)


class _NoProof:
    def done(self) -> None:
        pass


@contextlib.contextmanager
def proving(driver: Driver, ticket: str | None, name: str, wait: float = 600.0) -> t.Iterator[Proof]:
    """Lock an instance's environment file while a step proves something about it. It is not interrupted meanwhile.

    :param ticket: from the edit; without one nothing is locked or recorded.
    :param name: one of C(PROOFS).
    :param wait: seconds to wait for a step of another run to end.
    :raises FindingError: C(edit-taken-over), C(env-file-busy), or the file cannot be opened, read or locked.
    """
    if not ticket:
        yield _NoProof()
        return
    with opened(driver.instance.env_file) as place, _lifeline.waiting(wait) as waited, locked(place, wait):
        waited()
        seen = look(place)
        note = read(seen)
        check_ticket(seen, note, ticket)
        with _lifeline.finished_first():
            yield _Proof(seen, t.cast(Unproved, note), name)


def about(env_file: str) -> tuple[dict[str, t.Any], list[Finding]]:
    """What remains to be proved about a file (C(unproved), C(ticket)), and the finding about it. Only reads."""
    try:
        with opened(env_file) as place:
            note = read(look(place))
    except FindingError:
        note = None
    if note is None:
        return {"unproved": [], "ticket": None}, []
    message = f"An earlier rollout edited it and did not finish; not yet proved: {', '.join(note.outstanding)}."
    if note.backup:
        message += f" The last good state is in {note.backup}."
    known = {"unproved": list(note.outstanding), "ticket": note.ticket}
    return known, [TABLE.finding("edit-unproved", env_file, message)]
