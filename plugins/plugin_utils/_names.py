# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the role's variables, so that a misspelt one is not silently ignored."""

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
#: The variables of the playbooks; docs/fleet.md describes them.
OF_PLAYBOOKS = ("hosts", "batches", "max_fail_percentage", "require_all")
#: The facts that the role sets.
FACTS = ("result", "drift")

#: Findings about names that nothing reads; the variables that are read may be as they should.
MISSPELT = frozenset({"setting-unknown", "accept-unknown"})

#: A setting that is missing because its variable is misspelt, which is not a second problem -> the finding about it.
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
    """The role's variables, from its argument specification."""
    found: dict[str, dict[str, t.Any]] = yaml_load(SPECS.read_text("utf-8"))["argument_specs"]["main"]["options"]
    return found


@functools.cache
def known() -> tuple[str, ...]:
    """All names without the prefix: of the role, the playbooks and the facts."""
    return (*(name[len(PREFIX) :] for name in options()), *OF_PLAYBOOKS, *FACTS)


def ours(variables: t.Iterable[str]) -> list[str]:
    """All variables with the role's prefix, known or not."""
    return [name for name in variables if name.startswith(PREFIX)]


def unknown(variables: t.Iterable[str]) -> list[Finding]:
    """A finding for each variable with the role's prefix that nothing in the collection reads."""
    found = []
    for name in sorted(set(variables)):
        short = name[len(PREFIX) :]
        if name.startswith(PREFIX) and short not in known():
            meant = did_you_mean(short, known(), PREFIX)
            found.append(TABLE.finding("setting-unknown", name, f"The collection has no setting {name}{meant}"))
    return found


def without_consequences(findings: t.Iterable[Finding], strangers: t.Iterable[Finding]) -> list[Finding]:
    """The findings without those about settings that are only missing because a variable is misspelt."""
    meant = {nearest(one.subject[len(PREFIX) :], known()) for one in strangers}
    follows = {_FOLLOWS[name] for name in meant & _FOLLOWS.keys()}
    return [one for one in findings if one.code not in follows]
