# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real processes and real ends of them: a step in a process of its own, whose output is taken until it is not."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import textwrap
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils import _lifeline

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")

#: Where the collection is found.
ROOT = _lifeline.__file__.partition("/ansible_collections/")[0]

#: A step: what a module does around its work, with a stand-in for AnsibleModule that answers as that does.
STEP = """
import fcntl, json, os, re, sys, time
from ansible_collections.fediops.mastodon.plugins.module_utils import _edge, _lifeline
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.process import Account, run

class Module:
    def exit_json(self, **result):
        print(json.dumps(result), flush=True)
        raise SystemExit(0)
    def fail_json(self, msg, **result):
        print(json.dumps({"failed": True, "msg": msg, **result}), flush=True)
        raise SystemExit(1)

def note(name, text=""):
    with open(f"{FOLDER}/new", "w") as file:
        file.write(str(text))
    os.rename(f"{FOLDER}/new", f"{FOLDER}/{name}")

def sleep(**more):
    script = f"echo $$ > {FOLDER}/new; mv {FOLDER}/new {FOLDER}/program; sleep 1000 & wait"
    run(["/bin/sh", "-c", script], environment={"PATH": "/usr/bin:/bin"}, timeout=900, **more)
"""


class Step:
    """One that runs."""

    def __init__(self, folder: Path, work: str, *, limit: float = 600.0, own: float = 0.0, **streams: t.Any) -> None:
        self.folder = folder
        folder.chmod(0o777)
        body = textwrap.indent(textwrap.dedent(work), "    ")
        code = f"FOLDER = {str(folder)!r}\n{STEP}\ndef body(module):\n{body}\n    module.exit_json(done=True)\n"
        code += f"_edge.OWN_WORK = {own}\n_edge.guarded(Module(), body, limit={limit})\n"
        streams.setdefault("stdout", subprocess.PIPE)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": ROOT}, **streams
        )

    def noted(self, name: str) -> str:
        """What the step or its program has written under that name."""
        assert soon((self.folder / name).exists), name
        return (self.folder / name).read_text().strip()

    def ends(self, within: float = 6.0) -> bool:
        return soon(lambda: self.process.poll() is not None, within)


@pytest.fixture
def step(tmp_path: Path) -> t.Iterator[t.Callable[..., Step]]:
    started: list[Step] = []

    def start(work: str, **more: t.Any) -> Step:
        started.append(Step(tmp_path, work, **more))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        if one.process.stdout:
            one.process.stdout.close()
        if (tmp_path / "program").exists():
            with contextlib.suppress(OSError):
                os.killpg(int((tmp_path / "program").read_text()), signal.SIGKILL)


def soon(condition: t.Callable[[], bool], within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def group_is_gone(leader: str) -> bool:
    """Whether no living process is left of a group."""

    def left() -> bool:
        for entry in os.listdir("/proc"):
            try:
                words = Path("/proc", entry, "stat").read_text().rsplit(")", 1)[1].split() if entry.isdecimal() else []
            except OSError:
                continue
            if words and words[2] == leader and words[0] != "Z":
                return True
        return False

    return soon(lambda: not left())


# The controller goes


def test_without_an_end_nothing_changes(step: t.Any) -> None:
    one = step("time.sleep(2.5)")
    assert json.loads(one.process.stdout.read()) == {"done": True} and one.process.wait() == 0


def test_a_cut_connection_ends_the_step_and_its_program(step: t.Any) -> None:
    one = step("sleep()")
    program = one.noted("program")
    one.process.stdout.close()
    assert one.ends() and one.process.returncode == 1
    assert group_is_gone(program)


def test_what_is_being_proved_is_finished_and_recorded(step: t.Any, tmp_path: Path) -> None:
    """Its mail may be on its way: without the record, the next run would send it again."""
    (tmp_path / ".env.production").write_text("A=1\n")
    one = step(
        """
        import types
        from ansible_collections.fediops.mastodon.plugins.module_utils._files import unproved
        from ansible_collections.fediops.mastodon.plugins.module_utils._files.steps import Request, present
        path = f"{FOLDER}/.env.production"
        edit = present(Request(path, set={"A": "2"}, prove=("mailer", "queue")))
        driver = types.SimpleNamespace(instance=types.SimpleNamespace(env_file=path))
        with unproved.proving(driver, edit.ticket, "mailer") as proof:
            note("sending")
            time.sleep(2.5)
            proof.done()
        note("ended too late")
        """
    )
    one.noted("sending")
    one.process.stdout.close()
    assert one.ends() and not (tmp_path / "ended too late").exists()
    assert json.loads((tmp_path / ".env.production.smtp-unproved").read_text())["outstanding"] == ["queue"]


def test_a_socket_is_a_connection_as_well(step: t.Any) -> None:
    """sshd gives its programs pipes or sockets, depending on how it was built."""
    ours, theirs = socket.socketpair()
    one = step("sleep()", stdout=theirs)
    theirs.close()
    program = one.noted("program")
    ours.close()
    assert one.ends() and group_is_gone(program)


def test_a_terminal_that_is_hung_up(step: t.Any) -> None:
    """ssh -tt, which Ansible uses without pipelining."""
    ours, theirs = pty.openpty()
    one = step("sleep()", stdout=theirs, preexec_fn=lambda: (os.setsid(), fcntl.ioctl(theirs, 0x540E, 0)))
    os.close(theirs)
    program = one.noted("program")
    os.close(ours)
    assert one.ends() and group_is_gone(program)


def test_a_lock_is_free_again(step: t.Any, tmp_path: Path) -> None:
    one = step("lock = os.open(FOLDER, os.O_RDONLY); fcntl.flock(lock, fcntl.LOCK_EX); note('locked'); time.sleep(900)")
    one.noted("locked")
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    one.process.stdout.close()
    assert one.ends()
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)


