# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vocabulary of the report: steps, states and purposes, with their labels for people."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

NAMESPACE = "fediops.mastodon"


@dataclasses.dataclass(frozen=True)
class Step:
    """One column of the matrix.

    :ivar waiting: what the step waits for, as words that follow "waiting for".
    :ivar limits: its options that limit its duration in seconds, with their defaults; the sum is the limit.
    """

    key: str
    label: str
    action: str
    waiting: str
    limits: t.Mapping[str, float] = dataclasses.field(default_factory=dict)


STEPS: tuple[Step, ...] = (
    Step("instance", "Instance", "instance_info", "the units, files and processes to be read"),
    Step("settings", "Settings", "smtp_settings", "the variables to be planned"),
    Step("dns", "DNS", "sender_dns_info", "the name servers", {"lifetime": 60}),
    Step("relay", "Relay", "smtp_relay_info", "the relay's answers"),
    Step("edit", "File", "env_file", "the edit, or an earlier run still working on this host", {"busy_timeout": 20}),
    Step("rails", "Rails", "mailer_check", "Rails to boot and answer", {"timeout": 180}),
    Step(
        "services",
        "Services",
        "mail_services",
        "the services to become ready and stay up",
        {"timeout": 180, "steady": 10},
    ),
    Step("queue", "Queue", "queued_mail_check", "the queue", {"deadline": 120, "timeout": 180}),
    Step("arrival", "Arrival", "mail_arrival_info", "the mails to arrive in the mailboxes", {"timeout": 120}),
    Step("retry", "Retry", "waiting_mails", "the mails that are retried", {"deadline": 1800, "timeout": 180}),
    Step("undo", "Undo", "", "the services to run with the old settings again", {"timeout": 180, "steady": 10}),
    Step("adopt", "Adopt", "smtp_adopt", "the current settings to be read"),
)
BY_KEY = {step.key: step for step in STEPS}
_BY_ACTION = {step.action: step for step in STEPS if step.action}
#: Steps that run only where they are asked for.
ON_REQUEST = frozenset({"arrival", "retry"})
#: Steps that change the host; a host without any of them is unchanged.
TOUCHING = frozenset({"edit", "services", "undo"})


def step_of(action: str) -> Step | None:
    """The step of a module or action; None for those of others."""
    namespace, _dot, name = action.rpartition(".")
    return _BY_ACTION.get(name) if namespace in ("", NAMESPACE) else None


def label_of(key: str) -> str:
    """The label of a step; empty for a task of others."""
    return BY_KEY[key].label if key in BY_KEY else ""


@dataclasses.dataclass(frozen=True)
class State:
    """How a host or a step ended.

    :ivar label: a word or two, so that colour is never the only sign.
    :ivar tone: its colour in the page (bad, warn, busy, good, quiet, idle).
    """

    key: str
    label: str
    tone: str
    meaning: str


#: Worst first: the order of the page.
HOST_STATES: dict[str, State] = {
    one.key: one
    for one in (
        State("failed", "failed", "bad", "A step failed; the details show why and the state of the file."),
        State("drifted", "differs", "bad", "It differs from the inventory; the details show where."),
        State(
            "not_proved",
            "not proved",
            "warn",
            "The new settings are in place and in use, but no mail has proved the queue; the details show why.",
        ),
        State("unreachable", "unreachable", "warn", "Ansible could not connect."),
        State("without", "no Mastodon", "warn", "No Mastodon was found, so the host was skipped."),
        State(
            "unfinished",
            "unfinished",
            "busy",
            "The run ended, or the report was written, while this host was in progress.",
        ),
        State(
            "stopped",
            "not started",
            "idle",
            "Nothing failed and nothing was changed: the run stopped before this host.",
        ),
        State("skipped", "skipped", "idle", "None of its steps ran, so nothing is known about it."),
        State("changed", "changed", "good", "New settings are in place and in use."),
        State("would_change", "would change", "info", "Dry run: this host would change."),
        State(
            "rolled_back",
            "rolled back",
            "good",
            "The settings from before the last edit are in place and in use again.",
        ),
        State("adopted", "adopted", "good", "Its current settings were written into the inventory."),
        State("in_order", "in order", "good", "There was nothing to change."),
        State("checked", "checked", "good", "The steps that ran found no errors; the rollout was not among them."),
        State("partly", "in part", "good", "The steps that ran succeeded; others were excluded by tags."),
    )
}

