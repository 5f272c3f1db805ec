# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every rule: what makes it speak, how loud, and what keeps it silent."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.provider import TABLE as PROVIDER
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.settings import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.plan import plan
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import Request, Wanted
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import presets

CODES = [*TABLE.rows, *PROVIDER.rows]
PASSWORD = "c0rrect-h0rse.battery"
GOOD: dict[str, t.Any] = {"host": "smtp.example.com", "login": "user@example.com", "password": PASSWORD}
OPEN: dict[str, t.Any] = {"host": "relay.example.com", "login": "", "password": ""}
SES_WEST = "email-smtp.eu-west-1.amazonaws.com"
SENDMAIL_4_1_0 = {"delivery_method": "sendmail", "mastodon_release": "4.1.0"}
SENDGRID = {"provider": "sendgrid", "host": "", "login": ""}


def severities(relay: dict[str, t.Any] | None = None, accept: t.Collection[str] = (), **more: t.Any) -> dict[str, str]:
    values = {"from_address": "a@example.com", "mastodon_release": "4.6.5", **more}
    if isinstance(values.get("bulk"), dict):
        values["bulk"] = Wanted(**values["bulk"])
    request = Request(relay=Wanted(**{**GOOD, **(relay or {})}), **values)
    return {one.code: one.severity for one in plan(request, presets(), accept)[1]}


