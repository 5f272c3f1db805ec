# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decisions of the chain: what is pending, whether to send, whether and how far to undo."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry

ALL = ["mailer", "services", "queue"]
SETTINGS = {
    "send": "changed",
    "undo": True,
    "backup": True,
    "test_recipient": "a@b.test",
    "service_timeout": 180,
    "steady": 10,
    "rails_timeout": 180,
    "queue_deadline": 120,
}


def instance(*unproved: str, stale: bool = False, state: str = "running", role: str = "web") -> dict[str, t.Any]:
    found = {
        "env_file": "/live/.env.production",
        "unproved": list(unproved),
        "ticket": "found" if unproved else None,
        "services": [{"name": "mastodon-web.service", "role": role, "stale": stale, "state": state}],
    }
    return {"instance": found, "findings": []}


def edit(*unproved: str, **more: t.Any) -> dict[str, t.Any]:
    ticket = "new" if unproved else None
    return {"changed": bool(unproved), "unproved": list(unproved), "ticket": ticket, "backup_file": "/b", **more}


def known(
    chosen: dict[str, t.Any] | None = None,
    wrong: dict[str, str] | None = None,
    dry: bool = False,
    skipped: tuple[str, ...] = (),
    **results: dict[str, t.Any],
) -> Known:
    """A host whose steps returned this.

    :param wrong: the steps that failed, with the code that they found.
    """
    given = {"variables": {"variables": {**SETTINGS, **(chosen or {})}}, "instance": instance(), **results}
    entries = {key: Entry(key, "skipped" if key in skipped else "ok", (), one) for key, one in given.items()}
    for key, code in (wrong or {}).items():
        findings = [Finding(code, "error", "x", "It is so.").as_dict()]
        entries[key] = Entry(key, "failed", ("It is so.",), {**given.get(key, {}), "findings": findings})
    return Known(entries, dry=dry)


@pytest.mark.parametrize(
    ("send", "seen", "message", "queue"),
    [
        # an edit of this run, and of one that died before or after Rails' check
        ("changed", {"edit": edit(*ALL)}, True, True),
        ("changed", {"edit": edit("services", "queue")}, False, True),
        ("changed", {"edit": edit("services")}, False, False),
        # nothing to prove
        ("changed", {"edit": edit()}, False, False),
        ("changed", {"edit": edit(), "services": {"changed": False}}, False, False),
        # the services ran on older settings although no run has noted an edit
        ("changed", {"edit": edit(), "services": {"changed": True}}, False, True),
        ("changed", {"instance": instance(stale=True), "edit": edit()}, True, True),
        ("changed", {"instance": instance(stale=True, role="streaming"), "edit": edit()}, False, False),
        # with --tags the edit is not part of this run
        ("changed", {"instance": instance("mailer", "queue")}, True, True),
        ("changed", {"instance": instance("queue")}, False, True),
        ("always", {"edit": edit()}, True, True),
        ("never", {"edit": edit(*ALL)}, False, False),
    ],
)
def test_what_is_sent(send: str, seen: dict[str, t.Any], message: bool, queue: bool) -> None:
    host = known({"send": send}, **seen)
    assert (host.send_message, host.prove_queue) == (message, queue)


def test_nothing_goes_through_a_queue_that_nobody_serves_as_the_operator_accepts() -> None:
    unserved = {"changed": True, "findings": [Finding("mail-not-served", "info", "sidekiq", "None.").as_dict()]}
    assert not known({"send": "always"}, edit=edit(*ALL), services=unserved).prove_queue


def test_nothing_goes_through_the_queue_in_a_dry_run_or_to_nobody() -> None:
    assert not known({"send": "always"}, dry=True, edit=edit(*ALL)).prove_queue
    assert not known({"send": "always", "test_recipient": ""}, edit=edit(*ALL)).prove_queue
    assert known({"send": "always", "test_recipient": "", "test_account": "a@b"}, edit=edit(*ALL)).prove_queue


@pytest.mark.parametrize(
    ("settings", "proofs"),
    [
        ({}, ALL),
        # not made for now; the journal keeps it, so that the next run makes it
        ({"send": "never"}, ALL),
        ({"test_recipient": ""}, ALL),
        ({"test_recipient": None, "test_account": "alice@b.test"}, ALL),
    ],
)
def test_what_an_edit_needs(settings: dict[str, t.Any], proofs: list[str]) -> None:
    assert known(settings).proofs == proofs


def test_the_queue_is_proved_where_sidekiq_runs() -> None:
    seen = instance()
    seen["instance"]["roles"] = ["web"]
    assert known(instance=seen).proofs == ALL[:2]


@pytest.mark.parametrize(
    ("settings", "fails"),
    [
        ({}, True),
        ({"send": "never"}, False),
        ({"test_recipient": None}, False),
        ({"unproved": "warn"}, False),
        ({"test_recipient": None, "unproved": "fail"}, True),
    ],
)
def test_whether_a_missing_proof_fails_the_host(settings: dict[str, t.Any], fails: bool) -> None:
    assert known(settings).unproved_fails is fails


