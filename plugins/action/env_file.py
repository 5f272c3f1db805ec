# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the secrets of an edit out of what Ansible shows. The module of the same name does the work on the target."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import TargetStep


class ActionModule(TargetStep):
    """The controller's half of the step C(env_file)."""

    SECRETS: t.ClassVar[frozenset[str]] = frozenset({"secrets"})
