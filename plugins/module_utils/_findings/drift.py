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
        "The environment file is not as the inventory says. A warning where Rails uses the same settings all the same.",
        "Run fediops.mastodon.smtp_rollout, or correct the inventory if the file is right.",
    ),
    Code(
        "service-stale",
        "error",
        "A service started before the settings on disk last changed, so it still sends with the old ones.",
        "Run fediops.mastodon.smtp_rollout: it restarts what runs on old settings.",
    ),
    Code(
        "check-incomplete",
        "error",
        "A step of the check could not be carried out, so it is not known whether all is in order.",
        "Correct what the message says and check again.",
    ),
)
