# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Providers as administrators name and use them: names, hosts and requests from public threads and pages."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.plan import plan
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import Request, Wanted
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import documents, presets

SECRET = "c0rrect-h0rse.battery"
FROM = "notifications@social.example"


def said(current: tuple[str, ...] = (), from_address: str = FROM, local_domain: str = "social.example",
         **relay: t.Any) -> list[Finding]:  # fmt: skip
    login = {} if relay.get("auth") == "none" else {"login": FROM, "password": SECRET}
    if relay.get("provider") in documents() and documents()[relay["provider"]].get("login"):
        login.pop("login", None)
    request = Request(
        relay=Wanted(**{**login, **relay}), from_address=from_address, mastodon_release="4.5.3",
        local_domain=local_domain, current=current,
    )  # fmt: skip
    return plan(request, presets())[1]


def codes(found: list[Finding]) -> set[str]:
    return {f"{one.severity[0]}:{one.code}" for one in found if one.code != "provider-advice"}


#: Name or host that administrators use -> preset. C(None): no page was found that can be read, so there is no preset.
NAMES: dict[str, str | None] = {
    "amazon_ses": "amazon_ses", "brevo": "brevo", "fastmail": "fastmail", "gandi": "gandi", "gmail": "gmail",
    "google_relay": "google_relay", "hetzner_webhosting": "hetzner_webhosting", "infomaniak": "infomaniak",
    "local_postfix": "local_postfix", "mailbox_org": "mailbox_org", "mailersend": "mailersend", "mailgun": "mailgun",
    "mailjet": "mailjet", "microsoft365": "microsoft365", "migadu": "migadu", "ovh": "ovh", "postal": "postal",
    "postmark": "postmark", "proton": "proton", "resend": "resend", "scaleway_tem": "scaleway_tem",
    "sendgrid": "sendgrid", "smtp2go": "smtp2go", "sparkpost": "sparkpost", "zeptomail": "zeptomail",
    "zoho_mail": "zoho_mail", "amazon_workmail": "amazon_workmail", "ionos": "ionos", "mandrill": "mandrill",
    "elastic_email": "elastic_email", "purelymail": "purelymail", "proton_bridge": "proton_bridge",
    "icloud": "icloud", "yandex": "yandex", "mail_ru": "mail_ru", "runbox": "runbox", "posteo": "posteo",
    "dreamhost": "dreamhost", "qq": "qq", "netease_163": "netease_163", "aliyun_directmail": "aliyun_directmail",
    "strato": "strato", "mxroute": "mxroute", "mailtrap": "mailtrap", "hostinger": "hostinger",
    "namecheap": "namecheap", "mailcow": "mailcow", "stalwart": "stalwart", "maddy": "maddy",
    "netcup": None, "mailazy": None, "all_inkl": None, "opalstack": None, "forward_email": "forward_email",
}  # fmt: skip
HOSTS = {
    "smtp-relay.sendinblue.com": "brevo", "smtp.eu.sendgrid.net": "sendgrid", "smtp.zeptomail.eu": "zeptomail",
    "smtp.messagingengine.com": "fastmail", "smtp-mail.outlook.com": "microsoft365",
    # Others of the kind: names that a provider had before, or has beside the one that it documents.
    "smtp.live.com": "microsoft365", "in.mailjet.com": "mailjet", "smtp.googlemail.com": "gmail",
    "smtp.1und1.de": "ionos", "smtp.126.com": "netease_163", "smtp.yandex.ru": "yandex",
    "secure.runbox.com": "runbox", "smtp.forwardemail.net": "forward_email",
    "SMTP.Mail.Me.Com.": "icloud", "smtp.mail.us-west-2.awsapps.com": "amazon_workmail",
}  # fmt: skip
ALIASES = {
    "office365": "microsoft365", "sendinblue": "brevo", "ses": "amazon_ses",
    "Office 365": "microsoft365", "outlook": "microsoft365", "AWS-SES": "amazon_ses", "zoho": "zoho_mail",
    "1und1": "ionos", "163": "netease_163", "mailchimp": "mandrill", "protonmail": "proton", "scaleway": "scaleway_tem",
    "privateemail": "namecheap", "postfix": "local_postfix", "aliyun": "aliyun_directmail", "offce365": "microsoft365",
    "sendinblu": "brevo", "icoud": "icloud",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_that_administrators_name_has_a_preset(name: str) -> None:
    assert (name in presets()) is (NAMES[name] is not None)
    if name not in presets():
        (one,) = [one for one in said(provider=name) if one.code == "provider-unknown"]
        assert "set mastodon_smtp_host" in one.fix


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_is_recognised_by_every_name_that_it_has(host: str) -> None:
    (one,) = [one for one in said(host=host, port=465, tls="implicit") if one.code == "provider-not-named"]
    assert f" to {HOSTS[host]}" in one.fix


@pytest.mark.parametrize("name", ALIASES)
def test_another_name_leads_to_the_preset(name: str) -> None:
    (one,) = [one for one in said(provider=name) if one.code == "provider-unknown"]
    assert one.message == f"No preset is named {name}; did you mean {ALIASES[name]}?"


def test_aliases_are_no_names_and_lead_to_one_preset() -> None:
    aliases = [alias for one in presets().values() for alias in one.aliases]
    assert len(aliases) == len(set(aliases)) and not set(aliases) & set(presets())


GMAIL = {"provider": "gmail", "login": "a@gmail.com", "from_address": "a@gmail.com"}
#: Row of the reports -> request, findings.
REQUESTS: dict[str, tuple[dict[str, t.Any], str]] = {
    "s01": ({"host": "r.example", "current": ("SMTP_HOST", "SMTP_PORT", "SMTP_SERVER")}, "w:variable-unread"),
    "s02": ({"host": "email-smtp.amazonaws.com"}, "e:host-unknown"),
    "s04": ({"provider": "amazon_ses", "region": "us-gov-west-1", "login": "AKIA01"}, ""),
    "s05": ({"host": "smtp-relay.sendinblue.com"}, "i:provider-not-named"),
    "s06": ({"provider": "brevo", "port": 465}, ""),
    "s07": (
        {"host": "smtp.gmail.com", "helo_domain": "@gmail.com"},
        "e:helo-invalid e:value-misread i:provider-not-named",
    ),
    "s08": ({"provider": "sendgrid", "login": "x", "from_address": "social.example"},
            "e:address-invalid e:provider-login-differs"),
    "s09": ({"provider": "google_relay", "auth": "none"}, ""),
    "s10": ({"provider": "google_relay", "auth": "none", "local_domain": "localhost"}, "w:provider-helo-differs"),
    "s11": ({"provider": "qq", "login": "1@qq.com"}, "e:provider-sender-differs"),
    "s13": ({"provider": "zoho_mail", "login": "me@social.example"}, "w:provider-sender-differs"),
    "s14": ({"provider": "microsoft365", "auth": "plain"}, "w:provider-auth-refused"),
    "s15": ({"host": "smtp.office365.com", "auth": "login", "login": "me@social.example"}, "i:provider-not-named"),
    "s15 named": ({"provider": "microsoft365", "login": "me@social.example"}, "w:provider-sender-differs"),
    "s16": ({"provider": "aliyun_directmail"}, ""),
    "s17": ({"host": "mail.your-server.de", "port": 25}, "i:provider-not-named"),
    "s18": ({"host": "mail.social.example"}, ""),
    "s19": ({"host": "172.17.0.1", "port": 25, "tls": "none", "auth": "none"}, "w:mail-unencrypted"),
    "s20": ({"host": "127.0.0.1", "port": 25, "tls": "none", "auth": "none"}, ""),
    "s21": ({**GMAIL, "password": "abcd efgh ijkl mnop"}, ""),
    "s22": ({"host": "r.example", "from_address": "a@localhost"}, "w:address-domain-local"),
    "s23": ({"host": "r.example", "from_address": "a@mastodon.local"}, "w:address-domain-local"),
    "s24": ({"provider": "smtp2go", "tls": "none", "port": 2525}, "e:credentials-unencrypted e:provider-tls-differs"),
    "s25": ({"provider": "proton_bridge"}, "w:loopback-certificate"),
    "s26": ({"provider": "mailgun", "host": "smtp.mailgun.org", "region": "eu"}, "w:provider-region-differs"),
    "s27": ({"provider": "postmark"}, "w:provider-login-form"),
    "s28": ({"provider": "smtp2go", "port": 443}, ""),
    "s29": ({"provider": "purelymail"}, ""),
    "s30": ({"provider": "ionos"}, ""),
    "s31": ({"provider": "sendinblue"}, "e:provider-unknown"),
    "s33": ({"provider": "office365"}, "e:provider-unknown"),
    "t01": ({"provider": "zeptomail", "login": FROM}, ""),
    "t02": ({"provider": "microsoft365", "auth": "plain"}, "w:provider-auth-refused"),
    "t03": (
        {"host": "r.example", "auth": "plain", "login": "", "password": ""},
        "e:login-not-given e:password-not-given",
    ),
    "t04": ({"provider": "sendgrid", "login": FROM}, "e:provider-login-differs"),
    "t05": ({"host": "smtp.tem.scw.cloud"}, "i:provider-not-named"),
    "t07": ({"host": "smtp.messagingengine.com"}, "i:provider-not-named"),
    "t08": ({"host": "smtp-mail.outlook.com"}, "i:provider-not-named"),
    "t11": ({"provider": "mailgun", "region": "eu", "login": "postmaster@mg.social.example"}, ""),
    "t12": ({"host": "smtp://r.example"}, "e:host-invalid"),
    "t13": ({"host": "r.example:587"}, "e:host-invalid"),
    # Others of the kinds.
    "163, another sender": ({"provider": "netease_163", "login": "a@163.com"}, "e:provider-sender-differs"),
    "163": ({"provider": "netease_163", "login": "A@163.com", "from_address": "M <a@163.com>"}, ""),
    "Direct Mail, another sender": ({"provider": "aliyun_directmail", "login": "b@social.example"},
                                    "e:provider-sender-differs"),
    "iCloud, own domain": ({"provider": "icloud", "login": "a@icloud.com"}, "w:provider-sender-differs"),
    "Posteo": ({"provider": "posteo", "login": "a@posteo.de"}, "w:provider-sender-differs"),
    "Mailgun, another sender": ({"provider": "mailgun", "login": "postmaster@mg.social.example"}, ""),
    "Microsoft 365": ({"provider": "microsoft365"}, ""),
    "ZeptoMail, a word": ({"provider": "zeptomail", "login": "me"}, "e:provider-login-differs"),
    "Mailtrap": ({"provider": "mailtrap"}, ""),
    "SES, an address as login": ({"provider": "amazon_ses", "region": "eu-west-1"}, "w:provider-login-form"),
    "SES without a region, named": ({"provider": "amazon_ses", "host": "email-smtp.amazonaws.com", "login": "AKIA01"},
                                    "e:host-unknown"),
    "Google relay, HELO in a sub-domain": (
        {"provider": "google_relay", "auth": "none", "helo_domain": "m.social.example"},
        "",
    ),
    "mailcow without a host": ({"provider": "mailcow"}, "e:host-missing"),
    "mailcow": ({"provider": "mailcow", "host": "mail.social.example"}, ""),
    "maddy": (
        {"provider": "maddy", "host": "mx.social.example", "login": "a@social.example"},
        "w:provider-sender-differs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", REQUESTS)
def test_what_is_said_of_a_request(row: str) -> None:
    request, expected = REQUESTS[row]
    found = said(**request)
    assert codes(found) == set(expected.split()), [one.sentence() for one in found]
    assert not any(SECRET in one.sentence() for one in found)


def test_allow_lists_are_named_with_the_login() -> None:
    assert {name for name, one in presets().items() if one.allow_list} == {"brevo", "google_relay"}
    assert "address must be listed under Security > Authorised IPs" in presets()["brevo"].hint
    assert any("Authorised IPs" in one.message for one in said(provider="brevo"))
