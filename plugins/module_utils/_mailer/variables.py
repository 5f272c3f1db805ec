# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""Which variable exists in which era, and how its text becomes a setting of ActionMailer there.

One row per setting. A row names, for each era in which something changed, the form that the text takes from then on; a
form is a small function below. The bulk relay (4.4 and later) has the same rows under the prefix C(BULK_SMTP_).
"""

from __future__ import annotations

import dataclasses
import typing as t

from .release import Era, since
from .yaml_value import Json, bare_value

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
MAIN, BULK = "SMTP_", "BULK_SMTP_"


@dataclasses.dataclass(frozen=True)
class Reading:
    """The variables of one relay while its settings are worked out.

    :ivar variables: name -> text, as the process environment holds them.
    :ivar prefix: C(SMTP_) or C(BULK_SMTP_).
    :ivar local_domain: LOCAL_DOMAIN; empty when it is not set.
    """

    variables: t.Mapping[str, str]
    prefix: str
    local_domain: str

    def text(self, suffix: str) -> str | None:
        """The text of a variable of this relay; None when it is not set."""
        return self.variables.get(self.prefix + suffix)


Form = t.Callable[[Reading, str], Json]


def blank(text: str | None) -> bool:
    """Rails' C(blank?): nothing, or only white space."""
    return text is None or not text.strip()


def _text(reading: Reading, suffix: str) -> Json:
    return reading.text(suffix)


