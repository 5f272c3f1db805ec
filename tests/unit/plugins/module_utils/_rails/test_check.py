# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import os
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import values
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import (
    Completed,
    Elsewhere,
    Instance,
    Sender,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.check import Request, ask
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.program import GUEST, PRELUDE
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.queue_program import program as queue_program
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.ruby import ERRORS

SECRET = "p#a $s w0rd"


class Recorder:
    """A driver that keeps what it was asked to run, and answers with the mark it was given."""

    def __init__(self, env_file: Path, readers: tuple[str, ...] = ("ruby", "node")) -> None:
        env_file.write_bytes(b"LOCAL_DOMAIN=here.example\nSMTP_SERVER=old.example\nSMTP_TLS=true\n")
        self.instance = Instance(
            "systemd", str(env_file.parent), "mastodon", str(env_file), "", "4.3.8", "here.example", readers
        )
        self.command: tuple[str, ...] = ()
        self.stdin = b""
        self.environment: dict[str, t.Any] = {}
        self.timeout = 0.0
        self.readable = True

    def may_read(self, path: str, descriptor: int) -> bool:
        assert path == self.instance.env_file
        assert os.readlink(f"/proc/self/fd/{descriptor}") == self.instance.env_file
        return self.readable

    def run_in_app(
        self, command: t.Sequence[str], *, stdin: bytes = b"", environment: t.Any = None, timeout: float
    ) -> Completed:
        self.command, self.stdin = tuple(command), stdin
        self.environment, self.timeout = dict(environment or {}), timeout
        return Completed(0, f'log\n{self.asked["mark"]}{{"seen": true}}\n'.encode())

    @property
    def asked(self) -> dict[str, t.Any]:
        found = re.search(rb'ASKED = JSON.parse\("([A-Za-z0-9+/=]+)"', self.stdin)
        assert found
        return t.cast("dict[str, t.Any]", json.loads(base64.b64decode(found.group(1))))

    @property
    def planned(self) -> bytes:
        header, rest = self.stdin.split(b"\n", 1)
        length, path = header.split()
        assert base64.b64decode(path).decode() == self.instance.env_file
        assert rest[int(length) :].lstrip().startswith(b"require")
        return rest[: int(length)]


@pytest.fixture
def driver(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / ".env.production")


def test_the_program_goes_in_by_standard_input_and_its_answer_is_found(driver: Recorder) -> None:
    asked = ask(driver, Request(secrets={"SMTP_PASSWORD": SECRET}, timeout=7))  # type: ignore[arg-type]
    assert asked.answer == {"seen": True}
    assert driver.command == ("bin/rails", "runner", "-")
    assert (driver.environment, driver.timeout) == (GUEST, 7)


def test_neither_program_asks_for_what_rails_8_1_took_away(driver: Recorder) -> None:
    """ActionMailer::Base.mail is gone from Rails 8.1.1 on (rails/rails#56449). The lab's masto5 shows it at work."""
    ask(driver, Request(send_to="a@b.example"))  # type: ignore[arg-type]
    for text in (driver.stdin, queue_program({"mark": "m"})):
        assert b"ActionMailer::Base" in text
        assert b"ActionMailer::Base.mail(" not in text


def test_both_programs_tell_an_error_and_its_causes_in_the_same_way(driver: Recorder) -> None:
    ask(driver, Request())  # type: ignore[arg-type]
    for text in (driver.stdin, queue_program({"mark": "m"})):
        assert ERRORS.encode() in text
        assert (text.count(b".cause"), text.count(b"FediopsErrors.chain(")) == (1, 1)


def test_a_secret_goes_in_as_a_digest_only(driver: Recorder) -> None:
    ask(driver, Request(secrets={"SMTP_PASSWORD": SECRET}, set={"SMTP_LOGIN": "me"}))  # type: ignore[arg-type]
    told = driver.asked
    digest = hmac.new(told["salt"].encode(), SECRET.encode(), hashlib.sha256).hexdigest()
    assert told["digests"]["main"]["password"] == digest
    assert set(told["digests"]["main"]) == {"password", "login"}
    assert SECRET not in json.dumps(told)
    assert SECRET not in " ".join(driver.command)


def test_each_run_has_its_own_mark_and_salt(driver: Recorder) -> None:
    seen = set()
    for _unused in range(3):
        ask(driver, Request())  # type: ignore[arg-type]
        seen |= {driver.asked["mark"], driver.asked["salt"]}
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("request_", "relays"),
    [
        (Request(), []),
        (Request(send_to="a@b.example"), ["main", "bulk"]),
        (Request(send_to="a@b.example", bulk=False), ["main"]),
        (Request(send_to="a@b.example", planned=True), []),
    ],
)
def test_what_is_sent(driver: Recorder, request_: Request, relays: list[str]) -> None:
    ask(driver, request_)  # type: ignore[arg-type]
    assert driver.asked["send"] == relays
    assert driver.asked["to"] == (request_.send_to if relays else None)


