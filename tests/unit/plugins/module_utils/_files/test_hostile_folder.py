# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root edits in a folder whose owner works against it, all the time."""

from __future__ import annotations

import ctypes
import os
import pathlib
import random
import signal
import time
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._files.steps import Request, present, restored

APP = 4711
SECRET = b"SECRET=zq\nSMTP_SERVER=mine.example\n"
#: Seconds that the race is run for; script/parts/readers gives it a minute.
SECONDS = float(os.environ.get("FEDIOPS_RACE_SECONDS", "6"))
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights that can be lent")


class Scene(t.NamedTuple):
    live: pathlib.Path
    #: What the owner swaps the folder with: a link to the victim's folder.
    decoy: pathlib.Path
    victim: pathlib.Path


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    for folder in (tmp_path, *tmp_path.parents):
        if "pytest" in str(folder):
            folder.chmod(0o755)
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    (victim / ".env.production").write_bytes(SECRET)
    home = tmp_path / "mastodon"
    (home / "live").mkdir(parents=True)
    (home / "live" / ".env.production").write_text("SMTP_SERVER=old.example\n")
    (home / "decoy").symlink_to(victim)
    for one in (home, home / "live", home / "live" / ".env.production", home / "decoy"):
        os.chown(one, APP, APP, follow_symlinks=False)
    return Scene(home / "live", home / "decoy", victim)


def swapping(scene: Scene) -> int:
    """A process of the owner that exchanges his folder and his link for ever."""
    child = os.fork()
    if child:
        return child
    os.setgid(APP)
    os.setuid(APP)
    libc = ctypes.CDLL(None)
    one, other = os.fsencode(scene.live), os.fsencode(scene.decoy)
    while True:
        libc.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE)
        time.sleep(random.uniform(0, 0.004))


def untouched(scene: Scene) -> bool:
    return os.listdir(scene.victim) == [".env.production"] and (
        (scene.victim / ".env.production").read_bytes() == SECRET
    )


def test_a_folder_that_is_swapped_all_the_time_never_wins(scene: Scene) -> None:
    attacker = swapping(scene)
    outcomes: dict[str, int] = {}
    try:
        until = time.monotonic() + SECONDS
        number = 0
        while time.monotonic() < until:
            number += 1
            request = Request(
                path=str(scene.live / ".env.production"),
                set={"SMTP_SERVER": f"relay{number}.example"},
                readers=["ruby"],
                prove=["mailer"] if number % 2 else [],
            )
            outcome = (restored if number % 5 == 0 else present)(request)
            for code in [one.code for one in outcome.findings if one.severity == "error"] or ["done"]:
                outcomes[code] = outcomes.get(code, 0) + 1
            assert untouched(scene), f"after {number} edits: {outcomes}"
    finally:
        os.kill(attacker, signal.SIGKILL)
        os.waitpid(attacker, 0)
    # Both sides got their turns, and nothing ended in words for what nobody foresaw.
    assert outcomes.get("done") and outcomes.get("link-not-followed"), outcomes
    assert set(outcomes) <= {"done", "link-not-followed", "env-file-changed", "env-not-ours", "env-backup-missing"}


def test_the_file_of_another_is_neither_edited_nor_shown(scene: Scene) -> None:
    path = scene.live / ".env.production"
    path.unlink()
    path.symlink_to(scene.victim / ".env.production")
    os.lchown(path, APP, APP)
    for check_mode in (True, False):
        outcome = present(Request(path=str(path), set={"SMTP_SERVER": "x.example"}, check_mode=check_mode))
        assert [one.code for one in outcome.findings] == ["link-not-followed"]
        assert outcome.checksum_before is None and outcome.diff == ("", "") and not outcome.changed
    assert untouched(scene)


def test_a_link_that_is_followed_is_named(scene: Scene) -> None:
    path = scene.live / "link"
    path.symlink_to(".env.production")
    outcome = present(Request(path=str(path), set={"SMTP_SERVER": "x.example"}, check_mode=True))
    assert [(one.code, one.severity) for one in outcome.findings] == [("link-followed", "info")]
    assert f"{scene.live}/.env.production" in outcome.findings[0].message
