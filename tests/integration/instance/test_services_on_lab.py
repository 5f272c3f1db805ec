# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mail_services on real hosts: real Puma and Sidekiq under systemd 257 and 252, real crash loops."""

from __future__ import annotations

import typing as t

from conftest import MAIL, STREAMING, Host, codes
from harness import ENV_FILE

QUICK: dict[str, t.Any] = {"steady": 2, "timeout": 120}
SECRET = "hunter2-is-long-enough"


def by_name(result: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {one["name"]: one for one in result["services"]}


def restarted(result: dict[str, t.Any]) -> set[str]:
    return {name for name, one in by_name(result).items() if one["restarted"]}


def test_only_what_is_stale_is_restarted_once_and_never_streaming(host: Host) -> None:
    before = host.processes()
    host.ssh(f"touch {ENV_FILE}")

    predicted = host.module("mail_services", check_mode=True)
    assert (predicted["failed"], predicted["changed"], restarted(predicted)) == (False, True, set(MAIL))
    assert host.processes() == before

    done = host.module("mail_services", **QUICK)
    assert (done["failed"], done["changed"], restarted(done), done["findings"]) == (False, True, set(MAIL), [])
    assert done["ready_after"] > 0
    now = host.processes()
    assert now[STREAMING] == before[STREAMING] and all(now[name] != before[name] for name in MAIL)
    # Ready is what it says: the form answers, Sidekiq takes jobs.
    assert host.ssh("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:3000/health") == "200"
    assert "busy]" in host.ssh("tr '\\0' ' ' < /proc/$(systemctl show -P MainPID mastodon-sidekiq)/cmdline")

    again = host.module("mail_services", **QUICK)
    assert (again["changed"], again["ready_after"], restarted(again)) == (False, 0.0, set())
    assert host.processes() == now


def test_restarted_restarts_all_even_when_nothing_is_stale(host: Host) -> None:
    before = host.processes()
    done = host.module("mail_services", state="restarted", **QUICK)
    assert done["changed"] and restarted(done) == set(MAIL) and not done["failed"]
    assert host.processes()[STREAMING] == before[STREAMING]


def test_only_the_stale_one_of_several(host: Host) -> None:
    host.ssh(f"touch {ENV_FILE}; systemctl restart mastodon-sidekiq")
    before = host.processes()
    done = host.module("mail_services", **QUICK)
    assert restarted(done) == {"mastodon-web.service"}
    assert host.processes()["mastodon-sidekiq.service"] == before["mastodon-sidekiq.service"]


def test_a_crash_loop_is_told_with_its_cause_and_mended_by_the_next_run(host: Host) -> None:
    crash = f"sleep 1; echo cannot boot SMTP_PASSWORD={SECRET} >&2; exit 1"
    host.drop_in("mastodon-sidekiq.service", f'[Service]\nExecStart=\nExecStart=/bin/sh -c "{crash}"\n')
    done = host.module("mail_services", state="restarted", services=["mastodon-web", "mastodon-sidekiq"], **QUICK,
                       app_dir="/home/mastodon/live")  # fmt: skip
    assert done["failed"] and done["changed"] and codes(done)[0] == "service-crash-loop"
    assert "mastodon-sidekiq.service" in done["msg"] and "cannot boot" in done["msg"]
    assert SECRET not in str(done)
    assert by_name(done)["mastodon-sidekiq.service"]["after"]["restarts"] >= 2

    # Nothing is stale now, and between two crashes the service looks active: it is noticed all the same.
    again = host.module("mail_services", services=["mastodon-web", "mastodon-sidekiq"], **QUICK)
    assert again["failed"] and codes(again)[0] in ("service-crash-loop", "service-failed")

    host.ssh("rm -r /run/systemd/system/mastodon-sidekiq.service.d; systemctl daemon-reload; touch " + ENV_FILE)
    mended = host.module("mail_services", **QUICK)
    assert not mended["failed"] and "mastodon-sidekiq.service" in restarted(mended)


def test_a_rails_that_does_not_boot_on_the_new_file_and_the_way_back(host: Host) -> None:
    """Fast crashes use up the starts that systemd allows; the restart after the repair must work all the same."""
    host.ssh(f"cp -p {ENV_FILE} {ENV_FILE}.aside; sed -i '/^SECRET_KEY_BASE=/d' {ENV_FILE}")
    try:
        done = host.module("mail_services", **QUICK)
        assert done["failed"] and set(codes(done)) <= {"service-crash-loop", "service-failed"}
        assert "SECRET_KEY_BASE" in done["msg"]
    finally:
        host.ssh(f"cat {ENV_FILE}.aside > {ENV_FILE}; rm {ENV_FILE}.aside")
    back = host.module("mail_services", **QUICK)
    assert (back["failed"], restarted(back), back["findings"]) == (False, set(MAIL), [])


def test_a_service_that_never_gets_ready_ends_in_time(host: Host) -> None:
    host.drop_in("mastodon-web.service", "[Service]\nExecStart=\nExecStart=/bin/sleep 600\n")
    done = host.module(
        "mail_services", state="restarted", services=["mastodon-web", "mastodon-sidekiq"], steady=0, timeout=5
    )
    # The unit says nothing of puma any more: by its name it is still web.
    assert done["failed"] and "service-not-ready" in codes(done)
    assert "mastodon_smtp_service_timeout" in done["msg"]
    assert done["ready_after"] < 60


def test_a_stopped_sidekiq_is_left_stopped_and_fails(host: Host) -> None:
    host.ssh("systemctl stop mastodon-sidekiq")
    for check_mode in (True, False):
        done = host.module("mail_services", check_mode, **QUICK)
        assert done["failed"] and codes(done) == ["mail-not-served", "service-stopped"] and not done["changed"]
    assert host.ssh("systemctl is-active mastodon-sidekiq", check=False).strip() == "inactive"


def test_masked_while_running_on_old_settings(host: Host) -> None:
    before = host.processes()
    host.ssh(f"touch {ENV_FILE}; systemctl mask --runtime mastodon-web 2>&1; systemctl daemon-reload")
    done = host.module("mail_services", **QUICK)
    # A masked unit shows systemd no program any more; by its name it is still known.
    if "service-masked" in codes(done):
        assert done["failed"] and host.processes() == before
    else:
        assert host.ssh("systemctl show -P LoadState mastodon-web").strip() != "masked"


def test_a_killed_main_process_that_came_back_is_current(host: Host) -> None:
    host.ssh("systemctl kill -s KILL mastodon-sidekiq; sleep 1")
    done = host.module("mail_services", **QUICK)
    assert not done["failed"] and not done["changed"]
    assert by_name(done)["mastodon-sidekiq.service"]["after"]["state"] == "running"
