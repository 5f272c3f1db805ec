# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, errors
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.plan import Plan, plan
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import Request, Wanted
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.variables import VARIABLES
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import presets

LOCAL = "social.example.org"
PASSWORD = "c0rrect-h0rse.battery"
RELAY = Wanted(host="smtp.example.com", login="user@example.com", password=PASSWORD)
READERS = ("ruby", "node", "compose")
#: A release of every era.
ERA_RELEASES = ["3.4.10", "3.5.0", "3.5.19", "4.0.15", "4.1.0", "4.1.25", "4.2.29", "4.3.23", "4.4.0", "4.4.22"]
ERA_RELEASES += ["4.5.0-rc.1", "4.5.0-rc.2", "4.6.5", "4.7.0", "main"]


def asked(relay: Wanted = RELAY, release: str = "4.6.5", **more: t.Any) -> Request:
    values: dict[str, t.Any] = {"from_address": "notifications@example.com", "local_domain": LOCAL, "readers": READERS}
    return Request(relay=relay, mastodon_release=release, **{**values, **more})


def planned(relay: Wanted = RELAY, release: str = "4.6.5", accept: t.Collection[str] = (), **more: t.Any) -> Plan:
    done, findings = plan(asked(relay, release, **more), presets(), accept)
    assert not errors(findings), findings
    return done


def codes(
    relay: Wanted = RELAY, release: str = "4.6.5", accept: t.Collection[str] = (), **more: t.Any
) -> dict[str, str]:
    """Code -> severity of every finding."""
    return {one.code: one.severity for one in plan(asked(relay, release, **more), presets(), accept)[1]}


def changed(**more: t.Any) -> Wanted:
    return dataclasses.replace(RELAY, **more)


TLS_NAMES = {"SMTP_TLS", "SMTP_SSL", "SMTP_ENABLE_STARTTLS", "SMTP_ENABLE_STARTTLS_AUTO"}


@pytest.mark.parametrize(
    ("release", "tls", "written"),
    [
        ("3.5.19", "implicit", {"SMTP_TLS": "true"}),
        ("3.5.19", "starttls_optional", {}),
        ("4.0.15", "implicit", {"SMTP_TLS": "true"}),
        ("4.0.15", "starttls", {"SMTP_ENABLE_STARTTLS": "always"}),
        ("4.0.15", "starttls_optional", {"SMTP_ENABLE_STARTTLS": "auto"}),
        ("4.2.29", "starttls", {"SMTP_ENABLE_STARTTLS": "always"}),
        ("4.4.0", "starttls", {"SMTP_ENABLE_STARTTLS": "always"}),
        ("4.5.0-rc.1", "implicit", {"SMTP_TLS": "true", "SMTP_ENABLE_STARTTLS": "never"}),
        ("4.5.0-rc.2", "implicit", {"SMTP_TLS": "true"}),
        ("4.6.5", "starttls", {"SMTP_ENABLE_STARTTLS": "always"}),
        ("4.6.5", "implicit", {"SMTP_TLS": "true"}),
    ],
)
def test_tls_is_written_in_the_form_that_the_release_understands(
    release: str, tls: str, written: dict[str, str]
) -> None:
    done = planned(changed(tls=tls), release)
    assert {name: text for name, text in done.set.items() if name in TLS_NAMES} == written
    assert TLS_NAMES - set(written) <= set(done.remove)
    assert done.effective.main is not None
    assert done.effective.main.tls_mode == tls


@pytest.mark.parametrize("release", ["4.1.0", "4.1.25", "4.3.23", "4.4.0", "4.4.22", "4.5.0-rc.1", "4.6.5"])
def test_no_encryption_and_no_login_on_the_same_machine(release: str) -> None:
    done = planned(Wanted(host="localhost", tls="none"), release)
    assert done.set["SMTP_AUTH_METHOD"] == "none"
    assert done.set["SMTP_PORT"] == "25"
    assert {"SMTP_LOGIN", "SMTP_PASSWORD", "SMTP_OPENSSL_VERIFY_MODE", "SMTP_CA_FILE"} <= set(done.remove)
    assert done.effective.main is not None
    assert (done.effective.main.tls_mode, done.effective.main.auth_mode) == ("none", "none")


