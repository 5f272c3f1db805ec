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
        "With the adopted settings Rails would use another value than it does now.",
        "Look at the named setting before the first rollout.",
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
        "A rollout would write these variables in another way; Rails uses the same settings either way.",
        "Nothing to do.",
    ),
    Code(
        "adopt-host-name",
        "error",
        "The host has a name that cannot be the name of a file, so it can have no folder of its own in the inventory.",
        "Give the host a plain name in the inventory: no slash, no leading dot, no control characters.",
    ),
    Code(
        "adopt-no-folder",
        "error",
        "The host comes from no inventory file, so there is no folder beside one for its variables.",
        "Name a folder with mastodon_smtp_adopt_dir, or write an inventory file.",
    ),
    Code(
        "adopt-file-exists",
        "error",
        "The inventory already has a file of that name that says something else.",
        "Move it away, or set mastodon_smtp_adopt_overwrite: true to replace it.",
    ),
    Code(
        "adopt-hides-file",
        "error",
        "With a folder of the host's name, Ansible would no longer read the file of that name beside it.",
        "Move that file into the folder first.",
    ),
    Code(
        "adopt-no-vault",
        "error",
        "Ansible was given no vault password to encrypt with.",
        "Give one (--vault-id or --vault-password-file), or set mastodon_smtp_adopt_secrets: placeholder.",
    ),
    Code(
        "adopt-write-failed",
        "error",
        "The system of the controller refused to read or write the inventory file.",
        "See the reason given.",
    ),
)
