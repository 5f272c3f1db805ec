# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a host, C(mastodon_smtp_result) or C(mastodon_smtp_drift), from what its steps recorded."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._drift import drift, drift_summary
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import PREFLIGHT, ROLLBACK, ROLLOUT, Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry
from ansible_collections.fediops.mastodon.plugins.plugin_utils._summary import host_summary
from ansible_collections.fediops.mastodon.plugins.plugin_utils._trouble import said, together

Result = dict[str, t.Any]
#: Returns the sentences about the other hosts; called only when a host fails.
Others = t.Callable[[], str]
_DRY = "This was a dry run: nothing has been changed."
_QUEUED = ("way", "to", "outcome", "job", "message_id", "waited")


def unforeseen(task: str, message: str) -> Entry:
    """The entry of a task that failed before its step began, for example because a variable cannot be templated."""
    return Entry(task, "failed", (said({"msg": message}),), {"findings": []})


def preflight(known: Known, broken: Entry | None, others: Others) -> Result:
    """A failed result with the problems of all preflight steps; empty when there are none."""
    wrong = known.wrong(*PREFLIGHT)
    problems = [one for entry in wrong for one in entry.problems]
    if broken and not wrong:
        problems += [f"{broken.task}: {one}" for one in broken.problems]
    if not problems:
        return {}
    return {"failed": True, "msg": f"{together(problems)}\n{others() or 'Nothing has been changed on this host.'}"}


def rollout(known: Known, broken: Entry | None, others: Others) -> Result:
    """The result of a rollout: what was proved, or why it failed and in what state the file and the services are."""
    wrong = known.wrong(*ROLLOUT) or ([broken] if broken else [])
    if wrong:
        return _failed(known, wrong, undone(known, of_test=_of_test(wrong)), others)
    if not known.whole:
        return {"outcome": "in part", "summary": in_part(known)}
    edit, mailer, services, queue = (known.result(key) for key in ROLLOUT)
    seen = known.instance or {}
    done = {
        "outcome": _outcome(known),
        "check_mode": known.dry,
        **{name: seen.get(name) for name in ("deployment", "app_dir", "env_file", "release", "local_domain", "roles")},
        "rails": mailer.get("rails"),
        "changed_variables": edit.get("changed_variables"),
        "backup_file": edit.get("backup_file") or "",
        "relays": [one["relay"] for one in (known.result("relay"), known.result("relay_bulk")) if one.get("relay")],
        "sender_dns": known.result("dns").get("sender_dns") or [],
        "planned": (known.plan or {}).get("effective"),
        "effective": mailer.get("effective"),
        "services": services.get("services"),
        "test_messages": mailer.get("test_message"),
        "queued_mail": {name: queue.get(name) for name in _QUEUED} if queue.get("way") else None,
        "findings": _findings(known, "instance", "settings", "dns", "relay", "relay_bulk", *ROLLOUT),
    }
    return {**done, "summary": host_summary(done)}


#: Step of the rollout -> its task, and what its proof is of.
_STEPS = {
    "edit": ("Edit the environment file", ""),
    "mailer": ("Check Rails and send the test message", "Rails' settings"),
    "services": ("Restart stale services", "the services"),
    "queue": ("Prove the queue", "the queue"),
}


def in_part(known: Known) -> list[str]:
    """What tags have left out, and which proofs of the edit are missing because of it."""
    out = ", ".join(task for key, (task, _of) in _STEPS.items() if key not in known.entries)
    missing = [of for key, (_task, of) in _STEPS.items() if key in known.pending and key not in known.entries]
    left = f" Not proved: {', '.join(missing)}; the next rollout without tags proves it." if missing else ""
    first = "Dry run, in part" if known.dry else "In part"
    return [f"{first}, because of --tags or --skip-tags: {out} did not run.{'' if known.dry else left}"]


def _outcome(known: Known) -> str:
    changed = bool(known.result("edit").get("changed"))
    if known.dry:
        return "would change" if changed else "in order"
    proved = changed or known.pending or known.result("services").get("changed")
    return "changed" if proved else "in order"


def rollback(known: Known, broken: Entry | None, others: Others) -> Result:
    """The result of a rollback."""
    wrong = known.wrong(*ROLLBACK) or ([broken] if broken else [])
    if wrong:
        return _failed(known, wrong, left_by_rollback(known), others)
    restored, services, seen = known.result("restored"), known.result("services"), known.instance or {}
    changed = restored.get("changed") or services.get("changed")
    outcome = "would roll back" if known.dry and restored.get("changed") else "rolled back" if changed else "in order"
    done = {
        "outcome": outcome,
        "check_mode": known.dry,
        **{name: seen.get(name) for name in ("deployment", "app_dir", "env_file", "release")},
        "changed_variables": restored.get("changed_variables"),
        "restored_from": restored.get("backup_file") or "",
        "services": services.get("services"),
        "findings": _findings(known, "instance", "restored", "services"),
    }
    return {**done, "summary": host_summary(done)}


