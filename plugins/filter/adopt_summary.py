# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._summary import adopt_summary


class FilterModule:
    """Filters about an adoption."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"adopt_summary": adopt_summary}
