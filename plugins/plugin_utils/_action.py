# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of every step's part on the controller: what holds for all of them, whatever they do.

- No secret is in the arguments of the task when anything shows them: task banners (C(DISPLAY_ARGS_TO_STDOUT)), debug
  output, and other callbacks, as that of ansible-runner. A secret option stays the template that it is in the playbook
  until the step itself works it out.
- No secret is in the result, in whatever form a message quotes it.
- Facts of the host set none of our variables, and the answer of a module brings none.
- In the role (the option C(chain)) it takes what it needs from the steps before it, leaves what it found for those
  after it (C(_record)), and fails with its sentences alone. The rest of a failing result is in
  C(_ansible_evidence), which ansible-core neither shows nor registers, and which C(ansible_failed_result) has in a
  C(rescue).
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError, AnsibleValueOmittedError
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
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import MASK, forms, maskable, masked, without
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown, shown_value
from ansible_collections.fediops.mastodon.plugins.plugin_utils._facts import set_by_facts
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry, Record
from ansible_collections.fediops.mastodon.plugins.plugin_utils._trouble import is_of_test, problems_of, together

Result = dict[str, t.Any]

#: The parts of the role (the option C(chain)). In those that only look, and in an undo, every step has its turn, and
#: C(smtp_summary) says all bad news at once; in the others a step with bad news fails.
COLLECTING = frozenset({"preflight", "check", "undo"})
STOPPING = frozenset({"rollout", "rollback", "adopt"})
#: What Ansible itself needs of a result.
_OF_ANSIBLE = frozenset({"changed", "warnings", "deprecations"})


