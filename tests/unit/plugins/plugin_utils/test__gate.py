# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why hosts drop out of a preflight, and when a rollout stops between batches."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.plugin_utils._gate import (
    Verdict,
    after_preflight,
    batch_name,
    before_batch,
    fleet_summary,
    fleet_waiting,
    preflight_standing,
    preflight_verdict,
    rollout_standing,
    unfinished_hosts,
    unsettled_hosts,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._headline import LABELS
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import Known
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry


def seen(hosts: dict[str, t.Any]) -> dict[str, Known]:
    """What the steps of hosts left: each result by its step."""
    return {
        host: Known(
            {
                key: Entry("A task", "unreachable" if one.get("unreachable") else "ok", (), one)
                for key, one in left.items()
            }
        )
        for host, left in hosts.items()
    }


LOOKED: dict[str, t.Any] = {"instance": {"findings": [], "instance": {}}}
HOSTS: dict[str, t.Any] = {
    "good": LOOKED,
    "wrong": {**LOOKED, "settings": {"failed": True, "findings": [{"code": "host-missing"}]}},
    "gone": {"instance": {"unreachable": True, "msg": "no route"}},
    "lost": {**LOOKED, "relay": {"unreachable": True}},
    "other": {"instance": {"failed": True, "findings": [{"code": "no-instance"}], "instance": None}},
    "untold": {},
    "odd": {"instance": {"failed": True}},
}


def test_the_reasons_are_told_apart() -> None:
    assert preflight_verdict(seen(HOSTS), list(HOSTS), ["good"]) == {
        "failed": ["wrong", "untold", "odd"],
        "unreachable": ["gone", "lost"],
        "without_mastodon": ["other"],
    }


def test_a_preflight_that_failed_stops_the_rollout_and_names_no_healthy_host_as_the_cause() -> None:
    """Ansible shows the message for a host that passed."""
    hosts = [*(host for host in HOSTS if host not in ("untold", "odd")), "half"]
    left = seen({**HOSTS, "half": looked("queue")})
    verdict = after_preflight(left, hosts, ["good", "half"], strict=False)
    assert verdict.not_started == ["good", "half"]
    assert verdict.told == [
        "The preflight failed on wrong, so the rollout does not begin (passed: good, half). The reasons are above. "
        "Nothing has been changed on any host. Fix what is wrong, or leave this host out with --limit.",
        f"half: {EARLIER}. {ADVICE}",
    ]
    strict = after_preflight(left, ["good", "gone", "other"], ["good"], strict=True)
    assert strict.told[0].startswith("The preflight failed on gone, other, so") and strict.not_started == ["good"]
    assert "leave these hosts out" in strict.told[0]


def test_absent_hosts_are_named_and_left_out() -> None:
    told, not_started = after_preflight(seen(HOSTS), ["good", "gone", "other"], ["good"], strict=False)
    assert told[:2] == ["Did not answer: gone", "Without Mastodon: other"] and not_started == []
    assert "mastodon_smtp_require_all" in told[2] and len(told) == 3
    assert after_preflight(seen(HOSTS), ["good", "gone"], ["good"], strict=False).told[0] == "Did not answer: gone"
    assert after_preflight(seen(HOSTS), ["good"], ["good"], strict=True) == Verdict([], [])


def test_a_host_without_mastodon_stops_nobody_else() -> None:
    """The run goes on and changes the others, so it cannot say that nothing has been changed on any host."""

    def said(host: str, hosts: list[str], **how: bool) -> str:
        return preflight_standing(seen(HOSTS), host, hosts, ["good"], **{"strict": False, **how})

    alone = "Nothing has been changed on any host."
    assert said("other", ["good", "other", "gone"]) == (
        "Did not answer: gone. Nothing has been changed on this host; the rollout continues without it."
    )
    assert said("other", ["good", "other"], strict=True) == alone
    assert said("other", ["other"]) == alone
    assert said("wrong", ["good", "wrong", "other"]) == alone


def test_the_fleet_is_summed_up_by_how_it_ended() -> None:
    results = {"a": LABELS[0], "b": "In order", "c": "Failed, undone", "d": LABELS[0], "e": "Would change"}
    results["f"] = "Done, not proved"
    ends = {host: {**LOOKED, "result": {"label": label}} for host, label in results.items()}
    cut = {"cut": {**LOOKED, "edit": {"changed": True}}}
    everything = seen({**ends, **cut, "gone": HOSTS["gone"], "other": HOSTS["other"], "later": LOOKED})
    assert fleet_summary(everything, list(everything)) == [
        "Done and proved (2 of 10): a, d.",
        "Done, not proved (1 of 10): f.",
        "In order (1 of 10): b.",
        "Would change (1 of 10): e.",
        "Failed, undone (1 of 10): c.",
        "Lost contact during the change (1 of 10): cut.",
        "Did not answer (1 of 10): gone.",
        "Without Mastodon (1 of 10): other.",
        "Not started (1 of 10): later.",
    ]


