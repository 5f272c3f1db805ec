# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What YAML makes of a bare value and which senders the mail gem refuses: our models against the gems of both hosts."""

from __future__ import annotations

import json
import random
import typing as t
from pathlib import Path

import pytest
from harness import Lab

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.address import ruby_refuses
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.yaml_value import (
    Odd,
    Symbol,
    YamlRefusal,
    bare_value,
)

_BARE_ALPHABETS = (
    "0123456789_.,:-+exXobEn ",
    "aN~#:'\"&*|>[]{}@`%-?, \\=<",
    "".join(map(chr, range(0x20, 0x17F))).replace("\x85", ""),
)
_SENDER_ALPHABET = "ab.@<>,;:\"\\()[] 'ü#&_-"
_TYPES = {int: "Integer", str: "String", float: "Float", type(None): "NilClass"}


def _bare_texts(chance: random.Random) -> list[str]:
    texts = ["".join(chance.choices(chance.choice(_BARE_ALPHABETS), k=chance.randint(0, 9))) for _unused in range(6000)]
    # Tags with odd characters and the inside of lists are known not to be modelled in full.
    return [text for text in texts if "!" not in text and text.lstrip()[:1] not in ("[", "{")]


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
    asked = {"bare": _bare_texts(chance), "senders": _senders(chance)}
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
    said = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    bare = [(text, _predicted(text), real) for text, real in zip(asked["bare"], said["bare"])]
    differing = [one for one in bare if one[1] != one[2] and not one[1][0] == one[2][0] == "odd"]
    assert not differing, (said["versions"], differing[:20])
    senders = [(text, ruby_refuses(text), real) for text, real in zip(asked["senders"], said["senders"])]
    assert [one for one in senders if one[1] != one[2]] == [], said["versions"]
    assert len(bare) > 5000
    assert len(senders) > 5000
    assert min(sum(real for *_unused, real in senders), sum(not real for *_unused, real in senders)) > 500
