# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each step of the role takes from the steps before it, and when it leaves itself out."""

from __future__ import annotations

import importlib
import typing as t
from types import SimpleNamespace

import pytest
import yaml
from ansible.errors import AnsibleActionFail

from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry

SETTINGS = {
    "send": "changed",
    "undo": True,
    "backup": True,
    "test_recipient": "a@b.test",
    "check_envelope": True,
    "service_timeout": 180,
    "steady": 10,
    "rails_timeout": 180,
    "queue_deadline": 120,
}
FOUND = {"deployment": "systemd", "app_dir": "/live", "user": "mastodon", "env_file": "/live/.env.production"}
INSTANCE = {
    **FOUND,
    "readers": ["ruby", "node"],
    "env_file_checksum": "abc",
    "release": "4.5.3",
    "local_domain": "b.test",
    "mail_variables": ["SMTP_SERVER"],
    "unproved": [],
    "ticket": None,
    "services": [],
}
RELAY = {
    "host": "smtp.b.test",
    "port": 587,
    "tls": "starttls",
    "verify": "peer",
    "auth": "plain",
    "login": "me",
    "ca_file": None,
    "helo_domain": None,
    "alternatives": [{"port": 465, "tls": "implicit"}],
    "hint": "A key.",
}
PLAN = {
    "set": {"SMTP_SERVER": "smtp.b.test"},
    "remove": ["SMTP_SSL"],
    "secret_variables": ["SMTP_PASSWORD"],
    "effective": {"return_path": None},
    "sender": {"address": "n@b.test"},
    "relay": RELAY,
    "bulk_relay": None,
}
SECRETS = {"SMTP_LOGIN": "me", "SMTP_PASSWORD": "hidden-from-all", "BULK_SMTP_PASSWORD": ""}
EDIT = {"changed": True, "unproved": ["mailer", "services", "queue"], "ticket": "t", "backup_file": "/b"}


def linked(
    step: str,
    part: str,
    options: dict[str, t.Any] | None = None,
    chosen: dict[str, t.Any] | None = None,
    dry: bool = False,
    without: tuple[str, ...] = (),
    task_vars: dict[str, t.Any] | None = None,
    failed: tuple[str, ...] = (),
    **results: dict[str, t.Any],
) -> dict[str, t.Any] | None:
    """The options with which a step of the role runs; None when it leaves itself out.

    :param without: steps that did not run.
    """
    module = importlib.import_module(f"ansible_collections.fediops.mastodon.plugins.action.{step}")
    task = SimpleNamespace(args={"chain": part, **(options or {})}, async_val=0, check_mode=dry, action=step)
    action = module.ActionModule(task, *(None,) * 5)
    action.take_options()
    before = {"instance": {"instance": INSTANCE}, "settings": {"plan": PLAN}, **results}
    before["variables"] = {"variables": {**SETTINGS, **(chosen or {})}}
    entries = {
        key: Entry(key, "failed" if key in failed else "ok", ("No.",) if key in failed else (), one)
        for key, one in before.items()
        if key not in without
    }
    action.known = Known(entries, dry=dry)
    done: dict[str, t.Any] | None = action.linked(
        options or {}, {"inventory_hostname": "masto1", "mastodon_smtp_x": 1, **(task_vars or {})}
    )
    return done


def test_the_edit_goes_by_the_plan_and_waits_for_a_step_of_a_dead_run() -> None:
    assert linked("env_file", "rollout", {"secrets": SECRETS, "backup": False}) == {
        "path": "/live/.env.production",
        "set": PLAN["set"],
        "remove": PLAN["remove"],
        "secrets": {"SMTP_PASSWORD": "hidden-from-all"},
        "readers": ["ruby", "node"],
        "backup": False,
        "expected_checksum": "abc",
        "handed": {"prove": ["mailer", "services", "queue"]},
        "busy_timeout": 730.0,
    }
    given = linked("env_file", "rollout", {"secrets": SECRETS, "readers": ["sh"]})
    assert given and given["readers"] == ["sh"]


