# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The option of the modules that prove something about an edit."""

    DOCUMENTATION = r"""
options:
  ticket:
    description:
      - The RV(fediops.mastodon.env_file#module:ticket) of the edit that this step proves. Success is then noted beside
        the environment file, so a later run does not do it again.
      - The module fails before it does anything when another run has taken over the edit.
    type: str
"""
