# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What adopting a running instance can meet: settings that cannot be taken over, and files that are in the way."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    Code(
        "adopt-unusable",
        "error",
        "Rails does not start, or sends nothing, with the settings that are on the host; there is nothing to adopt.",
        "Write the settings into the inventory by hand and run fediops.mastodon.smtp_rollout.",
    ),
    Code(
        "adopt-differs",
        "warning",
        "With the adopted settings, Rails would use a different value than it does now.",
        "Check the named setting before the first rollout.",
    ),
    Code(
        "adopt-would-stop",
        "warning",
        "A rollout of the adopted settings would stop at an error.",
        "Correct the setting in the inventory, or accept the named code with mastodon_smtp_accept.",
    ),
    Code(
        "adopt-rewrites",
        "info",
        "A rollout would write these variables differently; Rails uses the same settings either way.",
        "Nothing to do.",
    ),
    Code(
        "adopt-host-name",
        "error",
        "The host's name is not usable as a file name, so the inventory cannot have a folder for it.",
        "Give the host a plain name in the inventory: no slash, no leading dot, no control characters.",
    ),
    Code(
        "adopt-no-folder",
        "error",
        "The host is not defined in an inventory file, so there is no folder to put its variables in.",
        "Name a folder with mastodon_smtp_adopt_dir, or write an inventory file.",
    ),
    Code(
        "adopt-file-exists",
        "error",
        "The inventory already has a file of that name with different content.",
        "Move it away, or set mastodon_smtp_adopt_overwrite: true to replace it.",
    ),
    Code(
        "adopt-hides-file",
        "error",
        "If a folder with the host's name is created, Ansible no longer reads the file of the same name beside it.",
        "Move that file into the folder first.",
    ),
    Code(
        "adopt-no-vault",
        "error",
        "No vault password was given, so Ansible cannot encrypt.",
        "Give one (--vault-id or --vault-password-file), or set mastodon_smtp_adopt_secrets: placeholder.",
    ),
    Code(
        "adopt-write-failed",
        "error",
        "The inventory file could not be read or written on the controller.",
        "See the reason in the message.",
    ),
)
