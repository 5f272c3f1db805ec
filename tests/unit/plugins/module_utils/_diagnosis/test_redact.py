# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.redact import (
    ADDRESS,
    SECRET,
    one_line,
    redact,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import LEFT_OUT, SHORT, stands
from ansible_collections.fediops.mastodon.plugins.module_utils._text import bounded_line


@settings(max_examples=200)
@given(secret=st.text(min_size=SHORT).filter(str.strip), before=st.text(), after=st.text())
def test_a_secret_never_stays(secret: str, before: str, after: str) -> None:
    text = redact(f"{before}{secret}{after}", [secret])
    assert secret not in text.replace(SECRET, "").replace(ADDRESS, "") or secret in SECRET + ADDRESS


@settings(max_examples=200)
@given(secret=st.text(min_size=1, max_size=SHORT - 1).filter(str.strip), before=st.text(), after=st.text())
def test_a_short_secret_never_stays_as_a_word(secret: str, before: str, after: str) -> None:
    text = redact(f"{before} {secret} {after}", [secret])
    for mark in (SECRET, ADDRESS, LEFT_OUT):
        text = text.replace(mark, "")
    assert not any(stands(secret, line) for line in text.split("\n"))


def test_a_secret_is_found_as_auth_login_sends_it() -> None:
    sent = base64.b64encode(b"s3cr3t pass").decode()
    assert sent not in redact(f"535 bad: {sent}", ["s3cr3t pass"])


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("SMTP_PASSWORD=abc def", f"SMTP_PASSWORD={SECRET} def"),
        ('"password" => "a b"', f'"password" => {SECRET}'),
        ("secret_key_base: 'x y'", f"secret_key_base: {SECRET}"),
        ("redis://:hunter2@localhost:6379/0", f"redis://:{SECRET}@localhost:6379/0"),
        ("postgres://mastodon:a:b@db/x", f"postgres://mastodon:{SECRET}@db/x"),
        ("501 malformed: AUTH PLAIN AGFsaWNlAHBhc3M=", f"501 malformed: AUTH PLAIN {SECRET}"),
        ("to <someone@example.org>: no", f"to <{ADDRESS}>: no"),
        ("Delivered mail 5ab1c2d3@example.org (1.2ms)", "Delivered mail 5ab1c2d3@example.org (1.2ms)"),
        ("authentication failed", "authentication failed"),
    ],
)
def test_shapes(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_addresses_to_keep_stand_whatever_their_case() -> None:
    assert redact("a@b.example c@d.example", keep=["A@B.example"]) == f"a@b.example {ADDRESS}"


def test_one_line() -> None:
    assert one_line("a\r\n\x1b[31m b\tc") == "a [31m b c"
    assert len(one_line("x" * 1000)) == 300


@pytest.mark.parametrize("at", range(1530, 1560))
@pytest.mark.parametrize("secret", ["correct horse battery", "c2VjcmV0IG9mIGEgcmVsYXk="])
def test_no_piece_of_a_secret_stays_where_a_text_is_cut(secret: str, at: int) -> None:
    """The text may have been cut before, by somebody who did not know the secret."""
    cut = bounded_line(f"{'.' * at}{secret}{'.' * 5000}{secret}{'.' * (at - 1060)}")
    shown = redact(cut, [secret])
    assert "…" in shown
    assert not any(secret[start : start + 4] in shown for start in range(len(secret) - 3))


def test_a_secret_in_a_text_that_is_too_long_is_found_before_it_is_cut() -> None:
    assert redact(f"{'.' * 1530}hunter2{'.' * 5000}", ["hunter2"]).count("hunt") == 0