def test_a_check_compares_and_asks_for_no_proof() -> None:
    given = linked("env_file", "check", {"secrets": SECRETS})
    assert given and not {"handed", "expected_checksum", "busy_timeout"} & set(given)


def test_an_undo_goes_by_what_the_edit_left() -> None:
    edit = {**EDIT, "checksum_after": "def"}
    assert linked("env_file", "undo", {"state": "restored"}, edit=edit) == {
        "state": "restored",
        "path": "/live/.env.production",
        "backup_file": "/b",
        "expected_checksum": "def",
        "handed": {"ticket": "t"},
        "restored_mtime": "preserve",
    }
    late = linked("env_file", "undo", {"state": "restored"}, edit=edit, services={"changed": True})
    assert late and late["restored_mtime"] == "now"
    assert linked("env_file", "undo", {"state": "restored"}, {"undo": False}, edit=edit) is None


def test_the_undo_restarts_only_where_a_service_may_have_read_the_edit() -> None:
    assert linked("mail_services", "undo", edit=EDIT) is None
    assert linked("mail_services", "undo", edit=EDIT, services={}) == {**FOUND, "state": "current"}
    assert linked("mail_services", "undo", edit=EDIT, services={}, restored={}, failed=("restored",)) is None


@pytest.mark.parametrize(
    ("part", "dry", "step", "changed", "state"),
    [
        ("rollout", False, "edit", True, "current"),
        ("rollout", True, "edit", True, "edited"),
        ("rollout", True, "edit", False, "current"),
        ("rollback", True, "restored", True, "edited"),
        ("rollback", False, "restored", True, "current"),
        ("check", True, "edit", True, "current"),
    ],
)
def test_a_dry_run_says_what_the_edit_would_entail(part: str, dry: bool, step: str, changed: bool, state: str) -> None:
    given = linked("mail_services", part, {"services": ["web"]}, dry=dry, **{step: {"changed": changed}})
    told = {"handed": {"edited": True}} if state == "edited" else {}
    assert given == {"services": ["web"], **FOUND, "state": "current", **told}


def test_the_restart_is_told_which_services_need_not_run() -> None:
    chosen = {"accept": ["mail-not-served", "service-masked"]}
    for part in ("rollout", "check", "rollback"):
        given = linked("mail_services", part, chosen=chosen, edit={"changed": True})
        assert given and given["handed"] == {"accept": ["mail-not-served"]}


STOPPED = {"code": "mail-not-served", "severity": "warning", "subject": "sidekiq", "message": "No.", "fix": "Start it."}


@pytest.mark.parametrize(
    ("part", "severity"), [("preflight", "error"), ("check", "warning"), ("rollback", "warning"), ("", "warning")]
)
def test_a_sidekiq_that_stays_stopped_is_an_error_before_a_rollout(
    monkeypatch: pytest.MonkeyPatch, part: str, severity: str
) -> None:
    module = importlib.import_module("ansible_collections.fediops.mastodon.plugins.action.instance_info")
    args = {"chain": part} if part else {}
    action = module.ActionModule(SimpleNamespace(args=args, async_val=0, check_mode=False, action="x"), *(None,) * 5)
    action.take_options()
    monkeypatch.setattr(action, "ask", lambda *_args, **_how: {"instance": {}, "findings": [STOPPED]})
    assert [one["severity"] for one in action.perform({}, {})["findings"]] == [severity]


def test_a_sidekiq_that_stays_stopped_keeps_no_step_from_looking() -> None:
    found = {"instance": INSTANCE, "findings": [{**STOPPED, "severity": "error"}]}
    assert linked("smtp_settings", "preflight", failed=("instance",), instance=found) is not None
    found["findings"] = [*t.cast(t.Any, found["findings"]), {**STOPPED, "severity": "error", "code": "user-unknown"}]
    assert linked("smtp_settings", "preflight", failed=("instance",), instance=found) is None


