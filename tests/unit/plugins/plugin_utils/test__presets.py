# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import errors
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.plan import plan
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import PORTS, Request, Wanted
from ansible_collections.fediops.mastodon.plugins.plugin_utils import _presets
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils import preset_shape

ZOHO = "com eu in com.au jp"
ALIYUN = "ap-southeast-1 us-east-1 eu-central-1"
#: What the providers document: name -> hosts by region, ports with STARTTLS, ports with implicit TLS, mechanisms, the
#: literal login. C(plain login) stands for what mailbox providers call a cleartext password.
DOCUMENTED: dict[str, tuple[dict[str, str], str, str, str, str]] = {
    "mailgun": (
        {"": "smtp.mailgun.org", "us": "smtp.mailgun.org", "eu": "smtp.eu.mailgun.org"},
        "25 587 2525", "465", "", "",
    ),
    "amazon_ses": ({"eu-west-1": "email-smtp.eu-west-1.amazonaws.com"}, "25 587 2587", "465 2465", "", ""),
    "sendgrid": ({"": "smtp.sendgrid.net", "eu": "smtp.eu.sendgrid.net"}, "25 587 2525", "465", "", "apikey"),
    "postmark": (
        {
            "": "smtp.postmarkapp.com",
            "transactional": "smtp.postmarkapp.com",
            "broadcast": "smtp-broadcasts.postmarkapp.com",
        },
        "25 587 2525", "", "plain cram_md5", "",
    ),
    "brevo": ({"": "smtp-relay.brevo.com"}, "587 2525", "465", "plain login", ""),
    "mailjet": ({"": "in-v3.mailjet.com"}, "587 25", "465", "plain login", ""),
    "sparkpost": (
        {"": "smtp.sparkpostmail.com", "us": "smtp.sparkpostmail.com", "eu": "smtp.eu.sparkpostmail.com"},
        "587 2525", "", "login", "SMTP_Injection",
    ),
    "scaleway_tem": ({"": "smtp.tem.scaleway.com"}, "25 587 2587", "465 2465", "plain login", ""),
    "resend": ({"": "smtp.resend.com"}, "25 587 2587", "465 2465", "plain login", "resend"),
    "mailersend": ({"": "smtp.mailersend.net"}, "587", "", "", ""),
    "smtp2go": (
        {
            "": "mail.smtp2go.com", "us": "mail-us.smtp2go.com", "eu": "mail-eu.smtp2go.com",
            "eu2": "mail-eu2.smtp2go.com", "au": "mail-au.smtp2go.com",
        },
        "25 80 587 2525 8025", "443 465 8465", "", "",
    ),
    "zoho_mail": (
        {
            **{region: f"smtp.zoho.{region}" for region in ZOHO.split()},
            **{f"pro-{region}": f"smtppro.zoho.{region}" for region in ZOHO.split()},
            "": "smtp.zoho.com", "ca": "smtp.zohocloud.ca", "pro-ca": "smtppro.zohocloud.ca",
        },
        "587", "465", "plain login", "",
    ),
    "zeptomail": ({"": "smtp.zeptomail.com"}, "587", "465", "", "emailapikey"),
    "fastmail": ({"": "smtp.fastmail.com"}, "587", "465", "plain login", ""),
    "gmail": ({"": "smtp.gmail.com"}, "587", "465", "plain login", ""),
    "google_relay": ({"": "smtp-relay.gmail.com"}, "25 587", "465", "plain login", ""),
    "microsoft365": ({"": "smtp.office365.com"}, "587", "", "login", ""),
    "ovh": ({"": "ssl0.ovh.net", "eu": "ssl0.ovh.net", "ca": "smtp.mail.ovh.ca"}, "587", "465", "plain login", ""),
    "infomaniak": ({"": "mail.infomaniak.com"}, "587", "465", "", ""),
    "gandi": ({"": "mail.gandi.net"}, "587", "465", "plain login", ""),
    "migadu": ({"": "smtp.migadu.com"}, "587", "465", "", ""),
    "mailbox_org": ({"": "smtp.mailbox.org"}, "587", "465", "", ""),
    "hetzner_webhosting": ({"": "mail.your-server.de"}, "587", "465", "plain login", ""),
    "proton": ({"": "smtp.protonmail.ch"}, "587", "", "", ""),
    "postal": ({"": ""}, "", "", "plain login cram_md5", ""),
    "local_postfix": ({"": "localhost"}, "", "", "", ""),
    "ionos": ({"": "smtp.ionos.com", "de": "smtp.ionos.de"}, "587", "465", "", ""),
    "icloud": ({"": "smtp.mail.me.com"}, "587", "", "", ""),
    "yandex": ({"": "smtp.yandex.com"}, "", "465", "", ""),
    "mail_ru": ({"": "smtp.mail.ru"}, "587", "465", "", ""),
    "qq": ({"": "smtp.qq.com"}, "587", "465", "", ""),
    "netease_163": ({"": "smtp.163.com"}, "", "465", "", ""),
    "aliyun_directmail": (
        {"": "smtpdm.aliyun.com", **{one: f"smtpdm-{one}.aliyuncs.com" for one in ALIYUN.split()}},
        "25 80", "465", "", "",
    ),
    "alibaba_mail": ({"": "smtp.qiye.aliyun.com"}, "", "465", "", ""),
    "mandrill": ({"": "smtp.mandrillapp.com"}, "25 587 2525", "465", "", ""),
    "elastic_email": ({"": "smtp.elasticemail.com"}, "25 587 2525", "465", "", ""),
    "purelymail": ({"": "smtp.purelymail.com"}, "", "465", "", ""),
    "amazon_workmail": ({"eu-west-1": "smtp.mail.eu-west-1.awsapps.com"}, "", "465", "", ""),
    "dreamhost": ({"": "smtp.dreamhost.com"}, "587", "465", "", ""),
    "posteo": ({"": "posteo.de"}, "587", "465", "", ""),
    "runbox": ({"": "mail.runbox.com"}, "587", "465", "", ""),
    "mxroute": ({"": ""}, "587", "465", "", ""),
    "strato": ({"": "smtp.strato.de"}, "587", "465", "", ""),
    "hostinger": ({"": "smtp.hostinger.com"}, "", "465", "", ""),
    "namecheap": ({"": "mail.privateemail.com"}, "587", "465", "", ""),
    "mailtrap": (
        {"": "live.smtp.mailtrap.io", "transactional": "live.smtp.mailtrap.io", "bulk": "bulk.smtp.mailtrap.io"},
        "587", "", "", "api",
    ),
    "proton_bridge": ({"": "127.0.0.1"}, "1025", "", "", ""),
    "mailcow": ({"": ""}, "587", "465", "plain", ""),
    "stalwart": ({"": ""}, "587", "465", "plain login", ""),
    "maddy": ({"": ""}, "587", "465", "", ""),
    "forward_email": ({"": "smtp.forwardemail.net"}, "25 587 2525 2587", "465 2465", "", ""),
}  # fmt: skip
NAMES = list(DOCUMENTED)
#: Where the login is the address of a mailbox or of an SMTP credential.
ADDRESSES = {
    "mailgun", "zoho_mail", "fastmail", "gmail", "google_relay", "microsoft365", "ovh", "infomaniak", "gandi",
    "migadu", "mailbox_org", "hetzner_webhosting", "proton", "zeptomail", "ionos", "icloud", "yandex", "mail_ru", "qq",
    "netease_163", "aliyun_directmail", "alibaba_mail", "purelymail", "amazon_workmail", "dreamhost", "posteo",
    "mxroute", "strato", "hostinger", "namecheap", "mailtrap", "proton_bridge", "mailcow", "maddy",
    "forward_email",
}  # fmt: skip


