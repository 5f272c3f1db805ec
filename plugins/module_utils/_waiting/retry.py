# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retrying the mails that wait: which ones, in which order, how fast, when to stop, and what came of it. No I/O."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._diagnosis.redact import one_line
from .._findings.model import Finding
from .._findings.waiting import TABLE
from .model import Group, Waiting
from .verdict import SUBJECT
from .words import named

#: Which mails are retried.
Which = t.Literal["none", "fresh", "all"]
#: A mail whose record is gone is never retried: it can only fail.
_VERDICTS: t.Mapping[Which, tuple[str, ...]] = {
    "none": (),
    "fresh": ("fresh",),
    "all": ("fresh", "unknown", "expired"),
}
#: The first to have their turn: somebody sits there and waits, and the link does not live long.
FIRST = (("UserMailer", "reset_password_instructions"), ("UserMailer", "confirmation_instructions"))
#: So many failures in a row say that mail does not work. The rest is left as it is.
FAILURES = 3
#: The words of a relay to which the recipient does not exist (RFC 3463, 3.2 and 3.3; diagnosis: recipient-refused).
REFUSED = r"\b5\.1\.(?:1|2|3|6|10)\b|\b5\.2\.1\b|\b55[0-3]\b.*(?:user|recipient|mailbox).{0,20}(?:unknown|not found)"
#: Seconds after its last failure at which a mail is old: V(fresh) leaves it.
OLD = 14 * 86400
#: Mails a minute that are more than a provider's free plan allows.
FASTEST = 600

#: Why not every mail had its turn.
STOPPED = ("time", "failures", "idle", "elsewhere", "error")


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the operator asked for.

    :ivar rate: mails a minute at most.
    :ivar drop_expired: delete the mails whose link has expired.
    :ivar seconds: how long it may take, without the boot.
    :ivar act: False only says what would be sent.
    """

    which: Which = "none"
    rate: int = 20
    drop_expired: bool = False
    seconds: float = 1800
    act: bool = True


def asked(wish: Wish) -> dict[str, t.Any]:
    """What retry_program is to do. A batch is what may be sent in 20 seconds: it takes as long to see its end."""
    return {
        "act": wish.act and wish.which != "none",
        "verdicts": list(_VERDICTS[wish.which]),
        "first": [list(one) for one in FIRST],
        "refused": REFUSED,
        "also_refused": wish.which == "all",
        "old": OLD,
        "batch": min(10, max(1, wish.rate // 3)),
        "each": 60 / wish.rate,
        "failures": FAILURES,
        "seconds": wish.seconds,
        "drop": wish.drop_expired and wish.which == "fresh",
    }


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of it, in numbers of mails.

    :ivar chosen: that were to be retried.
    :ivar sent: that left Sidekiq without a failure.
    :ivar failed: that failed again; Sidekiq keeps them.
    :ivar passed: that no longer waited when their turn came, because Sidekiq itself or somebody else had taken them.
    :ivar moving: that were still on their way when the time was up.
    :ivar expired: whose link has expired, and that were not retried.
    :ivar dropped: of these, that were deleted.
    :ivar refused: that were left because the relay had said that the recipient does not exist.
    :ivar old: that were left because their last failure is long ago.
    :ivar stopped: why not every mail had its turn, one of C(STOPPED); None if each had.
    :ivar error: the class and the words of an error that happened.
    """

    chosen: int = 0
    sent: int = 0
    failed: int = 0
    passed: int = 0
    moving: int = 0
    expired: int = 0
    dropped: int = 0
    refused: int = 0
    old: int = 0
    stopped: str | None = None
    error: tuple[str, str] = ("", "")

    @classmethod
    def told(cls, answer: t.Mapping[str, t.Any], waiting: Waiting, which: Which) -> Outcome:
        """From the answer of retry_program, once its form has been checked."""
        numbers = {name: answer[name] for name in ("chosen", *_FATES, "refused", "old")}
        stale = "expired" not in _VERDICTS[which]
        expired = sum(one.expired for one in waiting.of("retry", "dead")) if stale else 0
        worst = max(answer["errors"], key=lambda one: int(one["count"]), default={"class": "", "message": ""})
        return cls(**numbers, expired=expired, stopped=answer["stopped"], error=(worst["class"], worst["message"]))

    @property
    def left(self) -> int:
        """The mails that did not have their turn."""
        return max(self.chosen - self.sent - self.failed - self.passed - self.moving, 0)

    def as_dict(self) -> dict[str, t.Any]:
        """As the module returns it."""
        names = ("chosen", *_FATES, "expired", "refused", "old")
        return {**{name: getattr(self, name) for name in names}, "left": self.left, "stopped": self.stopped}


_FATES = ("sent", "failed", "passed", "moving", "dropped")


