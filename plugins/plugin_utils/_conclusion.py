# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a host, C(mastodon_smtp_result) or C(mastodon_smtp_drift), from what its steps recorded."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.arrival import TABLE as ARRIVAL
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, Severity
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.queue import TABLE as QUEUE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.waiting import TABLE as WAITING
from ansible_collections.fediops.mastodon.plugins.plugin_utils import _headline
from ansible_collections.fediops.mastodon.plugins.plugin_utils._drift import drift, drift_summary
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import (
    AFTERWARDS,
    PREFLIGHT,
    ROLLBACK,
    ROLLOUT,
    Known,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry
from ansible_collections.fediops.mastodon.plugins.plugin_utils._summary import host_summary, waiting_summary
from ansible_collections.fediops.mastodon.plugins.plugin_utils._trouble import said, together

Result = dict[str, t.Any]
#: Returns the sentences about the other hosts; called only when a host fails.
Others = t.Callable[[], str]
_DRY = "This was a dry run: nothing has been changed."
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9_]+\b")
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
    if any(entry.outcome != "not_proved" for entry in wrong):
        return _failed(known, wrong, undone(known), others)
    if not known.whole and not wrong:
        return {"outcome": "in part", "label": "Done in part", "fails": False, "summary": in_part(known)}
    missing = _missing(known)
    found = _findings(known, missing, "instance", "settings", "dns", "relay", "relay_bulk", *ROLLOUT)
    found = [*_after_retry(known, found), *_of_arrival(known)]
    outcome, told = _outcome(known, missing), known.result("queue")
    if known.dry:
        head = _headline.of_dry_run(outcome, found, missing, fails=known.unproved_fails)
    else:
        proved = bool(told.get("way"))
        queue_lacks = not (proved and known.wrong("mailer") and not known.wrong("queue"))
        lack = _headline.QUEUE_LACKS if queue_lacks else "the relay has not taken the test message"
        head = _headline.of_rollout(outcome, found, missing, proved=proved, fails=known.unproved_fails, lack=lack)
    done = {
        "outcome": "not proved" if head.fails else outcome,
        **head.as_dict(),
        "to_prove": _headline.to_prove(missing),
        "undone": _kept_unproved(known) if missing else "",
        **_facts(known),
        "findings": found,
    }
    lines = host_summary({**done, "findings": [one for one in found if one not in missing]}, whole=known.whole)
    if not head.fails:
        return {**done, "summary": lines}
    cause = {"step": wrong[0].task if wrong else "Prove the queue", "message": head.text, "findings": missing}
    return {**done, "cause": cause, "summary": "\n".join([*lines, *filter(None, [others()])])}


def _facts(known: Known) -> Result:
    """What the steps of a rollout report about the host."""
    edit, mailer, services, queue = (known.result(key) for key in ROLLOUT)
    seen = known.instance or {}
    return {
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
        # Counted before the retry, so untrue after it.
        "waiting": None if known.result("waiting").get("changed") else mailer.get("waiting"),
        "retried": known.result("waiting").get("retried"),
        "arrivals": known.result("arrival").get("arrivals") or [],
        "queued_mail": {name: queue.get(name) for name in _QUEUED} if queue.get("way") else None,
    }


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


def _after_retry(known: Known, found: list[Result]) -> list[Result]:
    """The findings once the mails that waited have been retried; none of this fails a host whose mail works."""
    if known.setting("retry_waiting") in (None, "none") or not known.has_sidekiq:
        return found
    groups = (known.result("mailer").get("waiting") or {}).get("groups") or ()
    if not known.ran("waiting"):
        if not any(one["place"] in ("retry", "dead") for one in groups):
            return found
        message = "No mail that failed earlier was retried, because the queue is not proved."
        fix = "Prove the queue, and run the rollout again."
        return [*found, WAITING.finding("retry-incomplete", "Sidekiq", message, fix).as_dict()]
    told = known.result("waiting").get("findings") or ()
    if not known.dry and not known.wrong("waiting"):
        found = [one for one in found if one["code"] not in ("mails-waiting", "mails-lost")]
    if known.wrong("waiting") and not told:
        message = together(known.entries["waiting"].problems)
        told = [WAITING.finding("retry-incomplete", "Sidekiq", message).as_dict()]
    return [*found, *({**one, "severity": "warning"} if one["severity"] == "error" else one for one in told)]


