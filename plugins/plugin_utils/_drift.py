# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict of the drift check: does this instance match the inventory?"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.drift import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import (
    SEVERITIES,
    Finding,
    errors,
    explain,
    worst_first,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.compare import shown
from ansible_collections.fediops.mastodon.plugins.plugin_utils._headline import of_check
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import IN_THE_WAY, NOT_RUNNING
from ansible_collections.fediops.mastodon.plugins.plugin_utils._services import on_older_settings
from ansible_collections.fediops.mastodon.plugins.plugin_utils._trouble import said, went_wrong

#: The steps, in the order in which their findings are collected.
STEPS = ("variables", "instance", "settings", "relay", "relay_bulk", "dns", "edit", "mailer", "services", "arrival")
#: Findings of mailer_check that can merely be a consequence of drift in the file.
_OF_THE_FILE = frozenset({"effective-differs", "password-misread", "login-misread"})

#: Warnings before a rollout that are errors in a drift check: an edit without its proof, a service that is not up.
_ERRORS_HERE = {("edit-unproved", "info"), *((code, "warning") for code in ("service-failing-before", *NOT_RUNNING))}

#: Variables that together decide how a connection is encrypted: a change to one affects the settings of the others.
_ENCRYPTION = re.compile(r"((?:BULK_)?SMTP_)(?:TLS|SSL|ENABLE_STARTTLS|ENABLE_STARTTLS_AUTO)")

#: What env_file would do to a variable -> the state that the variable is in now.
DRIFT_WORDS = {"added": "missing", "changed": "other value", "removed": "not wanted", "requoted": "read differently"}


def drift(steps: t.Mapping[str, t.Any], fail_on: str = "error", pending: Finding | None = None) -> dict[str, t.Any]:
    """The verdict: the headline, C(in_order), C(findings) (all, worst first), C(blocking), and C(message) about these.

    :param steps: the results of the steps, by the names in C(STEPS); steps that did not run may be missing. C(cause)
        is the message of a task that failed outside a step, if one did.
    :param fail_on: the lowest severity that blocks, or C(never).
    :param pending: what to say of a pending edit instead of C(edit-unproved).
    """
    results = {name: steps.get(name) or {} for name in STEPS}
    findings = [*_about_file(results), *_about_services(results["instance"])]
    for name, result in results.items():
        findings += _of_step(name, result, results)
    if steps.get("cause") and not errors(findings):
        findings.append(TABLE.finding("check-incomplete", "preflight", " ".join(str(steps["cause"]).split())))
    findings = _without_consequences(findings, results)
    ranked = worst_first(pending if pending and one.code == "edit-unproved" else one for one in findings)
    severe = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on in SEVERITIES else ()
    blocking = [one for one in ranked if one.severity in severe]
    head = of_check([one.as_dict() for one in ranked], fail_on)
    return {
        "in_order": head.label != "Not in order",
        **head.as_dict(),
        "findings": [one.as_dict() for one in ranked],
        "blocking": [one.as_dict() for one in blocking],
        "message": explain([dataclasses.replace(one, severity="error") for one in blocking]) if blocking else "",
    }


def drift_summary(verdict: t.Mapping[str, t.Any], instance: t.Mapping[str, t.Any] | None) -> list[str]:
    """The verdict in sentences: the headline, and every finding above severity info."""
    seen = (
        f"Mastodon {instance['release']} in {instance['app_dir']}"
        if instance
        else "The instance was not checked; see below."
    )
    lines = [Finding(**one).sentence() for one in verdict["findings"] if one["severity"] != "info"]
    kinds = [one["severity"] for one in verdict["findings"] if one["severity"] != "info"]
    return [verdict["headline"], seen, *(f"{kind}: {line}" for kind, line in zip(kinds, lines, strict=True))]


def _without_consequences(findings: t.Sequence[Finding], results: t.Mapping[str, t.Any]) -> list[Finding]:
    """The findings without those that a contradicting override already explains, with its file and line."""
    places = {one.subject for one in findings if one.code == IN_THE_WAY}
    variables = {place.partition(" in ")[0] for place in places}
    decided = {one["setting"]: one["variable"] for one in results["mailer"].get("differences") or ()}
    return [
        one
        for one in findings
        if not (one.code == "override-hides-file" and one.subject in places)
        and not (one.code in _OF_THE_FILE and decided.get(one.subject, one.subject) in variables)
    ]


def _about_file(results: t.Mapping[str, t.Any]) -> list[Finding]:
    """One finding for all differences between file and inventory, with what Rails uses as a result."""
    changed = results["edit"].get("changed_variables") or []
    if not changed:
        return []
    told = {}
    for one in results["mailer"].get("differences") or ():
        # For a login or password, Rails only reports whether one is set.
        if not one["setting"].endswith("_set") and _is_of_file(one["variable"], results):
            told[one["variable"]] = f": Rails uses {shown(one['actual'])} instead of {shown(one['expected'])}"
    what = ", ".join(
        f"{one['name']} ({DRIFT_WORDS.get(one['what'], one['what'])}{told.get(one['name'], '')})" for one in changed
    )
    bad = {one.code for one in errors(_findings(results["mailer"]))}
    same = results["mailer"].get("effective") is not None and not bad & _OF_THE_FILE
    subject = (results["instance"].get("instance") or {}).get("env_file", ".env.production")
    message = f"It differs from the inventory: {what}."
    if same:
        return [TABLE.finding("file-differs", subject, f"{message} Rails uses the same settings.", severity="warning")]
    return [TABLE.finding("file-differs", subject, message)]


def _follows_from_file(one: Finding, results: t.Mapping[str, t.Any]) -> bool:
    """Whether a finding about Rails only follows from variables in the file that differ from the inventory."""
    if one.code not in _OF_THE_FILE:
        return False
    variables = {each["setting"]: each["variable"] for each in results["mailer"].get("differences") or ()}
    return _is_of_file(variables.get(one.subject, one.subject), results)


def _is_of_file(variable: str, results: t.Mapping[str, t.Any]) -> bool:
    """Whether drift in the file explains the value that Rails has for a variable."""
    overrides = (results["instance"].get("instance") or {}).get("overrides") or ()
    if variable in {override["variable"] for override in overrides}:
        return False  # an override is a separate cause, and remains after the file is fixed
    changed = results["edit"].get("changed_variables") or ()
    return _group(variable) in {_group(entry["name"]) for entry in changed}


def _group(variable: str) -> str:
    match = _ENCRYPTION.fullmatch(variable)
    return match[1] + "TLS" if match else variable


def _findings(result: t.Mapping[str, t.Any]) -> list[Finding]:
    return [Finding(**one) for one in result.get("findings") or ()]


def _about_services(instance: t.Mapping[str, t.Any]) -> list[Finding]:
    found = []
    for one in on_older_settings(instance.get("instance")):
        since = f" since {one['since']}" if one["since"] else ""
        message = f"It has been running{since} with older settings than the file."
        found.append(TABLE.finding("service-stale", one["name"], message))
    return found


def _of_step(name: str, result: t.Mapping[str, t.Any], results: t.Mapping[str, t.Any]) -> list[Finding]:
    seen = _findings(result)
    found = [_weighed(one) for one in seen if not _follows_from_file(one, results)]
    if (result.get("failed") or went_wrong(result)) and not seen:
        message = " ".join(said(result).split())
        found.append(TABLE.finding("check-incomplete", name, message))
    return found


def _weighed(one: Finding) -> Finding:
    """The finding with its severity in a drift check; what the operator accepts stays an info."""
    return dataclasses.replace(one, severity="error") if (one.code, one.severity) in _ERRORS_HERE else one
