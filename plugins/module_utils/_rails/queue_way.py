# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides which mail proves the queue, from Rails' answers about two addresses, before any restart. No I/O.

A password reset proves more than a plain mail: views, locale and database. So it is used whenever an address belongs to
an account to which Mastodon sends mail.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._diagnosis.redact import one_line, redact
from .._findings.model import Finding, Severity
from .._findings.queue import TABLE
from .accounts import SILENCE, Account

#: form: a password reset, requested with the web form as a user does. reset: the same, requested inside Rails.
#: plain: a test mail. none: nothing can prove the queue. nothing: there is nothing to prove on this host.
Way = t.Literal["form", "reset", "plain", "none", "nothing"]


@dataclasses.dataclass(frozen=True)
class Choice:
    """What to send through the queue.

    :ivar to: the recipient; empty if nothing is sent.
    :ivar findings: findings about the choice.
    """

    way: Way
    to: str = ""
    findings: tuple[Finding, ...] = ()

    def as_dict(self) -> dict[str, t.Any]:
        """The keys that a later step needs: way, to, reason."""
        told = [one.message for one in self.findings if self.way == "none" or one.code == "account-not-checked"]
        return {"way": self.way, "to": self.to, "reason": told[0] if told else ""}


def sends_elsewhere(roles: t.Collection[str]) -> bool:
    """Whether this host runs web without Sidekiq, so that another host sends its mail."""
    return "web" in roles and "sidekiq" not in roles


def choose(
    account: str, recipient: str, told: t.Mapping[str, Account], roles: t.Sequence[str], silence: Severity = "error"
) -> Choice:
    """What to send.

    :param account: address of the test account; may be empty.
    :param recipient: address for a plain mail; may be empty.
    :param told: Rails' answers about the two, by the names C(account) and C(recipient).
    :param roles: what runs on this host: C(web), C(sidekiq).
    :param silence: severity of the finding if nothing can be sent.
    """
    if sends_elsewhere(roles) or not (account or recipient):
        return Choice("nothing")
    web = "web" in roles
    second = _for_recipient(recipient, told.get("recipient", Account("unasked")), web)
    if not account:
        return second
    return _for_account(account, second, told.get("account", Account("unasked")), web, silence)


def _for_recipient(recipient: str, seen: Account, web: bool) -> Choice:
    """A reset if it is an account's address and the form is not throttled for it; else a plain mail."""
    if seen.state == "gets_mail" and not seen.throttled_for:
        return Choice("form" if web else "reset", recipient)
    return Choice("plain", recipient)


def _for_account(account: str, second: Choice, seen: Account, web: bool, silence: Severity) -> Choice:
    if seen.state == "unasked":
        words = one_line(redact(seen.error)) or "it did not answer"
        message = f"Rails could not determine whether this account receives mail: {words}."
        return Choice("form" if web else "reset", account, (TABLE.finding("account-not-checked", account, message),))
    if seen.state == "gets_mail":
        if seen.throttled_for:
            return Choice("reset", account, (throttled(account, seen.throttled_for),))
        return Choice("form" if web else "reset", account)
    reason = SILENCE[seen.state]
    if second.to:
        message = f"{reason} A mail to {second.to} proves the queue instead."
        finding = TABLE.finding("account-gets-no-mail", account, message, severity="warning")
        return Choice(second.way, second.to, (finding,))
    message = f"{reason} Without another address the queue cannot be proved."
    return Choice("none", "", (TABLE.finding("account-gets-no-mail", account, message, severity=silence),))


def throttled(account: str, seconds: int = 0) -> Finding:
    """The finding that Mastodon's form is throttled, which says nothing about the settings."""
    left = f" for {-(-seconds // 60)} more minutes" if seconds else " for now"
    message = f"Mastodon's form is rate-limiting password resets{left}; the test uses Rails instead."
    return TABLE.finding("reset-form-throttled", account, message)
