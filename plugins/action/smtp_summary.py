# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of a host recorded -> how the host ended. Documented in the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fediops.mastodon.plugins.plugin_utils import _conclusion, _gate
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import ControllerStep, Result

_OF: dict[str, t.Callable[..., Result]] = {
    "preflight": _conclusion.preflight,
    "rollout": _conclusion.rollout,
    "undo": _conclusion.rollout,
    "rollback": _conclusion.rollback,
    "check": _conclusion.check,
    "waiting": _conclusion.waiting,
}


class ActionModule(ControllerStep):
    """The step C(smtp_summary)."""

    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]] = {
        "fleet": {"type": "bool", "default": False},
        "show": {"type": "bool", "default": False},
        "failed_task": {"type": "str", "default": ""},
        "failed_message": {"type": "str", "default": ""},
    }

    def key(self, options: Result) -> str:
        """Preflight and drift check have their own keys: smtp_fleet reads only C(result)."""
        return "shown" if options.get("show") else self._summed_up

    @property
    def _summed_up(self) -> str:
        return {"preflight": "preflight", "check": "drift"}.get(self.part, "result")

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Summarize, or show what was summarized; without C(show), only a preflight fails the step."""
        if self.part not in _OF:
            raise AnsibleActionFail(f"chain must be one of {', '.join(sorted(_OF))}.")
        given = self.validated(options)
        if given["show"]:
            return _conclusion.shown(self.known.result(self._summed_up))
        task = given["failed_task"]
        broken = _conclusion.unforeseen(task, given["failed_message"]) if task else None
        summed_up = _OF[self.part](self.known, broken, lambda: self._others(task_vars) if given["fleet"] else "")
        ready = self._grouped(task_vars) if self.part == "preflight" and given["fleet"] and not summed_up else {}
        return {"changed": False, **ready, **summed_up}

    def _grouped(self, task_vars: Result) -> Result:
        """Put a host that passed into the group from which the rollout makes its batches, as group_by does it."""
        task = self._task.copy()
        task.args = {"key": _gate.READY}
        grouping = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.group_by",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return t.cast(Result, grouping.run(task_vars=task_vars))

    def _others(self, task_vars: Result) -> str:
        """What this host, which failed, says about the others of the rollout."""
        hosts, passed, batch = _gate.hosts_of(task_vars)
        seen = _gate.seen_of(hosts)
        if self.part != "preflight":
            return _gate.rollout_standing(seen, hosts, batch)
        strict = boolean(self.known.setting("require_all"), strict=False)
        return _gate.preflight_standing(seen, str(task_vars["inventory_hostname"]), hosts, passed, strict=strict)

    def _refused(self, variables: Result) -> Result | None:  # noqa: ARG002
        return None  # smtp_variables has already reported it

    def problems(self, result: Result) -> list[str]:
        """The message is already worded for the operator."""
        return [str(result["msg"])]

    def _ended(self, outcome: str, problems: list[str], done: Result) -> Result:  # noqa: ARG002
        """A failure, and a result that is shown, is its message alone; the record has the rest."""
        alone = ("changed", "failed", "msg", "_ansible_verbose_always")
        return {name: done[name] for name in alone if name in done} if "msg" in done else done
