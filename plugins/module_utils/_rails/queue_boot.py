# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot the instance's Rails to ask about the queue: its answer, or why there is none."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import secrets as random
import typing as t

from .._diagnosis.diagnose import diagnose
from .._diagnosis.model import Context
from .._diagnosis.redact import one_line, redact
from .._findings.mailer import TABLE as MAILER
from .._findings.model import Finding
from .._findings.queue import TABLE
from .._instance.model import Driver
from .accounts import Account
from .answer import TOO_MUCH, boot_failure, failure, marked, too_much
from .program import GUEST
from .queue_program import account_program, program
from .shape import Misshapen, account_answer, queue_answer

#: What to do if the application has forged the program's answer.
_FORGED = MAILER.rows["rails-answer-unreadable"].remedy


@dataclasses.dataclass(frozen=True)
class QueueBoot:
    """Asks the instance's Rails about its queue.

    :ivar timeout: seconds for a boot.
    """

    driver: Driver
    context: Context
    timeout: float

    def account(self, address: str) -> Account:
        """Whether Mastodon sends a password reset to an address."""
        mark = new_mark()
        answer = self.boot(account_program(mark, address), mark, 0.0, account_answer)
        if isinstance(answer, Finding):
            return Account("unasked", answer.message)
        told = Account.told(answer)
        return dataclasses.replace(told, error=redact(told.error, self.context.secrets))

    def ask(self, asked: t.Mapping[str, t.Any], seconds: float = 0.0) -> dict[str, t.Any] | Finding:
        """The answer of queue_program, or why there is none.

        :param seconds: how much longer than a boot it may take.
        """
        mark = new_mark()
        text = program({**asked, "mark": mark})
        answer = self.boot(text, mark, seconds, lambda found: queue_answer(found, asked))
        if isinstance(answer, Finding) or "failure" not in answer:
            return answer
        found = failure(answer["failure"])
        finding = diagnose(found, self.context)
        if finding.code == "redis-unreachable":
            return finding
        words = one_line(redact(f"{': '.join(found.classes[:1])}: {found.message}", self.context.secrets))
        what = "track the test mail in the queue" if answer.get("put") else "put the test mail into the queue"
        return TABLE.finding("queue-outcome-unknown", "Rails", f"Rails could not {what}: {words}.")

    def boot(
        self,
        text: bytes,
        mark: str,
        seconds: float,
        look: t.Callable[[dict[str, t.Any]], None],
        lacking: str = "The queue was not tested.",
    ) -> dict[str, t.Any] | Finding:
        """The answer of a program, or why there is none.

        :param look: raises Misshapen for an answer that the program cannot give.
        :param lacking: what was not done because Rails did not start, as a sentence.
        """
        completed = self.driver.run_in_app(
            ("bin/rails", "runner", "-"), stdin=text, environment=GUEST, timeout=self.timeout + seconds
        )
        answer = marked(completed.stdout, mark)
        if answer is not None:
            try:
                look(answer)
            except Misshapen as odd:
                message = f"The answer of Rails cannot be read: {odd}."
                return TABLE.finding("queue-outcome-unknown", "Rails", message, _FORGED)
            return answer
        if completed.timed_out:
            message = f"Rails did not answer within {self.timeout + seconds:g} seconds."
            return TABLE.finding("queue-outcome-unknown", "Rails", message)
        if completed.returncode == 0 and too_much(completed.stdout, completed.truncated):
            return TABLE.finding("queue-outcome-unknown", "Rails", TOO_MUCH)
        finding = diagnose(boot_failure(completed.stderr, self.driver.instance.code), self.context)
        if finding.code == "redis-unreachable":
            return finding
        # mailer_check has booted Rails before, so the settings are not the cause; it may be too little memory.
        return TABLE.finding("queue-outcome-unknown", "Rails", f"{finding.told()} {lacking}")


def new_mark() -> str:
    """What begins the line with the answer, in this boot only."""
    return f"fediops-{random.token_hex(16)}:"
