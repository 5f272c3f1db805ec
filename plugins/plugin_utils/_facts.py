# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts are what a host says of itself. They must not set our variables.

In ansible-core the facts of a host outrank the defaults of roles and everything that the inventory says
(C(VariableManager.get_vars) in C(ansible/vars/manager.py) merges the fact cache after C(host_vars)). A fact need not
begin with C(ansible_), and every answer of every module can bring some, not only that of C(setup). Even
C(inventory_dir) and C(inventory_hostname) can be facts. So a host could set what the operator meant to set.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.settings import TABLE

#: How the names of variables begin that the collection reads or leaves, and of those that adopting refers to.
PREFIXES = ("mastodon_smtp_", "__mastodon_smtp_", "vault_mastodon_smtp_")
#: Names that ansible-core itself gives each host, and that paths on the controller are made of.
OF_ANSIBLE = frozenset({"inventory_dir", "inventory_file", "inventory_hostname", "inventory_hostname_short"})
#: A host chooses these names; others are counted only.
_SHOWN = re.compile(r"[A-Za-z0-9_]{1,80}")
_AT_MOST = 5


def set_by_facts(facts: t.Any, host: str) -> list[Finding]:
    """A finding when a host's facts have names of ours; at most one, since they come together.

    :param facts: C(ansible_facts) of the host.
    :param host: its name, for the message.
    """
    if not isinstance(facts, t.Mapping):
        return []
    names = sorted(str(name) for name in facts if str(name).startswith(PREFIXES) or name in OF_ANSIBLE)
    if not names:
        return []
    shown = [name for name in names if _SHOWN.fullmatch(name)][:_AT_MOST]
    others = len(names) - len(shown)
    subject = ", ".join(shown) or "variables"
    rest = f" and {others} more" if shown and others else ""
    message = (
        f"{subject}{rest}: set by facts of {host}. Facts override the inventory, and the host itself controls them."
    )
    return [TABLE.finding("setting-from-facts", subject, message)]