def test_rails_is_held_to_the_plan_and_sends_where_it_is_worth_it() -> None:
    to = {"send_to": "a@b.test", "queue_account": "", "queue_recipient": "a@b.test", "secrets": SECRETS}
    given = linked("mailer_check", "rollout", to, edit=EDIT)
    assert given and given["expected"] == PLAN["effective"] and given["handed"] == {"ticket": "t", "repairing": True}
    assert (given["send_to"], given["queue_recipient"], given["provider_hint"]) == ("a@b.test", "a@b.test", "A key.")
    assert given["secrets"] == {"SMTP_PASSWORD": "hidden-from-all"} and "queue_account" not in given
    proved = linked("mailer_check", "rollout", to, edit={"unproved": [], "ticket": None, "changed": False})
    assert proved and "send_to" not in proved and proved["handed"] == {"repairing": True}
    assert "queue_recipient" in proved
    never = linked("mailer_check", "rollout", to, {"send": "never"}, edit=EDIT)
    assert never and not {"send_to", "queue_recipient"} & set(never)


@pytest.mark.parametrize(
    ("wanted", "dry", "sends"), [(True, False, True), (False, False, False), (None, False, False), (True, True, False)]
)
def test_the_drift_check_sends_only_what_it_is_asked_for(wanted: bool | None, dry: bool, sends: bool) -> None:
    to = {"send_to": "a@b.test", "secrets": SECRETS}
    given = linked(
        "mailer_check", "check", to, {"check_send": wanted}, task_vars={"ansible_check_mode": dry}, edit=EDIT
    )
    assert given and ("send_to" in given) is sends and "handed" not in given


def test_the_queue_is_proved_by_the_way_that_rails_has_named() -> None:
    way = {"way": "form", "to": "a@b.test"}
    to = {"reset": "", "enqueue": "a@b.test"}
    given = linked("queued_mail_check", "rollout", to, edit=EDIT, mailer={"queue": way})
    assert given == {"enqueue": "a@b.test", **FOUND, "handed": {"queue": way, "ticket": "t"}, "provider_hint": "A key."}
    assert linked("queued_mail_check", "rollout", to, edit={"unproved": [], "changed": False}) is None


def test_the_relay_is_that_of_the_plan() -> None:
    given = linked("smtp_relay_info", "preflight", {"password": "hidden", "recipient": "a@b.test"})
    assert given == {
        **{name: RELAY[name] for name in ("host", "port", "tls", "verify", "auth", "login")},
        **FOUND,
        "password": "hidden",
        "recipient": "a@b.test",
        "sender": "n@b.test",
        "helo_domain": "masto1",
        "alternative_ports": RELAY["alternatives"],
        "provider_hint": "A key.",
        "vantage": "host",
    }
    assert linked("smtp_relay_info", "preflight", {"relay": "bulk"}) is None
    silent = linked("smtp_relay_info", "preflight", {"recipient": "a@b.test"}, {"check_envelope": False})
    assert silent and not {"sender", "recipient"} & set(silent)
    never = linked("smtp_relay_info", "preflight", {"recipient": "a@b.test"}, {"send": "never"})
    assert never and "sender" in never and "recipient" not in never


@pytest.mark.parametrize(
    ("deployment", "ca_file", "vantage"),
    [("systemd", None, "host"), ("systemd", "/etc/ssl/own.pem", "instance"), ("compose", None, "instance")],
)
def test_the_relay_is_tried_from_the_place_of_the_services(
    monkeypatch: pytest.MonkeyPatch, deployment: str, ca_file: str | None, vantage: str
) -> None:
    monkeypatch.setitem(INSTANCE, "deployment", deployment)
    monkeypatch.setitem(RELAY, "ca_file", ca_file)
    given = linked("smtp_relay_info", "preflight", {})
    assert given and given["vantage"] == vantage


