# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service has besides the environment file, compared with the plan."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.elsewhere import contradictions, digest, told
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.plan import Plan, plan
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import Request, Wanted

SECRET = "correct-horse-battery"
KEY = "k" * 32
FILE = "/live/.env.production"


def planned(release: str = "4.5.3", **relay: t.Any) -> Plan:
    wanted = {"host": "relay.example", "tls": "starttls", "login": "user", "password": SECRET, **relay}
    request = Request(
        relay=Wanted(**wanted), from_address="a@x.example", mastodon_release=release, local_domain="x.example"
    )
    return plan(request, {})[0]


def has(
    variable: str, value: str | None, path: str = "/etc/u.d/a.conf", key: str = KEY, **more: t.Any
) -> dict[str, t.Any]:
    place = {"variable": variable, "layer": "Environment", "path": path, "line": 2, "wins": True}
    return {**place, "set": value is not None, **told(value, variable, key), **more}


def sender(*elsewhere: dict[str, t.Any], service: str = "mastodon-sidekiq.service") -> dict[str, t.Any]:
    return {"service": service, "role": "sidekiq", "elsewhere": list(elsewhere)}


def found(*senders: dict[str, t.Any], release: str = "4.5.3", key: str = KEY, **relay: t.Any) -> list[Finding]:
    return contradictions(planned(release, **relay), senders, FILE, key)


def test_an_override_that_contradicts_the_plan_names_unit_file_line_and_values() -> None:
    (finding,) = found(sender(has("SMTP_PORT", "465")))
    assert (finding.code, finding.severity) == ("override-contradicts", "error")
    assert finding.subject == "SMTP_PORT in /etc/u.d/a.conf, line 2"
    assert finding.message == (
        "Environment sets it there for mastodon-sidekiq.service, which overrides /live/.env.production. It is '465' "
        "there; the plan says '587'."
    )
    assert finding.fix == "Remove SMTP_PORT from /etc/u.d/a.conf, line 2. Then run systemctl daemon-reload."


@pytest.mark.parametrize(
    ("variable", "value", "contradicts"),
    [
        ("SMTP_PORT", "587", False),
        ("SMTP_FROM_ADDRESS", "b@x.example", True),
        ("SMTP_REPLY_TO", "b@x.example", True),  # the plan removes it from the file only
        ("SMTP_TLS", "false", False),  # the same as without it
        ("SMTP_TLS", "true", True),
        ("SMTP_SERVER", None, True),  # UnsetEnvironment=, with a file that only systemd reads
        ("SMTP_RETURN_PATH", None, False),  # not planned anyway
        ("SMTP_ENABLE_STARTTLS", "auto", True),
        ("SMTP_HOST", "other.example", False),  # no release reads it
        ("BULK_SMTP_SERVER", "bulk.example", True),
        ("SMTP_LOGIN", "user", False),
        ("SMTP_LOGIN", "somebody", True),
        ("SMTP_PASSWORD", SECRET, False),
        ("SMTP_PASSWORD", "another-secret", True),
        ("SMTP_PASSWORD", "", True),
        ("BULK_SMTP_PASSWORD", "", False),
        ("BULK_SMTP_LOGIN", "somebody", True),
    ],
)
def test_what_contradicts_is_what_changes_what_rails_does(variable: str, value: str | None, contradicts: bool) -> None:
    findings = found(sender(has(variable, value)))
    assert [one.code for one in findings] == ["override-contradicts"] * contradicts
    assert not any(secret in str(findings) for secret in (SECRET, "another-secret", "somebody"))


def test_a_variable_that_this_release_does_not_read_is_harmless() -> None:
    assert found(sender(has("BULK_SMTP_SERVER", "bulk.example")), release="4.3.8") == []


def test_each_process_is_judged_on_its_own_and_a_shared_file_is_told_once() -> None:
    web, first, second = "mastodon-web.service", "mastodon-sidekiq@1.service", "mastodon-sidekiq@2.service"
    local = has("SMTP_PORT", "25", "/live/.env.local")
    findings = found(
        sender(local, service=first),
        sender(has("SMTP_SERVER", "old.example"), local, service=second),
        sender(local, service=web),
    )
    assert [one.subject for one in findings] == [
        "SMTP_PORT in /live/.env.local, line 2",
        "SMTP_SERVER in /etc/u.d/a.conf, line 2",
    ]
    assert f"for {first} and {second} and {web}," in findings[0].message
    assert f"for {second}," in findings[1].message and web not in findings[1].message


