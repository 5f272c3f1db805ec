# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of the steps that a module does on the host: what the host answers goes through the gate."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.utils.display import Display

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import ended
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import MASK, without
from ansible_collections.fediops.mastodon.plugins.module_utils._text import bounded, shown
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import STOPPING, Result, Step
from ansible_collections.fediops.mastodon.plugins.plugin_utils._answer import Answer, gated, refused

_UNREADABLE = "The host's answer is not a valid module result and was discarded."
#: What to do when a host does not answer, for the step that asks it first.
UNREACHED = (
    "Nothing has been changed on this host. Check ansible_host and ansible_user, and log in to it once by hand: SSH "
    "asks about a host that it does not know, and Ansible cannot answer."
)


class HostStep(Step):
    """A step whose module runs on the host. A subclass may do more on the controller, around C(ask).

    The answer of a job in the background would come by Ansible's own async_status, and so past the gate.
    """

    #: What is added when the host does not answer.
    UNREACHED: t.ClassVar[str] = ""

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Run the module. A subclass may do more."""
        return self.ask(task_vars, module_args=options)

    def ask(self, task_vars: Result | None, module_args: Result | None = None, **how: t.Any) -> Result:
        """The module's answer. What SSH or sudo said where the host cannot be reached is the host's word, too."""
        try:
            answer = self._execute_module(task_vars=task_vars, module_args=_Arguments(module_args or {}), **how)
        except AnsibleError as lost:
            told = shown(bounded(str(lost)).strip())
            advice = self.UNREACHED if isinstance(lost, AnsibleConnectionFailure) else ""
            if told == str(lost) and not advice:
                raise
            # What this kind of error puts before its message by itself.
            before = str(type(lost)("?")).partition("?")[0]
            told = told.removeprefix(before)
            raise type(lost)(f"{ended(told)} {advice}" if advice else told) from None
        done: Result = without(answer, self._secrets)
        return done

    def instance(self) -> Result | None:
        """In the role: the instance; None when there is none to work on.

        :raises AnsibleActionFail: the step that finds it was left out.
        """
        if self.known.instance is None and self.part in STOPPING:
            message = "The preflight of this host did not run. Run again without --start-at-task."
            raise AnsibleActionFail(message)
        return t.cast("Result | None", self.known.instance)

    def planned(self, options: Result, instance: t.Mapping[str, t.Any]) -> Result | None:
        """In the role: the options with the variables of the plan; None when there is no plan.

        :param options: C(secrets) has all that may be secret; those that the plan calls secret are used.
        """
        plan = self.known.plan
        if plan is None:
            return None
        secrets = {name: one for name, one in options.get("secrets", {}).items() if name in plan["secret_variables"]}
        written = {"set": plan["set"], "remove": plan["remove"], "secrets": secrets}
        return {"readers": instance["readers"], **options, **written}

    def hint(self, relay: str) -> str:
        """In the role: what to know about the logins of a relay's provider."""
        return str(((self.known.plan or {}).get(relay) or {}).get("hint") or "")

    def cleanup(self, force: bool = False) -> None:
        """Remove what Ansible has put on the host; with a secret in it, even where all is to be kept there."""
        folder = self._connection._shell.tmpdir
        if folder and self._forms and constants.DEFAULT_KEEP_REMOTE_FILES:
            name = self._task.action
            Display().warning(f"ANSIBLE_KEEP_REMOTE_FILES: the files of {name} are not kept, since they hold secrets.")
            self._remove_tmp_path(folder, force=True)
        super().cleanup(force=force)

    def _parse_returned_data(self, res: dict[str, t.Any], *profile: t.Any) -> t.Any:
        """Ansible's own reading, of what the gate leaves."""
        answer = gated(res.get("stdout") or "", res.get("stderr") or "")
        for one in answer.warnings:
            Display().warning(one)
        try:
            return self._read(res, answer, profile)
        except Exception:  # pylint: disable=broad-exception-caught
            # Of the forms in which Ansible passes warnings and errors on, one that is none.
            return self._read(res, refused(_UNREADABLE), profile)

    def _read(self, res: dict[str, t.Any], answer: Answer, profile: tuple[t.Any, ...]) -> t.Any:
        lines = {"stdout_lines": answer.stdout.splitlines(), "stderr_lines": answer.stderr.splitlines()}
        given = {**res, **lines, "stdout": answer.stdout, "stderr": answer.stderr}
        return super()._parse_returned_data(given, *profile)


class _Arguments(dict[str, t.Any]):
    """The arguments of a module, which nobody can print (C(ANSIBLE_DEBUG) does)."""

    def __repr__(self) -> str:
        return repr(dict.fromkeys(self, MASK))

    __str__ = __repr__
