#!/usr/bin/python

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: smtp_fleet
short_description: Decide whether a rollout over a fleet goes on
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - The playbook C(fediops.mastodon.smtp_rollout) asks it between its plays. It decides from the results that the steps
    of the role P(fediops.mastodon.mastodon_smtp#role) left in this run, for all hosts of the play.
  - It fails where the rollout has to stop. Its message names the hosts that failed, and what is still unfinished. They
    are not the host that Ansible shows the message for, because a failed host runs no further task.
  - Otherwise it shows what an operator should know; it is silent if there is nothing.
  - Runs on the controller and needs no connection. It changes nothing.
options:
  at:
    description:
      - V(preflight), after the preflight of all hosts. Fails if the preflight of a host failed. Lists the hosts that
        did not answer or have no Mastodon, which the rollout leaves out.
      - V(batch), before each batch. Fails if too many hosts of earlier batches failed or lost contact. Shows the name
        of the batch.
      - V(end), after the rollout. Shows how it ended on all hosts, and what is unfinished. Never fails. With
        O(chain=waiting) it adds up the mails that wait on all hosts instead.
    type: str
    required: true
    choices: [preflight, batch, end]
  require_all:
    description: With O(at=preflight), whether hosts that do not answer or have no Mastodon stop the rollout.
    type: bool
    default: false
  batches:
    description: With O(at=batch), the sizes of the batches, as in C(serial).
    type: raw
    default: 100%
  max_fail_percentage:
    description: With O(at=batch), what percentage of the hosts before the batch may have failed.
    type: float
    default: 0.0
extends_documentation_fragment:
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.controller
  - fediops.mastodon.attributes.reads
  - fediops.mastodon.chain
notes:
  - Use it with C(run_once) and O(chain=rollout). The strategies C(free) and C(host_pinned) ignore C(run_once), so there
    each host of a batch gives the same answer.
seealso:
  - module: fediops.mastodon.smtp_summary
"""

EXAMPLES = r"""
- name: Check that every preflight passed
  fediops.mastodon.smtp_fleet:
    chain: rollout
    at: preflight
  run_once: true

- name: Start the batch
  fediops.mastodon.smtp_fleet:
    chain: rollout
    at: batch
    batches: [1, "25%", "100%"]
  run_once: true
"""

RETURN = r"""
msg:
  description:
    - What an operator should know. A list with one sentence per item, or one text if there is only one sentence or the
      rollout stops.
  returned: when there is something to tell
  type: raw
  sample: "Rollout, canary: masto1"
"""
