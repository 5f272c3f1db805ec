#!/usr/bin/python
# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mailer_check
short_description: Ask Mastodon's own Rails which mail settings it uses, and send a test message through them
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Boots the instance's Rails once, by C(bin/rails runner), as the instance's user and with the environment of its
    Sidekiq service, which sends nearly all mail; of its web service where no Sidekiq runs. This fresh process reads the
    settings that are on disk now, whatever the running services still use.
  - With Docker Compose, this process runs in its own container, made like those of the Sidekiq service from the files
    as they are now (C(docker compose run --rm --no-deps)). Planned values go into it by standard input only.
  - Reports what ActionMailer actually uses for the main relay and, if there is one, the bulk relay. Differences from
    what was planned are errors that name the layer that overrides the file.
  - Compares the passwords that Rails holds with the intended ones by a salted digest. A password that was changed on
    its way by quoting is found this way before a relay rejects it.
  - Sends a short test message through each relay when O(send_to) is given. A failure is explained by its cause, with
    what to change.
  - If nothing is sent, the message is still built up to the connection. Settings that the mail gem rejects are
    found so without a network.
options:
  expected:
    description:
      - The settings that Rails must use, as RV(fediops.mastodon.smtp_settings#module:plan) has them in C(effective).
      - Nothing is compared when it is not given.
    type: dict
  set:
    description:
      - The variables that were written to the environment file, or in check mode would be.
      - Outside check mode only its logins are used, to compare them with those that Rails holds.
    type: dict
    default: {}
  secrets:
    description: The same for variables whose values are secret.
    type: dict
    default: {}
  remove:
    description: The variables that were removed from the environment file, or in check mode would be.
    type: list
    elements: str
    default: []
  send_to:
    description:
      - The address that the test messages go to. Nothing is sent when it is not given.
      - Nothing is ever sent in check mode.
    type: str
  send_bulk:
    description: Whether to send a message through the bulk relay too, where one is configured.
    type: bool
    default: true
  queue_account:
    description:
      - The mail address of an account of the instance, to which M(fediops.mastodon.queued_mail_check) is to send a
        password reset. Nothing is sent to it here.
      - Rails says whether this account gets mail, and whether Mastodon's web form takes another request for it now.
    type: str
  queue_recipient:
    description:
      - The address to which M(fediops.mastodon.queued_mail_check) is to send a plain mail where there is no such
        account. Where it is the address of an account itself, a password reset proves more and is taken, unless
        Mastodon is rate-limiting resets for it.
    type: str
  timeout:
    description: Seconds that booting Rails and sending may take together. After that all of it is ended.
    type: float
    default: 180
  provider_hint:
    description: A sentence about the provider's logins that is added to the fix when a login is rejected.
    type: str
    default: ""
  bulk_provider_hint:
    description: The same for the bulk relay.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    details: >-
      Rails is shown the environment file as it would be after the edit, without writing it. With Docker Compose it is
      shown the planned variables in the container's environment. The verdict and the differences are Rails' own.
      Nothing is sent.
  diff_mode:
    support: none
    details: It changes nothing. RV(differences) lists what differs from the plan.
  idempotent:
    support: partial
    details: It never reports a change, but each run with O(send_to) sends messages.
extends_documentation_fragment:
  - fediops.mastodon.instance
  - fediops.mastodon.handed
  - fediops.mastodon.attributes
  - fediops.mastodon.attributes.host
  - fediops.mastodon.chain
  - fediops.mastodon.readers.detected
notes:
  - Needs nothing but Python and the instance's own Ruby on the target.
  - Needs root, by C(become), or the instance's own user. With Docker Compose, a user of the group C(docker) is enough.
  - Bootsnap's cache in C(tmp/cache) of the instance is read. Bootsnap may add to it, from version 1.16 (Mastodon 4.1)
    on only a few files that are missing; in check mode it adds nothing, and an older one is left out.
  - Booting Mastodon takes some ten seconds of processor time and several hundred megabytes of memory for that time.
seealso:
  - module: fediops.mastodon.smtp_settings
  - module: fediops.mastodon.env_file
  - module: fediops.mastodon.queued_mail_check
"""

EXAMPLES = r"""
- name: See which mail settings Rails uses
  fediops.mastodon.mailer_check:
  become: true

- name: Send a test message
  fediops.mastodon.mailer_check:
    send_to: admin@example.com
  become: true

- name: Check a plan after it was written, and send a test message
  fediops.mastodon.mailer_check:
    expected: "{{ settings.plan.effective }}"
    set: "{{ settings.plan.set }}"
    secrets:
      SMTP_PASSWORD: "{{ vaulted_smtp_password }}"
    remove: "{{ settings.plan.remove }}"
    send_to: admin@example.com
  become: true
"""

RETURN = r"""
rails:
  description: The versions of what sends the mail. Null when Rails did not answer.
  returned: always
  type: dict
  contains:
    release:
      description: Mastodon's release.
      type: str
    rails:
      description: The version of Rails.
      type: str
    mail:
      description: The version of the mail gem.
      type: str
    net_smtp:
      description: The version of net-smtp. Null where Ruby's own one does not tell.
      type: str
    ruby:
      description: The version of Ruby.
      type: str
  sample: {release: 4.3.8, rails: 7.1.5, mail: 2.8.1, net_smtp: 0.5.1, ruby: 3.3.6}
effective:
  description:
    - What Rails uses, without logins and passwords. Null when Rails did not answer.
    - It has the same keys as the C(effective) of a plan. C(error) is what the mail gem rejects before it connects.
  returned: always
  type: dict
  sample:
    delivery_method: smtp
    from: notifications@mastodon.example
    reply_to: null
    return_path: null
    error: null
    main:
      settings: {address: smtp.example.net, port: "587", domain: mastodon.example, authentication: plain}
      login_set: true
      password_set: true
      tls_mode: starttls
      auth_mode: plain
      verify_mode: peer
    bulk: null
differences:
  description: Where Rails uses another value than O(expected) says.
  returned: always
  type: list
  elements: dict
  contains:
    setting:
      description: The setting, such as V(main.port).
      type: str
    expected:
      description: The planned value.
      type: raw
    actual:
      description: The value that Rails uses.
      type: raw
    variable:
      description: The variable of the environment file that decides the setting. Empty when none does.
      type: str
  sample:
    - {setting: main.port, expected: "587", actual: "25", variable: SMTP_PORT}
password_matches:
  description: Whether Rails holds the passwords of O(secrets). Null when none was given or Rails did not answer.
  returned: always
  type: bool
  sample: true
test_message:
  description: The messages that were sent or rejected, one for each relay.
  returned: always
  type: list
  elements: dict
  contains:
    relay:
      description: V(main) or V(bulk).
      type: str
    to:
      description: The recipient.
      type: str
    message_id:
      description: The Message-ID, by which the message is found in the mailbox and in the relay's log.
      type: str
    envelope_from:
      description: The envelope sender, which bounces go to.
      type: str
    answer:
      description: The relay's answer to the whole message. Null when it did not get so far.
      type: str
    accepted:
      description: Whether the relay took the message.
      type: bool
  sample:
    - relay: main
      to: admin@example.com
      message_id: 674164a2b1f3_2c8c1d0@mastodon.example
      envelope_from: notifications@mastodon.example
      answer: "250 2.0.0 Ok: queued as 4XyZ1q0000"
      accepted: true
queue:
  description:
    - What proves the background queue, for M(fediops.mastodon.queued_mail_check).
    - Null when neither O(queue_account) nor O(queue_recipient) was given, or Rails did not answer.
  returned: always
  type: dict
  contains:
    way:
      description:
        - V(form) is a password reset by the web form, V(reset) one that Rails itself asks for, V(plain) a test mail.
        - V(none) means that nothing can prove the queue, and V(nothing) that there is nothing to prove on this host.
      type: str
    to:
      description: Who gets that mail. Empty when none is sent.
      type: str
    reason:
      description: Why nothing can prove the queue, or why Rails could not tell whether the account gets mail. Or empty.
      type: str
  sample: {way: form, to: admin@mastodon.example, reason: ""}
waiting:
  description:
    - The mails that wait in Sidekiq, counted in groups. Nothing in Sidekiq is changed, and no address is returned.
    - Null when Rails did not answer, or the application has no Sidekiq.
  returned: always
  type: dict
  contains:
    complete:
      description: Whether all were counted. If not (after 10 seconds or 100000 mails), there are at least these.
      type: bool
    error:
      description: The class of the error that ended the count. Or empty.
      type: str
    groups:
      description: The mails with the same place, mailer, method and error class.
      type: list
      elements: dict
      contains:
        place:
          description: V(queue), V(scheduled), V(retry), or V(dead) for those that Sidekiq has given up.
          type: str
        mailer:
          description: Mastodon's mailer. Empty for a group of all the rest.
          type: str
        method:
          description: The mailer's method.
          type: str
        error_class:
          description: The class of the last error. Or empty.
          type: str
        error_message:
          description: The newest error's message, without addresses. Or empty.
          type: str
        cause:
          description: The code of the finding that explains it. Or empty.
          type: str
        count:
          description: How many mails.
          type: int
        oldest:
          description: When the oldest was enqueued, in seconds since 1970.
          type: float
        newest:
          description: When the newest was enqueued.
          type: float
        next_try:
          description: When the first of them is tried next. Null if no time is set.
          type: float
        last_failed:
          description: When one of them failed last. Null if none did.
          type: float
        fresh:
          description: How many still make sense.
          type: int
        expired:
          description: How many have a link that no longer works.
          type: int
        gone:
          description: How many are about a record that no longer exists.
          type: int
        unknown:
          description: How many could not be judged.
          type: int
  sample:
    complete: true
    error: ""
    groups:
      - place: retry
        mailer: UserMailer
        method: reset_password_instructions
        error_class: EOFError
        error_message: end of file reached
        cause: relay-hung-up
        count: 5
        oldest: 1795918200.5
        newest: 1795921800.5
        next_try: 1795963680.0
        last_failed: 1795939200.0
        fresh: 2
        expired: 3
        gone: 0
        unknown: 0
planned:
  description: Whether this is Rails' verdict on the planned settings, as check mode asks for.
  returned: always
  type: bool
  sample: false
findings:
  description:
    - What was noticed, worst first.
    - Each has C(code), C(severity), C(subject), C(message) and C(fix); C(docs/findings.md) lists the codes.
  returned: always
  type: list
  elements: dict
  sample:
    - code: login-refused
      severity: error
      subject: smtp.example.net:587
      message: 'smtp.example.net:587 rejected the login: "535 5.7.8 no".'
      fix: Check mastodon_smtp_login and mastodon_smtp_password.
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
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import NAMES
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.edit import texts
from ansible_collections.fediops.mastodon.plugins.module_utils._files.unproved import proving
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError, errors
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.find import find
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Driver
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.check import Request, ask
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.verdict import Verdict, conclude_from


def request_from(params: t.Mapping[str, t.Any], check_mode: bool) -> Request:
    """The request that the options describe.

    :raises FindingError: a value cannot be written to the file.
    """
    planned, not_text = texts(params["set"] or {})
    secrets, no_secret = texts(params["secrets"] or {})
    for problem in (*not_text, *no_secret):
        raise FindingError(problem)
    return Request(
        set=planned,
        secrets=secrets,
        remove=tuple(params["remove"] or ()),
        readers=tuple(params["readers"] or ()),
        planned=check_mode,
        send_to=params["send_to"] or None,
        bulk=params["send_bulk"],
        accounts={name: params[f"queue_{name}"] for name in ("account", "recipient") if params[f"queue_{name}"]},
        repairing=check_mode or bool(handed(params).get("repairing")),
        timeout=params["timeout"],
    )


def work(driver: Driver, params: t.Mapping[str, t.Any], check_mode: bool) -> Verdict:
    """Ask Rails and draw the conclusions."""
    request = request_from(params, check_mode)
    asked = ask(driver, request)
    hints = {"main": params["provider_hint"] or "", "bulk": params["bulk_provider_hint"] or ""}
    verdict = conclude_from(driver.instance, request, asked, params["expected"], hints)
    if (verdict.effective or {}).get("delivery_method") == "sendmail":
        verdict.findings += driver.sendmail_findings()
    return verdict


def run(module: AnsibleModule) -> None:
    check_seconds(module, module.params, 1, "timeout")
    driver = find(hints_from(module.params))
    with proving(driver, handed(module.params).get("ticket"), "mailer") as proof:
        verdict = work(driver, module.params, module.check_mode)
        if not errors(verdict.findings):
            proof.done()
    conclude(module, verdict.findings, changed=False, **verdict.as_dict())


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            INSTANCE_ARGUMENTS,
            expected={"type": "dict"},
            set={"type": "dict", "default": {}},
            secrets={"type": "dict", "default": {}, "no_log": True},
            remove={"type": "list", "elements": "str", "default": []},
            readers={"type": "list", "elements": "str", "choices": list(NAMES)},
            send_to={"type": "str"},
            send_bulk={"type": "bool", "default": True},
            queue_account={"type": "str"},
            queue_recipient={"type": "str"},
            timeout={"type": "float", "default": 180},
            provider_hint={"type": "str", "default": ""},
            bulk_provider_hint={"type": "str", "default": ""},
        ),
        supports_check_mode=True,
    )
    guarded(module, run, limit=module.params["timeout"], **Verdict().as_dict())


if __name__ == "__main__":
    main()
