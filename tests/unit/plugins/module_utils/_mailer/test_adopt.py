# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adopting: what was planned once is found again, and what cannot be said in the role's words is named."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.adopt import adopt
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.plan import plan
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import Request, Wanted

RELEASES = ("3.5.19", "4.0.15", "4.1.25", "4.2.17", "4.3.8", "4.4.3", "4.5.3")


def asked(release: str, **options: t.Any) -> Request:
    relay = {"host": "smtp.example.net", "port": 587, "login": "masto", "password": "s3cret-s3cret", **options}
    return Request(
        relay=Wanted(**relay),
        from_address="Social <social@example.org>",
        return_path="bounces@example.org",
        mastodon_release=release,
        local_domain="example.org",
    )


@pytest.mark.parametrize(
    ("release", "options"),
    list(
        itertools.product(
            RELEASES,
            (
                {"tls": "starttls"},
                {"tls": "starttls_optional"},
                {"tls": "implicit", "port": 465},
                {"tls": "starttls", "auth": "login", "verify": "none"},
                {"tls": "starttls", "helo_domain": "out.example.org", "ca_file": "/etc/ssl/own.pem"},
                {"tls": "none", "host": "localhost", "port": 25, "login": "", "password": ""},
            ),
        )
    ),
)
def test_what_was_planned_is_adopted_as_it_was_asked_for(release: str, options: dict[str, t.Any]) -> None:
    request = asked(release, **options)
    done, problems = plan(request, {})
    if any(one.code == "tls-not-possible" for one in problems):
        return
    variables = {**done.set, **done.secrets, "LOCAL_DOMAIN": "example.org", "SECRET_KEY_BASE": "x" * 20}
    adopted, findings = adopt(variables, release, "example.org")
    assert [one for one in findings if one.code != "adopt-would-stop"] == []
    assert adopted.settings["host"] == request.relay.host and adopted.settings["port"] == request.relay.port
    assert adopted.settings["tls"] == request.relay.tls
    assert adopted.settings["from_address"] == request.from_address
    assert adopted.secrets == ({"password": "s3cret-s3cret"} if request.relay.password else {})
    assert "s3cret" not in repr(adopted)


def test_the_bulk_relay_has_settings_of_its_own() -> None:
    bulk = Wanted(host="bulk.example.net", port=465, tls="implicit", login="b", password="b-secret-b")
    done, _unused = plan(Request(**{**vars(asked("4.5.3", tls="starttls")), "bulk": bulk}), {})
    adopted, findings = adopt({**done.set, **done.secrets}, "4.5.3", "example.org")
    assert findings == []
    assert adopted.settings["bulk"]["host"] == "bulk.example.net" and adopted.settings["bulk"]["tls"] == "implicit"
    assert adopted.secrets == {"password": "s3cret-s3cret", "bulk_password": "b-secret-b"}


def test_a_login_that_is_the_password_is_secret() -> None:
    done, _unused = plan(asked("4.5.3", tls="starttls", login="tok-en-tok-en", password="tok-en-tok-en"), {})
    adopted, findings = adopt({**done.set, **done.secrets}, "4.5.3", "example.org")
    assert findings == [] and "login" not in adopted.settings
    assert adopted.secrets == {"login": "tok-en-tok-en", "password": "tok-en-tok-en"}


def test_another_way_of_writing_the_same_is_no_difference() -> None:
    done, _unused = plan(asked("4.5.3", tls="starttls"), {})
    written = {**done.set, **done.secrets, "SMTP_SSL": "false"}
    _unused_too, findings = adopt(written, "4.5.3", "example.org")
    assert [(one.code, one.subject) for one in findings] == [("adopt-rewrites", "SMTP_SSL")]


def test_settings_that_rails_refuses_are_not_adopted() -> None:
    adopted, findings = adopt({"SMTP_FROM_ADDRESS": "<broken"}, "4.5.3", "example.org")
    assert [one.code for one in findings] == ["adopt-unusable"] and adopted.settings == {} and adopted.secrets == {}


def test_what_a_rollout_would_refuse_is_said() -> None:
    variables = {"SMTP_SERVER": "smtp.example.net", "SMTP_PORT": "587", "SMTP_LOGIN": "a", "SMTP_PASSWORD": "s3cret-s"}
    adopted, findings = adopt(variables, "4.5.3", "example.org")
    assert adopted.settings["login"] == "a" and "adopt-would-stop" in [one.code for one in findings]


def test_sendmail_has_no_relay() -> None:
    variables = {"SMTP_DELIVERY_METHOD": "sendmail", "SMTP_FROM_ADDRESS": "a@example.org"}
    adopted, findings = adopt(variables, "4.5.3", "example.org")
    assert adopted.settings == {"delivery_method": "sendmail", "from_address": "a@example.org"} and findings == []
