# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""The base of the steps that a module does on the host: what the host answers goes through the gate."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.fediops.mastodon.plugins.module_utils._text import bounded, shown
from ansible_collections.fediops.mastodon.plugins.plugin_utils._answer import Answer, gated, refused

_UNREADABLE = "The host's answer has not the form that Ansible's modules give it, and was not read."


class HostStep(ActionBase):
    """A step whose module runs on the host. A subclass may do more on the controller, around C(ask)."""

    TRANSFERS_FILES = False
    # The answer of a job in the background comes by Ansible's own async_status, and so past the gate.
    _supports_async = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module with the task's options."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        result.update(self.ask(task_vars))
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def ask(self, task_vars: dict[str, t.Any] | None, **how: t.Any) -> dict[str, t.Any]:
        """The module's answer. What SSH or sudo said where the host cannot be reached is the host's word, too."""
        try:
            answer: dict[str, t.Any] = self._execute_module(task_vars=task_vars, **how)
        except AnsibleError as lost:
            told = shown(bounded(str(lost)).strip())
            if told == str(lost):
                raise
            # What this kind of error puts before its message by itself.
            before = str(type(lost)("?")).partition("?")[0]
            raise type(lost)(told.removeprefix(before)) from None
        return answer

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
