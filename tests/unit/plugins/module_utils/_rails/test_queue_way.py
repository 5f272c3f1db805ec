# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mail proves the queue."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.queue import OF_TEST
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.accounts import Account
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.queue_way import choose

ACCOUNT, RECIPIENT = "alice@here.example", "admin@there.example"
BOTH = ("web", "sidekiq")
GOOD, BUSY = Account("gets_mail"), Account("gets_mail", throttled_for=700)


@pytest.mark.parametrize(
    ("account", "recipient", "told", "roles", "way", "to", "codes"),
    [
        (ACCOUNT, RECIPIENT, GOOD, BOTH, "form", ACCOUNT, []),
        (ACCOUNT, "", GOOD, ("sidekiq",), "reset", ACCOUNT, []),
        (ACCOUNT, "", BUSY, BOTH, "reset", ACCOUNT, ["reset-form-throttled"]),
        (ACCOUNT, RECIPIENT, Account("memorial"), BOTH, "plain", RECIPIENT, ["account-gets-no-mail"]),
        (ACCOUNT, RECIPIENT, Account("unknown"), BOTH, "plain", RECIPIENT, ["account-gets-no-mail"]),
        (ACCOUNT, "", Account("no_password"), BOTH, "none", "", ["account-gets-no-mail"]),
        (ACCOUNT, "", Account("unasked", "PG::Error: x@y.example"), BOTH, "form", ACCOUNT, ["account-not-checked"]),
        ("", RECIPIENT, GOOD, BOTH, "form", RECIPIENT, []),
        ("", RECIPIENT, BUSY, BOTH, "plain", RECIPIENT, []),
        ("", RECIPIENT, GOOD, ("sidekiq",), "reset", RECIPIENT, []),
        ("", RECIPIENT, Account("unknown"), BOTH, "plain", RECIPIENT, []),
        ("", RECIPIENT, Account("memorial"), BOTH, "plain", RECIPIENT, []),
        (ACCOUNT, RECIPIENT, GOOD, ("web",), "nothing", "", []),
        ("", "", GOOD, BOTH, "nothing", "", []),
    ],
)
def test_the_way(
    account: str, recipient: str, told: Account, roles: tuple[str, ...], way: str, to: str, codes: list[str]
) -> None:
    choice = choose(account, recipient, {"account" if account else "recipient": told}, roles)
    assert (choice.way, choice.to, [one.code for one in choice.findings]) == (way, to, codes)
    assert set(codes) <= OF_TEST
    assert "x@y.example" not in str(choice.findings)


def test_where_the_account_gets_no_mail_the_recipient_counts_as_if_alone() -> None:
    told = {"account": Account("memorial"), "recipient": GOOD}
    assert choose(ACCOUNT, RECIPIENT, told, BOTH).as_dict() == {"way": "form", "to": RECIPIENT, "reason": ""}


def test_it_is_an_error_only_where_nothing_else_proves_the_queue() -> None:
    told = {"account": Account("memorial")}
    assert choose(ACCOUNT, "", told, BOTH).findings[0].severity == "error"
    assert choose(ACCOUNT, "", told, BOTH, "warning").findings[0].severity == "warning"
    assert choose(ACCOUNT, RECIPIENT, told, BOTH).findings[0].severity == "warning"
    assert choose(ACCOUNT, "", {"account": BUSY}, BOTH).findings[0].severity == "info"


def test_what_a_later_step_needs_to_know() -> None:
    known = choose(ACCOUNT, "", {"account": Account("memorial")}, BOTH).as_dict()
    assert (known["way"], known["to"]) == ("none", "")
    assert "memorial" in known["reason"]
    assert choose(ACCOUNT, "", {"account": GOOD}, BOTH).as_dict() == {"way": "form", "to": ACCOUNT, "reason": ""}


@pytest.mark.parametrize("answer", [{}, {"state": "new"}, {"state": None, "throttled_for": None}])
def test_an_answer_that_says_nothing_known_counts_as_none(answer: dict[str, object]) -> None:
    assert Account.told(answer).state == "unasked"
