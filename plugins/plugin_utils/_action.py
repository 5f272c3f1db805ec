# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""The base of every step's part on the controller: what holds for all of them, whatever they do.

- No secret is in the arguments of the task when anything shows them: task banners (C(DISPLAY_ARGS_TO_STDOUT)), debug
  output, and other callbacks, as that of ansible-runner. A secret option stays the template that it is in the playbook
  until the step itself works it out.
- No secret is in the result, in whatever form a message quotes it.
- Facts of the host set none of our variables, and the answer of a module brings none.
"""

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleValueOmittedError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import AnsibleValidationErrorMultiple, UnsupportedError
from ansible.plugins.action import ActionBase

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import (
    Finding,
    FindingError,
    errors,
    explain,
    worst_first,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import maskable
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import masked as masked_text
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown, shown_value
from ansible_collections.fediops.mastodon.plugins.plugin_utils._facts import set_by_facts
from ansible_collections.fediops.mastodon.plugins.plugin_utils._mask import MASK, forms, masked

Result = dict[str, t.Any]


class Step(ActionBase):
    """A step; a subclass gives C(perform), and which of its options are secret."""

    #: Options whose values are secret: neither the task's arguments nor the result show them.
    SECRETS: t.ClassVar[frozenset[str]] = frozenset()
    #: Options whose values may hold a secret (a login that is a token as well): the task's arguments do not show them.
    QUIET: t.ClassVar[frozenset[str]] = frozenset()

    TRANSFERS_FILES = False
    _supports_async = False
    _supports_check_mode = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        # A task that is tried again gets the same object and would find the mask.
        self._given = dict(self._task.args)
        self._forms: tuple[str, ...] = ()
        self._secrets: list[str] = []
        self._task.args = {name: MASK if name in self._hidden() else one for name, one in self._given.items()}

    @classmethod
    def secret_options(cls) -> frozenset[str]:
        """The names of the options whose values are secret."""
        return cls.SECRETS

    @classmethod
    def _hidden(cls) -> frozenset[str]:
        return cls.secret_options() | cls.QUIET

    @classmethod
    def finalize_task_arg(cls, name: str, value: t.Any, *others: t.Any) -> t.Any:
        """How ansible-core works out an option before the step begins: not at all where it may be secret.

        It keeps what it has worked out in the task, and shows it when the step cannot even begin.
        """
        return value if name in cls._hidden() else super().finalize_task_arg(name, value, *others)

    def perform(self, options: Result, task_vars: Result) -> Result:
        """The step itself: its result, in which secrets will be hidden."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Perform the step, and hide the secrets in its result."""
        result: Result = super().run(tmp, task_vars)
        variables = task_vars or {}
        refused = self._facts_that_set(variables)
        if refused:
            result.update(failed=True, msg=explain(refused), findings=[one.as_dict() for one in refused])
            return result
        options = self._worked_out()
        self.keep_secret(options[name] for name in self.secret_options() if name in options)
        # A secret that was given for another option by mistake.
        self._task.args = masked(self._task.args, self._secrets)
        try:
            result.update(self.perform(options, variables))
        except Exception as defect:
            text = f"{type(defect).__name__}: {defect}"
            told = self._told(text)
            if told == text:
                raise
            # Ansible would print the text of the exception and of its causes.
            raise AnsibleActionFail(told) from None
        return result

    def keep_secret(self, values: t.Iterable[t.Any]) -> None:
        """Hide these values in all that the step says from now on."""
        self._forms = forms(values)
        self._secrets = maskable(self._forms)

    def _told(self, text: str) -> str:
        """A message of somebody else as it may be shown."""
        return shown(masked_text(text, self._forms, MASK))

    def _facts_that_set(self, variables: Result) -> list[Finding]:
        if not constants.config.get_config_value("INJECT_FACTS_AS_VARS"):
            return []
        return set_by_facts(variables.get("ansible_facts"), str(variables.get("inventory_hostname") or "this host"))

    def _worked_out(self) -> Result:
        """The options, with those that ansible-core was kept from working out."""
        options = {}
        for name, value in self._given.items():
            try:
                options[name] = self._templar.template(value) if name in self._hidden() else value
            except AnsibleValueOmittedError:
                continue
            except AnsibleError as undefined:
                # As ansible-core says it of every other option.
                raise AnsibleError(f"Error while resolving value for {name!r}.", obj=value) from undefined
        return options


class ControllerStep(Step):
    """A step without a connection.

    ansible-core masks the C(no_log) options of a module in its result, but not those of an action plugin. This base
    validates the options and masks, so that a step on the controller is as safe as one on a target.

    A subclass gives C(ARGUMENT_SPEC) (and C(SPEC_RULES), the required_if and friends) and C(conclude_from).
    """

    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]] = {}
    SPEC_RULES: t.ClassVar[dict[str, t.Any]] = {}
    #: Return values that later steps take as they are; nothing in them is from outside but what went through the gate.
    EXACT: t.ClassVar[frozenset[str]] = frozenset()
    _requires_connection = False

    @classmethod
    def secret_options(cls) -> frozenset[str]:
        """Those with C(no_log)."""
        return cls.SECRETS | {name for name, option in cls.ARGUMENT_SPEC.items() if option.get("no_log")}

    def conclude_from(self, options: Result, task_vars: Result) -> tuple[list[Finding], Result]:
        """The step itself: findings, and the other return values."""
        raise NotImplementedError

    def refusal(self, findings: list[Finding], options: Result) -> str:  # noqa: ARG002
        """The message with which the step fails; empty when it does not. Options of a subclass may decide."""
        return explain(findings) if errors(findings) else ""

    def unmasked(self, findings: list[Finding]) -> frozenset[str]:  # noqa: ARG002
        """The return values that masking must leave alone, because no secret is in them."""
        return frozenset()

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Validate, run, mask; the result fails when a finding is an error."""
        validated = ArgumentSpecValidator(self.ARGUMENT_SPEC, **self.SPEC_RULES).validate(options)
        # Those of inner options as well, and what the types have made of them.
        given = [options[name] for name in self.secret_options() if name in options]
        self.keep_secret([*given, *validated._no_log_values])
        if validated.error_messages:
            raise AnsibleActionFail(self._told(_complaint(validated.errors)))
        try:
            findings, evidence = self.conclude_from(validated.validated_parameters, task_vars)
        except FindingError as refused:
            findings, evidence = [refused.finding], {}
        unmasked = self.unmasked(worst_first(findings))
        ranked = [Finding(**masked(one.as_dict(), self._secrets)).shown() for one in worst_first(findings)]
        kept = {key: value if key in unmasked else masked(value, self._secrets) for key, value in evidence.items()}
        done = {key: value if key in self.EXACT else shown_value(value) for key, value in kept.items()}
        done["findings"] = [one.as_dict() for one in ranked]
        refusal = self.refusal(ranked, validated.validated_parameters)
        if refusal:
            done.update(failed=True, msg=refusal)
        return {"changed": False, **done}


def _complaint(problems: AnsibleValidationErrorMultiple) -> str:
    """What is wrong with the options, in the words that modules use."""
    return "; ".join(
        f"Unsupported parameters: {one.msg}" if isinstance(one, UnsupportedError) else str(one.msg)
        for one in problems.errors
    )
