# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is a secret by its name, which secrets may be cut out of a text, and what happens to the texts with the others.

A mask must not tell what it hides. One within an ordinary word does: C(unavail[secret]le) tells everybody that the
password is "ab", and C(Authentication [secret]) that it is "failed". So a short secret is never masked. Inside of a
longer word it is not the secret, and the word stays. A line of another program's words in which it stands as a word is
not shown at all. Our own sentences hold no secret, so they are left alone, whichever words they share with one.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import json
import re
import typing as t

#: What names a secret, in any text: the beginning of what may go on as a name.
TELLING = r"passw(?:or)?d | passphrase | secret | token | private_?key | api_?key | credential"
#: Names of variables whose values are secrets; Mastodon's .env.production.sample and config/ have all of these kinds.
SECRET_NAME = re.compile(
    rf"{TELLING} | pass | key | private | salt | vault"
    r"| auth_(?!method) | (?<!smtp)_auth$ | database_url | redis_url | db_url | _dsn",
    re.VERBOSE | re.IGNORECASE,
)

#: A secret with fewer characters may be an ordinary word, or a part of one.
SHORT = 8
#: Ansible's own mask.
MASK = "********"
LEFT_OUT = "[not shown: this line may hold a secret]"
#: Ansible's own word for the value of an option that is secret.
_OPTION = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def maskable(secrets: t.Iterable[str]) -> list[str]:
    """Those that are long enough for a mask to tell nothing, longest first. Blank ones are none."""
    return sorted({secret for secret in secrets if len(secret) >= SHORT and secret.strip()}, key=len, reverse=True)


def masked(text: str, secrets: t.Iterable[str], mask: str = MASK) -> str:
    """Another program's words without the secrets: long ones are masked, lines with a short one are left out."""
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
    """Whether it is there as a word: with no letter or digit beside its own first and last one."""
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
    """A module's options as its result may show them: secret ones are hidden by their names, not by their values."""
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
    """What to look for, longest first: each secret as it is and as it is quoted, once or twice.

    :param secrets: texts and numbers, or lists and dictionaries of them (their keys are names, not secrets).
    """
    found: set[str] = set()
    for secret in _leaves(secrets):
        once = _quoted(secret)
        found |= once.union(*map(_quoted, once))
    return tuple(sorted(found - {""}, key=lambda form: (-len(form), form)))


def without(value: t.Any, hidden: t.Sequence[str]) -> t.Any:
    """A copy of a result, or of a text of our own, without the secrets. Keys, V(true) and V(false) stay as they are.

    ansible-core's own C(remove_values) knows a secret as it is only: a message that quotes it as Python or JSON writes
    it (a backslash doubled, a letter as an escape) would show it.

    :param hidden: from C(forms), or the secrets as they are, longest first.
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
    """The text, and what stands between the quotes where Python, JSON or YAML quote it."""
    python = {repr(text)[1:-1], ascii(text)[1:-1]}
    return {text, *python, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], text.replace("'", "''")}
