# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables -> what is wrong with them. Documented in the module of the same name."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.redact import one_line
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.settings import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import PASSWORDS
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import without
from ansible_collections.fediops.mastodon.plugins.module_utils._waiting.retry import FASTEST
from ansible_collections.fediops.mastodon.plugins.plugin_utils._accepted import unknown_codes
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import ControllerStep, Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._core import Omitted, worked_out
from ansible_collections.fediops.mastodon.plugins.plugin_utils._names import (
    OF_PLAYBOOKS,
    PREFIX,
    options,
    ours,
    unknown,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Record
from ansible_collections.fediops.mastodon.plugins.plugin_utils._trouble import unworkable

#: The variables that hold a secret; some providers use one token as both login and password.
_SECRET = tuple(PREFIX + name for name in (*PASSWORDS, "login"))
#: The variable whose entries have passwords.
_BOXES = PREFIX + "arrival_mailboxes"
#: "argument 'mastodon_smtp_port' is of type str and we were unable to convert to int: ..."
_ARGUMENT = re.compile(r"^argument '(\w+)'")
#: The variables that name somebody who gets test mail, and the form of one address.
_MAILED = ("test_account", "test_recipient")
_ADDRESS = re.compile(r"[^@\s<>,;]{1,256}@[^@\s<>,;]{1,256}")
_NAME = re.compile(rf"\b{PREFIX}\w+")

options()  # loaded here, once, instead of in the process of each host's task


class ActionModule(ControllerStep):
    """The step C(smtp_variables)."""

    KEY: t.ClassVar[str] = "variables"

    def _begin(self, record: Record) -> None:
        """Clear the record: this is the first step of every part of the role that does not continue another one."""
        record.begin()

    def conclude_from(self, options: Result, task_vars: Result) -> tuple[list[Finding], Result]:  # noqa: ARG002
        """Template each variable and check its type; look for misspelt names.

        Template errors become findings here: ansible-core would print the surrounding lines of the inventory, one of
        which may hold the password.
        """
        values, findings = self._values(task_vars)
        boxes = values.get(_BOXES)
        passwords = [one.get("password") for one in boxes if isinstance(one, dict)] if isinstance(boxes, list) else []
        self.keep_secret([*(values[name] for name in _SECRET if name in values), *passwords])
        typed, wrong = _typed(values)
        if self.part != "rollback":  # which must not fail because of a name
            wrong += _misspelt(task_vars, typed.get(PREFIX + "accept"))
        public = {
            name[len(PREFIX) :]: one for name, one in typed.items() if name not in (*_SECRET, _BOXES, PREFIX + "bulk")
        }
        of_playbooks = {name: values[PREFIX + name] for name in OF_PLAYBOOKS if PREFIX + name in values}
        self.unshown = {"variables": without({**public, **of_playbooks}, self._secrets)}
        return [*findings, *wrong, *_no_addresses(public), *_no_rate(public)], {}

    def _values(self, task_vars: Result) -> tuple[Result, list[Finding]]:
        values, findings = {}, []
        for name in (*options(), *(PREFIX + short for short in OF_PLAYBOOKS)):
            try:
                if name in task_vars:
                    values[name] = worked_out(self._templar, task_vars[name])
            except Omitted:
                continue
            except AnsibleError as error:
                findings.append(_unworkable(name, str(error)))
        return values, findings


def _misspelt(variables: t.Iterable[str], accept: t.Any) -> list[Finding]:
    """Findings about unknown variables with the role's prefix, and about unknown codes in mastodon_smtp_accept."""
    accepted = [str(one) for one in accept] if isinstance(accept, list) else []
    return [*TABLE.accept(unknown(ours(variables)), accepted), *unknown_codes(accepted)]


def _unworkable(name: str, said: str) -> Finding:
    what, fix = unworkable(said)
    message = f"{name} {what}." if what else f"{name} cannot be evaluated: {one_line(said)}"
    return TABLE.finding("setting-unworkable", name, message, fix)


def _no_addresses(variables: Result) -> list[Finding]:
    """Findings about those who are to get test mail: a mistake here would only show after the edit."""
    wrong = [name for name in _MAILED if variables.get(name) and not _ADDRESS.fullmatch(variables[name])]
    message = "It is not a mail address."
    return [TABLE.finding("test-address-invalid", PREFIX + name, message) for name in wrong]


def _no_rate(variables: Result) -> list[Finding]:
    """The finding about a rate of which Sidekiq would only hear once the settings are changed and proved."""
    rate = variables.get("retry_rate")
    if not isinstance(rate, int) or 1 <= rate <= FASTEST:
        return []
    message = f"{rate} mails a minute is not between 1 and {FASTEST}."
    return [TABLE.finding("retry-rate-invalid", PREFIX + "retry_rate", message)]


def _typed(values: Result) -> tuple[Result, list[Finding]]:
    """The role's variables converted to their types, and findings about those that cannot be converted."""
    validated = ArgumentSpecValidator(options()).validate({name: values[name] for name in values if name in options()})
    findings = []
    for error in validated.error_messages:
        name = _NAME.search(error)
        findings.append(TABLE.finding("setting-type", name[0] if name else "variables", _ARGUMENT.sub(r"\1", error)))
    return validated.validated_parameters, findings
