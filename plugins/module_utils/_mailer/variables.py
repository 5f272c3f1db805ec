# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variable exists in which era, and how its text becomes a setting of ActionMailer.

There is one row per setting. For each era in which something changed, it names the form that converts the text from
then on; a form is a small function below. The bulk relay (4.4 and later) uses the same rows with the prefix
C(BULK_SMTP_).
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .names import BULK, MAIN
from .release import Era, since
from .ruby_value import Json, is_text

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@dataclasses.dataclass(frozen=True)
class Reading:
    """The input of the forms: the variables of one relay.

    :ivar variables: name -> text in the process environment.
    :ivar prefix: C(SMTP_) or C(BULK_SMTP_).
    :ivar local_domain: LOCAL_DOMAIN; empty when it is not set.
    :ivar file: C(smtp_settings) of this relay as Rails reads them from config/email.yml; empty before Mastodon 4.4.
    """

    variables: t.Mapping[str, str]
    prefix: str
    local_domain: str
    file: t.Mapping[str, Json] = dataclasses.field(default_factory=dict)

    def text(self, suffix: str) -> str | None:
        """The text of a variable of this relay; None when it is not set."""
        return self.variables.get(self.prefix + suffix)


Form = t.Callable[[Reading, str], Json]


def blank(text: str | None) -> bool:
    """Rails' C(blank?): not set, empty, or only white space."""
    return text is None or not text.strip()


def _text(reading: Reading, suffix: str) -> Json:
    return reading.text(suffix)


