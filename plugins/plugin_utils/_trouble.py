# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""What went wrong in the steps of a host, for one task to say it.

A step that fails by itself would be shown with its whole result. So the role lets each step end (failed_when: false),
looks at what was registered, and fails with the sentences alone.
"""

from __future__ import annotations

import re
import typing as t

#: What explain() puts before several problems.
_SEVERAL = re.compile(r"\d+ problems:")


def trouble(steps: t.Sequence[tuple[str, t.Mapping[str, t.Any]]]) -> dict[str, t.Any]:
    """C(step), C(message) and C(findings) of the steps that went wrong; empty when all went well.

    :param steps: what each step is called, and what it was registered as; an empty mapping for one that did not run.
    :return: C(step) is the first of them; C(message) has the problems of all, each once.
    """
    bad = [(name, result) for name, result in steps if went_wrong(result)]
    if not bad:
        return {}
    problems = list(dict.fromkeys(one for _name, result in bad for one in _problems(str(result["msg"]))))
    message = problems[0]
    if len(problems) > 1:
        message = f"{len(problems)} problems:\n" + "\n".join(f"- {one}" for one in problems)
    findings = [one for _name, result in bad for one in result.get("findings") or ()]
    return {"step": bad[0][0], "message": message, "findings": findings}


def went_wrong(result: t.Mapping[str, t.Any]) -> bool:
    """Whether a step refused to go on: only then it has a message. One that was left out has none either."""
    return bool(result.get("msg")) and not result.get("skipped")


def _problems(message: str) -> list[str]:
    head, *rest = message.strip().split("\n- ")
    return rest if rest and _SEVERAL.fullmatch(head) else [message.strip()]
