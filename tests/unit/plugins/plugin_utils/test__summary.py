# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.plugin_utils._summary import adopt_summary, host_summary

RELAY = {
    "settings": {"address": "smtp.example.net", "port": 587},
    "tls_mode": "starttls",
    "auth_mode": "plain",
}
EFFECTIVE = {"from": "Example <a@example.org>", "main": RELAY, "bulk": None}
RESULT: dict[str, t.Any] = {
    "outcome": "changed",
    "headline": "Done and proved: the mail settings are in place and in use.",
    "to_prove": [],
    "undone": "",
    "check_mode": False,
    "app_dir": "/home/mastodon/live",
    "env_file": "/home/mastodon/live/.env.production",
    "release": "4.5.3",
    "local_domain": "social.example",
    "roles": ["web", "sidekiq"],
    "rails": {"rails": "8.0.2", "mail": "2.9.0", "ruby": "3.4.5"},
    "changed_variables": [
        {"name": "SMTP_SERVER", "what": "changed"},
        {"name": "SMTP_TLS", "what": "removed"},
        {"name": "SMTP_PORT", "what": "changed"},
    ],
    "backup_file": "/home/mastodon/live/.env.production.last-smtp",
    "relays": [
        {
            "host": "smtp.example.net",
            "port": 587,
            "addresses": [
                {"family": "ipv6", "address": "2001:db8::25", "outcome": "unreachable"},
                {"family": "ipv4", "address": "192.0.2.25", "outcome": "answered"},
            ],
            "tls_details": {"version": "TLSv1.3", "verified": True, "days_left": 37},
            "auth": {"tried": True, "accepted": True},
            "envelope": {"sender": {"tried": True, "accepted": True}, "recipient": None},
        }
    ],
    "sender_dns": [
        {
            "from_domain": "example.org",
            "rules": [
                {"id": "D1", "outcome": "ok"},
                {"id": "M3", "outcome": "info"},
                {"id": "S7", "outcome": "skipped"},
                {"id": "M1", "outcome": "warning"},
                {"id": "K1", "outcome": "unknown"},
                {"id": "K3", "outcome": "unknown"},
            ],
        }
    ],
    "planned": EFFECTIVE,
    "effective": EFFECTIVE,
    "services": [
        {
            "name": "mastodon-web.service",
            "restarted": True,
            "after": {"state": "active", "since": "2026-11-01T02:03:04Z"},
        }
    ],
    "test_messages": [{"relay": "main", "message_id": "<1@x>", "to": "admin@example.org", "answer": "250 2.0.0 Ok"}],
    "queued_mail": {
        "way": "form",
        "to": "alice@example.org",
        "outcome": "performed",
        "job": {"id": "82325230-88b1", "queue": "mailers", "attempts": 1},
        "message_id": None,
        "waited": 1.4,
    },
    "findings": [
        {"code": "odd", "severity": "warning", "subject": "s", "message": "Odd.", "fix": "Look."},
        {"code": "fine", "severity": "info", "subject": "s", "message": "Fine.", "fix": ""},
        {"code": "link-followed", "severity": "info", "subject": "/e", "message": "A link.", "fix": ""},
    ],
}


def test_a_changed_host_is_told_fact_by_fact() -> None:
    assert host_summary(RESULT) == [
        "Done and proved: the mail settings are in place and in use.",
        "Mastodon 4.5.3 in /home/mastodon/live, Rails 8.0.2, mail gem 2.9.0, Ruby 3.4.5",
        "/home/mastodon/live/.env.production: changed SMTP_SERVER, SMTP_PORT; removed SMTP_TLS (previous state: "
        "/home/mastodon/live/.env.production.last-smtp)",
        "Preflight: smtp.example.net:587 answers at 192.0.2.25, TLSv1.3, certificate valid for 37 more days,"
        " login accepted, sender accepted",
        "Preflight: DNS of example.org: 2 of 5 checks passed, 1 with a warning (DMARC record), "
        "2 not answered (DKIM keys, DKIM selectors)",
        "Rails sends through smtp.example.net:587, STARTTLS required, login with plain",
        "From: Example <a@example.org>",
        "The main relay accepted the test message <1@x> for admin@example.org: 250 2.0.0 Ok",
        "mastodon-web.service: active since 2026-11-01T02:03:04Z, restarted by this run",
        "The password reset for alice@example.org went through the queue (job 82325230-88b1 of the queue mailers):"
        " Sidekiq's job ended without an error, after 1.4 s",
        "warning: s: Odd. Look. [odd]",
        "info: /e: A link. [link-followed]",
    ]


def test_a_dry_run_speaks_of_what_would_be() -> None:
    text = "\n".join(host_summary({**RESULT, "check_mode": True, "outcome": "would change", "test_messages": []}))
    assert "would be edited: changed SMTP_SERVER" in text and "previous state" not in text
    assert "Rails would send through" in text and "would be restarted" in text


def test_a_service_that_does_not_run_has_no_time_since_when() -> None:
    stopped = {"name": "mastodon-web.service", "restarted": False, "after": {"state": "stopped", "since": None}}
    assert "mastodon-web.service: stopped" in host_summary({**RESULT, "services": [stopped]})


