# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters about one host."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._summary import host_summary


class FilterModule:
    """How a host ended, in sentences."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"host_summary": host_summary}
