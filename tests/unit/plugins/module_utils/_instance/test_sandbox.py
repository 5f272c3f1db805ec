# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service's sandbox keeps from it: files under systemd, sendmail under both ways of running."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance import sendmail
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Completed, Hints
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Processes
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.driver import find
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.sandbox import hidden_by
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.units import Unit
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._instance.docker_host import Docker

OFFICIAL = {"private_tmp": True, "no_new_privileges": True, "protect_home": "no"}


@pytest.mark.parametrize(
    ("settings", "path", "reason"),
    [
        (OFFICIAL, "/tmp/ca.pem", "PrivateTmp=yes"),
        (OFFICIAL, "/var/tmp/deep/ca.pem", "PrivateTmp=yes"),
        (OFFICIAL, "/tmpfiles/ca.pem", ""),
        (OFFICIAL, "/etc/ssl/certs/ca-certificates.crt", ""),
        (OFFICIAL, "/home/mastodon/ca.pem", ""),
        ({}, "/tmp/ca.pem", ""),
        ({"protect_home": "yes"}, "/home/mastodon/ca.pem", "ProtectHome=yes"),
        ({"protect_home": "tmpfs"}, "/root/ca.pem", "ProtectHome=tmpfs"),
        ({"protect_home": "tmpfs"}, "/run/user/1000/ca.pem", "ProtectHome=tmpfs"),
        ({"protect_home": "read-only"}, "/home/mastodon/ca.pem", ""),
        ({"protect_home": "tmpfs", "binds": ("/home/mastodon",)}, "/home/mastodon/ca.pem", ""),
        (
            {"inaccessible_paths": ("/srv", "/etc/club/ca.pem")},
            "/etc/club/ca.pem",
            "InaccessiblePaths=/etc/club/ca.pem",
        ),
        ({"inaccessible_paths": ("/srv/",)}, "/srv/ca.pem", "InaccessiblePaths=/srv/"),
        ({"inaccessible_paths": ("/srv",)}, "/srv2/ca.pem", ""),
    ],
)
def test_what_hides_a_file_from_a_unit(settings, path, reason):
    assert hidden_by(Unit("x.service", **settings), path) == reason


def test_a_ca_file_that_a_unit_cannot_see(host):
    host.usual(host.app(), private_tmp=True)
    driver = find(Hints(), host, host)
    (finding,) = driver.relay_findings("relay.example", "/tmp/ca.pem", True)
    assert (finding.code, finding.severity, finding.subject) == ("ca-file-hidden", "error", "/tmp/ca.pem")
    assert finding.message == (
        "mastodon-sidekiq.service, mastodon-web.service cannot see it because of PrivateTmp=yes."
    )
    assert driver.relay_findings("relay.example", "", True) == []
    assert driver.relay_findings("relay.example", "/etc/ssl/ca.pem", True) == []


def test_a_link_to_a_file_that_a_unit_cannot_see(host, tmp_path):
    host.usual(host.app(), inaccessible_paths=(str(tmp_path / "hidden"),))
    (tmp_path / "ca.pem").symlink_to(tmp_path / "hidden/ca.pem")
    driver = find(Hints(), host, host)
    assert [one.code for one in driver.relay_findings("relay.example", str(tmp_path / "ca.pem"), True)] == [
        "ca-file-hidden"
    ]


def program(root, path, mode):
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("")
    os.chmod(place, mode)


@pytest.mark.parametrize(
    ("programs", "link", "expected"),
    [
        ({}, "", ""),
        ({"/usr/sbin/postdrop": 0o2755}, "", ""),  # sendmail itself is not there
        ({"/usr/sbin/sendmail": 0o755}, "", ""),  # such as msmtp
        ({"/usr/sbin/sendmail": 0o755, "/usr/sbin/postdrop": 0o2755}, "", "/usr/sbin/postdrop"),
        ({"/usr/sbin/sendmail": 0o755, "/usr/sbin/nullmailer-queue": 0o4755}, "", "/usr/sbin/nullmailer-queue"),
        ({"/usr/sbin/exim4": 0o4755}, "exim4", "/usr/sbin/exim4"),
        ({"/usr/bin/msmtp": 0o755}, "../bin/msmtp", ""),
    ],
)
def test_which_sendmail_needs_more_rights(tmp_path, programs, link, expected):
    for path, mode in programs.items():
        program(tmp_path, path, mode)
    if link:
        (tmp_path / "usr/sbin").mkdir(parents=True, exist_ok=True)
        (tmp_path / "usr/sbin/sendmail").symlink_to(link)
    assert sendmail.privileged_program(str(tmp_path)) == expected


@pytest.mark.parametrize(
    ("by_unit", "by_process", "needs", "services"),
    [
        (True, False, "/usr/sbin/postdrop", "mastodon-sidekiq.service and mastodon-web.service run with"),
        (False, True, "/usr/sbin/postdrop", "mastodon-sidekiq.service runs with"),
        (False, False, "/usr/sbin/postdrop", ""),
        (True, False, "", ""),
    ],
)
def test_sendmail_in_a_unit_that_forbids_it(host, monkeypatch, by_unit, by_process, needs, services):
    host.usual(host.app(), no_new_privileges=by_unit)
    host.change("mastodon-sidekiq.service", control_group="/sidekiq")
    host.titles["/sidekiq"] = {7: "sidekiq"}
    host.barred = {7} if by_process else set()
    monkeypatch.setattr(sendmail, "privileged_program", lambda: needs)
    found = find(Hints(), host, host).sendmail_findings()
    assert [(one.code, one.severity) for one in found] == [("sendmail-in-sandbox", "error")] * bool(services)
    assert all(one.message.startswith(f"{services} NoNewPrivileges, so {needs}") for one in found)


@pytest.mark.parametrize(
    ("option", "found"),
    [
        (["no-new-privileges:true"], True),
        (["no-new-privileges"], True),
        (["seccomp=unconfined", "no-new-privileges=true"], True),
        (["no-new-privileges:false"], False),
        (["label=disable"], False),
        (None, False),
    ],
)
def test_sendmail_in_a_container_that_forbids_it(tmp_path, option, found):
    docker = Docker(tmp_path)
    docker.container("sidekiq")["HostConfig"]["SecurityOpt"] = option
    docker.in_app["sh"] = Completed(0, b"/usr/sbin/postdrop\n")
    findings = docker.driver().sendmail_findings()
    assert [one.code for one in findings] == ["sendmail-in-sandbox"] * found
    assert all("Compose file" in one.fix and "localhost" not in one.fix for one in findings)
    docker.in_app["sh"] = Completed(0, b"")
    assert docker.driver().sendmail_findings() == []


def test_the_processes_of_this_machine_can_be_asked():
    status = Path("/proc/self/status").read_text()
    assert Processes().no_new_privileges(os.getpid()) is ("NoNewPrivs:\t1" in status)
