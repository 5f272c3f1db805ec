# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects the events of a run for the report. Takes plain values only: no Ansible objects, no clock."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry
from ansible_collections.fediops.mastodon.plugins.plugin_utils._trouble import together

from . import evidence
from .words import BY_KEY, PURPOSE_OF_PART, PURPOSE_OF_PLAYBOOK, Step, step_of, worse

Plain = t.Any

#: In the result of smtp_fleet if the rollout stops; the failure is about the run, not about the host.
_STOPS = "not_started"
_SUMMARY = "smtp_summary"
#: The first step of each part of the role, except for parts that continue another one.
_FIRST = "smtp_variables"
#: The facts in which the role returns a host's result.
_FACTS = ("mastodon_smtp_drift", "mastodon_smtp_result")
#: The parts of the role in which a step with problems does not fail the host: the verdict or first cause does.
_GOES_ON = frozenset({"check", "undo"})
_UNDOES = frozenset({"undo", "rollback"})


@dataclasses.dataclass(frozen=True)
class Task:
    """A task as the report needs it.

    :ivar part: the part of the role that it belongs to (the option C(chain)); empty outside the role.
    """

    uuid: str
    name: str
    action: str
    arguments: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    part: str = ""

    @property
    def module(self) -> str:
        """The action without its namespace."""
        return self.action.rpartition(".")[2]


@dataclasses.dataclass
class Cell:
    """One step of one host; repeated runs share one cell."""

    state: str
    seconds: float = 0.0
    hidden: bool = False


@dataclasses.dataclass(frozen=True)
class Failure:
    """One failed task of one host."""

    at: float
    step: str
    task: str
    message: str
    findings: list[dict[str, str]]


@dataclasses.dataclass
class Host:
    """Everything known about a host."""

    name: str
    batch: int = 0
    cells: dict[str, Cell] = dataclasses.field(default_factory=dict)
    timeline: list[dict[str, Plain]] = dataclasses.field(default_factory=list)
    failures: list[Failure] = dataclasses.field(default_factory=list)
    unreachable: Failure | None = None
    findings: list[dict[str, str]] = dataclasses.field(default_factory=list)
    evidence: dict[str, dict[str, Plain]] = dataclasses.field(default_factory=dict)
    result: dict[str, Plain] = dataclasses.field(default_factory=dict)
    drift: dict[str, Plain] = dataclasses.field(default_factory=dict)
    #: The last summary of the host by smtp_summary.
    summary: str = ""

    @property
    def outcome(self) -> str:
        return str(self.result.get("outcome") or "")


@dataclasses.dataclass
class _Play:
    name: str
    hosts: list[str]
    batch: int
    ours: bool = False


