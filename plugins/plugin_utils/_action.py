# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""The base of the steps that run on the controller.

ansible-core masks the C(no_log) options of a module in its result, but not those of an action plugin. This base
validates the options and masks, so that a step on the controller is as safe as one on a target.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import AnsibleValidationErrorMultiple, UnsupportedError
from ansible.plugins.action import ActionBase

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import (
    Finding,
    FindingError,
    errors,
    explain,
    worst_first,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import maskable, masked
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown, shown_value

#: Ansible's own mask.
MASK = "********"


class ControllerStep(ActionBase):
    """A step without a connection.

    A subclass gives C(ARGUMENT_SPEC) (and C(SPEC_RULES), the required_if and friends) and C(conclude_from).
    """

    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]] = {}
    SPEC_RULES: t.ClassVar[dict[str, t.Any]] = {}
    #: Return values that later steps take as they are; nothing in them is from outside but what went through the gate.
    EXACT: t.ClassVar[frozenset[str]] = frozenset()
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_async = False
    _supports_check_mode = True

    def conclude_from(
        self, options: dict[str, t.Any], task_vars: dict[str, t.Any]
    ) -> tuple[list[Finding], dict[str, t.Any]]:
        """The step itself: findings, and the other return values."""
        raise NotImplementedError

    def refusal(self, findings: list[Finding], options: dict[str, t.Any]) -> str:  # noqa: ARG002
        """The message with which the step fails; empty when it does not. Options of a subclass may decide."""
        return explain(findings) if errors(findings) else ""

    def unmasked(self, findings: list[Finding]) -> frozenset[str]:  # noqa: ARG002
        """The return values that masking must leave alone, because no secret is in them."""
        return frozenset()

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Validate, run, mask; the result fails when a finding is an error."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        validated = ArgumentSpecValidator(self.ARGUMENT_SPEC, **self.SPEC_RULES).validate(dict(self._task.args))
        secrets = validated._no_log_values
        if validated.error_messages:
            raise AnsibleActionFail(shown(masked(_complaint(validated.errors), secrets, MASK)))
        try:
            findings, evidence = self.conclude_from(validated.validated_parameters, task_vars or {})
        except FindingError as refused:
            findings, evidence = [refused.finding], {}
        except Exception as defect:
            told = shown(masked(f"{type(defect).__name__}: {defect}", secrets, MASK))
            if told == f"{type(defect).__name__}: {defect}":
                raise
            # Ansible would print the text of the exception and of its causes.
            raise AnsibleActionFail(told) from None
        unmasked = self.unmasked(worst_first(findings))
        long = maskable(secrets)
        ranked = [Finding(**remove_values(one.as_dict(), long)).shown() for one in worst_first(findings)]
        kept = {key: value if key in unmasked else remove_values(value, long) for key, value in evidence.items()}
        result.update({key: value if key in self.EXACT else shown_value(value) for key, value in kept.items()})
        result["findings"] = [one.as_dict() for one in ranked]
        refusal = self.refusal(ranked, validated.validated_parameters)
        if refusal:
            result.update(failed=True, msg=refusal)
        result.setdefault("changed", False)
        return result


def _complaint(problems: AnsibleValidationErrorMultiple) -> str:
    """What is wrong with the options, in the words that modules use."""
    return "; ".join(
        f"Unsupported parameters: {one.msg}" if isinstance(one, UnsupportedError) else str(one.msg)
        for one in problems.errors
    )