def _present(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return None if blank(text) else text


def _file(reading: Reading, suffix: str) -> Json:
    return reading.file.get(_KEYS[suffix])


def _text_or_local_domain(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return (reading.local_domain or None) if text is None else text


def _method(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return "plain" if text is None else None if text == "none" else text


def _file_method(reading: Reading, suffix: str) -> Json:
    value = _file(reading, suffix)
    if is_text(value) and value == "none":
        return None
    return "plain" if value is None or value is False else value


def _present_or_bundle(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return BUNDLE if blank(text) else text


def _present_and_true(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return None if blank(text) else text == "true"


def _starttls(reading: Reading, suffix: str) -> Json:
    return {"always": True, "never": False}.get(_starttls_word(reading, suffix))


def _starttls_word(reading: Reading, suffix: str) -> str:
    text = reading.text(suffix)
    return text if text in ("always", "never", "auto") else ""


def _file_starttls_word(reading: Reading, suffix: str) -> str:
    value = _file(reading, suffix)
    return str(value) if is_text(value) and value in ("always", "never", "auto", "false") else ""


def _file_starttls(reading: Reading, suffix: str) -> Json:
    return {"always": True, "never": False}.get(_file_starttls_word(reading, suffix))


def _file_starttls_symbol(reading: Reading, suffix: str) -> Json:
    word = _file_starttls_word(reading, suffix)
    if word:
        return {"always": "always", "auto": "auto"}.get(word, False)
    if any(reading.file.get(key) not in (None, False) for key in ("tls", "ssl")):
        return None
    return False if reading.file.get("enable_starttls_auto") in (None, False) else "auto"


def _text_or_true(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return True if text is None else text


def _not_false(reading: Reading, suffix: str) -> Json:
    return reading.text(suffix) != "false"


def _not_false_unless_worded(reading: Reading, suffix: str) -> Json:
    word = _starttls_word(reading, "ENABLE_STARTTLS")
    return {"": reading.text(suffix) != "false", "auto": True}.get(word)


def _file_auto(reading: Reading, suffix: str) -> Json:
    # email.yml has already turned the text into a boolean, which the helper then compares with the text 'false'.
    word = _file_starttls_word(reading, "ENABLE_STARTTLS")
    if word in ("always", "never"):
        return None
    value = _file(reading, suffix)
    return word == "auto" or not (is_text(value) and value == "false")


def _twenty(_reading: Reading, _suffix: str) -> Json:
    return 20


#: Forms by name; those that begin with C(file) use the values that email_yml.py has read.
FORMS: dict[str, Form] = {
    "text": _text,
    "text, nil if blank": _present,
    "text, or LOCAL_DOMAIN": _text_or_local_domain,
    "text, plain if unset, nil if none": _method,
    "text, bundle if blank": _present_or_bundle,
    "true if true, nil if blank": _present_and_true,
    "true if always, false if never": _starttls,
    "text, true if unset": _text_or_true,
    "false if false": _not_false,
    "false if false, nil if ENABLE_STARTTLS decides": _not_false_unless_worded,
    "20": _twenty,
    "file": _file,
    "file, plain if nil, nil if none": _file_method,
    "file, true if always, false if never": _file_starttls,
    "file, always, auto or false": _file_starttls_symbol,
    "file, nil if ENABLE_STARTTLS decides": _file_auto,
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """One key of ActionMailer's C(smtp_settings).

    :ivar key: the key.
    :ivar suffix: the variable without its prefix; empty for a constant of Mastodon.
    :ivar forms: era -> name of the form from that era on; an empty name means that the key does not exist.
    :ivar source: Mastodon's pull requests; for the files see the eras.
    """

    key: str
    suffix: str
    forms: t.Mapping[str, str]
    source: str

    def form(self, era: Era) -> str:
        """The form in an era; empty when the key does not exist there."""
        return next((form for name, form in reversed(list(self.forms.items())) if since(era, name)), "")


#: The settings of a relay (reference: config/environments/production.rb; config/email.yml from 4.4).
SETTINGS: tuple[Setting, ...] = (
    Setting("address", "SERVER", {"3.4": "text", "4.4.0": "file"}, "mastodon#35305, #35314"),
    Setting("port", "PORT", {"3.4": "text", "4.4.0": "file"}, "mastodon#35191"),
    Setting("user_name", "LOGIN", {"3.4": "text, nil if blank", "4.4.0": "file"}, "mastodon#772, #35314"),
    Setting("password", "PASSWORD", {"3.4": "text, nil if blank", "4.4.0": "file"}, "mastodon#35305"),
    Setting("domain", "DOMAIN", {"3.4": "text, or LOCAL_DOMAIN", "4.4.0": "file"}, "mastodon#35191"),
    Setting(
        "authentication",
        "AUTH_METHOD",
        {"3.4": "text, plain if unset, nil if none", "4.4.0": "file, plain if nil, nil if none"},
        "mastodon#35191",
    ),
    Setting(
        "ca_file",
        "CA_FILE",
        {"3.4": "text, nil if blank", "3.5": "text, bundle if blank", "4.4.0": "file"},
        "mastodon#2713, #10857, #27164",
    ),
    Setting("openssl_verify_mode", "OPENSSL_VERIFY_MODE", {"3.4": "text", "4.4.0": "file"}, "mastodon#6996"),
    Setting(
        "enable_starttls",
        "ENABLE_STARTTLS",
        {
            "4.0": "true if always, false if never",
            "4.4.0": "file, true if always, false if never",
            "4.5": "file, always, auto or false",
        },
        "mastodon#20321, #20377, #36646",
    ),
    Setting(
        "enable_starttls_auto",
        "ENABLE_STARTTLS_AUTO",
        {
            "3.4": "text, true if unset",
            "3.5": "false if false",
            "4.0": "false if false, nil if ENABLE_STARTTLS decides",
            "4.4.0": "file, nil if ENABLE_STARTTLS decides",
            "4.5": "",
        },
        "mastodon#17216, #20321, #36646",
    ),
    Setting(
        "tls",
        "TLS",
        {"3.4": "text, nil if blank", "3.5": "true if true, nil if blank", "4.4.0": "file"},
        "mastodon#17215, #17216",
    ),
    Setting(
        "ssl",
        "SSL",
        {"3.4": "text, nil if blank", "3.5": "true if true, nil if blank", "4.4.0": "file"},
        "mastodon#14309, #17216",
    ),
    Setting("read_timeout", "", {"4.1": "20", "4.4.0": "file"}, "mastodon#23750"),
)


_KEYS = {one.suffix: one.key for one in SETTINGS}


@dataclasses.dataclass(frozen=True)
class Variable:
    """One environment variable that Mastodon reads.

    :ivar first: the first era that reads it.
    :ivar bare: the eras in which config/email.yml has it unquoted: (first, the one after the last).
    """

    name: str
    first: str
    bare: tuple[str, str | None] | None
    source: str

    def read_by(self, era: Era) -> bool:
        """Whether that era reads the variable."""
        return since(era, self.first)

    def bare_in(self, era: Era) -> bool:
        """Whether its text is unquoted in that era, and so read as YAML."""
        if self.bare is None or not since(era, self.bare[0]):
            return False
        return self.bare[1] is None or not since(era, self.bare[1])


_QUOTED_LATER = ("4.4.0", "4.4")
_STILL_BARE = ("4.4.0", None)
#: Suffix -> the eras in which it is bare. The TLS flags are compared with a text before they reach the file.
_BARENESS: dict[str, tuple[str, str | None] | None] = {
    "SERVER": _QUOTED_LATER, "LOGIN": _QUOTED_LATER, "PASSWORD": _QUOTED_LATER,
    "PORT": _STILL_BARE, "DOMAIN": _STILL_BARE, "AUTH_METHOD": _STILL_BARE, "CA_FILE": _STILL_BARE,
    "OPENSSL_VERIFY_MODE": _STILL_BARE, "ENABLE_STARTTLS": _STILL_BARE, "ENABLE_STARTTLS_AUTO": None,
    "TLS": None, "SSL": None,
}  # fmt: skip

#: All mail variables that Mastodon reads, including those of the bulk relay.
VARIABLES: dict[str, Variable] = {
    variable.name: variable
    for variable in (
        *(
            Variable(MAIN + one.suffix, next(iter(one.forms)), _BARENESS[one.suffix], one.source)
            for one in SETTINGS
            if one.suffix
        ),
        Variable("SMTP_FROM_ADDRESS", "3.4", _QUOTED_LATER, "mastodon#16076"),
        Variable("SMTP_REPLY_TO", "3.4", _QUOTED_LATER, "mastodon#11718"),
        Variable("SMTP_RETURN_PATH", "3.5", _QUOTED_LATER, "mastodon#17886, #17982"),
        Variable("SMTP_DELIVERY_METHOD", "3.4", _STILL_BARE, "config/email.yml"),
        *(
            Variable(BULK + one.suffix, "4.4.0", _BARENESS[one.suffix], "mastodon#35191, #35203")
            for one in SETTINGS
            if one.suffix
        ),
    )
}

#: Names found in the wild that no release of Mastodon reads -> the name that was meant, or empty.
MISNOMERS: dict[str, str] = {
    "SMTP_HOST": "SMTP_SERVER",
    "SMTP_ADDRESS": "SMTP_SERVER",
    "SMTP_USER": "SMTP_LOGIN",
    "SMTP_USERNAME": "SMTP_LOGIN",
    "SMTP_USER_NAME": "SMTP_LOGIN",
    "SMTP_PASS": "SMTP_PASSWORD",
    "SMTP_FROM": "SMTP_FROM_ADDRESS",
    "SMTP_AUTH": "SMTP_AUTH_METHOD",
    "SMTP_AUTHENTICATION": "SMTP_AUTH_METHOD",
    "SMTP_STARTTLS": "SMTP_ENABLE_STARTTLS",
    "SMTP_READ_TIMEOUT": "",
    "SMTP_OPEN_TIMEOUT": "",
    "BULK_SMTP_FROM_ADDRESS": "SMTP_FROM_ADDRESS",
    "BULK_SMTP_REPLY_TO": "SMTP_REPLY_TO",
    "BULK_SMTP_RETURN_PATH": "SMTP_RETURN_PATH",
    "BULK_SMTP_DELIVERY_METHOD": "SMTP_DELIVERY_METHOD",
}
