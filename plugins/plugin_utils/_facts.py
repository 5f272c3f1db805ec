# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts come from the host, so they must not set the role's variables.

In ansible-core, facts take precedence over role defaults and the inventory (C(VariableManager.get_vars) in
C(ansible/vars/manager.py) merges the fact cache after C(host_vars)). A fact need not begin with C(ansible_), and any
module's answer can set facts, not only that of C(setup); even C(inventory_dir) and C(inventory_hostname). So a host
could override what the operator has set.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.settings import TABLE

#: Prefixes of the variables that the collection reads or sets, and of those that adopted settings refer to.
PREFIXES = ("mastodon_smtp_", "__mastodon_smtp_", "vault_mastodon_smtp_")
#: Variables that ansible-core itself sets for each host, and from which paths on the controller are built.
OF_ANSIBLE = frozenset({"inventory_dir", "inventory_file", "inventory_hostname", "inventory_hostname_short"})
#: The host chooses these names, so only harmless ones are shown; others are only counted.
_SHOWN = re.compile(r"[A-Za-z0-9_]{1,80}")
_AT_MOST = 5


def set_by_facts(facts: t.Any, host: str) -> list[Finding]:
    """The finding when a host's facts set the collection's variables; at most one, for all of them.

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
