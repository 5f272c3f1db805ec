# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides which names denote secrets, which secrets can be masked in a text, and what to do about the others.

A mask must not reveal what it hides. Within ordinary words it does: C(unavail[secret]le) reveals the password "ab", and
C(Authentication [secret]) reveals "failed". So short secrets are never masked. As part of a longer word, a short secret
is left in place. A line of another program that contains it as a whole word is dropped. Our own sentences contain no
secrets, so they are left alone, even if they share a word with one.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import json
import re
import typing as t

#: The part of a name that shows that its value is a secret; more of the name may follow.
TELLING = r"passw(?:or)?d | passphrase | secret | token | private_?key | api_?key | credential"
#: Names of variables whose values are secrets; all kinds occur in Mastodon's .env.production.sample and config/.
SECRET_NAME = re.compile(
    rf"{TELLING} | pass | key | private | salt | vault"
    r"| auth_(?!method) | (?<!smtp)_auth$ | database_url | redis_url | db_url | _dsn",
    re.VERBOSE | re.IGNORECASE,
)

#: A secret with fewer characters may be an ordinary word or part of one.
SHORT = 8
#: Ansible's own mask.
MASK = "********"
LEFT_OUT = "[not shown: this line may hold a secret]"
#: Ansible's own replacement for the value of a secret option.
_OPTION = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def maskable(secrets: t.Iterable[str]) -> list[str]:
    """The secrets long enough to be masked safely, longest first, without blank ones."""
    return sorted({secret for secret in secrets if len(secret) >= SHORT and secret.strip()}, key=len, reverse=True)


def masked(text: str, secrets: t.Iterable[str], mask: str = MASK) -> str:
    """Another program's text without the secrets: long ones are masked, lines with a short one are dropped."""
    known = [secret for secret in secrets if secret.strip() and secret in text]
    for secret in maskable(known):
        text = text.replace(secret, mask)
    short = [secret for secret in known if len(secret) < SHORT and secret in text]
    if any("\n" in secret for secret in short):
        return LEFT_OUT
    if not short:
        return text
    return "\n".join(LEFT_OUT if any(stands(one, line) for one in short) else line for line in text.split("\n"))


def stands(secret: str, line: str) -> bool:
    """Whether the secret occurs in the line as a whole word: with no letter or digit next to its first and last one."""
    at = line.find(secret)
    while at >= 0:
        end = at + len(secret)
        before, after = line[at - 1 : at] if at else "", line[end : end + 1]
        if not (before.isalnum() and secret[0].isalnum()) and not (after.isalnum() and secret[-1].isalnum()):
            return True
        at = line.find(secret, at + 1)
    return False


def hidden_options(
    options: t.Mapping[str, t.Any], specification: t.Mapping[str, t.Mapping[str, t.Any]]
) -> dict[str, t.Any]:
    """A module's options for its result, with secret ones hidden by option name, not by value."""
    return {name: _hidden(value, specification.get(name, {})) for name, value in options.items()}


def _hidden(value: t.Any, rule: t.Mapping[str, t.Any]) -> t.Any:
    if rule.get("no_log"):
        return value if value is None else _OPTION
    inner = rule.get("options")
    if inner and isinstance(value, t.Mapping):
        return hidden_options(value, inner)
    if inner and isinstance(value, list):
        return [hidden_options(one, inner) if isinstance(one, t.Mapping) else one for one in value]
    return value


def forms(secrets: t.Iterable[t.Any]) -> tuple[str, ...]:
    """The texts to mask, longest first: each secret literally, and as it appears when quoted once or twice.

    :param secrets: texts and numbers, or lists and dictionaries of them (their keys are names, not secrets).
    """
    found: set[str] = set()
    for secret in _leaves(secrets):
        once = _quoted(secret)
        found |= once.union(*map(_quoted, once))
    return tuple(sorted(found - {""}, key=lambda form: (-len(form), form)))


def without(value: t.Any, hidden: t.Sequence[str]) -> t.Any:
    """A copy of a result, or of our own text, with the secrets masked. Keys, V(true) and V(false) are unchanged.

    ansible-core's own C(remove_values) only finds a secret literally, not in a message that quotes it as Python or JSON
    do (with a doubled backslash or an escaped letter).

    :param hidden: from C(forms), or the literal secrets, longest first.
    """
    if isinstance(value, str):
        for form in hidden:
            if form in value:
                value = value.replace(form, MASK)
        return value
    if isinstance(value, t.Mapping):
        return {key: without(one, hidden) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [without(one, hidden) for one in value]
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
    """The text, and its forms between the quotes when Python, JSON or YAML quote it."""
    python = {repr(text)[1:-1], ascii(text)[1:-1]}
    return {text, *python, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], text.replace("'", "''")}
