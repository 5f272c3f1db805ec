# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one plain document: the content of the JSON file and the source of all other formats."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import datetime
import statistics
import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._gate import NO_MASTODON

from .collect import Collector, Failure, Host
from .evidence import HIDDEN, plain
from .words import HOST_RANK, HOST_STATES, OUTCOMES, STEPS, TOUCHING, title_of

Plain = t.Any

FORMAT = 1
SCHEMA = "https://github.com/fediops/ansible-collection-mastodon/blob/main/docs/rollout_report.schema.json"
#: States of a run.
RUNNING, FINISHED, INTERRUPTED = "unfinished", "finished", "interrupted"


def document(
    seen: Collector, state: str, now: float, *, detail: str = "", title: str = "", versions: t.Any = None
) -> dict[str, Plain]:
    """The whole report, with secrets masked.

    :param state: unfinished (written during the run), finished or interrupted.
    :param detail: what interrupted the run.
    :param versions: names and versions of the software that made the report.
    """
    over = state == FINISHED
    failed = any(host.failures or host.unreachable for host in seen.listed())
    hosts = [_host(one, over, failed) for one in seen.listed()]
    hosts.sort(key=lambda one: HOST_RANK[one["state"]])
    made = {
        "$schema": SCHEMA,
        "format": FORMAT,
        "versions": dict(versions or {}),
        "run": {
            "title": title or title_of(seen.purposes, seen.check_mode),
            "playbook": seen.playbook,
            "purposes": seen.purposes,
            "state": state,
            "detail": detail,
            "check_mode": seen.check_mode,
            "diff": seen.diff,
            "started": stamp(seen.began),
            "updated": stamp(now),
            "seconds": round(max(0.0, now - seen.began), 1),
        },
        "totals": {key: sum(one["state"] == key for one in hosts) for key in HOST_STATES},
        "problems": _problems(seen),
        "stops": list(seen.stops),
        "waiting": _waiting(seen, now) if not over else [],
        "steps": _steps(hosts),
        "senders": list(seen.senders.values()),
        "hosts": hosts,
    }
    masked: dict[str, Plain] = plain(seen.masked(made))
    return masked


def stamp(at: float) -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def host_state(host: Host, over: bool, failed_somewhere: bool) -> str:
    """The state of a host, one of HOST_STATES.

    :param over: whether the run has finished.
    """
    if host.unreachable:
        return "unreachable"
    if host.failures:
        codes = {one["code"] for failure in host.failures for one in failure.findings}
        return "without" if codes & NO_MASTODON else "failed"
    if host.drift:
        # After a rollout, a check only confirms what the rollout did.
        return OUTCOMES.get(host.outcome, "in_order") if host.drift.get("in_order") else "drifted"
    if host.outcome in OUTCOMES:
        return OUTCOMES[host.outcome]
    if "adopt" in host.evidence:
        return _adopted(host)
    if any(cell.state == "not_proved" for cell in host.cells.values()):
        return "not_proved"
    ran = {key for key, cell in host.cells.items() if cell.state != "skipped"}
    if any(cell.state == "running" for cell in host.cells.values()) or TOUCHING & ran:
        return "unfinished"
    if not over or failed_somewhere:
        return "stopped" if over or not host.cells else "unfinished"
    return "checked" if ran else "skipped"


def _adopted(host: Host) -> str:
    if host.evidence["adopt"]["applied"]:
        return "adopted"
    return "would_change" if host.cells["adopt"].state == "changed" else "in_order"


def cause_of(host: Host) -> Failure | None:
    """The first failure, since later ones are its consequences; for a drift check, the verdict."""
    if host.drift and not host.failures:
        if host.drift.get("in_order"):
            return None
        task = "Compare with the inventory"
        message = str(host.drift.get("message") or host.drift.get("headline") or "")
        wrong = host.drift["blocking"] or [one for one in host.findings if one["severity"] == "error"]
        return Failure(host.drift["at"], "", task, message, wrong)
    failures = [*host.failures, *([host.unreachable] if host.unreachable else [])]
    told = host.result.get("cause")
    if host.outcome == "not proved" and host.result.get("fails") and told and not failures:
        return Failure(host.result["at"], "queue", "Prove the queue", told["message"], told["findings"])
    return min(failures, key=lambda one: one.at, default=None)


def _host(host: Host, over: bool, failed: bool) -> dict[str, Plain]:
    state = host_state(host, over, failed)
    cause = cause_of(host)
    settings = host.evidence.get("settings", {})
    return {
        "name": host.name,
        "state": state,
        "outcome": host.outcome,
        "headline": str((host.result if host.outcome else host.drift).get("headline") or ""),
        "batch": host.batch,
        "seconds": round(sum(one["seconds"] for one in host.timeline), 1),
        "cause": _cause(cause) if cause else None,
        "undone": str(host.result.get("undone") or ""),
        "steps": {
            key: {"state": cell.state, "seconds": round(cell.seconds, 2), "hidden": cell.hidden}
            for key, cell in host.cells.items()
        },
        "timeline": [{**one, "started": stamp(one["started"])} for one in host.timeline],
        "instance": _instance(host),
        "variables": _variables(host),
        "settings": _settings(host),
        "sender": settings.get("sender"),
        "relays": {
            name: _without_applied(host.evidence[key])
            for name, key in (("main", "relay"), ("bulk", "bulk_relay"))
            if key in host.evidence
        },
        "services": _services(host),
        "test_messages": host.evidence.get("rails", {}).get("test_messages") or [],
        "waiting": (host.evidence.get("rails") or host.evidence.get("retry") or {}).get("waiting"),
        "retried": (host.evidence.get("retry") or {}).get("retried"),
        "arrivals": (host.evidence.get("arrival") or {}).get("arrivals") or [],
        "queued_mail": _without_applied(host.evidence.get("queue")),
        "adopted": host.evidence.get("adopt"),
        "findings": _unique(host.findings),
    }