# (code, severity, relay, everything else)
SPEAKS: list[tuple[str, str, dict[str, t.Any], dict[str, t.Any]]] = [
    ("host-missing", "error", {"host": ""}, {}),
    ("host-missing", "error", {"provider": "postal", "host": "", "port": 25}, {}),
    ("host-invalid", "error", {"host": "https://smtp.example.com"}, {}),
    ("host-invalid", "error", {"host": "smtp.example.com:587"}, {}),
    ("port-invalid", "error", {"port": 0}, {}),
    ("port-invalid", "error", {"port": 65536}, {}),
    *(
        ("port-contradicts-tls", "error", {"port": port, "tls": tls}, {})
        for port, tls in (
            (465, "starttls"), (465, "starttls_optional"), (465, "none"), (2465, "starttls"), (8465, "starttls"),
            (443, "starttls"), (587, "implicit"), (25, "implicit"), (2525, "implicit"), (2587, "implicit"),
            (8025, "implicit"), (80, "implicit"),
        )
    ),
    *(("port-unusual", "warning", {"port": port}, {}) for port in (456, 578, 5870, 10587)),
    ("port-unusual", "warning", {"port": 456, "tls": "implicit"}, {}),
    ("port-unusual", "warning", {**OPEN, "provider": "postal", "port": 26}, {}),
    ("starttls-optional", "warning", {"tls": "starttls_optional"}, {}),
    ("credentials-unencrypted", "error", {"tls": "none"}, {}),
    ("mail-unencrypted", "warning", {**OPEN, "tls": "none"}, {}),
    ("verify-off", "error", {"verify": "none"}, {}),
    ("verify-off", "warning", {**OPEN, "verify": "none"}, {}),
    ("cram-md5-not-ascii", "error", {"auth": "cram_md5", "password": "pässword12"}, {}),
    ("cram-md5-not-ascii", "error", {}, {"bulk": {**GOOD, "auth": "cram_md5", "password": "€" * 64}}),
    ("sendmail-not-possible", "error", {"host": "", "login": "", "password": ""}, SENDMAIL_4_1_0),
    ("address-invalid", "error", {}, {"from_address": "a@b.example\u00a0"}),
    ("address-invalid", "error", {}, {"from_address": "X <a@b.example\u00a0>"}),
    ("address-invalid", "error", {}, {"reply_to": "a\u200b@b.example"}),
    ("from-missing", "error", {}, {"from_address": " "}),
    ("value-misread", "error", {"password": "abc\u0085defgh"}, {}),
    ("value-misread", "error", {"password": "abc\u0080defgh"}, {"mastodon_release": "4.4.1"}),
    ("loopback-certificate", "warning", {**OPEN, "host": "127.0.0.1"}, {}),
    ("ca-file-relative", "error", {"ca_file": "ca.pem"}, {}),
    ("ca-file-unused", "warning", {"ca_file": "/ca.pem", "verify": "none"}, {}),
    ("ca-file-unused", "warning", {**OPEN, "ca_file": "/ca.pem", "tls": "none"}, {}),
    ("helo-invalid", "error", {"helo_domain": "my server"}, {}),
    ("helo-invalid", "error", {"helo_domain": "server"}, {}),
    ("login-not-given", "error", {"login": ""}, {}),
    ("login-not-given", "error", {**OPEN, "auth": "plain"}, {}),
    ("login-not-given", "error", {"provider": "mailgun", **OPEN, "host": ""}, {}),
    ("password-not-given", "error", {"password": ""}, {}),
    ("password-not-given", "error", {**SENDGRID, "password": ""}, {}),
    ("login-without-auth", "error", {"auth": "none"}, {}),
    ("login-without-auth", "error", {"auth": "none", "login": ""}, {}),
    ("secret-short", "warning", {"password": "c0rrect"}, {}),
    ("secret-in-value", "error", {"password": "example"}, {}),
    ("secret-in-value", "error", {"password": "starttls"}, {}),
    ("secret-has-line-break", "error", {"password": PASSWORD + "\n"}, {}),
    ("secret-has-outer-blanks", "warning", {"password": PASSWORD + " "}, {}),
    ("from-missing", "error", {}, {"from_address": ""}),
    ("address-invalid", "error", {}, {"from_address": "example.com"}),
    ("address-invalid", "error", {}, {"reply_to": "a@b.example, c@d.example"}),
    ("address-invalid", "error", {}, {"return_path": "Bounces <b@example.com>"}),
    ("address-name-unquoted", "error", {}, {"from_address": "Doe, John <j@example.com>"}),
    ("address-domain-not-ascii", "error", {}, {"from_address": "a@bücher.example"}),
    ("address-domain-local", "warning", {}, {"from_address": "a@localhost"}),
    ("address-domain-local", "warning", {}, {"from_address": "a@box.local"}),
    ("return-path-foreign", "warning", {}, {"return_path": "b@example.org"}),
    ("return-path-unread", "warning", {}, {"return_path": "b@example.com", "mastodon_release": "3.4.10"}),
    ("provider-unknown", "error", {"provider": "mailgnu"}, {}),
    ("provider-region-missing", "error", {"provider": "amazon_ses", "host": ""}, {}),
    ("provider-region-unknown", "error", {"provider": "mailgun", "host": "", "region": "mars"}, {}),
    ("provider-region-unknown", "error", {"provider": "amazon_ses", "host": "", "region": "eu west"}, {}),
    ("provider-host-differs", "warning", {"provider": "mailgun", "login": "a@example.com"}, {}),
    ("provider-host-differs", "warning", {"provider": "amazon_ses", "host": "email-smtp.a_b.amazonaws.com"}, {}),
    ("provider-region-differs", "warning", {"provider": "mailgun", "host": "smtp.mailgun.org", "region": "eu"}, {}),
    ("provider-region-differs", "warning", {"provider": "mailgun", "host": "SMTP.mailgun.org.", "region": "mars"}, {}),
    ("provider-region-differs", "warning", {"provider": "amazon_ses", "host": SES_WEST, "region": "us-east-1"}, {}),
    ("provider-not-named", "info", {"host": "smtp.eu.mailgun.org"}, {}),
    ("provider-not-named", "info", {"host": SES_WEST}, {}),
    ("provider-not-named", "info", {"host": "smtp.tem.scw.cloud."}, {}),
    ("provider-not-named", "info", {}, {"bulk": {**GOOD, "host": "smtp.sendgrid.net"}}),
    ("provider-port-unknown", "error", {"provider": "postmark", "host": "", "port": 465}, {}),
    ("provider-tls-differs", "error", {"provider": "brevo", "host": "", "port": 465, "tls": "starttls"}, {}),
    ("provider-tls-differs", "error", {"provider": "brevo", "host": "", "port": 587, "tls": "none"}, {}),
    ("provider-login-differs", "error", {**SENDGRID, "login": "me@example.com"}, {}),
    ("provider-login-form", "warning", {"provider": "mailgun", "host": "", "login": "postmaster"}, {}),
    ("provider-auth-undocumented", "warning", {"provider": "sparkpost", "host": "", "login": "", "auth": "plain"}, {}),
    ("provider-login-form", "warning", {"provider": "postmark", "host": "", "login": "me@example.com"}, {}),
    ("provider-auth-refused", "warning", {"provider": "microsoft365", "host": "", "auth": "plain"}, {}),
    ("provider-sender-differs", "error", {"provider": "qq", "host": "", "login": "1@qq.com"}, {}),
    ("provider-sender-differs", "warning", {"provider": "zoho_mail", "host": "", "login": "me@example.com"}, {}),
    ("provider-helo-differs", "warning", {**OPEN, "provider": "google_relay", "host": ""}, {"local_domain": "x.test"}),
    ("host-unknown", "error", {"host": "email-smtp.amazonaws.com"}, {}),
    ("host-unknown", "error", {"host": "EMAIL-SMTP.amazonaws.com.", "provider": "amazon_ses"}, {}),
    ("host-unknown", "error", {"host": "smtp.mail.awsapps.com"}, {}),
    ("provider-advice", "warning", {"provider": "microsoft365", "host": ""}, {}),
    ("provider-advice", "info", {"provider": "brevo", "host": ""}, {}),
    ("release-unknown", "info", {}, {"mastodon_release": ""}),
    ("release-unknown", "info", {}, {"mastodon_release": "main"}),
    ("release-unknown", "info", {}, {"mastodon_release": "4.7.0"}),
    ("release-unknown", "info", {}, {"mastodon_release": "5.0.0-alpha.1"}),
    ("release-fork", "info", {}, {"mastodon_release": "4.3.0+glitch"}),
    ("release-unsupported", "warning", {"tls": "implicit"}, {"mastodon_release": "3.4.10"}),
    *(
        ("release-mail-defect", "warning", {}, {"mastodon_release": one})
        for one in ("3.5.0", "4.1.0", "4.4.0", "4.5.0-rc.1")
    ),
    ("tls-not-possible", "error", {"tls": "starttls"}, {"mastodon_release": "3.5.19"}),
    ("value-misread", "error", {"password": "@t-the-start-of-it"}, {"mastodon_release": "4.4.0"}),
    ("value-misread", "error", {"password": "1234567890"}, {"mastodon_release": "4.4.0"}),
    ("value-misread", "error", {"login": "yes"}, {"mastodon_release": "4.4.0"}),
    ("value-misread", "error", {}, {"mastodon_release": "4.4.0", "from_address": '"A, B" <a@example.com>'}),
    ("value-misread", "error", {"ca_file": "/etc/my ca #1.pem"}, {}),
    ("rails-would-refuse", "error", {}, {"local_domain": "a: b", "mastodon_release": "4.4.4"}),
    ("variable-unread", "warning", {}, {"current": ("SMTP_HOST",)}),
    ("variable-unread", "warning", {}, {"current": ("BULK_SMTP_FROM_ADDRESS",)}),
    ("variable-unread", "warning", {}, {"current": ("SMTP_ANYTHING_ELSE",)}),
    ("bulk-unsupported", "error", {}, {"bulk": {**GOOD, "host": "b.example.com"}, "mastodon_release": "4.3.23"}),
    ("bulk-same-account", "warning", {}, {"bulk": GOOD}),
    ("bulk-password-alone", "error", {}, {"bulk_password_given": True}),
    ("bulk-with-sendmail", "error", {"host": ""}, {"bulk": GOOD, "delivery_method": "sendmail"}),
    ("sendmail-with-relay", "warning", {}, {"delivery_method": "sendmail"}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "severity", "relay", "more"), SPEAKS)
