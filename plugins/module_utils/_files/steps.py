# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module env_file: read, edit, check and replace the file, or restore a backup."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import dataclasses
import stat
import typing as t

from .. import _lifeline
from .._dotenv import mask
from .._dotenv.dialects import READERS, Generation, decode
from .._dotenv.edit import edit, texts
from .._dotenv.rewrite import Change
from .._findings.env_file import TABLE
from .._findings.model import Finding, FindingError, errors
from . import foresight, unproved
from .gate import Place
from .replace import FIRST_BACKUP, NOTE, ROLLING_BACKUP, UNPROVED, locked, noted, replace, writable
from .snapshot import Snapshot, checksum, followed, look, opened, placed

#: Bytes of the notes beside the file, at most.
_NOTE_SIZE = 1024


@dataclasses.dataclass(frozen=True)
class Request:
    """What to do with one environment file; the fields are the module's options."""

    path: str
    set: t.Mapping[str, object] = dataclasses.field(default_factory=dict)
    secrets: t.Mapping[str, object] = dataclasses.field(default_factory=dict)
    remove: t.Sequence[str] = ()
    readers: t.Sequence[str] = ("ruby", "node", "compose")
    backup: bool = True
    expected_checksum: str | None = None
    backup_file: str | None = None
    keep_mtime: bool = True
    check_mode: bool = False
    prove: t.Sequence[str] = ()
    ticket: str | None = None
    busy_timeout: float = 20.0


@dataclasses.dataclass
class Outcome:
    """What was done, or why not; the fields are the module's return values and the masked diff."""

    changed: bool = False
    changes: list[Change] = dataclasses.field(default_factory=list)
    backup_file: str | None = None
    checksum_before: str | None = None
    checksum_after: str | None = None
    findings: list[Finding] = dataclasses.field(default_factory=list)
    diff: tuple[str, str] = ("", "")
    unproved: tuple[str, ...] = ()
    ticket: str | None = None

    def as_dict(self) -> dict[str, t.Any]:
        """The return values of the module, without the findings."""
        return {
            "changed": self.changed,
            "changed_variables": [{"name": one.name, "what": one.what} for one in self.changes],
            "backup_file": self.backup_file,
            "checksum_before": self.checksum_before,
            "checksum_after": self.checksum_after,
            "unproved": list(self.unproved),
            "ticket": self.ticket,
        }


def present(request: Request) -> Outcome:
    """Edit the file. Never raises a FindingError: errors are findings of the outcome."""
    return _guarded(request, _present)


def restored(request: Request) -> Outcome:
    """Restore a backup if the file still has the expected checksum. Errors are findings of the outcome."""
    return _guarded(request, _restored)


def _guarded(request: Request, step: t.Callable[[Request, Snapshot, Outcome], None]) -> Outcome:
    outcome = Outcome()
    try:
        with opened(request.path) as place:
            seen = look(place)
            outcome.checksum_before = outcome.checksum_after = seen.checksum
            with contextlib.nullcontext() if request.check_mode else locked(place, request.busy_timeout):
                seen = look(place)
                outcome.checksum_before = outcome.checksum_after = seen.checksum
                outcome.findings.extend(followed(place))
                with _lifeline.finished_first():
                    step(request, seen, outcome)
    except FindingError as error:
        outcome.changed, outcome.changes, outcome.backup_file, outcome.diff = False, [], None, ("", "")
        outcome.unproved, outcome.ticket = (), None
        outcome.checksum_after = outcome.checksum_before
        outcome.findings.append(error.finding)
    outcome.findings = [placed(one, request.path) for one in outcome.findings]
    return outcome


