# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters about a fleet: whether a rollout may go on, from what the steps of its hosts recorded in this run."""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fediops.mastodon.plugins.plugin_utils import _gate


def preflight_verdict(hosts: t.Sequence[str], passed: t.Container[str]) -> dict[str, list[str]]:
    return _gate.preflight_verdict(_gate.seen_of(hosts), hosts, passed)


def preflight_standing(host: str, hosts: t.Sequence[str], passed: t.Container[str], strict: t.Any = False) -> str:
    return _gate.preflight_standing(_gate.seen_of(hosts), host, hosts, passed, strict=boolean(strict, strict=False))


def fleet_summary(hosts: t.Sequence[str]) -> list[str]:
    return _gate.fleet_summary(_gate.seen_of(hosts), hosts)


def unsettled_hosts(hosts: t.Sequence[str]) -> list[str]:
    return _gate.unsettled_hosts(_gate.seen_of(hosts), hosts)


def unfinished_hosts(hosts: t.Sequence[str], batch: t.Sequence[str], tolerated: float = 0) -> list[str]:
    return _gate.unfinished_hosts(_gate.seen_of(hosts), hosts, batch, tolerated)


def rollout_standing(hosts: t.Sequence[str], batch: t.Sequence[str]) -> str:
    return _gate.rollout_standing(_gate.seen_of(hosts), hosts, batch)


def batch_name(hosts: t.Sequence[str], batch: t.Sequence[str], sizes: t.Any) -> str:
    return _gate.batch_name(hosts, batch, sizes)


class FilterModule:
    """Whether a rollout may go on, and what to report about the other hosts."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "preflight_verdict": preflight_verdict,
            "preflight_standing": preflight_standing,
            "fleet_summary": fleet_summary,
            "unsettled_hosts": unsettled_hosts,
            "unfinished_hosts": unfinished_hosts,
            "rollout_standing": rollout_standing,
            "batch_name": batch_name,
        }