def test_every_provider_is_there() -> None:
    assert sorted(_presets.presets()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_preset_says_what_the_provider_documents(name: str) -> None:
    hosts, starttls, implicit, auth, login = DOCUMENTED[name]
    preset = _presets.presets()[name]
    assert {region: preset.host(region) for region in hosts} == hosts
    spoken = {one.port: one.tls for one in preset.endpoints}
    expected = {int(port): "starttls" for port in starttls.split()} | {
        int(port): "implicit" for port in implicit.split()
    }
    assert spoken == (expected if name != "local_postfix" else {25: "none"})
    assert preset.auth == tuple(auth.split())
    assert preset.login == login
    assert (preset.login_form == "address") is (name in ADDRESSES)
    assert preset.needs_login is (name not in ("google_relay", "local_postfix"))
    assert bool(preset.hint) is (name != "local_postfix")
    assert preset.warn is (name in ("microsoft365", "amazon_workmail"))


def test_the_documentation_names_every_region() -> None:
    from ansible_collections.fediops.mastodon.plugins.modules import smtp_settings

    option = " ".join(yaml.safe_load(smtp_settings.DOCUMENTATION)["options"]["region"]["description"])
    for preset in _presets.presets().values():
        for region in set(preset.hosts) - {"", "*"}:
            assert f"V({region})" in option
            assert f"V({preset.name})" in option


def test_no_region_is_left_out() -> None:
    for name, preset in _presets.presets().items():
        assert set(preset.hosts) - {"*", "fr-par"} <= set(DOCUMENTED[name][0])


def test_two_kinds_of_key_are_told_apart() -> None:
    """The usual 535 of these is the wrong kind of key."""
    for name, word in {
        "brevo": "API key does not work", "zeptomail": "token", "amazon_ses": "IAM", "mailgun": "not an API key",
        "mailjet": "secret key",
    }.items():  # fmt: skip
        assert word in _presets.presets()[name].password_hint


@pytest.mark.parametrize("name", NAMES)
def test_the_entry_has_the_right_shape(name: str) -> None:
    assert preset_shape.problems(name, _presets.documents()[name]) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_names_it(name: str) -> None:
    from ansible_collections.fediops.mastodon.plugins.modules import smtp_settings

    assert f"V({name})" in smtp_settings.DOCUMENTATION


@pytest.mark.parametrize("name", NAMES)
def test_the_entry_makes_a_plan_in_every_era(name: str) -> None:
    preset = _presets.presets()[name]
    login = (
        ""
        if preset.login or not preset.needs_login
        else "AKIA0123"
        if preset.login_form == "token"
        else "a@example.com"
    )
    wanted = Wanted(
        provider=name,
        region="eu-west-1" if preset.regionless else "",
        host="" if preset.hosts else "postal.example.com",
        port=None if preset.endpoints else 25,
        login=login,
        password="c0rrect-h0rse.battery" if login or preset.login else "",
    )
    for release in ("3.5.19", "4.1.0", "4.2.29", "4.3.23", "4.4.0", "4.4.22", "4.5.0-rc.1", "4.6.5"):
        request = Request(relay=wanted, from_address="a@example.com", mastodon_release=release)
        done, findings = plan(request, _presets.presets(), ["tls-not-possible"])
        assert not errors(findings), (release, findings)
        assert done.effective.error is None
        assert done.relay is not None
        assert len(done.relay.alternatives) == max(len(preset.endpoints) - 1, 0)


@pytest.mark.parametrize("name", NAMES)
def test_known_ports_speak_what_they_are_for(name: str) -> None:
    for endpoint in _presets.presets()[name].endpoints:
        assert endpoint.tls in PORTS[endpoint.port]


def entry(**more: t.Any) -> dict[str, t.Any]:
    good = {
        "title": "Example",
        "hosts": {"": "smtp.example.com"},
        "endpoints": [{"port": 587, "tls": "starttls"}],
        "sender": {"return_path": {"mode": "same_domain"}},
        "source": ["https://example.com/smtp"],
        "checked": "2026-01-31",
        "confidence": "A",
    }
    return {name: value for name, value in {**good, **more}.items() if value is not None}


def test_a_small_entry_is_right() -> None:
    assert preset_shape.problems("example", entry()) == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"title": None}, "title is missing"),
        ({"source": []}, "source"),
        ({"source": ["example.com"]}, "source"),
        ({"checked": "last week"}, "checked"),
        ({"confidence": "D"}, "confidence"),
        ({"colour": "blue"}, "colour is no known key"),
        ({"login": 5}, "login is no text"),
        ({"auth": ["xoauth2"]}, "auth"),
        ({"login_form": "word"}, "login_form"),
        ({"hosts": {"": "smtp.{region}.example.com"}}, "{region}"),
        ({"hosts": {"*": "smtp.example.com"}}, "{region}"),
        ({"hosts": {"": "https://example.com"}}, "no host name"),
        ({"endpoints": None}, "hosts without endpoints"),
        ({"sender_is": "anybody"}, "sender_is"),
        ({"auth": ["login"], "refused_auth": {"login": "504"}}, "refused mechanism"),
        ({"also": ["https://example.com"]}, "no host name"),
        ({"endpoints": [{"port": 587, "tls": "starttls"}] * 2}, "twice"),
        ({"endpoints": [{"port": "587", "tls": "starttls"}]}, "no port"),
        ({"endpoints": [{"port": 587, "tls": "ssl"}]}, "starttls, implicit or none"),
        ({"sender": {"return_path": {"mode": "guess"}}}, "return_path"),
        ({"sender": {"return_path": {"mode": "provider"}, "spf": {}}}, "needed_on"),
        ({"sender": {"return_path": {"mode": "provider"}, "dkim": {"type": "txt"}}}, "dkim"),
    ],
)
def test_a_wrong_entry_is_seen(more: dict[str, t.Any], words: str) -> None:
    found = preset_shape.problems("example", entry(**more))
    assert any(words in one for one in found), found


def test_an_entry_that_is_no_mapping_is_seen() -> None:
    assert preset_shape.problems("example", ["smtp.example.com"]) == ["example: is no mapping"]
    assert preset_shape.problems("Example", entry()) == ["Example: the name is not in lower case"]


def test_a_host_alone_tells_the_providers_hint() -> None:
    assert _presets.hint_of_host("smtp-relay.brevo.com").startswith("Brevo: ")
    assert _presets.hint_of_host("EMAIL-SMTP.eu-west-1.amazonaws.com.").startswith("Amazon SES: ")
    assert [_presets.hint_of_host(host) for host in ("", "relay.example.org", "localhost")] == ["", "", ""]
