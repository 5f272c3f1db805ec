# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""Codes of the queue check: what became of one mail that went the way of every account mail (see also delivery.py)."""

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    Code(
        "web-not-reached",
        "error",
        "Mastodon's web service did not answer on the host.",
        "Check that the web service runs and where it listens (PORT, BIND, SOCKET); name its address as url.",
    ),
    Code(
        "reset-form-refused",
        "error",
        "Mastodon's web service did not accept the request for a password reset.",
        "Read the status; the web service's log tells more.",
        "Mastodon: app/controllers/auth/passwords_controller.rb",
    ),
    Code(
        "reset-form-throttled",
        "error",
        "Mastodon refuses further password resets for now.",
        "Wait half an hour; Mastodon allows a few resets per address and time.",
        "Mastodon: config/initializers/rack_attack.rb",
    ),
    Code(
        "account-gets-no-mail",
        "error",
        "Mastodon sends no password reset to this account.",
        "Give an account that is confirmed, enabled and has a password.",
        "Devise: send_reset_password_instructions; Mastodon: app/mailers/user_mailer.rb",
    ),
    Code(
        "queue-not-served",
        "error",
        "No running Sidekiq process takes jobs from the queue that the mail is in.",
        "Give one of the Sidekiq services the queue mailers (-q mailers).",
        "mastodon#20366; config/sidekiq.yml",
    ),
    Code(
        "sidekiq-not-running",
        "error",
        "No Sidekiq service runs, so no mail leaves the queue.",
        "Start the Sidekiq service; its log tells why it stopped.",
    ),
    Code(
        "queue-outcome-unknown",
        "unknown",
        "The log does not tell what became of the mail.",
        "Set RAILS_LOG_LEVEL to info, which is Mastodon's default, or look into the mailbox.",
        "RAILS_LOG_LEVEL=warn hides the lines of jobs",
    ),
    Code(
        "job-needed-retries",
        "warning",
        "The mail got through, but not at the first attempt.",
        "Read the first error.",
    ),
)
