# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of the host must not say where to look. The module of the same name does the work on the target."""

from __future__ import annotations

from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import TargetStep


class ActionModule(TargetStep):
    """The controller's half of the step C(instance_info)."""
