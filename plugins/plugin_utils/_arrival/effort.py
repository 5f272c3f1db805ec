# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which messages dkimpy must not be given: a sender can write one on which it works for hours, and nothing stops it."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re

from .message import HEADERS

#: The sum of the squares of runs of blanks. dkimpy's patterns try each run again from each of its characters
#: (dkim/canonicalization.py, strip_trailing_whitespace; dkim/__init__.py, RE_BTAG and verify_headerprep).
MOST_BLANKS = 10**8
#: Names times header lines: dkimpy searches all fields for each name of C(h=) (dkim/__init__.py, select_headers).
MOST_CHOICES = 5 * 10**6

_IN_BODY = re.compile(rb"[\t ]{32,}")
_IN_HEADER = re.compile(rb"\s{32,}")


def excessive(text: bytes) -> bool:
    """Whether the verification of a signature of this message could take more than about a second."""
    header, _empty, body = text.replace(b"\r\n", b"\n").partition(b"\n\n")
    if len(header) > HEADERS or header.count(b":") * (header.count(b"\n") + 1) > MOST_CHOICES:
        return True
    runs = [*_IN_HEADER.finditer(header), *_IN_BODY.finditer(body)]
    return sum((run.end() - run.start()) ** 2 for run in runs) > MOST_BLANKS
