# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base class of steps whose module runs on the host; the host's answer passes the gate (C(_answer))."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.utils.display import Display

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import ended
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import MASK, without
from ansible_collections.fediops.mastodon.plugins.module_utils._text import bounded, shown
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import STOPPING, Result, Step
from ansible_collections.fediops.mastodon.plugins.plugin_utils._answer import Answer, gated, refused
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import hint_of_host

_UNREADABLE = "The host's answer is not a valid module result and was discarded."
#: Advice for a host that does not answer, for the first step that connects to it.
UNREACHED = "Nothing has been changed on this host. Check ansible_host and ansible_user."
#: Advice for what Ansible or ssh says itself.
_ADVICE = (
    (re.compile(r"Host key verification failed"), "SSH does not know this host: log in to it once by hand."),
    (re.compile(r"Missing .{1,20} password"), "Run with --ask-become-pass, or set ansible_become_password in a vault."),
    (re.compile(r"Incorrect .{1,20} password"), "It must be the password of the user that Ansible logs in as."),
)


class HostStep(Step):
    """A step whose module runs on the host. A subclass may do more on the controller, around C(ask).

    Async is not supported: Ansible's async_status would fetch the answer and bypass the gate.
    """

    #: Advice added to the message when the host does not answer.
    UNREACHED: t.ClassVar[str] = ""

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Run the module. A subclass may do more."""
        return self.ask(task_vars, module_args=options)

    def ask(self, task_vars: Result | None, module_args: Result | None = None, **how: t.Any) -> Result:
        """Run the module and return its answer. The text of a connection error is untrusted too: the host sends it."""
        try:
            answer = self._execute_module(task_vars=task_vars, module_args=_Arguments(module_args or {}), **how)
        except AnsibleError as lost:
            told = shown(bounded(str(lost)).strip())
            advice = self.UNREACHED if isinstance(lost, AnsibleConnectionFailure) else ""
            advice = " ".join([*filter(None, [advice]), *(more for said, more in _ADVICE if said.search(told))])
            if told == str(lost) and not advice:
                raise
            # The prefix that this exception class adds to its message.
            before = str(type(lost)("?")).partition("?")[0]
            told = told.removeprefix(before)
            raise type(lost)(f"{ended(told)} {advice}" if advice else told) from None
        done: Result = without(answer, self._secrets)
        return done

    def instance(self) -> Result | None:
        """In the role: the instance; None when there is none to work on.

        :raises AnsibleActionFail: a stopping part needs the instance, and the step that finds it did not run.
        """
        if self.known.instance is None and self.part in STOPPING:
            message = "The preflight of this host did not run. Run again without --start-at-task."
            raise AnsibleActionFail(message)
        return t.cast("Result | None", self.known.instance)

    def planned(self, options: Result, instance: t.Mapping[str, t.Any]) -> Result | None:
        """In the role: the options with the planned variables; None when there is no plan.

        :param options: C(secrets) has every variable that may be secret; only those the plan names are used.
        """
        plan = self.known.plan
        if plan is None:
            return None
        secrets = {name: one for name, one in options.get("secrets", {}).items() if name in plan["secret_variables"]}
        written = {"set": plan["set"], "remove": plan["remove"], "secrets": secrets}
        return {"readers": instance["readers"], **options, **written}

    def hint(self, relay: str) -> str:
        """In the role: the hint about logins at the relay's provider, which its host may tell; empty without one."""
        planned = (self.known.plan or {}).get(relay) or {}
        return str(planned.get("hint") or hint_of_host(str(planned.get("host") or "")))

    def cleanup(self, force: bool = False) -> None:
        """Remove Ansible's temporary files on the host, even with ANSIBLE_KEEP_REMOTE_FILES if they hold a secret."""
        folder = self._connection._shell.tmpdir
        if folder and self._forms and constants.DEFAULT_KEEP_REMOTE_FILES:
            name = self._task.action
            Display().warning(f"ANSIBLE_KEEP_REMOTE_FILES: the files of {name} are not kept, since they hold secrets.")
            self._remove_tmp_path(folder, force=True)
        super().cleanup(force=force)

    def _parse_returned_data(self, res: dict[str, t.Any], *profile: t.Any) -> t.Any:
        """Let Ansible parse the answer after it has passed the gate."""
        answer = gated(res.get("stdout") or "", res.get("stderr") or "")
        for one in answer.warnings:
            Display().warning(one)
        try:
            return self._read(res, answer, profile)
        except Exception:  # pylint: disable=broad-exception-caught
            # A malformed serialized warning or error, which Ansible fails to deserialize.
            return self._read(res, refused(_UNREADABLE), profile)

    def _read(self, res: dict[str, t.Any], answer: Answer, profile: tuple[t.Any, ...]) -> t.Any:
        lines = {"stdout_lines": answer.stdout.splitlines(), "stderr_lines": answer.stderr.splitlines()}
        given = {**res, **lines, "stdout": answer.stdout, "stderr": answer.stderr}
        return super()._parse_returned_data(given, *profile)


class _Arguments(dict[str, t.Any]):
    """A module's arguments, whose values are masked when printed (C(ANSIBLE_DEBUG) prints them)."""

    def __repr__(self) -> str:
        return repr(dict.fromkeys(self, MASK))

    __str__ = __repr__
