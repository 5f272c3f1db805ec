# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a rollout may go on: after the preflight of the whole fleet, and before each batch."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._headline import LABELS
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import ROLLOUT, Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Record
from ansible_collections.fediops.mastodon.plugins.plugin_utils._services import on_older_settings

Seen = t.Mapping[str, Known]
#: The record's key for the result of a host's rollout.
RESULT = "result"
#: The group of the hosts that passed the preflight of a rollout.
READY = "__mastodon_smtp_ready"
#: Findings that mean: there is no Mastodon on this host.
NO_MASTODON = frozenset({"no-instance", "no-systemd", "no-compose-instance", "no-engine"})

_ABSENT = {"unreachable": "Did not answer", "without_mastodon": "Without Mastodon"}
#: All ends, in the order in which they are reported.
ENDS = (*LABELS, "Lost contact during the change", *_ABSENT.values(), "Not started")


class Verdict(t.NamedTuple):
    """Whether the rollout goes on, and what to tell the operator.

    :ivar told: one sentence per item; empty if there is nothing to tell.
    :ivar not_started: the hosts that are left as they are because the rollout stops; empty if it goes on.
    """

    told: list[str]
    not_started: list[str]


def seen_of(hosts: t.Iterable[str]) -> Seen:
    """What the steps of this run recorded for these hosts."""
    return {host: Known(Record(host).entries()) for host in hosts}


def hosts_of(task_vars: t.Mapping[str, t.Any]) -> tuple[list[str], ...]:
    """The hosts of the play in three lists: all, those still in the play, those still in the batch."""
    return tuple([str(one) for one in task_vars[f"ansible_play_{name}"]] for name in ("hosts_all", "hosts", "batch"))


def preflight_verdict(seen: Seen, hosts: t.Sequence[str], passed: t.Container[str]) -> dict[str, list[str]]:
    """The hosts that did not pass the preflight, by reason: C(failed), C(unreachable), C(without_mastodon).

    :param hosts: all hosts of the run.
    :param passed: the hosts that are still in the run.
    """
    verdict: dict[str, list[str]] = {"failed": [], "unreachable": [], "without_mastodon": []}
    for host in hosts:
        if host not in passed:
            verdict[_kind(seen[host])].append(host)
    return verdict


def after_preflight(seen: Seen, hosts: t.Sequence[str], passed: t.Sequence[str], *, strict: bool) -> Verdict:
    """Whether the rollout begins: not if a preflight failed. It begins without the hosts that are absent.

    :param hosts: all hosts of the run.
    :param passed: the hosts that passed the preflight.
    :param strict: whether hosts that did not answer, or have no Mastodon, stop the rollout as well.
    """
    why = preflight_verdict(seen, hosts, passed)
    absent = why["unreachable"] + why["without_mastodon"]
    failed = why["failed"] + (absent if strict else [])
    if failed:
        told = (
            f"The preflight failed on {', '.join(failed)}, so the rollout does not begin (passed: {_some(passed)}). "
            "The reasons are above. Nothing has been changed on any host. Fix what is wrong, or leave "
            f"{'this host' if len(failed) == 1 else 'these hosts'} out with --limit."
        )
        return Verdict([told, *unsettled_hosts(seen, [*passed, *absent])], list(passed))
    left_out = [f"{label}: {', '.join(why[kind])}" for kind, label in _ABSENT.items() if why[kind]]
    if left_out:
        left_out.append(
            "The rollout continues without them. Run it again for them later, or set mastodon_smtp_require_all to let "
            "them stop it."
        )
    return Verdict(left_out, [])


def _kind(known: Known) -> str:
    if any(entry.outcome == "unreachable" for entry in known.entries.values()):
        return "unreachable"
    codes = {one["code"] for one in known.result("instance").get("findings") or ()}
    return "without_mastodon" if codes & NO_MASTODON else "failed"


def preflight_standing(seen: Seen, host: str, hosts: t.Sequence[str], passed: t.Container[str], *, strict: bool) -> str:
    """What a host whose preflight failed reports about the run. Ansible ends the run when all hosts have failed.

    :param hosts: all hosts of the run.
    :param passed: the hosts that are still in the run.
    :param strict: whether a host without Mastodon stops the rollout; otherwise the rollout continues without it.
    """
    silent = preflight_verdict(seen, hosts, passed)["unreachable"]
    told = [f"Did not answer: {_some(silent)}."] if silent else []
    skipped = not strict and _kind(seen[host]) == "without_mastodon"
    told.append(
        "Nothing has been changed on this host; the rollout continues without it."
        if skipped and len(hosts) > 1
        else "Nothing has been changed on any host."
    )
    return " ".join([*told, *unsettled_hosts(seen, [host])])


