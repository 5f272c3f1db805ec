# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.instance import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.condition import (
    about,
    elsewhere,
    failing,
    stopped,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Instance, Service

NOW = 10_000.0


def service(role="web", state="running", **more):
    return Service(f"{role}.service", role, state, **{"detail": state, "started": 1000.0, **more})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (service(), ""),
        (service(restarts=40), ""),  # often, but long ago
        (service(restarts=2, started=NOW - 5), "It keeps crashing: it was restarted 2 times, last 5 s ago."),
        (service(restarts=1, started=NOW - 5), ""),
        (service(restarts=2, started=None), ""),
        (service(restarts=9, started=NOW + 1), "It keeps crashing: it was restarted 9 times, last 0 s ago."),
        (service(state="failed", failing=True), "It is failed."),
        (service(state="failed", failing=True, masked=True), ""),
        (service(state="changing", failing=True, restarts=3), "It is changing, and was restarted 3 times."),
        (service(state="changing"), ""),  # somebody starts it just now
        (service(state="stopped"), ""),  # somebody has stopped it
        (service("sidekiq", failing=True, detail="running (unhealthy)"), "It is running (unhealthy)."),
        (service("streaming", state="failed", failing=True), ""),
    ],
)
def test_which_service_is_failing(given, told):
    assert failing(given, NOW) == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (service(state="stopped", detail="inactive (dead)"), True),
        (service("sidekiq", "stopped", detail="without a container"), True),
        (service(state="stopped", wanted=False), False),  # not meant to run here
        (service(state="stopped", masked=True), False),
        (service("streaming", "stopped"), False),  # sends no mail
        (service(), False),
        (service(state="changing"), False),
    ],
)
def test_a_service_that_is_stopped_is_told_before_anything_is_changed(given, told):
    finding = stopped(given)
    assert bool(finding) is told
    if finding:
        assert (finding.code, finding.severity, finding.subject) == ("service-stopped", "warning", given.name)
        assert finding.message == f"It is {given.detail}, although it is meant to run."
        instance = Instance("systemd", "/live", "m", "/live/.env", "", "4.5.0", "x.example", services=(given,))
        assert finding in about(instance, lambda _unused: [], named=False, now=NOW)


@pytest.mark.parametrize(
    ("services", "codes"),
    [
        ([service(), service("sidekiq")], []),
        ([service(), service("streaming")], ["sidekiq-elsewhere"]),
        ([service("sidekiq")], ["web-elsewhere"]),
        ([service(), service("sidekiq", "stopped", wanted=False)], ["sidekiq-elsewhere"]),
        ([service("web", "stopped", wanted=False), service("sidekiq", "stopped", wanted=False)], []),
        ([], []),
    ],
)
def test_which_half_of_the_mail_is_elsewhere(services, codes):
    found = elsewhere(services, named=False)
    assert [one.code for one in found] == codes
    assert {one.severity for one in found} <= {"info"}
    assert all(one.fix and "(" in one.message and ")" in one.message for one in found)


def test_a_log_that_cannot_be_read_does_not_hide_the_failure():
    def unreadable(_unused):
        raise FindingError(TABLE.finding("log-unreadable", "journalctl", "no"))

    services = (service(), service("sidekiq", "failed", failing=True))
    instance = Instance("systemd", "/live", "m", "/live/.env", "", "4.5.0", "x.example", services=services)
    (finding,) = about(instance, unreadable, named=False, now=NOW)
    assert (finding.code, finding.subject, finding.message) == (
        "service-failing-before",
        "sidekiq.service",
        "It is failed.",
    )
