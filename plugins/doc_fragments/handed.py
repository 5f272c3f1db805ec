# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option in which a step gets what earlier steps of the role found."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  handed:
    description:
      - What earlier steps of the role P(fediops.mastodon.mastodon_smtp#role) found in the same run. With O(chain), the
        controller's part of a step sets it. Leave it out in plays of your own.
      - Each step uses only what concerns it.
    type: dict
    suboptions:
      services:
        description:
          - The services that M(fediops.mastodon.instance_info) found, so that no step searches the whole host again.
          - If a unit has been added or removed since, as O(handed.mark) shows, the host is searched again.
        type: list
        elements: str
      mark:
        description: The returned value C(instance.mark) of M(fediops.mastodon.instance_info).
        type: str
      prove:
        description:
          - For M(fediops.mastodon.env_file), what has to be proved about an edit before it counts as done. V(mailer) is
            M(fediops.mastodon.mailer_check), V(services) is M(fediops.mastodon.mail_services), V(queue) is
            M(fediops.mastodon.queued_mail_check).
          - Until then, a journal lies beside the file as C(<path>.smtp-unproved). It holds checksums and no values, and
            the last of these modules removes it. A run that finds the journal of one that died takes it over.
          - As long as an edit is not proved, a further edit keeps the backup of the state before.
        type: list
        elements: str
        choices: [mailer, services, queue]
      repairing:
        description: >-
          Whether the run is a rollout, which repairs the settings. Mail that failed with the previous ones is then no
          error of M(fediops.mastodon.mailer_check), and M(fediops.mastodon.waiting_mails) leaves mail that a Sidekiq of
          another host would take.
        type: bool
      ticket:
        description:
          - The RV(fediops.mastodon.env_file#module:ticket) of the edit that this step proves or undoes. Success is
            noted beside the environment file, so a later run does not do it again.
          - The module fails before it does anything when another run has taken over the edit.
        type: str
      digest_key:
        description:
          - For M(fediops.mastodon.instance_info), the key with which its return value C(instance.senders)
            has digests of logins and passwords, so that they can be compared with a plan. Without it there are none.
          - Each run has a new one.
        type: str
      accept:
        description:
          - For M(fediops.mastodon.mail_services), which of C(service-stopped) and C(mail-not-served) the operator
            accepts. They are infos then, and the other services are restarted all the same.
        type: list
        elements: str
      edited:
        description:
          - For M(fediops.mastodon.mail_services) in check mode, whether the file would have been edited before, so that
            each running service would have to be restarted.
        type: bool
      queue:
        description:
          - For M(fediops.mastodon.queued_mail_check), what M(fediops.mastodon.mailer_check) has found out about the two
            addresses. Without it, an account costs one boot of Rails, which says whether it gets mail.
        type: dict
        suboptions:
          way:
            description: Which mail will be sent. V(none) and V(nothing) send none.
            type: str
            choices: [form, reset, plain, none, nothing]
            required: true
          to:
            description: Who gets it.
            type: str
            default: ""
          reason:
            description: Why nothing can prove the queue.
            type: str
            default: ""
"""
