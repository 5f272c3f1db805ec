# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which line of a unit's files sets a variable, so that a person can remove it. systemd itself says only the values."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

_SETTING = re.compile(r"\s*([A-Za-z]+)\s*=(.*)$", re.S)


def last_line(setting: str, name: str, texts: t.Iterable[tuple[str, str]]) -> tuple[str, int] | None:
    """The last (file, line) in which a list setting has a variable; None if none has, as with a transient unit.

    :param setting: such as C(Environment).
    :param name: the word, or what it has before its equals sign.
    :param texts: path and text of the unit's file and its drop-ins, in the order in which systemd reads them.
    """
    # A word begins after a blank or a quote. Source: systemd.syntax(7).
    has_word = re.compile(rf"(?:^|[\s'\"]){re.escape(name)}(?=$|[\s'\"=])")
    found = None
    for path, text in texts:
        current = ""
        continued = False
        for number, line in enumerate(text.splitlines(), 1):
            if line.lstrip()[:1] in ("#", ";"):
                continue  # also between continued lines
            value = line
            if not continued:
                begun = _SETTING.match(line)
                current, value = (begun[1], begun[2]) if begun else ("", "")
                if current == setting and not value.strip():
                    found = None  # an empty assignment resets the list
            if current == setting and has_word.search(value):
                found = (path, number)
            continued = line.endswith("\\")
    return found
