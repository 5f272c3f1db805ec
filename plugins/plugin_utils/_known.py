# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decisions of the role: what is pending, whether to send a message and prove the queue, and what to undo.

All decisions rest on what earlier steps of this run recorded (C(_record)). Nothing here does I/O.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import functools
import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._accepted import accepted_codes
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry
from ansible_collections.fediops.mastodon.plugins.plugin_utils._services import MAIL_ROLES

Result = t.Mapping[str, t.Any]
#: The instance options that a step can take from the record.
FOUND = ("deployment", "app_dir", "user", "env_file")
#: The steps of the preflight, the rollout and the rollback, in order.
PREFLIGHT = ("variables", "instance", "settings", "relay", "relay_bulk", "dns")
ROLLOUT = ("edit", "mailer", "services", "queue")
#: The steps after the last proof of a rollout, which fail no host.
AFTERWARDS = ("arrival", "waiting")
ROLLBACK = ("variables", "instance", "restored", "services")

#: What queued_mail_check says of a mail that the relay has taken.
_TAKEN = ("delivered", "performed")
#: The one error of smtp_settings that is not about the plan itself.
IN_THE_WAY = "override-contradicts"
#: The findings of instance_info about services that do not run: the first is an error before a rollout, which the
#: operator may accept.
NOT_SERVED = "mail-not-served"
NOT_RUNNING = frozenset({NOT_SERVED, "service-stopped"})
#: Step -> its one error that keeps a rollout from the edit, but no step from looking.
_BEFORE_EDIT = {"instance": NOT_SERVED, "settings": IN_THE_WAY}


