# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The codes in mastodon_smtp_accept: which findings they mean, and which of them no finding has."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings import (
    adopt,
    arrival,
    compose,
    delivery,
    drift,
    env_file,
    instance,
    mailer,
    provider,
    queue,
    refusals,
    relay,
    sender_dns,
    settings,
    waiting,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, Table
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.nearest import did_you_mean

#: Every area of findings.
TABLES: tuple[Table, ...] = tuple(
    area.TABLE
    for area in (
        adopt,
        arrival,
        compose,
        delivery,
        drift,
        env_file,
        instance,
        mailer,
        provider,
        queue,
        refusals,
        relay,
        sender_dns,
        settings,
        waiting,
    )
)


#: For a step that has done its whole work whatever it found.
EVERY_CODE: frozenset[str] = frozenset(code for table in TABLES for code in table.rows)


def accepted_codes(given: t.Iterable[str]) -> frozenset[str]:
    """The codes that are meant, whatever they were called when the operator wrote them."""
    codes = frozenset(given)
    return frozenset[str]().union(*(table.named(codes) for table in TABLES))


def unknown_codes(given: t.Iterable[str]) -> list[Finding]:
    """A finding for each code that no finding has, so that a misspelt one is not silently ignored."""
    known = {name for table in TABLES for row in table.rows.values() for name in (row.code, *row.formerly)}
    return [
        settings.TABLE.finding("accept-unknown", "mastodon_smtp_accept", f'No finding has the code "{code}"{asked}')
        for code in dict.fromkeys(given)
        if code not in known
        for asked in (did_you_mean(code, known),)
    ]