class Step(ActionBase):
    """A step; a subclass gives C(perform), and which of its options are secret."""

    #: Options whose values are secret: neither the task's arguments nor the result show them.
    SECRETS: t.ClassVar[frozenset[str]] = frozenset()
    #: Options whose values may hold a secret (a login that is a token as well): the task's arguments do not show them.
    QUIET: t.ClassVar[frozenset[str]] = frozenset()

    #: What the step is called in the record of a run.
    KEY: t.ClassVar[str] = ""
    #: What it says last in the role when it fails.
    CLOSING: t.ClassVar[str] = ""

    TRANSFERS_FILES = False
    _supports_async = False
    _supports_check_mode = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        # A task that is tried again gets the same object and would find the mask.
        self._given = {name: one for name, one in self._task.args.items() if name != "chain"}
        #: The part of the role that the step belongs to; empty for a step that somebody uses by itself.
        self.part = str(self._task.args.get("chain") or "")
        #: What the steps before have left.
        self.known = Known({})
        #: What the step leaves for those after it beside its result.
        self.unshown: Result = {}
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

    def key(self, options: Result) -> str:  # noqa: ARG002
        """What the step is called in the record of a run; its options may decide."""
        return self.KEY

    def linked(self, options: Result, task_vars: Result) -> Result | None:  # noqa: ARG002
        """In the role: the options with what the steps before have found out; None when there is nothing to do."""
        return options

    def problems(self, result: Result) -> list[str]:
        """What is wrong, a sentence each."""
        return problems_of(result)

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Perform the step, and hide the secrets in its result."""
        result: Result = super().run(tmp, task_vars)
        variables = task_vars or {}
        if self.part:
            result.update(self._run_linked(variables))
        else:
            result.update(self._refused(variables) or self._performed(self._worked_out(), variables))
        return result

    def _run_linked(self, variables: Result) -> Result:
        """The same as a step of the role: it begins with what the record has, and leaves its own result there."""
        if self.part not in COLLECTING | STOPPING:
            raise AnsibleActionFail(f"chain must be one of {', '.join(sorted(COLLECTING | STOPPING))}.")
        record, key = Record(str(variables.get("inventory_hostname") or "")), self.key(self._given)
        self._begin(record)
        self.known = Known(record.entries(), dry=bool(self._task.check_mode))
        task, uuid = str(getattr(self._task, "name", "") or ""), str(getattr(self._task, "_uuid", ""))
        record.leave(key, Entry(task, "running", uuid=uuid))
        try:
            done = self._refused(variables) or self._performed_linked(variables)
        except AnsibleConnectionFailure as lost:
            record.leave(key, Entry(task, "unreachable", (self._told(str(lost)),), uuid=uuid))
            raise
        except Exception as broken:
            causes = [str(one) for one in (broken, broken.__cause__) if one]
            if not isinstance(broken, AnsibleError):
                causes[:0] = [f"{type(broken).__name__}:"]
            done = {"changed": False, "failed": True, "msg": self._told(" ".join(dict.fromkeys(causes)))}
        outcome, problems = _outcome_of(done), self.problems(done) if done.get("failed") else []
        record.leave(key, Entry(task, outcome, tuple(problems), {**done, **self.unshown}, uuid))
        return self._ended(outcome, problems, done)

    def _begin(self, record: Record) -> None:
        """What has to happen to the record before the step."""

    def _performed_linked(self, variables: Result) -> Result:
        given = self._worked_out()
        self._hide(given)  # the task is shown even when the step leaves itself out
        options = self.linked(given, variables)
        if options is None:
            return {"changed": False, "skipped": True, "skip_reason": "There is nothing to do."}
        return self._performed(options, variables)

    def _ended(self, outcome: str, problems: list[str], done: Result) -> Result:
        """The result as Ansible shows and registers it."""
        if outcome not in ("failed", "not_proved"):
            return done
        message = f"{together(problems)}\n{self.CLOSING}".rstrip()
        if outcome == "not_proved" or self.part in COLLECTING:
            kept = {name: one for name, one in done.items() if name != "exception"}
            return {**kept, "failed": False, "msg": message}
        shown_too = {name: one for name, one in done.items() if name in _OF_ANSIBLE or name.startswith("_ansible_")}
        evidence = {name: one for name, one in done.items() if name not in shown_too}
        return {"changed": False, **shown_too, "failed": True, "msg": message, "_ansible_evidence": evidence}

    def _refused(self, variables: Result) -> Result | None:
        """The result of a host that sets variables of ours; None for any other."""
        refused = self._facts_that_set(variables)
        if not refused:
            return None
        findings = [one.as_dict() for one in refused]
        return {"changed": False, "failed": True, "msg": explain(refused), "findings": findings}

    def _performed(self, options: Result, variables: Result) -> Result:
        self._hide(options)
        try:
            return self.perform(options, variables)
        except Exception as defect:
            text = f"{type(defect).__name__}: {defect}"
            told = self._told(text)
            if told == text:
                raise
            # Ansible would print the text of the exception and of its causes.
            raise AnsibleActionFail(told) from None

    def _hide(self, options: Result) -> None:
        """Hide the values of the secret options; in the task too, where one may stand for another by mistake."""
        self.keep_secret(options[name] for name in self.secret_options() if name in options)
        self._task.args = without(self._task.args, self._secrets)

    def keep_secret(self, values: t.Iterable[t.Any]) -> None:
        """Hide these values in all that the step says from now on."""
        self._forms = forms(values)
        self._secrets = maskable(self._forms)

    def _told(self, text: str) -> str:
        """A message of somebody else as it may be shown."""
        return shown(masked(text, self._forms))

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

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._blocking: list[str] = []

    def problems(self, result: Result) -> list[str]:
        """Those that the step itself has called blocking."""
        return self._blocking or super().problems(result)

    def conclude_from(self, options: Result, task_vars: Result) -> tuple[list[Finding], Result]:
        """The step itself: findings, and the other return values."""
        raise NotImplementedError

    def blocking(self, findings: list[Finding], options: Result) -> list[Finding]:  # noqa: ARG002
        """The findings with which the step fails. Options of a subclass may decide."""
        return errors(findings)

    def unmasked(self, findings: list[Finding]) -> frozenset[str]:  # noqa: ARG002
        """The return values that masking must leave alone, because no secret is in them."""
        return frozenset()

    def validated(self, options: Result) -> Result:
        """The options with their types; all that is wrong with them is one failure, which shows no secret."""
        validated = ArgumentSpecValidator(self.ARGUMENT_SPEC, **self.SPEC_RULES).validate(options)
        # Those of inner options as well, and what the types have made of them.
        given = [options[name] for name in self.secret_options() if name in options]
        self.keep_secret([*given, *validated._no_log_values])
        if validated.error_messages:
            raise AnsibleActionFail(self._told(_complaint(validated.errors)))
        made: Result = validated.validated_parameters
        return made

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Validate, run, mask; the result fails when a finding is an error."""
        validated = self.validated(options)
        try:
            findings, evidence = self.conclude_from(validated, task_vars)
        except FindingError as refused:
            findings, evidence = [refused.finding], {}
        unmasked = self.unmasked(worst_first(findings))
        ranked = [Finding(**without(one.as_dict(), self._secrets)).shown() for one in worst_first(findings)]
        kept = {key: value if key in unmasked else without(value, self._secrets) for key, value in evidence.items()}
        done = {key: value if key in self.EXACT else shown_value(value) for key, value in kept.items()}
        done["findings"] = [one.as_dict() for one in ranked]
        blocking = self.blocking(ranked, validated)
        if blocking:
            done.update(failed=True, msg=explain(dataclasses.replace(one, severity="error") for one in blocking))
            self._blocking = [one.sentence() for one in blocking]
        return {"changed": False, **done}


def _outcome_of(result: Result) -> str:
    if result.get("failed"):
        return "not_proved" if is_of_test(result) else "failed"
    return "skipped" if result.get("skipped") else "changed" if result.get("changed") else "ok"


def _complaint(problems: AnsibleValidationErrorMultiple) -> str:
    """What is wrong with the options, in the words that modules use."""
    return "; ".join(
        f"Unsupported parameters: {one.msg}" if isinstance(one, UnsupportedError) else str(one.msg)
        for one in problems.errors
    )
