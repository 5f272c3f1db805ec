# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as values of the Helm charts and as options of NixOS."""

from __future__ import annotations

import re
import typing as t

import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.plan import plan
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import Request, Wanted
from ansible_collections.fediops.mastodon.plugins.plugin_utils._snippets import snippets

SECRET, BULK_SECRET = "correct-horse-battery", "another-secret"

#: What the charts' own values are below mastodon.smtp, in snake case. Source: their values.yaml.
DEFAULTS = {
    "auth_method": "plain",
    "ca_file": "/etc/ssl/certs/ca-certificates.crt",
    "delivery_method": "smtp",
    "enable_starttls": "auto",
    "from_address": "notifications@example.com",
    "openssl_verify_mode": "peer",
    "port": 587,
    "server": "smtp.mailgun.org",
    "tls": False,
}


def planned(bulk: bool = False, release: str = "4.5.3", **more: t.Any) -> dict[str, t.Any]:
    wanted = {"host": "relay.example", "tls": "starttls", "login": "user", "password": SECRET, **more}
    request = Request(
        relay=Wanted(**wanted),
        bulk=Wanted(host="bulk.example", tls="implicit", login="b", password=BULK_SECRET) if bulk else None,
        bulk_password_given=bulk,
        from_address='"A" ${x} <a@x.example>',
        mastodon_release=release,
        local_domain="x.example",
    )
    return plan(request, {})[0].as_dict()


def charted(values: t.Mapping[str, t.Any], prefix: str) -> dict[str, str]:
    """The variables that a chart gives to the pods: what is empty or false is left out, as its templates do."""
    pods = {key: value for key, value in {**DEFAULTS, **values}.items() if value}
    return {f"{prefix}{key.upper()}": str(value) for key, value in pods.items() if key != "existing_secret"}


def snake(values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A chart's values with the keys of mastodon/chart."""
    return {
        "enable_starttls" if key == "enableStartTls" else re.sub("[A-Z]", lambda one: f"_{one[0].lower()}", key): value
        for key, value in values.items()
    }


@pytest.mark.parametrize("chart", ["helm_charts", "helm_chart"])
@pytest.mark.parametrize(
    "more",
    [{}, {"tls": "implicit"}, {"tls": "none", "auth": "none", "login": "", "password": ""}, {"release": "3.5.3"}],
)
def test_the_pods_of_a_chart_get_what_is_planned(chart: str, more: dict[str, t.Any]) -> None:
    wanted = planned(**more)
    values = yaml.safe_load("\n".join(snippets(wanted)[chart]))["mastodon"]
    given = charted(snake(values["smtp"]), "SMTP_") | values.get("extraEnvVars", {})
    assert given == {name: text for name, text in wanted["set"].items() if name != "SMTP_LOGIN"}
    assert ("existingSecret" in values["smtp"]) == (more.get("auth") != "none")


@pytest.mark.parametrize("chart", ["helm_charts", "helm_chart"])
def test_the_relay_for_bulk_mail_in_a_chart(chart: str) -> None:
    wanted = planned(bulk=True)
    values = yaml.safe_load("\n".join(snippets(wanted)[chart]))["mastodon"]
    bulk = values["smtp"].pop("bulk")
    assert bulk.pop("enabled") is True and bulk["existingSecret"] == "mastodon-bulk-smtp"
    given = charted(snake(bulk), "BULK_SMTP_") | values.get("extraEnvVars", {})
    unread = {"BULK_SMTP_DELIVERY_METHOD"}  # the chart has no such value
    expected = {name: text for name, text in wanted["set"].items() if name.startswith("BULK_") and "LOGIN" not in name}
    assert {name: text for name, text in given.items() if name not in unread} == expected


def test_the_words_of_nixos() -> None:
    assert snippets(planned(bulk=True))["nixos"] == [
        "services.mastodon = {",
        "  smtp = {",
        "    createLocally = false;",
        '    host = "relay.example";',
        "    port = 587;",
        '    fromAddress = "\\"A\\" \\${x} <a@x.example>";',
        "    authenticate = true;",
        '    user = "user";',
        '    passwordFile = "/var/lib/mastodon/secrets/smtp-password";',
        "  };",
        "  extraConfig = {",
        '    SMTP_AUTH_METHOD = "plain";',
        '    SMTP_ENABLE_STARTTLS = "always";',
        '    SMTP_OPENSSL_VERIFY_MODE = "peer";',
        '    BULK_SMTP_SERVER = "bulk.example";',
        '    BULK_SMTP_PORT = "465";',
        '    BULK_SMTP_AUTH_METHOD = "plain";',
        '    BULK_SMTP_TLS = "true";',
        '    BULK_SMTP_OPENSSL_VERIFY_MODE = "peer";',
        "  };",
        '  extraEnvFiles = [ "/var/lib/mastodon/secrets/bulk-smtp.env" ];  # BULK_SMTP_LOGIN=... and '
        "BULK_SMTP_PASSWORD=...",
        "};",
    ]


def test_without_a_login_nixos_has_no_password_file() -> None:
    lines = snippets(planned(tls="none", auth="none", login="", password=""))["nixos"]
    assert not any("authenticate" in line or "assword" in line for line in lines)


def test_no_snippet_holds_a_password() -> None:
    for wanted in (planned(bulk=True), planned(login=SECRET)):
        assert not {SECRET, BULK_SECRET} & set(re.findall(r"[\w-]+", str(snippets(wanted))))
    assert any('user = "..."' in line for line in snippets(planned(login=SECRET))["nixos"])
