# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The note that an edit is not yet proved: beside the environment file from the edit until the last proof, then gone.

A run that dies leaves it behind, and the next one knows from it what is still missing and which state was the last
good one. The note is written before the edit, so it never comes too late, and it holds checksums, no values. A run that
carries on what another began gives the note a new ticket; a step that comes with the old one then stops before it does
anything. Each step holds the lock of the file, so the next run waits for a step that outlived its controller.
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

#: What an edit can need, in the order of the steps: Rails' verdict (and the test mail), the services, the queue.
PROOFS = ("mailer", "services", "queue")
_CHECKSUM = re.compile("[0-9a-f]{64}")
#: What the texts of a note look like.
_FORMS = {"checksum": _CHECKSUM, "replaces": _CHECKSUM, "good": _CHECKSUM, "ticket": re.compile("[0-9a-f]{16}")}
#: Bytes; a note has some four hundred.
_LONGEST = 4096


@dataclasses.dataclass(frozen=True)
class Unproved:
    """One edit on its way. All checksums are SHA-256 of the file.

    :ivar checksum: as the edit leaves it.
    :ivar replaces: as the edit found it: the same as C(good) unless that was an unproved edit as well.
    :ivar good: the last state that was not an unproved edit.
    :ivar backup: where that state is kept; None when nowhere.
    :ivar outstanding: the proofs that are still missing.
    :ivar ticket: who may carry on.
    """

    checksum: str
    replaces: str
    good: str
    backup: str | None
    outstanding: tuple[str, ...]
    ticket: str


def new_ticket() -> str:
    """A name for one run's work on one edit; nobody can have it by accident."""
    return secrets.token_hex(8)


def read(seen: Snapshot) -> Unproved | None:
    """What is noted about the file as it is now; None when nothing is, or the edit was never made or was undone.

    If somebody edited the file since, the proofs are missing all the same, but no backup is of the state before.
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
    """The note as it lies there; None when none does, or what lies there is none.

    The directory belongs to the application, and root reads here: what is there may be a link or a pipe, and must not
    name the file of somebody else as a backup.
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
    """Put the note beside the file, whole or not at all. FindingError with what the system refused."""
    try:
        put_beside(seen, UNPROVED, (json.dumps(dataclasses.asdict(note)) + "\n").encode("ascii"))
    except OSError as error:
        raise FindingError(trouble(error, seen.target + UNPROVED, "write the file")) from None


def clear(seen: Snapshot) -> None:
    """Remove the note, if there is one. FindingError with what the system refused."""
    try:
        os.unlink(seen.place.beside(UNPROVED).name, dir_fd=seen.place.descriptor)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise FindingError(trouble(error, seen.target + UNPROVED, "remove the file")) from None


def check_ticket(seen: Snapshot, note: Unproved | None, ticket: str) -> None:
    """FindingError C(edit-taken-over) when the edit is no longer the ticket holder's to prove or to undo."""
    if note is None or note.ticket != ticket:
        message = "Another rollout has taken over, undone or finished the edit that this run began."
        raise FindingError(TABLE.finding("edit-taken-over", seen.path, message))


class Proof(t.Protocol):
    """What a step has in hand while it proves something."""

    def done(self) -> None:
        """The proof is there."""


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
    """Hold an instance's environment file while a step proves something about it.

    :param ticket: from the edit; without one nothing is held and nothing is noted.
    :param name: one of C(PROOFS).
    :param wait: seconds to wait for a step of another run to end.
    :raises FindingError: C(edit-taken-over), C(env-file-busy), or what the system refused.
    """
    if not ticket:
        yield _NoProof()
        return
    with opened(driver.instance.env_file) as place, _lifeline.waiting(wait) as waited, locked(place, wait):
        waited()
        seen = look(place)
        note = read(seen)
        check_ticket(seen, note, ticket)
        yield _Proof(seen, t.cast(Unproved, note), name)


def about(env_file: str) -> tuple[dict[str, t.Any], list[Finding]]:
    """What is still to be proved about a file (unproved, ticket), and the finding about it. Reads only."""
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
