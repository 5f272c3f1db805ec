#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: waiting_mails
short_description: Show the mails that wait in Mastodon's Sidekiq, and retry them
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - When mail fails, it waits in Sidekiq's retry set for hours, and at last in its dead set for good. This module counts
    these mails, and how many of them still make sense.
  - With O(retry) it gives them their turn now, a few at a time, and follows each to its end.
  - The first mail goes alone. When three in a row fail again, the rest is left as it is.
  - Only mails that failed are retried, and Sidekiq itself sends them. No other job is touched. A run that is cut short
    leaves each mail where it was, or sent once.
  - A try that fails counts as one of Sidekiq's own. A mail of the dead set that fails again goes back there.
options:
  retry:
    description:
      - Which mails to retry. V(none) only shows them.
      - V(fresh) retries what still makes sense. It leaves links that have expired, mails that cannot be judged, mails
        whose last failure is more than 14 days ago, and mails whose recipient does not exist according to the relay.
      - V(all) retries these too, but no mail about a record that is gone.
    type: str
    choices: [none, fresh, all]
    default: none
  rate:
    description: How many mails may be sent in a minute, from 1 to 600.
    type: int
    default: 20
  drop_expired:
    description: With O(retry=fresh), deletes the mails whose link has expired, once the others have had their turn.
    type: bool
    default: false
  deadline:
    description: Seconds that the retry may take. The mails that have not had their turn by then are left.
    type: float
    default: 1800
  timeout:
    description: Seconds that the boot of Rails may take.
    type: float
    default: 180
  provider_hint:
    description: A sentence about the provider's logins that is added to the fix when a login is rejected.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    details: The mails are counted, and RV(retried.chosen) says how many would be retried. Nothing is sent or deleted.
  diff_mode:
    support: none
    details: The mails in Sidekiq are no text that could be compared.
  idempotent:
    support: partial
    details: A mail that was sent is not sent again. One that failed again is retried by the next run.
extends_documentation_fragment:
  - fediops.mastodon.instance
  - fediops.mastodon.handed
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.host
  - fediops.mastodon.chain
notes:
  - Needs nothing but Python and the instance's own Ruby on the target.
  - Needs root, by C(become), or the instance's own user. With Docker Compose, a user of the group C(docker) is enough.
  - No address, argument or token of a mail leaves the host.
seealso:
  - module: fediops.mastodon.mailer_check
  - module: fediops.mastodon.queued_mail_check
"""

EXAMPLES = r"""
- name: Show the mails that wait
  fediops.mastodon.waiting_mails:
  become: true

- name: Retry what still makes sense, ten mails a minute
  fediops.mastodon.waiting_mails:
    retry: fresh
    rate: 10
  become: true
"""

RETURN = r"""
waiting:
  description:
    - The mails that waited in Sidekiq before anything was retried, as M(fediops.mastodon.mailer_check) returns
      them.
    - Null when Rails did not answer.
  returned: always
  type: dict
  sample: {complete: true, error: "", groups: []}
retried:
  description: What became of the mails, in numbers. Null with O(retry=none).
  returned: always
  type: dict
  contains:
    chosen:
      description: How many were to be retried.
      type: int
    sent:
      description: >-
        How many left Sidekiq without a failure: they were handed to the relay, unless Mastodon had no mail to send any
        more, for instance because the account is suspended by now. Whether a mail arrives is not seen.
      type: int
    failed:
      description: How many failed again. Sidekiq keeps them.
      type: int
    passed:
      description: How many no longer waited when their turn came.
      type: int
    moving:
      description: How many were still on their way when the time was up, or were lost sight of.
      type: int
    left:
      description: How many did not have their turn.
      type: int
    expired:
      description: How many were not retried because their link has expired.
      type: int
    dropped:
      description: How many of these were deleted.
      type: int
    refused:
      description: How many were not retried because their recipient does not exist.
      type: int
    old:
      description: How many were not retried because their last failure was more than 14 days ago.
      type: int
    stopped:
      description: >-
        Why some did not have their turn. V(failures) in a row, the V(time) was up, no Sidekiq process takes them
        (V(idle)), in a rollout Sidekiq on another host
        takes them (V(elsewhere)), or an V(error). Null if each had its turn.
      type: str
  sample:
    chosen: 11
    sent: 11
    failed: 0
    passed: 0
    moving: 0
    left: 0
    expired: 3
    dropped: 0
    refused: 0
    old: 0
    stopped: null
findings:
  description:
    - What was noticed, worst first.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: mails-retried
      severity: info
      subject: Sidekiq
      message: 11 of 11 mails that failed earlier were handed to the relay.
      fix: Nothing, unless some were left.
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fediops.mastodon.plugins.module_utils._edge import (
    INSTANCE_ARGUMENTS,
    check_seconds,
    conclude,
    guarded,
    handed,
    hints_from,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.find import find
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.retry_check import Verdict, retry
from ansible_collections.fediops.mastodon.plugins.module_utils._waiting.retry import FASTEST, Wish


def wish_from(params: t.Mapping[str, t.Any], check_mode: bool) -> Wish:
    """What the options ask for."""
    return Wish(
        which=params["retry"],
        rate=params["rate"],
        drop_expired=params["drop_expired"],
        seconds=params["deadline"],
        act=not check_mode,
    )


def run(module: AnsibleModule) -> None:
    params = module.params
    check_seconds(module, params, 1, "deadline", "timeout")
    if not 1 <= params["rate"] <= FASTEST:
        module.fail_json(msg=f"rate must be between 1 and {FASTEST} mails a minute, not {params['rate']}.")
    driver = find(hints_from(params))
    wish, hint = wish_from(params, module.check_mode), params["provider_hint"] or ""
    verdict = retry(driver, wish, hint, params["timeout"], rolling=bool(handed(params).get("repairing")))
    conclude(module, verdict.findings, changed=verdict.changed, **verdict.as_dict())


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            INSTANCE_ARGUMENTS,
            retry={"type": "str", "choices": ["none", "fresh", "all"], "default": "none"},
            rate={"type": "int", "default": 20},
            drop_expired={"type": "bool", "default": False},
            deadline={"type": "float", "default": 1800},
            timeout={"type": "float", "default": 180},
            provider_hint={"type": "str", "default": ""},
        ),
        supports_check_mode=True,
    )
    guarded(module, run, limit=module.params["deadline"] + 2 * module.params["timeout"], **Verdict().as_dict())


if __name__ == "__main__":
    main()
