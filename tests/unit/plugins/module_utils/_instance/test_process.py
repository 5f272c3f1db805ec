# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real processes throughout: what is tested is what the kernel makes of it."""

from __future__ import annotations

import os
import pwd
import sys
import time

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._files.gate import Refused
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.process import Account, Kept, may_read, run

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def python(code, **options):
    options.setdefault("timeout", 30)
    return run([sys.executable, "-c", code], environment=options.pop("environment", PATH), **options)


def is_running(pid):
    """Whether the process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid):
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_running(pid)


def test_gives_input_and_takes_both_outputs_and_the_status():
    done = python("import sys; sys.stderr.write('err'); print(sys.stdin.read()[::-1]); sys.exit(3)", stdin=b"secret")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"terces\n", b"err")
    assert not done.timed_out and not done.truncated


def test_the_environment_is_exactly_what_was_given(monkeypatch):
    monkeypatch.setenv("LEAK", "1")
    done = run(["/usr/bin/env"], environment={"ONLY": "this"}, timeout=30)
    assert done.stdout == b"ONLY=this\n"


def test_runs_in_the_directory(tmp_path):
    assert run(["pwd"], environment=PATH, timeout=30, directory=str(tmp_path)).stdout.decode().strip() == str(tmp_path)


def test_its_own_session_so_that_nothing_reaches_our_terminal():
    done = python("import os; print(os.getsid(0) == os.getpid())")
    assert done.stdout == b"True\n"


def test_more_input_than_a_pipe_holds():
    done = python("import sys; print(len(sys.stdin.buffer.read()))", stdin=b"x" * 3_000_000)
    assert done.stdout == b"3000000\n"


def test_input_that_nobody_reads_does_no_harm():
    assert run(["true"], environment=PATH, timeout=30, stdin=b"x" * 3_000_000).returncode == 0


def test_both_outputs_at_once_do_not_block_each_other():
    code = "import os\nfor _ in range(300): os.write(1, b'o' * 4096); os.write(2, b'e' * 4096)"
    done = python(code, keep=(0, 10_000_000))
    assert (len(done.stdout), len(done.stderr)) == (300 * 4096, 300 * 4096)


def test_a_flood_keeps_its_beginning_and_its_end():
    code = "print('first')\nfor n in range(200000): print('filling line', n)\nprint('last')"
    done = python(code, keep=(1000, 4000))
    assert done.truncated and len(done.stdout) < 6000
    assert done.stdout.startswith(b"first\n") and done.stdout.endswith(b"\nlast\n")
    assert b"bytes left out]" in done.stdout


def test_time_is_up_and_all_its_children_are_gone():
    code = (
        "import subprocess, time\n"
        "child = subprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP; sleep 300'])\n"
        "print(child.pid, flush=True)\ntime.sleep(300)"
    )
    began = time.monotonic()
    done = python(code, timeout=1)
    assert done.timed_out and done.returncode == -9
    assert time.monotonic() - began < 60
    assert gone(int(done.stdout))


def test_a_child_left_behind_with_our_pipes_does_not_hold_us_up():
    began = time.monotonic()
    done = run(["sh", "-c", "sleep 300 & echo $!"], environment=PATH, timeout=120)
    assert done.returncode == 0 and not done.timed_out
    assert time.monotonic() - began < 60
    assert gone(int(done.stdout))


def test_a_program_that_closes_its_outputs_early_is_still_waited_for():
    done = python("import os, time, sys; os.close(1); os.close(2); time.sleep(0.5); os._exit(7)")
    assert done.returncode == 7 and not done.timed_out


def test_no_zombie_and_no_descriptor_is_left():
    before = set(os.listdir("/proc/self/fd"))
    run(["true"], environment=PATH, timeout=30)
    python("import time; time.sleep(60)", timeout=0.2)
    assert set(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("command", [["no-such-program-here"], ["/etc/hostname"]], ids=["missing", "not executable"])
def test_what_cannot_be_started_is_an_os_error(command):
    with pytest.raises(OSError):
        run(command, environment=PATH, timeout=30)


@as_root
def test_becomes_the_user_with_its_groups():
    nobody = pwd.getpwnam("nobody")
    account = Account.named("nobody", supplementary=["daemon"])
    done = run(["id"], environment=PATH, timeout=30, account=account, directory="/")
    assert f"uid={nobody.pw_uid}(nobody)".encode() in done.stdout
    assert b"(daemon)" in done.stdout and b"root" not in done.stdout


def opened_to_all(folder):
    for one in (folder, *folder.parents):
        if "pytest" in str(one):
            one.chmod(0o755)


@as_root
def test_starts_in_no_folder_that_a_link_of_its_user_leads_to_unless_it_is_his(tmp_path):
    """In a folder that he cannot reach himself, his program would stand right before the files in it."""
    opened_to_all(tmp_path)
    nobody = Account.named("nobody")
    (tmp_path / "tenant" / "live").mkdir(parents=True)
    (tmp_path / "own").mkdir()
    os.chown(tmp_path / "own", nobody.uid, nobody.gid)
    for name, target in (("tenant", "tenant/live"), ("own", "own")):
        (tmp_path / f"to-{name}").symlink_to(tmp_path / target)
        os.lchown(tmp_path / f"to-{name}", nobody.uid, nobody.gid)
    start = {"environment": PATH, "timeout": 30, "account": nobody}
    assert run(["pwd"], directory=str(tmp_path / "to-own"), **start).stdout.decode() == f"{tmp_path}/own\n"
    with pytest.raises(Refused):
        run(["pwd"], directory=str(tmp_path / "to-tenant"), **start)


@as_root
def test_what_a_user_may_read_is_asked_of_the_kernel(tmp_path):
    opened_to_all(tmp_path)
    folder, nobody = tmp_path / "folder", Account.named("nobody")
    folder.mkdir()
    path = folder / "file"
    path.write_text("x")
    with open(path, "rb") as file:

        def may():
            return may_read(nobody, str(path), file.fileno())

        assert may() and may_read(Account.named("root"), str(path), file.fileno())
        path.chmod(0o600)
        assert not may()
        os.chown(path, 0, nobody.gid)
        path.chmod(0o640)
        assert may()
        folder.chmod(0o700)
        assert not may(), "he cannot reach it"
        folder.chmod(0o755)
        path.rename(folder / "other")
        (folder / "file").write_text("his own")
        assert not may(), "it is another file by now"


@as_root
def test_another_primary_group():
    assert b"gid=1(daemon)" in run(["id"], environment=PATH, timeout=30, account=Account.named("nobody", "1")).stdout


def test_a_user_by_number_is_the_same_user():
    assert Account.named("0") == Account.named("root")


@pytest.mark.parametrize("arguments", [("no-such-user",), ("4294967294",), ("root", "no-such-group")])
def test_unknown_users_and_groups(arguments):
    with pytest.raises(KeyError):
        Account.named(*arguments)


@pytest.mark.parametrize(
    ("pieces", "kept", "dropped"),
    [
        ([b"short"], b"short", 0),
        ([b"0123456789"], b"0123456789", 0),
        ([b"01234\n", b"56789\n", b"abcde\n"], b"0123\n[8 bytes left out]\nabcde\n", 8),
        ([b"01234567890123456789"], b"0123\n[10 bytes left out]\n456789", 10),
    ],
)
def test_what_is_kept_of_an_output(pieces, kept, dropped):
    output = Kept(4, 6)
    for piece in pieces:
        output.add(piece)
    assert (output.data, output.dropped) == (kept, dropped)
