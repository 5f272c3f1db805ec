# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which known name somebody may have meant with one that is not known."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import difflib
import typing as t

#: How alike two names must be (difflib's ratio); its own default takes "sender" for "send_to".
ALIKE = 0.7


def nearest(name: str, known: t.Iterable[str]) -> str:
    """The known name that is most like it, whatever the case and the hyphens; empty when none is like it."""
    by_form = {_form(one): one for one in known}
    found = difflib.get_close_matches(_form(name), list(by_form), 1, ALIKE)
    return by_form[found[0]] if found else ""


def did_you_mean(name: str, known: t.Iterable[str], prefix: str = "") -> str:
    """The question as the end of a sentence; a full stop when nothing is near.

    :param prefix: what every name begins with, where name and known are without it.
    """
    found = nearest(name, known)
    return f"; did you mean {prefix}{found}?" if found else "."


def _form(name: str) -> str:
    return name.lower().replace("-", "_")
