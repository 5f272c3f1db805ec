# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service's role in Mastodon, from its program, its processes or its name. No I/O here."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from .model import Role

#: How a service's role is recognised, best evidence first: its program, then its process titles, then its name.
#: Sources: Mastodon dist/*.service; Puma and Sidekiq set their process titles when they run.
_BY_PROGRAM: tuple[tuple[re.Pattern[str], Role], ...] = (
    (re.compile(r"(?:^|[\s/'\"])sidekiq(?:swarm)?(?=$|[\s'\";])"), "sidekiq"),
    (re.compile(r"(?:^|[\s/'\"])(?:puma|pumactl|unicorn|passenger)(?=$|[\s'\";])"), "web"),
    (re.compile(r"(?:^|[\s/'\"])rails['\"]?\s+s(?:erver)?(?=$|[\s'\";])"), "web"),
    (re.compile(r"(?:^|[\s/'\"@])streaming(?:/index\.m?js|/)?(?=$|[\s'\";])"), "streaming"),
)
_BY_TITLE: tuple[tuple[re.Pattern[str], Role], ...] = (
    (re.compile(r"^sidekiq(?:swarm)? \d"), "sidekiq"),
    (re.compile(r"^puma(?::| \d)"), "web"),
    (re.compile(r"^\S*node\s.*streaming"), "streaming"),
)
_BY_NAME: tuple[tuple[re.Pattern[str], Role], ...] = (
    (re.compile(r"sidekiq"), "sidekiq"),
    (re.compile(r"streaming"), "streaming"),
    (re.compile(r"(?:^|[-_.@])(?:web|puma)(?=[-_.@]|$)"), "web"),
)
#: Programs that run in Mastodon's directory but are not its services (tootctl timers, exporters, migrations).
_BESIDE = re.compile(r"(?:^|[\s/'\"])(?:tootctl|prometheus_exporter|rake|opentelemetry\S*)(?=$|[\s'\";])")


def role_by(program: str, titles: t.Iterable[str], names: t.Iterable[str]) -> Role | None:
    """A service's role in Mastodon; None if it has none of the three, or it is unknown.

    :param program: the command that it is started with.
    :param titles: the titles of its processes, if known.
    :param names: its names.
    """
    if _BESIDE.search(program):
        return None
    evidence: tuple[tuple[tuple[tuple[re.Pattern[str], Role], ...], t.Iterable[str]], ...] = (
        (_BY_PROGRAM, [program]),
        (_BY_TITLE, titles),
        (_BY_NAME, names),
    )
    for rows, texts in evidence:
        for text in texts:
            for shape, role in rows:
                if shape.search(text):
                    return role
    return None