def test_a_relay_without_encryption_and_login_is_told_as_such() -> None:
    bare = {**RESULT["relays"][0], "tls_details": None, "auth": {"tried": False, "accepted": None}, "envelope": {}}
    lines = host_summary({**RESULT, "relays": [bare], "sender_dns": []})
    assert "Preflight: smtp.example.net:587 answers at 192.0.2.25, no encryption, no login" in lines


def test_a_sender_whose_dns_was_not_looked_up_is_told_as_such() -> None:
    told = "Preflight: the sender's DNS was not checked"
    assert told in host_summary({**RESULT, "sender_dns": []}) and told not in host_summary(RESULT)


def test_a_host_in_order_says_so() -> None:
    lines = host_summary(
        {**RESULT, "outcome": "in order", "changed_variables": [], "test_messages": [], "queued_mail": None}
    )
    assert "queue" not in "".join(lines)
    assert lines[2] == "/home/mastodon/live/.env.production already says what the inventory says."


ROLLBACK: dict[str, t.Any] = {
    **{key: RESULT[key] for key in ("check_mode", "app_dir", "env_file", "release", "services", "findings")},
    "outcome": "rolled back",
    "changed_variables": [{"name": "SMTP_SERVER", "what": "changed"}, {"name": "SMTP_LOGIN", "what": "removed"}],
    "restored_from": "/home/mastodon/live/.env.production.last-smtp",
}


def test_a_rollback_says_what_was_put_back() -> None:
    assert host_summary(ROLLBACK) == [
        "/home/mastodon/live/.env.production was restored from /home/mastodon/live/.env.production.last-smtp: "
        "changed SMTP_SERVER; removed SMTP_LOGIN",
        "mastodon-web.service: active since 2026-11-01T02:03:04Z, restarted by this run",
        "warning: s: Odd. Look. [odd]",
        "info: /e: A link. [link-followed]",
    ]
    dry = host_summary({**ROLLBACK, "check_mode": True})
    assert dry[0] == "Dry run, nothing was touched."
    assert "would be restored" in dry[1] and "would be restarted" in dry[2]
    nothing = host_summary({**ROLLBACK, "restored_from": "", "changed_variables": []})
    assert nothing[0].endswith("there was nothing to restore.")


def test_what_is_not_proved_is_followed_by_what_to_do() -> None:
    silent = {**RESULT, "headline": "Done, not proved: x.", "to_prove": ["To prove it: do y."], "undone": "All stays."}
    assert host_summary(silent)[:3] == ["Done, not proved: x.", "To prove it: do y.", "All stays."]
    assert host_summary(silent, whole=False)[3:] == host_summary(RESULT)[-2:]


ADOPTED: dict[str, t.Any] = {
    "files": ["/inv/host_vars/a/mastodon_smtp.yml"],
    "written": ["/inv/host_vars/a/mastodon_smtp.yml"],
    "variables": ["mastodon_smtp_host", "mastodon_smtp_password"],
    "placeholders": ["vault_mastodon_smtp_password"],
    "findings": [],
}


def test_an_adoption_says_what_is_written_and_what_to_do_next() -> None:
    written, vault, check = adopt_summary(ADOPTED, "a", False)
    names = "mastodon_smtp_host, mastodon_smtp_password"
    assert written == f"Written: /inv/host_vars/a/mastodon_smtp.yml, with {names}."
    assert "vault_mastodon_smtp_password" in vault and "ansible-vault create /inv/host_vars/a/vault.yml" in vault
    assert "Then: ansible-playbook fediops.mastodon.smtp_check --limit a" in check
    assert adopt_summary({**ADOPTED, "placeholders": []}, "a", False)[1].startswith("Next: ansible-playbook")


def test_a_dry_adoption_does_not_speak_as_if_it_had_written() -> None:
    first, then = adopt_summary(ADOPTED, "a", True)
    assert first.startswith("Dry run, nothing was written: /inv/host_vars/a/mastodon_smtp.yml would be, with ")
    assert then == "Next: the same command without --check writes it."
    same = adopt_summary({**ADOPTED, "written": []}, "a", True)
    assert same[0] == "In order: /inv/host_vars/a/mastodon_smtp.yml already says what this instance uses."


def test_a_host_without_sidekiq_says_where_the_queue_is_proved() -> None:
    said = " ".join(host_summary({**RESULT, "roles": ["web"], "queued_mail": None}))
    assert "Sidekiq runs on another host" in said


def test_a_plain_mail_through_the_queue_is_called_one() -> None:
    queued = {**RESULT["queued_mail"], "way": "plain"}
    assert "The test mail for" in " ".join(host_summary({**RESULT, "queued_mail": queued}))


@pytest.mark.parametrize(("deployment", "word"), [("systemd", "restarted"), ("compose", "recreated")])
def test_what_was_done_to_a_service_has_the_word_of_its_deployment(deployment: str, word: str) -> None:
    for result in (RESULT, ROLLBACK):
        assert f", {word} by this run" in "\n".join(host_summary({**result, "deployment": deployment}))
        assert f", would be {word}" in "\n".join(host_summary({**result, "deployment": deployment, "check_mode": True}))


def test_a_test_message_that_the_relay_refused_is_not_told_as_accepted() -> None:
    refused = [{**one, "accepted": False, "answer": "550 5.1.1 No"} for one in RESULT["test_messages"]]
    assert "accepted the test message" in "\n".join(host_summary(RESULT))
    assert "accepted the test message" not in "\n".join(host_summary({**RESULT, "test_messages": refused}))
