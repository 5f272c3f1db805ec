# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the drift check adds to the findings of its steps: where an instance no longer is as the inventory says."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    Code(
        "file-differs",
        "error",
        "The environment file differs from the inventory. Only a warning if Rails uses the same settings anyway.",
        "Run fediops.mastodon.smtp_rollout, or correct the inventory if the file is right.",
    ),
    Code(
        "service-stale",
        "error",
        "A service started before the settings on disk last changed, so it still sends with the old ones.",
        "Run fediops.mastodon.smtp_rollout: it restarts stale services.",
    ),
    Code(
        "check-incomplete",
        "error",
        "A step of the check could not be carried out, so the host may or may not be in order.",
        "Fix what the message names and check again.",
    ),
)
