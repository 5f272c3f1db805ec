# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user's own systemd says is that user's word: root takes from it nothing that he could not have himself."""

from __future__ import annotations

import itertools
import os
import time

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Hints
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.process import Account
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Listener
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.driver import find
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.units import EnvironmentFile

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to read as somebody else")

SECRET = "known-to-root-alone"
SIDEKIQ = "mastodon-sidekiq.service"


@pytest.fixture
def theirs(host, tmp_path):
    """The systemd of nobody, whose home the folder is; C(app_dir) is his Mastodon."""
    for one in (tmp_path, *tmp_path.parents):
        if "pytest" in str(one):
            one.chmod(0o755)
    host.account = nobody = Account.named("nobody")
    host.app_dir = host.app()
    host.usual(host.app_dir, user="nobody")
    for folder, _folders, files in os.walk(host.app_dir):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(path, nobody.uid, nobody.gid)
    return host


@pytest.fixture
def closed(tmp_path):
    """A file that only root may read, in a folder that only root may enter."""
    folder = tmp_path / "root"
    folder.mkdir(mode=0o700)
    (folder / "secret.env").write_text(f"SMTP_LOGIN={SECRET}\nAWS_SECRET={SECRET}\n")
    (folder / "secret.env").chmod(0o600)
    return folder / "secret.env"


def names(theirs, *paths):
    theirs.change(SIDEKIQ, environment_files=tuple(EnvironmentFile(str(path), True) for path in paths))


def seen_inside(theirs, *command):
    """What a program of his gets to see, and the driver."""
    driver = find(Hints(user="nobody"), theirs, theirs)
    done = driver.run_in_app(command or ["env"], timeout=20)
    assert done.returncode == 0
    return done.stdout.decode(), driver


def test_groups_that_his_unit_names_are_not_his(theirs):
    theirs.change(SIDEKIQ, user="nobody", group="root", supplementary_groups=("shadow", "disk"))
    shown, _driver = seen_inside(theirs, "sh", "-c", "id -G; id -g")
    account = theirs.account
    assert shown.split() == [*map(str, [account.gid, *(one for one in account.groups if one != account.gid)]),
                             str(account.gid)]  # fmt: skip


@pytest.mark.parametrize("written", ["{0}", "{0.parent}/*.env", "{link}"])
def test_a_file_that_he_may_not_read_is_not_read_for_him(theirs, closed, written, tmp_path):
    os.symlink(closed, tmp_path / "link")  # root's own, so that it would be followed
    names(theirs, written.format(closed, link=tmp_path / "link"))
    shown, driver = seen_inside(theirs)
    assert SECRET not in shown and SECRET not in str(dict(driver.instance.variables))
    assert driver.instance.overrides == ()


def test_a_file_that_is_closed_to_him_is_told(theirs, closed):
    closed.parent.chmod(0o755)
    names(theirs, closed)
    _shown, driver = seen_inside(theirs)
    told = next(one for one in driver.instance.findings if one.code == "layer-unreadable")
    assert told.subject == str(closed) and "Permission denied" in told.message


def test_files_that_he_may_read_are_read_in_their_order(theirs, tmp_path):
    (tmp_path / "1 a.env").write_text("SMTP_PORT=1\nDB_POOL=1\n")
    (tmp_path / "2.env").write_text("SMTP_PORT=2\n")
    names(theirs, f"{tmp_path}/*.env")
    shown, driver = seen_inside(theirs)
    assert "DB_POOL=1\n" in shown and "SMTP_PORT=2\n" in shown
    assert [one.value for one in driver.instance.overrides] == ["2", "1"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_is_not_waited_for(theirs, tmp_path, make):
    make(tmp_path / "odd")
    names(theirs, tmp_path / "odd")
    began = time.monotonic()
    _shown, driver = seen_inside(theirs)
    assert time.monotonic() - began < 5
    told = [one.message for one in driver.instance.findings if one.code == "layer-unreadable"]
    assert told == ["Reading it failed: Invalid argument."]


def test_a_file_without_an_end_is_refused(theirs, tmp_path):
    (tmp_path / "long").write_bytes(b"#" * (8 * 1024 * 1024))
    names(theirs, tmp_path / "long")
    _shown, driver = seen_inside(theirs)
    assert "too large" in next(one.message for one in driver.instance.findings if one.code == "layer-unreadable")


def test_a_pattern_is_expanded_with_his_rights_and_in_a_limited_time(theirs):
    names(theirs, "/proc/*/root/proc/*/root/proc/*/root/etc/pass*")
    began = time.monotonic()
    seen_inside(theirs)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("group", ["", "/somebody/elses"])
def test_a_process_of_somebody_else_is_not_his(theirs, group):
    theirs.change(SIDEKIQ, main_pid=7777, control_group=group, started_monotonic=time.clock_gettime(1) + 5)
    theirs.titles = {"/somebody/elses": {7777: "sidekiq 7.3.9 live [0 of 25 busy]"}}
    theirs.environments = {7777: {"SMTP_LOGIN": SECRET, "PATH": f"/{SECRET}"}}
    theirs.barred = {7777}
    theirs.owners = {7777: 0}
    shown, driver = seen_inside(theirs)
    assert SECRET not in shown and driver.instance.overrides == ()
    assert not driver.ready(next(one for one in driver.services() if one.role == "sidekiq"))
    assert driver.sendmail_findings() == []
    theirs.owners = {7777: theirs.account.uid}
    assert SECRET in seen_inside(theirs)[0]


def test_a_number_that_is_another_process_by_now(theirs):
    theirs.environments = {4000: {"BIND": "10.6.6.6"}, 4001: {"SMTP_LOGIN": SECRET}}
    answers = itertools.cycle([True, True, False])
    theirs.belongs = lambda _pid, _user: next(answers)
    assert SECRET not in seen_inside(theirs)[0]


def test_where_web_listens_is_not_taken_from_a_socket_of_somebody_else(theirs):
    theirs.listening = {theirs.units["mastodon-web.service"].main_pid: [Listener(0, path="/run/docker.sock")]}
    assert "docker.sock" in find(Hints(user="nobody"), theirs, theirs).web_url()
    theirs.owners = {theirs.units["mastodon-web.service"].main_pid: 0}
    assert "docker.sock" not in find(Hints(user="nobody"), theirs, theirs).web_url()


def test_the_text_of_a_unit_file_is_read_with_his_rights(theirs, closed):
    """Only the line is told, but of a file that he names."""
    closed.write_text("\n\n[Service]\nEnvironment=SMTP_PORT=25\n")
    theirs.change(SIDEKIQ, environment={"SMTP_PORT": "25"}, files=(str(closed),))
    (override,) = find(Hints(user="nobody"), theirs, theirs).instance.overrides
    assert (override.path, override.line) == (SIDEKIQ, 0)
    closed.parent.chmod(0o755)
    closed.chmod(0o644)
    (override,) = find(Hints(user="nobody"), theirs, theirs).instance.overrides
    assert (override.path, override.line) == (str(closed), 4)