def test_rule_speaks(code: str, severity: str, relay: dict[str, t.Any], more: dict[str, t.Any]) -> None:
    assert severities(relay, **more).get(code) == severity


@pytest.mark.parametrize(("code", "severity", "relay", "more"), [one for one in SPEAKS if one[1] == "error"])
def test_only_its_own_code_accepts_an_error(
    code: str, severity: str, relay: dict[str, t.Any], more: dict[str, t.Any]
) -> None:
    others = [one for one in CODES if one != code]
    assert severities(relay, accept=others, **more)[code] == severity
    accepted = severities(relay, accept=[code], **more)
    assert accepted[code] == "info"
    before = severities(relay, **more)
    assert {**accepted, code: ""} == {**before, code: ""}


@pytest.mark.parametrize(("code", "severity", "relay", "more"), SPEAKS)
def test_what_is_accepted_becomes_an_info(
    code: str, severity: str, relay: dict[str, t.Any], more: dict[str, t.Any]
) -> None:
    accepted = severities(relay, accept=CODES, **more)[code]
    assert accepted == ("info" if severity in ("error", "warning") else severity)


def told(code: str, **relay: t.Any) -> str:
    request = Request(relay=Wanted(**{**GOOD, **relay}), from_address="a@example.com", mastodon_release="4.6.5")
    (found,) = [one for one in plan(request, presets())[1] if one.code == code]
    return found.sentence()


