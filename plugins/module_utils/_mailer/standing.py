# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the settings that are on a host do, and their author did not mean."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .._findings.model import Finding
from .._findings.settings import TABLE
from .effective import Effective, effective
from .names import CREDENTIAL, PREFIXES
from .release import Era, Release, era_of, since
from .request_rules import about_current
from .variables import VARIABLES, blank

#: Delivery methods of ActionMailer that send nothing -> what they do (action_mailer/delivery_methods.rb).
SENDS_NOTHING = {"file": "writes each mail to a file", "test": "keeps each mail in memory"}
#: From this era on a blank login or password reaches net-smtp as an empty text, which is true in Ruby, so it logs in;
#: before, it is nil. Sources: production.rb (presence), config/email.yml since mastodon#35314 (to_json).
_BLANK_LOGS_IN = "4.4"


def about_standing(
    variables: t.Mapping[str, str], names: t.Iterable[str], release: str, local_domain: str
) -> list[Finding]:
    """The findings about the settings in use.

    :param variables: all variables that Rails sees; those not about mail are ignored.
    :param names: the mail variables of the environment file, also those that Mastodon does not know.
    :param release: the instance's; without one, only what is true of all releases is reported.
    """
    if not release:
        return list(about_current(names))
    version = Release.parse(release)
    era = era_of(version)
    used = effective(variables, version, local_domain)
    found = [*about_current(names), *_unread_yet(names, release, era), *_delivery(variables, used)]
    if used.delivery_method in ("smtp", None):
        for relay, prefix in PREFIXES.items():
            if relay == "main" or variables.get(f"{prefix}SERVER", "").strip():
                found += [*_blank_credentials(variables, prefix, release, era), *_blank_helo(variables, prefix, era)]
    return found


def blank_login(variables: t.Mapping[str, str], prefix: str) -> bool:
    """Whether a relay's login is set, but empty: its author wants no login."""
    name = prefix + CREDENTIAL["login"]
    return name in variables and blank(variables[name])


def _blank_credentials(variables: t.Mapping[str, str], prefix: str, release: str, era: Era) -> t.Iterator[Finding]:
    if not since(era, _BLANK_LOGS_IN):
        return
    login, password = (prefix + suffix for suffix in CREDENTIAL.values())
    # Without a login, AUTH_METHOD must be none: net-smtp 0.5 refuses a method without a user name.
    no_login = f"If the relay needs no login, remove both lines and set {prefix}AUTH_METHOD=none."
    if blank_login(variables, prefix):
        message = f"It is set but empty, so Mastodon {release} logs in with an empty user name, which relays refuse."
        fix = f"Fill in {login} and {password}. {no_login}"
        yield TABLE.finding("credential-blank", login, message, fix)
    elif password in variables and not variables[password].strip():
        what = "logs in with an empty password" if variables.get(login) else "wants to log in and has no user name"
        message = f"It is set but empty, so Mastodon {release} {what}."
        yield TABLE.finding("credential-blank", password, message, f"Fill it in. {no_login}")


def _blank_helo(variables: t.Mapping[str, str], prefix: str, era: Era) -> t.Iterator[Finding]:
    name = f"{prefix}DOMAIN"
    if name in variables and not variables[name].strip():
        # config/email.yml reads nothing as nil, for which net-smtp takes its default (Net::SMTP#start).
        greeting = "as localhost" if era.yaml else "with an empty name"
        message = f"It is set but empty, so Mastodon greets the relay {greeting}, which some relays refuse."
        yield TABLE.finding("helo-blank", name, message, f"Remove the line {name}=; Mastodon then uses LOCAL_DOMAIN.")


def _unread_yet(names: t.Iterable[str], release: str, era: Era) -> t.Iterator[Finding]:
    for name in sorted(set(names)):
        if name in VARIABLES and not VARIABLES[name].read_by(era):
            message = f"Mastodon {release} does not read {name} yet; {VARIABLES[name].first} and newer do."
            yield TABLE.finding("variable-unread", name, message, "Nothing to do.", severity="info")


def _delivery(variables: t.Mapping[str, str], used: Effective) -> t.Iterator[Finding]:
    method = used.delivery_method
    if method in (None, "smtp"):
        return
    if method in SENDS_NOTHING:
        message = f"It is {method}: Mastodon {SENDS_NOTHING[str(method)]} and sends nothing."
        yield TABLE.finding("delivery-off", "SMTP_DELIVERY_METHOD", message)
    unused = [f"SMTP_{name}" for name in ("SERVER", "PORT", "LOGIN", "PASSWORD") if variables.get(f"SMTP_{name}")]
    if "SMTP_SERVER" in unused:
        message = f"SMTP_DELIVERY_METHOD is {method}, so Mastodon does not use them."
        yield TABLE.finding("settings-unused", ", ".join(unused), message)
