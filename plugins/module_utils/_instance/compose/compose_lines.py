# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which line of a Compose file sets a variable, so that a person can remove it. No I/O here.

Compose itself says only what its files result in. Block style is read, which is how Compose files are written; an entry
that comes from an anchor, from C(extends) or in braces is not found, and is then named without a line.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

_KEY = re.compile(r"""\s*(["']?)([^\s"'#:][^"'#:]*)\1:(?=\s|$)""")


def entry_line(service: str, name: str, texts: t.Iterable[tuple[str, str]]) -> tuple[str, int] | None:
    """The last (file, line) in which a service's C(environment:) has an entry.

    :param texts: path and text of each file, in the order in which they are read.
    """
    entry = re.compile(rf"""\s*(?:-\s+)?["']?{re.escape(name)}["']?\s*(?:[:=]|$)""")
    found = None
    for path, text in texts:
        above: list[tuple[int, str]] = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            indent = len(line) - len(line.lstrip(" "))
            listed = line.lstrip(" ").startswith("- ")
            # The items of a list may begin below its key's first letter.
            while above and (above[-1][0] > indent or (above[-1][0] == indent and not listed)):
                above.pop()
            if [key for _unused, key in above] == ["services", service, "environment"] and entry.match(line):
                found = (path, number)
            key = _KEY.match(line)
            if key and not listed:
                above.append((indent, key[2].strip()))
    return found
