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
LEFT_OUT = "[not shown: this line may hold a secret]"
#: Ansible's own word for the value of an option that is secret.
_OPTION = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def maskable(secrets: t.Iterable[str]) -> list[str]:
    """Those that are long enough for a mask to tell nothing, longest first. Blank ones are none."""
    return sorted({secret for secret in secrets if len(secret) >= SHORT and secret.strip()}, key=len, reverse=True)


def masked(text: str, secrets: t.Iterable[str], mask: str) -> str:
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
