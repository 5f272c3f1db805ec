# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One boot that counts the waiting mails and retries them: what is asked, and what is concluded from the answer."""

from __future__ import annotations

import base64
import json
import re
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Completed, Instance
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.retry_check import Verdict, retry
from ansible_collections.fediops.mastodon.plugins.module_utils._waiting.retry import Wish

GROUP = {
    "place": "retry",
    "mailer": "UserMailer",
    "method": "reset_password_instructions",
    "count": 3,
    "oldest": 1000.0,
    "newest": 1100.0,
    "error_class": "Net::SMTPAuthenticationError",
    "error_message": "535 5.7.8 no for s3cr3t-pw of a@b.example",
    "next_try": 90000.0,
    "last_failed": 1200.0,
    "fresh": 2,
    "expired": 1,
    "gone": 0,
    "unknown": 0,
}
WAITING = {"groups": [GROUP], "complete": True, "error": None, "now": 50000.0, "started": 40000.0}
NUMBERS = dict.fromkeys(("chosen", "sent", "failed", "passed", "moving", "dropped", "refused", "old"), 0)


class Driver:
    def __init__(self, answer: t.Any = None, **completed: t.Any) -> None:
        self.instance = Instance(
            "systemd",
            "/app",
            "mastodon",
            "/app/.env.production",
            "",
            "4.2.17",
            "here.example",
            variables={"SMTP_SERVER": "smtp.example.net", "SMTP_PORT": "587", "SMTP_PASSWORD": "s3cr3t-pw"},
        )
        self.answer, self.completed = answer, completed
        self.asked: dict[str, t.Any] = {}
        self.seconds = 0.0

    def run_in_app(self, _command: t.Sequence[str], *, stdin: bytes, timeout: float, **_unused: t.Any) -> Completed:
        found = re.search(rb'parse\("([^"]+)"', stdin)
        assert found
        self.asked, self.seconds = json.loads(base64.b64decode(found.group(1))), timeout
        if self.answer is None:
            return Completed(**{"returncode": 1, "stdout": b"", **self.completed})
        return Completed(0, f"noise\n{self.asked['mark']}{json.dumps(self.answer)}\n".encode())


def retried(answer: t.Any = None, wish: Wish | None = None, **completed: t.Any) -> tuple[Verdict, Driver]:
    driver = Driver(answer, **completed)
    return retry(driver, wish or Wish("fresh", seconds=100), "", 50), driver  # type: ignore[arg-type]


def answered(**more: t.Any) -> dict[str, t.Any]:
    return {"waiting": WAITING, **NUMBERS, "stopped": None, "errors": [], **more}


def codes(verdict: Verdict) -> dict[str, str]:
    return {one.code: one.severity for one in verdict.findings}


def test_what_was_sent_is_told_and_counts_as_a_change() -> None:
    verdict, driver = retried(answered(chosen=2, sent=2))
    assert codes(verdict) == {"mails-retried": "info", "mails-expired": "warning"}
    assert verdict.changed and verdict.retried and (verdict.retried["sent"], verdict.retried["expired"]) == (2, 1)
    assert driver.asked["act"] is True and driver.seconds == 50 + 60 + 100


def test_a_dry_run_asks_for_nothing_and_changes_nothing() -> None:
    verdict, driver = retried(answered(chosen=2), Wish("fresh", act=False))
    assert not verdict.changed and driver.asked["act"] is False and driver.seconds == 50 + 60


def test_without_a_wish_the_mails_are_only_shown() -> None:
    verdict, driver = retried(answered(), Wish("none"))
    assert driver.asked["act"] is False and verdict.retried is None
    assert codes(verdict) == {"mails-waiting": "warning"}


def test_why_mails_fail_again_is_diagnosed_without_secrets() -> None:
    error = {"class": "Net::SMTPAuthenticationError", "message": "535 5.7.8 no s3cr3t-pw a@b.example", "count": 3}
    verdict, _driver = retried(answered(chosen=5, failed=3, stopped="failures", errors=[error]))
    found = next(one for one in verdict.findings if one.code == "retry-incomplete")
    assert "smtp.example.net:587" in found.message and found.fix
    told = json.dumps([verdict.as_dict(), [one.as_dict() for one in verdict.findings]])
    assert "s3cr3t-pw" not in told and "a@b.example" not in told


@pytest.mark.parametrize(
    ("answer", "completed", "said"),
    [
        (None, {"timed_out": True}, "Rails did not answer within 210 seconds."),
        (None, {"stderr": b"x.rb:1:in `y': no (RuntimeError)\n"}, "Mails may have been retried before that."),
        ({"waiting": None}, {}, "there is no Sidekiq in it"),
        ({**answered(), "sent": -1}, {}, "cannot be read"),
        ({**answered(), "stopped": "?"}, {}, "cannot be read"),
        (
            {"failure": {"stage": "queue", "chain": [{"class": "IOError", "message": "s3cr3t-pw"}]}},
            {},
            "Rails could not look at the mails that wait: IOError: [secret].",
        ),
    ],
)
def test_without_an_answer_nothing_was_retried(answer: t.Any, completed: dict[str, t.Any], said: str) -> None:
    verdict, _driver = retried(answer, **completed)
    assert codes(verdict) == {"retry-incomplete": "error"} and said in verdict.findings[0].message
    assert verdict.waiting is None and verdict.changed == ("may have been retried" in verdict.findings[0].message)


def test_what_could_not_be_counted_is_not_nothing() -> None:
    """Redis does not answer: neither "none waits" nor a number."""
    down = {"groups": [], "complete": False, "error": "RedisClient::CannotConnectError", "now": 1.0, "started": None}
    for wish in (Wish("none"), Wish("fresh", seconds=100)):
        verdict, _driver = retried(answered(waiting=down), wish)
        assert codes(verdict) == {"retry-incomplete": "error"}
        assert "could not be counted: RedisClient::CannotConnectError." in verdict.findings[0].message


def test_in_a_rollout_mails_are_left_to_no_sidekiq_of_another_host() -> None:
    driver = Driver(answered(chosen=2, stopped="elsewhere"))
    driver.sidekiq_hosts = lambda: {"here"}  # type: ignore[attr-defined]
    verdict = retry(driver, Wish("fresh", seconds=100), "", 50, rolling=True)  # type: ignore[arg-type]
    assert driver.asked["hosts"] == ["here"]
    assert any("Sidekiq on other hosts takes these mails too" in one.message for one in verdict.findings)
