# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base class of all action plugins. It guarantees four things for every step:

- The task's arguments hold no secret when something prints them: task banners (C(DISPLAY_ARGS_TO_STDOUT)), debug
  output, or another callback such as ansible-runner's. A secret option stays an untemplated expression until the step
  itself templates it.
- The result holds no secret, in whatever form a message quotes it.
- The host's facts cannot set the role's variables, and a module's answer cannot set facts.
- In the role (option C(chain)), a step reads the results of earlier steps from the record (C(_record)) and writes its
  own result there. When it fails, only its messages are shown. The rest of the failed result is in
  C(_ansible_evidence), which ansible-core neither prints nor registers but passes to a C(rescue) in
  C(ansible_failed_result).
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import AnsibleValidationErrorMultiple, UnsupportedError
from ansible.plugins.action import ActionBase

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import (
    Finding,
    FindingError,
    errors,
    explain,
    weigh,
    worst_first,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import MASK, forms, maskable, masked, without
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown, shown_value
from ansible_collections.fediops.mastodon.plugins.plugin_utils._core import Omitted, final
from ansible_collections.fediops.mastodon.plugins.plugin_utils._facts import set_by_facts
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry, Record
from ansible_collections.fediops.mastodon.plugins.plugin_utils._trouble import is_of_test, problems_of, together

Result = dict[str, t.Any]

#: The parts of the role (option C(chain)). In a collecting part every step runs, and C(smtp_summary) reports all
#: problems at the end; in a stopping part a step with problems fails at once.
COLLECTING = frozenset({"preflight", "check", "undo", "waiting"})
STOPPING = frozenset({"rollout", "rollback", "adopt"})
#: Part -> last line of the message when a step of it fails.
CLOSING = {"adopt": "Nothing has been written for this host."}
#: Keys of a result that Ansible itself needs.
_OF_ANSIBLE = frozenset({"changed", "warnings", "deprecations"})


class Step(ActionBase):
    """A step. A subclass defines C(perform) and names its secret options."""

    #: Options whose values are secret; hidden in the task's arguments and in the result.
    SECRETS: t.ClassVar[frozenset[str]] = frozenset()
    #: Options whose values may contain a secret (such as a token used as the login); hidden in the task's arguments.
    QUIET: t.ClassVar[frozenset[str]] = frozenset()

    #: The step's key in the record of the run.
    KEY: t.ClassVar[str] = ""
    #: In the role, the codes of the step's errors that the operator may accept (mastodon_smtp_accept): those after
    #: which it has done its whole work. Any warning can be accepted.
    ACCEPTABLE: t.ClassVar[frozenset[str]] = frozenset()

    #: In a stopping part, whether a failure of the step fails the host. What comes after the last proof does not.
    STOPS: t.ClassVar[bool] = True

    TRANSFERS_FILES = False
    _supports_async = False
    _supports_check_mode = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        #: The options as they are given, once the step runs.
        self._given: Result = {}
        #: The part of the role that the step belongs to; empty for a step used outside the role.
        self.part = ""
        #: What earlier steps recorded.
        self.known = Known({})
        #: What the step records for later steps in addition to its result.
        self.unshown: Result = {}
        self._host = ""
        self._forms: tuple[str, ...] = ()
        self._secrets: list[str] = []
        self._kept = {name: one for name, one in self._task.args.items() if name in self._hidden()}
        self._task.args = {name: MASK if name in self._kept else one for name, one in self._task.args.items()}

    @classmethod
    def secret_options(cls) -> frozenset[str]:
        """The names of the options whose values are secret."""
        return cls.SECRETS

    @classmethod
    def _hidden(cls) -> frozenset[str]:
        return cls.secret_options() | cls.QUIET

    @classmethod
    def finalize_task_arg(cls, name: str, value: t.Any, *others: t.Any) -> t.Any:
        """Stop ansible-core from templating the hidden options before the step begins.

        ansible-core keeps templated values in the task and prints them when the step cannot start.
        """
        return value if name in cls._hidden() else super().finalize_task_arg(name, value, *others)

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Do the step's work and return its result; secrets in it are masked later."""
        raise NotImplementedError

    def key(self, options: Result) -> str:  # noqa: ARG002
        """The step's key in the record of the run; it may depend on the options."""
        return self.KEY

    def linked(self, options: Result, task_vars: Result) -> Result | None:  # noqa: ARG002
        """In the role: the options completed with what earlier steps found; None when there is nothing to do."""
        return options

    def problems(self, result: Result) -> list[str]:
        """The problems in a failed result, one sentence each."""
        return problems_of(result)

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Perform the step, and hide the secrets in its result."""
        result: Result = super().run(tmp, task_vars)
        self.take_options()
        variables = task_vars or {}
        if self.part:
            result.update(self._run_linked(variables))
        else:
            result.update(self._refused(variables) or self._performed(self._worked_out(), variables))
        return result

    def take_options(self) -> None:
        """Take over the options of the task, as they are when it is first tried: they are masked afterwards.

        They are kept with the task, since each further try may make the step anew. Not taken when the step is made, as
        before ansible-core 2.19 the defaults of modules are filled in only after that.
        """
        given = vars(self._task).setdefault("_fediops_given", {**self._task.args, **self._kept})
        self._given = {name: one for name, one in given.items() if name != "chain"}
        self.part = str(given.get("chain") or "")

    def _run_linked(self, variables: Result) -> Result:
        """Run as a step of the role: start from the record, and leave the result there."""
        if self.part not in COLLECTING | STOPPING:
            raise AnsibleActionFail(f"chain must be one of {', '.join(sorted(COLLECTING | STOPPING))}.")
        self._host = str(variables.get("inventory_hostname") or "")
        record, key = Record(self._host), self.key(self._given)
        self._begin(record)
        self.known = Known(record.entries(), dry=bool(self._task.check_mode))
        task, uuid = str(getattr(self._task, "name", "") or ""), str(getattr(self._task, "_uuid", ""))
        record.leave(key, Entry(task, "running", uuid=uuid))
        try:
            done = self._refused(variables) or self._performed_linked(variables)
        except AnsibleConnectionFailure as lost:
            if not self.STOPS and self.part in STOPPING:  # the host was done before, and need not be left out
                done = {"changed": False, "failed": True, "msg": self._told(str(lost))}
                return self._left(record, key, task, uuid, done)
            record.leave(key, Entry(task, "unreachable", (self._told(str(lost)),), uuid=uuid))
            raise
        except Exception as broken:
            causes = [str(one) for one in (broken, broken.__cause__) if one]
            if not isinstance(broken, AnsibleError):
                causes[:0] = [f"{type(broken).__name__}:"]
            done = {"changed": False, "failed": True, "msg": self._told(" ".join(dict.fromkeys(causes)))}
        return self._left(record, key, task, uuid, done)

    def _left(self, record: Record, key: str, task: str, uuid: str, done: Result) -> Result:
        """Leave the result in the record, and return it as Ansible shows it."""
        outcome, problems = _outcome_of(done), self.problems(done) if done.get("failed") else []
        record.leave(key, Entry(task, outcome, tuple(problems), {**done, **self.unshown}, uuid))
        return self._ended(outcome, problems, done)

    def _begin(self, record: Record) -> None:
        """Prepare the record before the step runs."""

    def _performed_linked(self, variables: Result) -> Result:
        given = self._worked_out()
        self._hide(given)  # the task is printed even when the step is skipped
        options = self.linked(given, variables)
        if options is None:
            return {"changed": False, "skipped": True, "skip_reason": "There is nothing to do."}
        return self._weighed(self._performed(options, variables))

    def fail_on(self) -> str:
        """In the role: which findings fail the step, C(error), C(warning) or C(never)."""
        return "error"

    def _weighed(self, done: Result) -> Result:
        """The result with the severities that count; it is failed if an error is left.

        Any warning can be accepted. An error can be accepted only if the step has done its work in spite of it.
        """
        found = [Finding(**one) for one in done.get("findings") or ()]
        if not found or (done.get("failed") and not errors(found)):
            return done
        accepted = self.known.accepted
        weighed = worst_first(
            counts
            for one in found
            for counts in weigh(
                [one], accepted if one.severity == "warning" or one.code in self.ACCEPTABLE else (), self.fail_on()
            )
        )
        kept = {**done, "findings": [one.as_dict() for one in weighed]}
        if not self.ACCEPTABLE:
            return kept
        for name in ("failed", "msg"):
            kept.pop(name, None)
        return {**kept, "failed": True, "msg": explain(weighed)} if errors(weighed) else kept

    def _ended(self, outcome: str, problems: list[str], done: Result) -> Result:
        """The result as Ansible prints and registers it."""
        if outcome not in ("failed", "not_proved"):
            return done
        message = f"{together(problems)}\n{CLOSING.get(self.part, '')}".rstrip()
        if outcome == "not_proved" or self.part in COLLECTING or not self.STOPS:
            kept = {name: one for name, one in done.items() if name != "exception"}
            # Ansible shows the task as "ok", and a host that is lost after it has no summary.
            warnings = [*done.get("warnings", ()), *(f"{self._host}: {one}" for one in problems)]
            return {**kept, "failed": False, "msg": message, "warnings": warnings}
        shown_too = {name: one for name, one in done.items() if name in _OF_ANSIBLE or name.startswith("_ansible_")}
        evidence = {name: one for name, one in done.items() if name not in shown_too}
        return {"changed": False, **shown_too, "failed": True, "msg": message, "_ansible_evidence": evidence}

    def _refused(self, variables: Result) -> Result | None:
        """The failed result for a host whose facts set the role's variables; None for any other host."""
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
            # Without "from None", Ansible would also print the original exception and its causes.
            raise AnsibleActionFail(told) from None

    def _hide(self, options: Result) -> None:
        """Mask the values of the secret options, also where one was put into another option by mistake."""
        self.keep_secret(options[name] for name in self.secret_options() if name in options)
        self._task.args = without(self._task.args, self._secrets)

    def keep_secret(self, values: t.Iterable[t.Any]) -> None:
        """Mask these values in everything that the step outputs from now on."""
        self._forms = forms(values)
        self._secrets = maskable(self._forms)

    def _told(self, text: str) -> str:
        """A message from elsewhere, masked and safe to print."""
        return shown(masked(text, self._forms))

    def _facts_that_set(self, variables: Result) -> list[Finding]:
        if not constants.config.get_config_value("INJECT_FACTS_AS_VARS"):
            return []
        return set_by_facts(variables.get("ansible_facts"), str(variables.get("inventory_hostname") or "this host"))

    def _worked_out(self) -> Result:
        """The options, with the hidden ones templated here instead of by ansible-core."""
        options = {}
        for name, value in self._given.items():
            try:
                options[name] = final(self._templar, value) if name in self._hidden() else value
            except Omitted:
                continue
            except AnsibleError as undefined:
                # The same wording as ansible-core's for every other option.
                raise AnsibleError(f"Error while resolving value for {name!r}.", obj=value) from undefined
        return options


class ControllerStep(Step):
    """A step that runs on the controller, without a connection.

    ansible-core masks a module's C(no_log) options in the result, but not those of an action plugin. This class
    validates and masks the options itself, so that a step on the controller is as safe as one on the host.

    A subclass defines C(ARGUMENT_SPEC) (and C(SPEC_RULES): required_if and the like) and C(conclude_from).
    """

    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]] = {}
    SPEC_RULES: t.ClassVar[dict[str, t.Any]] = {}
    #: Return values that later steps use unchanged; they hold no outside text but what has passed the gate.
    EXACT: t.ClassVar[frozenset[str]] = frozenset()
    _requires_connection = False

    @classmethod
    def secret_options(cls) -> frozenset[str]:
        """The options in C(SECRETS) and those with C(no_log)."""
        return cls.SECRETS | {name for name, option in cls.ARGUMENT_SPEC.items() if option.get("no_log")}

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._blocking: list[str] = []

    def problems(self, result: Result) -> list[str]:
        """The findings that C(blocking) returned; without any, the problems in the result."""
        return self._blocking or super().problems(result)

    def _weighed(self, done: Result) -> Result:
        if self.ACCEPTABLE:
            self._blocking = []  # the weighed findings decide instead
        return super()._weighed(done)

    def conclude_from(self, options: Result, task_vars: Result) -> tuple[list[Finding], Result]:
        """Do the step's work and return its findings and the other return values."""
        raise NotImplementedError

    def blocking(self, findings: list[Finding], options: Result) -> list[Finding]:  # noqa: ARG002
        """The findings that make the step fail; a subclass may let its options decide."""
        return errors(findings)

    def unmasked(self, findings: list[Finding]) -> frozenset[str]:  # noqa: ARG002
        """The names of return values that masking must leave alone because they hold no secret."""
        return frozenset()

    def validated(self, options: Result) -> Result:
        """The options converted to their types.

        :raises AnsibleActionFail: everything that is wrong with the options, in one message without secrets.
        """
        try:
            validated = ArgumentSpecValidator(self.ARGUMENT_SPEC, **self.SPEC_RULES).validate(options)
        except (TypeError, ValueError):  # of a text in the place of a dictionary, before ansible-core 2.19
            message = "An option is a text where a dictionary or a list belongs, and cannot be read as one."
            raise AnsibleActionFail(message) from None
        # _no_log_values also has the secrets of suboptions and the converted values.
        given = [options[name] for name in self.secret_options() if name in options]
        self.keep_secret([*given, *validated._no_log_values])
        if validated.error_messages:
            raise AnsibleActionFail(self._told(_complaint(validated.errors)))
        made: Result = validated.validated_parameters
        return made

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Validate, run and mask; the result is failed when a finding is blocking."""
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
    """What is wrong with the options, in the wording that modules use."""
    return "; ".join(
        f"Unsupported parameters: {one.msg}" if isinstance(one, UnsupportedError) else str(one.msg)
        for one in problems.errors
    )