@pytest.mark.parametrize(
    ("code", "relay", "words"),
    [
        ("port-unusual", {"port": 456}, "Set mastodon_smtp_port to 465 if that is what you meant."),
        ("port-unusual", {"port": 578}, "Set mastodon_smtp_port to 587 if that is what you meant."),
        ("port-unusual", {"port": 5587}, "If the relay does listen on 5587, leave it, and set mastodon_smtp_tls, too."),
        ("port-unusual", {"port": 9999}, "Set mastodon_smtp_port to 2587 "),
        ("port-contradicts-tls", {"port": 587, "tls": "implicit"}, "tls is implicit (TLS from the first byte): the"),
        (
            "provider-region-unknown",
            {"provider": "mailgun", "host": "", "region": "ue"},
            "ue is not a region of Mailgun. Correct mastodon_smtp_region to one of eu, us.",
        ),
        (
            "provider-region-unknown",
            {"provider": "amazon_ses", "host": "", "region": "eu west"},
            "Correct mastodon_smtp_region to a region as Amazon SES writes it.",
        ),
        (
            "provider-region-differs",
            {"provider": "mailgun", "host": "smtp.mailgun.org", "region": "eu"},
            "Set mastodon_smtp_region to us, or drop mastodon_smtp_host to use smtp.eu.mailgun.org.",
        ),
        (
            "provider-not-named",
            {"host": SES_WEST},
            "Set mastodon_smtp_provider to amazon_ses and mastodon_smtp_region to eu-west-1, to have",
        ),
        (
            "provider-tls-differs",
            {"provider": "postmark", "host": "", "port": 587, "tls": "implicit"},
            "Postmark uses STARTTLS on port 587, but mastodon_smtp_tls is implicit (TLS from the first byte).",
        ),
    ],
)
def test_the_words_name_the_variable_and_what_to_write(code: str, relay: dict[str, t.Any], words: str) -> None:
    assert words in told(code, **relay)


@pytest.mark.parametrize(
    ("release", "password", "helps"),
    [("4.4.0", "@bcdefgh", True), ("4.4.0", "abc\u0080defg", False), ("4.6.5", "abc\u0080defg", False)],
)
def test_an_upgrade_is_advised_where_it_helps(release: str, password: str, helps: bool) -> None:
    request = Request(
        relay=Wanted(**{**GOOD, "password": password}), from_address="a@example.com", mastodon_release=release
    )
    found = next(one for one in plan(request, presets())[1] if one.code == "value-misread")
    assert ("or upgrade to Mastodon 4.4.1" in found.fix) == helps
    assert "breaks that file (it " in found.message
    assert password not in found.message


