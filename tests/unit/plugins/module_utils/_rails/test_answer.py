# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ruby wrote, as it was seen, and what is read out of it."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.model import Failure
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.answer import (
    LARGEST,
    boot_failure,
    failure,
    marked,
    too_much,
)

APP = "/home/mastodon/live"

RUBY_3_1 = b"""\
DEPRECATION WARNING: something old (called from <main> at x.rb:1)
<internal:/usr/lib/ruby/rubygems/kernel_require.rb>:148:in `require': key not found: "NOPE" (KeyError)
\tfrom /usr/share/gems/activesupport-6.1.7/lib/x.rb:9:in `each'
\tfrom /home/mastodon/live/vendor/bundle/gems/y.rb:9:in `each'
\tfrom /home/mastodon/live/config/environments/production.rb:87:in `block in <top (required)>'
\tfrom bin/rails:4:in `<main>'
<internal:/usr/lib/ruby/rubygems/kernel_require.rb>:85:in `require': cannot load such file -- rails/commands (LoadError)
\tfrom bin/rails:4:in `<main>'
"""

RUBY_3_4 = b"""\
/gems/activesupport-8.0.2/lib/active_support/configuration_file.rb:38:in 'ActiveSupport::ConfigurationFile#parse': \
YAML syntax error occurred while parsing /home/mastodon/live/config/email.yml. Error: bad (RuntimeError)
\tfrom /home/mastodon/live/config/application.rb:101:in '<class:Application>'
/usr/lib/psych/parser.rb:62:in 'Psych::Parser#_native_parse': (/home/mastodon/live/config/email.yml): \
found character that cannot start any token (Psych::SyntaxError)
\tfrom /usr/lib/psych/parser.rb:62:in 'Psych::Parser#parse'
"""


def test_the_exception_and_the_line_of_the_app_are_found() -> None:
    assert boot_failure(RUBY_3_1, APP) == Failure(
        "boot", ("KeyError",), 'key not found: "NOPE" (config/environments/production.rb:87)'
    )


def test_causes_follow_the_exception() -> None:
    found = boot_failure(RUBY_3_4, APP)
    assert found.classes == ("RuntimeError", "Psych::SyntaxError")
    assert "(config/application.rb:101) <- (/home/mastodon/live/config/email.yml)" in found.message


@pytest.mark.parametrize(
    ("stderr", "classes", "words"),
    [
        (b"/usr/bin/env: 'ruby': No such file or directory\n", (), "'ruby': No such file"),
        (b"", (), "without output"),
        (b"\xff\xfe broken bytes\n", (), "broken bytes"),
        (b"config/boot.rb:3: syntax errors found (SyntaxError)\n> 3 | end\n", ("SyntaxError",), "syntax errors found"),
        (b"a\nb\nc\nd\n", (), "b / c / d"),
    ],
)
def test_other_endings(stderr: bytes, classes: tuple[str, ...], words: str) -> None:
    found = boot_failure(stderr, APP)
    assert found.classes == classes
    assert words in found.message


def test_the_marked_line_is_found_among_others() -> None:
    noise = b'I, [2026] INFO -- : Delivered mail\nM:{"old": 1}\nno newline at its end\nM:{"a": 1}\ntrailing'
    assert marked(noise, "M:") == {"a": 1}


@pytest.mark.parametrize("stdout", [b"", b"nothing", b"M:{", b"M:[1]", b" M:{}", b'M:{"a": \xff}'])
def test_without_a_whole_answer_there_is_none(stdout: bytes) -> None:
    assert marked(stdout, "M:") is None


@pytest.mark.parametrize("answer", [b'{"a": ' + b"[" * 200_000, b'{"a": "' + b"x" * LARGEST + b'"}'])
def test_an_answer_without_end_is_none(answer: bytes) -> None:
    assert marked(b"M:" + answer + b"\n", "M:") is None
    assert too_much(answer, False) is (len(answer) > LARGEST) and too_much(b"", True)


def test_the_class_is_found_at_the_end_of_a_long_line() -> None:
    found = boot_failure(b"/a/b.rb:12:in 'x': undefined method for " + b"y" * 100_000 + b" (NoMethodError)\n", "/a")
    assert found.classes == ("NoMethodError",)
    assert (
        found.message.startswith("undefined method for yyy") and "…" in found.message and "(b.rb:12)" in found.message
    )


def test_an_error_inside_rails() -> None:
    error = {"stage": "auth", "chain": [{"class": "A", "message": "x"}, {"class": "B", "message": "x"}]}
    assert failure(error) == Failure("auth", ("A", "B"), "x")