class Collector:
    """Receives the events of a run and keeps what the report shows. All times are seconds since the epoch."""

    def __init__(self) -> None:
        self.playbook = ""
        self.check_mode = False
        self.diff = False
        self._purposes: dict[str, None] = {}
        self.began = 0.0
        self.touched = 0.0
        self.hosts: dict[str, Host] = {}
        self.senders: dict[str, dict[str, Plain]] = {}
        self.stops: list[dict[str, str]] = []
        self.running: dict[tuple[str, str], tuple[float, Task, Step | None]] = {}
        self.secrets: set[str] = set()
        self._play = _Play("", [], 0)
        self._batches: dict[str, int] = {}
        self._expected: set[str] = set()
        self._room = evidence.Room(evidence.OF_RUN)

    def begin(self, playbook: str, now: float, *, check_mode: bool = False, diff: bool = False) -> None:
        """A playbook begins; all playbooks of one command share one report."""
        self.playbook = f"{self.playbook}, {playbook}" if self.playbook else playbook
        self.check_mode, self.diff = check_mode, diff
        self.began = self.began or now
        self.touched = now
        self._learn(PURPOSE_OF_PLAYBOOK.get(playbook))

    def play(self, name: str, hosts: t.Iterable[str], now: float, *, file: str = "") -> None:
        """A play, or the next batch of one, begins.

        :param file: the name of the playbook file that contains it, even if that is imported.
        """
        self._learn(PURPOSE_OF_PLAYBOOK.get(file))
        self._batches[name] = self._batches.get(name, 0) + 1
        self._play = _Play(name, [evidence.plain(one) for one in hosts], self._batches[name])
        self.touched = now

    def hide(self, options: t.Mapping[str, t.Any]) -> None:
        """Mask the secrets among these options of a task in every text."""
        self.secrets |= evidence.secrets_of(options)

    def started(self, host: str, task: Task, now: float) -> None:
        """A host begins a task."""
        self._learn(PURPOSE_OF_PART.get(task.part))
        host = evidence.plain(host)
        if task.module == _FIRST:
            self._begin_anew(host)
        step = _step(task)
        if step is not None:
            self._is_ours()
            self._host(host).cells.setdefault(step.key, Cell("running"))
        self.running[host, task.uuid] = (now, task, step)
        self.touched = now

    def ended(
        self,
        host: str,
        task: Task,
        state: str,
        result: t.Mapping[str, t.Any],
        now: float,
        entry: Entry | None = None,
    ) -> None:
        """A host has finished a task.

        :param state: ok, changed, failed, ignored, skipped or unreachable.
        :param entry: the step's entry in the record of the run.
        """
        host = evidence.plain(host)
        result = self._bounded(result)
        began, _task, step = self.running.pop((host, task.uuid), (now, task, _step(task)))
        seen = self._host(host)
        self.touched = now
        state = _state(task, step, state, result, entry)
        # Ansible censors a skipped task whenever its no_log is a template, whatever its value.
        hidden = state != "skipped" and ("censored" in result or bool(result.get("_ansible_no_log")))
        self.hide(task.arguments)
        message = _message(result, entry, hidden)
        if step is not None:
            self._is_ours()
            self._fill(seen, step, state, now - began, hidden)
            if state != "skipped":
                seen.timeline.append(
                    {
                        "step": step.key,
                        "task": evidence.plain(task.name),
                        "state": state,
                        "started": began,
                        "seconds": round(now - began, 2),
                    }
                )
            if not hidden and state not in ("skipped", "unreachable"):
                self._keep(seen, step, task, state, result)
        elif state == "failed" and _STOPS in result:
            self._stop({"task": evidence.plain(task.name), "message": message})
            return
        self._keep_outcome(seen, _outcome_in(task, result), now)
        if state == "unreachable":
            seen.unreachable = seen.unreachable or Failure(now, "", "Connect", message, [])
        elif state == "failed" and not _is_known(seen, task, message):
            found = [] if hidden else evidence.findings(result)
            seen.failures.append(Failure(now, step.key if step else "", evidence.plain(task.name), message, found))

    @property
    def purposes(self) -> list[str]:
        """The purposes of the run, as keys of PURPOSES."""
        return list(self._purposes) or ["other"]

    def _learn(self, purpose: str | None) -> None:
        if purpose:
            self._purposes[purpose] = None

    def listed(self) -> list[Host]:
        """The hosts of the plays that ran a step of the collection, in inventory order."""
        return [host for name, host in self.hosts.items() if name in self._expected]

    def masked(self, value: Plain) -> Plain:
        """A value in which the secrets of all tasks are masked."""
        forms = {form for secret in self.secrets for form in evidence.shapes(secret)}
        return evidence.mask(value, sorted(forms, key=len, reverse=True))

    def _host(self, name: str) -> Host:
        return self.hosts.setdefault(name, Host(name))

    def _bounded(self, result: t.Mapping[str, t.Any]) -> dict[str, Plain]:
        """A result, safe to show and cut to the remaining room; of facts, only the role's own."""
        room = evidence.Room(min(evidence.OF_RESULT, self._room.left))
        facts = result.get("ansible_facts")
        own = {name: facts[name] for name in _FACTS if name in facts} if isinstance(facts, t.Mapping) else {}
        before = room.left
        kept: dict[str, Plain] = evidence.plain({**result, "ansible_facts": own}, room)
        self._room.left -= before - room.left
        return kept

    def _begin_anew(self, name: str) -> None:
        """Something new begins on a host after its drift check, so what the check saw may be outdated."""
        before = self._host(name)
        if before.drift:
            self.hosts[name] = Host(name, before.batch, timeline=before.timeline)

    def _is_ours(self) -> None:
        if self._play.ours:
            return
        self._play.ours = True
        for name in self._play.hosts:
            self._expected.add(name)
            self._host(name).batch = self._play.batch

    def _fill(self, host: Host, step: Step, state: str, seconds: float, hidden: bool) -> None:
        self._expected.add(host.name)
        cell = host.cells.get(step.key)
        if cell is None or cell.state == "running":
            host.cells[step.key] = Cell(state, (cell.seconds if cell else 0.0) + seconds, hidden)
            return
        cell.state = worse(cell.state, state)
        cell.seconds += seconds
        cell.hidden = cell.hidden or hidden

    def _stop(self, said: dict[str, str]) -> None:
        # With strategy free, each host of a batch stops separately with the same message.
        if said not in self.stops:
            self.stops.append(said)

    def _keep(self, host: Host, step: Step, task: Task, state: str, result: t.Mapping[str, t.Any]) -> None:
        if step.key == "dns":
            for one in evidence.of_dns(result):
                who = (str(one.get(name)) for name in ("from_domain", "return_path_domain", "provider"))
                sender = self.senders.setdefault(" ".join(who), {**one, "hosts": []})
                if host.name not in sender["hosts"]:
                    sender["hosts"].append(host.name)
        host.findings += [{**one, "step": step.key} for one in evidence.findings(result)]
        own = step_of(task.action)
        key = own.key if own is not None else step.key
        if task.part == "check" and host.outcome and key in ("edit", "services") and key in host.evidence:
            return  # a check after the rollout: keep what the rollout did
        if step.key == "undo" and key == "edit" and "edit" in host.evidence:
            # The undo determines what runs now; what the failed rollout edited is kept.
            host.evidence[key]["put_back"] = state == "changed"
            return
        taker = evidence.OF_STEP.get(key)
        if taker is None:
            return
        if key == "relay" and task.arguments.get("relay") == "bulk":
            key = "bulk_relay"
        host.evidence[key] = {**taker(result), "applied": state == "changed" and not self.check_mode}

    @staticmethod
    def _keep_outcome(host: Host, facts: t.Mapping[str, t.Any], now: float) -> None:
        told = [one["summary"] for one in facts.values() if isinstance(one, t.Mapping) and "summary" in one]
        host.summary = _text(told[0]) if told else host.summary
        drift = facts.get("mastodon_smtp_drift")
        if isinstance(drift, t.Mapping):
            host.drift = {**evidence.some(drift, "in_order", "message", "headline", "fails"), "at": now}
            host.drift["blocking"] = evidence.findings({"findings": drift.get("blocking")})
            # The verdict re-evaluates the steps' findings and leaves out those that only follow from others.
            steps = {(one["code"], one["subject"]): one["step"] for one in host.findings}
            weighed = evidence.findings(drift)
            host.findings = [{**one, "step": steps.get((one["code"], one["subject"]), "")} for one in weighed]
            if not host.outcome:
                host.failures = []  # the verdict includes them; only later failures still count
        outcome = facts.get("mastodon_smtp_result")
        if isinstance(outcome, t.Mapping):
            host.result = {**evidence.some(outcome, "outcome", "undone", "headline", "fails"), "at": now}
            cause = outcome.get("cause")
            if isinstance(cause, t.Mapping):
                host.result["cause"] = {"message": str(cause.get("message")), "findings": evidence.findings(cause)}
            host.findings = _weighed(host.findings, evidence.findings(outcome))


