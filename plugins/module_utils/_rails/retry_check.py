# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Count the mails that wait in Sidekiq, and retry them, with one boot of the instance's Rails."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._diagnosis.diagnose import diagnose
from .._diagnosis.redact import one_line, redact
from .._findings.model import Finding
from .._findings.waiting import TABLE
from .._instance.model import Driver
from .._waiting.model import Group, Waiting
from .._waiting.retry import Outcome, Wish, asked
from .._waiting.retry import findings as retry_findings
from .._waiting.verdict import SUBJECT
from .._waiting.verdict import findings as waiting_findings
from .answer import failure
from .queue_boot import QueueBoot, new_mark
from .queue_relays import Relays
from .retry_program import program
from .shape import retry_answer
from .verdict import OF_ONE_MAIL

#: Seconds that the search may take in addition to what the retry may.
_SEARCH = 60.0


@dataclasses.dataclass
class Verdict:
    """What a boot told.

    :ivar waiting: the mails that waited (_waiting.model.Waiting.as_dict); None if they could not be counted.
    :ivar retried: what became of those that were retried (_waiting.retry.Outcome.as_dict); None if none were to be.
    :ivar changed: whether a mail was given its turn, or deleted.
    """

    findings: list[Finding] = dataclasses.field(default_factory=list)
    waiting: dict[str, t.Any] | None = None
    retried: dict[str, t.Any] | None = None
    changed: bool = False

    def as_dict(self) -> dict[str, t.Any]:
        """As the module returns it, without the findings."""
        return {"waiting": self.waiting, "retried": self.retried}


def retry(driver: Driver, wish: Wish, hint: str, timeout: float, *, rolling: bool = False) -> Verdict:
    """Count the mails, and retry those that are wished for.

    :param hint: the provider preset's hint about logins.
    :param timeout: seconds for the boot.
    :param rolling: a rollout has changed this host, so mail must not go through a Sidekiq of another one.
    """
    relays = Relays(driver.instance, hint)
    boot = QueueBoot(driver, relays.first, timeout)
    mark, seconds = new_mark(), _SEARCH + (wish.seconds if wish.act else 0.0)
    text = program({**asked(wish), "mark": mark, "hosts": sorted(driver.sidekiq_hosts()) if rolling else None})
    acts = wish.act and wish.which != "none"
    answer = boot.boot(text, mark, seconds, retry_answer, "" if acts else "No mail was counted.")
    if isinstance(answer, Finding):
        maybe = (
            " Mails may have been retried before that. Another run takes only those that still wait." if acts else ""
        )
        return dataclasses.replace(_unanswered(f"{answer.message.strip()}{maybe}", answer.fix), changed=acts)
    if "failure" in answer:
        found = failure(answer["failure"])
        words = one_line(redact(f"{': '.join(found.classes[:1])}: {found.message}", boot.context.secrets))
        return _unanswered(f"Rails could not look at the mails that wait: {words}.")
    if answer["waiting"] is None:
        return _unanswered("Rails could not look at the mails that wait: there is no Sidekiq in it.")
    return _concluded(answer, wish, relays)


def _unanswered(message: str, fix: str = "") -> Verdict:
    return Verdict([TABLE.finding("retry-incomplete", SUBJECT, message, fix, severity="error")])


def _concluded(answer: t.Mapping[str, t.Any], wish: Wish, relays: Relays) -> Verdict:
    def clean(text: str) -> str:
        return redact(text, relays.first.secrets)

    def cause(kind: str, message: str) -> Finding:
        error = {"class": kind, "message": message}
        return relays.told(diagnose(failure({"stage": "queue", "chain": [error]}), relays.used))

    def cause_of(group: Group) -> Finding:
        return cause(group.error_class, group.error_message)

    waiting = Waiting.told(answer["waiting"])
    groups = tuple(dataclasses.replace(one, error_message=clean(one.error_message)) for one in waiting.groups)
    waiting = dataclasses.replace(waiting, groups=groups)
    if not waiting.complete and not waiting.groups:
        return _unanswered(f"The mails that wait could not be counted: {one_line(clean(waiting.error))}.")
    if wish.which == "none":
        return Verdict(waiting_findings(waiting, cause_of, OF_ONE_MAIL), waiting.as_dict())
    outcome = Outcome.told(answer, waiting, wish.which)
    outcome = dataclasses.replace(outcome, error=(outcome.error[0], clean(outcome.error[1])))
    moved = outcome.sent + outcome.failed + outcome.moving + outcome.dropped
    found = retry_findings(outcome, wish, waiting, cause)
    return Verdict(found, waiting.as_dict(), outcome.as_dict(), changed=bool(moved))
