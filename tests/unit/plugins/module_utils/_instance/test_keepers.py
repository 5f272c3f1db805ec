# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.keepers import Keeper, keeper

ID = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728"
USERS = "/user.slice/user-1000.slice/user@1000.service"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/system.slice/mastodon-web.service", Keeper("unit", "mastodon-web.service")),
        ("/system.slice/system-mastodon.slice/mastodon@art.service", Keeper("unit", "mastodon@art.service")),
        ("/system.slice/foreman.service/payload", Keeper("unit", "foreman.service")),
        (f"{USERS}/app.slice/masto.service", Keeper("user-unit", "masto.service", 1000)),
        (f"{USERS}/masto.service", Keeper("user-unit", "masto.service", 1000)),
        (f"{USERS}/app.slice/run-r1.scope", Keeper("hand", "", 1000)),
        ("/user.slice/user-1000.slice/session-3.scope", Keeper("hand", "", 1000)),
        ("/system.slice/ssh.service", Keeper("hand")),
        ("/system.slice/system-getty.slice/getty@tty1.service", Keeper("hand")),
        ("/system.slice/cron.service", Keeper("hand")),
        ("/system.slice/sshd-mastodon.service", Keeper("unit", "sshd-mastodon.service")),
        (f"/system.slice/docker-{ID}.scope", Keeper("docker", ID)),
        (f"/docker/{ID}", Keeper("docker", ID)),
        (f"/docker/{ID}/system.slice/mastodon-web.service", Keeper("machine", ID)),
        (f"/system.slice/docker-{ID}.scope/system.slice/docker-{ID}.scope", Keeper("machine", ID)),
        (f"/machine.slice/libpod-{ID}.scope/container/system.slice/x.service", Keeper("machine", ID)),
        (f"/docker/{ID}/init", Keeper("docker", ID)),
        (f"{USERS}/user.slice/docker-{ID}.scope", Keeper("docker", ID, 1000)),
        (f"/machine.slice/libpod-{ID}.scope/container", Keeper("podman", ID)),
        (f"/system.slice/mastodon-web.service/libpod-payload-{ID}", Keeper("podman", ID)),
        (f"{USERS}/user.slice/libpod-{ID}.scope/container", Keeper("podman", ID, 1000)),
        (f"/system.slice/nerdctl-{ID}.scope", Keeper("containerd", ID)),
        (f"/kubepods.slice/kubepods-burstable.slice/cri-containerd-{ID}.scope", Keeper("kubernetes")),
        (f"/kubepods/burstable/pod1/{ID}", Keeper("kubernetes")),
        (f"/docker/{ID}/kubelet.slice/kubelet-kubepods.slice/x.scope", Keeper("kubernetes")),
        ("/lxc.payload.masto/system.slice/mastodon-web.service", Keeper("machine", "masto")),
        ("/lxc/101/ns/system.slice/mastodon-web.service", Keeper("machine", "101")),
        ("/machine.slice/systemd-nspawn@m.service/payload/system.slice/x.service", Keeper("machine", "m")),
        ("/openrc.mastodon-web", Keeper("openrc", "mastodon-web")),
    ],
)
def test_the_control_group_names_the_keeper(path, expected):
    assert keeper([("", path)], "", ()) == expected


def test_in_version_1_the_group_that_says_most_counts():
    groups = [("", "/system.slice/containerd.service"), ("pids", f"/docker/{ID}"), ("name=systemd", f"/docker/{ID}")]
    assert keeper(groups, "", ()) == Keeper("docker", ID)


def test_openrc_has_a_hierarchy_of_its_own():
    assert keeper([("name=openrc", "/mastodon-web"), ("", "/")], "", ()) == Keeper("openrc", "mastodon-web")


def test_what_all_groups_of_a_container_begin_with_says_nothing():
    groups = [("", f"/docker/{ID}/system.slice/mastodon-web.service")]
    assert keeper(groups, f"/docker/{ID}", ()) == Keeper("unit", "mastodon-web.service")


@pytest.mark.parametrize(
    ("above", "init", "expected"),
    [
        ([("bash", "bash run"), ("runsv", "runsv mastodon-web")], None, Keeper("runit", "mastodon-web")),
        ([("s6-supervise", "s6-supervise svc-sidekiq")], None, Keeper("s6", "svc-sidekiq")),
        ([("supervisord", "/usr/bin/python3 supervisord")], None, Keeper("supervisor")),
        ([("node", "PM2 v5.3.0: God Daemon")], None, Keeper("pm2")),
        ([("supervise-daemo", "supervise-daemon mastodon-web")], None, Keeper("openrc")),
        ([("bash", "-bash"), ("sshd", "sshd: masto@pts/0")], "openrc", Keeper("hand")),
        ([], "openrc", Keeper("openrc")),
        ([], None, Keeper("hand")),
    ],
)
def test_without_a_group_the_programs_above_tell_it(above, init, expected):
    assert keeper([("", "/")], "", above, init) == expected


@pytest.mark.parametrize(
    ("program", "title", "kind"),
    [
        ("supervisord", "supervisord -n", "supervisor"),
        ("node", "PM2 v5: God Daemon", "pm2"),
        ("runsv", "runsv web", "runit"),
    ],
)
def test_a_supervisor_that_is_itself_a_unit_keeps_its_programs(program, title, kind):
    groups = [("", "/system.slice/supervisor.service")]
    assert keeper(groups, "", [("bash", "bash"), (program, title)]).kind == kind


def test_a_unit_that_starts_a_terminal_is_still_a_unit():
    assert keeper([("", "/system.slice/mastodon-web.service")], "", [("screen", "SCREEN -D")]).kind == "unit"
