# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""How a Ruby program of ours is told what it is asked: by one literal in it, never by its command line."""

from __future__ import annotations

import base64
import json
import typing as t


def filled(program: str, asked: t.Mapping[str, t.Any]) -> bytes:
    """The program for C(rails runner -) with its C(@ASKED@) filled in.

    :param asked: anything that JSON can hold. Base64 keeps every character of it from being read as Ruby.
    """
    literal = base64.b64encode(json.dumps(dict(asked)).encode("utf-8")).decode("ascii")
    return program.replace("@ASKED@", literal).encode("utf-8")