class Known:
    """What the run knows about a host so far.

    :param entries: the recorded steps, by key.
    :param dry: whether this is a dry run.
    """

    def __init__(self, entries: t.Mapping[str, Entry], *, dry: bool = False) -> None:
        self.entries = entries
        self.dry = dry

    def result(self, key: str) -> Result:
        """What a step returned; empty when it did not run."""
        return self.entries[key].result if key in self.entries else {}

    def ran(self, key: str) -> bool:
        """Whether a step began and was not skipped."""
        return key in self.entries and self.entries[key].outcome != "skipped"

    def wrong(self, *keys: str) -> list[Entry]:
        """Those of these steps that failed or could not make their test."""
        return [self.entries[key] for key in keys if key in self.entries and self.entries[key].went_wrong]

    def setting(self, name: str) -> t.Any:
        """The value of a role variable, converted to its type; None when unset.

        :param name: without the role's prefix.
        """
        return self.result("variables").get("variables", {}).get(name)

    @functools.cached_property
    def instance(self) -> Result | None:
        """The instance, as instance_info returns it; None when there is none to work on."""
        return self.result("instance").get("instance") if self._of_use("instance") else None

    @functools.cached_property
    def plan(self) -> Result | None:
        """The plan of smtp_settings; None when the step failed or did not run."""
        return self.result("settings").get("plan") if self._of_use("settings") else None

    def _of_use(self, key: str) -> bool:
        """Whether the steps that only read can use what a step returned: with the one error that they may have, too."""
        found = [one for one in self.result(key).get("findings") or () if one.get("severity") == "error"]
        return not self.wrong(key) or (bool(found) and all(one.get("code") == _BEFORE_EDIT[key] for one in found))

    @functools.cached_property
    def accepted(self) -> frozenset[str]:
        """The codes of the findings that the operator accepts."""
        return accepted_codes(self.setting("accept") or ())

    @property
    def found(self) -> dict[str, t.Any]:
        """The step options that describe the instance."""
        instance = self.instance or {}
        return {name: instance[name] for name in FOUND if instance.get(name)}

    def handed(self, **others: t.Any) -> dict[str, t.Any]:
        """The step option C(handed): the services, so that no step searches for them again, and what else is given."""
        instance = self.instance or {}
        services = [one["name"] for one in instance["services"]] if instance.get("mark") else None
        told = {"services": services, "mark": instance.get("mark"), **others}
        some = {name: one for name, one in told.items() if one}
        return {"handed": some} if some else {}

    @property
    def whole(self) -> bool:
        """Whether every step of the rollout has begun; with C(--tags) some have not."""
        return all(key in self.entries for key in ROLLOUT)

    # What is pending.

    @property
    def _noted(self) -> Result:
        """The journal as the edit left it; where the edit did not run (C(--tags)), as instance_info found it."""
        return self.result("edit") or self.instance or {}

    @property
    def pending(self) -> t.Sequence[str]:
        """The proofs that the edit still lacks."""
        return self._noted.get("unproved") or ()

    @property
    def ticket(self) -> str | None:
        """The ticket that lets a step record its proof in the journal."""
        return self._noted.get("ticket")

    @property
    def _edited_by_hand(self) -> bool:
        """Whether services are stale though no edit is pending: somebody edited the file, and nothing proved it."""
        return not self.pending and any(one["stale"] for one in self._mail_services)

    @property
    def _mail_services(self) -> list[Result]:
        return [one for one in (self.instance or {}).get("services") or () if one["role"] in MAIL_ROLES]

    # What is sent.

    @property
    def somebody_gets_mail(self) -> bool:
        """Whether an account or a recipient is set to which a mail through the queue can go."""
        return bool(self.setting("test_account") or self.setting("test_recipient"))

    @property
    def has_sidekiq(self) -> bool:
        """Whether this host runs Sidekiq, so that the queue is proved here and not on another host."""
        return "sidekiq" in ((self.instance or {}).get("roles") or MAIL_ROLES)

    @property
    def accepted_unserved(self) -> bool:
        """Whether no Sidekiq runs after the restart, and the operator accepts that."""
        return any(one.get("code") == NOT_SERVED for one in self.result("services").get("findings") or ())

    @property
    def proofs(self) -> list[str]:
        """The proofs that an edit of this run needs before it counts as proved, whether they can be made now or not."""
        return ["mailer", "services", *(["queue"] if self.has_sidekiq else [])]

    @property
    def proof_is_asked_for(self) -> bool:
        """Whether the variables ask for a mail through the queue."""
        return self.somebody_gets_mail and self.setting("send") != "never"

    @property
    def unproved_fails(self) -> bool:
        """Whether the host fails if no mail has proved the queue; it never undoes anything."""
        chosen = self.setting("unproved")
        return chosen == "fail" if chosen else self.proof_is_asked_for

    @property
    def send_message(self) -> bool:
        """Whether to send a test message: by default only for settings that are not proved yet."""
        send = self.setting("send")
        return send == "always" or (send == "changed" and ("mailer" in self.pending or self._edited_by_hand))

    @property
    def prove_queue(self) -> bool:
        """Whether to send a mail through the queue; never in a dry run."""
        if self.dry or not self.proof_is_asked_for or self.accepted_unserved:
            return False
        return self.setting("send") == "always" or self.needs_queue_proof

    @property
    def sent_mails(self) -> list[dict[str, str]]:
        """The mails of this run that a relay has taken, as far as their Message-ID is known; the first is the test."""
        told, queue = self.result("mailer").get("test_message") or (), self.result("queue")
        tests = [("test message", one) for one in told if one.get("accepted")]
        queued = [("queued mail", queue)] if queue.get("outcome") in _TAKEN else []
        return [
            {"name": name, "message_id": str(one["message_id"]), "to": str(one["to"])}
            for name, one in [*tests, *queued]
            if one.get("message_id") and one.get("to")
        ]

    @property
    def mail_works(self) -> bool:
        """Whether nothing is left to prove, so that mails that failed earlier may be sent; in a dry run, presumably."""
        if self.wrong(*ROLLOUT) or not self.whole:
            return False
        return self.dry or not self.needs_queue_proof or self.ran("queue")

    @property
    def needs_queue_proof(self) -> bool:
        """Whether something is in use, or will be, that no mail through the queue has proved."""
        restarted = not self.pending and bool(self.result("services").get("changed"))
        return "queue" in self.pending or self._edited_by_hand or restarted

    @property
    def longest_step(self) -> float:
        """Seconds that a step of a run that died may still take; the queue step may boot Rails three times."""
        restart = self.setting("service_timeout") + self.setting("steady")
        return float(max(restart, 3 * self.setting("rails_timeout") + self.setting("queue_deadline") + 70))

    @property
    def envelope_sender(self) -> str:
        """The envelope sender that Mastodon will use: the return path if set, else the From address."""
        plan = self.plan or {}
        return str((plan.get("effective") or {}).get("return_path") or (plan.get("sender") or {}).get("address") or "")

    # What is restarted.

    @property
    def services_are_current(self) -> bool:
        """Whether no service needs a restart: nothing was edited or is pending, and all run on the current file."""
        seen = self._mail_services
        edited = set(self.pending) - {"queue"} or self.result("edit").get("changed") or not self.ran("edit")
        return not edited and bool(seen) and all(one["state"] == "running" and not one["stale"] for one in seen)

    # What is undone.

    @property
    def taken_over(self) -> bool:
        """Whether a step of the rollout failed because another rollout has taken over the edit."""
        wrong = self.wrong(*ROLLOUT)
        return any(
            one.get("code") == "edit-taken-over" for entry in wrong for one in entry.result.get("findings") or ()
        )

    @property
    def undo(self) -> bool:
        """Whether to restore the file after a step failed.

        Only an unproved edit is undone: this run's own, or that of an earlier run which this one continues. If that one
        had already made the proof that fails now, the edit is not the cause.
        """
        edit = self.result("edit")
        return bool(
            self.setting("undo")
            and not self.dry
            and not self.wrong("edit")
            and not self.taken_over
            and not self.failed_after_its_proof
            and edit.get("unproved")
            and edit.get("backup_file")
        )

    @property
    def failed_after_its_proof(self) -> bool:
        """Whether the step that failed had proved this very edit in an earlier run."""
        failed = {key for key in ROLLOUT[1:] if key in self.entries and self.entries[key].outcome == "failed"}
        return bool(failed) and not failed & set(self.result("edit").get("unproved") or ())

    @property
    def undo_services(self) -> bool:
        """Whether a service may have read the edit: none has before mailer_check ends, any may after a restart."""
        return self.ran("services") or self._was_read

    @property
    def _was_read(self) -> bool:
        """Whether a service may have read the edit before this run: an earlier run made it, and died later."""
        before = (self.instance or {}).get("unproved") or ()
        read = [one for one in self._mail_services if not one["stale"] and one["state"] != "stopped"]
        return bool(before) and ("mailer" not in before or bool(read))