def _present(request: Request, seen: Snapshot, outcome: Outcome) -> None:
    if request.expected_checksum not in (None, seen.checksum):
        message = "The file changed after it was read; it was left unchanged."
        raise FindingError(TABLE.finding("env-file-changed", request.path, message))
    wanted, secrets, problems = _wanted(request)
    if problems:
        outcome.findings.extend(problems)
        return
    made = edit(seen.data, set={**wanted, **secrets}, remove=request.remove, readers=request.readers)
    outcome.findings.extend(made.findings)
    if errors(made.findings):
        return
    if made.data == seen.data:
        _carry_on(request, seen, outcome)
        return
    _plan(outcome, request, seen, made.data, made.changes, secrets)
    earlier = unproved.read(seen) if request.prove else None
    if earlier and earlier.outstanding == ("queue",):
        earlier = None  # Rails and the services have proved that state, so it is what an undo goes back to
    # Keep the backup of the last good state rather than replace it by one of an unproved edit.
    kept = earlier is not None and _has_backup(seen, earlier)
    outcome.backup_file = seen.target + ROLLING_BACKUP if kept or request.backup else None
    outcome.unproved = tuple(request.prove)
    _foresee(request, seen, outcome, _writings(request, seen, made.data, kept))
    if request.check_mode:
        return
    with _noted(request, seen, outcome, earlier.good if earlier and kept else seen.checksum):
        replace(seen, made.data, backups=request.backup, keep_last=kept)


def _writings(request: Request, seen: Snapshot, data: bytes, kept: bool) -> list[foresight.Writing]:
    """The files that the edit writes, in order; see _noted and replace."""
    found = [foresight.Writing(UNPROVED, _NOTE_SIZE)] if request.prove else []
    found.append(foresight.Writing("", len(data)))
    if not request.backup:
        return found
    first = seen.place.beside(FIRST_BACKUP).status()
    if not kept:
        found += [] if first and stat.S_ISREG(first.st_mode) else [foresight.Writing(FIRST_BACKUP, len(seen.data))]
        found.append(foresight.Writing(ROLLING_BACKUP, len(seen.data)))
    return [*found, foresight.Writing(ROLLING_BACKUP + NOTE, _NOTE_SIZE)]


def _foresee(request: Request, seen: Snapshot, outcome: Outcome, writings: t.Sequence[foresight.Writing]) -> None:
    """Check before writing whether anything keeps the file from being replaced.

    Free space is checked in a dry run only: in a real run the write itself shows it, and a failed write leaves nothing.

    :raises FindingError: the first obstacle; others become findings of the outcome.
    """
    found = foresight.foresee(seen.place, seen.status, writings)
    if request.check_mode and not errors(found):
        writable(seen)
        found += foresight.no_room(seen.place, writings, sum(map(len, seen.attributes.values())))
    wrong = errors(found)
    outcome.findings.extend(one for one in found if one not in wrong[:1])
    if wrong:
        raise FindingError(wrong[0])


def _carry_on(request: Request, seen: Snapshot, outcome: Outcome) -> None:
    """The file needs no edit: continue an edit that an earlier run left unproved, if there is one."""
    if not request.prove:
        return
    note = unproved.read(seen)
    left = tuple(one for one in note.outstanding if one in request.prove) if note else ()
    outcome.unproved = left
    if note and left:
        outcome.backup_file = note.backup if _has_backup(seen, note) else None
        if not request.check_mode:
            outcome.ticket = unproved.new_ticket()
            unproved.write(seen, dataclasses.replace(note, outstanding=left, ticket=outcome.ticket))
    elif not request.check_mode:
        unproved.clear(seen)


@contextlib.contextmanager
def _noted(request: Request, seen: Snapshot, outcome: Outcome, good: str) -> t.Iterator[None]:
    """Write the journal before an edit, and put it back as it was if the edit fails."""
    if not request.prove:
        yield
        return
    before = unproved.read(seen)
    outcome.ticket = unproved.new_ticket()
    after = t.cast(str, outcome.checksum_after)
    note = unproved.Unproved(after, seen.checksum, good, outcome.backup_file, tuple(request.prove), outcome.ticket)
    unproved.write(seen, note)
    try:
        yield
    except FindingError:
        with contextlib.suppress(FindingError):
            unproved.write(seen, before) if before else unproved.clear(seen)
        raise


def _has_backup(seen: Snapshot, note: unproved.Unproved) -> bool:
    """Whether the backup that the journal names exists and holds the last good state."""
    if note.backup is None:
        return False
    with contextlib.suppress(FindingError):
        return look(seen.place.beside(ROLLING_BACKUP)).checksum == note.good
    return False