def fleet_summary(seen: Seen, hosts: t.Sequence[str]) -> list[str]:
    """How the rollout ended: one sentence for each kind of end, then one for each unfinished host.

    :param hosts: all hosts of the run.
    """
    ends: dict[str, list[str]] = {}
    for host in hosts:
        ends.setdefault(_end(seen[host]), []).append(host)
    counted = [f"{end} ({len(ends[end])} of {len(hosts)}): {_some(ends[end])}." for end in ENDS if end in ends]
    return counted + unsettled_hosts(seen, hosts)


def _end(known: Known) -> str:
    label = known.result(RESULT).get("label")
    if label in LABELS:
        return str(label)
    if any(step in known.entries for step in ROLLOUT):
        return "Lost contact during the change"
    return _ABSENT.get(_kind(known), "Not started")


def unsettled_hosts(seen: Seen, hosts: t.Sequence[str]) -> list[str]:
    """What is unfinished on these hosts: one sentence for each host that this run did not finish.

    An earlier run may have left it, or this run lost contact with the host. A host without Sidekiq is only part of a
    server: it is unfinished until another host of the run has proved the queue of the same server.

    :param hosts: the hosts in question.
    """
    found = {host: _unsettled(seen[host]) for host in hosts}
    advice = "Run the rollout again, or undo it with fediops.mastodon.smtp_rollback."
    told = [f"{host}: {', and '.join(facts)}. {advice}" for host, facts in found.items() if facts]
    return told + [_alone(host, seen[host].result(RESULT)) for host in hosts if _is_alone(host, seen, hosts)]


def _is_alone(host: str, seen: Seen, hosts: t.Sequence[str]) -> bool:
    """Whether a host without Sidekiq is finished, but no host of the run proved the queue of its server."""
    own = seen[host].result(RESULT)
    if own.get("check_mode", True) or "sidekiq" in own.get("roles", ["sidekiq"]):
        return False
    others = [seen[other].result(RESULT) for other in hosts]
    return not any(
        other.get("outcome") in ("in order", "changed")
        and "sidekiq" in other.get("roles", [])
        and other.get("local_domain") == own["local_domain"]
        for other in others
    )


def _alone(host: str, result: t.Mapping[str, t.Any]) -> str:
    server = result["local_domain"] or "its server"
    return (
        f"{host} runs no Sidekiq, and no other host of this run proved the queue of {server}. Add the host that runs "
        "its Sidekiq to the group, or include it in --limit."
    )


def _unsettled(known: Known) -> list[str]:
    if known.result(RESULT):
        return []
    looked = known.result("instance").get("instance") or {}
    edit = known.result("edit")
    own = edit.get("unproved") if edit.get("ticket") else ()  # a dry run has no ticket
    missing = own or looked.get("unproved") or ()
    facts = []
    if missing:
        whose = "this rollout" if own else "an earlier rollout"
        facts.append(f"{looked['env_file']} has an unproved edit from {whose}")
    services = [one["name"] for one in on_older_settings(looked)]
    if services and not own:
        verb = "runs" if len(services) == 1 else "run"
        facts.append(f"{' and '.join(services)} still {verb} with the old settings")
    return facts


def before_batch(
    seen: Seen, hosts: t.Sequence[str], batch: t.Sequence[str], sizes: t.Any, tolerated: float = 0
) -> Verdict:
    """Whether a batch begins; it does not if too many hosts of earlier batches failed.

    :param hosts: all hosts of the rollout, in order.
    :param batch: the hosts that are about to begin.
    :param sizes: the batch sizes, as in C(serial).
    :param tolerated: percentage of the hosts before this batch; if more failed, the rollout stops.
    """
    failed = unfinished_hosts(seen, hosts, batch, tolerated)
    if not failed:
        return Verdict([batch_name(hosts, batch, sizes)], [])
    told = (
        f"The rollout failed on {', '.join(failed)}, so it stops here: {', '.join(batch)} and the hosts after have "
        "not been started."
    )
    return Verdict([told, *unsettled_hosts(seen, hosts)], list(hosts[hosts.index(batch[0]) :]))


def _failed(known: Known) -> bool:
    """Whether the rollout of a host failed; one without a result lost contact."""
    return bool(known.result(RESULT).get("fails", True))