def test_every_code_is_tested() -> None:
    # The controller's: tests/unit/plugins/action/test_smtp_settings.py and test_smtp_variables.py, test__facts.py
    elsewhere = {"setting-unknown", "setting-type", "setting-unworkable", "setting-from-facts"}
    elsewhere |= {"accept-unknown", "test-address-invalid", "retry-rate-invalid"}
    elsewhere |= {"credential-blank", "helo-blank", "delivery-off", "settings-unused"}  # test_field_files.py
    elsewhere |= {"override-contradicts"}  # test_elsewhere.py
    assert {code for code, *_unused in SPEAKS} == set(CODES) - elsewhere


@pytest.mark.parametrize(
    ("relay", "more"),
    [
        ({}, {}),
        ({"auth": "cram_md5", "password": "ä" * 65}, {}),
        *(({}, {"mastodon_release": one}) for one in ("4.6.0", "4.6.6", "4.7.0-alpha.2")),
        ({"auth": "plain", "password": "pässword12"}, {}),
        ({"host": "", "login": "", "password": ""}, {**SENDMAIL_4_1_0, "mastodon_release": "4.2.29"}),
        ({"host": "2001:db8::25"}, {}),
        ({"port": 465}, {}),
        ({"port": 465, "tls": "implicit", "auth": "login"}, {}),
        ({"port": 2525}, {}),
        ({"port": 10587, "tls": "starttls"}, {}),
        ({"port": 10465, "tls": "implicit"}, {}),
        (OPEN, {}),
        ({**OPEN, "auth": "none"}, {}),
        ({**OPEN, "host": "localhost", "tls": "none"}, {}),
        ({**GOOD, "host": "127.0.0.1", "tls": "none"}, {}),
        ({**GOOD, "host": "localhost", "ca_file": "/etc/ca.pem"}, {}),
        ({"helo_domain": "mail.example.com"}, {}),
        ({"login": "token-token-token", "password": "token-token-token"}, {}),
        ({}, {"from_address": '"Example, Inc." <a@example.com>', "return_path": "b@bounces.example.com"}),
        ({}, {"from_address": "a@mg.example.com", "return_path": "b@example.com", "reply_to": "Help <h@example.net>"}),
        ({"password": "[@*&!%#{}|>'\"` $x$(y) \\]"}, {}),
        ({"password": "1234567890"}, {}),
        ({"provider": "mailgun", "host": "", "region": "eu"}, {}),
        ({"provider": "mailgun", "host": "", "port": 465}, {}),
        ({"provider": "smtp2go", "host": "", "port": 443}, {}),
        ({**SENDGRID}, {}),
        ({**OPEN, "host": "127.0.0.1", "port": 1025, "tls": "none"}, {}),
        ({**OPEN, "host": "localhost", "port": 26, "tls": "none"}, {}),
        ({"port": 8025}, {}),
        ({"provider": "mailgun", "host": "smtp.eu.mailgun.org", "region": "eu"}, {}),
        ({"provider": "mailgun", "host": "smtp.eu.mailgun.org"}, {}),
        ({**SENDGRID, "login": "apikey", "host": "smtp.sendgrid.net"}, {}),
        ({"provider": "postmark", "host": "", "region": "broadcast", "login": "t0ken-of-postmark"}, {}),
        ({"provider": "sparkpost", "host": "", "login": ""}, {}),
        ({"provider": "ovh", "host": "smtp.mail.ovh.net"}, {}),
        ({"provider": "scaleway_tem", "host": "smtp.tem.scw.cloud", "login": "a-project"}, {}),
        ({"provider": "zeptomail", "host": "", "login": ""}, {}),
        ({}, {"mastodon_release": "4.3.23", "current": ("SMTP_TLS", "BULK_SMTP_SERVER", "DB_HOST")}),
        ({}, {"mastodon_release": "4.6.0-nightly.2026-01-01"}),
        ({}, {"bulk": {**GOOD, "host": "bulk.example.com"}}),
        ({}, {"bulk": {**GOOD, "login": "another@example.com"}}),
    ],
)
def test_rules_are_silent(relay: dict[str, t.Any], more: dict[str, t.Any]) -> None:
    assert severities(relay, **more) == {}