def _restored(request: Request, seen: Snapshot, outcome: Outcome) -> None:
    with _backup(request, seen) as place:
        _put_back(request, seen, outcome, place)


@contextlib.contextmanager
def _backup(request: Request, seen: Snapshot) -> t.Iterator[Place]:
    """The place of the backup: in the folder that is already open, or at the path that the operator gave."""
    ours = seen.target + ROLLING_BACKUP
    if request.backup_file is None or request.backup_file == ours:
        yield seen.place.beside(ROLLING_BACKUP)
        return
    with contextlib.ExitStack() as held:
        try:
            place = held.enter_context(opened(request.backup_file, follow=False))
        except FindingError as error:
            raise _without_backup(error, request.backup_file) from None
        yield place


def _put_back(request: Request, seen: Snapshot, outcome: Outcome, place: Place) -> None:
    path = place.asked
    try:
        backup = look(place)
    except FindingError as error:
        raise _without_backup(error, path) from None
    if backup.data == seen.data:
        if not request.check_mode:
            unproved.clear(seen)
        return
    note = unproved.read(seen)
    if request.ticket:
        unproved.check_ticket(seen, note, request.ticket)
    expected = request.expected_checksum or noted(place)
    if not expected:
        message = f"It is unknown which edit {path} belongs to ({path}{NOTE} is missing); neither was changed."
        raise FindingError(TABLE.finding("env-not-ours", request.path, message))
    if seen.checksum != expected:
        message = f"The file was changed after the edit that {path} belongs to; neither was changed."
        raise FindingError(TABLE.finding("env-not-ours", request.path, message))
    _plan(outcome, request, seen, backup.data, _differences(seen.data, backup.data, request.readers), {})
    outcome.backup_file = path
    _foresee(request, seen, outcome, [foresight.Writing("", len(backup.data))])
    if not request.check_mode:
        replace(seen, backup.data, modified=backup.status.st_mtime_ns if request.keep_mtime else None)
        unproved.clear(seen)


def _without_backup(error: FindingError, path: str) -> FindingError:
    """A missing file reported as a missing backup; any other error unchanged."""
    if error.finding.code != "env-file-missing":
        return error
    return FindingError(TABLE.finding("env-backup-missing", path, "The backup does not exist."))


def _plan(
    outcome: Outcome,
    request: Request,
    seen: Snapshot,
    data: bytes,
    changes: t.Sequence[Change],
    secrets: t.Mapping[str, str],
) -> None:
    outcome.changed = True
    outcome.changes = list(changes)
    outcome.checksum_after = checksum(data)
    with contextlib.suppress(FindingError):  # a backup may be a file that no reader accepts
        reader = _first(request.readers)
        outcome.diff = mask.diff(decode(seen.data), decode(data), changes, secrets, reader)


def _first(readers: t.Sequence[str]) -> Generation:
    """The reader whose view decides what counts as a change; a restore may name no reader."""
    return READERS[readers[0] if readers else "ruby"][-1]


def _differences(old: bytes, new: bytes, readers: t.Sequence[str]) -> list[Change]:
    """The changes between two states of the file, as the newest version of the first reader sees them."""
    reader = _first(readers)
    try:
        before, after = (reader.read(decode(data), {}).values() for data in (old, new))
    except FindingError:
        return []
    changes = [
        Change(name, "changed" if name in before else "added") for name in after if before.get(name) != after[name]
    ]
    return [*changes, *(Change(name, "removed") for name in before if name not in after)]


def _wanted(request: Request) -> tuple[dict[str, str], dict[str, str], list[Finding]]:
    """The wanted values as text, the secrets as text, and what is wrong with the request itself."""
    problems: list[Finding] = []
    if not request.readers:
        problems.append(TABLE.finding("env-no-reader", request.path, "The list of readers is empty."))
    wanted, not_text = texts(request.set)
    secrets, no_secret = texts(request.secrets)
    problems += [*not_text, *no_secret]
    names = [*wanted, *secrets, *dict.fromkeys(request.remove)]
    problems.extend(
        TABLE.finding("env-name-twice", name, "It is listed in more than one of set, secrets and remove.")
        for name in dict.fromkeys(name for name in names if names.count(name) > 1)
    )
    return wanted, secrets, problems
