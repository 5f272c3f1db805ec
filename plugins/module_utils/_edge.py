# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Common to all modules: read the hints about an instance, return findings, and turn errors into a failure.

All output of a module passes conclude() or guarded(), which make it safe to show (_text.shown) and mask secrets.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import json
import os
import sys
import traceback
import typing as t

# Ansible would hide the text of an ImportError, so this reports it as ansible-core's own modules do.
if sys.version_info < (3, 9):
    TOO_OLD = (
        f"The modules need Python 3.9 or newer on the host, and {sys.executable} is {sys.version.split()[0]}. Name "
        "another one with ansible_python_interpreter."
    )
    sys.stdout.write(json.dumps({"failed": True, "msg": TOO_OLD}) + "\n")
    raise SystemExit(1)

from ._compiled_once import install_where_sent

install_where_sent()  # before the other imports, which it makes cheaper

from ._findings.instance import TABLE
from ._findings.model import Finding, FindingError, errors, explain, worst_first
from ._lifeline import Ended, within
from ._masking import hidden_options, maskable, masked, without
from ._text import shown, shown_value

if t.TYPE_CHECKING:
    from ._instance.model import Hints

#: Seconds that a step may take in addition to what its options allow: finding the instance takes a dozen short queries
#: of systemd or Docker.
OWN_WORK = 120.0

#: Seconds (one day): the maximum for every option of a module.
_LONGEST = 86400

#: The option of every module; the action plugin handles it, see doc_fragments/chain.py.
CHAIN_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "chain": {"type": "str", "choices": ["preflight", "rollout", "undo", "rollback", "check", "adopt", "waiting"]}
}

#: What the action plugin hands on from earlier steps of the role; documented in doc_fragments/handed.py.
HANDED_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "handed": {
        "type": "dict",
        "options": {
            "services": {"type": "list", "elements": "str"},
            "mark": {"type": "str"},
            "prove": {"type": "list", "elements": "str", "choices": ["mailer", "services", "queue"]},
            "ticket": {"type": "str"},
            "repairing": {"type": "bool"},
            "digest_key": {"type": "str", "no_log": True},
            "accept": {"type": "list", "elements": "str"},
            "edited": {"type": "bool"},
            "queue": {
                "type": "dict",
                "options": {
                    "way": {"type": "str", "choices": ["form", "reset", "plain", "none", "nothing"], "required": True},
                    "to": {"type": "str", "default": ""},
                    "reason": {"type": "str", "default": ""},
                },
            },
        },
    }
}

#: The options of every module that has to find the instance first; documented in doc_fragments/instance.py.
INSTANCE_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **CHAIN_ARGUMENTS,
    **HANDED_ARGUMENTS,
    "deployment": {"type": "str", "choices": ["systemd", "compose"]},
    "app_dir": {"type": "path"},
    "user": {"type": "str"},
    "env_file": {"type": "path"},
    "services": {"type": "list", "elements": "str"},
    "project": {"type": "str"},
}


def hints_from(params: t.Mapping[str, t.Any]) -> Hints:
    """The hints in a module's parameters; an empty one counts as not given."""
    from ._instance.model import Hints

    return Hints(
        deployment=params["deployment"] or None,
        app_dir=params["app_dir"] or None,
        user=params["user"] or None,
        env_file=params["env_file"] or None,
        services=tuple(name for name in params["services"] or () if name),
        project=params.get("project") or None,
        **_seen(handed(params)),
    )


def handed(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What earlier steps of the role handed on; empty for a module that is used alone."""
    return {name: one for name, one in (params.get("handed") or {}).items() if one is not None}


def _seen(found: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The services that an earlier step found."""
    services, mark = found.get("services"), found.get("mark")
    if not isinstance(services, list) or not isinstance(mark, str):
        return {}
    return {"seen": tuple(map(str, services)), "mark": mark}


class ModuleLike(t.Protocol):
    """The parts of AnsibleModule that are used here, so that tests can use a stub."""

    def exit_json(self, **result: t.Any) -> t.NoReturn: ...

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn: ...


_Module = t.TypeVar("_Module", bound=ModuleLike)


def check_seconds(module: ModuleLike, params: t.Mapping[str, t.Any], least: float, *names: str) -> None:
    """Fail the module if one of these options is not a valid number of seconds.

    :param least: the smallest valid number.
    """
    for name in names:
        if not least <= params[name] <= _LONGEST:
            module.fail_json(msg=f"{name} must be between {least:g} and {_LONGEST} seconds, not {params[name]:g}.")


def guarded(module: _Module, body: t.Callable[[_Module], None], limit: float = 0.0, **nothing: t.Any) -> None:
    """Run a module. Exceptions end it with findings or one sentence, with secrets masked.

    An uncaught exception would not do: Ansible hides its text from a task with failed_when.

    :param limit: seconds that the module's options allow for its work; see _lifeline.
    :param nothing: the module's return values if it could not do its work (FindingError).
    """
    try:
        with within(limit + OWN_WORK):
            body(module)
    except Ended as ended:
        if ended.reason == "controller":
            raise SystemExit(1) from None  # the controller is gone, so nobody reads an answer
        message = (
            f"It did not finish within {ended.limit:.0f} s. It was stopped, along with the programs that it started."
        )
        conclude(module, [TABLE.finding("step-out-of-time", "this step", message)], changed=False)
    except FindingError as refusal:
        conclude(module, refusal.findings, changed=False, **nothing)
    except Exception as defect:  # pylint: disable=broad-exception-caught
        frame = traceback.extract_tb(defect.__traceback__)[-1]
        place = f"{os.path.basename(frame.filename)}, line {frame.lineno}"
        text = " ".join(masked(str(defect), _secrets_of(module)).split())
        what = f"{type(defect).__name__}: {text}" if text else type(defect).__name__
        module.fail_json(
            **_shown_options(module),
            msg=shown(
                f"Unexpected error in {place}: {what}. This is a bug in fediops.mastodon: please report this line and "
                "what you did."
            ),
        )


def conclude(module: ModuleLike, findings: t.Iterable[Finding], **evidence: t.Any) -> t.NoReturn:
    """End the module: failed if a finding is an error, with the same return values either way.

    :param evidence: the module's return values; C(findings) is added, worst first.
    """
    hidden = _secrets_of(module)
    options = _shown_options(module)
    if "diff" in evidence:  # lines of the file, not our own text
        for side in ("before", "after"):
            evidence["diff"][side] = masked(evidence["diff"][side], hidden)
    # After shown(), Ansible's own masking would no longer find the secrets.
    ranked = [Finding(**without(one.as_dict(), maskable(hidden))).shown() for one in worst_first(findings)]
    evidence = shown_value(without(evidence, maskable(hidden)))
    evidence["findings"] = [one.as_dict() for one in ranked]
    if errors(ranked):
        module.fail_json(msg=explain(ranked), **options, **evidence)
    module.exit_json(**options, **evidence)


def _secrets_of(module: ModuleLike) -> list[str]:
    """The values of its secret options, which Ansible collects."""
    return [str(one) for one in getattr(module, "no_log_values", ())]


def _shown_options(module: ModuleLike) -> dict[str, t.Any]:
    """The module's options for the result. With them, Ansible's own masking is off for short secrets, see _masking."""
    params, specification = getattr(module, "params", None), getattr(module, "argument_spec", None)
    known = getattr(module, "no_log_values", None)
    if params is None or specification is None or known is None:
        return {}
    known.intersection_update(maskable(known))
    return {"invocation": {"module_args": hidden_options(params, specification)}}
