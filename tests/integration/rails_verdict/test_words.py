# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ruby's own libraries on both hosts make of words, against what we say: YAML, senders, passwords, verify modes.

The hosts' Psych is older than that of the releases which have config/email.yml; where a later one decides otherwise,
the texts are left out.
"""

from __future__ import annotations

import hmac
import json
import random
import re
import typing as t
from pathlib import Path

import pytest
from harness import Lab

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.address import names_nobody, ruby_refuses
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.effective import effective
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.release import NEWEST_READ
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.ruby_value import Odd, Symbol, YamlRefusal
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.session import cram_md5_fails
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.yaml_value import bare_value

_BARE_ALPHABETS = (
    "0123456789_.,:-+exXobEn ",
    "aN~#:'\"&*|>[]{}@`%-?, \\=<",
    "".join(map(chr, range(0x20, 0x17F))),
    "ab \n:#-'\"|>[]{},&*!?%\t",
    "a b\x85\u2028\u2029\n\r'\"",
    "a\x7f\x80\x9f\ufffe\uffff\ufeff\u00a0\u2003\U0001f600",
    "nofyestrul~N.:\n ",
    "!<>strintbiayfo:[]{},",
)
_LINES = (
    "{}\n    domain: {}", "{}\n      {}", "{}\n# {}", "|\n      {}\n       {}", ">-\n      {}\n\n      {}\n",
    "'{}\n     {}'", '"{}\n     {}"', "[{}, {}]", "{{{}: {}}}", "{}\n    {}: x", "{}\n...\n{}",
    "&a {}\n    domain: *a{}", "{}\n    - {}", "? {}\n      : {}",
)  # fmt: skip
_SENDER_ALPHABET = "ab.@<>,;:\"\\()[] 'ü#&_-\u00a0"
_PASSWORDS = [
    "plain",
    "pässword12",
    "p€ssword",
    "ÿ",
    "ä" * 64,
    "ä" * 65,
    "a" * 64,
    "a" * 65,
    "a" * 63 + "ä",
    "\U0001f600",
]
_MODES = [
    "peer",
    "none",
    "NONE",
    "peeer",
    "2024-01-01",
    ':"sym"',
    "[a]",
    "{}",
    "yes",
    "no",
    "0",
    "1",
    "1.5",
    ".nan",
    "-.inf",
    "4294967296",
    "~",
    '""',
]
_TYPES = {int: "Integer", str: "String", float: "Float", type(None): "NilClass"}


def _bare_texts(chance: random.Random) -> list[str]:
    def word(longest: int) -> str:
        return "".join(chance.choices(chance.choice(_BARE_ALPHABETS), k=chance.randint(0, longest)))

    texts = [word(9) for _unused in range(8000)]
    texts += [chance.choice(_LINES).format(word(4), word(4)) for _unused in range(4000)]
    # A number without digits is one for Psych before 5.2.
    return [text for text in texts if not re.search(r"0[bx]?[_,]", text)]


def _senders(chance: random.Random) -> list[str]:
    def word() -> str:
        return "".join(chance.choices(_SENDER_ALPHABET, k=chance.randint(0, 5)))

    shapes = ("{}", "{}@{}", "{} <{}@{}>", '"{}" <{}@b.example>', "Name {} <a@{}>", "{}, {}@c")
    texts = [
        shape.format(*(word() for _unused in range(shape.count("{}"))))
        for shape in (chance.choice(shapes) for _unused in range(6000))
    ]
    # Blanks beside a dot are known not to be modelled.
    return [text for text in texts if " ." not in text and ". " not in text]


def _predicted(text: str) -> list[t.Any]:
    try:
        value = bare_value(text)
    except YamlRefusal as refused:
        return ["error", refused.error_class]
    if isinstance(value, Odd):
        return ["odd", str(value)]
    if isinstance(value, Symbol):
        return ["Symbol", str(value)]
    if isinstance(value, bool):
        return ["TrueClass" if value else "FalseClass", value]
    return [_TYPES[type(value)], value]


@pytest.mark.parametrize("host", Lab.hosts)
def test_ruby_reads_words_as_we_say(lab: Lab, host: str) -> None:
    chance = random.Random(4)
    asked = {"bare": _bare_texts(chance), "senders": _senders(chance), "passwords": _PASSWORDS, "modes": _MODES}
    script = (Path(__file__).parent / "words.rb").read_text(encoding="utf-8")
    lab.ssh(host, "cat > /tmp/words.rb", stdin=script)
    try:
        output = lab.ssh(
            host,
            "cd /home/mastodon/live && runuser -u mastodon -- env HOME=/home/mastodon LANG=C.UTF-8 "
            "PATH=/home/mastodon/.rbenv/shims:/usr/local/bin:/usr/bin:/bin bundle exec ruby /tmp/words.rb",
            stdin=json.dumps(asked),
        )
    finally:
        lab.ssh(host, "rm -f /tmp/words.rb")
    said = json.loads(next(line for line in output.split("\n") if line.startswith("{")))
    later = {"Psych::BadAlias": "Psych::AnchorNotDefined"}  # its child, since Psych 5
    bare = [
        (text, _predicted(text), [real[0], later.get(real[1], real[1])] if real[0] == "error" else real)
        for text, real in zip(asked["bare"], said["bare"])
    ]
    differing = [one for one in bare if one[1] != one[2]]
    assert not differing, (said["versions"], differing[:20])
    senders = [(text, ruby_refuses(text), real) for text, real in zip(asked["senders"], said["senders"])]
    assert [one for one in senders if one[1] != one[2]] == [], said["versions"]
    envelopes = [(text, real) for (text, _unused, no), real in zip(senders, said["envelopes"]) if not no]
    assert [one for one in envelopes if names_nobody(one[0]) != (not one[1])] == [], said["versions"]
    assert sum(not real for _unused, real in envelopes) > 50
    for password, real in zip(_PASSWORDS, said["passwords"]):
        right = hmac.new(password.encode(), b"<1896.697170952@postoffice.example>", "md5").hexdigest()
        assert real == ("Encoding::CompatibilityError" if cram_md5_fails(password) else right), (
            said["versions"],
            password,
        )
    for mode, real in zip(_MODES, said["modes"]):
        error = effective({"SMTP_OPENSSL_VERIFY_MODE": mode, "SMTP_AUTH_METHOD": "none"}, NEWEST_READ, "").error
        assert real == (error.error_class if error else None), (said["versions"], mode)
    assert len(bare) > 5000
    assert len(senders) > 5000
    assert min(sum(real for *_unused, real in senders), sum(not real for *_unused, real in senders)) > 500
