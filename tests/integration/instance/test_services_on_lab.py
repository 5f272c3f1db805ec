# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mail_services on real hosts: real Puma and Sidekiq under systemd 257 and 252, real crash loops."""

from __future__ import annotations

import threading
import time
import typing as t

from conftest import MAIL, STREAMING, Host, codes
from harness import ENV_FILE

QUICK: dict[str, t.Any] = {"steady": 2, "timeout": 120}
SECRET = "hunter2-is-long-enough"


def by_name(result: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {one["name"]: one for one in result["services"]}


def restarted(result: dict[str, t.Any]) -> set[str]:
    return {name for name, one in by_name(result).items() if one["restarted"]}


def mended(service: dict[str, t.Any]) -> bool:
    """On the new file: by us, or by systemd itself, which may have been faster with the next start of a crash loop."""
    return bool(service["after"]["state"] == "running" and (service["restarted"] or not service["stale"]))


def test_only_what_is_stale_is_restarted_once_and_never_streaming(disturbed: Host) -> None:
    before = disturbed.processes()
    disturbed.ssh(f"touch {ENV_FILE}")

    predicted = disturbed.module("mail_services", check_mode=True)
    assert (predicted["failed"], predicted["changed"], restarted(predicted)) == (False, True, set(MAIL))
    assert disturbed.processes() == before

    done = disturbed.module("mail_services", **QUICK)
    assert (done["failed"], done["changed"], restarted(done), done["findings"]) == (False, True, set(MAIL), [])
    assert done["ready_after"] > 0
    now = disturbed.processes()
    assert now[STREAMING] == before[STREAMING] and all(now[name] != before[name] for name in MAIL)
    # Ready is what it says: the form answers, Sidekiq takes jobs.
    answer = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:3000/health').status)"
    assert disturbed.ssh("python3 -", stdin=answer).strip() == "200"
    assert "busy]" in disturbed.ssh("tr '\\0' ' ' < /proc/$(systemctl show -P MainPID mastodon-sidekiq)/cmdline")

    again = disturbed.module("mail_services", **QUICK)
    assert (again["changed"], again["ready_after"], restarted(again)) == (False, 0.0, set())
    assert disturbed.processes() == now


def test_restarted_restarts_all_even_when_nothing_is_stale(disturbed: Host) -> None:
    before = disturbed.processes()
    done = disturbed.module("mail_services", state="restarted", **QUICK)
    assert done["changed"] and restarted(done) == set(MAIL) and not done["failed"]
    assert disturbed.processes()[STREAMING] == before[STREAMING]


def test_only_the_stale_one_of_several(disturbed: Host) -> None:
    disturbed.ssh(f"touch {ENV_FILE}; systemctl restart mastodon-sidekiq")
    before = disturbed.processes()
    done = disturbed.module("mail_services", **QUICK)
    assert restarted(done) == {"mastodon-web.service"}
    assert disturbed.processes()["mastodon-sidekiq.service"] == before["mastodon-sidekiq.service"]


def test_a_crash_loop_is_told_with_its_cause_and_mended_by_the_next_run(disturbed: Host) -> None:
    crash = f"sleep 1; echo cannot boot SMTP_PASSWORD={SECRET} >&2; exit 1"
    disturbed.drop_in("mastodon-sidekiq.service", f'[Service]\nExecStart=\nExecStart=/bin/sh -c "{crash}"\n')
    done = disturbed.module("mail_services", state="restarted", **QUICK)
    assert done["failed"] and done["changed"] and codes(done)[0] == "service-crash-loop"
    assert "mastodon-sidekiq.service" in done["msg"] and "cannot boot" in done["msg"]
    assert SECRET not in str(done)
    assert by_name(done)["mastodon-sidekiq.service"]["after"]["restarts"] >= 2

    # Nothing is stale now, and between two crashes the service looks active: it is noticed all the same.
    again = disturbed.module("mail_services", **QUICK)
    assert again["failed"] and codes(again)[0] in ("service-crash-loop", "service-failed")

    disturbed.ssh("rm -r /run/systemd/system/mastodon-sidekiq.service.d; systemctl daemon-reload; touch " + ENV_FILE)
    back = disturbed.module("mail_services", **QUICK)
    assert not back["failed"] and mended(by_name(back)["mastodon-sidekiq.service"])


def test_a_rails_that_does_not_boot_on_the_new_file_and_the_way_back(disturbed: Host) -> None:
    """Fast crashes use up the starts that systemd allows; the restart after the repair must work all the same."""
    disturbed.ssh(f"cp -p {ENV_FILE} {ENV_FILE}.aside; sed -i '/^SECRET_KEY_BASE=/d' {ENV_FILE}")
    try:
        done = disturbed.module("mail_services", **QUICK)
        assert done["failed"] and set(codes(done)) <= {"service-crash-loop", "service-failed"}
        assert "SECRET_KEY_BASE" in done["msg"]
    finally:
        disturbed.ssh(f"cat {ENV_FILE}.aside > {ENV_FILE}; rm {ENV_FILE}.aside")
    back = disturbed.module("mail_services", **QUICK)
    assert (back["failed"], back["findings"]) == (False, [])
    assert all(mended(one) for name, one in by_name(back).items() if name in MAIL)


def test_one_restart_by_somebody_else_is_no_crash_loop(disturbed: Host) -> None:
    """As unattended-upgrades does it, while the services are watched."""
    before = disturbed.processes()
    meanwhile: list[str] = []

    def somebody_else() -> None:
        up = "python3 -c \"import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/health')\""
        for _unused in range(120):
            replaced = disturbed.processes()["mastodon-web.service"] not in ("", before["mastodon-web.service"])
            if replaced and disturbed.ssh(f"{up} && echo up", check=False).strip() == "up":
                time.sleep(3)
                meanwhile.append(disturbed.ssh("systemctl restart mastodon-web; date"))
                return
            time.sleep(0.5)

    other = threading.Thread(target=somebody_else)
    other.start()
    done = disturbed.module("mail_services", state="restarted", steady=20, timeout=120)
    other.join()
    assert meanwhile and not done["failed"] and restarted(done) == set(MAIL)
    assert codes(done) == ["service-restarted-elsewhere"] and "mastodon-web.service" in str(done["findings"])


def test_a_file_time_in_the_future_is_told_and_restarts_once(disturbed: Host) -> None:
    disturbed.ssh(f"touch -d '+1 hour' {ENV_FILE}")
    try:
        first = disturbed.module("mail_services", **QUICK)
        assert restarted(first) == set(MAIL) and codes(first) == ["file-time-ahead"]
        again = disturbed.module("mail_services", **QUICK)
        assert (again["changed"], restarted(again)) == (False, set())
        found = disturbed.module("instance_info")
        assert "file-time-ahead" in codes(found)
        assert {one["name"] for one in found["instance"]["services"] if one["stale"]} <= {STREAMING}
    finally:
        disturbed.ssh(f"touch {ENV_FILE}")


def test_a_service_that_never_gets_ready_ends_in_time(disturbed: Host) -> None:
    disturbed.drop_in("mastodon-web.service", "[Service]\nExecStart=\nExecStart=/bin/sleep 600\n")
    done = disturbed.module("mail_services", state="restarted", steady=0, timeout=5)
    # The unit says nothing of puma any more: by its name it is still web.
    assert done["failed"] and "service-not-ready" in codes(done)
    assert "mastodon_smtp_service_timeout" in done["msg"]
    assert done["ready_after"] < 60


def test_a_stopped_sidekiq_is_left_stopped_and_fails(disturbed: Host) -> None:
    disturbed.ssh("systemctl stop mastodon-sidekiq")
    for check_mode in (True, False):
        done = disturbed.module("mail_services", check_mode, **QUICK)
        assert done["failed"] and codes(done) == ["mail-not-served", "service-stopped"] and not done["changed"]
    assert disturbed.ssh("systemctl is-active mastodon-sidekiq", check=False).strip() == "inactive"


def test_masked_while_running_on_old_settings(disturbed: Host) -> None:
    before = disturbed.processes()
    unit = "/etc/systemd/system/mastodon-web.service"
    disturbed.ssh(f"touch {ENV_FILE}; mv {unit} {unit}.aside; ln -s /dev/null {unit}; systemctl daemon-reload")
    try:
        done = disturbed.module("mail_services", **QUICK)
        now = disturbed.processes()
    finally:
        disturbed.ssh(f"mv -f {unit}.aside {unit}; systemctl daemon-reload")
    # systemd knows no program of a masked unit: it is the process itself that still tells what it is.
    assert done["failed"] and not done["changed"] and codes(done) == ["service-masked"]
    assert "mastodon-web.service" in done["msg"] and "unmask" in done["msg"]
    assert now == before


def test_a_killed_main_process_that_came_back_is_current(disturbed: Host) -> None:
    disturbed.ssh("systemctl kill -s KILL mastodon-sidekiq; sleep 1")
    done = disturbed.module("mail_services", **QUICK)
    assert not done["failed"] and not done["changed"]
    assert by_name(done)["mastodon-sidekiq.service"]["after"]["state"] == "running"