@pytest.mark.parametrize(
    ("provider", "region", "host", "port", "tls", "auth", "login"),
    [
        ("mailgun", "eu", "smtp.eu.mailgun.org", "587", "starttls", "plain", "user@example.com"),
        (
            "amazon_ses",
            "eu-west-1",
            "email-smtp.eu-west-1.amazonaws.com",
            "587",
            "starttls",
            "plain",
            "user@example.com",
        ),
        ("sendgrid", "", "smtp.sendgrid.net", "587", "starttls", "plain", "apikey"),
        ("sparkpost", "eu", "smtp.eu.sparkpostmail.com", "587", "starttls", "login", "SMTP_Injection"),
        ("resend", "", "smtp.resend.com", "587", "starttls", "plain", "resend"),
        ("fastmail", "", "smtp.fastmail.com", "465", "implicit", "plain", "user@example.com"),
        ("microsoft365", "", "smtp.office365.com", "587", "starttls", "login", "user@example.com"),
        ("zeptomail", "", "smtp.zeptomail.com", "465", "implicit", "plain", "emailapikey"),
    ],
)
def test_a_preset_fills_the_settings(
    provider: str, region: str, host: str, port: str, tls: str, auth: str, login: str
) -> None:
    own_login = login if "@" in login else ""
    relay = Wanted(provider=provider, region=region, login=own_login, password=PASSWORD)
    request = Request(relay=relay, from_address="a@example.com", mastodon_release="4.6.5")
    done, findings = plan(request, presets())
    assert not [one for one in findings if one.severity == "error"]
    assert done.set["SMTP_SERVER"] == host
    assert done.set["SMTP_PORT"] == port
    assert done.set["SMTP_AUTH_METHOD"] == auth
    assert done.set["SMTP_LOGIN"] == login
    assert done.effective.main is not None
    assert done.effective.main.tls_mode == tls


def test_what_the_operator_sets_wins_over_the_preset() -> None:
    relay = Wanted(provider="brevo", host="smtp.example.com", port=465, auth="login", login="me", password=PASSWORD)
    done, _unused = plan(Request(relay=relay, from_address="a@example.com", mastodon_release="4.6.5"), presets())
    assert (done.set["SMTP_SERVER"], done.set["SMTP_PORT"]) == ("smtp.example.com", "465")
    assert (done.set["SMTP_AUTH_METHOD"], done.set["SMTP_TLS"]) == ("login", "true")


def test_a_local_postfix_needs_nothing_else() -> None:
    request = Request(relay=Wanted(provider="local_postfix"), from_address="a@example.com", mastodon_release="4.6.5")
    done, findings = plan(request, presets())
    assert [one.code for one in findings] == ["provider-advice"]
    assert done.set == {
        "SMTP_SERVER": "localhost",
        "SMTP_PORT": "25",
        "SMTP_AUTH_METHOD": "none",
        "SMTP_ENABLE_STARTTLS": "never",
        "SMTP_FROM_ADDRESS": "a@example.com",
    }


def test_no_finding_shows_the_password() -> None:
    for code, _unused, relay, more in SPEAKS:
        values = {"from_address": "a@example.com", "mastodon_release": "4.6.5", **more}
        if isinstance(values.get("bulk"), dict):
            values["bulk"] = Wanted(**values["bulk"])
        wanted = Wanted(**{**GOOD, "password": "pa55-w0rd: [tell nobody]", **relay})
        if len(wanted.password) < 10 or wanted.password == "starttls":
            continue
        for one in plan(Request(relay=wanted, readers=("raw", "ruby"), **values), presets())[1]:
            assert wanted.password not in str(one.as_dict()), code
