# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares what the plan expects with what Rails reports, both in the shape of effective.Effective.as_dict."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .names import CREDENTIAL, PREFIXES
from .ruby_value import Json
from .variables import SETTINGS

#: The settings outside the relays -> the variable that decides each.
_COMMON = {
    "delivery_method": "SMTP_DELIVERY_METHOD",
    "from": "SMTP_FROM_ADDRESS",
    "reply_to": "SMTP_REPLY_TO",
    "return_path": "SMTP_RETURN_PATH",
}
_SUFFIXES = {one.key: one.suffix for one in SETTINGS if one.suffix}
#: Rails 7.0 and later add these by themselves (config.action_mailer.smtp_timeout); no variable decides them.
_BY_RAILS = frozenset({"open_timeout", "read_timeout"})


@dataclasses.dataclass(frozen=True)
class Difference:
    """One setting that Rails uses with another value than planned.

    :ivar setting: such as C(main.port), C(from), or C(bulk) when only one side has a bulk relay.
    :ivar variable: the variable of the environment file that decides it; empty when none does.
    """

    setting: str
    expected: Json
    actual: Json
    variable: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        """setting, expected, actual, variable."""
        return dataclasses.asdict(self)


def differences(expected: t.Mapping[str, t.Any], actual: t.Mapping[str, t.Any]) -> list[Difference]:
    """The settings in which the two differ.

    Nil equals absent, and a number equals its digits as text. Settings that only the model knows (C(tls_mode),
    C(auth_mode), C(error)) are not compared, and neither are timeouts that are not planned.
    """
    found = [
        Difference(name, expected.get(name), actual.get(name), variable)
        for name, variable in _COMMON.items()
        if not _same(expected.get(name), actual.get(name))
    ]
    for relay, prefix in PREFIXES.items():
        found += _of_relay(relay, prefix, expected.get(relay), actual.get(relay))
    return found


#: What the settings of a relay amount to -> the settings of which only that matters.
_AMOUNTS_TO = {
    "tls_mode": ("tls", "ssl", "enable_starttls", "enable_starttls_auto"),
    "verify_mode": ("openssl_verify_mode",),
    "auth_mode": ("authentication",),
}
_MEANS = {f"{relay}.{key}" for relay in PREFIXES for keys in _AMOUNTS_TO.values() for key in keys}


def effects(expected: t.Mapping[str, t.Any], actual: t.Mapping[str, t.Any]) -> list[Difference]:
    """Like C(differences), but only where the two send mail in another way.

    Whether TLS is used, certificates are verified, and a login is sent counts, not by which settings; a CA file counts
    where certificates are verified, and a relay where the delivery method uses it.
    """
    found = [one for one in differences(expected, actual) if one.setting not in _MEANS and not _by_default(one)]
    if "smtp" not in (expected.get("delivery_method"), actual.get("delivery_method")):
        return [one for one in found if one.setting in _COMMON]
    for relay, prefix in PREFIXES.items():
        wanted, used = expected.get(relay), actual.get(relay)
        if not wanted or not used:
            continue
        if "peer" not in (wanted["verify_mode"], used["verify_mode"]):
            found = [one for one in found if one.setting != f"{relay}.ca_file"]
        for meaning, keys in _AMOUNTS_TO.items():
            if wanted[meaning] != used[meaning]:
                variable = prefix + (CREDENTIAL["login"] if meaning == "auth_mode" else _SUFFIXES[keys[0]])
                found.append(Difference(f"{relay}.{meaning}", wanted[meaning], used[meaning], variable))
    return found


def _by_default(one: Difference) -> bool:
    """Whether one side only names what net-smtp uses anyway (Net::SMTP#initialize, Net::SMTP.default_port)."""
    default = {"address": "localhost", "port": "25"}.get(one.setting.rpartition(".")[2])
    return default is not None and {str(one.expected), str(one.actual)} == {"None", default}


def shown(value: Json) -> str:
    """A setting's value, worded for a sentence."""
    return "nothing" if value is None else f"{value!r}" if isinstance(value, str) else str(value).lower()


def _of_relay(
    relay: str, prefix: str, expected: t.Mapping[str, t.Any] | None, actual: t.Mapping[str, t.Any] | None
) -> list[Difference]:
    if not expected or not actual:
        if not expected and not actual:
            return []
        return [Difference(relay, _address(expected), _address(actual), f"{prefix}SERVER")]
    wanted, used = expected["settings"], actual["settings"]
    keys = [key for key in dict.fromkeys([*wanted, *used]) if key in wanted or key not in _BY_RAILS]
    found = [
        Difference(f"{relay}.{key}", wanted.get(key), used.get(key), _variable(prefix, _SUFFIXES.get(key)))
        for key in keys
        if not _same(wanted.get(key), used.get(key))
    ]
    return found + [
        Difference(f"{relay}.{flag}", expected[flag], actual[flag], prefix + suffix)
        for flag, suffix in ((f"{what}_set", suffix) for what, suffix in CREDENTIAL.items())
        if flag in expected and flag in actual and bool(expected[flag]) != bool(actual[flag])
    ]


def _address(relay: t.Mapping[str, t.Any] | None) -> Json:
    return t.cast(Json, relay["settings"].get("address")) if relay else None


def _variable(prefix: str, suffix: str | None) -> str:
    return prefix + suffix if suffix else ""


def _same(one: Json, other: Json) -> bool:
    """Whether the mail gem treats two values alike: 587 and "587" yes, true and "true" no."""
    if one is None or other is None or isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return str(one) == str(other)
