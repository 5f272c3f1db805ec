# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts with one half of the mail, where web really listens, services that fail, and what a unit's sandbox hides."""

from __future__ import annotations

import typing as t

import pytest
from conftest import Host, codes
from harness import ENV_FILE

WEB, SIDEKIQ = "mastodon-web.service", "mastodon-sidekiq.service"
QUICK: dict[str, t.Any] = {"steady": 2, "timeout": 120}


@pytest.mark.parametrize(
    ("there", "gone", "code"), [(WEB, SIDEKIQ, "sidekiq-elsewhere"), (SIDEKIQ, WEB, "web-elsewhere")]
)
def test_a_host_with_one_half_of_the_mail(disturbed: Host, there: str, gone: str, code: str) -> None:
    disturbed.ssh(f"systemctl disable --now --quiet {gone}")
    try:
        disturbed.ssh(f"touch {ENV_FILE}")
        result = disturbed.module("instance_info")
        done = disturbed.module("mail_services", **QUICK)
        named = disturbed.module("mail_services", services=[there], **QUICK)
    finally:
        disturbed.ssh(f"systemctl enable --now --quiet {gone}")
    assert (result["failed"], codes(result)) == (False, [code])
    assert result["instance"]["roles"] == [there.removeprefix("mastodon-").removesuffix(".service")]
    assert result["instance"]["release"] and gone in result["findings"][0]["message"]
    assert (done["failed"], done["findings"]) == (False, [])
    assert {one["name"]: one["restarted"] for one in done["services"]}[there]
    assert (named["failed"], named["changed"]) == (False, False)


#: Behind a shell, and on a socket in the /tmp that only the unit has.
SOCKET = """PrivateTmp=yes
ExecStart=
ExecStart=/bin/bash -c 'exec $$(command -v /home/mastodon/.rbenv/shims/bundle || echo bundle) exec puma \
 -b unix:///tmp/web.sock -C config/puma.rb'
"""


@pytest.mark.parametrize("unit", ["", "Environment=PORT=3100\n", "Environment=BIND=0.0.0.0 PORT=3100\n", SOCKET])
def test_web_is_asked_where_it_listens(disturbed: Host, unit: str) -> None:
    if unit:
        disturbed.drop_in(WEB, f"[Service]\n{unit}")
        disturbed.ssh(f"systemctl restart {WEB}")
        assert not disturbed.module("mail_services", **QUICK)["failed"]
    kept = disturbed.ssh(f"cat {ENV_FILE}")
    # Puma has made its socket before dotenv reads the file.
    disturbed.ssh(f"printf 'SOCKET=/run/nowhere.sock\\nBIND=192.0.2.1\\nPORT=3999\\n' >> {ENV_FILE}")
    try:
        result = disturbed.module("queued_mail_check", reset="alice@example.com", deadline=5)
    finally:
        disturbed.ssh(f"cat > {ENV_FILE}", stdin=kept)
    assert not {"web-not-reached", "reset-form-missing"} & set(codes(result)), result


def test_a_crash_loop_before_the_run_is_a_warning(disturbed: Host) -> None:
    loop = (
        "[Service]\nExecStart=\nExecStart=/bin/sh -c 'echo no such thing for alice@example.com; exit 1'\nRestartSec=2\n"
    )
    disturbed.drop_in(SIDEKIQ, loop)
    disturbed.ssh(f"systemctl restart {SIDEKIQ}; sleep 6")
    result = disturbed.module("instance_info")
    assert (result["failed"], codes(result)) == (False, ["service-failing-before"])
    (finding,) = result["findings"]
    assert (finding["severity"], finding["subject"]) == ("warning", SIDEKIQ)
    assert "no such thing for [address]" in finding["message"]


def test_a_file_of_authorities_that_the_units_do_not_see(host: Host) -> None:
    relay = {"host": "smtp.relay.test", "port": 587, "tls": "starttls", "auth": "none", "helo_domain": "masto1.test"}
    result = host.module("smtp_relay_info", vantage="instance", ca_file="/tmp/ca.pem", **relay)
    hidden = [one for one in result["findings"] if one["code"] == "ca-file-hidden"]
    private = host.ssh(f"systemctl show -P PrivateTmp {WEB} {SIDEKIQ}").split()
    assert [one["severity"] for one in hidden] == ["error"] * ("yes" in private)
    assert all("PrivateTmp" in one["message"] and SIDEKIQ in one["message"] for one in hidden)
