#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: queued_mail_check
short_description: Send one mail through Mastodon's background queue and follow it to its end
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Account mails of Mastodon go through a queue, from which the running Sidekiq services deliver them with the settings
    that they started with. This module sends one mail that way and follows that very job.
  - With O(reset) it asks for a password reset by the web form, as a user does. Where the form cannot be used (it takes
    no more requests for now, it does not answer, web runs on another host), Rails itself asks for the reset.
  - With O(enqueue) Rails puts one plain test mail into the queue, where no account is at hand.
  - The job is followed in the log. Where the log tells nothing of it (it goes to a file, or C(RAILS_LOG_LEVEL) hides
    it), Rails is asked what Sidekiq keeps of it in Redis.
  - A job that fails is explained by its cause, with what to change. Addresses and tokens in the log are never shown. It
    is removed from the queue again, so that Sidekiq does not send it later.
  - On a host that runs no Sidekiq nothing is sent; prove the queue on the host that does.
options:
  reset:
    description:
      - The mail address of an account of the instance. It gets a mail with a link to set a new password, which may be
        ignored.
      - Mastodon sends no reset to a memorial account or an account without a password. It does to accounts that are not
        confirmed, disabled or suspended.
      - The link is in Sidekiq's log, as with every reset, and works for six hours. Use an unprivileged account.
    type: str
  enqueue:
    description: The address that gets a plain test mail, when O(reset) is not given or that account gets no mail.
    type: str
  deadline:
    description:
      - Seconds to wait for the end of the job once it is in the queue.
      - A temporary refusal is waited out as long, since Sidekiq tries again after some fifteen seconds.
    type: float
    default: 120
  url:
    description:
      - Where the web service is reached for O(reset), such as V(http://127.0.0.1:3000), V(unix:/run/web.sock) or the
        public address.
      - When it is not given, it is where the processes of the web service listen. With Docker Compose it is the
        published port of the web container, or else its own address.
    type: str
  timeout:
    description: Seconds that each boot of Rails may take.
    type: float
    default: 180
  provider_hint:
    description: A sentence about the provider's logins that is added to the fix when a login is rejected.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    details: Nothing is sent. The instance is found, and no more.
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: partial
    details: It never reports a change, but each run sends a mail.
extends_documentation_fragment:
  - fediops.mastodon.instance
  - fediops.mastodon.handed
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.host
  - fediops.mastodon.chain
notes:
  - Needs nothing but Python and the instance's own Ruby on the target.
  - Needs root, by C(become), to read the services' log. With Docker Compose, a user of the group C(docker) is enough.
  - Mastodon's form takes five password resets for an address in half an hour. Each run with O(reset) is one of them.
seealso:
  - module: fediops.mastodon.mailer_check
  - module: fediops.mastodon.mail_services
"""

EXAMPLES = r"""
- name: Send a password reset to an account of the instance, through the queue
  fediops.mastodon.queued_mail_check:
    reset: admin@mastodon.example
  become: true

- name: Send a plain test mail through the queue
  fediops.mastodon.queued_mail_check:
    enqueue: admin@example.com
    deadline: 300
  become: true
"""

RETURN = r"""
outcome:
  description:
    - What became of the mail.
    - V(delivered) means that the relay took it. V(performed) means the same as far as the log tells it. Mastodon 4.3
      and later log that the job ended without an error, but not the delivery itself.
    - V(failed) means that the relay, or something on the way to it, rejected it. V(waiting) means that it was still in
      the queue, or at work, when the time was up.
    - V(not_queued) means that it did not get into the queue, V(not_sent) that nothing was tried, and V(unknown) that
      neither the log nor Redis shows the result.
  returned: always
  type: str
  sample: delivered
way:
  description:
    - V(form) is a password reset by the web form, V(reset) one that Rails itself asked for, V(plain) a test mail.
    - Null when nothing was sent.
  returned: always
  type: str
  sample: form
to:
  description: Who the mail is for. Null when nothing was sent.
  returned: always
  type: str
  sample: admin@mastodon.example
job:
  description: The job in the queue. Null when there was none.
  returned: always
  type: dict
  contains:
    id:
      description: Its id, as the log has it. Empty where only Redis tells of it.
      type: str
    queue:
      description: The queue that it was in.
      type: str
    attempts:
      description: How often it was tried.
      type: int
  sample: {id: 82325230-88b1-4b09-a22b-6622c812af6d, queue: mailers, attempts: 1}
message_id:
  description:
    - The Message-ID of the mail. Null for a password reset on Mastodon 4.3 and later, which do not log it.
  returned: always
  type: str
  sample: 674164a2b1f3_2c8c1d0@mastodon.example
error:
  description: The last error of the job, without addresses. Null when there was none.
  returned: always
  type: dict
  contains:
    class:
      description: The class of the exception.
      type: str
    message:
      description: What it said.
      type: str
  sample: {class: EOFError, message: end of file reached}
waited:
  description: Seconds from the moment that the mail was in the queue to its end.
  returned: always
  type: float
  sample: 1.4
findings:
  description:
    - What was noticed, worst first.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: job-not-picked-up
      severity: error
      subject: Sidekiq
      message: The mail was queued, but no process picked it up in time.
      fix: "List the Sidekiq processes and their queues: one of them must serve mailers."
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
from ansible_collections.fediops.mastodon.plugins.module_utils._files.unproved import proving
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import errors
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.find import find
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Driver
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.queue_check import Question, QueueCheck, Verdict


def question_from(params: t.Mapping[str, t.Any]) -> Question:
    """The question that the options describe."""
    return Question(
        reset=params["reset"] or "",
        enqueue=params["enqueue"] or "",
        known=handed(params).get("queue"),
        deadline=params["deadline"],
        url=params["url"] or "",
        timeout=params["timeout"],
        hint=params["provider_hint"] or "",
    )


def work(driver: Driver, params: t.Mapping[str, t.Any], check_mode: bool) -> Verdict:
    """Send the mail and follow it; in check mode do nothing."""
    return Verdict() if check_mode else QueueCheck(driver, question_from(params)).run()


def run(module: AnsibleModule) -> None:
    check_seconds(module, module.params, 1, "deadline", "timeout")
    driver = find(hints_from(module.params))
    with proving(driver, handed(module.params).get("ticket"), "queue") as proof:
        verdict = work(driver, module.params, module.check_mode)
        if not errors(verdict.findings):
            proof.done()
    conclude(module, verdict.findings, changed=False, **verdict.as_dict())


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            INSTANCE_ARGUMENTS,
            reset={"type": "str"},
            enqueue={"type": "str"},
            deadline={"type": "float", "default": 120},
            url={"type": "str"},
            timeout={"type": "float", "default": 180},
            provider_hint={"type": "str", "default": ""},
        ),
        required_one_of=[("reset", "enqueue")],
        supports_check_mode=True,
    )
    # Rails is booted to enqueue the mail, to look for it, and to remove it.
    limit = module.params["deadline"] + 4 * module.params["timeout"]
    guarded(module, run, limit=limit, **Verdict().as_dict())


if __name__ == "__main__":
    main()
