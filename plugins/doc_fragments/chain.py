# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option that makes a step part of the role."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  chain:
    description:
      - Which part of the role P(fediops.mastodon.mastodon_smtp#role) this step belongs to. Leave it out in plays of
        your own.
      - As one of the role's steps it takes what it is not told from the steps that ran before it for this host in the
        same run (the instance, the plan, what is pending), and leaves itself out where there is nothing to do.
      - With V(rollout), V(rollback) and V(adopt), a step that fails shows its sentences alone; the rest of the result
        is C(_ansible_evidence) of C(ansible_failed_result) in a C(rescue).
      - With V(preflight), V(check), V(undo) and V(waiting) it does not fail, and M(fediops.mastodon.smtp_summary) says
        what is wrong.
      - Every module of this collection takes it, so C(module_defaults) of C(group/fediops.mastodon.chain) sets it.
    type: str
    choices: [preflight, rollout, undo, rollback, check, adopt, waiting]
"""
