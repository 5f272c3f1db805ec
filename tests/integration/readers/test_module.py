# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as a process: 300 awkward secrets in one call, killed at any moment, two at once, a full disk."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import stat
import subprocess
import sys
import time

import corpus
import module
import pytest
import real
from test_values import EVERY_PROGRAM

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.encoder import refusal

SECRETS = corpus.awkward_secrets()
READER_LISTS = {
    "default": ["ruby", "node", "compose"],
    "source": ["ruby", "node"],
    "compose": ["compose"],
    "podman": ["python_dotenv"],
    "all": ["ruby", "node", "compose", "python_dotenv", "systemd", "sh"],
}
FILE = """# Federation
LOCAL_DOMAIN=social.example
SECRET_KEY_BASE=0123456789abcdef
DB_PASS='it is "quoted" #1'

# Mail
#SMTP_SERVER=
SMTP_PORT=25 # plain
SMTP_FROM_ADDRESS='Mastodon <notifications@social.example>'
"""


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    found = tmp_path / "live" / ".env.production"
    found.parent.mkdir()
    found.write_text(FILE)
    found.chmod(0o640)
    if not os.geteuid():
        os.chown(found, 1, 2)
    return found


# ---- the bars


@pytest.mark.parametrize("readers", READER_LISTS.values(), ids=READER_LISTS)
def test_awkward_secrets_are_read_back_by_every_program_or_refused(readers: list[str], path: pathlib.Path) -> None:
    assert len(SECRETS) == len(set(SECRETS)) == 300
    named = {f"SECRET_{number:03}": secret for number, secret in enumerate(SECRETS)}
    # As set, not as secrets: masking takes every text of a secret out of a result, and some of these are one letter.
    # All in one call: what cannot be written is refused, each with its finding, and nothing is written.
    refused = {name for name, secret in named.items() if refusal(name, secret, readers)}
    if refused:
        with pytest.raises(module.Failed) as caught:
            module.run(str(path), set=named, readers=readers)
        found = caught.value.result["findings"]
        assert {one["subject"] for one in found if one["code"] == "env-value-not-writable"} == refused
        assert path.read_text() == FILE
        longer = [secret for secret in SECRETS if len(secret) > 5]
        assert not any(secret in str(one["message"]) for one in found for secret in longer)
    written = {name: secret for name, secret in named.items() if name not in refused}
    assert len(written) >= {"compose": 300, "all": 240}.get(readers[0] if len(readers) == 1 else "all", 250)
    result = module.run(str(path), set=written, readers=readers)
    assert len(result["changed_variables"]) == len(written)
    for (reader, version), program in EVERY_PROGRAM.items():
        if reader in readers and "\\$" not in path.read_text():
            (seen,) = program([path])
            assert seen is not None, (reader, version)
            wrong = {name: seen.get(name) for name, secret in written.items() if seen.get(name) != secret}
            assert not wrong, (reader, version, wrong)
            assert seen["LOCAL_DOMAIN"] == "social.example"
    assert module.run(str(path), set=written, readers=readers)["changed"] is False


def test_a_template_line_misreads_what_the_module_does_not(path: pathlib.Path) -> None:
    """The baseline: how many of the same secrets the usual KEY={{ value }} line gets wrong."""
    path.write_text("".join(f"SECRET_{number:03}={secret}\n" for number, secret in enumerate(SECRETS)))
    (seen,) = real.node("18.0.10", [path])
    assert seen is not None
    wrong = [secret for number, secret in enumerate(SECRETS) if seen.get(f"SECRET_{number:03}") != secret]
    assert len(wrong) > 30


def test_ten_thousand_lines(path: pathlib.Path) -> None:
    lines = [f"VARIABLE_{number}=value {number}\n# a comment\n\n" for number in range(3333)]
    path.write_text(FILE + "".join(lines))
    wanted = {f"SMTP_{number}": f"it is {number}" for number in range(50)}
    started = time.monotonic()
    module.run(str(path), set=wanted)
    first = time.monotonic() - started
    started = time.monotonic()
    module.run(str(path), set={})
    nothing = time.monotonic() - started
    print(f"{first:.2f} s, of which {nothing:.2f} s to start Python and read the file")
    assert len(path.read_text().splitlines()) == 10_008 + 50


# ---- killed


def state(path: pathlib.Path) -> tuple[int, int, int]:
    seen = path.stat()
    return seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)