def _weighed(seen: t.Sequence[dict[str, str]], verdict: t.Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The findings of the steps with the severities of the summary, which weighs what only a test could not do."""
    known = {_same(one): one for one in verdict}
    there = {_same(one) for one in seen}
    new = [{**one, "step": "queue"} for one in verdict if _same(one) not in there]
    return [{**one, "severity": known.get(_same(one), one)["severity"]} for one in seen] + new


def _same(one: t.Mapping[str, str]) -> tuple[str, ...]:
    return one["code"], one["subject"], one["message"]


def _outcome_in(task: Task, result: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """The role's facts about how a host ended, if this task sets them (smtp_summary, or a custom play)."""
    if task.module == _SUMMARY:
        return {"mastodon_smtp_drift": result} if "in_order" in result else {"mastodon_smtp_result": result}
    facts = result.get("ansible_facts")
    return facts if isinstance(facts, t.Mapping) else {}


def _text(lines: t.Any) -> str:
    return "\n".join(map(str, lines)) if isinstance(lines, list) else str(lines)


def _step(task: Task) -> Step | None:
    """The step of a task; restoring the file and the restart after it count as the undo."""
    step = step_of(task.action)
    if step is None or step.key not in ("edit", "services"):
        return step
    return BY_KEY["undo"] if task.part in _UNDOES or task.arguments.get("state") == "restored" else step


def _state(task: Task, step: Step | None, state: str, result: t.Mapping[str, t.Any], entry: Entry | None) -> str:
    """How a task ended; according to its step if the role lets a step with problems succeed."""
    if state not in ("ok", "changed"):
        return state
    if entry is not None and entry.went_wrong:
        if task.part in _GOES_ON:
            return "ignored"
        return entry.outcome if entry.outcome == "not_proved" and task.part == "rollout" else "failed"
    if any(one["severity"] == "error" for one in evidence.findings(result)):
        return "ignored"  # failed_when: false, or the step's verdict does not fail the host
    if step is not None and state == "ok" and task.part == "check" and evidence.differs(step.key, result):
        return "differs"
    return state


def _is_known(host: Host, task: Task, message: str) -> bool:
    """Whether a task fails only to report how the host ended."""
    said = task.module == _SUMMARY or message == host.summary
    return said and bool(host.failures or host.drift or host.outcome == "not proved")


def _message(result: t.Mapping[str, t.Any], entry: Entry | None, hidden: bool) -> str:
    if hidden:
        return "Its output is hidden (no_log). Run again with mastodon_smtp_no_log: false to see the cause."
    text = together(entry.problems) if entry and entry.problems else result.get("msg")
    text = text or result.get("module_stderr") or result.get("stderr") or "It ended without a message."
    return str(evidence.plain(text if isinstance(text, str) else str(text))).strip()