def _of_arrival(known: Known) -> list[Result]:
    """What the receivers' mailboxes showed; nothing of it fails a host whose relay has taken the mail."""
    told = known.result("arrival").get("findings") or ()
    if known.wrong("arrival") and not told:
        told = [ARRIVAL.finding("arrival-unjudged", "mailbox", together(known.entries["arrival"].problems)).as_dict()]
    return [{**one, "severity": "warning"} if one["severity"] == "error" else one for one in told]


def _outcome(known: Known, missing: t.Sequence[Result]) -> str:
    changed = bool(known.result("edit").get("changed"))
    if known.dry:
        return "would change" if changed else "in order"
    if missing:
        return "not proved"
    proved = changed or known.pending or known.result("services").get("changed")
    return "changed" if proved else "in order"


def _missing(known: Known) -> list[Result]:
    """The findings that say why no mail has proved the queue; empty if one has, or if there is nothing to prove."""
    severity: Severity = "error" if known.unproved_fails else "warning"
    tests = [one for key, one in known.entries.items() if one.outcome == "not_proved" and key not in AFTERWARDS]
    found = [one for entry in tests for one in entry.result.get("findings") or () if one["severity"] == "error"]
    if found or known.ran("queue") or not known.has_sidekiq or not known.needs_queue_proof:
        return [{**one, "severity": severity} for one in found]
    if known.accepted_unserved:
        message = "No Sidekiq service runs, as mastodon_smtp_accept allows, so no mail proves the queue."
        fix = "Start Sidekiq and run the rollout again."
        return [QUEUE.finding("queue-not-proved", "Sidekiq", message, fix, severity=severity).as_dict()]
    return [] if known.proof_is_asked_for else [nobody_to_mail(known, severity).as_dict()]


def nobody_to_mail(known: Known, severity: Severity) -> Finding:
    """The finding that the variables ask for no mail through the queue."""
    if known.setting("send") == "never":
        message = "It is never, so no mail proves the queue."
        fix = "Set mastodon_smtp_send to changed, and mastodon_smtp_test_recipient or mastodon_smtp_test_account."
        return QUEUE.finding("queue-not-proved", "mastodon_smtp_send", message, fix, severity=severity)
    message = "It is not set, and neither is mastodon_smtp_test_account, so no mail proves the queue."
    return QUEUE.finding("queue-not-proved", "mastodon_smtp_test_recipient", message, severity=severity)


def _kept_unproved(known: Known) -> str:
    """What remains of an edit whose queue was not proved."""
    if known.dry or not known.result("edit").get("unproved"):
        return ""
    file = (known.instance or {}).get("env_file", "the environment file")
    return f"The new settings stay in {file}: Rails uses them and the services run on them."


def rollback(known: Known, broken: Entry | None, others: Others) -> Result:
    """The result of a rollback."""
    wrong = known.wrong(*ROLLBACK) or ([broken] if broken else [])
    if wrong:
        return _failed(known, wrong, ("", left_by_rollback(known)), others)
    restored, services, seen = known.result("restored"), known.result("services"), known.instance or {}
    changed = restored.get("changed") or services.get("changed")
    outcome = "would roll back" if known.dry and restored.get("changed") else "rolled back" if changed else "in order"
    done = {
        "outcome": outcome,
        "fails": False,
        "check_mode": known.dry,
        **{name: seen.get(name) for name in ("deployment", "app_dir", "env_file", "release")},
        "changed_variables": restored.get("changed_variables"),
        "restored_from": restored.get("backup_file") or "",
        "services": services.get("services"),
        "findings": _findings(known, (), "instance", "restored", "services"),
    }
    return {**done, "summary": host_summary(done)}


def waiting(known: Known, broken: Entry | None, others: Others) -> Result:
    """The result of a look at the mails that wait in Sidekiq."""
    wrong = known.wrong("variables", "instance", "waiting") or ([broken] if broken else [])
    if wrong:
        return _failed(known, wrong, ("", ""), others)
    step, seen = known.result("waiting"), known.instance or {}
    done = {
        "outcome": "changed" if step.get("changed") else "in order",
        "fails": False,
        "check_mode": known.dry,
        **{name: seen.get(name) for name in ("deployment", "app_dir", "env_file", "release", "roles")},
        "waiting": step.get("waiting"),
        "retried": step.get("retried"),
        "findings": _findings(known, (), "instance", "waiting"),
    }
    return {**done, "summary": waiting_summary(done)}