def check(known: Known, broken: Entry | None, others: Others) -> Result:  # noqa: ARG001
    """The result of the drift check, C(mastodon_smtp_drift)."""
    steps: Result = {key: _as_step(entry) for key, entry in known.entries.items()}
    if broken:
        steps["cause"] = together(broken.problems)
    verdict = drift(steps, str(known.setting("fail_on") or "error"))
    return {**verdict, "summary": drift_summary(verdict, known.result("instance").get("instance"))}


def shown(result: t.Mapping[str, t.Any]) -> Result:
    """A result of this file as its step shows it, or fails with it; with tags there may be nothing to show."""
    summary = result.get("summary") or ""
    if result.get("fails", result.get("outcome") == "failed" or result.get("in_order") is False):
        text = summary if isinstance(summary, str) else "\n".join(summary)
        return {**result, "changed": False, "failed": True, "msg": text}
    return {**result, "changed": False, **({"msg": summary, "_ansible_verbose_always": True} if summary else {})}


def _as_step(entry: Entry) -> Result:
    return {**entry.result, **({"msg": together(entry.problems)} if entry.went_wrong else {})}


def _failed(known: Known, wrong: t.Sequence[Entry], what_became: str, others: Others) -> Result:
    """The result of a failed host: the first failed step as the cause, and the state that the host is in now."""
    message = together(one for entry in wrong for one in entry.problems)
    findings = [one for entry in wrong for one in entry.result.get("findings") or ()]
    afterwards = " ".join(one for one in (what_became, others()) if one)
    return {
        "outcome": "failed",
        "release": (known.result("instance").get("instance") or {}).get("release") or "",
        "cause": {"step": wrong[0].task, "message": message, "findings": findings},
        "undone": what_became,
        "summary": f"{wrong[0].task}: {message}\n{afterwards}",
    }


def _of_test(wrong: t.Sequence[Entry]) -> bool:
    return all(entry.outcome == "not_proved" for entry in wrong)


def _findings(known: Known, *keys: str) -> list[Result]:
    """The findings of these steps, without duplicates."""
    found: list[Result] = []
    for key in keys:
        found += [one for one in known.result(key).get("findings") or () if one not in found]
    return found


def undone(known: Known, *, of_test: bool = False) -> str:
    """The state of the file and the services after a failed rollout, for the operator.

    :param of_test: whether the only failure is a test that could not be made.
    """
    file = str((known.instance or {}).get("env_file") or "the environment file")
    if known.dry:
        return _DRY
    if known.taken_over:
        return f"Another rollout has taken over {file} and continues there; this run undoes nothing."
    if not known.result("edit").get("unproved"):
        return f"This run has not changed {file}, so there was nothing to restore."
    if of_test:
        return (
            f"The new settings stay in {file}: Rails uses them and the services run on them. The queue is not proved; "
            "fix the problem above and run the rollout again."
        )
    if not known.setting("undo"):
        return f"mastodon_smtp_undo is off: {file} keeps the new settings. {_kept(known)}"
    if not known.undo:
        return f"{file} keeps the new settings. {_kept(known)}"
    restore, services = known.wrong("restored"), known.wrong("services_back")
    if restore:
        return f"{file} could NOT be restored: {together(restore[0].problems)} {_kept(known)}"
    if not known.undo_services:
        return f"{file} was restored byte for byte; no running service ever read the new settings."
    if services:
        back = together(services[0].problems)
        return f"{file} was restored byte for byte, but the services did NOT come back: {back}"
    return f"{file} was restored byte for byte, and the services run on it again."


def _kept(known: Known) -> str:
    backup = known.result("edit").get("backup_file")
    if backup:
        return f"The previous state is in {backup}."
    return (
        "There is no backup of the previous "
        f"state{'.' if known.setting('backup') else ': mastodon_smtp_backup is off.'}"
    )


def left_by_rollback(known: Known) -> str:
    """What a failed rollback has changed, for the operator."""
    if known.dry:
        return _DRY
    if known.result("restored").get("changed"):
        return (
            "The file was restored and stays that way. A service that could not be restarted still runs with the "
            "withdrawn settings."
        )
    if known.result("services").get("changed"):
        return (
            "The file was already in its previous state. Services were restarted; any that could not be may still "
            "run with the withdrawn settings."
        )
    seen = known.instance or {}
    if not seen.get("unproved"):
        return "Nothing has been changed."
    left = f"An unproved edit of an earlier rollout remains in {seen['env_file']}."
    return f"Nothing has been changed. {left}"
