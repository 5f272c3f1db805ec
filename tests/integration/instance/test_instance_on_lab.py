# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""instance_info on real hosts: systemd 257 with rbenv (masto1), systemd 252 with the system's Ruby (masto2)."""

from __future__ import annotations

import json
import typing as t

from conftest import Host, codes
from harness import BIN, ENV_FILE, INVENTORY, Lab, run

LIVE = "/home/mastodon/live"


def test_all_is_found_and_nothing_is_changed(host: Host) -> None:
    before = host.state()
    result = host.module("instance_info")
    assert not result["failed"], result
    assert (result["changed"], result["findings"]) == (False, [])
    instance = result["instance"]
    assert (instance["app_dir"], instance["user"], instance["env_file"]) == (LIVE, "mastodon", ENV_FILE)
    assert instance["env_file_checksum"] == host.lab.checksum(host.name)
    assert instance["deployment"] == "systemd"
    assert [one.partition("-")[0] for one in instance["readers"]] == ["ruby", "node"]  # the version is the image's
    set_now = host.ssh(f"grep -oE '^(BULK_)?SMTP_[A-Z_]+' {ENV_FILE} | sort -u").split()
    assert instance["mail_variables"] == set_now and set_now
    assert instance["local_domain"] == host.ssh(f"sed -n 's/^LOCAL_DOMAIN=//p' {ENV_FILE}").strip()
    shown = {one["name"]: one for one in instance["services"]}
    assert {name: one["role"] for name, one in shown.items()} == {
        "mastodon-web.service": "web",
        "mastodon-sidekiq.service": "sidekiq",
        "mastodon-streaming@4000.service": "streaming",
    }
    for name, one in shown.items():
        assert (one["state"], one["restarts"]) == ("running", 0)
        assert str(one["pid"]) == host.ssh(f"systemctl show -P MainPID {name}").strip()
        assert (
            one["since"]
            == host.ssh(
                f'date -u +%Y-%m-%dT%H:%M:%SZ -d "$(TZ=UTC systemctl show -P ExecMainStartTimestamp {name})"'
            ).strip()
        )
    assert instance["effective"]["main"]["settings"]["address"]
    assert host.state() == before


#: What Mastodon::Version needs of Rails.
RUBY = """
class Object; def present? = !(nil? || self == ''); def presence = present? ? self : nil; end
class Array; def compact_blank = select(&:present?); end
require '/home/mastodon/live/lib/mastodon/version'
puts Mastodon::Version.to_s
"""


def test_the_release_is_what_ruby_says(host: Host) -> None:
    real = host.ssh("PATH=/home/mastodon/.rbenv/shims:$PATH; cd /home/mastodon/live && ruby -", stdin=RUBY)
    assert host.module("instance_info")["instance"]["release"] == real.split()[-1]


def test_no_secret_of_the_file_is_in_the_result(host: Host) -> None:
    secrets = host.ssh(f"grep -E '^[A-Z_]*(PASS|SECRET|KEY|TOKEN|SALT)[A-Z_]*=' {ENV_FILE} | cut -d= -f2-").split("\n")
    values = [one.strip("'\"") for one in secrets if len(one.strip("'\"")) > 7]
    assert len(values) > 2
    result = json.dumps(host.module("instance_info"))
    assert not [one for one in values if one in result]


def test_a_touched_file_makes_every_service_stale_and_a_restart_ends_that(disturbed: Host) -> None:
    disturbed.ssh(f"touch {ENV_FILE}")
    stale = {one["name"]: one["stale"] for one in disturbed.module("instance_info")["instance"]["services"]}
    assert set(stale.values()) == {True} and len(stale) == 3
    disturbed.ssh("systemctl restart mastodon-sidekiq")
    stale = {one["name"]: one["stale"] for one in disturbed.module("instance_info")["instance"]["services"]}
    assert stale["mastodon-sidekiq.service"] is False and stale["mastodon-web.service"] is True


def test_layers_that_win_are_named_without_values(disturbed: Host) -> None:
    unit = '[Service]\nEnvironment="SMTP_DOMAIN=a b" "X=\\"y\\""\nEnvironmentFile=/run/test.env\n'
    disturbed.drop_in("mastodon-sidekiq.service", unit)
    disturbed.ssh("cat > /run/test.env", stdin="SMTP_PORT=26\n")
    disturbed.ssh(f"cat > {LIVE}/.env.production.local", stdin="SMTP_SERVER=hidden.example\n")
    result = disturbed.module("instance_info")
    assert not result["failed"]
    found = [
        tuple(one[key] for key in ("variable", "layer", "path", "line")) for one in result["instance"]["overrides"]
    ]
    assert sorted(found) == [
        ("SMTP_DOMAIN", "Environment", "/run/systemd/system/mastodon-sidekiq.service.d/50-test.conf", 2),
        ("SMTP_PORT", "EnvironmentFile", "/run/test.env", 1),
        ("SMTP_SERVER", ".env.production.local", f"{LIVE}/.env.production.local", 1),
    ]
    by_service = {
        one["service"]: {each["variable"] for each in one["elsewhere"]} for one in result["instance"]["senders"]
    }
    assert by_service == {
        "mastodon-sidekiq.service": {"SMTP_DOMAIN", "SMTP_PORT", "SMTP_SERVER"},
        "mastodon-web.service": {"SMTP_SERVER"},
    }
    assert set(codes(result)) == {"override-hides-file"}
    # What wins is what Rails uses.
    assert result["instance"]["effective"]["main"]["settings"]["address"] == "hidden.example"


