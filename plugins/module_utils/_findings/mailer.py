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
        "Rails uses another value than the plan.",
        "Remove what overrides the environment file; look for changes in config/environments/production.rb.",
        "dotenv never overrides the process environment",
    ),
    Code(
        "password-misread",
        "error",
        "The password that Rails holds is not the intended one.",
        "Write the file with env_file, which quotes it so that every reader sees the same.",
        "mastodon#15017, #21937, #22669",
    ),
    Code(
        "login-misread",
        "error",
        "The login that Rails holds is not the intended one.",
        "Write the file with env_file, which quotes it so that every reader sees the same.",
        "mastodon#15017",
    ),
    Code(
        "planned-not-shown",
        "unknown",
        "The planned settings could not be shown to Rails, so its verdict is about the present ones.",
        "Nothing to do: the check after the edit shows them.",
    ),
    Code(
        "rails-timeout",
        "error",
        "Rails did not answer in time and was ended.",
        "Give it more time with mastodon_smtp_rails_timeout; see whether its database and Redis answer.",
    ),
    Code(
        "rails-no-answer",
        "error",
        "Rails ran, but the check inside it did not end as it should.",
        "Read the words that are quoted; they come from the instance's own code.",
    ),
    Code(
        "rails-answer-unreadable",
        "error",
        "What came back from Rails in place of the check's answer does not have that answer's form.",
        "Something in the application answers in place of the check. Look for what was changed in its folder "
        "(git status as its user) and who may write there, then run it again.",
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
        "The application is configured to hide errors of delivery, so Sidekiq does not try again.",
        "Remove config.action_mailer.raise_delivery_errors = false.",
        "ActionMailer: raise_delivery_errors",
    ),
    Code(
        "mail-kept-local",
        "error",
        "The delivery method keeps mail on the host.",
        "Set mastodon_smtp_delivery_method to smtp.",
        "ActionMailer: delivery methods file and test",
    ),
)
