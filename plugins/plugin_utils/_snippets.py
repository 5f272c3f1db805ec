# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan in the words of what keeps Mastodon where this collection changes nothing: two Helm charts, NixOS. No I/O.

A snippet never holds a password. It says where one goes.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import BULK, CREDENTIAL, MAIN

_CREDENTIALS = tuple(CREDENTIAL.values())


@dataclasses.dataclass(frozen=True)
class _Chart:
    """How a Helm chart names the variables below C(mastodon.smtp) and C(mastodon.smtp.bulk).

    :ivar keys: suffix of the variable -> key of the values; another variable goes into C(extraEnvVars).
    :ivar login: the key of the login in a Secret.
    """

    name: str
    keys: t.Mapping[str, str]
    login: str


_SNAKE = {
    "SERVER": "server",
    "PORT": "port",
    "AUTH_METHOD": "auth_method",
    "CA_FILE": "ca_file",
    "DELIVERY_METHOD": "delivery_method",
    "DOMAIN": "domain",
    "ENABLE_STARTTLS": "enable_starttls",
    "FROM_ADDRESS": "from_address",
    "OPENSSL_VERIFY_MODE": "openssl_verify_mode",
    "REPLY_TO": "reply_to",
    "RETURN_PATH": "return_path",
    "TLS": "tls",
}
#: Suffixes that the own values of both charts set.
_DEFAULTS = (
    "SERVER",
    "PORT",
    "AUTH_METHOD",
    "CA_FILE",
    "DELIVERY_METHOD",
    "ENABLE_STARTTLS",
    "FROM_ADDRESS",
    "OPENSSL_VERIFY_MODE",
)
#: Of the relay for bulk mail, neither chart has these.
_MAIN_ONLY = ("DELIVERY_METHOD", "ENABLE_STARTTLS_AUTO", "REPLY_TO", "RETURN_PATH")
_CAMEL = {suffix: re.sub("_(.)", lambda found: found[1].upper(), key) for suffix, key in _SNAKE.items()}
#: Sources: mastodon/helm-charts 1.0.2, charts/mastodon/values.yaml and templates/_env.tpl; mastodon/chart 6.9.3,
#: values.yaml and templates/configmap-env.yaml.
_CHARTS = {
    "helm_charts": _Chart(
        "mastodon/helm-charts",
        {**_CAMEL, "ENABLE_STARTTLS": "enableStartTls"},
        "username",
    ),
    "helm_chart": _Chart("mastodon/chart", {**_SNAKE, "ENABLE_STARTTLS_AUTO": "enable_starttls_auto"}, "login"),
}


def snippets(plan: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    """What to write, as lines, by what keeps Mastodon.

    :param plan: as smtp_settings returns it.
    """
    found = {name: _values(chart, plan) for name, chart in _CHARTS.items()}
    return {**found, "nixos": _nixos(plan)}


def _of(plan: t.Mapping[str, t.Any], prefix: str) -> dict[str, str]:
    """The variables of one relay by suffix, without its credentials."""
    found = {name[len(prefix) :]: text for name, text in plan["set"].items() if name.startswith(prefix)}
    return {suffix: text for suffix, text in found.items() if suffix not in _CREDENTIALS}


def _logs_in(plan: t.Mapping[str, t.Any], prefix: str) -> bool:
    return any(f"{prefix}{one}" in {*plan["set"], *plan["secret_variables"]} for one in _CREDENTIALS)


# Helm


def _values(chart: _Chart, plan: t.Mapping[str, t.Any]) -> list[str]:
    """Values for a chart. Null takes out what the chart's own values set, see Helm, Values Files."""
    lines = [f"# values.yaml of the chart {chart.name}", "mastodon:", "  smtp:"]
    main, extra = _relay(chart, plan, MAIN, chart.keys, "    ")
    lines += main
    if _of(plan, BULK):
        keys = {suffix: key for suffix, key in chart.keys.items() if suffix not in _MAIN_ONLY}
        more, others = _relay(chart, plan, BULK, keys, "      ")
        lines += ["    bulk:", "      enabled: true", *more]
        extra.update(others)
    if extra:
        lines += ["  extraEnvVars:", *(f"    {name}: {_quoted(text)}" for name, text in extra.items())]
    return lines


def _relay(
    chart: _Chart, plan: t.Mapping[str, t.Any], prefix: str, keys: t.Mapping[str, str], indent: str
) -> tuple[list[str], dict[str, str]]:
    """The lines of one relay, and the variables that the chart has no key for."""
    wanted = _of(plan, prefix)
    lines = [f"{indent}{key}: {_quoted(wanted[suffix])}" for suffix, key in keys.items() if suffix in wanted]
    lines += [f"{indent}{key}: null" for suffix, key in keys.items() if suffix in _DEFAULTS and suffix not in wanted]
    if _logs_in(plan, prefix):
        name = "mastodon-bulk-smtp" if prefix == BULK else "mastodon-smtp"
        lines.append(f"{indent}existingSecret: {name}  # a Secret with the keys {chart.login} and password")
    return lines, {f"{prefix}{suffix}": text for suffix, text in wanted.items() if suffix not in keys}


def _quoted(text: str) -> str:
    """A string of JSON is one of YAML, and never a number or a boolean."""
    return json.dumps(text, ensure_ascii=False)


# NixOS

#: Suffix -> option of services.mastodon.smtp. Source: nixpkgs, nixos/modules/services/web-apps/mastodon.nix.
_OPTIONS = {"SERVER": "host", "PORT": "port", "FROM_ADDRESS": "fromAddress"}
_SECRETS = "/var/lib/mastodon/secrets"


def _nixos(plan: t.Mapping[str, t.Any]) -> list[str]:
    main = _of(plan, MAIN)
    inner = ["createLocally = false;"]
    for suffix, option in _OPTIONS.items():
        if suffix in main:
            text = main[suffix] if option == "port" else _nix(main[suffix])
            inner.append(f"{option} = {text};")
    if _logs_in(plan, MAIN):
        login = plan["set"].get("SMTP_LOGIN")
        inner += [
            "authenticate = true;",
            f"user = {_nix(login)};" if login else 'user = "...";  # the login, which is also a password here',
            f'passwordFile = "{_SECRETS}/smtp-password";',
        ]
    lines = ["services.mastodon = {", "  smtp = {", *(f"    {line}" for line in inner), "  };"]
    others = {f"{MAIN}{suffix}": text for suffix, text in main.items() if suffix not in _OPTIONS}
    others.update((f"{BULK}{suffix}", text) for suffix, text in _of(plan, BULK).items())
    if others:
        lines += ["  extraConfig = {", *(f"    {name} = {_nix(text)};" for name, text in others.items()), "  };"]
    if _logs_in(plan, BULK):
        lines.append(
            f'  extraEnvFiles = [ "{_SECRETS}/bulk-smtp.env" ];  # BULK_SMTP_LOGIN=... and BULK_SMTP_PASSWORD=...'
        )
    return [*lines, "};"]


def _nix(text: str) -> str:
    """A string of Nix. Source: Nix manual, String literal."""
    return '"' + re.sub(r'(["\\]|\$(?=\{))', r"\\\1", text).replace("\n", "\\n") + '"'
