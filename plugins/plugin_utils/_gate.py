# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a rollout may go on: after the preflight of the whole fleet, and before each batch."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import ROLLOUT, Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Record
from ansible_collections.fediops.mastodon.plugins.plugin_utils._services import on_older_settings

Seen = t.Mapping[str, Known]
#: How the record calls what the rollout of a host came to.
RESULT = "result"
#: Findings that mean: there is no Mastodon on this host.
NO_MASTODON = frozenset({"no-instance", "no-systemd", "no-compose-instance", "no-engine"})

#: How the rollout of a host can end, in the words of the fleet's summary.
_ENDS_OF = {
    "changed": "Done",
    "in order": "In order",
    "would change": "Would change",
    "in part": "Done in part",
    "failed": "Failed",
}
_ABSENT = {"unreachable": "Did not answer", "without_mastodon": "Without Mastodon"}
#: In the order in which they are told.
ENDS = (*_ENDS_OF.values(), "Lost contact during the change", *_ABSENT.values(), "Not started")


def seen_of(hosts: t.Iterable[str]) -> Seen:
    """What the steps of these hosts have left in this run."""
    return {host: Known(Record(host).entries()) for host in hosts}


def preflight_verdict(seen: Seen, hosts: t.Sequence[str], passed: t.Container[str]) -> dict[str, list[str]]:
    """Why hosts have dropped out of the preflight: C(unreachable), C(without_mastodon), or it C(failed).

    :param hosts: all hosts of the run.
    :param passed: those that are still in it.
    """
    verdict: dict[str, list[str]] = {"failed": [], "unreachable": [], "without_mastodon": []}
    for host in hosts:
        if host not in passed:
            verdict[_kind(seen[host])].append(host)
    return verdict


def _kind(known: Known) -> str:
    if any(entry.outcome == "unreachable" for entry in known.entries.values()):
        return "unreachable"
    codes = {one["code"] for one in known.result("instance").get("findings") or ()}
    return "without_mastodon" if codes & NO_MASTODON else "failed"


def preflight_standing(seen: Seen, host: str, hosts: t.Sequence[str], passed: t.Container[str], *, strict: bool) -> str:
    """What a host whose preflight failed says of the others. Ansible ends the run when all have failed.

    :param hosts: all hosts of the run.
    :param passed: those that are still in it.
    :param strict: whether a host without Mastodon stops the rollout; else it goes on without that host.
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
    """How a rollout ended, a sentence for each kind of end, and then what is unfinished.

    :param hosts: all hosts of the run.
    """
    ends: dict[str, list[str]] = {}
    for host in hosts:
        ends.setdefault(_end(seen[host]), []).append(host)
    counted = [f"{end} ({len(ends[end])} of {len(hosts)}): {_some(ends[end])}." for end in ENDS if end in ends]
    return counted + unsettled_hosts(seen, hosts)


def _end(known: Known) -> str:
    outcome = known.result(RESULT).get("outcome")
    if outcome in _ENDS_OF:
        return _ENDS_OF[outcome]
    if any(step in known.entries for step in ROLLOUT):
        return "Lost contact during the change"
    return _ABSENT.get(_kind(known), "Not started")


def unsettled_hosts(seen: Seen, hosts: t.Sequence[str]) -> list[str]:
    """What is half done on hosts that this run did not bring to an end: a sentence for each such host.

    It may be left by an earlier run, or by this one where the host was lost on the way. A host without Sidekiq is half
    of a server: it is done when a host of the run has proved the queue of the same server.

    :param hosts: the hosts in question.
    """
    found = {host: _unsettled(seen[host]) for host in hosts}
    advice = "Run the rollout again, or undo it with fediops.mastodon.smtp_rollback."
    told = [f"{host}: {', and '.join(facts)}. {advice}" for host, facts in found.items() if facts]
    return told + [_alone(host, seen[host].result(RESULT)) for host in hosts if _is_alone(host, seen, hosts)]


def _is_alone(host: str, seen: Seen, hosts: t.Sequence[str]) -> bool:
    """Whether a host without Sidekiq is done, and no host of the run sends the mail of its server."""
    own = seen[host].result(RESULT)
    if own.get("check_mode", True) or "sidekiq" in own.get("roles", ["sidekiq"]):
        return False
    others = [seen[other].result(RESULT) for other in hosts]
    return not any(
        (other.get("outcome") == "in order" or other.get("queued_mail"))
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


def unfinished_hosts(seen: Seen, hosts: t.Sequence[str], batch: t.Sequence[str], tolerated: float = 0) -> list[str]:
    """The hosts before this batch that have not ended well; empty as long as no more of them than tolerated.

    A host that was lost on the way has not ended at all, so it is one of them.

    :param hosts: all hosts of the rollout, in its order.
    :param batch: the hosts that are about to begin.
    :param tolerated: per cent of the hosts before this batch; more stop the rollout.
    """
    before = list(hosts[: hosts.index(batch[0])]) if batch else []
    bad = [host for host in before if seen[host].result(RESULT).get("outcome", "failed") == "failed"]
    return bad if bad and 100 * len(bad) / len(before) > tolerated else []


def batch_name(hosts: t.Sequence[str], batch: t.Sequence[str], sizes: t.Any) -> str:
    """A batch of the rollout on screen, with its hosts: the first one is the canary where others follow it.

    :param hosts: all hosts of the rollout, in its order.
    :param batch: the hosts that are about to begin.
    :param sizes: those of the batches, as in C(serial); a dry run has one batch.
    """
    begin = hosts.index(batch[0]) if batch else 0
    number, start, steps = 1, 0, sizes if isinstance(sizes, list) else [sizes]
    while (after := start + _batch_size(steps[min(number, len(steps)) - 1], len(hosts))) <= begin:
        number, start = number + 1, after
    first = "Rollout, canary" if len(batch) < len(hosts) else "Rollout"
    return f"{first if number == 1 else f'Rollout, batch {number}'}: {_some(batch)}"


def _batch_size(size: t.Any, hosts: int) -> int:
    """As ansible-core counts it: a percentage is of all hosts and at least one host, and 0 means all of them."""
    text = str(size)
    number = int(float(text[:-1]) / 100 * hosts) or 1 if text.endswith("%") else int(text)
    return number if number > 0 else hosts


#: So many hosts are named; of the others only the number is said.
_NAMED = 8


def rollout_standing(seen: Seen, hosts: t.Sequence[str], batch: t.Sequence[str]) -> str:
    """What a failing host says of the hosts around it: which are done, lost, half done, and which nobody has touched.

    :param hosts: all hosts of the rollout, in its order.
    :param batch: the hosts that are still at work; Ansible has taken out those of the batch that failed or were lost.
    """
    begin = hosts.index(batch[0]) if batch else 0
    done = [host for host in hosts[:begin] if seen[host].result(RESULT).get("outcome", "failed") != "failed"]
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


def _some(names: t.Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
