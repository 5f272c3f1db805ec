# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import (
    SIDEKIQ_AT_WORK,
    Listener,
    Processes,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._instance.proc_tree import (
    NOBODY,
    PUMA,
    SIDEKIQ,
    ProcTree,
)

#: Makes a socket, says so, and stays until its input is closed.
HOLD = "import socket, sys; {}; print(1, flush=True); sys.stdin.read()"


@contextlib.contextmanager
def holding(code, *arguments):
    """A process that has made this socket; None when the machine does not have its kind."""
    command = [sys.executable, "-c", HOLD.format(code), *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as process:
        yield process.pid if process.stdout.readline() else None
        process.stdin.close()


def test_a_process_with_an_ordinary_connection_does_not_listen():
    connect = "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
    with socket.create_server(("127.0.0.1", 0)) as server, holding(connect, str(server.getsockname()[1])) as pid:
        assert Processes().listens([pid]) is False
        assert Processes().listens([pid, os.getpid()]) is True


@pytest.mark.parametrize(
    ("code", "listens"),
    [
        ("s = socket.create_server(('127.0.0.1', 0))", True),
        ("s = socket.create_server(('::1', 0), family=socket.AF_INET6)", True),
        ("s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()", True),
        ("s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])", False),
        ("s = socket.socket(); s.bind(('127.0.0.1', 0))", False),
        ("pass", False),
    ],
    ids=["tcp", "tcp6", "unix", "unix bound only", "tcp bound only", "none"],
)
def test_only_sockets_that_accept_connections_count(code, listens, tmp_path):
    with holding(code, str(tmp_path / "s")) as pid:
        if pid is None:
            pytest.skip("the machine has no IPv6")
        assert Processes().listens([pid]) is listens


@pytest.mark.parametrize(
    ("code", "host"),
    [
        ("s = socket.create_server(('127.0.0.1', 0))", "127.0.0.1"),
        ("s = socket.create_server(('0.0.0.0', 0))", "0.0.0.0"),
        ("s = socket.create_server(('::1', 0), family=socket.AF_INET6)", "::1"),
        ("s = socket.create_server(('::ffff:127.0.0.1', 0), family=socket.AF_INET6, dualstack_ipv6=True)", "127.0.0.1"),
    ],
)
def test_where_a_process_listens(code, host):
    with holding(f"{code}; print(s.getsockname()[1], flush=True)") as pid:
        if pid is None:
            pytest.skip("the machine has no IPv6")
        (found,) = Processes().listeners([pid])
        assert (found.pid, found.host, found.path) == (pid, host, "") and found.port > 1023


def test_a_socket_that_was_inherited_counts_once_and_for_its_first_holder():
    fork = "import os; s = socket.create_server(('127.0.0.1', 0)); r, w = os.pipe(); p = os.fork() or os.read(r, 1)"
    with holding(fork) as pid:
        child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
        (found,) = Processes().listeners([pid, child])
        assert found.pid == pid
        assert Processes().listeners([child]) == [Listener(child, "127.0.0.1", found.port)]


@pytest.mark.parametrize(
    ("bound", "shown"),
    [("{}/s", "{}/s"), ("s", "{}/s"), ("{}/a b", "{}/a b"), ("\0fediops-test", "@fediops-test")],
    ids=["absolute", "relative", "with a blank", "without a file"],
)
def test_the_path_of_a_socket(bound, shown, tmp_path):
    name = repr(bound.format(tmp_path)).replace("{", "{{").replace("}", "}}")
    with holding(
        f"import os; os.chdir({str(tmp_path)!r}); s = socket.socket(socket.AF_UNIX); s.bind({name}); s.listen()"
    ) as pid:
        assert Processes().listeners([pid]) == [Listener(pid, path=shown.format(tmp_path))]


def test_a_path_of_a_process_with_another_root(tmp_path):
    (tmp_path / "7/root/run").mkdir(parents=True)
    (tmp_path / "7/root/run/web.sock").write_text("")
    (tmp_path / "7/root/var").symlink_to("/run")
    there = Processes(str(tmp_path)).reachable(7, "/var/web.sock")
    assert there == f"{tmp_path}/7/root/run/web.sock"
    assert Processes(str(tmp_path)).reachable(7, "/nowhere") == "/nowhere"
    here = str(tmp_path / "7/root/run/web.sock")
    assert Processes().reachable(os.getpid(), here) == here


def test_giving_up_privileges_is_seen(tmp_path):
    for pid, word in ((1, "0"), (2, "1")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "status").write_text(f"Name:\tx\nNoNewPrivs:\t{word}\nSeccomp:\t1\n")
    assert [Processes(str(tmp_path)).no_new_privileges(pid) for pid in (1, 2, 3)] == [False, True, False]


def test_no_processes_do_not_listen():
    assert Processes().listens([]) is False
    assert Processes().listens([2**22 + 1]) is False  # gone in the meantime


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_what_may_not_be_looked_into_is_unknown():
    os.seteuid(65534)
    try:
        assert Processes().listens([1]) is None
    finally:
        os.seteuid(0)


def test_title_and_environment_of_a_process():
    with subprocess.Popen(
        [sys.executable, "-c", "print(1, flush=True); input()", "an argument"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"A": "1=2", "B": ""},
    ) as process:
        process.stdout.readline()
        processes = Processes()
        assert processes.title(process.pid).endswith("an argument")
        assert {name: value for name, value in processes.environment(process.pid).items() if name in "AB"} == {
            "A": "1=2",
            "B": "",
        }
        process.stdin.close()
    assert processes.title(process.pid) == "" and processes.environment(process.pid) == {}


@pytest.fixture
def root(tmp_path):
    def make(**cgroups):
        for pid, text in cgroups.items():
            folder = tmp_path / pid.lstrip("p")
            folder.mkdir()
            (folder / "cgroup").write_text(text)
        (tmp_path / "self").mkdir()
        return Processes(str(tmp_path))

    return make


def test_processes_of_a_control_group_in_both_hierarchies(root):
    group = "/system.slice/mastodon-web.service"
    processes = root(
        p10=f"0::{group}\n",
        p9=f"12:pids:{group}\n1:name=systemd:{group}\n0::/\n",
        p11=f"0::{group}/worker\n",
        p12="0::/system.slice/mastodon-web.service.d\n",
        p13="0::/system.slice/mastodon-sidekiq.service\n",
        p14=f"0::/docker/abc{group}\n",  # a container on the host that runs an instance of its own
    )
    assert processes.of_control_group(group) == [9, 10, 11]


def test_inside_a_container_that_sees_the_hosts_control_groups(root):
    assert root(p7="0::/lxc/one/system.slice/x.service\n").of_control_group("/system.slice/x.service") == [7]


def test_no_control_group_has_no_processes(root):
    assert root(p7="0::/\n").of_control_group("") == []


@pytest.mark.parametrize(
    ("title", "at_work"),
    [
        ("sidekiq 7.3.2 live [0 of 25 busy]", True),
        ("sidekiq 6.4.1 live [3 of 5 busy]", True),
        ("sidekiq 8.0.4 my app [0 of 25 busy] stopping", True),
        ("/usr/bin/ruby /usr/bin/sidekiq -c 25", False),
        ("sidekiq 7.3.2", False),
        ("bash -c echo sidekiq 7.3.2 live [0 of 25 busy]", False),
    ],
)
def test_a_sidekiq_at_work_says_so(title, at_work):
    assert bool(SIDEKIQ_AT_WORK.search(title)) is at_work


def test_the_family_of_a_process_is_not_what_shares_its_control_group(tmp_path):
    """Seen on a rootless Engine on a host with control groups of version 1: all of its containers are in one group."""
    tree = ProcTree(tmp_path)
    group = "9:name=systemd:/system.slice/docker-fedi.service\n8:pids:/\n"
    tree.process(4005, "redis-server 0.0.0.0:6379", group, parent=3950)
    tree.process(4300, "/usr/bin/tini -- bundle exec puma", group, parent=4059)
    tree.process(4339, "puma: cluster worker 0: 4318 [mastodon]", group, parent=4318)
    tree.process(4318, PUMA, group, parent=4300)
    processes = Processes(tree.root)
    assert (processes.family(4005), processes.family(4300)) == ([4005], [4300, 4318, 4339])
    assert processes.family(4999) == []


# Whose a process is


@pytest.mark.parametrize(
    ("users", "owner", "his"),
    [
        ((NOBODY,) * 4, NOBODY, True),
        ((0,) * 4, NOBODY, False),
        ((NOBODY,) * 4, 0, False),  # it gave up root's rights, and still holds what root knew
        ((0, NOBODY, 0, NOBODY), NOBODY, False),  # for a moment only
        ((NOBODY, 0, 0, 0), NOBODY, False),  # sudo
    ],
)
def test_a_process_is_a_users_own_if_the_kernel_lets_him_look_into_it(tmp_path, monkeypatch, users, owner, his):
    tree = ProcTree(tmp_path)
    tree.process(7, SIDEKIQ)
    (tmp_path / "proc/7/status").write_text("Uid:" + "".join(f"\t{user}" for user in users) + "\n")
    monkeypatch.setattr(os, "stat", lambda *_unused, **_more: os.stat_result((0,) * 4 + (owner,) + (0,) * 5))
    assert Processes(tree.root).belongs(7, NOBODY) is his
    monkeypatch.undo()
    assert not Processes(tree.root).belongs(8, NOBODY)


def test_this_process_is_our_own():
    assert Processes().belongs(os.getpid(), os.geteuid()) and not Processes().belongs(os.getpid(), os.geteuid() + 1)
