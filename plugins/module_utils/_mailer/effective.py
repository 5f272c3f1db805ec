# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables and release -> what ActionMailer really uses."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from . import email_yml
from .address import names_nobody, ruby_refuses
from .names import BULK, MAIN, TlsMode
from .release import Era, Release, era_of
from .ruby_value import Json, Symbol, is_empty, is_text, plain_value
from .session import Refusal, VerifyMode, mechanism, session, truthy
from .variables import FORMS, SETTINGS, Reading, blank

#: Mastodon's sender when SMTP_FROM_ADDRESS is not set (config/environments/production.rb, config/email.yml).
DEFAULT_FROM = "notifications@localhost"
#: ActionMailer's built-in methods (action_mailer/delivery_methods.rb).
DELIVERY_METHODS = ("smtp", "sendmail", "file", "test")
_SECRET_KEYS = ("user_name", "password")


@dataclasses.dataclass(frozen=True)
class Relay:
    """What Rails uses for one relay.

    :ivar settings: ActionMailer's C(smtp_settings) of that release, without C(user_name) and C(password).
    :ivar login_set: whether a user name is set, even an empty one: AUTH is then tried.
    :ivar tls_mode: the TLS mode that the mail gem of that release derives from the settings.
    :ivar auth_mode: the mechanism in use, or C(none).
    :ivar verify_mode: C(peer) if the relay's certificate is verified; C(none) if not, or without encryption.
    """

    settings: t.Mapping[str, Json]
    login_set: bool
    password_set: bool
    tls_mode: TlsMode
    auth_mode: str
    verify_mode: VerifyMode

    def as_dict(self) -> dict[str, t.Any]:
        return {**dataclasses.asdict(self), "settings": dict(self.settings)}


@dataclasses.dataclass(frozen=True)
class Effective:
    """What Rails does with the mail variables: the settings that it uses, or the error that it raises.

    :ivar error: why Rails does not start (stage C(boot)) or sends nothing (stage C(build)); None without error.
    :ivar main: the relay for everything; None when Rails does not start.
    :ivar bulk: the relay for announcements and terms of service; None when there is none.
    """

    delivery_method: Json
    from_address: Json
    reply_to: Json
    return_path: Json
    error: Refusal | None
    main: Relay | None
    bulk: Relay | None

    def as_dict(self) -> dict[str, t.Any]:
        """JSON: delivery_method, from, reply_to, return_path, error, main, bulk."""
        return {
            "delivery_method": self.delivery_method,
            "from": self.from_address,
            "reply_to": self.reply_to,
            "return_path": self.return_path,
            "error": self.error.as_dict() if self.error else None,
            "main": self.main.as_dict() if self.main else None,
            "bulk": self.bulk.as_dict() if self.bulk else None,
        }


def effective(variables: t.Mapping[str, str], release: Release, local_domain: str) -> Effective:
    """The settings that Rails of that release uses with these variables. A pure function that never fails.

    :param variables: name -> text in the process environment (after all files and layers); other names are ignored.
    :param local_domain: LOCAL_DOMAIN; empty when it is not known.
    """
    era = era_of(release)
    known = email_yml.read_variables(variables, era)
    file = email_yml.mail_settings(known, era, local_domain) if era.yaml else {}
    if isinstance(file, Refusal):
        return Effective(None, None, None, None, file, None, None)
    method, sender, reply_to, return_path = _headers(known, file, era)
    main_file, refusal = file.get("smtp_settings"), _boot_refusal(sender, method)
    if refusal is None and era.yaml and not isinstance(main_file, dict):
        refusal = Refusal("NoMethodError", "boot", "config/email.yml has no smtp_settings")
    if refusal:
        return Effective(method, sender, reply_to, return_path, refusal, None, None)
    main, refusal = _relay(Reading(known, MAIN, local_domain, main_file or {}), era)
    bulk: Relay | None = None
    bulk_file = file.get("bulk_mail")
    bulk_file = bulk_file.get("smtp_settings") if isinstance(bulk_file, dict) else None
    if isinstance(bulk_file, dict) and not blank_value(plain_value(bulk_file.get("address"))):
        bulk, bulk_refusal = _relay(Reading(known, BULK, local_domain, bulk_file), era)
        if refusal is None and bulk_refusal is not None:
            refusal = dataclasses.replace(bulk_refusal, message=f"bulk relay: {bulk_refusal.message}")
    refusal = _method_refusal(method, era) if method != "smtp" else refusal
    refusal = refusal or _envelope_refusal(sender, return_path)
    return Effective(method, sender, reply_to, return_path, refusal, main, bulk)


