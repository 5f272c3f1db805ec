# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A driver whose services follow a script in a time that passes only when somebody sleeps.

The real thing, with real crash loops, is in the tests on the lab.
"""

from __future__ import annotations

import dataclasses
import types

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.instance import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.last_words import secret_values, telling
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Instance, Life, LogLine, Service
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.renewal import not_served, plan, predict, renew
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.watch import crashed, is_replaced

SECRET = "correct-horse-battery"


def running(name, role, *, pid=10, started=1000.0, **more):
    return Service(name, role, "running", "active (running)", started=started, pid=pid, **more)


def web(**more):
    return running("web.service", "web", **{"pid": 10, **more})


def sidekiq(**more):
    return running("sidekiq.service", "sidekiq", **{"pid": 20, **more})


def streaming(**more):
    return running("streaming.service", "streaming", **{"pid": 30, "stale": True, **more})


def in_state(service, state, **more):
    return dataclasses.replace(service, state=state, detail=state, pid=0, started=None, stale=False, **more)


class Scripted:
    """Services before a restart, and for each what it is at so many seconds after it."""

    def __init__(self, *services, script=None, boot=3.0, log=(), refuse=None, unready=(), already=False):
        self.now = 0.0
        self.restarted_at = None
        self.asked = []
        self._services = {one.name: one for one in services}
        self._script = script or {}
        self._boot = boot
        self._log = list(log)
        self._refuse = refuse
        self._unready = set(unready)
        self._already = already  # the script has begun before anybody restarts
        variables = types.MappingProxyType({"DB_PASS": "sidekiq", "SMTP_PASSWORD": SECRET, "SMTP_SERVER": "relay"})
        self.instance = Instance("systemd", "/live", "mastodon", "/live/.env", "0", "4.3.8", "x", variables=variables)

    # The clock

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds

    # The driver

    def services(self):
        return [self._at(one) for one in self._services.values()]

    def _at(self, service):
        if self.restarted_at is None and not self._already:
            return service
        if service.name not in self._script and not any(service.name in names for names in self.asked):
            return service
        since = self.now - (self.restarted_at or 0.0)
        for until, state in self._script.get(service.name, ()):
            if since < until:
                return state
        return dataclasses.replace(
            service,
            state="running",
            detail="active (running)",
            pid=service.pid + 100,
            started=2000.0,
            restarts=0,
            stale=False,
        )

    def restart(self, services):
        if self._refuse:
            raise FindingError(self._refuse)
        self.asked.append([one.name for one in services])
        self.restarted_at = self.now

    def ready(self, service):
        if service.name in self._unready:
            return False
        return self.restarted_at is None or self.now - self.restarted_at >= self._boot

    def log_cursor(self, _unused):
        return "cursor"

    def log_since(self, services, cursor):
        assert cursor == "cursor" and len(services) == 1
        return self._log


def do(driver, goal="current", steady=10, timeout=60):
    return renew(driver, goal, steady=steady, timeout=timeout, clock=driver)


def codes(outcome):
    return [one.code for one in outcome.findings]


def restarted(outcome):
    return [one.before.name for one in outcome.renewals if one.restarted]


# Which ones


@pytest.mark.parametrize(
    ("service", "current", "always", "edited"),
    [
        (sidekiq(stale=True), True, True, True),
        (sidekiq(), False, True, True),
        (sidekiq(stale=True, wanted=False), True, True, True),  # runs, whether enabled or not
        (in_state(sidekiq(), "failed"), True, True, True),
        (in_state(sidekiq(), "failed", wanted=False), True, True, True),  # crashed: nobody stopped it
        (in_state(sidekiq(), "changing"), True, True, True),
        (in_state(sidekiq(), "stopped"), False, True, False),
        (in_state(sidekiq(), "stopped", wanted=False), False, False, False),
        (in_state(sidekiq(), "stopped", masked=True), False, False, False),
        (in_state(sidekiq(), "failed", masked=True), False, False, False),
        (streaming(), False, False, False),
        (in_state(streaming(), "failed"), False, False, False),
    ],
)
def test_which_services_are_restarted(service, current, always, edited):
    other = sidekiq(pid=99)
    other = dataclasses.replace(other, name="other.service")
    for goal, expected in (("current", current), ("restarted", always), ("edited", edited)):
        chosen, _unused = plan([service, other], goal)
        assert (service in chosen) is expected, goal


@pytest.mark.parametrize(
    ("services", "found"),
    [
        ([web(), sidekiq()], []),
        ([web(), in_state(sidekiq(), "stopped")], ["service-stopped", "mail-not-served"]),
        ([in_state(web(), "stopped"), sidekiq()], ["service-stopped"]),
        ([web(), in_state(sidekiq(), "stopped", wanted=False)], []),  # a host for web only: told when it was found
        ([web(), in_state(sidekiq(), "stopped", masked=True)], []),
        ([sidekiq()], []),
        ([in_state(web(), "stopped", wanted=False), in_state(sidekiq(), "stopped", wanted=False)], ["mail-not-served"]),
        ([web(), in_state(sidekiq(), "failed")], []),  # will be started
        ([web(stale=True, masked=True), sidekiq()], ["service-masked"]),
        ([web(masked=True), sidekiq()], []),
        ([web()], []),
        ([], ["mail-not-served"]),
    ],
)
def test_what_is_said_about_those_that_are_not(services, found):
    assert [one.code for one in plan(services, "current")[1]] == found


# The straight way


def test_only_stale_ones_are_restarted_and_never_streaming():
    driver = Scripted(web(stale=True), sidekiq(), streaming())
    outcome = do(driver)
    assert driver.asked == [["web.service"]]
    assert restarted(outcome) == ["web.service"] and outcome.changed and codes(outcome) == []
    assert outcome.renewals[0].after.pid == 110 and outcome.renewals[2].after.pid == 30


def test_web_alone_is_restarted_without_a_sidekiq():
    driver = Scripted(web(stale=True), streaming())
    assert restarted(do(driver)) == ["web.service"] and driver.asked == [["web.service"]]


def test_all_at_once_and_waited_for_until_ready_and_steady():
    driver = Scripted(web(stale=True), sidekiq(stale=True), boot=20)
    outcome = do(driver, steady=10)
    assert driver.asked == [["web.service", "sidekiq.service"]]
    assert 20 <= outcome.waited <= 21 and 30 <= driver.now <= 32


def test_nothing_to_do_takes_no_time():
    driver = Scripted(web(), sidekiq(), streaming())
    outcome = do(driver)
    assert (driver.asked, driver.now, outcome.changed, codes(outcome)) == ([], 0.0, False, [])
    assert [one.before == one.after for one in outcome.renewals] == [True, True, True]


def test_check_mode_says_the_same_and_touches_nothing():
    driver = Scripted(web(stale=True), sidekiq())
    outcome = predict(driver, "current")
    assert restarted(outcome) == ["web.service"] and driver.asked == []
    assert predict(driver, "restarted").changed
    assert not predict(Scripted(web(), sidekiq()), "current").changed


def test_an_error_in_the_plan_restarts_nothing():
    driver = Scripted(web(stale=True), in_state(sidekiq(), "stopped"))
    outcome = do(driver)
    assert driver.asked == [] and not outcome.changed
    assert codes(outcome) == ["service-stopped", "mail-not-served"]


@pytest.mark.parametrize(
    ("services", "told"),
    [
        ([web(), in_state(sidekiq(), "stopped")], True),
        ([in_state(web(), "stopped", wanted=False), in_state(sidekiq(), "stopped", wanted=False)], True),
        ([in_state(web(), "stopped"), sidekiq()], False),
        ([web(), in_state(sidekiq(), "failed")], False),  # the rollout starts it
        ([web(), in_state(sidekiq(), "changing")], False),
        ([web(), in_state(sidekiq(), "stopped", wanted=False)], False),  # a host for web only
    ],
)
def test_whether_a_rollout_could_prove_its_edit_is_known_before(services, told):
    found = not_served(services)
    assert (found is not None) is told
    assert found is None or (found.code, found.severity) == ("mail-not-served", "warning")


def test_what_the_operator_accepts_keeps_nothing_from_its_restart():
    driver = Scripted(web(stale=True), in_state(sidekiq(), "stopped"))
    codes_accepted = ("mail-not-served", "service-stopped")
    outcome = renew(driver, "current", steady=1, timeout=60, accepted=codes_accepted, clock=driver)
    assert restarted(outcome) == ["web.service"] and outcome.renewals[1].after.state == "stopped"
    assert [(one.code, one.severity) for one in outcome.findings] == [(one, "info") for one in reversed(codes_accepted)]
    predicted = predict(Scripted(web(), in_state(sidekiq(), "stopped")), "edited", codes_accepted)
    assert restarted(predicted) == ["web.service"] and {one.severity for one in predicted.findings} == {"info"}


def test_a_crashed_service_is_started():
    driver = Scripted(web(), in_state(sidekiq(), "failed"))
    assert restarted(do(driver)) == ["sidekiq.service"]


def test_a_restart_in_doubt_of_the_clock_says_so():
    ahead = TABLE.finding("file-time-ahead", "/live/.env", "Its time is 2 hours ahead.")
    other = TABLE.finding("env-file-empty", "/live/.env", "It is empty.")
    for stale, found in ((True, ["file-time-ahead"]), (False, [])):
        driver = Scripted(web(stale=stale), sidekiq())
        driver.instance = dataclasses.replace(driver.instance, findings=(ahead, other))
        assert codes(predict(driver, "restarted")) == found and codes(do(driver, "restarted")) == found


# It goes wrong


def test_the_old_process_does_not_count_as_ready():
    old = web(stale=True)
    outcome = do(Scripted(old, sidekiq(), script={"web.service": [(999, old)]}, boot=0), timeout=30)
    assert codes(outcome) == ["service-not-ready"] and "30 s" in outcome.findings[0].message


def test_a_service_that_gives_up_ends_the_wait_at_once():
    dead = in_state(web(), "failed")
    script = {"web.service": [(2, in_state(web(), "changing")), (999, dead)]}
    driver = Scripted(web(stale=True), sidekiq(stale=True), script=script)
    outcome = do(driver, timeout=600)
    assert codes(outcome) == ["service-failed"] and driver.now < 10
    assert restarted(outcome) == ["web.service", "sidekiq.service"]
    assert outcome.renewals[0].after == dead


def test_a_service_that_ends_by_itself_without_failing():
    driver = Scripted(web(stale=True), sidekiq(), script={"web.service": [(999, in_state(web(), "stopped"))]})
    assert codes(do(driver)) == ["service-failed"]


@pytest.mark.parametrize("counted_before", [0, 57], ids=["counter reset", "counter goes on"])
def test_a_crash_loop_is_told_by_its_second_return(counted_before):
    loop = [(5 * n, web(pid=10 + n, started=2000.0 + n, restarts=counted_before + n - 1)) for n in range(1, 100)]
    driver = Scripted(web(stale=True, restarts=57), sidekiq(), script={"web.service": loop}, boot=999)
    outcome = do(driver, timeout=600)
    assert codes(outcome) == ["service-crash-loop"] and "2 times" in outcome.findings[0].message
    assert driver.now < 20


def test_one_return_during_the_boot_is_forgiven():
    script = {"web.service": [(2, web(pid=11, started=2000.0)), (4, in_state(web(), "changing", restarts=1)),
                              (999, web(pid=12, started=2004.0, restarts=1))]}  # fmt: skip
    assert codes(do(Scripted(web(stale=True), sidekiq(), script=script, boot=5))) == []


def test_up_and_ready_but_not_for_long():
    script = {"web.service": [(8, web(pid=11, started=2000.0)), (999, web(pid=12, started=2008.0, restarts=1))]}
    driver = Scripted(web(stale=True), sidekiq(), script=script, boot=3)
    outcome = do(driver, steady=10)
    assert codes(outcome) == ["service-crash-loop"] and driver.now < 10
    assert codes(do(Scripted(web(stale=True), sidekiq(), script=script, boot=3), steady=2)) == []


# Somebody else restarts it meanwhile


def old_and_new(*script, **more):
    return Scripted(web(stale=True), sidekiq(), script={"web.service": list(script)}, **more)


def up(pid, **more):
    return web(pid=pid, started=2000.0 + pid, **more)


def test_one_restart_by_somebody_else_is_no_crash_loop_and_is_told():
    driver = old_and_new((8, up(11)), (9, in_state(web(), "changing")), (999, up(12)))
    outcome = do(driver, steady=10)
    assert [(one.code, one.severity) for one in outcome.findings] == [("service-restarted-elsewhere", "info")]
    assert "once" in outcome.findings[0].message and outcome.findings[0].subject == "web.service"
    assert outcome.waited < 4  # what the first start took
    assert driver.now >= 9 + 10  # and the whole time from the last start


def test_a_restart_that_sets_the_counter_back_is_none_by_systemd():
    driver = old_and_new((6, up(11, restarts=1)), (999, up(12, restarts=0)))
    assert codes(do(driver, steady=10)) == ["service-restarted-elsewhere"]


def test_stopped_and_started_again_by_somebody_else():
    driver = old_and_new((8, up(11)), (20, in_state(web(), "stopped")), (999, up(12)))
    assert codes(do(driver, steady=10)) == ["service-restarted-elsewhere"]


def test_a_restart_by_somebody_else_while_it_boots():
    """docker restart: the container has ended for a moment."""
    driver = old_and_new((2, up(11)), (4, in_state(web(), "stopped")), (999, up(12)), boot=6)
    assert codes(do(driver)) == []


def test_one_that_ends_while_it_boots_and_stays_so_is_told_soon():
    driver = old_and_new((2, up(11)), (999, in_state(web(), "stopped")), boot=6)
    assert codes(do(driver, timeout=600)) == ["service-failed"] and driver.now < 15


def test_stopped_for_good_by_somebody_else():
    driver = old_and_new((8, up(11)), (999, in_state(web(), "stopped")))
    outcome = do(driver, steady=10, timeout=30)
    assert codes(outcome) == ["service-not-ready", "service-restarted-elsewhere"] and driver.now < 50


@pytest.mark.parametrize("seen", [True, False], ids=["on its way", "at once"])
def test_a_crash_is_none_by_somebody_else(seen):
    gone = [(9, in_state(web(), "changing")), (10, in_state(web(), "changing", failing=True))] if seen else []
    driver = old_and_new((8, up(11)), *gone, (999, up(12, restarts=1)))
    assert codes(do(driver, steady=10)) == ["service-crash-loop"]


def test_a_service_that_is_ending_when_the_time_is_up_is_waited_for():
    """It crashed at the very end: only when it has ended can that be seen."""
    driver = old_and_new((12, up(11)), (15, in_state(web(), "changing")), (999, up(12, restarts=1)))
    assert codes(do(driver, steady=10)) == ["service-crash-loop"]


def test_something_that_restarts_it_again_and_again_is_an_error_in_bounded_time():
    driver = old_and_new(*((8 * n, up(10 + n)) for n in range(1, 1000)))
    outcome = do(driver, steady=10, timeout=30)
    assert codes(outcome) == ["service-not-ready"] and driver.now < 4 * 40
    assert "4 times" in outcome.findings[0].message


def test_a_crash_after_a_restart_by_somebody_else_is_still_seen():
    driver = old_and_new((8, up(11)), (14, up(12)), (999, up(13, restarts=1)))
    assert codes(do(driver, steady=10)) == ["service-crash-loop", "service-restarted-elsewhere"]


def containers(*lives, **more):
    return web(starts=tuple(Life(*life) for life in lives), **more)


def test_containers_that_somebody_makes_anew_or_restarts_have_not_crashed():
    """RestartCount counts what the Engine brought back; a new container has its own."""
    first = containers(("a", "11 1.0", 2), ("b", "12 1.0", 0), pid=11)
    anew = containers(("c", "21 5.0", 0), ("b", "12 1.0", 0), pid=12)
    by_hand = containers(("a", "22 5.0", 0), ("b", "12 1.0", 0), pid=12)
    by_engine = containers(("a", "11 1.0", 2), ("b", "23 5.0", 1), pid=11)
    assert not crashed(first, anew) and not crashed(first, by_hand) and crashed(first, by_engine)
    assert crashed(first, containers(("c", "21 5.0", 1), ("b", "12 1.0", 0)))  # a new one that ended by itself
    for other in (anew, by_hand):
        driver = Scripted(web(stale=True), sidekiq(), script={"web.service": [(8, first), (999, other)]})
        assert codes(do(driver, steady=10)) == ["service-restarted-elsewhere"]


def test_all_are_new_only_when_none_is_left_whatever_their_clocks_say():
    """The clock was put back after the first ones were made, so the new one seems to be the oldest."""
    before = containers(("a", "11 9000.0"), ("b", "12 9000.0"), pid=11, started=9000.0)
    half = containers(("c", "21 5000.0"), ("b", "12 9000.0"), pid=21, started=5000.0)
    whole = containers(("c", "21 5000.0"), ("d", "22 5000.0"), pid=21, started=5000.0)
    assert not is_replaced(before, half) and is_replaced(before, whole)


def test_too_slow_names_every_late_one():
    driver = Scripted(web(stale=True), sidekiq(stale=True), boot=600)
    outcome = do(driver, timeout=30)
    assert codes(outcome) == ["service-not-ready"] * 2
    assert "mastodon_smtp_service_timeout" in outcome.findings[0].fix
    assert 30 <= driver.now <= 31 and outcome.changed


def test_a_loop_that_needs_no_restart_is_seen_too():
    """It started after the last change and looks active just now: only its readiness tells."""
    loop = [(3 * n, web(pid=10 + n, started=2000.0 + n, restarts=4 + n)) for n in range(100)]
    driver = Scripted(web(restarts=4), sidekiq(), script={"web.service": loop}, unready=["web.service"], already=True)
    outcome = do(driver)
    assert driver.asked == [] and not outcome.changed
    assert codes(outcome) == ["service-crash-loop"]


def test_a_service_that_is_still_booting_is_waited_for():
    driver = Scripted(web(), sidekiq(), boot=5)
    driver.restarted_at = 0.0  # somebody else has just restarted them
    outcome = do(driver, steady=3)
    assert not outcome.changed and codes(outcome) == [] and 8 <= driver.now <= 9


def test_a_refused_restart_keeps_the_evidence():
    refusal = TABLE.finding("restart-refused", "systemctl restart", "It said: no")
    outcome = do(Scripted(web(stale=True), sidekiq(), refuse=refusal))
    assert codes(outcome) == ["restart-refused"] and not outcome.changed and len(outcome.renewals) == 2


def test_what_may_not_be_looked_into_is_a_doubt_not_a_failure():
    driver = Scripted(web(stale=True), sidekiq())
    driver.ready = lambda _unused: None
    outcome = do(driver)
    assert codes(outcome) == ["readiness-unknown"] and outcome.findings[0].severity == "unknown"


def test_an_unreadable_log_does_not_stop_the_restart():
    driver = Scripted(web(stale=True), sidekiq())

    def unreadable(_unused):
        raise FindingError(TABLE.finding("log-unreadable", "journalctl", "It said: no"))

    driver.log_cursor = unreadable
    outcome = do(driver)
    assert restarted(outcome) == ["web.service"] and codes(outcome) == ["log-unreadable"]


# The log as evidence


def line(text, pid=500):
    return LogLine(0.0, "web.service", pid, text)


def test_the_log_in_a_finding_has_no_secret_and_no_address():
    log = [
        line(f"535 refused {SECRET} for someone@example.org"),
        line("OTP_SECRET=abcdef and redis://:hunter2@localhost/0"),
        line("see web.service"),
    ]
    script = {"web.service": [(999, in_state(web(), "failed"))]}
    outcome = do(Scripted(web(stale=True), sidekiq(), script=script, log=log))
    message = outcome.findings[0].message
    assert "535 refused" in message and "see web.service" in message
    for hidden in (SECRET, "someone@example.org", "abcdef", "hunter2"):
        assert hidden not in message


def test_a_secret_that_is_part_of_a_services_name_does_not_eat_the_text():
    """DB_PASS is "sidekiq" in this instance."""
    script = {"web.service": [(999, in_state(web(), "failed"))]}
    driver = Scripted(web(stale=True), sidekiq(stale=True), script=script, log=[line("sidekiq cannot start")])
    assert "sidekiq cannot start" in do(driver).findings[0].message


#: What real crashes wrote, shortened: Sidekiq 6.4 and 7.3, Puma 6.6.
CRASHES = [
    (
        [
            "2026-11-23T09:43:09.490Z pid=667 tid=1rz WARN: KeyError: key not found: \"SECRET_KEY_BASE\"",
            "2026-11-23T09:43:09.490Z pid=667 tid=1rz WARN: /home/mastodon/live/config/application.rb:40:in `fetch'",
            "/home/mastodon/live/config/environment.rb:3:in `<top (required)>'",
            "2026-11-23T09:43:11.769Z pid=688 tid=1qs WARN: KeyError: key not found: \"SECRET_KEY_BASE\"",
        ],
        ["2026-11-23T09:43:11.769Z pid=688 tid=1qs WARN: KeyError: key not found: \"SECRET_KEY_BASE\""],
    ),
    (
        [
            "[689] ! Unable to load application: KeyError: key not found: \"SECRET_KEY_BASE\"",
            "/home/mastodon/live/config/application.rb:40:in `fetch': key not found: \"SECRET_KEY_BASE\" (KeyError)",
            "\tfrom /home/mastodon/live/config/application.rb:24:in `<top (required)>'",
            "\tfrom /usr/lib/ruby/3.3.0/bundled_gems.rb:69:in 'Kernel.require'",
        ],
        [
            "[689] ! Unable to load application: KeyError: key not found: \"SECRET_KEY_BASE\"",
            "/home/mastodon/live/config/application.rb:40:in `fetch': key not found: \"SECRET_KEY_BASE\" (KeyError)",
        ],
    ),
    (["", "   "], []),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "told"), CRASHES, ids=["sidekiq", "puma", "blank"])
def test_the_telling_lines_of_a_crash(texts, told):
    systemds = line("web.service: Main process exited, code=exited, status=1/FAILURE", pid=1)
    assert telling([*map(line, texts), systemds]) == told


def test_systemds_words_count_when_there_are_no_others():
    assert telling([line("Start request repeated too quickly.", pid=1)]) == ["Start request repeated too quickly."]


def test_only_the_last_lines_are_told():
    assert telling([line(f"line {'x' * n}") for n in range(30)]) == [f"line {'x' * n}" for n in range(22, 30)]


def test_which_values_are_secret():
    variables = {"SMTP_PASSWORD": "pass word", "OTP_SECRET": "otp-secret", "SMTP_SERVER": "relay", "DB_PASS": "x"}
    assert secret_values(variables) == ["pass word", "otp-secret"]


def test_a_renewal_as_it_is_returned():
    (first, *_unused) = do(Scripted(web(stale=True), sidekiq())).renewals
    same = {"state": "running", "detail": "active (running)", "restarts": 0, "differs": None}
    assert first.as_dict() == {
        "name": "web.service",
        "role": "web",
        "stale": True,
        "restarted": True,
        "before": {**same, "since": "1970-01-01T00:16:40Z", "pid": 10},
        "after": {**same, "since": "1970-01-01T00:33:20Z", "pid": 110},
    }


def test_a_new_process_with_other_values_than_the_files_is_an_error_at_the_end():
    late = dataclasses.replace(web(pid=110, started=2000.0, stale=True), differs=("SMTP_PORT",))
    outcome = do(Scripted(web(stale=True), sidekiq(), script={"web.service": [(1e9, late)]}))
    assert [(one.code, one.subject) for one in outcome.findings] == [("service-not-current", "web.service")]
    assert "SMTP_PORT" in outcome.findings[0].message
