# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hides secrets in what a step returns or says, in every form in which a message quotes a value.

ansible-core's own C(remove_values) knows a secret as it is only: a message that quotes it as Python or JSON writes it
(a backslash doubled, a letter as an escape) would show it.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import json
import typing as t

MASK = "********"


def forms(secrets: t.Iterable[t.Any]) -> tuple[str, ...]:
    """What to look for, longest first: each secret as it is and as it is quoted, once or twice.

    :param secrets: texts and numbers, or lists and dictionaries of them (their keys are names, not secrets).
    """
    found: set[str] = set()
    for secret in _leaves(secrets):
        once = _quoted(secret)
        found |= once.union(*map(_quoted, once))
    return tuple(sorted(found - {""}, key=lambda form: (-len(form), form)))


def masked(value: t.Any, hidden: t.Sequence[str]) -> t.Any:
    """A copy without the secrets. Keys, V(true) and V(false) stay as they are.

    :param hidden: from C(forms).
    """
    if isinstance(value, str):
        for form in hidden:
            if form in value:
                value = value.replace(form, MASK)
        return value
    if isinstance(value, t.Mapping):
        return {key: masked(one, hidden) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked(one, hidden) for one in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and str(value) in hidden:
        return MASK
    return value


def _leaves(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield str(value)
    elif isinstance(value, t.Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, t.Iterable) and not isinstance(value, bytes):
        for one in value:
            yield from _leaves(one)
    elif value is not None and not isinstance(value, (bool, bytes)):
        yield str(value)


def _quoted(text: str) -> set[str]:
    """The text, and what stands between the quotes where Python, JSON or YAML quote it."""
    python = {repr(text)[1:-1], ascii(text)[1:-1]}
    return {text, *python, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], text.replace("'", "''")}