def test_whose_ticket_a_step_gets() -> None:
    assert known(edit=edit(*ALL)).ticket == "new" and known(instance=instance("queue")).ticket == "found"
    assert known(instance=instance("queue"), edit=edit()).ticket is None


def test_how_long_a_step_of_a_dead_run_may_be_at_work() -> None:
    assert known().longest_step == 3 * 180 + 120 + 70
    assert known({"service_timeout": 3000}).longest_step == 3010


@pytest.mark.parametrize(
    ("seen", "current"),
    [
        ({"edit": edit()}, True),
        ({"edit": edit(*ALL)}, False),
        ({"edit": {**edit(), "changed": True}}, False),
        ({"edit": edit("queue")}, False),
        # proved but for the queue
        ({"edit": {**edit("queue"), "changed": False}}, True),
        ({"instance": instance(stale=True), "edit": edit()}, False),
        ({"instance": instance(state="stopped"), "edit": edit()}, False),
        ({"instance": instance(role="streaming"), "edit": edit()}, False),
        # with --tags nothing is known of the file
        ({}, False),
    ],
)
def test_whether_the_services_need_no_look(seen: dict[str, t.Any], current: bool) -> None:
    assert known(**seen).services_are_current is current


EDITED = {"edit": edit(*ALL)}


@pytest.mark.parametrize(
    ("host", "undo"),
    [
        (known(wrong={"mailer": "login-refused"}, **EDITED), True),
        # a task that failed before its step began
        (known(**EDITED), True),
        (known({"undo": False}, wrong={"mailer": "login-refused"}, **EDITED), False),
        (known(dry=True, wrong={"mailer": "login-refused"}, **EDITED), False),
        (known(wrong={"mailer": "login-refused"}, edit=edit()), False),
        (known(wrong={"mailer": "login-refused"}, edit=edit(*ALL, backup_file=None)), False),
        (known(wrong={"edit": "env-file-changed"}), False),
        (known(wrong={"services": "edit-taken-over"}, **EDITED), False),
        # of a run that died, and that this one carries on
        (known(wrong={"queue": "login-refused"}, instance=instance("queue"), edit=edit("queue")), True),
        # Rails and the services have proved this edit before, so it is not what is wrong now
        (known(wrong={"mailer": "rails-does-not-boot"}, instance=instance("queue"), edit=edit("queue")), False),
        (known(wrong={"services": "service-crash-loop"}, instance=instance("queue"), edit=edit("queue")), False),
    ],
)
def test_what_is_put_back(host: Known, undo: bool) -> None:
    assert host.undo is undo


@pytest.mark.parametrize(
    ("host", "services"),
    [
        (known(**EDITED), False),
        (known(services={"changed": True}, **EDITED), True),
        (known(services={"changed": False}, **EDITED), True),
        (known(services={}, skipped=("services",), **EDITED), False),
        # the run before died after Rails' check, or somebody has restarted a service since
        (known(instance=instance("services", stale=True), **EDITED), True),
        (known(instance=instance(*ALL), **EDITED), True),
        (known(instance=instance(*ALL, stale=True), **EDITED), False),
        (known(instance=instance(*ALL, state="stopped"), **EDITED), False),
    ],
)
def test_whether_a_service_may_have_read_the_edit(host: Known, services: bool) -> None:
    assert host.undo_services is services


def test_a_step_that_failed_gives_the_others_nothing_to_go_by() -> None:
    assert known(wrong={"instance": "no-instance"}).instance is None and known().instance
    assert known(wrong={"settings": "host-missing"}).plan is None
    assert known(wrong={"settings": "host-missing"}, settings={"plan": {"set": {}}}).plan is None


def test_a_service_in_the_way_of_the_plan_does_not_keep_the_others_from_looking() -> None:
    assert known(wrong={"settings": "override-contradicts"}, settings={"plan": {"set": {}}}).plan == {"set": {}}
    assert known().found == {"env_file": "/live/.env.production"}


@pytest.mark.parametrize(
    ("outcome", "queued"),
    [
        ("delivered", ["2@b.test"]),
        ("performed", ["2@b.test"]),
        *((outcome, []) for outcome in ("failed", "waiting", "not_queued", "not_sent", "unknown", None)),
    ],
)
def test_only_mails_that_a_relay_has_taken_count_as_sent(outcome: str | None, queued: list[str]) -> None:
    def message(name: str, **more: t.Any) -> dict[str, t.Any]:
        return {"relay": name, "message_id": f"{name}@b.test", "to": "a@b.test", **more}

    tests = [message("main", accepted=True), message("bulk", accepted=False, answer="554 5.7.1 no")]
    queue = {"message_id": "2@b.test", "to": "a@b.test", "outcome": outcome}
    sent = known(mailer={"test_message": tests}, queue=queue).sent_mails
    assert [one["message_id"] for one in sent] == ["main@b.test", *queued]
