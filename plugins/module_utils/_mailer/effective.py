# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""Variables and release -> what ActionMailer really uses."""

from __future__ import annotations

import dataclasses
import typing as t

from .address import ruby_refuses
from .release import Release, era_of, since
from .session import Refusal, TlsMode, VerifyMode, mechanism, session, truthy
from .variables import BULK, FORMS, MAIN, SETTINGS, VARIABLES, Reading, blank
from .yaml_value import Json, Symbol, YamlRefusal, bare_value

#: Mastodon's sender when SMTP_FROM_ADDRESS is not set (config/environments/production.rb, config/email.yml).
DEFAULT_FROM = "notifications@localhost"
#: ActionMailer's own (action_mailer/delivery_methods.rb).
DELIVERY_METHODS = ("smtp", "sendmail", "file", "test")
_SECRET_KEYS = ("user_name", "password")


@dataclasses.dataclass(frozen=True)
class Relay:
    """What Rails uses for one relay.

    :ivar settings: ActionMailer's C(smtp_settings) of that release, without C(user_name) and C(password).
    :ivar login_set: whether a user name is there, the empty text included: AUTH is tried with it.
    :ivar tls_mode: what the mail gem of that release makes of the TLS settings.
    :ivar auth_mode: the mechanism in use, or C(none).
    :ivar verify_mode: whether the relay's certificate is verified (C(peer)); C(none) where nothing is encrypted, too.
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
    """What Rails does with the mail variables: the settings, or the error that it raises instead.

    :ivar error: None, or why Rails does not start (C(boot)) or sends nothing (C(build)).
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
    """What Rails of that release uses when it runs with these variables. Pure; never fails.

    :param variables: name -> text as the process environment holds them (after every file and
        layer); other names are ignored.
    :param local_domain: LOCAL_DOMAIN; empty when it is not known.
    """
    era = era_of(release)
    # In the order of our table, whatever that of the file: the first that cannot be read is the one named.
    known = {name: variables[name] for name, one in VARIABLES.items() if name in variables and one.read_by(era)}
    refusal = _unreadable(known, release, local_domain)
    if refusal:
        return Effective(None, None, None, None, refusal, None, None)

    def headers(name: str, default: str | None = None) -> Json:
        text = known.get(name, default)
        return bare_value(text or "") if VARIABLES[name].bare_in(era) else text

    sender = headers("SMTP_FROM_ADDRESS", DEFAULT_FROM)
    method = headers("SMTP_DELIVERY_METHOD", "smtp")
    refusal = _boot_refusal(sender, method)
    reply_to, return_path = (_present(headers(name)) for name in ("SMTP_REPLY_TO", "SMTP_RETURN_PATH"))
    if refusal:
        return Effective(method, sender, reply_to, return_path, refusal, None, None)
    main, refusal = _relay(known, MAIN, release, local_domain)
    bulk: Relay | None = None
    if since(era, "4.4.0"):
        bulk, bulk_refusal = _relay(known, BULK, release, local_domain)
        if blank_value(bulk.settings["address"]):
            bulk = None
        elif refusal is None and bulk_refusal is not None:
            refusal = dataclasses.replace(bulk_refusal, message=f"bulk relay: {bulk_refusal.message}")
    if method not in DELIVERY_METHODS:
        refusal = Refusal("RuntimeError", "build", "Invalid delivery method")
    elif method != "smtp":
        refusal = None
    return Effective(method, sender, reply_to, return_path, refusal, main, bulk)


def blank_value(value: Json) -> bool:
    """Rails' C(blank?) for a value of config/email.yml."""
    return blank(value) if isinstance(value, str) else value is None or value is False


def _present(value: Json) -> Json:
    return None if blank_value(value) else value


def _unreadable(known: t.Mapping[str, str], release: Release, local_domain: str) -> Refusal | None:
    """Why config/email.yml cannot be read: Rails reports the first syntax error before anything else."""
    era = era_of(release)
    texts = {name: text for name, text in known.items() if VARIABLES[name].bare_in(era)}
    if era.yaml and not {"SMTP_DOMAIN", "BULK_SMTP_DOMAIN"} <= set(texts):
        texts["LOCAL_DOMAIN"] = local_domain
    problems: dict[str, str] = {}
    for name, text in texts.items():
        try:
            bare_value(text)
        except YamlRefusal as refused:
            problems.setdefault(refused.error_class, name)
    if "Psych::SyntaxError" in problems:
        # Rails wraps it (active_support/configuration_file.rb).
        message = f"YAML syntax error occurred while parsing config/email.yml ({problems['Psych::SyntaxError']})"
        return Refusal("RuntimeError", "boot", message)
    for error_class, name in problems.items():
        return Refusal(error_class, "boot", f"config/email.yml cannot be read ({name})")
    return None


def _boot_refusal(sender: Json, method: Json) -> Refusal | None:
    if isinstance(sender, str) and ruby_refuses(sender):
        return Refusal("Mail::Field::IncompleteParseError", "boot", "SMTP_FROM_ADDRESS is not an address")
    if not isinstance(method, (str, Symbol)):
        return Refusal("NoMethodError", "boot", "undefined method `to_sym' (SMTP_DELIVERY_METHOD)")
    return None


def _relay(
    known: t.Mapping[str, str], prefix: str, release: Release, local_domain: str
) -> tuple[Relay, Refusal | None]:
    era = era_of(release)
    reading = Reading(known, prefix, local_domain)
    forms = ((one, one.form(era)) for one in SETTINGS)
    settings = {one.key: FORMS[form](reading, one.suffix) for one, form in forms if form}
    opened = session(settings, era)
    shown = {key: value for key, value in settings.items() if key not in _SECRET_KEYS}
    login, password = truthy(settings["user_name"]), truthy(settings["password"])
    relay = Relay(shown, login, password, opened.tls_mode, mechanism(settings, era), opened.verify_mode)
    return relay, opened.refusal
