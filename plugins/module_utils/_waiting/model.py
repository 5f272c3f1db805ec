# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mails that wait in Sidekiq: groups of them that have mailer, method, place and error in common. No I/O."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

#: Where a mail waits: in a queue, for a time that was set, for its next try, or in the dead set, which nothing retries.
Place = t.Literal["queue", "scheduled", "retry", "dead"]
PLACES: tuple[Place, ...] = t.get_args(Place)


@dataclasses.dataclass(frozen=True)
class Group:
    """Mails in one place that have the mailer, the method and the last error's class in common.

    :ivar mailer: Mastodon's class (C(UserMailer)); empty if it is no known name.
    :ivar method: of the mailer (C(reset_password_instructions)).
    :ivar error_class: of the last failure; empty if there was none.
    :ivar error_message: of one of these failures, without addresses or arguments of the job.
    :ivar cause: code of the finding that the diagnosis makes of the error; empty if there was none.
    :ivar count: how many mails.
    :ivar oldest: when the oldest was enqueued; seconds since 1970, as all times here.
    :ivar newest: when the newest was enqueued.
    :ivar next_try: when the first of them is tried next; None if none has a time.
    :ivar last_failed: the newest failure; None without one.
    :ivar fresh: how many still make sense.
    :ivar expired: how many hold a link that no longer works.
    :ivar gone: how many are about a record that is gone.
    :ivar unknown: how many could not be judged.
    """

    place: Place
    mailer: str
    method: str
    count: int
    oldest: float
    newest: float
    error_class: str = ""
    error_message: str = ""
    cause: str = ""
    next_try: float | None = None
    last_failed: float | None = None
    fresh: int = 0
    expired: int = 0
    gone: int = 0
    unknown: int = 0


@dataclasses.dataclass(frozen=True)
class Waiting:
    """What waits in an instance's Sidekiq.

    :ivar complete: whether everything was counted; if not, there is at least this much.
    :ivar now: the host's time when it was counted.
    :ivar started: when the newest Sidekiq process started; None if none runs.
    :ivar error: why the count ended early; text of the application, so redact it.
    """

    groups: tuple[Group, ...]
    complete: bool
    now: float
    started: float | None = None
    error: str = ""

    @classmethod
    def told(cls, answer: t.Mapping[str, t.Any]) -> Waiting:
        """From the answer of C(FediopsWaiting.look), once its form has been checked."""
        names = [field.name for field in dataclasses.fields(Group)]
        groups = tuple(Group(**{name: one[name] for name in names if name in one}) for one in answer["groups"])
        return cls(groups, answer["complete"], answer["now"], answer["started"], answer["error"] or "")

    def of(self, *places: Place) -> list[Group]:
        """The groups in these places."""
        return [one for one in self.groups if one.place in places]

    def as_dict(self) -> dict[str, t.Any]:
        """As modules return it."""
        return {
            "complete": self.complete,
            "error": self.error,
            "groups": [dataclasses.asdict(one) for one in self.groups],
        }