def test_a_host_that_passed_is_in_no_list() -> None:
    assert preflight_verdict(seen(HOSTS), ["good"], ["good"]) == {
        "failed": [],
        "unreachable": [],
        "without_mastodon": [],
    }


FLEET = ["a", "b", "c", "d", "e"]


def ended(**outcomes: str) -> dict[str, t.Any]:
    results = {host: {"outcome": outcome, "fails": outcome == "failed"} for host, outcome in outcomes.items()}
    return {host: {"result": results[host]} if host in results else {} for host in FLEET}


@pytest.mark.parametrize(
    ("outcomes", "batch", "tolerated", "stops"),
    [
        ({}, ["a"], 0, []),
        ({"a": "changed"}, ["b", "c"], 0, []),
        ({"a": "failed"}, ["b", "c"], 0, ["a"]),
        ({"a": "in order", "b": "failed", "c": "changed"}, ["d", "e"], 0, ["b"]),
        ({"a": "in order", "b": "failed", "c": "changed"}, ["d", "e"], 33, ["b"]),
        ({"a": "in order", "b": "failed", "c": "changed"}, ["d", "e"], 34, []),
        # one of this batch that was quicker says nothing about whether the batch may begin
        ({"a": "changed", "b": "failed"}, ["b", "c"], 0, []),
        # lost on the way: no result at all
        ({"a": "changed"}, ["c", "d"], 0, ["b"]),
        ({"a": "failed"}, ["b"], 100, []),
    ],
)
def test_when_a_rollout_stops(outcomes: dict[str, str], batch: list[str], tolerated: float, stops: list[str]) -> None:
    assert unfinished_hosts(seen(ended(**outcomes)), FLEET, batch, tolerated) == stops


def test_a_batch_begins_with_its_name_or_not_at_all() -> None:
    sizes = [2, "100%"]
    assert before_batch(seen(ended()), FLEET, ["a", "b"], sizes) == Verdict(["Rollout, canary: a, b"], [])
    outcomes = seen({**ended(a="changed", b="failed"), "d": looked("queue")})
    told, not_started = before_batch(outcomes, FLEET, ["c", "d"], sizes)
    assert told == [
        "The rollout failed on b, so it stops here: c, d and the hosts after have not been started.",
        f"d: {EARLIER}. {ADVICE}",
    ]
    assert not_started == ["c", "d", "e"]
    assert before_batch(outcomes, FLEET, ["c", "d"], sizes, 50).not_started == []


@pytest.mark.parametrize(
    ("outcomes", "batch", "said"),
    [
        ({}, ["a"], "The rollout stops here; not started: b, c, d, e."),
        ({"a": "changed"}, ["b", "c"], "Finished: a. Not started: d, e."),
        ({"a": "failed", "b": "in order"}, ["c", "d", "e"], "Finished: b."),
        ({}, ["a", "b", "c", "d", "e"], ""),
        # c failed, and Ansible has taken it out of the batch
        ({"a": "changed", "c": "failed"}, ["b", "d"], "Finished: a. Not started: e."),
        ({"a": "failed", "b": "failed"}, ["c"], "The rollout stops here; not started: d, e."),
    ],
)
def test_a_failing_host_says_where_the_others_stand(outcomes: dict[str, str], batch: list[str], said: str) -> None:
    assert rollout_standing(seen(ended(**outcomes)), FLEET, batch) == said


@pytest.mark.parametrize(
    ("edit", "half"),
    [
        ({"unreachable": True}, ""),
        (
            {"unproved": ["services"], "ticket": "t"},
            " c: /live/.env.production has an unproved edit from this rollout. {ADVICE}",
        ),
    ],
)
def test_a_host_that_was_lost_in_the_batch_is_neither_done_nor_untouched(edit: dict[str, t.Any], half: str) -> None:
    everything = {**ended(a="changed"), "c": {**looked(), "edit": edit}}
    assert rollout_standing(seen(everything), FLEET, ["b", "d"]) == (
        f"Finished: a. Lost contact during the change: c.{half.format(ADVICE=ADVICE)} Not started: e."
    )


@pytest.mark.parametrize(
    ("sizes", "batch", "name"),
    [
        ([1, "25%", "100%"], ["a"], "Rollout, canary: a"),
        ([1, "25%", "100%"], ["b"], "Rollout, batch 2: b"),
        ([1, "25%", "100%"], ["c", "d", "e"], "Rollout, batch 3: c, d, e"),
        (["40%"], ["a", "b"], "Rollout, canary: a, b"),
        # a host of the batch has dropped out before it began
        (["40%"], ["d"], "Rollout, batch 2: d"),
        (2, ["e"], "Rollout, batch 3: e"),
        ("100%", ["a", "b", "c", "d", "e"], "Rollout: a, b, c, d, e"),
        (0, ["a", "b", "c", "d", "e"], "Rollout: a, b, c, d, e"),
    ],
)
def test_each_batch_has_a_name(sizes: t.Any, batch: list[str], name: str) -> None:
    assert batch_name(FLEET, batch, sizes) == name