@pytest.mark.parametrize(
    ("release", "tls", "instead"),
    [
        ("3.4.10", "starttls", "starttls_optional"),
        ("3.5.19", "starttls", "starttls_optional"),
        ("3.5.19", "none", "starttls_optional"),
        ("4.0.15", "none", "starttls_optional"),
    ],
)
def test_what_a_release_cannot_do_is_an_error_that_can_be_accepted(release: str, tls: str, instead: str) -> None:
    relay = Wanted(host="localhost", tls=tls) if tls == "none" else changed(tls=tls)
    assert codes(relay, release)["tls-not-possible"] == "error"
    assert codes(relay, release, accept=["tls-not-possible"])["tls-not-possible"] == "info"
    done = planned(relay, release, accept=["tls-not-possible"])
    assert done.effective.main is not None
    assert done.effective.main.tls_mode == instead


def test_a_plan_says_what_becomes_of_every_variable_that_mastodon_knows() -> None:
    done = planned()
    assert set(done.set) | set(done.secrets) | set(done.remove) == set(VARIABLES)
    assert not set(done.set) & set(done.remove)
    assert not set(done.secrets) & set(done.remove)


@pytest.mark.parametrize("release", ERA_RELEASES)
def test_nothing_is_set_that_the_release_does_not_read(release: str) -> None:
    done = planned(changed(tls="implicit"), release, reply_to="r@example.com", return_path="b@example.com")
    assert all(VARIABLES[name].read_by(done.era) for name in [*done.set, *done.secrets])


def test_the_password_is_named_and_not_shown() -> None:
    done = planned()
    shown = done.as_dict()
    assert shown["secret_variables"] == ["SMTP_PASSWORD"]
    assert "SMTP_PASSWORD" not in shown["set"]
    assert PASSWORD not in str(shown)
    assert PASSWORD not in repr(done)
    assert PASSWORD not in repr(asked())


def test_a_login_that_is_the_password_is_secret_too() -> None:
    token = "0b0ba3fa-90d3-4d66-8a39-91a7ee7f6d3e"
    done = planned(Wanted(provider="postmark", login=token, password=token))
    assert done.as_dict()["secret_variables"] == ["SMTP_LOGIN", "SMTP_PASSWORD"]
    assert done.as_dict()["relay"]["login"] is None
    assert token not in str(done.as_dict())


def test_the_relay_with_its_defaults_for_the_probe() -> None:
    shown = planned(Wanted(provider="mailgun", region="eu", login="a@mg.example.org", password=PASSWORD)).as_dict()
    assert shown["relay"] == {
        "host": "smtp.eu.mailgun.org",
        "port": 587,
        "tls": "starttls",
        "auth": "plain",
        "login": "a@mg.example.org",
        "verify": "peer",
        "ca_file": "/etc/ssl/certs/ca-certificates.crt",
        "helo_domain": LOCAL,
        "alternatives": [
            {"port": 465, "tls": "implicit"},
            {"port": 2525, "tls": "starttls"},
            {"port": 25, "tls": "starttls"},
        ],
        "hint": "Mailgun: the login is the full address of an SMTP credential of the sending domain, "
        "such as postmaster@mg.example.org; the password is the SMTP credential's own password, not the dashboard "
        "password and not an API key.",
    }
    assert shown["sender"] == {"address": "notifications@example.com", "domain": "example.com"}


def test_the_relay_brings_the_hint_of_its_provider() -> None:
    shown = planned(Wanted(provider="sendgrid", password=PASSWORD), bulk=BULK).as_dict()
    assert shown["relay"]["hint"] == (
        "Twilio SendGrid: the login is the word apikey; the password is an API key with the Mail Send permission."
    )
    assert shown["bulk_relay"]["hint"] == ""
    assert planned(Wanted(provider="local_postfix")).as_dict()["relay"]["hint"] == ""


def test_without_local_domain_the_name_for_ehlo_is_not_expected() -> None:
    assert "domain" not in planned(local_domain="").as_dict()["effective"]["main"]["settings"]
    shown = planned(changed(helo_domain="helo.example.com"), local_domain="").as_dict()
    assert shown["effective"]["main"]["settings"]["domain"] == "helo.example.com"


def test_3_5_0_gets_the_return_path_without_which_it_sends_nothing() -> None:
    relay = changed(tls="implicit")
    assert planned(relay, "3.5.0").set["SMTP_RETURN_PATH"] == "notifications@example.com"
    assert "SMTP_RETURN_PATH" in planned(relay, "3.5.1").remove