def _present(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return None if blank(text) else text


def _yaml(reading: Reading, suffix: str) -> Json:
    return bare_value(reading.text(suffix) or "")


def _text_or_local_domain(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return (reading.local_domain or None) if text is None else text


def _yaml_or_local_domain(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return bare_value(reading.local_domain if text is None else text)


def _method(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return "plain" if text is None else None if text == "none" else text


def _yaml_method(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    value = "plain" if text is None else bare_value(text)
    if value == "none" and type(value) is str:  # pylint: disable=unidiomatic-typecheck
        return None
    return "plain" if value is None or value is False else value


def _present_or_bundle(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return BUNDLE if blank(text) else text


def _yaml_or_bundle(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return BUNDLE if text is None else bare_value(text)


def _present_and_true(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return None if blank(text) else text == "true"


def _true_or_nil(reading: Reading, suffix: str) -> Json:
    return True if reading.text(suffix) == "true" else None


def _starttls(reading: Reading, suffix: str) -> Json:
    return {"always": True, "never": False}.get(_starttls_word(reading, suffix))


def _starttls_word(reading: Reading, suffix: str) -> str:
    text = reading.text(suffix)
    return text if text in ("always", "never", "auto") else ""


def _yaml_starttls_word(reading: Reading, suffix: str) -> str:
    value = bare_value(reading.text(suffix) or "")
    plain = type(value) is str  # a symbol is a str, too  # pylint: disable=unidiomatic-typecheck
    return value if plain and value in ("always", "never", "auto", "false") else ""


def _yaml_starttls(reading: Reading, suffix: str) -> Json:
    return {"always": True, "never": False}.get(_yaml_starttls_word(reading, suffix))


def _yaml_starttls_symbol(reading: Reading, suffix: str) -> Json:
    word = _yaml_starttls_word(reading, suffix)
    if word:
        return {"always": "always", "auto": "auto"}.get(word, False)
    if reading.text("TLS") == "true" or reading.text("SSL") == "true":
        return None
    return False if reading.text("ENABLE_STARTTLS_AUTO") == "false" else "auto"


def _text_or_true(reading: Reading, suffix: str) -> Json:
    text = reading.text(suffix)
    return True if text is None else text


def _not_false(reading: Reading, suffix: str) -> Json:
    return reading.text(suffix) != "false"


def _not_false_unless_worded(reading: Reading, suffix: str) -> Json:
    word = _starttls_word(reading, "ENABLE_STARTTLS")
    return {"": reading.text(suffix) != "false", "auto": True}.get(word)


def _true_unless_worded(reading: Reading, _suffix: str) -> Json:
    # email.yml has already made a boolean of the text, which the helper then compares with the text 'false'.
    word = _yaml_starttls_word(reading, "ENABLE_STARTTLS")
    return True if word in ("", "auto", "false") else None


def _twenty(_reading: Reading, _suffix: str) -> Json:
    return 20


FORMS: dict[str, Form] = {
    "text": _text,
    "text, nil if blank": _present,
    "yaml": _yaml,
    "text, or LOCAL_DOMAIN": _text_or_local_domain,
    "yaml, or LOCAL_DOMAIN": _yaml_or_local_domain,
    "text, plain if unset, nil if none": _method,
    "yaml, plain if nil, nil if none": _yaml_method,
    "text, bundle if blank": _present_or_bundle,
    "yaml, bundle if unset": _yaml_or_bundle,
    "true if true, nil if blank": _present_and_true,
    "true if true": _true_or_nil,
    "true if always, false if never": _starttls,
    "yaml, true if always, false if never": _yaml_starttls,
    "yaml, always, auto or false": _yaml_starttls_symbol,
    "text, true if unset": _text_or_true,
    "false if false": _not_false,
    "false if false, nil if ENABLE_STARTTLS decides": _not_false_unless_worded,
    "true, nil if ENABLE_STARTTLS decides": _true_unless_worded,
    "20": _twenty,
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """One key of ActionMailer's C(smtp_settings).

    :ivar key: the key.
    :ivar suffix: the variable without its prefix; empty for a constant of Mastodon.
    :ivar forms: era -> name of the form from that era on; an empty name means that the key is not there.
    :ivar source: Mastodon's pull requests; the files are those of the eras.
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
    Setting("address", "SERVER", {"3.4": "text", "4.4.0": "yaml", "4.4": "text"}, "mastodon#35305, #35314"),
    Setting("port", "PORT", {"3.4": "text", "4.4.0": "yaml"}, "mastodon#35191"),
    Setting(
        "user_name",
        "LOGIN",
        {"3.4": "text, nil if blank", "4.4.0": "yaml", "4.4": "text"},
        "mastodon#772, #35314",
    ),
    Setting("password", "PASSWORD", {"3.4": "text, nil if blank", "4.4.0": "yaml", "4.4": "text"}, "mastodon#35305"),
    Setting("domain", "DOMAIN", {"3.4": "text, or LOCAL_DOMAIN", "4.4.0": "yaml, or LOCAL_DOMAIN"}, "mastodon#35191"),
    Setting(
        "authentication",
        "AUTH_METHOD",
        {"3.4": "text, plain if unset, nil if none", "4.4.0": "yaml, plain if nil, nil if none"},
        "mastodon#35191",
    ),
    Setting(
        "ca_file",
        "CA_FILE",
        {"3.4": "text, nil if blank", "3.5": "text, bundle if blank", "4.4.0": "yaml, bundle if unset"},
        "mastodon#2713, #10857, #27164",
    ),
    Setting("openssl_verify_mode", "OPENSSL_VERIFY_MODE", {"3.4": "text", "4.4.0": "yaml"}, "mastodon#6996"),
    Setting(
        "enable_starttls",
        "ENABLE_STARTTLS",
        {
            "4.0": "true if always, false if never",
            "4.4.0": "yaml, true if always, false if never",
            "4.5": "yaml, always, auto or false",
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
            "4.4.0": "true, nil if ENABLE_STARTTLS decides",
            "4.5": "",
        },
        "mastodon#17216, #20321, #36646",
    ),
    Setting(
        "tls",
        "TLS",
        {"3.4": "text, nil if blank", "3.5": "true if true, nil if blank", "4.4.0": "true if true"},
        "mastodon#17215, #17216",
    ),
    Setting(
        "ssl",
        "SSL",
        {"3.4": "text, nil if blank", "3.5": "true if true, nil if blank", "4.4.0": "true if true"},
        "mastodon#14309, #17216",
    ),
    Setting("read_timeout", "", {"4.1": "20"}, "mastodon#23750"),
)


@dataclasses.dataclass(frozen=True)
class Variable:
    """One environment variable that Mastodon reads.

    :ivar first: the first era that reads it.
    :ivar bare: the eras (first, and the first one after) in which it stands in config/email.yml without quotes.
    """

    name: str
    first: str
    bare: tuple[str, str | None] | None
    source: str

    def read_by(self, era: Era) -> bool:
        """Whether that era reads the variable at all."""
        return since(era, self.first)

    def bare_in(self, era: Era) -> bool:
        """Whether its text is read as YAML in that era."""
        if self.bare is None or not since(era, self.bare[0]):
            return False
        return self.bare[1] is None or not since(era, self.bare[1])


_QUOTED_LATER = ("4.4.0", "4.4")
_STILL_BARE = ("4.4.0", None)
#: Suffix -> in which eras it is bare. The TLS flags are compared with a text before they reach the file.
_BARENESS: dict[str, tuple[str, str | None] | None] = {
    "SERVER": _QUOTED_LATER, "LOGIN": _QUOTED_LATER, "PASSWORD": _QUOTED_LATER,
    "PORT": _STILL_BARE, "DOMAIN": _STILL_BARE, "AUTH_METHOD": _STILL_BARE, "CA_FILE": _STILL_BARE,
    "OPENSSL_VERIFY_MODE": _STILL_BARE, "ENABLE_STARTTLS": _STILL_BARE, "ENABLE_STARTTLS_AUTO": None,
    "TLS": None, "SSL": None,
}  # fmt: skip

_OF_A_RELAY = tuple(one for one in SETTINGS if one.suffix)

#: Everything that Mastodon reads about mail, the bulk relay included.
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

#: Names found in the wild that Mastodon reads in no release -> the name that was meant, or empty.
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
