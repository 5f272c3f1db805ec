# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Earlier runs: what is new since the last one, what is gone, what is still there, and how each host has been."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .document import FINISHED
from .evidence import findings, maps, plain
from .words import HOST_STATES

Plain = t.Any
Document = t.Mapping[str, t.Any]

#: Only these are compared: an open question comes and goes with the network, and an info is nothing wrong.
_COMPARED = frozenset({"error", "warning"})
#: Hosts in these states were not checked to the end, so nothing is known to be gone.
NOT_CHECKED = frozenset({"unreachable", "without", "unfinished", "stopped", "skipped"})
#: How many runs the strip of a host shows, the current one included; more would not fit beside the steps.
SHOWN = 14


def reduced(made: t.Any) -> dict[str, Plain] | None:
    """What later runs need of a report; None for a run that did not finish, or for anything else than a report."""
    run = made.get("run") if isinstance(made, t.Mapping) else None
    if not isinstance(run, t.Mapping) or run.get("state") != FINISHED:
        return None
    hosts = {
        plain(one["name"]): {"state": one["state"], "wrong": _wrong(one)}
        for one in maps(made.get("hosts"))
        if isinstance(one.get("name"), str) and isinstance(one.get("state"), str) and one["state"] in HOST_STATES
    }
    return {"started": plain(str(run.get("started"))), "kind": _kind(run), "hosts": hosts}


def with_history(made: dict[str, Plain], earlier: t.Sequence[Document]) -> dict[str, Plain]:
    """The report with what earlier runs say, which are of the same kind.

    :param earlier: reduced reports, the oldest first.
    """
    same = [one for one in earlier if one["kind"] == _kind(made["run"])]
    hosts = [{**host, "earlier": _strip(host["name"], same)} for host in made["hosts"]]
    return {**made, "since": _since(made, same) if same else None, "hosts": hosts}


def _kind(run: Document) -> list[Plain]:
    return [plain(run.get("purposes")), bool(run.get("check_mode"))]


def _wrong(host: Document) -> list[list[str]]:
    """The errors and warnings of a host: code and subject."""
    cause = host.get("cause")
    found = [*findings(host), *(findings(cause) if isinstance(cause, t.Mapping) else [])]
    return [
        list(one)
        for one in dict.fromkeys((one["code"], one["subject"]) for one in found if one["severity"] in _COMPARED)
    ]


def _strip(name: str, earlier: t.Sequence[Document]) -> list[dict[str, str]]:
    seen = [(one["started"], one["hosts"][name]["state"]) for one in earlier if name in one["hosts"]]
    return [{"started": started, "state": state} for started, state in seen[-SHOWN + 1 :]]


def _since(made: Document, same: t.Sequence[Document]) -> dict[str, Plain]:
    """The differences of each host to the last run that checked it to the end."""
    groups: dict[str, dict[str, list[str]]] = {"new": {}, "gone": {}, "still": {}}
    for host in made["hosts"]:
        kept = [one["hosts"][host["name"]] for one in same if host["name"] in one["hosts"]]
        before = next((one for one in reversed(kept) if one["state"] not in NOT_CHECKED), None)
        if before is None or host["state"] in NOT_CHECKED:
            continue
        now, then = ([tuple(one) for one in some] for some in (_wrong(host), before["wrong"]))
        for code, subject in dict.fromkeys([*now, *then]):
            group = "gone" if (code, subject) not in now else "still" if (code, subject) in then else "new"
            hosts = groups[group].setdefault(code, [])
            if host["name"] not in hosts:
                hosts.append(host["name"])
    listed = {group: [{"code": code, "hosts": hosts} for code, hosts in some.items()] for group, some in groups.items()}
    return {"started": same[-1]["started"], **listed}
