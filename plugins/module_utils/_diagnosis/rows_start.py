# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows for failures before the relay is contacted: Rails does not boot, or the mailer cannot be built."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .._mailer.names import MAIN
from .._mailer.release import Release, era_of
from .._mailer.variables import VARIABLES
from .model import Context
from .row import Row, Sign

_YAML_ERRORS = ("Psych::BadAlias", "Psych::AliasesNotEnabled", "Psych::AnchorNotDefined", "Psych::DisallowedClass")
_STILL_BARE = tuple(name for name, one in VARIABLES.items() if one.bare and one.bare[1] is None)
_OF_MAIN = ", ".join(name for name in _STILL_BARE if name.startswith(MAIN))
_BARE_NAMES = f"{_OF_MAIN}, those of BULK_SMTP_, and LOCAL_DOMAIN"
_BARE = (
    "Mastodon writes such a value into config/email.yml without quotes: it must be on one line, must not begin with "
    "a character that YAML reserves (@ % & * ! | > ` and brackets and quotes), and must not contain a colon before a "
    "space."
)


def _upgrade_helps(context: Context) -> bool:
    """Whether an upgrade helps: 4.4.0 quotes no value in config/email.yml, later releases most (mastodon#35314)."""
    era = era_of(Release.parse(context.release.removeprefix("Mastodon ")))
    return era.name == "4.4.0" and context.variable.partition(" ")[0] not in (*_STILL_BARE, "LOCAL_DOMAIN")


def _may_be_cram_md5(context: Context) -> bool:
    return context.auth in ("", "cram_md5")


def _variable_known(context: Context) -> bool:
    return bool(context.variable)


START: tuple[Row, ...] = (
    Row(
        "ruby-not-found",
        "Ruby could not be started: {said}.",
        "",
        Sign(stages=("boot",), text=r"(ruby|bundle|rbenv|rails)[^\n]{0,60}(no such file|not found|permission denied)"),
    ),
    Row(
        "email-yml-unreadable",
        "Rails does not start: a value of {file} breaks config/email.yml ({said}).",
        "Upgrade to Mastodon 4.4.1 or newer. Until then, quote the value twice, and revert that before the upgrade.",
        Sign(stages=("boot",), text=r"email\.yml", when=_upgrade_helps),
        Sign(stages=("boot",), classes=_YAML_ERRORS, when=_upgrade_helps, source="Psych; mastodon#35305"),
    ),
    Row(
        "email-yml-unreadable",
        "Rails does not start: {variable} in {file} breaks config/email.yml ({said}).",
        "Correct {variable}. " + _BARE + " A control character breaks any of them.",
        Sign(stages=("boot",), text=r"email\.yml", when=_variable_known),
        Sign(stages=("boot",), classes=_YAML_ERRORS, when=_variable_known, source="Psych"),
    ),
    Row(
        "email-yml-unreadable",
        "Rails does not start: a value of {file} breaks config/email.yml ({said}).",
        "Correct it: look at " + _BARE_NAMES + ". " + _BARE + " A control character breaks any value.",
        Sign(stages=("boot",), text=r"email\.yml"),
        Sign(stages=("boot",), classes=_YAML_ERRORS, source="Psych"),
    ),
    Row(
        "delivery-method-blank",
        "Rails does not start: SMTP_DELIVERY_METHOD is set but empty in {file}.",
        "",
        Sign(stages=("boot",), classes=("NoMethodError",), text=r"to_sym\b.{0,300}\bnil"),
    ),
    Row(
        "delivery-method-blank",
        "Rails does not start: SMTP_DELIVERY_METHOD in {file} is not the name of a delivery method ({said}).",
        "",
        Sign(stages=("boot",), classes=("NoMethodError",), text=r"to_sym\b", source="config.x.email.delivery_method"),
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
        "Rails does not start: dotenv rejects {file} ({said}).",
        "Give the exported variable a value, or remove the line.",
        Sign(classes=("Dotenv::FormatError",)),
    ),
    Row(
        "env-file-refused-by-compose",
        "Docker Compose rejects {file}: {said}.",
        "",
        Sign(text=r"unterminated quoted value|unexpected character .{0,20}in variable name|key cannot contain a space"),
    ),
    Row(
        "redis-unreachable",
        "Rails cannot reach Redis: {said}.",
        "",
        Sign(
            stages=("boot", "queue"),
            classes=("Redis::CannotConnectError", "RedisClient::CannotConnectError", "Redis::TimeoutError"),
        ),
    ),
    Row(
        "tls-and-starttls-together",
        "The settings enable implicit TLS and STARTTLS together ({said}); {release} then sends nothing.",
        "Set {option[tls]} to implicit or to starttls; with implicit, SMTP_ENABLE_STARTTLS must be absent or never.",
        Sign(text=r"mutually exclusive"),
    ),
    Row(
        "login-missing",
        "A login method is set, but the login is missing ({said}).",
        "Set {option[login]} and {option[password]}, or {option[auth]} to none for a relay without login.",
        Sign(text=r"requested but missing user name"),
    ),
    Row(
        "login-missing",
        "A login is set, but the password is missing ({said}).",
        "Set {option[password]}, or remove {option[login]} and set {option[auth]} to none.",
        Sign(text=r"requested but missing secret"),
    ),
    Row(
        "login-method-unknown",
        "Ruby does not support the login method ({said}).",
        "Set {option[auth]} to plain, login, cram_md5 or none, in lower case.",
        Sign(text=r"wrong authentication type"),
    ),
    Row(
        "verify-mode-unknown",
        "SMTP_OPENSSL_VERIFY_MODE is empty or not a valid OpenSSL mode ({said}).",
        "Set {option[verify]} to peer or none.",
        Sign(text=r"(uninitialized constant|wrong constant name).{0,300}VERIFY_"),
        Sign(
            stages=("build", "connect", "tls", "starttls"),
            classes=("TypeError", "RangeError"),
            text=r"(no implicit conversion of|cannot convert) .{0,300} (in)?to Integer"
            r"|out of range of integer|too big to",
            source="ossl_ssl.c: verify_mode is read as a number when TLS is set up",
        ),
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
        "sendmail-refused-by-gem",
        "The mail gem refuses to start sendmail ({said}).",
        "",
        Sign(classes=("ArgumentError",), text=r":arguments expected to be an Array"),
    ),
    Row(
        "sendmail-missing",
        "Mastodon is set to use sendmail, but the program is not installed ({said}).",
        "Set {option[delivery_method]} to smtp and the relay's name as {option[host]}.",
        Sign(classes=("Errno::ENOENT",), text=r"sendmail"),
    ),
    Row(
        "credentials-not-ascii",
        "Ruby's CRAM-MD5 login fails with a password that has non-ASCII characters ({said}).",
        "Set {option[auth]} to plain or login, or use ASCII characters in {option[password]}.",
        Sign(
            classes=("Encoding::CompatibilityError", "not-ascii"),
            text=r"incompatible (character )?encodings",
            when=_may_be_cram_md5,
            source="net-smtp: cram_secret of auth_cram_md5.rb",
        ),
    ),
    Row(
        "rails-does-not-boot",
        "Rails does not start: {said}.",
        "Unless the error names a mail setting, the cause lies elsewhere; see the instance's log.",
        Sign(stages=("boot",)),
    ),
)