def test_sendmail_uses_no_relay() -> None:
    done = planned(Wanted(), delivery_method="sendmail")
    assert done.set == {"SMTP_FROM_ADDRESS": "notifications@example.com", "SMTP_DELIVERY_METHOD": "sendmail"}
    assert not done.secrets
    assert done.as_dict()["relay"] is None
    assert codes(RELAY, delivery_method="sendmail")["sendmail-with-relay"] == "warning"
    assert codes(Wanted(), delivery_method="sendmail", bulk=RELAY)["bulk-with-sendmail"] == "error"


BULK = Wanted(host="bulk.example.com", tls="implicit", login="bulk", password="an0ther-s3cret")


def test_the_bulk_relay_is_written_in_full_and_inherits_nothing() -> None:
    done = planned(bulk=BULK, return_path="b@example.com")
    assert {name: text for name, text in done.set.items() if name.startswith("BULK_")} == {
        "BULK_SMTP_SERVER": "bulk.example.com",
        "BULK_SMTP_PORT": "465",
        "BULK_SMTP_LOGIN": "bulk",
        "BULK_SMTP_AUTH_METHOD": "plain",
        "BULK_SMTP_OPENSSL_VERIFY_MODE": "peer",
        "BULK_SMTP_TLS": "true",
    }
    assert sorted(done.secrets) == ["BULK_SMTP_PASSWORD", "SMTP_PASSWORD"]
    assert done.effective.bulk is not None
    assert (done.effective.bulk.tls_mode, done.effective.bulk.settings["port"]) == ("implicit", 465)


def test_bulk_variables_are_removed_unless_asked_for() -> None:
    assert {name for name in VARIABLES if name.startswith("BULK_")} <= set(planned().remove)


@pytest.mark.parametrize("release", ["3.5.19", "4.2.29", "4.3.23", "4.3.23+glitch"])
def test_a_bulk_relay_is_refused_before_4_4(release: str) -> None:
    found = codes(changed(tls="implicit"), release, bulk=BULK)
    assert found["bulk-unsupported"] == "error"
    done = planned(changed(tls="implicit"), release, accept=["bulk-unsupported"], bulk=BULK)
    assert not [name for name in [*done.set, *done.secrets] if name.startswith("BULK_")]


def test_findings_come_all_at_once_and_the_worst_first() -> None:
    relay = Wanted(host="https://x", port=465, tls="starttls", login="a", verify="none", ca_file="ca.pem")
    _unused, findings = plan(
        asked(relay, "3.5.19", from_address="Doe, J <j@example.com>", current=("SMTP_HOST",)), presets()
    )
    found = [one.code for one in findings]
    assert {
        "host-invalid", "port-contradicts-tls", "password-not-given", "verify-off", "ca-file-relative",
        "ca-file-unused",
        "address-name-unquoted", "tls-not-possible", "variable-unread",
    } <= set(found)  # fmt: skip
    ranks = [("error", "warning", "unknown", "info").index(one.severity) for one in findings]
    assert ranks == sorted(ranks)


def test_every_finding_names_a_subject_and_a_fix() -> None:
    relay = Wanted(provider="sendgrid", login="me", password="short")
    for one in plan(asked(relay, "4.4.0", from_address="", bulk=Wanted(), current=("SMTP_USER",)), presets())[1]:
        assert one.subject
        assert one.fix
        assert one.message.endswith((".", ".)"))


def finding(code: str, relay: Wanted = RELAY, release: str = "4.6.5", **more: t.Any) -> Finding:
    found = [one for one in plan(asked(relay, release, **more), presets())[1] if one.code == code]
    assert len(found) == 1, found
    return found[0]


def test_fixes_name_the_variables_of_the_role() -> None:
    assert "mastodon_smtp_tls: implicit" in finding("port-contradicts-tls", changed(port=465, tls="starttls")).fix
    bulk = dataclasses.replace(BULK, port=587)
    found = finding("port-contradicts-tls", bulk=bulk)
    assert found.subject.startswith("bulk.port")
    assert "mastodon_smtp_bulk.tls: starttls" in found.fix
    found = finding("password-not-given", bulk=dataclasses.replace(BULK, password=""))
    assert (found.subject, "mastodon_smtp_bulk_password" in found.fix) == ("bulk_password", True)
