# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The meaning of the attributes, and the support that modules have in common. Each module states the rest itself."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
notes:
  - Messages name the variables of the role, such as C(mastodon_smtp_tls). Where a module is used alone, the option of
    that name without C(mastodon_smtp_) is meant, of this module or of the one that its input came from.
attributes:
  action:
    description:
      - Indicates this has a corresponding action plugin so some parts of the options can be executed on the
        controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
"""

    # For modules that work on the target.
    HOST = r"""
options: {}
attributes:
  action:
    details: The controller limits the host's answer and makes it safe to show; everything else happens on the target.
  async:
    details: The answer of a job in the background would not pass through the controller's part.
"""

    # For modules that work on the controller.
    CONTROLLER = r"""
options: {}
attributes:
  async:
    details: Runs completely on the controller.
"""

    # For modules that only look.
    READS = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: Reads only, and does the same in check mode.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: full
    details: Changes nothing.
"""
