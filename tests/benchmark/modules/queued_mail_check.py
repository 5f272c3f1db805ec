# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the module of this name: the same result without an instance behind it. See ../fleet.py."""

from __future__ import annotations

from ansible_collections.fediops.mastodon.plugins.module_utils._stand_in import queued_mail_check as answer
from ansible_collections.fediops.mastodon.plugins.module_utils._stand_in import run

if __name__ == "__main__":
    run(answer)
