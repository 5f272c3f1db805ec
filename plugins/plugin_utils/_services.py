# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which services of an instance still run with old settings."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

#: Roles of the services that a rollout restarts; others may run with older settings for other reasons.
MAIL_ROLES = frozenset({"web", "sidekiq"})
#: Deployment -> what is done to a service: a container keeps its environment, so it is recreated.
_RENEWED = {"compose": "recreated"}


def renewed(deployment: t.Any) -> str:
    """The word for what was done to a service to make it use the new settings: restarted or recreated."""
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
