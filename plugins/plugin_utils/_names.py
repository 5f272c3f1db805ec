# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the role's variables: a misspelt one must not be ignored in silence."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.settings import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import ROLE as PREFIX
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.nearest import did_you_mean, nearest

SPECS = Path(__file__).parents[2] / "roles" / "mastodon_smtp" / "meta" / "argument_specs.yml"
#: Of the playbooks; docs/fleet.md describes them.
OF_PLAYBOOKS = ("hosts", "batches", "max_fail_percentage", "require_all")
#: The facts that the role leaves.
FACTS = ("result", "drift")

#: What is missing when a variable is misspelt, and so is no second problem: its name, and the finding about it.
_FOLLOWS = {
    "host": "host-missing",
    "provider": "host-missing",
    "region": "provider-region-missing",
    "login": "login-not-given",
    "password": "password-not-given",
    "from_address": "from-missing",
}


@functools.cache
def options() -> dict[str, dict[str, t.Any]]:
    """The role's variables as its argument specification has them."""
    found: dict[str, dict[str, t.Any]] = yaml_load(SPECS.read_text("utf-8"))["argument_specs"]["main"]["options"]
    return found


@functools.cache
def known() -> tuple[str, ...]:
    """The names without the prefix: of the role, of the playbooks, of the facts."""
    return (*(name[len(PREFIX) :] for name in options()), *OF_PLAYBOOKS, *FACTS)


def ours(variables: t.Iterable[str]) -> list[str]:
    """The variables with the role's prefix, whoever reads them."""
    return [name for name in variables if name.startswith(PREFIX)]


def unknown(variables: t.Iterable[str]) -> list[Finding]:
    """A finding for each variable that has the role's prefix and that nothing in the collection reads."""
    found = []
    for name in sorted(set(variables)):
        short = name[len(PREFIX) :]
        if name.startswith(PREFIX) and short not in known():
            meant = did_you_mean(short, known(), PREFIX)
            found.append(TABLE.finding("setting-unknown", name, f"The collection has no setting {name}{meant}"))
    return found


def without_consequences(findings: t.Iterable[Finding], strangers: t.Iterable[Finding]) -> list[Finding]:
    """The findings but those that only say that what a misspelt variable was to give is missing."""
    meant = {nearest(one.subject[len(PREFIX) :], known()) for one in strangers}
    follows = {_FOLLOWS[name] for name in meant & _FOLLOWS.keys()}
    return [one for one in findings if one.code not in follows]