def test_the_services_that_were_found_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        INSTANCE, "services", [{"name": "w.service", "role": "web", "stale": False, "state": "running"}]
    )
    monkeypatch.setitem(INSTANCE, "mark", "as it was")
    given = linked("mailer_check", "rollout", {"secrets": SECRETS}, edit=EDIT)
    assert given and given["handed"] == {
        "services": ["w.service"],
        "mark": "as it was",
        "ticket": "t",
        "repairing": True,
    }


def test_the_plan_is_for_the_instance_that_was_found() -> None:
    given = linked("smtp_settings", "preflight", {"host": "smtp.b.test"})
    assert given == {
        "host": "smtp.b.test",
        "mastodon_release": "4.5.3",
        "local_domain": "b.test",
        "readers": ["ruby", "node"],
        "current": ["SMTP_SERVER"],
        "variables": ["mastodon_smtp_x"],
        "senders": [],
        "env_file": "/live/.env.production",
        "digest_key": None,
    }
    sender = {"service": "mastodon-sidekiq.service", "role": "sidekiq", "elsewhere": []}
    seen = {"instance": {**INSTANCE, "senders": [sender]}, "digest_key": "k"}
    given = linked("smtp_settings", "preflight", instance=seen)
    assert given and (given["senders"], given["digest_key"]) == ([sender], "k")


@pytest.mark.parametrize(
    ("step", "without"),
    [
        ("smtp_settings", ("instance",)),
        ("smtp_relay_info", ("settings",)),
        ("sender_dns_info", ("settings",)),
        ("env_file", ("settings",)),
        ("mailer_check", ("settings",)),
        ("mail_services", ("instance",)),
    ],
)
def test_what_only_looks_leaves_itself_out_where_there_is_nothing_to_look_at(step: str, without: tuple[str]) -> None:
    assert linked(step, "check", {"secrets": {}}, without=without) is None
    assert linked(step, "check", {"secrets": {}}, failed=without) is None


@pytest.mark.parametrize("step", ["env_file", "mailer_check", "mail_services", "queued_mail_check"])
def test_what_changes_something_says_that_the_preflight_is_missing(step: str) -> None:
    with pytest.raises(AnsibleActionFail, match="The preflight of this host did not run"):
        linked(step, "rollout", without=("instance", "settings"))


def test_nothing_is_looked_at_by_variables_that_are_wrong() -> None:
    assert linked("instance_info", "preflight", failed=("variables",)) is None
    given = linked("instance_info", "preflight", {"app_dir": "/live"})
    assert given and given.pop("handed")["digest_key"] and given == {"app_dir": "/live"}


@pytest.mark.parametrize(
    ("codes", "looks"),
    [(["setting-unknown", "accept-unknown"], True), (["setting-unknown", "setting-type"], False)],
)
def test_names_that_are_misspelt_keep_nothing_from_being_looked_at(codes: list[str], looks: bool) -> None:
    module = importlib.import_module("ansible_collections.fediops.mastodon.plugins.action.instance_info")
    task = SimpleNamespace(args={"chain": "preflight"}, async_val=0, check_mode=False, action="instance_info")
    action = module.ActionModule(task, *(None,) * 5)
    action.take_options()
    action.known = Known({"variables": Entry("x", "failed", ("No.",), {"findings": [{"code": one} for one in codes]})})
    assert (action.linked({}, {}) is not None) is looks


