# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics, as the reference parsers of both formats read them."""

from __future__ import annotations

import re
import typing as t

import prometheus_client.openmetrics.parser
import prometheus_client.parser
import pytest
import report_runs as runs

from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.document import FINISHED, INTERRUPTED, RUNNING
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.files import FILES, due, render
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.openmetrics import HELP, openmetrics

NAMES = ["social.example", "art.example", "books.example"]
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def read(text: str) -> Samples:
    """The samples by name and labels. Both parsers must read the same."""
    new, old = (
        [sample for family in parse(text) for sample in family.samples]
        for parse in (
            prometheus_client.openmetrics.parser.text_string_to_metric_families,
            prometheus_client.parser.text_string_to_metric_families,
        )
    )
    assert [(one.name, one.labels, one.value) for one in new] == [(one.name, one.labels, one.value) for one in old]
    assert not any(one.timestamp for one in new)
    found: Samples = {}
    for one in new:
        labels = tuple(sorted(one.labels.items()))
        assert labels not in found.setdefault(one.name, {}), "a sample twice: node_exporter would drop the whole file"
        found[one.name][labels] = one.value
    return found


def of_host(text: str, metric: str, host: str, **labels: str) -> float | None:
    wanted = tuple(sorted({"host": host, **labels}.items()))
    return read(text).get(f"mastodon_mail_{metric}", {}).get(wanted)


@pytest.mark.parametrize(
    "run",
    [
        runs.fleet(20),
        runs.hostile(),
        runs.rollout(NAMES, unproved=NAMES[:1]),
        runs.drift_check(False),
        runs.drift_check(True),
        runs.rollback(check_mode=True),
        runs.adoption(),
        runs.Run(),
    ],
    ids=["fleet", "hostile", "not-proved", "drift", "in-order", "roll-back", "adoption", "nothing"],
)
def test_the_metrics_of_every_run_are_read_by_both_parsers(run: runs.Run) -> None:
    made = run.document()
    found = read(openmetrics(made))
    assert {name.removeprefix("mastodon_mail_") for name in found} <= set(HELP)
    assert len(found.get("mastodon_mail_ok", {})) == len(made["hosts"])


def test_every_metric_has_help_a_type_and_a_name_by_the_conventions() -> None:
    run = runs.rollout(NAMES)
    run.step(run.task("Look for the mails", "mail_arrival_info", "rollout"), NAMES, ("ok", runs.ARRIVAL))
    text = openmetrics(run.document())
    for name in HELP:
        lines = [line for line in text.splitlines() if re.match(rf"(# \w+ )?mastodon_mail_{name}\b", line)]
        assert lines[0].startswith("# HELP") and lines[1] == f"# TYPE mastodon_mail_{name} gauge" and len(lines) > 2
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name) and not name.endswith(("_total", "_ms", "_minutes"))
    assert text.endswith("\n# EOF\n")


def test_what_the_metrics_of_a_good_host_say() -> None:
    text = openmetrics(runs.rollout(["a.example"]).document())
    assert of_host(text, "ok", "a.example") == 1
    assert of_host(text, "host_info", "a.example", state="changed", release="4.5.3", deployment="systemd") == 1
    assert of_host(text, "findings", "a.example", severity="error") == 0
    until = of_host(
        text,
        "relay_certificate_expiry_timestamp_seconds",
        "a.example",
        relay="main",
        endpoint="smtp.eu.mailgun.org:587",
    )
    assert until == 1801440000  # 2027-02-01T00:00:00Z
    assert of_host(text, "queue_seconds", "a.example") == 1.4
    assert (of_host(text, "step_seconds", "a.example", step="rails") or 0) > 1
    checked = of_host(text, "checked_timestamp_seconds", "a.example") or 0
    ended = read(text)["mastodon_mail_run_timestamp_seconds"][()]
    assert runs.BEGAN < checked <= ended + 1


def test_what_the_metrics_of_bad_hosts_say() -> None:
    text = openmetrics(runs.rollout(NAMES, refused=NAMES[:1], unreachable=NAMES[1:2]).document())
    assert of_host(text, "ok", NAMES[0]) == 0
    assert (of_host(text, "findings", NAMES[0], severity="error") or 0) == 1
    assert of_host(text, "ok", NAMES[1]) == 0
    assert of_host(text, "host_info", NAMES[1], state="unreachable", release="", deployment="") == 1
    assert of_host(text, "queue_seconds", NAMES[1]) is None


def test_a_drift_check_counts_what_its_verdict_found() -> None:
    text = openmetrics(runs.drift_check(False).document())
    assert of_host(text, "ok", "a.example") == 0 and of_host(text, "findings", "a.example", severity="error") == 1


def test_a_time_that_is_none_is_left_out() -> None:
    made = runs.rollout(["a.example"]).document()
    made["hosts"][0]["relays"]["main"]["tls_details"]["not_after"] = "soon"
    assert "mastodon_mail_relay_certificate" not in openmetrics(made)


def test_two_hosts_whose_names_are_masked_alike_do_not_void_the_file() -> None:
    made = runs.rollout(["a.example", "b.example"], refused=["b.example"]).document()
    for host in made["hosts"]:
        host["name"] = "(hidden)"
    # the worst is listed first, and counts
    assert of_host(openmetrics(made), "ok", "(hidden)") == 0


@pytest.mark.parametrize("state", [RUNNING, INTERRUPTED])
def test_only_a_run_that_has_finished_writes_metrics(state: str) -> None:
    assert due(FILES, FINISHED) == list(FILES)
    assert due(FILES, state) == [one for one in FILES if one != "openmetrics"]


def test_the_file_has_the_ending_that_node_exporter_reads() -> None:
    made: dict[str, t.Any] = runs.rollout(NAMES).document()
    assert list(render(made, ["openmetrics"])) == ["rollout.prom"]


def test_mails_in_sidekiq_are_counted_by_place_where_they_were_counted() -> None:
    group = {"place": "retry", "mailer": "UserMailer", "method": "welcome", "count": 2}
    run = runs.Run(*NAMES[:2])
    counted = {"complete": True, "error": "", "groups": [group, {**group, "method": "warning", "count": 3}]}
    task = run.task("Ask Rails", "mailer_check")
    run.step(task, NAMES[:1], ("ok", {**runs.rails(NAMES[0]), "waiting": counted}))
    run.step(task, NAMES[1:2], ("ok", {**runs.rails(NAMES[1]), "waiting": None}))
    text = openmetrics(run.document())
    told = {place: of_host(text, "sidekiq_mails", NAMES[0], place=place) for place in ("queue", "retry", "dead")}
    assert told == {"queue": 0, "retry": 5, "dead": 0}
    assert of_host(text, "sidekiq_mails", NAMES[1], place="retry") is None


def test_of_two_mails_to_one_mailbox_the_later_one_counts() -> None:
    first = {**runs.ARRIVAL["arrivals"][0], "seconds": 1.0}
    two = {**runs.ARRIVAL, "arrivals": [first, {**first, "seconds": 900.0}]}
    run = runs.rollout(["a.example"])
    run.step(run.task("Look for the mails", "mail_arrival_info", "rollout"), ["a.example"], ("ok", two))
    text = openmetrics(run.document())
    assert list(read(text)["mastodon_mail_arrival_seconds"].values()) == [900.0]
