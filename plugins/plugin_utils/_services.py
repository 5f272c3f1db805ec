# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which services of an instance are not as a rollout leaves them."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

#: Services that a rollout restarts for the mail; others run on older settings for other reasons.
MAIL_ROLES = frozenset({"web", "sidekiq"})
#: What is done to a service, by the way of deployment: a container keeps its environment, so it is replaced.
_RENEWED = {"compose": "recreated"}


def renewed(deployment: t.Any) -> str:
    """What a service was, when it was brought onto the present settings."""
    return _RENEWED.get(str(deployment), "restarted")


def on_older_settings(instance: t.Mapping[str, t.Any] | None) -> list[t.Mapping[str, t.Any]]:
    """The services that send mail with settings older than the file's.

    :param instance: C(instance) as instance_info returns it; None where there is none.
    """
    return [
        one
        for one in (instance or {}).get("services") or ()
        if one["role"] in MAIL_ROLES and one["stale"] and one["state"] == "running"
    ]
