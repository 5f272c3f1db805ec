# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate on the controller: what a host answers becomes what Ansible reads of it.

A hostile host does not run our modules, so nothing of an answer is taken as they would have written it. It has a
bounded size, its texts are safe to show, its findings have the form of findings, and it holds nothing by which an
answer tells Ansible what to do.
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

#: Characters. A module's answer has some thousand.
LARGEST = 4 * 1024 * 1024
#: No host has more to say.
MOST_FINDINGS = 500
#: What makes Ansible set facts and statistics, and add hosts and groups, whichever module returns it
#: (ansible-core: lib/ansible/plugins/strategy/__init__.py, _process_pending_results).
_ORDERS = frozenset({"add_group", "add_host", "ansible_facts", "ansible_stats", "results"})
_NOT_READ = "It was discarded. Check what runs as Ansible's user, or as root, on this host."


@dataclasses.dataclass(frozen=True)
class Answer:
    """What Ansible is to read.

    :ivar stdout: JSON; or, where there was none, what was said instead.
    :ivar warnings: what stood around the JSON.
    """

    stdout: str
    stderr: str
    warnings: tuple[str, ...] = ()


def gated(stdout: str, stderr: str) -> Answer:
    """What a host answered, as Ansible may read it."""
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
    ):  # Ansible says that there is none, with the output beside it, in which it must not find one either
        lines = shown_lines(bounded(stdout)).split("\n")
        return Answer("\n".join(f"| {one}" if one.lstrip().startswith("{") else one for one in lines), said)
    return Answer(json.dumps(answer_of(answer)), said, tuple(shown(bounded_line(one)) for one in junk))


def refused(message: str) -> Answer:
    """An answer that is not taken, as a module would fail."""
    return Answer(json.dumps({"failed": True, "changed": False, "msg": message}), "")


def answer_of(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """An answer without orders to Ansible, each text shown; its message is that of its findings."""
    wanted = {name: one for name, one in given.items() if name not in _ORDERS and not name.startswith("_")}
    answer: dict[str, t.Any] = shown_value(wanted)
    if "findings" in given:
        findings = findings_of(given["findings"])
        answer["findings"] = [one.as_dict() for one in findings]
        if errors(findings):
            answer["msg"] = explain(findings)
    return answer


def findings_of(given: t.Any) -> list[Finding]:
    """The findings among whatever a host calls its findings, worst first."""
    names = [field.name for field in dataclasses.fields(Finding)]
    found = []
    for one in given[:MOST_FINDINGS] if isinstance(given, list) else ():
        if isinstance(one, t.Mapping) and one.get("severity") in SEVERITIES:
            texts = {name: bounded_line(str(one.get(name) or "")) for name in names}
            found.append(Finding(**t.cast(t.Any, texts)).shown())
    return worst_first(found)
