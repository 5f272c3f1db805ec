# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain names of Mastodon's mails, and of times and durations. No I/O."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import datetime
import types
import typing as t

from .._text import listed
from .model import Group

#: (mailer, method) -> what one such mail is called, and what several are.
#: Source: app/mailers/{user,admin,notification,email_subscription}_mailer.rb of Mastodon 4.6.5.
NAMES: t.Mapping[tuple[str, str], tuple[str, str]] = types.MappingProxyType(
    {
        ("UserMailer", "confirmation_instructions"): ("confirmation", "confirmations"),
        ("UserMailer", "reset_password_instructions"): ("password reset", "password resets"),
        ("UserMailer", "welcome"): ("welcome mail", "welcome mails"),
        ("UserMailer", "backup_ready"): ("notice of an archive", "notices of an archive"),
        ("UserMailer", "warning"): ("moderation notice", "moderation notices"),
        ("UserMailer", "terms_of_service_changed"): ("notice of new terms", "notices of new terms"),
        ("UserMailer", "announcement_published"): ("announcement", "announcements"),
        ("EmailSubscriptionMailer", "confirmation"): ("subscription confirmation", "subscription confirmations"),
        ("EmailSubscriptionMailer", "notification"): ("subscription mail", "subscription mails"),
        **dict.fromkeys(
            (("UserMailer", "appeal_approved"), ("UserMailer", "appeal_rejected")),
            ("answer to an appeal", "answers to appeals"),
        ),
        **dict.fromkeys(
            (
                ("UserMailer", method)
                for method in (
                    "password_change",
                    "email_changed",
                    "two_factor_enabled",
                    "two_factor_disabled",
                    "two_factor_recovery_codes_changed",
                    "webauthn_enabled",
                    "webauthn_disabled",
                    "webauthn_credential_added",
                    "webauthn_credential_deleted",
                    "suspicious_sign_in",
                    "failed_2fa",
                )
            ),
            ("security notice", "security notices"),
        ),
    }
)
#: What all mails of a mailer are called that have no name of their own.
_OF_MAILER: t.Mapping[str, tuple[str, str]] = types.MappingProxyType(
    {
        "AdminMailer": ("mail to moderators", "mails to moderators"),
        "NotificationMailer": ("notification", "notifications"),
    }
)
_OTHER = ("other mail", "other mails")


def name_of(mailer: str, method: str) -> tuple[str, str]:
    """What one such mail is called, and what several are."""
    return NAMES.get((mailer, method)) or _OF_MAILER.get(mailer, _OTHER)


def named(groups: t.Iterable[Group]) -> str:
    """V(9 confirmations, 5 password resets and 1 other mail): the mails of these groups, most first."""
    counts: dict[tuple[str, str], int] = {}
    for one in groups:
        name = name_of(one.mailer, one.method)
        counts[name] = counts.get(name, 0) + one.count
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return listed([f"{count} {one if count == 1 else several}" for (one, several), count in ordered])


def since(time: float, now: float) -> str:
    """V(02:10 UTC), with the date if that is not today."""
    then, today = (datetime.datetime.fromtimestamp(one, datetime.timezone.utc) for one in (time, now))
    return f"{then:%H:%M} UTC" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M} UTC"


def span(seconds: float) -> str:
    """V(6 h 48 min), V(5 min), V(less than a minute), V(3 days)."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "less than a minute"
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {rest} min" if hours else f"{rest} min"
