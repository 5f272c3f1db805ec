# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Suggests a known name for an unknown one."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import difflib
import typing as t

#: Required similarity of two names (difflib's ratio); difflib's own default suggests "sender" for "send_to".
ALIKE = 0.7


def nearest(name: str, known: t.Iterable[str]) -> str:
    """The most similar known name, ignoring case and hyphens; empty when none is similar."""
    by_form = {_form(one): one for one in known}
    found = difflib.get_close_matches(_form(name), list(by_form), 1, ALIKE)
    return by_form[found[0]] if found else ""


def did_you_mean(name: str, known: t.Iterable[str], prefix: str = "") -> str:
    """The question "did you mean" as the end of a sentence; a full stop when no name is similar.

    :param prefix: added to the suggestion, if C(name) and C(known) lack it.
    """
    found = nearest(name, known)
    return f"; did you mean {prefix}{found}?" if found else "."


def provider_meant(name: str, presets: t.Mapping[str, t.Iterable[str]]) -> str:
    """The end of the sentence that no provider has a name: the provider that people also call so, or a similar one.

    :param presets: provider -> other names for it.
    """
    names = {_form(other): known for known, others in presets.items() for other in (*others, known)}
    found = names.get(_form(name)) or names.get(nearest(name, names), "")
    return f"; did you mean {found}?" if found else "."


def _form(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