def test_of_many_hosts_the_first_are_named() -> None:
    hosts = [f"h{number}" for number in range(200)]
    said = rollout_standing(seen({host: {} for host in hosts}), hosts, hosts[:1])
    assert said == "The rollout stops here; not started: h1, h2, h3, h4, h5, h6, h7, h8 and 191 more."


def looked(*unproved: str, stale: tuple[str, ...] = (), state: str = "running") -> dict[str, t.Any]:
    services = [
        {"name": f"mastodon-{role}.service", "role": role, "stale": role in stale, "state": state}
        for role in ("web", "sidekiq", "streaming")
    ]
    instance = {"env_file": "/live/.env.production", "unproved": list(unproved), "services": services}
    return {"instance": {"findings": [], "instance": instance}}


ADVICE = "Run the rollout again, or undo it with fediops.mastodon.smtp_rollback."
OLDER = "with the old settings"
EARLIER = "/live/.env.production has an unproved edit from an earlier rollout"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (looked(), []),
        (looked("mailer"), [f"a: {EARLIER}. {ADVICE}"]),
        (
            looked("mailer", stale=("web", "sidekiq", "streaming")),
            [f"a: {EARLIER}, and mastodon-web.service and mastodon-sidekiq.service still run {OLDER}. {ADVICE}"],
        ),
        (looked(stale=("sidekiq",)), [f"a: mastodon-sidekiq.service still runs {OLDER}. {ADVICE}"]),
        # the streaming server sends no mail; what does not run runs on nothing
        (looked(stale=("streaming",)), []),
        (looked(stale=("web",), state="stopped"), []),
        # what was seen before the rollout is over where it came to an end
        ({**looked("mailer", stale=("web",)), "result": {"outcome": "changed"}}, []),
        # lost on the way
        (
            {**looked(stale=("web",)), "edit": {"unproved": ["queue"], "ticket": "x"}},
            [f"a: /live/.env.production has an unproved edit from this rollout. {ADVICE}"],
        ),
        ({**looked(), "edit": {"unproved": [], "ticket": None}}, []),
        # in a dry run
        ({**looked(), "edit": {"unproved": ["queue"], "ticket": None}}, []),
        ({"instance": {"unreachable": True}}, []),
        ({"instance": {"failed": True, "instance": None}}, []),
        ({}, []),
    ],
)
def test_what_is_half_done_is_said(variables: dict[str, t.Any], says: list[str]) -> None:
    assert unsettled_hosts(seen({"a": variables, "b": looked("queue")}), ["a"]) == says


def half(
    roles: list[str], outcome: str = "changed", domain: str = "social.example", dry: bool = False
) -> dict[str, t.Any]:
    return {"result": {"outcome": outcome, "roles": roles, "local_domain": domain, "check_mode": dry}}


@pytest.mark.parametrize(
    ("web", "other", "alone"),
    [
        (half(["web"]), half(["sidekiq"]), False),
        (half(["web"]), half(["sidekiq"], "in order"), False),
        (half(["web"]), half(["sidekiq"], "failed"), True),
        (
            half(["web"]),
            half(["sidekiq"], "not proved"),
            True,
        ),
        (half(["web"]), half(["sidekiq"], domain="other.example"), True),
        (half(["web"]), half(["web"]), True),
        (half(["web"]), {}, True),
        (half(["web"], dry=True), {}, False),
        (half(["web", "sidekiq"]), {}, False),
        (half(["sidekiq"]), {}, False),
    ],
)
def test_a_host_without_sidekiq_needs_one_that_has_it(
    web: dict[str, t.Any], other: dict[str, t.Any], alone: bool
) -> None:
    told = unsettled_hosts(seen({"web1": web, "jobs1": other}), ["web1", "jobs1"])
    assert any("web1 runs no Sidekiq" in one for one in told) is alone


def test_the_mails_that_wait_are_added_up() -> None:
    def host(count: int, **retried: int) -> dict[str, t.Any]:
        groups = [{"place": "retry", "count": count, "expired": 1}, {"place": "queue", "count": 9, "expired": 0}]
        return {"waiting": {"waiting": {"groups": groups}, "retried": retried or None}}

    assert fleet_waiting(seen({"a": host(3), "b": host(4), "c": {}}), ["a", "b", "c"]) == [
        "Mails that failed earlier, on 3 hosts: 7, of which 2 have expired.",
        "Not counted: c.",
    ]
    sent = {"chosen": 2, "sent": 1, "failed": 1, "left": 0}
    assert fleet_waiting(seen({"a": host(3, **sent), "b": host(4, **sent)}), ["a", "b"])[1:] == [
        "Retried: 4 chosen, 2 handed to the relay, 2 failed again, 0 left."
    ]
    assert fleet_waiting(seen({"a": host(3)}), ["a"]) == []