def test_killed_at_random_moments_the_file_is_always_whole(path: pathlib.Path) -> None:
    source = random.Random(20261123)
    protected = state(path)
    secret = "zq-kill-me-zq"
    usual = 0.0
    for name in ("first", "second"):  # the first one imports
        started = time.monotonic()
        os.waitpid(module.forked(str(path), set={"SMTP_SERVER": name}), 0)
        usual = time.monotonic() - started
    ended = {"old": 0, "new": 0}
    left_behind = killed = 0
    for number in range(400):
        old = path.read_bytes()
        child = module.forked(
            str(path), set={"SMTP_SERVER": f"relay{number}.example"}, secrets={"SMTP_PASSWORD": secret}
        )
        time.sleep(source.uniform(0, usual * 1.2))
        os.kill(child, signal.SIGKILL)
        _pid, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        new = path.read_bytes()
        assert state(path) == protected
        # The machine may get faster or slower meanwhile: aim at the moment of the change.
        usual *= 1.02 if new == old else 0.95
        if new == old:
            ended["old"] += 1
        else:
            ended["new"] += 1
            assert f"SMTP_SERVER=relay{number}.example\n" in new.decode()
            assert new.decode().startswith("# Federation\n")
            assert new.decode().endswith("social.example>'\n") or f"SMTP_PASSWORD={secret}\n" in new.decode()
        for one in path.parent.iterdir():
            assert one.stat().st_mode & 0o007 == 0
        left_behind += any(one.name.endswith(".fediops") for one in path.parent.iterdir())
    print(f"{killed} of 400 killed, {ended}, {left_behind} left a temporary file")
    assert killed > 200
    assert ended["old"] > 20
    assert ended["new"] > 20
    # The next run finishes the work, and what killed runs left is gone.
    result = module.run(str(path), set={"SMTP_SERVER": "last.example"}, secrets={"SMTP_PASSWORD": secret})
    assert result["changed"]
    expected = {path.name, f"{path.name}.before-smtp", f"{path.name}.last-smtp", f"{path.name}.last-smtp.sha256"}
    assert {one.name for one in path.parent.iterdir()} == expected
    assert (path.parent / f"{path.name}.before-smtp").read_text() == FILE


def test_killed_whole_processes(path: pathlib.Path) -> None:
    """The same with the real process, from its start on."""
    source = random.Random(7)
    started = time.monotonic()
    module.run(str(path), set={"SMTP_SERVER": "warm.up"})
    usual = time.monotonic() - started
    for number in range(40):
        old = path.read_bytes()
        process = module.start(str(path), set={"SMTP_SERVER": f"relay{number}.example"})
        time.sleep(source.uniform(usual * 0.5, usual * 1.1))
        process.kill()
        process.communicate()
        new = path.read_bytes()
        assert new in (
            old,
            old.replace(old.split(b"SMTP_SERVER=")[2].split(b"\n")[0], f"relay{number}.example".encode()),
        )


# ---- two at once


def test_many_edits_at_once_all_land(path: pathlib.Path) -> None:
    processes = [module.start(str(path), set={f"SMTP_{number}": f"v{number}"}) for number in range(8)]
    for process in processes:
        assert module.finish(process)["changed"]
    text = path.read_text()
    assert all(f"SMTP_{number}=v{number}\n" in text for number in range(8))
    assert text.startswith("# Federation\n")


def test_of_two_edits_of_the_same_state_one_fails_clearly(path: pathlib.Path) -> None:
    seen = module.run(str(path), set={})["checksum_before"]
    processes = [
        module.start(str(path), set={"SMTP_SERVER": f"relay{number}"}, expected_checksum=seen) for number in range(2)
    ]
    failed = []
    for process in processes:
        try:
            module.finish(process)
        except module.Failed as error:
            failed.append(error.result)
    assert [one["findings"][0]["code"] for one in failed] == ["env-file-changed"]
    assert path.read_text().count("SMTP_SERVER=relay") == 1


# ---- a file system that does not play along

_OWN_MOUNTS = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
_IN_TMPFS = """
set -e
mount -t tmpfs -o size=64k none "$1"
printf 'A=1\\n' > "$1/e"
{prepare}
exec "{python}" -c "$2"
"""


def on_tmpfs(folder: pathlib.Path, prepare: str, program: str) -> str:
    """Run a program in a mount namespace of its own with a small tmpfs."""
    script = _IN_TMPFS.replace("{prepare}", prepare).replace("{python}", sys.executable)
    done = subprocess.run(
        [
            "unshare",
            *(["--map-root-user"] if os.geteuid() else []),
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            str(folder),
            program,
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


_TRY = """
import os
from ansible_collections.fediops.mastodon.plugins.module_utils._files.steps import Request, present
for check in (True, False):
    outcome = present(Request({path!r}, set={{"SMTP_SERVER": "x" * {size}}}, check_mode=check))
    whole = open({path!r}).read() == "A=1\\n"
    print([one.code for one in outcome.findings], whole, sorted(os.listdir({folder!r})), outcome.changed)
"""


def test_full_disk(tmp_path: pathlib.Path) -> None:
    program = _TRY.format(path=str(tmp_path / "e"), folder=str(tmp_path), size=40000)
    output = on_tmpfs(tmp_path, 'dd if=/dev/zero of="$1/fill" bs=1k count=30 2>/dev/null', program).split("\n")
    assert output[1] == "['env-disk-full'] True ['e', 'fill'] False"


def test_read_only_file_system(tmp_path: pathlib.Path) -> None:
    program = _TRY.format(path=str(tmp_path / "e"), folder=str(tmp_path), size=10)
    output = on_tmpfs(tmp_path, 'mount -o remount,ro "$1"', program).split("\n")
    assert output == ["['env-file-read-only'] True ['e'] False"] * 2


def test_lost_permission(path: pathlib.Path) -> None:
    """Somebody who may read the file but not its directory's entries: told before and without any harm."""
    program = _TRY.format(path=str(path), folder=str(path.parent), size=10)
    for folder in (path.parent, *path.parents):
        if "pytest" in str(folder):
            folder.chmod(0o755)
    if os.geteuid():
        path.parent.chmod(0o555)
    else:
        program = program.replace("for check", "os.setgid(2)\nos.setuid(65534)\nfor check")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("['env-file-denied'] False ['.env.production'] False") == 2
    assert path.read_text() == FILE