@pytest.mark.parametrize(
    ("effective", "subjects"),
    [
        ({"main": {"settings": {"address": "Email-SMTP.amazonaws.com."}}, "bulk": None}, ["SMTP_SERVER"]),
        (
            {
                "main": {"settings": {"address": "smtp.relay.example"}},
                "bulk": {"settings": {"address": "smtp.mail.awsapps.com"}},
            },
            ["BULK_SMTP_SERVER"],
        ),
        ({"main": {"settings": {"address": "email-smtp.eu-west-1.amazonaws.com"}}}, []),
        ({"main": {"settings": {"address": ["email-smtp.amazonaws.com"]}}, "bulk": 1}, []),
        ({"main": []}, []),
        (None, []),
        ("main", []),
    ],
)
def test_a_host_that_does_not_exist_is_told_by_the_first_look(
    monkeypatch: pytest.MonkeyPatch, effective: t.Any, subjects: list[str]
) -> None:
    module = importlib.import_module("ansible_collections.fediops.mastodon.plugins.action.instance_info")
    task = SimpleNamespace(args={}, async_val=0, check_mode=False, action="instance_info")
    action = module.ActionModule(task, *(None,) * 5)
    action.take_options()
    info = {"code": "helo-blank", "severity": "info", "subject": "x", "message": "y", "fix": "z"}
    answer = {"changed": False, "instance": {"effective": effective}, "findings": [info]}
    monkeypatch.setattr(action, "ask", lambda *_args, **_how: {**answer})
    found = action.perform({}, {})["findings"]
    assert [(one["code"], one["severity"], one["subject"]) for one in found[:-1]] == [
        ("host-unknown", "warning", subject) for subject in subjects
    ]
    assert found[-1] == info
    assert all("does not exist" in one["message"] and "region" in one["fix"] for one in found[:-1])


def test_an_instance_that_was_not_found_has_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("ansible_collections.fediops.mastodon.plugins.action.instance_info")
    task = SimpleNamespace(args={}, async_val=0, check_mode=False, action="instance_info")
    action = module.ActionModule(task, *(None,) * 5)
    action.take_options()
    monkeypatch.setattr(action, "ask", lambda *_args, **_how: {"failed": True, "instance": None})
    assert action.perform({}, {}) == {"failed": True, "instance": None}


def test_a_host_where_nothing_is_to_be_restarted_is_not_asked() -> None:
    module = importlib.import_module("ansible_collections.fediops.mastodon.plugins.action.mail_services")
    task = SimpleNamespace(args={"chain": "rollout"}, async_val=0, check_mode=False, action="mail_services")
    service = {"name": "web", "role": "web", "stale": False, "state": "running", "since": "then", "restarts": 0}
    action = module.ActionModule(task, *(None,) * 5)
    action.take_options()
    results = {
        "instance": {"instance": {**INSTANCE, "services": [service]}},
        "edit": {"unproved": [], "changed": False},
    }
    action.known = Known({key: Entry(key, "ok", (), one) for key, one in results.items()})
    options = action.linked({}, {})
    side = {"state": "running", "since": "then", "restarts": 0}
    assert options is not None and action.perform(options, {})["services"] == [
        {"name": "web", "role": "web", "stale": False, "restarted": False, "before": side, "after": side}
    ]


def documented(module: str) -> set[str]:
    """The options of a module and of the fragments that it names."""
    base = "ansible_collections.fediops.mastodon.plugins"
    page = yaml.safe_load(importlib.import_module(f"{base}.modules.{module}").DOCUMENTATION)
    names = set(page.get("options", {}))
    for fragment in page["extends_documentation_fragment"]:
        file, _dot, part = fragment.removeprefix("fediops.mastodon.").partition(".")
        shared = importlib.import_module(f"{base}.doc_fragments.{file}").ModuleDocFragment
        names |= set(yaml.safe_load(getattr(shared, part.upper() or "DOCUMENTATION")).get("options") or {})
    return names


@pytest.mark.parametrize(
    ("step", "part", "options"),
    [
        ("env_file", "rollout", {"secrets": SECRETS}),
        ("env_file", "undo", {"state": "restored"}),
        ("env_file", "rollback", {"state": "restored"}),
        ("mailer_check", "rollout", {"secrets": SECRETS}),
        ("mail_services", "rollout", {}),
        ("queued_mail_check", "rollout", {"enqueue": "a@b.test"}),
        ("smtp_relay_info", "preflight", {}),
        ("smtp_settings", "preflight", {}),
        ("sender_dns_info", "preflight", {}),
    ],
)
def test_a_step_is_given_nothing_that_its_module_does_not_know(step: str, part: str, options: dict[str, t.Any]) -> None:
    given = linked(step, part, options, edit={**EDIT, "checksum_after": "def"}, mailer={"queue": {"way": "form"}})
    adopting = {"variables"} if step == "smtp_settings" else set()
    assert given and set(given) - adopting <= documented(step)