def test_what_is_hidden_itself_counts_only_if_the_winner_is_wrong_too() -> None:
    below = has("SMTP_PORT", "25", "/etc/b.conf")
    assert found(sender(has("SMTP_PORT", "587"), below)) == []
    both = found(sender(has("SMTP_PORT", "465"), below))
    assert [one.subject for one in both] == ["SMTP_PORT in /etc/u.d/a.conf, line 2", "SMTP_PORT in /etc/b.conf, line 2"]


def test_what_is_below_the_file_counts_where_the_plan_takes_the_variable_out_of_the_file() -> None:
    assert found(sender(has("SMTP_PORT", "25", wins=False))) == []
    (finding,) = found(sender(has("SMTP_TLS", "true", "/live/.env", wins=False, layer=".env")))
    assert "and the plan removes it from /live/.env.production only" in finding.message
    assert finding.fix == "Remove SMTP_TLS from /live/.env, line 2."


def test_a_credential_without_a_digest_is_left_to_rails_unless_there_is_to_be_none() -> None:
    unknown = has("SMTP_PASSWORD", "another-secret", key="")
    assert found(sender(unknown)) == []
    (finding,) = found(sender(unknown), auth="none", login="", password="")
    assert "The plan sets no SMTP_PASSWORD" in finding.message


def test_what_only_a_process_has_is_told_with_what_may_set_it() -> None:
    (finding,) = found(sender(has("SMTP_PORT", "465", "mastodon-sidekiq.service", layer="process", line=0)))
    assert finding.subject == "SMTP_PORT in mastodon-sidekiq.service"
    assert "PassEnvironment=" in finding.fix and "mastodon-sidekiq.service" in finding.fix


def test_a_credential_leaves_the_host_as_a_digest_only() -> None:
    assert told("587", "SMTP_PORT", KEY) == {"value": "587", "digest": None}
    assert told(SECRET, "SMTP_PASSWORD", KEY) == {"value": None, "digest": digest(SECRET, KEY)}
    assert told(SECRET, "SMTP_PASSWORD", "") == {"value": None, "digest": None}
    assert told(SECRET, "SMTP_X", KEY) == {"value": None, "digest": None}
    assert told(None, "SMTP_PORT", KEY) == {"value": None, "digest": None}
    assert SECRET not in digest(SECRET, KEY)


def test_a_variable_that_a_compose_file_does_not_pass_on_is_told_only_if_it_is_planned() -> None:
    place = "service web of /srv/masto/compose.yml"
    more: dict[str, t.Any] = {"layer": "not in environment:", "line": 0}
    (finding,) = found(
        sender(
            has("SMTP_FROM_ADDRESS", None, place, **more), has("BULK_SMTP_SERVER", None, place, **more), service="web"
        )
    )
    assert finding.subject == f"SMTP_FROM_ADDRESS in {place}"
    assert finding.message == (
        f"web would not get it from {FILE}: environment: does not pass it on. The plan says 'a@x.example'."
    )
    assert finding.fix == (
        "Add SMTP_FROM_ADDRESS: (without a value) to environment: there, or replace these entries by an env_file."
    )


def test_a_default_of_a_compose_file_is_told_where_the_plan_takes_the_variable_out() -> None:
    more: dict[str, t.Any] = {"layer": "environment: (default)", "line": 7, "wins": False}
    (finding,) = found(sender(has("SMTP_DOMAIN", "", "service web of c.yml", **more), service="web"))
    assert finding.fix == (
        f"Write SMTP_DOMAIN: (without a value) there; it is then unset where {FILE} does not set it."
    )


@pytest.mark.parametrize("variable", ["SMTP_LOGIN", "SMTP_DOMAIN", "SMTP_ENABLE_STARTTLS_AUTO"])
def test_a_variable_that_compose_requires_is_told_where_the_plan_takes_it_out(variable: str) -> None:
    """Whether Mastodon reads it or not: after the edit Compose would refuse the whole file."""
    more: dict[str, t.Any] = {"layer": "environment: (required)", "line": 7, "wins": False}
    required = sender(has(variable, None, "service web of c.yml", **more), service="web")
    (finding,) = found(required, login="", password="", auth="none")
    assert finding.subject == f"{variable} in service web of c.yml, line 7"
    assert finding.message == f"Compose refuses to start web without it, and the plan removes it from {FILE}."
    assert finding.fix == f"Write {variable}: (without a value) there; it is then unset where {FILE} does not set it."


def test_a_variable_that_compose_requires_and_the_plan_sets_is_fine() -> None:
    more: dict[str, t.Any] = {"layer": "environment: (required)", "line": 7, "wins": False}
    assert found(sender(has("SMTP_LOGIN", None, "service web of c.yml", **more))) == []