def findings(outcome: Outcome, wish: Wish, waiting: Waiting, cause: t.Callable[[str, str], Finding]) -> list[Finding]:
    """What to tell about mails that were retried, or in a dry run would be.

    :param cause: diagnoses an error: its class, its message.
    """
    if wish.which == "none":
        return []
    found = [_numbers(outcome, wish, waiting), *_rest(wish, waiting)]
    if outcome.failed or outcome.stopped:
        found += _incomplete(outcome, cause)
    if not waiting.complete:
        cut = waiting.error.endswith("::Cut")
        why = (
            "There were too many jobs to look at all of them in time"
            if cut
            else f"The count ended early ({waiting.error})"
        )
        message = f"{why}, so more mails may wait."
        found.append(TABLE.finding("retry-incomplete", SUBJECT, message, "Run it again to retry the rest."))
    return [*found, *_expired(outcome, wish, waiting)]


def _numbers(outcome: Outcome, wish: Wish, waiting: Waiting) -> Finding:
    held = sum(one.count for one in waiting.of("retry", "dead"))
    if not outcome.chosen and not held:
        message = "No mail that failed earlier waits to be retried."
    elif not outcome.chosen:
        message = f"None of the {_mails(held)} that failed earlier {_was(1)} to be retried."
    elif not wish.act:
        message = f"{_mails(outcome.chosen)} that failed earlier would be retried, at most {wish.rate} a minute."
    else:
        message = (
            f"{outcome.sent} of {_mails(outcome.chosen)} that failed earlier {_was(outcome.sent)} handed to the relay"
        )
        others = (
            (outcome.failed, "failed again"),
            (outcome.moving, f"{_is(outcome.moving)} on the way, or of unknown outcome"),
            (outcome.passed, "had already been taken by Sidekiq"),
            (outcome.left, f"{_was(outcome.left)} left as {'it was' if outcome.left == 1 else 'they were'}"),
        )
        message += "".join(f"; {count} {what}" for count, what in others if count) + "."
    if outcome.refused:
        message += f" {outcome.refused} {_was(outcome.refused)} left because the recipient does not exist."
    if outcome.old:
        message += f" {outcome.old} {_was(outcome.old)} left because the last failure is more than 14 days ago."
    return TABLE.finding("mails-retried", SUBJECT, message)


def _rest(wish: Wish, waiting: Waiting) -> list[Finding]:
    """The warning about mails that are never retried, or could not be judged."""
    groups = waiting.of("retry", "dead")
    gone = sum(one.gone for one in groups)
    unknown = sum(one.unknown for one in groups) if wish.which == "fresh" else 0
    told = [f"{_mails(gone)} {_is(gone)} about something that no longer exists"] if gone else []
    if unknown:
        told.append(f"{_mails(unknown)} could not be judged")
    return [TABLE.finding("mails-lost", SUBJECT, f"Not retried: {', and '.join(told)}.")] if told else []


def _incomplete(outcome: Outcome, cause: t.Callable[[str, str], Finding]) -> list[Finding]:
    left = f"{_mails(outcome.left)} {_was(outcome.left)} left"
    again = "Run it again to retry the rest."
    if outcome.stopped == "idle":
        message = f"No running Sidekiq process takes these mails, so {left}."
        return [TABLE.finding("retry-incomplete", SUBJECT, message, f"Start Sidekiq. {again}")]
    if outcome.stopped == "elsewhere":
        message = f"Sidekiq on other hosts takes these mails too and may not have the new settings yet, so {left}."
        fix = "Run fediops.mastodon.smtp_waiting with mastodon_smtp_retry_waiting after the rollout."
        return [TABLE.finding("retry-incomplete", SUBJECT, message, fix)]
    if outcome.stopped == "time" and not outcome.failed:
        return [TABLE.finding("retry-incomplete", SUBJECT, f"The time was up, so {left}.", again)]
    if outcome.stopped == "error" or not outcome.error[0]:
        words = one_line(": ".join(filter(None, outcome.error))) or "The reason is unknown"
        message = f"The retry ended early: {words}. {left.capitalize()}."
        return [TABLE.finding("retry-incomplete", SUBJECT, message, again)]
    found = cause(*outcome.error)
    why = (
        f"{_mails(outcome.failed)} failed again, the last {FAILURES} or more in a row, so {left}"
        if outcome.stopped == "failures"
        else (f"{_mails(outcome.failed)} failed again")
    )
    return [TABLE.finding("retry-incomplete", SUBJECT, f"{why}: {found.message}", found.fix)]


def _expired(outcome: Outcome, wish: Wish, waiting: Waiting) -> list[Finding]:
    if not outcome.expired:
        return []
    groups = [_only_expired(one) for one in waiting.of("retry", "dead") if one.expired]
    people = "Whoever waits for one must ask again."
    one = outcome.expired == 1
    link = "is expired, so it is" if one else "are expired, so they are"
    end = "deleted" if outcome.dropped >= outcome.expired else "not retried"
    if outcome.dropped and end != "deleted":
        end += f"; {outcome.dropped} {_was(outcome.dropped)} deleted"
    if wish.drop_expired and not wish.act:
        end = "not retried; a real run deletes them"
    message = f"{_mails(outcome.expired)} ({named(groups)}) {link} {end}. {people}"
    return [TABLE.finding("mails-expired", SUBJECT, message)]


def _only_expired(group: Group) -> Group:
    return dataclasses.replace(group, count=group.expired)


def _mails(count: int) -> str:
    return f"{count} mail{'' if count == 1 else 's'}"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
