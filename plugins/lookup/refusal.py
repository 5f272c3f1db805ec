# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: refusal
short_description: Why this command would do nothing
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - C(ansible-playbook) ends with 0 when no host matches, when no task has one of the tags, and when
    C(--start-at-task) leaves out what later tasks need. This lookup says so before the first task.
  - It also says when ansible-core is older than the collection needs; Ansible itself only warns.
  - It is meant for the C(hosts) of a play, because those are evaluated whatever the tags, the limit and the first task.
options:
  _terms:
    description: The hosts that the playbook is for, as a pattern or a list of patterns.
    type: list
    elements: str
    required: true
  tagged:
    description: Whether the playbook has the tags of the rollout's steps.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check the command
  hosts: "{{ undef(hint=refused) if refused else 'all' }}"
  gather_facts: false
  vars:
    refused: "{{ lookup('fediops.mastodon.refusal', mastodon_smtp_hosts | default('mastodon')) }}"
"""

RETURN = r"""
_raw:
  description: One sentence, with what to write instead; empty when the command is fine.
  type: list
  elements: str
"""

import re
import sys
import typing as t
from pathlib import Path

from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.plugins.lookup import LookupBase
from ansible.release import __version__ as core

from ansible_collections.fediops.mastodon.plugins.plugin_utils import _command

_ROOT = Path(__file__).parents[2]
#: --syntax-check, --list-tasks and --list-tags: nothing is meant to run, on whatever host.
_READS_ONLY = ("syntax", "listtasks", "listtags")


class LookupModule(LookupBase):
    """The lookup C(refusal)."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **options: t.Any) -> list[str]:
        """What is wrong with the command, as the only element."""
        if any(context.CLIARGS.get(one) for one in _READS_ONLY):
            return [""]
        self.set_options(var_options=variables, direct=options)
        old = _command.too_old(core, _required(), sys.version_info)
        return [old or _command.refusal(self._command(terms, variables or {}))]

    def _command(self, terms: list[t.Any], known: dict[str, t.Any]) -> _command.Command:
        patterns = [str(one) for term in terms for one in (term if isinstance(term, list) else [term])]
        groups, limit = known.get("groups") or {}, str(known.get("ansible_limit") or "")
        # In the hosts of a play, these are all hosts within --limit; the localhost that no inventory names is not one.
        within = {*known.get("ansible_play_hosts_all", ()), *([] if limit else ["localhost"])}
        return _command.Command(
            pattern=",".join(patterns),
            matched=[one for one in self._matching(patterns, groups) if one in within],
            groups=[one for one in groups if one not in ("all", "ungrouped")],
            hosts=len(groups.get("all") or ()),
            sources=[str(one) for one in known.get("ansible_inventory_sources") or ()],
            limit=limit,
            run_tags=sorted(known.get("ansible_run_tags") or ()),  # Ansible has them in no order
            skip_tags=sorted(known.get("ansible_skip_tags") or ()),
            start_at=str(context.CLIARGS.get("start_at_task") or ""),
            tagged=bool(self.get_option("tagged")),
            alone=_alone(context.CLIARGS.get("args") or ()),
        )

    def _matching(self, patterns: list[str], groups: dict[str, list[str]]) -> list[str]:
        """The hosts of the inventory that match, without the limit."""
        manager = InventoryManager(self._loader, parse=False)
        for group, hosts in groups.items():
            manager.add_group(group)
            for host in hosts:
                manager.add_host(host, group=group)
        return [str(host) for host in manager.get_hosts(pattern=patterns)]


def _required() -> str:
    found = re.search(r"requires_ansible:\s*[\"']?>=\s*([\d.]+)", (_ROOT / "meta/runtime.yml").read_text("utf-8"))
    return found[1] if found else "0"


def _alone(playbooks: t.Sequence[str]) -> bool:
    """Whether the command names one playbook, and that is one of this collection."""
    own = {path.stem for path in (_ROOT / "playbooks").glob("*.yml")}
    named = [Path(one).stem if one.endswith((".yml", ".yaml")) else one.rpartition(".")[2] for one in playbooks]
    return len(named) == 1 and named[0] in own