SPOILED: dict[str, tuple[str, str]] = {
    "missing": (f"mv {ENV_FILE} {ENV_FILE}.aside", "env-file-missing"),
    "directory": (f"mv {ENV_FILE} {ENV_FILE}.aside; mkdir {ENV_FILE}", "env-file-not-regular"),
    "dangling": (f"mv {ENV_FILE} {ENV_FILE}.aside; ln -s gone {ENV_FILE}", "env-file-dangling"),
    "pipe": (f"mv {ENV_FILE} {ENV_FILE}.aside; mkfifo {ENV_FILE}", "env-file-not-regular"),
    "bytes": (f"mv {ENV_FILE} {ENV_FILE}.aside; printf 'A=\\351\\n' > {ENV_FILE}", "env-file-not-utf8"),
}


def test_each_fault_of_the_file_has_its_own_finding_and_keeps_the_rest(host: Host) -> None:
    for name, (spoil, code) in SPOILED.items():
        host.ssh(spoil)
        try:
            result = host.module("instance_info")
        finally:
            host.ssh(f"rm -rf {ENV_FILE}; mv {ENV_FILE}.aside {ENV_FILE}")
        assert result["failed"] and codes(result)[0] == code, name
        assert ENV_FILE in result["msg"] and result["instance"]["release"], name
        assert len(result["instance"]["services"]) == 3, name


def test_a_link_is_followed(host: Host) -> None:
    host.ssh(f"mv {ENV_FILE} {ENV_FILE}.aside && ln -s .env.production.aside {ENV_FILE}")
    try:
        result = host.module("instance_info")
    finally:
        host.ssh(f"rm -f {ENV_FILE}; mv {ENV_FILE}.aside {ENV_FILE}")
    assert result["instance"]["env_file"] == f"{ENV_FILE}.aside" and not result["failed"]


def test_two_instances_and_the_hint_that_chooses(disturbed: Host) -> None:
    disturbed.ssh(
        "mkdir -p /home/second/live/lib/mastodon"
        f" && cp {LIVE}/lib/mastodon/version.rb /home/second/live/lib/mastodon/"
        " && printf 'LOCAL_DOMAIN=second.example\\n' > /home/second/live/.env.production"
        f" && sed 's#{LIVE}#/home/second/live#' /etc/systemd/system/mastodon-web.service"
        f" > /run/systemd/system/mastodon-second.service && systemctl daemon-reload"
    )
    result = disturbed.module("instance_info")
    assert result["failed"] and codes(result) == ["several-instances"] and result["instance"] is None
    assert LIVE in result["msg"] and "/home/second/live (mastodon-second.service)" in result["msg"]
    result = disturbed.module("instance_info", app_dir="/home/second/live")
    assert (result["instance"]["local_domain"], result["failed"]) == ("second.example", False)
    (service,) = result["instance"]["services"]
    assert (service["name"], service["role"], service["state"]) == ("mastodon-second.service", "web", "stopped")


def test_wrong_hints_are_named(host: Host) -> None:
    rows: list[tuple[dict[str, t.Any], str]] = [
        ({"app_dir": "/home/nowhere"}, "app-dir-missing"),
        ({"app_dir": "/home/mastodon"}, "app-dir-not-mastodon"),
        ({"services": ["mastodon-nope"]}, "service-unknown"),
        ({"user": "nobody-here"}, "user-unknown"),
        ({"env_file": "/etc/nowhere"}, "env-file-missing"),
    ]
    for hints, code in rows:
        result = host.module("instance_info", **hints)
        assert result["failed"] and codes(result)[0] == code, (hints, result)


def test_a_host_without_mastodon(lab: Lab) -> None:
    result = lab.module("relay", "instance_info")
    assert result["failed"] and codes(result) == ["no-instance"] and result["instance"] is None


def test_without_become_the_finding_says_so(lab: Lab) -> None:
    """masto2 is reached as an ordinary user, who becomes root; here not."""
    done = run(
        str(BIN / "ansible"),
        *("-i", str(INVENTORY), "masto2", "-m", "fediops.mastodon.instance_info", "-e", "ansible_become=false"),
        env={**lab.environment, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
    )
    told = [code for code in ("env-file-denied", "not-permitted") if code in done.output]
    assert done.status != 0 and told and "become: true" in done.output
    assert "Traceback" not in done.output
