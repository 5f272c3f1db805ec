# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of a host recorded -> how the host ended. Documented in the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleValueOmittedError

from ansible_collections.fediops.mastodon.plugins.plugin_utils import _conclusion
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import ControllerStep, Result

_OF: dict[str, t.Callable[..., Result]] = {
    "preflight": _conclusion.preflight,
    "rollout": _conclusion.rollout,
    "undo": _conclusion.rollout,
    "rollback": _conclusion.rollback,
    "check": _conclusion.check,
}


class ActionModule(ControllerStep):
    """The step C(smtp_summary)."""

    # Templated only when needed, because it reads the results of all other hosts.
    QUIET: t.ClassVar[frozenset[str]] = frozenset({"others"})
    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]] = {
        "failed_task": {"type": "str", "default": ""},
        "failed_message": {"type": "str", "default": ""},
    }

    def key(self, options: Result) -> str:  # noqa: ARG002
        """Preflight and drift check have their own keys: the checks between the plays read only C(result)."""
        return {"preflight": "preflight", "check": "drift"}.get(self.part, "result")

    def perform(self, options: Result, task_vars: Result) -> Result:  # noqa: ARG002
        """Summarize; the step fails only if the preflight did not pass."""
        if self.part not in _OF:
            raise AnsibleActionFail(f"chain must be one of {', '.join(sorted(_OF))}.")
        given = self.validated(options)
        task = given["failed_task"]
        broken = _conclusion.unforeseen(task, given["failed_message"]) if task else None
        summed_up = _OF[self.part](self.known, broken, self._others)
        return {"changed": False, **summed_up}

    def _worked_out(self) -> Result:
        options, self._given = self._given, {name: one for name, one in self._given.items() if name != "others"}
        try:
            return super()._worked_out()
        finally:
            self._given = options

    def _others(self) -> str:
        try:
            return str(self._templar.template(self._given.get("others") or ""))
        except AnsibleValueOmittedError:
            return ""

    def _refused(self, variables: Result) -> Result | None:  # noqa: ARG002
        return None  # smtp_variables has already reported it

    def problems(self, result: Result) -> list[str]:
        """The message is already worded for the operator."""
        return [str(result["msg"])]

    def _ended(self, outcome: str, problems: list[str], done: Result) -> Result:
        return done if outcome != "failed" else {"changed": False, "failed": True, "msg": problems[0]}
