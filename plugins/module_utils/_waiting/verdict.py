# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the waiting mails mean: people who wait, mails that nothing sends any more, and mail that fails now. No I/O."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .._findings.model import Finding
from .._findings.waiting import TABLE
from .model import Group, Place, Waiting
from .words import named, since, span

SUBJECT = "Sidekiq"
#: Seconds that a mail may stand in a queue before it counts as waiting: a busy Sidekiq takes that long.
IN_QUEUE = 600
#: A failure that is older than this says nothing about now.
RECENT = 3600

#: What shows that a failure is over: one within the last hour may be.
MENDED = "If that is done already, a test message shows it (mastodon_smtp_check_send=true)."

#: What the diagnosis makes of a group's last error.
Cause = t.Callable[[Group], Finding]


def findings(
    waiting: Waiting, cause: Cause, ignored: t.Container[str] = (), *, repairing: bool = False
) -> list[Finding]:
    """The findings about the waiting mails of a host that runs Sidekiq.

    :param cause: diagnoses a group's last error.
    :param ignored: codes of causes that say nothing about the settings: one recipient's, or a relay that puts mail off.
    :param repairing: the run changes the settings: mail that failed with the previous ones is what it repairs.
    """
    if not waiting.complete and not waiting.groups:
        message = f"The mails that wait could not be counted: {waiting.error}."
        return [TABLE.finding("mails-uncounted", SUBJECT, message)]
    now = [] if repairing else _fails_now(waiting, cause, ignored)
    return [*now, *_waits(waiting, "" if now else _last_failure(waiting, cause)), *_lost(waiting)]


def _waits(waiting: Waiting, why: str) -> list[Finding]:
    """The warning about mails that are still to be sent. Scheduled ones wait on purpose.

    :param why: the sentence about the last failure, or empty.
    """
    late = [one for one in waiting.of("queue") if waiting.now - one.oldest > IN_QUEUE]
    groups = [*waiting.of("retry"), *late]
    count = sum(one.count for one in groups)
    if not count:
        return []
    least = "" if waiting.complete else "At least "
    verb = "mail waits" if count == 1 else "mails wait"
    stale = _stale(groups)
    tries = [one.next_try for one in groups if one.next_try is not None]
    message = f"{least}{count} {verb} since {since(min(one.oldest for one in groups), waiting.now)}"
    message += f" ({named(groups)}{stale})"
    if tries:
        ahead = min(tries) - waiting.now
        message += f"; the next try is in {span(ahead)}" if ahead > 0 else "; the next try is due"
    return [TABLE.finding("mails-waiting", SUBJECT, f"{message}.{_given_up(waiting)}{why}")]


def _stale(groups: t.Iterable[Group]) -> str:
    """How many of the mails are of no more use: V(, of which 3 have expired)."""
    groups = list(groups)
    expired, gone = (sum(getattr(one, name) for one in groups) for name in ("expired", "gone"))
    told = [f"{expired} {'has' if expired == 1 else 'have'} expired"] if expired else []
    if gone:
        told.append(f"{gone} {'is' if gone == 1 else 'are'} about something that no longer exists")
    return f", of which {' and '.join(told)}" if told else ""


def _given_up(waiting: Waiting) -> str:
    count = sum(one.count for one in waiting.of("dead"))
    return f" {count} {'was' if count == 1 else 'were'} given up." if count else ""


def _lost(waiting: Waiting) -> list[Finding]:
    groups = waiting.of("dead")
    count = sum(one.count for one in groups)
    if not count:
        return []
    least = "" if waiting.complete else "at least "
    message = (
        f"Sidekiq has given up {least}{count} {'mail' if count == 1 else 'mails'}, the oldest of "
        f"{since(min(one.oldest for one in groups), waiting.now)} ({named(groups)}{_stale(groups)})."
    )
    return [TABLE.finding("mails-lost", SUBJECT, message)]


def _fails_now(waiting: Waiting, cause: Cause, ignored: t.Container[str]) -> list[Finding]:
    """The error for a recent failure of the Sidekiq that runs now, so one with the settings that it has."""
    if waiting.started is None:
        return []
    for failed, one in _failures(waiting, "retry", "dead"):
        if failed <= waiting.started or waiting.now - failed > RECENT:
            continue
        found = cause(one)
        if found.code not in ignored:
            message = f"Mail fails now. {_failure(failed, waiting.now, found)}"
            return [TABLE.finding("mails-fail-now", SUBJECT, message, f"{found.fix} {MENDED}".strip())]
    return []


def _last_failure(waiting: Waiting, cause: Cause) -> str:
    """Why the newest of the waiting mails did not go out, as a sentence; empty if none has failed."""
    return "".join(f" {_failure(failed, waiting.now, cause(one))}" for failed, one in _failures(waiting, "retry")[:1])


def _failures(waiting: Waiting, *places: Place) -> list[tuple[float, Group]]:
    """The groups that have failed, by the time of their last failure, newest first."""
    failed = [(one.last_failed, one) for one in waiting.of(*places) if one.last_failed is not None]
    return sorted(failed, key=lambda pair: -pair[0])


def _failure(failed: float, now: float, found: Finding) -> str:
    return f"The last failure, at {since(failed, now)}: {found.message}"
