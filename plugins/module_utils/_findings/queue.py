# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of the queue check: what became of one mail that went the way of every account mail (see also delivery.py)."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table
from .refusals import TABLE as REFUSALS

TABLE = Table(
    Code(
        "web-not-reached",
        "warning",
        "Mastodon's web service did not answer on the host, so the password reset was requested in Rails.",
        "Check that the web service runs, and set its address with mastodon_smtp_web_url.",
        of_test=True,
    ),
    Code(
        "reset-form-refused",
        "warning",
        "Mastodon's web service did not accept the password-reset form, so the reset was requested in Rails.",
        "See the HTTP status in the message and the web service's log.",
        "Mastodon: app/controllers/auth/passwords_controller.rb",
        of_test=True,
    ),
    Code(
        "reset-form-throttled",
        "info",
        "Mastodon's form is rate-limiting password resets, so the reset was requested in Rails.",
        "Nothing to do. Mastodon allows 5 resets for an address in 30 minutes, and 25 from one network address in 5.",
        "Mastodon: config/initializers/rack_attack.rb; the host itself counts from 4.3.0 on",
        of_test=True,
    ),
    Code(
        "account-gets-no-mail",
        "error",
        "Mastodon sends no password reset to this address.",
        "Set mastodon_smtp_test_account to an account of this server that has a password and is not a memorial, or set "
        "mastodon_smtp_test_recipient alone.",
        "Mastodon: app/models/user.rb (send_reset_password_instructions, active_for_authentication?)",
        of_test=True,
    ),
    Code(
        "account-not-checked",
        "unknown",
        "Rails could not determine whether the test account receives mail.",
        "Check whether the mail arrived.",
        of_test=True,
    ),
    Code(
        "queue-not-served",
        "error",
        "No running Sidekiq process serves the queue that holds the mail.",
        "Add the queue mailers to one of the Sidekiq services (-q mailers).",
        "mastodon#20366; config/sidekiq.yml",
    ),
    Code(
        "sidekiq-not-running",
        "error",
        "No Sidekiq service is running, so no mail leaves the queue.",
        "Start the Sidekiq service; its log shows why it stopped.",
    ),
    Code(
        "queue-outcome-unknown",
        "error",
        "A test mail was queued, but its fate is unknown.",
        "Check whether it arrived. The other kind of mail may prove the queue: a reset for an account of this "
        "server (mastodon_smtp_test_account), or a plain mail (mastodon_smtp_test_recipient alone).",
        of_test=True,
    ),
    Code(
        "job-done-elsewhere",
        "error",
        "The mail went through the queue, but Sidekiq on another host may have sent it, with that host's settings.",
        "Stop Sidekiq on the other hosts while this one is tested, or set mastodon_smtp_unproved to warn.",
        of_test=True,
    ),
    Code(
        "sidekiq-quiet",
        "error",
        "Every Sidekiq process that serves the queue of the mail was told to take no new jobs.",
        "Restart Sidekiq, or wait until the deployment that told it so is over.",
        "sidekiq: lib/sidekiq/api.rb (Process#quiet!, stopping?)",
        of_test=True,
    ),
    Code(
        "queue-not-proved",
        "warning",
        "The mail settings are in use, but no mail has gone through the queue since.",
        "Set one of them and run the rollout again: it sends a mail then, even if nothing else is to be done.",
        of_test=True,
    ),
    Code(
        "test-mail-left-in-queue",
        "warning",
        "The failed test mail could not be removed from the queue, so Sidekiq may send it later.",
        "Delete it in Sidekiq's web interface (/sidekiq, Retries), or leave it: it is only a test mail.",
        of_test=True,
    ),
    Code(
        "job-needed-retries",
        "warning",
        "The mail was delivered, but not at the first attempt.",
        "Read the first error.",
    ),
)

#: The codes that say nothing about the settings, so that these are not undone because of them: a test that could not be
#: made, or that the relay put off.
OF_TEST = frozenset(code for table in (TABLE, REFUSALS) for code, row in table.rows.items() if row.of_test)
