# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate on the controller: sanitizes a host's answer before Ansible reads it.

A hostile host need not run our modules, so an answer is not trusted to look like theirs. Behind the gate its size is
bounded, its texts are safe to print, its findings are well-formed, and no key in it makes Ansible act.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible.module_utils.json_utils import _filter_non_json_lines

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import (
    SEVERITIES,
    Finding,
    errors,
    explain,
    worst_first,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._text import (
    bounded,
    bounded_line,
    shown,
    shown_lines,
    shown_value,
)

#: Characters. A module's answer normally has a few thousand.
LARGEST = 4 * 1024 * 1024
#: Far more than any real host has.
MOST_FINDINGS = 500
#: Keys by which any module makes Ansible set facts and statistics, or add hosts and groups.
#: Source: ansible-core, lib/ansible/plugins/strategy/__init__.py, _process_pending_results.
_ORDERS = frozenset({"add_group", "add_host", "ansible_facts", "ansible_stats", "results"})
_NOT_READ = "It was discarded. Check what runs as Ansible's user, or as root, on this host."


@dataclasses.dataclass(frozen=True)
class Answer:
    """A host's answer as Ansible may read it.

    :ivar stdout: the module's JSON; the host's output where there was no JSON.
    :ivar warnings: the output around the JSON.
    """

    stdout: str
    stderr: str
    warnings: tuple[str, ...] = ()


def gated(stdout: str, stderr: str) -> Answer:
    """Sanitize what a host answered."""
    said = shown_lines(bounded(stderr))
    if len(stdout) > LARGEST:
        size = f"{len(stdout) / 1024 / 1024:.0f} MB"
        return refused(f"The host answered with {size}, and the limit is {LARGEST // 1024 // 1024}. {_NOT_READ}")
    try:
        found, junk = _filter_non_json_lines(stdout, objects_only=True)
        answer = json.loads(found)
    except RecursionError:
        return refused(f"The host's answer is nested too deeply. {_NOT_READ}")
    except (
        ValueError
    ):  # Ansible reports that there is no JSON and prints the output; the "| " keeps it from finding JSON there
        lines = shown_lines(bounded(stdout)).split("\n")
        return Answer("\n".join(f"| {one}" if one.lstrip().startswith("{") else one for one in lines), said)
    return Answer(json.dumps(answer_of(answer)), said, tuple(shown(bounded_line(one)) for one in junk))


def refused(message: str) -> Answer:
    """The answer of a failed module, in place of one that was discarded."""
    return Answer(json.dumps({"failed": True, "changed": False, "msg": message}), "")


def answer_of(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The answer without keys that make Ansible act, its texts safe to print; errors among its findings set C(msg)."""
    wanted = {name: one for name, one in given.items() if name not in _ORDERS and not name.startswith("_")}
    answer: dict[str, t.Any] = shown_value(wanted)
    if "findings" in given:
        findings = findings_of(given["findings"])
        answer["findings"] = [one.as_dict() for one in findings]
        if errors(findings):
            answer["msg"] = explain(findings)
    return answer


def findings_of(given: t.Any) -> list[Finding]:
    """The well-formed findings in what a host returned as C(findings), worst first."""
    names = [field.name for field in dataclasses.fields(Finding)]
    found = []
    for one in given[:MOST_FINDINGS] if isinstance(given, list) else ():
        if isinstance(one, t.Mapping) and one.get("severity") in SEVERITIES:
            texts = {name: bounded_line(str(one.get(name) or "")) for name in names}
            found.append(Finding(**t.cast(t.Any, texts)).shown())
    return worst_first(found)
