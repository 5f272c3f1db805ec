# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Web and Sidekiq as units of a user's own systemd: named for everybody, driven where the user is named."""

from __future__ import annotations

import typing as t

import pytest
from conftest import MAIL, Host
from harness import ENV_FILE, Lab

#: The lab has no logind, which would make the folder; a real user lingers. Its units are the host's, as the user's own.
BEGIN = """set -e
mkdir -p /run/systemd/system/user@.service.d
cat > /run/systemd/system/user-runtime-dir@.service << END
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/install -d -m 0700 -o %i -g %i /run/user/%i
END
printf '[Service]\\nPAMName=\\nEnvironment=XDG_RUNTIME_DIR=/run/user/%%i\\n' > \\
 /run/systemd/system/user@.service.d/50-test.conf
systemctl daemon-reload
systemctl disable --now --quiet mastodon-web mastodon-sidekiq
units=/home/mastodon/.config/systemd/user
install -d -o mastodon -g mastodon /home/mastodon/.config /home/mastodon/.config/systemd $units
for one in web sidekiq; do
  sed -E '/^(User|Group|After|Protect|Private|Restrict|Capab|SystemCall|NoNew|Lock|Memory|Proc|Remove|Device)/d
   s/^WantedBy=.*/WantedBy=default.target/' /etc/systemd/system/mastodon-$one.service > $units/mastodon-$one.service
done
systemctl start user@1000
"""
AS_USER = "setpriv --reuid 1000 --regid 1000 --init-groups env HOME=/home/mastodon XDG_RUNTIME_DIR=/run/user/1000 "
END = """systemctl kill --signal KILL user@1000; systemctl stop user@1000
rm -rf /home/mastodon/.config /run/systemd/system/user@.service.d /run/systemd/system/user-runtime-dir@.service
systemctl daemon-reload; systemctl enable --now --quiet mastodon-web mastodon-sidekiq
"""
OWN: dict[str, t.Any] = {"user": "mastodon", "steady": 2, "timeout": 120}


@pytest.fixture
def kept_by_user(lab: Lab) -> t.Iterator[Host]:
    host = Host(lab, "masto1")
    host.ssh(f"bash -e && {AS_USER} systemctl --user enable --now --quiet mastodon-web mastodon-sidekiq", stdin=BEGIN)
    try:
        yield host
    finally:
        host.ssh("bash", stdin=END)
        lab.reset("masto1")


def test_units_of_a_user_are_named_first_and_driven_where_he_is_named(kept_by_user: Host) -> None:
    host = kept_by_user
    named = host.module("instance_info")
    # The system's own units are left there, disabled.
    finding = next(one for one in named["findings"] if one["code"] == "half-not-driven")
    assert "set mastodon_smtp_user to mastodon" in finding["fix"]
    assert "a unit of the user manager of mastodon" in finding["message"]

    host.ssh(f"touch {ENV_FILE}")
    done = host.module("mail_services", **OWN)
    assert (done["failed"], done["findings"]) == (False, [])
    assert {one["name"]: one["restarted"] for one in done["services"]} == dict.fromkeys(MAIL, True)