def test_what_must_not_be_left_half_done_is_finished_first(step: t.Any, tmp_path: Path) -> None:
    one = step("""
        with _lifeline.finished_first():
            note("began")
            time.sleep(4)
            note("finished")
        time.sleep(900)
    """)
    one.noted("began")
    one.process.stdout.close()
    assert not one.ends(2.5)
    assert one.ends() and (tmp_path / "finished").exists()


def test_what_clears_away_does_so(step: t.Any, tmp_path: Path) -> None:
    one = step("""
        try:
            sleep()
        finally:
            run(["/bin/sleep", "2"], environment={}, timeout=10)
            note("cleared")
    """)
    one.noted("program")
    one.process.stdout.close()
    assert one.ends(10) and (tmp_path / "cleared").exists()


@pytest.mark.parametrize("account", ["", pytest.param("nobody", marks=as_root)])
def test_a_killed_step_takes_its_program_with_it(step: t.Any, account: str) -> None:
    """kill -9, or the kernel's own when memory is short; what the program started is its own to end."""
    more = f'account=Account.named("{account}")' if account else ""
    one = step(f'run(["/bin/sleep", "900"], environment={{}}, timeout=900, {more})')
    children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children")
    assert soon(lambda: bool(children.read_text()))
    program = children.read_text().strip()
    assert soon(lambda: b"sleep" in Path(f"/proc/{program}/cmdline").read_bytes())
    one.process.kill()
    assert one.ends() and group_is_gone(program)


def test_output_that_nobody_can_hang_up_ends_nothing(step: t.Any, tmp_path: Path) -> None:
    with open(tmp_path / "output", "wb") as file:
        one = step("time.sleep(2.5)", stdout=file)
        assert one.process.wait() == 0
    assert json.loads((tmp_path / "output").read_text()) == {"done": True}


# The time is up


@pytest.mark.parametrize(
    "work",
    [
        "sleep()",
        "os.mkfifo(f'{FOLDER}/pipe'); open(f'{FOLDER}/pipe')",
        "re.match(r'(a*)*$', 'a' * 50 + 'b')",
        "import socket; ours, theirs = socket.socketpair(); ours.recv(1)",
        "while True: pass",
    ],
    ids=["a program", "a pipe without a writer", "a pattern", "a silent peer", "a loop"],
)
def test_a_step_that_does_not_end_is_ended_and_says_so(step: t.Any, tmp_path: Path, work: str) -> None:
    one = step(work, limit=1.5)
    result = json.loads(one.process.stdout.read())
    assert one.process.wait() == 1 and result["failed"] and result["changed"] is False
    (finding,) = result["findings"]
    assert finding["code"] == "step-out-of-time" and "within 2 s" in result["msg"]
    if (tmp_path / "program").exists():
        assert group_is_gone((tmp_path / "program").read_text().strip())


def test_waiting_for_another_run_does_not_count(step: t.Any) -> None:
    one = step(
        """
        with _lifeline.waiting(60) as over:
            time.sleep(3)
            over()
            time.sleep(0.5)
        try:
            time.sleep(900)
        finally:
            note("ended")
        """,
        limit=2,
    )
    began = time.monotonic()
    result = json.loads(one.process.stdout.read())
    assert result["findings"][0]["code"] == "step-out-of-time" and 4.5 < time.monotonic() - began < 9


def test_a_step_that_hangs_at_its_end_is_ended_all_the_same(step: t.Any) -> None:
    work = """
        _lifeline._CLEARING = 1
        try:
            sleep()
        finally:
            time.sleep(900)
    """
    one = step(work, limit=1)
    assert json.loads(one.process.stdout.read())["failed"] and one.process.wait() == 1


def test_everything_is_as_before_when_a_step_is_done() -> None:
    numbers = (signal.SIGALRM, signal.SIGHUP, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    with _lifeline.within(60):
        assert signal.getitimer(signal.ITIMER_REAL)[1] == 1.0
        with _lifeline.within(1):  # one within another changes nothing
            pass
        assert signal.getitimer(signal.ITIMER_REAL)[1] == 1.0
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
