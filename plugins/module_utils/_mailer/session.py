# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the mail gem and net-smtp do with ActionMailer's settings before a connection is made.

Sources: lib/mail/network/delivery_methods/smtp.rb of the mail gem 2.7.1, 2.8.0.1, 2.8.1 and 2.9.0 (2.9.1 has the same);
lib/net/smtp.rb of net-smtp 0.3 and 0.5. tests/integration/rails_verdict compares the results with the gems in the lab,
and says which versions the lab only imitates or (mail 2.8.0.1) does not have.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .names import TlsMode
from .release import Era
from .ruby_value import Json, Odd, is_text

VerifyMode = t.Literal["peer", "none"]
Settings = t.Mapping[str, Json]


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An exception that Rails raises instead of sending.

    :ivar error_class: its Ruby class.
    :ivar stage: C(boot): the application does not start; C(build): no mail is sent.
    :ivar message: its message, without values that might be secret.
    :ivar late: whether it is raised only after connecting, so that a rehearsal without a connection does not see it.
    """

    error_class: str
    stage: t.Literal["boot", "build"]
    message: str
    late: bool = False

    def as_dict(self) -> dict[str, str]:
        return {"class": self.error_class, "stage": self.stage, "message": self.message}


@dataclasses.dataclass(frozen=True)
class Session:
    """How a mail would be sent, or why not.

    :ivar context: whether the mail gem's TLS context is used; only that applies C(openssl_verify_mode) and C(ca_file).
    :ivar verify_mode: whether the relay's certificate is verified; also C(none) without TLS.
    """

    tls_mode: TlsMode
    context: bool
    refusal: Refusal | None = None
    verify_mode: VerifyMode = "peer"


def truthy(value: Json) -> bool:
    """Whether Ruby treats the value as true: everything but nil and false, so also the empty text and 0."""
    return value is not None and value is not False


def _mail_2_7(settings: Settings) -> Session:
    if truthy(settings.get("tls")) or truthy(settings.get("ssl")):
        return Session("implicit", True)
    if truthy(settings.get("enable_starttls")):
        return Session("starttls", True)
    # It cannot switch STARTTLS off, so net-smtp's default applies: opportunistic since 0.2 (Ruby 3).
    return Session("starttls_optional", truthy(settings.get("enable_starttls_auto")))


def _mail_2_8(settings: Settings) -> Session:
    tls = settings.get("tls") if truthy(settings.get("tls")) else settings.get("ssl")
    if tls is True:
        return Session("implicit", True)
    if tls is False:  # this only switches implicit TLS off; STARTTLS keeps net-smtp's default
        return Session("starttls_optional", False)
    if settings.get("enable_starttls") is not None:
        return Session("starttls", True) if settings["enable_starttls"] else Session("none", False)
    if settings.get("enable_starttls_auto") is False:
        return Session("none", False)
    return Session("starttls_optional", True)


def _mail_2_8_0(settings: Settings) -> Session:
    session = _mail_2_8(settings)
    if session.tls_mode == "none" and settings.get("enable_starttls") is None:
        error = "undefined method for switching STARTTLS off (fixed in mail 2.8.1)"
        return dataclasses.replace(session, refusal=Refusal("NoMethodError", "build", error))
    return session


def _mail_2_9(settings: Settings) -> Session:
    starttls, auto = settings.get("enable_starttls"), settings.get("enable_starttls_auto")
    if truthy(settings.get("tls")) or truthy(settings.get("ssl")):
        if truthy(starttls) or truthy(auto):
            error = ":enable_starttls and :tls are mutually exclusive"
            return Session("implicit", True, Refusal("ArgumentError", "build", error))
        return Session("implicit", True)
    if truthy(starttls):
        return Session("starttls_optional" if starttls == "auto" else "starttls", True)
    if auto is not None:
        return Session("starttls_optional", True) if truthy(auto) else Session("none", False)
    return Session("starttls_optional", True) if starttls is None else Session("none", False)


_MAIL: dict[str, t.Callable[[Settings], Session]] = {
    "2.7.1": _mail_2_7,
    "2.8.0.1": _mail_2_8_0,
    "2.8.1": _mail_2_8,
    "2.9.0": _mail_2_9,
}

#: Mechanisms by generation of net-smtp; the newer one also accepts a hyphen for an underscore.
MECHANISMS: dict[str, tuple[str, ...]] = {
    "0.3": ("plain", "login", "cram_md5"),
    "0.5": ("plain", "login", "cram_md5", "xoauth2"),
}
#: The names of OpenSSL::SSL::VERIFY_*.
VERIFY_MODES = ("none", "peer", "client_once", "fail_if_no_peer_cert")


def session(settings: Settings, era: Era) -> Session:
    """How the era's mail gem opens a session with these settings, or why it cannot.

    :param settings: ActionMailer's settings, C(user_name) and C(password) included.
    """
    found = _MAIL[era.mail](settings)
    if found.refusal:
        return found
    verify = settings.get("openssl_verify_mode")
    found = dataclasses.replace(found, verify_mode=_verify_mode(found, verify))
    return dataclasses.replace(found, refusal=_verify_refusal(found, verify) or _login_refusal(settings, era))


def _verify_refusal(found: Session, verify: Json) -> Refusal | None:
    """Why a verify mode fails: a text must name a constant, any other value must be an integer."""
    if not found.context or not truthy(verify):
        return None
    if is_text(verify):
        if str(verify).lower() in VERIFY_MODES:
            return None
        return Refusal("NameError", "build", f"uninitialized constant OpenSSL::SSL::VERIFY_{str(verify).upper()}")
    number = isinstance(verify, (int, float)) and verify is not True
    if verify == Odd("Float") or (number and not -(2**31) <= t.cast(float, verify) < 2**31):
        return Refusal("RangeError", "build", "SMTP_OPENSSL_VERIFY_MODE is out of range of integer", late=True)
    if number:
        return None
    return Refusal("TypeError", "build", "no implicit conversion of SMTP_OPENSSL_VERIFY_MODE into Integer", late=True)


def _verify_mode(found: Session, verify: Json) -> VerifyMode:
    """Net::SMTP's own context verifies certificates (Ruby 3 and later); so does the gem's with mode nil or false."""
    if found.tls_mode == "none":
        return "none"
    off = (is_text(verify) and str(verify).lower() == "none") or (verify == 0 and truthy(verify))
    return "none" if found.context and off else "peer"


def mechanism(settings: Settings, era: Era) -> str:
    """The AUTH mechanism in use, or C(none). The default for a login is C(plain)."""
    if not truthy(settings.get("user_name")):
        return "none"
    return _mechanism(settings, era) or "none"


def _mechanism(settings: Settings, era: Era) -> str | None:
    method = settings.get("authentication")
    name = "plain" if not truthy(method) else "true" if method is True else str(method).lower()
    if era.net_smtp != "0.3":
        name = name.replace("-", "_")
    return name if name in MECHANISMS[era.net_smtp] else None


def _login_refusal(settings: Settings, era: Era) -> Refusal | None:
    login, password = truthy(settings.get("user_name")), truthy(settings.get("password"))
    asked = login or password or (era.net_smtp != "0.3" and truthy(settings.get("authentication")))
    if not asked:
        return None
    if _mechanism(settings, era) is None:
        method = re.sub(r"[^\w .-]", "?", str(settings.get("authentication")))
        return Refusal("ArgumentError", "build", f"wrong authentication type {method}")
    if not login:
        return Refusal("ArgumentError", "build", "SMTP-AUTH requested but missing user name")
    if not password:
        return Refusal("ArgumentError", "build", "SMTP-AUTH requested but missing secret phrase")
    return _exchange_refusal(_mechanism(settings, era), settings.get("user_name"), settings.get("password"))


def _exchange_refusal(mechanism: str | None, login: Json, password: Json) -> Refusal | None:
    """What Ruby raises during AUTH: LOGIN and CRAM-MD5 need texts, and CRAM-MD5 fails for some of them."""
    if mechanism == "login" and not (is_text(login) and is_text(password)):
        return Refusal("TypeError", "build", "LOGIN with a login or password that is no text", late=True)
    if mechanism == "cram_md5" and not is_text(password):
        return Refusal("NoMethodError", "build", "CRAM-MD5 with a password that is no text", late=True)
    if mechanism == "cram_md5" and cram_md5_fails(str(password)):
        return Refusal("Encoding::CompatibilityError", "build", "CRAM-MD5 with a password outside ASCII", late=True)
    return None


def cram_md5_fails(password: str) -> bool:
    """Whether net-smtp 0.2 to 0.5 raises an exception during CRAM-MD5.

    It processes characters instead of bytes, unless the password is long enough to be hashed first (auth_cram_md5.rb,
    cram_secret).
    """
    return not password.isascii() and len(password) <= 64
