# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""Failures before the first byte goes to the relay: Rails does not boot, or the mailer cannot be built."""

from __future__ import annotations

from .row import Row, Sign

START: tuple[Row, ...] = (
    Row(
        "ruby-not-found",
        "No Ruby could be started: {said}.",
        "",
        Sign(stages=("boot",), text=r"(ruby|bundle|rbenv|rails)[^\n]{0,60}(no such file|not found|permission denied)"),
    ),
    Row(
        "email-yml-unreadable",
        "Rails does not start: a value of {file} breaks config/email.yml ({said}).",
        "Upgrade to Mastodon 4.4.1 or newer. Until then quote the value twice, and undo that before the upgrade.",
        Sign(stages=("boot",), text=r"email\.yml"),
    ),
    Row(
        "email-yml-unreadable",
        "Rails does not start: a value of {file} is read as a YAML alias or tag in config/email.yml ({said}).",
        "Upgrade to Mastodon 4.4.1 or newer; do not begin mail values with & * or !.",
        Sign(
            stages=("boot",),
            classes=(
                "Psych::BadAlias",
                "Psych::AliasesNotEnabled",
                "Psych::AnchorNotDefined",
                "Psych::DisallowedClass",
            ),
            source="Psych; mastodon#35305",
        ),
    ),
    Row(
        "delivery-method-blank",
        "Rails does not start: SMTP_DELIVERY_METHOD is present in {file} and empty.",
        "",
        Sign(stages=("boot",), classes=("NoMethodError",), text=r"to_sym\b.*\bnil"),
    ),
    Row(
        "from-address-unreadable",
        "Rails does not start: SMTP_FROM_ADDRESS in {file} is not an address ({said}).",
        "Set {option[from_address]} to a plain address such as notifications@example.org; look for stray quotes.",
        Sign(
            stages=("boot",),
            classes=("Mail::Field::IncompleteParseError", "Mail::Field::ParseError", "Mail::Field::FieldError"),
        ),
    ),
    Row(
        "env-file-refused-by-dotenv",
        "Rails does not start: dotenv refuses {file} ({said}).",
        "Give the exported variable a value, or remove the line.",
        Sign(classes=("Dotenv::FormatError",)),
    ),
    Row(
        "env-file-refused-by-compose",
        "Docker Compose refuses {file}: {said}.",
        "",
        Sign(text=r"unterminated quoted value|unexpected character .{0,20}in variable name|key cannot contain a space"),
    ),
    Row(
        "redis-unreachable",
        "Rails does not reach Redis: {said}.",
        "",
        Sign(
            stages=("boot", "queue"),
            classes=("Redis::CannotConnectError", "RedisClient::CannotConnectError", "Redis::TimeoutError"),
        ),
    ),
    Row(
        "tls-and-starttls-together",
        "The settings ask for implicit TLS and for STARTTLS at once ({said}); {release} then sends nothing.",
        "Set {option[tls]} to implicit or to starttls; with implicit, SMTP_ENABLE_STARTTLS must be absent or never.",
        Sign(text=r"mutually exclusive"),
    ),
    Row(
        "login-missing",
        "A login method is in effect but there is no login ({said}).",
        "Set {option[login]} and {option[password]}, or {option[auth]} to none for a relay without login.",
        Sign(text=r"requested but missing user name"),
    ),
    Row(
        "login-missing",
        "There is a login but no password ({said}).",
        "Set {option[password]}, or remove {option[login]} and set {option[auth]} to none.",
        Sign(text=r"requested but missing secret"),
    ),
    Row(
        "login-method-unknown",
        "The login method is not one that Ruby knows ({said}).",
        "Set {option[auth]} to plain, login, cram_md5 or none, in small letters.",
        Sign(text=r"wrong authentication type"),
    ),
    Row(
        "verify-mode-unknown",
        "SMTP_OPENSSL_VERIFY_MODE is blank or not a mode that OpenSSL knows ({said}).",
        "Set {option[verify]} to peer or none.",
        Sign(text=r"(uninitialized constant|wrong constant name).*VERIFY_"),
    ),
    Row(
        "tls-value-unknown",
        "The mail gem does not accept the value of a TLS setting ({said}).",
        "",
        Sign(text=r"unrecognized :(tls|ssl|enable_starttls|enable_starttls_auto) value"),
    ),
    Row(
        "from-address-unreadable",
        "The sender's address cannot be parsed ({said}).",
        "Put a display name with a comma or a dot in double quotes: {option[from_address]}: '\"Name, Inc.\" <a@b>'.",
        Sign(
            text=r"From address may not be blank|sender .{0,30}required to send a message",
            source="mail gem: SMTP From address may not be blank",
        ),
    ),
    Row(
        "recipient-refused",
        "The test recipient's address cannot be parsed ({said}).",
        "",
        Sign(text=r"To address may not be blank|recipient .{0,30}required to send a message", source="mail gem"),
    ),
    Row(
        "sendmail-missing",
        "Mastodon is set to use the sendmail program, which is not there ({said}).",
        "Set {option[delivery_method]} to smtp and the relay's name as {option[host]}.",
        Sign(classes=("Errno::ENOENT",), text=r"sendmail"),
    ),
    Row(
        "credentials-not-ascii",
        "The login or the password has characters outside ASCII; they were not sent.",
        "Use ASCII characters in {option[login]} and {option[password]}.",
        Sign(classes=("UnicodeEncodeError",)),
    ),
    Row(
        "rails-does-not-boot",
        "Rails does not start: {said}.",
        "The cause lies outside the mail settings unless the error names one; see the instance's own log.",
        Sign(stages=("boot",)),
    ),
)