def check(known: Known, broken: Entry | None, others: Others) -> Result:  # noqa: ARG001
    """The result of the drift check, C(mastodon_smtp_drift)."""
    steps: Result = {key: _as_step(entry) for key, entry in known.entries.items()}
    if broken:
        steps["cause"] = together(broken.problems)
    verdict = drift(steps, str(known.setting("fail_on") or "error"), _queue_alone(known))
    return {**verdict, "summary": drift_summary(verdict, known.result("instance").get("instance"))}


def shown(result: t.Mapping[str, t.Any]) -> Result:
    """A result of this file as its step shows it, or fails with it; with tags there may be nothing to show."""
    summary = result.get("summary") or ""
    if result.get("fails"):
        text = summary if isinstance(summary, str) else "\n".join(summary)
        return {**result, "changed": False, "failed": True, "msg": text}
    return {**result, "changed": False, **({"msg": summary, "_ansible_verbose_always": True} if summary else {})}


def _queue_alone(known: Known) -> Finding | None:
    """The finding about a pending edit that lacks nothing but a mail through the queue; None for any other."""
    if list((known.instance or {}).get("unproved") or ()) != ["queue"]:
        return None
    severity: Severity = "error" if known.unproved_fails else "warning"
    if not known.proof_is_asked_for:
        return nobody_to_mail(known, severity)
    message = "The mail settings are in use, but no mail has proved the queue yet."
    return QUEUE.finding("queue-not-proved", "Sidekiq", message, "Run the rollout again.", severity=severity)


def _as_step(entry: Entry) -> Result:
    return {**entry.result, **({"msg": together(entry.problems)} if entry.went_wrong else {})}


def _failed(known: Known, wrong: t.Sequence[Entry], what_became: tuple[_headline.Left, str], others: Others) -> Result:
    """The result of a failed host: the first failed step as the cause, and the state that the host is in now."""
    message = together(one for entry in wrong for one in entry.problems)
    findings = [one for entry in wrong for one in entry.result.get("findings") or ()]
    left, sentence = what_became
    head = _headline.of_failure(left, wrong[0].task)
    afterwards = " ".join(one for one in (sentence, others()) if one)
    return {
        "outcome": "failed",
        **head.as_dict(),
        "release": (known.result("instance").get("instance") or {}).get("release") or "",
        "cause": {"step": wrong[0].task, "message": message, "findings": findings},
        "undone": sentence,
        "summary": f"{head.text}: {message}\n{afterwards}",
    }


def _findings(known: Known, first: t.Sequence[Result], *keys: str) -> list[Result]:
    """These findings, then those of the steps; one that is known already is left out, whatever its severity.

    So is what the first look at the instance says about a variable that the edit has changed since, or would change.
    """
    found = list(first)
    changed = {one["name"] for one in known.result("edit").get("changed_variables") or ()}
    for key in keys:
        for one in known.result(key).get("findings") or ():
            past = key == "instance" and not changed.isdisjoint(_VARIABLE.findall(one["subject"]))
            if not past and not any(_same(one, other) for other in found):
                found.append(one)
    return found


def _same(one: Result, other: Result) -> bool:
    return all(one[name] == other[name] for name in ("code", "subject", "message"))


def undone(known: Known) -> tuple[_headline.Left, str]:
    """What became of the edit of a failed rollout, and the state of the file and the services, for the operator."""
    file = (known.instance or {}).get("env_file", "the environment file")
    if known.dry:
        return "nothing changed", _DRY
    if known.taken_over:
        return "not undone", f"Another rollout has taken over {file} and continues there; this run undoes nothing."
    if not known.result("edit").get("unproved"):
        left: _headline.Left = "not undone" if known.result("services").get("changed") else "nothing changed"
        return left, f"This run has not changed {file}, so there was nothing to restore."
    if not known.setting("undo"):
        return "not undone", f"mastodon_smtp_undo is off: {file} keeps the new settings. {_kept(known)}"
    if known.failed_after_its_proof:
        stays = f"{file} keeps its settings: an earlier run has made this very proof with them."
        return "not undone", f"{stays} {_kept(known)}"
    if not known.undo:
        return "not undone", f"{file} keeps the new settings. {_kept(known)}"
    restore, services = known.wrong("restored"), known.wrong("services_back")
    if restore:
        return "not undone", f"{file} could NOT be restored: {together(restore[0].problems)} {_kept(known)}"
    if not known.undo_services:
        return "undone", f"{file} was restored byte for byte; no running service ever read the new settings."
    if services:
        back = together(services[0].problems)
        return "not undone", f"{file} was restored byte for byte, but the services did NOT come back: {back}"
    return "undone", f"{file} was restored byte for byte, and the services run on it again."


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
