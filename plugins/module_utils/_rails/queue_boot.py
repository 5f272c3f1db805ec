# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""A boot of the instance's Rails about the queue: what it answers, or why there is no answer."""

from __future__ import annotations

import dataclasses
import secrets as random
import typing as t

from .._diagnosis.diagnose import diagnose
from .._diagnosis.model import Context
from .._diagnosis.redact import one_line, redact
from .._findings.model import Finding
from .._findings.queue import TABLE
from .._instance.model import Driver
from .accounts import Account
from .answer import TOO_MUCH, boot_failure, failure, marked, too_much
from .program import GUEST
from .queue_program import account_program, program


@dataclasses.dataclass(frozen=True)
class QueueBoot:
    """The instance's Rails, to be asked about its queue.

    :ivar timeout: seconds for a boot.
    """

    driver: Driver
    context: Context
    timeout: float

    def account(self, address: str) -> Account:
        """Whether Mastodon mails a reset to an address."""
        mark = _mark()
        answer = self._boot(account_program(mark, address), mark, 0.0)
        return Account("unasked", answer.message) if isinstance(answer, Finding) else Account.told(answer)

    def ask(self, asked: t.Mapping[str, t.Any], seconds: float = 0.0) -> dict[str, t.Any] | Finding:
        """The answer of queue_program, or what stands in its way.

        :param seconds: how much longer than a boot it may take.
        """
        mark = _mark()
        answer = self._boot(program({**asked, "mark": mark}), mark, seconds)
        if isinstance(answer, Finding) or "failure" not in answer:
            return answer
        found = failure(answer["failure"])
        finding = diagnose(found, self.context)
        if finding.code == "redis-unreachable":
            return finding
        # Nothing about mail: no mail was tried in there.
        words = one_line(redact(f"{': '.join(found.classes[:1])}: {found.message}", self.context.secrets))
        message = f"Rails could not put the test mail into the queue, or follow it there: {words}."
        return TABLE.finding("queue-outcome-unknown", "Rails", message)

    def _boot(self, text: bytes, mark: str, seconds: float) -> dict[str, t.Any] | Finding:
        completed = self.driver.run_in_app(
            ("bin/rails", "runner", "-"), stdin=text, environment=GUEST, timeout=self.timeout + seconds
        )
        answer = marked(completed.stdout, mark)
        if answer is not None:
            return answer
        if completed.timed_out:
            message = f"Rails did not answer within {self.timeout + seconds:g} seconds."
            return TABLE.finding("queue-outcome-unknown", "Rails", message)
        if completed.returncode == 0 and too_much(completed.stdout, completed.truncated):
            return TABLE.finding("queue-outcome-unknown", "Rails", TOO_MUCH)
        return diagnose(boot_failure(completed.stderr, self.driver.instance.code), self.context)


def _mark() -> str:
    return f"fediops-{random.token_hex(16)}:"