BOX = {"host": "imap.b.test", "login": "A@B.test", "password": "x"}
MAILER = {
    "test_message": [
        {"message_id": "1@b.test", "to": "a@b.test", "accepted": True},
        {"message_id": None, "to": "a@b.test", "accepted": True},
    ]
}


@pytest.mark.parametrize(
    ("boxes", "names"),
    [
        ([BOX], ["test message", "queued mail"]),
        # to none of these people: then the step has to say so
        ([{**BOX, "login": "me", "address": "q@b.test"}], ["test message", "queued mail"]),
        ([{**BOX, "login": "me"}], ["test message", "queued mail"]),
        ([{**BOX, "login": "me", "address": "a@b.test"}], ["test message", "queued mail"]),
        ([], []),
        (None, []),
    ],
)
def test_mails_are_searched_where_the_mailbox_of_their_recipient_is_given(boxes: t.Any, names: list[str]) -> None:
    queue = {"message_id": "2@b.test", "to": "a@b.test", "outcome": "delivered"}
    done = linked("mail_arrival_info", "rollout", {"mailboxes": boxes}, mailer=MAILER, queue=queue)
    assert [one["name"] for one in (done or {}).get("messages", [])] == names
    assert linked("mail_arrival_info", "rollout", {"mailboxes": [BOX]}, mailer={}) is None
    elsewhere = {"message_id": "2@b.test", "to": "other@b.test", "outcome": "delivered"}
    done = linked("mail_arrival_info", "rollout", {"mailboxes": [BOX]}, mailer=MAILER, queue=elsewhere)
    assert [one["name"] for one in (done or {})["messages"]] == ["test message"]


@pytest.mark.parametrize(
    ("part", "retry", "more", "runs"),
    [
        ("rollout", "fresh", {"queue": {}}, True),
        ("rollout", "all", {"queue": {}}, True),
        ("rollout", "none", {"queue": {}}, False),
        ("rollout", "fresh", {"queue": {}, "failed": ("queue",)}, False),
        ("rollout", "fresh", {"queue": {}, "failed": ("mailer",)}, False),
        # nobody got a mail through the queue, though the edit needs one
        ("rollout", "fresh", {}, False),
        ("waiting", "none", {"without": ("edit",)}, True),
        ("waiting", "fresh", {"without": ("edit",)}, True),
    ],
)
def test_waiting_mails_are_retried_only_where_mail_works(
    part: str, retry: str, more: dict[str, t.Any], runs: bool
) -> None:
    given = {"edit": EDIT, "mailer": {}, "services": {"changed": True}, **more}
    done = linked("waiting_mails", part, {"retry": retry}, **given)
    hint = {"provider_hint": "A key.", **({"handed": {"repairing": True}} if part == "rollout" else {})}
    assert done == ({"retry": retry, **FOUND, **hint} if runs else None)


def test_waiting_mails_are_those_of_the_host_with_sidekiq() -> None:
    web = {"instance": {**INSTANCE, "roles": ["web"]}}
    assert linked("waiting_mails", "waiting", {"retry": "fresh"}, instance=web) is None
    missing = linked("waiting_mails", "waiting", {"retry": "fresh"}, instance={}, failed=("instance",))
    assert missing is None


@pytest.mark.parametrize("name", ["waiting_mails", "mail_arrival_info"])
def test_what_goes_wrong_after_the_last_proof_fails_no_host(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.fediops.mastodon.plugins.action.{name}")
    task = SimpleNamespace(args={"chain": "rollout"}, async_val=0, check_mode=False, action=name)
    step = module.ActionModule(task, *(None,) * 5)
    step.take_options()
    done = step._ended("failed", ["It is so."], {"failed": True, "changed": False, "exception": "x"})
    assert (done["failed"], done["msg"], len(done["warnings"])) == (False, "It is so.", 1)