#: Worst first: if a step ran several times on a host, the worst state is shown.
CELL_STATES: dict[str, State] = {
    one.key: one
    for one in (
        State("failed", "failed", "bad", ""),
        State("unreachable", "unreachable", "warn", ""),
        State("not_proved", "not proved", "warn", ""),
        State("running", "unfinished", "busy", ""),
        State("differs", "differs", "warn", ""),
        State("ignored", "problems, continued", "warn", ""),
        State("changed", "changed", "info", ""),
        State("ok", "ok", "good", ""),
        State("skipped", "skipped", "idle", ""),
    )
}
_CELL_RANK = {key: rank for rank, key in enumerate(CELL_STATES)}
HOST_RANK = {key: rank for rank, key in enumerate(HOST_STATES)}

#: mastodon_smtp_result.outcome -> state
OUTCOMES = {
    "failed": "failed",
    "changed": "changed",
    "not proved": "not_proved",
    "would change": "would_change",
    "in order": "in_order",
    "in part": "partly",
    "rolled back": "rolled_back",
    "would roll back": "would_change",
}


def worse(one: str, other: str) -> str:
    """The worse of two states of a step."""
    return one if _CELL_RANK[one] <= _CELL_RANK[other] else other


def cell_label(state: str, check_mode: bool) -> str:
    """The label of a step's state; in a dry run "changed" reads as "would change"."""
    return "would change" if check_mode and state == "changed" else CELL_STATES[state].label


@dataclasses.dataclass(frozen=True)
class Purpose:
    """What a run is for.

    :ivar label: its name in a sentence; a dry run is a "dry run of the ..." unless the purpose changes nothing anyway.
    :ivar title: the report's title if the operator gave none.
    :ivar failed: the heading above the causes.
    :ivar playbook: the playbook for it.
    :ivar parts: the parts of the role that belong to it.
    """

    key: str
    label: str
    title: str
    failed: str = "What failed first"
    reads_only: bool = False
    playbook: str = ""
    parts: tuple[str, ...] = ()


#: The last one is for a playbook that uses the modules without the role.
PURPOSES: dict[str, Purpose] = {
    one.key: one
    for one in (
        Purpose(
            "rollout",
            "rollout",
            "Mail rollout",
            playbook="smtp_rollout.yml",
            parts=("preflight", "rollout", "undo"),
        ),
        Purpose(
            "drift_check",
            "drift check",
            "Mail drift check",
            failed="What differs from the inventory",
            reads_only=True,
            playbook="smtp_check.yml",
            parts=("check",),
        ),
        Purpose("rollback", "rollback", "Mail rollback", playbook="smtp_rollback.yml", parts=("rollback",)),
        Purpose("waiting", "look at waiting mails", "Waiting mails", playbook="smtp_waiting.yml", parts=("waiting",)),
        Purpose("adopt", "adoption", "Adoption of mail settings", playbook="smtp_adopt.yml", parts=("adopt",)),
        Purpose("other", "single steps", "Mail steps"),
    )
}
PURPOSE_OF_PLAYBOOK = {one.playbook: one.key for one in PURPOSES.values() if one.playbook}
PURPOSE_OF_PART = {part: one.key for one in PURPOSES.values() for part in one.parts}


def mode_label(purposes: t.Sequence[str], check_mode: bool) -> str:
    """The purpose of a run and whether it changes anything: V(rollout), V(dry run of the rollout), V(drift check)."""
    wanted = [PURPOSES[one] for one in purposes]
    label = ", ".join(one.label for one in wanted)
    if all(one.reads_only for one in wanted) or not check_mode:
        return label
    return f"dry run of the {label}"


def touches(purposes: t.Sequence[str], check_mode: bool) -> bool:
    """Whether a run may have changed anything."""
    return not check_mode and not all(PURPOSES[one].reads_only for one in purposes)


def title_of(purposes: t.Sequence[str], check_mode: bool) -> str:
    """The default title of a report."""
    title = PURPOSES[purposes[0]].title if len(purposes) == 1 else f"Mail: {mode_label(purposes, False)}"
    return title if mode_label(purposes, check_mode) == mode_label(purposes, False) else f"{title} (dry run)"


def plural(number: int, noun: str, several: str = "") -> str:
    """V(1 host), V(2 hosts)."""
    return f"{number} {noun if number == 1 else several or noun + 's'}"


def duration(seconds: float | None) -> str:
    """A duration for people: V(0.4 s), V(12 s), V(3 min 5 s), V(1 h 2 min)."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def text_of(value: t.Any) -> str:
    """A setting's value, formatted for people."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
