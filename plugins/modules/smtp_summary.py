#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: smtp_summary
short_description: Sum up the results of the role's steps on a host
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Every step of the role P(fediops.mastodon.mastodon_smtp#role) leaves its result for the rest of the run. This module
    makes one result of them, which the role registers as C(mastodon_smtp_result) or C(mastodon_smtp_drift).
  - O(chain=preflight) fails with everything that is wrong with the host at once. What else went wrong is RV(fails)
    and RV(summary), with which O(show=true) fails.
  - Runs on the controller and needs no connection. It changes nothing.
options:
  fleet:
    description:
      - Whether the host is part of a rollout over a fleet (M(fediops.mastodon.smtp_fleet)).
      - If it fails, it then also says what that means for the other hosts of the play, because Ansible ends a play
        without another word when all hosts of a batch have failed. If its preflight passed, it joins the hosts of which
        the playbook makes the batches.
    type: bool
    default: false
  show:
    description:
      - Instead of summing up, show the summary that an earlier step of this kind made of the host, or fail with it.
      - A step either registers its whole result or shows a part of it, so this takes two.
    type: bool
    default: false
  failed_task:
    description: In a C(rescue), the name of the task that failed. It counts where no step has said what is wrong.
    type: str
  failed_message:
    description: In a C(rescue), C(ansible_failed_result.msg).
    type: str
extends_documentation_fragment:
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.controller
  - fediops.mastodon.attributes.reads
  - fediops.mastodon.chain
notes:
  - O(chain) is required here; V(adopt) has nothing to sum up.
seealso:
  - module: fediops.mastodon.smtp_fleet
"""

EXAMPLES = r"""
- name: Sum up
  fediops.mastodon.smtp_summary:
    chain: rollout
  register: mastodon_smtp_result

- name: Result
  fediops.mastodon.smtp_summary:
    chain: rollout
    show: true
"""

RETURN = r"""
outcome:
  description:
    - How the host ended. V(changed), V(in order), V(would change), V(rolled back), V(would roll back), V(failed),
      V(not proved) where the new settings are in use but no mail has proved the queue, or V(in part) where tags have
      left steps out.
  returned: with O(chain) V(rollout), V(undo) and V(rollback)
  type: str
  sample: changed
fails:
  description: Whether the role fails the host.
  returned: unless O(chain=preflight)
  type: bool
  sample: false
label:
  description: The headline in a few words, such as V(Done and proved), V(Done, not proved), V(In order with warnings),
    V(Not in order) or V(Failed, undone).
  returned: with O(chain) V(rollout), V(undo) and V(check)
  type: str
  sample: Done and proved
headline:
  description: The first line of the summary. It is computed from the findings, and contradicts none of them.
  returned: with O(chain) V(rollout), V(undo) and V(check), when every step had its turn
  type: str
  sample: "Done and proved: the mail settings are in place and in use."
to_prove:
  description: What to do to have the queue proved.
  returned: with O(chain=rollout)
  type: list
  elements: str
  sample: []
cause:
  description: What failed first (C(step), C(message), C(findings)).
  returned: when RV(fails)
  type: dict
  sample:
    step: Check Rails and send the test message
    message: "smtp.example.org:587: The relay rejected the login. [login-refused]"
    findings: []
undone:
  description: What became of the file and the services.
  returned: when RV(outcome) is V(failed) or V(not proved)
  type: str
  sample: /home/mastodon/live/.env.production was restored byte for byte, and the services run on it again.
in_order:
  description: Whether the host is as the inventory says, without any error; C(findings) has all findings, C(blocking)
    those that block.
  returned: with O(chain=check)
  type: bool
  sample: true
summary:
  description: The same for people, a line for each fact, or one text when the host failed.
  returned: when every step had its turn
  type: raw
  sample:
    - "Done and proved: the mail settings are in place and in use."
"""