def unfinished_hosts(seen: Seen, hosts: t.Sequence[str], batch: t.Sequence[str], tolerated: float = 0) -> list[str]:
    """The failed hosts of earlier batches; empty as long as they are within the tolerated share.

    A host that lost contact during the change has no result and counts as failed.

    :param hosts: all hosts of the rollout, in order.
    :param batch: the hosts that are about to begin.
    :param tolerated: percentage of the hosts before this batch; if more failed, the rollout stops.
    """
    before = list(hosts[: hosts.index(batch[0])]) if batch else []
    bad = [host for host in before if _failed(seen[host])]
    return bad if bad and 100 * len(bad) / len(before) > tolerated else []


def batch_name(hosts: t.Sequence[str], batch: t.Sequence[str], sizes: t.Any) -> str:
    """The title of a batch with its hosts; the first batch is the canary if others follow.

    :param hosts: all hosts of the rollout, in order.
    :param batch: the hosts that are about to begin.
    :param sizes: the batch sizes, as in C(serial); a dry run has one batch.
    """
    begin = hosts.index(batch[0]) if batch else 0
    number, start, steps = 1, 0, sizes if isinstance(sizes, list) else [sizes]
    while (after := start + _batch_size(steps[min(number, len(steps)) - 1], len(hosts))) <= begin:
        number, start = number + 1, after
    first = "Rollout, canary" if len(batch) < len(hosts) else "Rollout"
    return f"{first if number == 1 else f'Rollout, batch {number}'}: {_some(batch)}"


def _batch_size(size: t.Any, hosts: int) -> int:
    """A batch size counted as ansible-core does: a percentage of all hosts, at least one host; 0 means all hosts."""
    text = str(size)
    number = int(float(text[:-1]) / 100 * hosts) or 1 if text.endswith("%") else int(text)
    return number if number > 0 else hosts


#: At most so many hosts are named; the rest are only counted.
_NAMED = 8


def rollout_standing(seen: Seen, hosts: t.Sequence[str], batch: t.Sequence[str]) -> str:
    """What a failed host reports about the others: finished, lost contact during the change, not started.

    :param hosts: all hosts of the rollout, in order.
    :param batch: the hosts still at work; Ansible removes those of the batch that failed or became unreachable.
    """
    begin = hosts.index(batch[0]) if batch else 0
    done = [host for host in hosts[:begin] if not _failed(seen[host])]
    said = [f"Finished: {_some(done)}."] if done else []
    open_ended = [host for host in hosts if host not in batch and not seen[host].result(RESULT)]
    lost = [host for host in open_ended if any(step in seen[host].entries for step in ROLLOUT)]
    if lost:
        said += [f"Lost contact during the change: {_some(lost)}.", *unsettled_hosts(seen, lost)]
    after = [host for host in open_ended if host not in lost]
    if after:
        # Ansible begins no further batch when all hosts of one have failed.
        alone = "The rollout stops here; not started" if len(batch) == 1 else "Not started"
        said.append(f"{alone}: {_some(after)}.")
    return " ".join(said)


def fleet_waiting(seen: Seen, hosts: t.Sequence[str]) -> list[str]:
    """The mails that wait in Sidekiq, and what became of them, on all hosts together."""
    told = {host: seen[host].result("waiting") for host in hosts}
    groups = [group for one in told.values() for group in (one.get("waiting") or {}).get("groups") or ()]
    failed = [one for one in groups if isinstance(one, t.Mapping) and one.get("place") in ("retry", "dead")]
    lines = [f"Mails that failed earlier, on {len(hosts)} hosts: {_total(failed, 'count')}"]
    lines[0] += f", of which {_total(failed, 'expired')} have expired." if failed else "."
    retried = [one["retried"] for one in told.values() if one.get("retried")]
    if retried:
        ends = (("chosen", "chosen"), ("sent", "handed to the relay"), ("failed", "failed again"), ("left", "left"))
        lines.append(f"Retried: {', '.join(f'{_total(retried, name)} {word}' for name, word in ends)}.")
    unseen = [host for host, one in told.items() if one.get("waiting") is None and seen[host].has_sidekiq]
    return [*lines, *([f"Not counted: {_some(unseen)}."] if unseen else [])] if len(hosts) > 1 else []


def _total(counted: t.Iterable[t.Mapping[str, t.Any]], name: str) -> int:
    numbers = (one.get(name) for one in counted if isinstance(one, t.Mapping))
    return sum(one for one in numbers if isinstance(one, int))


def _some(names: t.Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
