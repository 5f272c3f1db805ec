# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the waiting mails mean, in words."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._waiting.model import Group, Waiting
from ansible_collections.fediops.mastodon.plugins.module_utils._waiting.verdict import findings
from ansible_collections.fediops.mastodon.plugins.module_utils._waiting.words import named, since, span

#: 2026-11-29 08:00 UTC.
NOW = 1795939200.0
NIGHT = NOW - 5 * 3600 - 50 * 60
RESET = "reset_password_instructions"
REFUSED = Finding("login-refused", "error", "relay", "The relay rejected the login.", "Check the password.")


def group(place: t.Any = "retry", method: str = RESET, count: int = 1, **more: t.Any) -> Group:
    return Group(place, "UserMailer", method, count, **{"oldest": NIGHT, "newest": NIGHT + 60, **more})


def waiting(*groups: Group, **more: t.Any) -> Waiting:
    return Waiting(groups, **{"complete": True, "now": NOW, **more})


def told(*groups: Group, **more: t.Any) -> dict[str, str]:
    repairing = more.pop("repairing", False)
    found = findings(waiting(*groups, **more), lambda _group: REFUSED, ("recipient-refused",), repairing=repairing)
    return {one.code: one.message for one in found}


def test_who_waits_since_when_and_until_when() -> None:
    found = told(
        group(method="confirmation_instructions", count=9, next_try=NOW + 6 * 3600 + 48 * 60, fresh=9),
        group(count=5, oldest=NIGHT + 5, expired=3, fresh=2),
        group("dead", count=3),
    )
    assert found["mails-waiting"] == (
        "14 mails wait since 02:10 UTC (9 confirmations and 5 password resets, of which 3 have expired); the next try "
        "is in 6 h 48 min. 3 were given up."
    )
    assert found["mails-lost"] == "Sidekiq has given up 3 mails, the oldest of 02:10 UTC (3 password resets)."


def test_one_mail_in_the_singular() -> None:
    found = told(group(next_try=NOW - 1, gone=1), group("dead", expired=1))
    assert found["mails-waiting"] == (
        "1 mail waits since 02:10 UTC (1 password reset, of which 1 is about something that no longer exists); the "
        "next try is due. 1 was given up."
    )
    assert "(1 password reset, of which 1 has expired)" in found["mails-lost"]


def test_a_count_that_was_cut_says_so() -> None:
    found = told(group(count=5), group("dead"), complete=False)
    assert found["mails-waiting"].startswith("At least 5 mails wait")
    assert found["mails-lost"].startswith("Sidekiq has given up at least 1 mail,")


@pytest.mark.parametrize(
    ("one", "warns"),
    [
        (group("queue", oldest=NOW - 599), False),
        (group("queue", oldest=NOW - 601), True),
        (group("scheduled"), False),
        (group("retry", oldest=NOW - 1), True),
    ],
)
def test_a_busy_queue_and_a_set_time_are_no_outage(one: Group, warns: bool) -> None:
    assert ("mails-waiting" in told(one)) is warns


@pytest.mark.parametrize(
    ("failed", "started", "repairing", "fails"),
    [
        (NOW - 60, NOW - 120, False, True),
        (NOW - 60, NOW - 120, True, False),
        (NOW - 60, NOW - 30, False, False),
        (NOW - 60, None, False, False),
        (NOW - 3601, NOW - 9000, False, False),
        (None, NOW - 9000, False, False),
    ],
)
def test_mail_fails_now_only_after_a_recent_failure_of_this_sidekiq(
    failed: float | None, started: float | None, repairing: bool, fails: bool
) -> None:
    found = told(group(last_failed=failed), started=started, repairing=repairing)
    assert ("mails-fail-now" in found) is fails
    if fails:
        assert found["mails-fail-now"] == (
            "Mail fails now. The last failure, at 07:59 UTC: The relay rejected the login."
        )
    why = " The last failure, at 07:59 UTC: The relay rejected the login."
    assert found["mails-waiting"].endswith(why) is (failed == NOW - 60 and not fails)


def test_one_refused_recipient_is_no_failure_of_the_settings() -> None:
    of_one = Finding("recipient-refused", "error", "relay", "No such mailbox.")
    seen = waiting(
        group(last_failed=NOW - 1, error_class="A"), group(last_failed=NOW - 9, error_class="B"), started=NOW - 99
    )
    causes = {"A": of_one, "B": REFUSED}
    found = findings(seen, lambda one: causes[one.error_class], ("recipient-refused",))
    assert found[0].code == "mails-fail-now"
    assert found[0].fix.startswith("Check the password. If that is done already, a test message")
    assert "07:59" in found[0].message
    found = findings(seen, lambda _one: of_one, ("recipient-refused",))
    assert [one.code for one in found] == ["mails-waiting"]


def test_nothing_waits() -> None:
    assert told() == {}


def test_plain_names() -> None:
    other = Group("retry", "", "", 2, NOW, NOW)
    found = [group(method="password_change"), group(method="failed_2fa"), group(method="new_one"), other]
    assert named(found) == "3 other mails and 2 security notices"
    assert named([Group("retry", "AdminMailer", "new_report", 1, NOW, NOW)]) == "1 mail to moderators"


def test_times() -> None:
    assert since(NOW - 9 * 3600, NOW) == "2026-11-28 23:00 UTC"
    assert [span(one) for one in (5, 300, 7200, 200000)] == ["less than a minute", "5 min", "2 h 0 min", "2 days"]


def test_from_the_answer_and_back() -> None:
    one = {"place": "retry", "mailer": "UserMailer", "method": RESET, "count": 1, "oldest": 1.0, "newest": 2.0, "x": 1}
    seen = Waiting.told({"groups": [one], "complete": True, "now": 3.0, "started": None, "error": None})
    assert seen.as_dict()["groups"][0]["newest"] == 2.0
    assert seen.groups[0].fresh == 0