def _headers(known: t.Mapping[str, str], file: t.Mapping[t.Any, t.Any], era: Era) -> tuple[Json, Json, Json, Json]:
    """Delivery method, From, Reply-To and return path."""
    if era.yaml:
        keys = ("delivery_method", "from_address", "reply_to", "return_path")
        method, sender, reply_to, return_path = (plain_value(file.get(key)) for key in keys)
    else:
        method, sender = known.get("SMTP_DELIVERY_METHOD", "smtp"), known.get("SMTP_FROM_ADDRESS", DEFAULT_FROM)
        reply_to, return_path = known.get("SMTP_REPLY_TO"), known.get("SMTP_RETURN_PATH")
    return method, sender, _present(reply_to), _present(return_path)


def blank_value(value: Json) -> bool:
    """Rails' C(blank?) for a value of config/email.yml."""
    return is_empty(value) or (blank(value) if isinstance(value, str) else value is None or value is False)


def _present(value: Json) -> Json:
    return None if blank_value(value) else value


def _boot_refusal(sender: Json, method: Json) -> Refusal | None:
    if is_text(sender) and ruby_refuses(str(sender)):
        return Refusal("Mail::Field::IncompleteParseError", "boot", "SMTP_FROM_ADDRESS is not an address")
    if not is_text(method) and not isinstance(method, Symbol):
        return Refusal("NoMethodError", "boot", "undefined method `to_sym' (SMTP_DELIVERY_METHOD)")
    return None


def _method_refusal(method: Json, era: Era) -> Refusal | None:
    """Why a delivery method other than SMTP sends nothing; None if it works."""
    if method not in DELIVERY_METHODS:
        return Refusal("RuntimeError", "build", "Invalid delivery method")
    if method == "sendmail" and sendmail_fails(era):
        return Refusal("ArgumentError", "build", ":arguments expected to be an Array of individual string args")
    return None


def sendmail_fails(era: Era) -> bool:
    """Whether every mail through sendmail fails.

    Rails before 7.1 passes the arguments as one text (action_mailer/delivery_methods.rb). Of the mail gem's versions
    that come with such a Rails, only 2.8.0 rejects that (delivery_methods/sendmail.rb).
    """
    return era.mail == "2.8.0.1"


def _envelope_refusal(sender: Json, return_path: Json) -> Refusal | None:
    """Why there is no envelope sender. Every delivery method needs one (Mail::SmtpEnvelope): return path or From."""
    if return_path is None and (sender is None or (is_text(sender) and names_nobody(str(sender)))):
        return Refusal("ArgumentError", "build", "SMTP From address may not be blank (SMTP_FROM_ADDRESS)", late=True)
    return None


def _relay(reading: Reading, era: Era) -> tuple[Relay, Refusal | None]:
    # A value with line breaks can set additional keys; the mail gem gets those too.
    settings = {str(key): plain_value(value) for key, value in reading.file.items()}
    for one in SETTINGS:
        settings.pop(one.key, None)
        if one.form(era):
            settings[one.key] = plain_value(FORMS[one.form(era)](reading, one.suffix))
    opened = session(settings, era)
    shown = {key: value for key, value in settings.items() if key not in _SECRET_KEYS}
    login, password = truthy(settings["user_name"]), truthy(settings["password"])
    relay = Relay(shown, login, password, opened.tls_mode, mechanism(settings, era), opened.verify_mode)
    return relay, opened.refusal