def _without_applied(found: dict[str, Plain] | None) -> dict[str, Plain] | None:
    return found and {key: value for key, value in found.items() if key != "applied"}


def _cause(failure: Failure) -> dict[str, Plain]:
    return {
        "at": stamp(failure.at),
        "step": failure.step,
        "task": failure.task,
        "message": failure.message,
        "findings": [one for one in failure.findings if one["severity"] == "error"] or failure.findings,
    }


def _instance(host: Host) -> dict[str, Plain] | None:
    found = host.evidence.get("instance")
    if not found:
        return None
    kept = {key: value for key, value in found.items() if key not in ("services", "effective", "applied")}
    return {**kept, "versions": host.evidence.get("rails", {}).get("versions") or {}}


def _variables(host: Host) -> dict[str, Plain] | None:
    """The variables of the environment file: what happened to each, before and after."""
    edit, plan = host.evidence.get("edit"), host.evidence.get("settings", {})
    if edit is None:
        return None
    secret = set(plan.get("secret_variables") or ())
    planned = plan.get("set") or {}
    shown = []
    for one in edit["variables"]:
        name, what = one["name"], one["what"]
        after = one["after"] if one["after"] is not None else planned.get(name)
        if name in secret:
            after, before = HIDDEN, one["before"] and HIDDEN
        else:
            before = one["before"]
        shown.append({"name": name, "what": what, "before": before, "after": None if what == "removed" else after})
    return {
        "changed": shown,
        "applied": edit["applied"],
        "put_back": bool(edit.get("put_back")),
        "recorded": edit["recorded"],
        "backup_file": edit.get("backup_file") or "",
        "unchanged": sorted((set(planned) | secret) - {one["name"] for one in edit["variables"]}),
    }


def _settings(host: Host) -> list[dict[str, Plain]]:
    """Effective settings: before (derived from the files), planned, and as reported by Rails."""
    before = host.evidence.get("instance", {}).get("effective") or {}
    planned = host.evidence.get("settings", {}).get("effective") or {}
    rails = host.evidence.get("rails", {}).get("effective") or {}
    wrong = {one.get("setting") for one in host.evidence.get("rails", {}).get("differences") or ()}
    names = dict.fromkeys([*before, *planned, *rails])
    return [
        {
            "name": name,
            "before": before.get(name),
            "planned": planned.get(name),
            "rails": rails.get(name),
            "differs": name in wrong or name.rpartition(".")[2] in wrong,
        }
        for name in names
        if any(values.get(name) is not None for values in (before, planned, rails))
    ]


def _services(host: Host) -> list[dict[str, Plain]]:
    renewed = host.evidence.get("services")
    if renewed and renewed["services"]:
        return [
            {
                **one,
                "restarted": bool(one.get("restarted")) and renewed["applied"],
                "would_restart": bool(one.get("restarted")) and not renewed["applied"],
            }
            for one in renewed["services"]
        ]
    return [
        {
            **{key: one[key] for key in ("name", "role", "stale") if key in one},
            "restarted": False,
            "would_restart": False,
            "before": {key: one[key] for key in ("state", "since", "restarts") if key in one},
            "after": {},
        }
        for one in host.evidence.get("instance", {}).get("services") or ()
    ]


def _unique(findings: t.Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """The findings without duplicates, worst first."""
    rank = {"error": 0, "warning": 1, "unknown": 2, "info": 3}
    kept: dict[tuple[str, ...], dict[str, str]] = {}
    for one in findings:
        kept.setdefault((one["code"], one["subject"], one["message"]), one)
    return sorted(kept.values(), key=lambda one: rank[one["severity"]])


def _problems(seen: Collector) -> list[dict[str, Plain]]:
    """The failures, the earliest first; hosts with the same cause are grouped."""
    groups: dict[tuple[str, ...], dict[str, Plain]] = {}
    causes = [(cause, host) for host in seen.listed() for cause in [cause_of(host)] if cause is not None]
    for failure, host in sorted(causes, key=lambda one: one[0].at):
        cause = _cause(failure)
        codes = [one["code"] for one in cause["findings"]]
        wording = codes or [failure.task, failure.message.replace(host.name, "*")]
        state = host_state(host, over=True, failed_somewhere=True)
        group = groups.setdefault((failure.step, *wording), {**cause, "hosts": [], "codes": codes, "state": state})
        group["hosts"].append(host.name)
    return list(groups.values())


def _waiting(seen: Collector, now: float) -> list[dict[str, Plain]]:
    """The tasks that were running when this was written."""
    return [
        {
            "host": host,
            "step": step.key if step else "",
            "task": plain(task.name),
            "seconds": round(now - began, 1),
        }
        for (host, _uuid), (began, task, step) in seen.running.items()
    ]


def _steps(hosts: t.Sequence[dict[str, Plain]]) -> list[dict[str, Plain]]:
    """Each step that any host has run: the number of hosts, and how long it took."""
    found = []
    for step in STEPS:
        cells = [(one["steps"][step.key], one["name"]) for one in hosts if step.key in one["steps"]]
        took = [(cell["seconds"], name) for cell, name in cells if cell["state"] not in ("skipped", "running")]
        if not cells:
            continue
        longest = max(took, default=(0.0, ""))
        found.append(
            {
                "key": step.key,
                "label": step.label,
                "hosts": len(took),
                "failed": sum(cell["state"] in ("failed", "unreachable") for cell, _name in cells),
                "median": round(statistics.median(one for one, _name in took), 2) if took else 0.0,
                "longest": longest[0],
                "longest_host": longest[1],
            }
        )
    return found
