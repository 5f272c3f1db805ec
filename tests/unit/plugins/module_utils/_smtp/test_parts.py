# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replies, EHLO, AUTH, settings, deadlines: the parts that need no connection."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.auth import (
    authenticate,
    cram_md5,
    travelling_forms,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.deadline import Deadline
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.reply import Ehlo, Reply, parse_line
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.settings import Settings
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.trouble import Stopped


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        (b"220 relay.test", (220, False, "relay.test")),
        (b"250-SIZE 10", (250, True, "SIZE 10")),
        (b"250", (250, False, "")),
        (b"250 ", (250, False, "")),
        (b"250 \x1b[31mred\x07", (250, False, "[31mred")),
        (b"250 caf\xc3\xa9 \xff", (250, False, "café \\xff")),
        (b"150 odd", None),
        (b"2500 odd", None),
        (b"25", None),
        (b"", None),
        (b" 250 x", None),
        (b"250x", None),
    ],
)
def test_lines(line: bytes, parsed: tuple[int, bool, str] | None) -> None:
    assert parse_line(line) == parsed


@given(st.binary(max_size=60))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_line_gives_printable_text(line: bytes) -> None:
    parsed = parse_line(line)
    assert parsed is None or parsed[2].isprintable()


@pytest.mark.parametrize(
    ("code", "lines", "enhanced"),
    [
        (535, ("5.7.8 no",), "5.7.8"),
        (535, ("hello", "5.7.8 no"), "5.7.8"),
        (535, ("5.7.8",), "5.7.8"),
        (535, ("5.7.139 off",), "5.7.139"),
        (535, ("4.7.8 of another class",), None),
        (550, ("10.5.7.1 is an address",), None),
        (550, ("5.7.1.2 is one too",), None),
        (550, (), None),
    ],
)
def test_enhanced_codes(code: int, lines: tuple[str, ...], enhanced: str | None) -> None:
    assert Reply(code, lines).enhanced == enhanced


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ((), "535"),
        (("5.7.8 one",), "535 5.7.8 one"),
        (("5.7.8 one", "5.7.8 two", "", "three"), "535 5.7.8 one two three"),
        (("one", "5.7.8 two"), "535 one 5.7.8 two"),
    ],
)
def test_a_reply_on_one_line(lines: tuple[str, ...], text: str) -> None:
    assert Reply(535, lines).text == text


@pytest.mark.parametrize(
    ("lines", "size", "auth", "starttls"),
    [
        (("r", "SIZE 10240000", "STARTTLS", "AUTH PLAIN LOGIN"), 10240000, ("PLAIN", "LOGIN"), True),
        (("r", "size", "starttls", "auth plain"), 0, ("PLAIN",), True),
        (("r", "AUTH=LOGIN PLAIN", "AUTH LOGIN CRAM-MD5"), None, ("LOGIN", "PLAIN", "CRAM-MD5"), False),
        (("r", "SIZE ten", "AUTH", ""), 0, (), False),
        (("r", "SIZE ²"), 0, (), False),
        (("r.test at your service",), None, (), False),
    ],
)
def test_ehlo(lines: tuple[str, ...], size: int | None, auth: tuple[str, ...], starttls: bool) -> None:
    offered = Ehlo.of(Reply(250, lines))
    assert (offered.size, offered.auth, offered.starttls) == (size, auth, starttls)


def test_cram_md5_as_in_rfc_2195() -> None:
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert cram_md5(challenge, b"tanstaaftanstaaf") == b"b913a602c7eda7a495b4e6e7334d3890"


@pytest.mark.parametrize("mode", ["plain", "login", "cram_md5"])
@pytest.mark.parametrize("answers", [[535], [454], [334, 535], [334, 334, 535], [421]])
def test_one_auth_command_whatever_the_answer(mode: str, answers: list[int]) -> None:
    said: list[bytes] = []
    waiting = iter(answers)

    def say(line: bytes) -> Reply:
        said.append(line)
        return Reply(next(waiting), ("PDE+",))

    reply = authenticate(say, mode, "jürgen", "pässwörd")
    assert len([line for line in said if line.startswith(b"AUTH")]) == 1
    assert reply.code in answers


@given(
    before=st.text(max_size=7),
    secret=st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=8, max_size=20),
    after=st.text(max_size=7),
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_a_password_is_recognised_inside_any_base64(before: str, secret: str, after: str) -> None:
    whole = base64.b64encode(f"{before}{secret}{after}".encode()).decode()
    assert any(form in whole for form in travelling_forms("login", secret))


def test_no_password_has_no_forms() -> None:
    assert travelling_forms("login", "") == ()


@pytest.mark.parametrize(
    "host", ["smtp.example.org", "smtp.example.org.", "localhost", "192.0.2.1", "2001:db8::1", "my_relay"]
)
def test_hosts_that_can_be_tried(host: str) -> None:
    assert Settings(host, 587, "social.example", auth="none").unusable() == []


@pytest.mark.parametrize(
    "host",
    ["", ".", "a..b", "-a.example", "bücher.example", "a b", "a\r\nb", "x" * 64, "smtp://relay", "relay:587", "[::1]"],
)
def test_hosts_that_cannot(host: str) -> None:
    assert [setting for setting, _unused in Settings(host, 587, "social.example", auth="none").unusable()] == ["host"]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("setting", ["timeout", "connect_timeout"])
def test_waits_that_are_none(setting: str, seconds: float) -> None:
    settings = Settings("localhost", 25, "x", auth="none", **{setting: seconds})  # type: ignore[arg-type]
    assert [one for one, _unused in settings.unusable()] == [setting]


@pytest.mark.parametrize("helo", ["", "a b", "a\r\nMAIL FROM:<x@y>", "ü"])
def test_names_that_would_break_ehlo(helo: str) -> None:
    assert [setting for setting, _unused in Settings("localhost", 587, helo, auth="none").unusable()] == ["helo_domain"]


@pytest.mark.parametrize("address", ["a", "a@b> SIZE=1", "a@b\r\nDATA", "Name <a@b>", "ü@b.example"])
def test_addresses_that_would_break_the_envelope(address: str) -> None:
    assert [setting for setting, _unused in Settings("localhost", 25, "x", auth="none", sender=address).unusable()] == [
        "sender"
    ]


def test_good_settings_and_a_recipient_without_sender() -> None:
    good = Settings("localhost", 25, "x", auth="none", sender="a@b.example", recipient="c@d.example")
    assert good.unusable() == []
    assert Settings("localhost", 25, "x", auth="none", recipient="a@b").unusable()[0][0] == "sender"


def test_a_login_needs_both_halves_only_when_it_is_tried() -> None:
    halves = Settings("localhost", 25, "x", login="a")
    assert [setting for setting, _unused in halves.unusable()] == ["password"]
    assert Settings("localhost", 25, "x", skip_auth=True).unusable() == []


def test_settings_never_show_the_password() -> None:
    assert "hush" not in repr(Settings("localhost", 25, "x", password="hush"))


def test_deadlines() -> None:
    whole = Deadline(0.05)
    assert whole.within(10).remaining <= 0.05
    assert Deadline(10).within(0.01).remaining <= 0.01
    time.sleep(0.06)
    assert whole.passed
    with pytest.raises(Stopped) as stopped:
        whole.left()
    assert stopped.value.kind == "timed-out"
