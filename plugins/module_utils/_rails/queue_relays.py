# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The relays that the Sidekiq services of an instance use, to name the one that a failed job really used. No I/O.

Each service has its own settings (Instance.senders), and nobody chooses which one takes a job. The log line of a job
has the name of its service; Redis does not tell who ran a job that has failed.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._diagnosis.model import Context
from .._findings.model import Finding, ended
from .._instance.model import Instance
from .._mailer.effective import effective
from .._mailer.names import CREDENTIALS
from .._mailer.release import Release


class Relays:
    """The relay of each Sidekiq service, as the context of a diagnosis.

    :ivar first: the context of the service that sends nearly all mail.
    :ivar ran: the service that ran the job; empty while unknown.

    :param hint: the provider preset's hint about logins.
    """

    def __init__(self, instance: Instance, hint: str) -> None:
        self.first = _context(instance, instance.variables, hint)
        self.ran = ""
        self._of = {
            sender.service: _context(instance, sender.variables, hint)
            for sender in instance.senders
            if sender.role == "sidekiq"
        }
        secrets = tuple(dict.fromkeys(one for each in (self.first, *self._of.values()) for one in each.secrets))
        self._add(secrets=secrets)

    def to(self, recipient: str) -> None:
        """Set the recipient of the test mail."""
        self._add(recipient=recipient)

    @property
    def used(self) -> Context:
        """The context of the service that ran the job; without a relay if several may have."""
        if self._unsure:
            return dataclasses.replace(self.first, host="", port=None)
        return self._of.get(self.ran, self.first)

    def told(self, finding: Finding) -> Finding:
        """A finding about the job that failed, with the candidates if its relay is one of several."""
        if not self._unsure:
            return finding
        candidates = ", and ".join(f"{service} uses {one.endpoint}" for service, one in self._of.items())
        several = f"The relay is one of several: {candidates}; nothing shows which of them ran the job."
        return dataclasses.replace(finding, message=f"{ended(finding.message)} {several}")

    @property
    def _unsure(self) -> bool:
        return self.ran not in self._of and len({one.endpoint for one in self._of.values()}) > 1

    def _add(self, **known: t.Any) -> None:
        self.first = dataclasses.replace(self.first, **known)
        self._of = {name: dataclasses.replace(one, **known) for name, one in self._of.items()}


def _context(instance: Instance, variables: t.Mapping[str, str], hint: str) -> Context:
    verdict = effective(variables, Release.parse(instance.release), instance.local_domain)
    sender = str(verdict.from_address or "")
    known = Context(
        release=f"Mastodon {instance.release}" if instance.release else "",
        file=instance.env_file,
        hint=hint,
        secrets=_secrets(variables, sender),
    )
    if verdict.main is None:
        return known
    settings = verdict.main.settings
    port = str(settings.get("port") or 25)
    return dataclasses.replace(
        known,
        host=str(settings.get("address") or "localhost"),
        port=int(port) if port.isdecimal() else None,
        tls=verdict.main.tls_mode,
        auth=verdict.main.auth_mode,
        sender=sender,
    )


def _secrets(variables: t.Mapping[str, str], sender: str) -> tuple[str, ...]:
    """Passwords, and logins other than the sender's address, without short ones, which may be ordinary words."""
    shortest = {"password": 4, "login": 6}
    held = ((variables.get(name, ""), shortest[what]) for name, (_relay, what) in CREDENTIALS.items())
    return tuple(value for value, least in held if len(value) >= least and value not in sender)