def test_the_message_says_who_sends_it_and_why(driver: Recorder) -> None:
    ask(driver, Request(send_to="a@b.example"))  # type: ignore[arg-type]
    assert driver.asked["subject"] == "Test message from here.example"
    for relay in ("main", "bulk"):
        assert "here.example" in driver.asked["body"][relay]
        assert "fediops.mastodon" in driver.asked["body"][relay]


def test_in_a_dry_run_dotenv_is_given_the_planned_bytes(driver: Recorder) -> None:
    request = Request(
        set={"SMTP_SERVER": "new.example"}, secrets={"SMTP_PASSWORD": SECRET}, remove=("SMTP_TLS",), planned=True
    )
    before = Path(driver.instance.env_file).read_bytes()
    ask(driver, request)  # type: ignore[arg-type]
    assert driver.command == ("ruby", "-e", PRELUDE)
    assert driver.environment == {}  # PRELUDE knows what Bootsnap may do
    assert values(driver.planned, "ruby", {}) == {
        "LOCAL_DOMAIN": "here.example",
        "SMTP_SERVER": "new.example",
        "SMTP_PASSWORD": SECRET,
    }
    assert Path(driver.instance.env_file).read_bytes() == before


def test_a_file_that_the_apps_user_may_not_read_is_not_given_to_his_ruby(driver: Recorder) -> None:
    driver.readable = False
    with pytest.raises(FindingError, match="mastodon may not read it"):
        ask(driver, Request(planned=True))  # type: ignore[arg-type]
    assert driver.command == ()


def test_in_a_dry_run_without_dotenv_the_process_environment_is_the_planned_one(tmp_path: Path) -> None:
    driver = Recorder(tmp_path / ".env.production", ("systemd",))
    request = Request(
        set={"SMTP_SERVER": "new.example"}, secrets={"SMTP_PASSWORD": "x"}, remove=("SMTP_TLS",), planned=True
    )
    ask(driver, request)  # type: ignore[arg-type]
    assert driver.command == ("ruby", "-e", PRELUDE)
    assert driver.stdin.split(b"\n", 1)[0] == b"0 "
    assert driver.environment == {"SMTP_SERVER": "new.example", "SMTP_PASSWORD": "x", "SMTP_TLS": None}


def test_in_a_dry_run_what_another_layer_hides_stays_hidden(tmp_path: Path) -> None:
    driver = Recorder(tmp_path / ".env.production", ("compose",))
    own = (Elsewhere("SMTP_PORT", "environment:", "sidekiq"), Elsewhere("SMTP_TLS", "x", "y"))
    below = Elsewhere("SMTP_SERVER", "image", "x", wins=False)
    others = Sender("web", "web", (Elsewhere("SMTP_SERVER", "environment:", "web"),))
    driver.instance = dataclasses.replace(
        driver.instance, senders=(Sender("sidekiq", "sidekiq", (*own, below)), others)
    )
    planned = {"SMTP_SERVER": "new.example", "SMTP_PORT": "465"}
    ask(driver, Request(set=planned, remove=("SMTP_TLS", "SMTP_SSL"), planned=True))  # type: ignore[arg-type]
    assert driver.environment == {"SMTP_SERVER": "new.example", "SMTP_SSL": None}


@pytest.mark.parametrize("gem", ["ruby", "ruby-2.8"])
def test_in_a_dry_run_the_gem_is_shown_the_plan_whatever_its_version(tmp_path: Path, gem: str) -> None:
    driver = Recorder(tmp_path / ".env.production", (gem, "node"))
    ask(driver, Request(set={"SMTP_SERVER": "new.example"}, planned=True))  # type: ignore[arg-type]
    assert b"new.example" in driver.planned
    assert driver.environment == {}


@pytest.mark.parametrize("gem", ["ruby", "ruby-2.8"])
def test_in_a_dry_run_with_both_readers_both_are_shown_the_plan(tmp_path: Path, gem: str) -> None:
    driver = Recorder(tmp_path / ".env.production", (gem, "node", "systemd"))
    ask(driver, Request(set={"SMTP_SERVER": "new.example"}, planned=True))  # type: ignore[arg-type]
    assert b"new.example" in driver.planned
    assert driver.environment == {"SMTP_SERVER": "new.example"}


def test_a_value_that_cannot_be_written_ends_the_dry_run_without_a_boot(driver: Recorder) -> None:
    with pytest.raises(FindingError) as caught:
        ask(driver, Request(secrets={"SMTP_PASSWORD": "p#a$s's \\word"}, planned=True))  # type: ignore[arg-type]
    assert caught.value.finding.code == "env-value-not-writable"
    assert driver.command == ()


def test_a_file_that_went_away(driver: Recorder) -> None:
    Path(driver.instance.env_file).unlink()
    with pytest.raises(FindingError) as caught:
        ask(driver, Request(planned=True))  # type: ignore[arg-type]
    assert caught.value.finding.severity == "error"


def test_nothing_is_required_before_bundler_is_set_up() -> None:
    """A gem that is active in another version than the application's ends the boot (Bundler: Gem::LoadError)."""
    assert not re.search(r"^\s*require", PRELUDE, re.MULTILINE)
