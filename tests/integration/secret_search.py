# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for a secret, in all that a run has printed, logged and left."""

from __future__ import annotations

import base64
import json
import typing as t
import urllib.parse
from pathlib import Path


def shapes(secret: str) -> set[str]:
    """The forms in which a secret slips out: as it is, quoted for Python, JSON, YAML or URL, base64 alone or within."""
    python = {repr(secret)[1:-1], ascii(secret)[1:-1]}
    quoted = {
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        secret.replace("'", "''"),
        *python,
    }
    # a message with a quoted value is quoted once more in a result
    quoted |= {json.dumps(one)[1:-1] for one in quoted} | {repr(one)[1:-1] for one in quoted}
    quoted |= {urllib.parse.quote(secret), urllib.parse.quote_plus(secret)}
    coded = {base64.b64encode(secret.encode()).decode().rstrip("=")}
    # a secret inside a longer text, at each of the three alignments of base64
    for lead in ("\0", "\0\0"):
        coded.add(base64.b64encode((lead + secret).encode()).decode().rstrip("=")[4:-2])
    return {secret} | quoted | coded


def assert_hidden(secret: str, texts: t.Mapping[str, str], whose: str = "the") -> None:
    """Fails when a secret is in one of the texts, in whatever form; the failure does not print it either."""
    for shape in shapes(secret):
        for where, text in texts.items():
            at = text.find(shape)
            around = text[max(0, at - 300) : at].replace(secret, "(secret)")
            assert at < 0, f"{whose} password leaks into {where} after: ...{around}"


def files_with(secret: str, folder: Path) -> set[str]:
    """The files beneath a folder that hold a secret in whatever form, as paths from there."""
    wanted = [one.encode() for one in shapes(secret)]
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            if any(one in data for one in wanted):
                found.add(str(path.relative_to(folder)))
    return found
