# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of the mails that wait in Sidekiq, or were given up, after an outage."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    Code(
        "mails-waiting",
        "warning",
        "Mails of earlier failures, or a queue that is not emptied, still wait in Sidekiq.",
        "Sidekiq retries them by itself once mail works. mastodon_smtp_retry_waiting: fresh in a rollout, or in the "
        "playbook fediops.mastodon.smtp_waiting, sends what still makes sense now. Whoever waits for an expired link "
        "must ask for a new one.",
        "sidekiq: lib/sidekiq/job_retry.rb; Devise: reset_password_within, confirm_within",
        of_test=True,
    ),
    Code(
        "mails-uncounted",
        "unknown",
        "Rails could not count the mails that wait in Sidekiq.",
        "The error is in the message; Redis may be down or slow.",
        of_test=True,
    ),
    Code(
        "mails-lost",
        "warning",
        "Sidekiq has given up mails after too many failures, and does not send them by itself.",
        "mastodon_smtp_retry_waiting: fresh in a rollout, or in the playbook fediops.mastodon.smtp_waiting, retries "
        "what still makes sense; Sidekiq's web interface (/sidekiq, Dead) deletes the rest. Whoever waits for an "
        "expired link must ask for a new one.",
        "sidekiq: lib/sidekiq/job_retry.rb (the dead set)",
        of_test=True,
    ),
    Code(
        "mails-fail-now",
        "error",
        "A mail has failed within the last hour, after Sidekiq's latest start: mail fails with the present settings.",
        "See the error in the message. If its cause is gone already, a test message shows it "
        "(mastodon_smtp_check_send=true).",
        "sidekiq: lib/sidekiq/job_retry.rb (retried_at, failed_at)",
    ),
    Code(
        "mails-retried",
        "info",
        "What became of the mails that failed earlier and were retried.",
        "Nothing, unless some were left.",
        "sidekiq: lib/sidekiq/scheduled.rb",
    ),
    Code(
        "retry-incomplete",
        "warning",
        "Mails that were retried failed again, or did not have their turn.",
        "See the error in the message; the mails are where they were, and Sidekiq tries those in its retry set again.",
        "sidekiq: lib/sidekiq/job_retry.rb",
    ),
    Code(
        "mails-expired",
        "warning",
        "Mails wait whose link no longer works, so sending them helps nobody.",
        "Tell these people to ask again. mastodon_smtp_drop_expired deletes the mails.",
        "Devise: reset_password_within, confirm_within",
    ),
)
