# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of Rails' own verdict: what it really uses, beside why a mail did not get through (delivery.py)."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

TABLE = Table(
    Code(
        "effective-differs",
        "error",
        "Rails uses a different value than planned.",
        "Remove what overrides the environment file; look for changes in config/environments/production.rb.",
        "dotenv never overrides the process environment",
    ),
    Code(
        "password-misread",
        "error",
        "The password that Rails uses is not the configured one.",
        "Write the file with env_file, which quotes values so that every reader reads the same.",
        "mastodon#15017, #21937, #22669",
    ),
    Code(
        "login-misread",
        "error",
        "The login that Rails uses is not the configured one.",
        "Write the file with env_file, which quotes values so that every reader reads the same.",
        "mastodon#15017",
    ),
    Code(
        "planned-not-shown",
        "unknown",
        "The planned settings could not be passed to Rails, so the result is for the current ones.",
        "Nothing to do: they are checked after the edit.",
    ),
    Code(
        "rails-timeout",
        "error",
        "Rails did not answer in time and was stopped.",
        "Check that its database and Redis answer, or allow more time with mastodon_smtp_rails_timeout.",
    ),
    Code(
        "rails-no-answer",
        "error",
        "Rails started, but the check inside it failed.",
        "Read the quoted error; it comes from the instance's own code.",
    ),
    Code(
        "rails-answer-unreadable",
        "error",
        "Rails returned something other than the answer of the check.",
        "Something in the application interferes with the check. Look for changes in its folder (git status as its "
        "user) and check who can write there, then run it again.",
    ),
    Code(
        "deliveries-off",
        "error",
        "The application is configured to drop all mail.",
        "Set config.action_mailer.perform_deliveries to true, which is Rails' default.",
        "ActionMailer: perform_deliveries",
    ),
    Code(
        "delivery-errors-hidden",
        "warning",
        "The application is configured to ignore delivery errors, so Sidekiq does not retry.",
        "Remove config.action_mailer.raise_delivery_errors = false.",
        "ActionMailer: raise_delivery_errors",
    ),
    Code(
        "mail-kept-local",
        "error",
        "With this delivery method, mail does not leave the host.",
        "Set mastodon_smtp_delivery_method to smtp.",
        "ActionMailer: delivery methods file and test",
    ),
)
