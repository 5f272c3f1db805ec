# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replacing a file: all or nothing at every step, and everything but the content stays."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import pathlib
import stat
import struct
import threading
import time

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._files import replace as module
from ansible_collections.fediops.mastodon.plugins.module_utils._files.gate import enter
from ansible_collections.fediops.mastodon.plugins.module_utils._files.replace import locked, replace, writable
from ansible_collections.fediops.mastodon.plugins.module_utils._files.snapshot import look
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError

OLD, NEW = b"A=1\nSECRET=zq\n", b"A=2\nSECRET=zq\n"


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    found = tmp_path / "live" / ".env.production"
    found.parent.mkdir()
    found.write_bytes(OLD)
    found.chmod(0o640)
    os.utime(found, ns=(10**18, 10**18))
    return found


def names(path: pathlib.Path) -> set[str]:
    return {one.name for one in path.parent.iterdir()}


def acl(*entries: tuple[int, int, int]) -> bytes:
    """An access control list as the kernel keeps it: version 2, then tag, permissions, id (acl(5))."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries)


NOBODY = 0xFFFFFFFF
#: user::rw- user:1:r-- group::r-- mask::r-- other::---
NAMED_USER = acl((1, 6, NOBODY), (2, 4, 1), (4, 4, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY))


def test_content_changes_and_the_rest_stays(path: pathlib.Path) -> None:
    if not os.geteuid():
        os.chown(path, 1, 2)
    before = path.stat()
    started = time.time_ns()
    replace(look(enter(str(path))), NEW)
    after = path.stat()
    assert path.read_bytes() == NEW
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    # Clocks of file systems tick more coarsely than the one of the process.
    assert after.st_mtime_ns > started - 10**8
    assert names(path) == {path.name}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400, 0o777])
def test_mode_stays(path: pathlib.Path, mode: int) -> None:
    path.chmod(mode)
    replace(look(enter(str(path))), NEW, backups=True)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    for backup in (".before-smtp", ".last-smtp"):
        assert stat.S_IMODE((path.parent / (path.name + backup)).stat().st_mode) == mode & ~0o007


def test_a_file_never_becomes_a_program_with_the_rights_of_its_owner(path: pathlib.Path) -> None:
    """Whoever owns the folder can give the name of the environment file to a setuid program that root left there."""
    path.chmod(0o6755)
    if not os.geteuid():
        os.setxattr(path, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    replace(look(enter(str(path))), NEW, backups=True)
    for one in path.parent.iterdir():
        assert not one.stat().st_mode & 0o6000 and "security.capability" not in os.listxattr(one), one


def test_extended_attributes_stay(path: pathlib.Path) -> None:
    attributes = {"user.note": b"kept"}
    if not os.geteuid():
        attributes["security.selinux"] = b"system_u:object_r:etc_t:s0\0"
    for name, value in attributes.items():
        os.setxattr(path, name, value)
    replace(look(enter(str(path))), NEW, backups=True)
    for one in (path, f"{path}.last-smtp", f"{path}.before-smtp"):
        assert {name: os.getxattr(one, name) for name in os.listxattr(one)} == attributes


def test_acl_stays_and_is_not_inherited(path: pathlib.Path) -> None:
    os.setxattr(path.parent, "system.posix_acl_default", NAMED_USER)
    replace(look(enter(str(path))), NEW)
    assert "system.posix_acl_access" not in os.listxattr(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    os.removexattr(path.parent, "system.posix_acl_default")
    os.setxattr(path, "system.posix_acl_access", NAMED_USER)
    before = path.stat().st_mode
    replace(look(enter(str(path))), OLD, backups=True)
    assert os.getxattr(path, "system.posix_acl_access") == NAMED_USER
    assert path.stat().st_mode == before
    assert os.getxattr(f"{path}.last-smtp", "system.posix_acl_access") == NAMED_USER


def test_backups_first_and_last(path: pathlib.Path) -> None:
    replace(look(enter(str(path))), NEW, backups=True)
    replace(look(enter(str(path))), b"A=3\n", backups=True)
    first, last = (path.parent / (path.name + one) for one in (".before-smtp", ".last-smtp"))
    assert (first.read_bytes(), last.read_bytes(), path.read_bytes()) == (OLD, NEW, b"A=3\n")
    assert first.stat().st_mtime_ns == 10**18
    note = path.parent / f"{last.name}.sha256"
    assert names(path) == {path.name, first.name, last.name, note.name}
    # As sha256sum -c reads it: the file as the last edit left it
    assert note.read_text() == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"


def test_a_link_stays_a_link_and_backups_stand_beside_the_file(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    replace(look(enter(str(link))), NEW, backups=True)
    assert link.is_symlink()
    assert path.read_bytes() == NEW
    assert f"{path.name}.last-smtp" in names(path)


def test_a_link_in_the_place_of_a_backup_is_not_followed(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    for one in (".before-smtp", ".last-smtp"):
        (path.parent / (path.name + one)).symlink_to(target)
    replace(look(enter(str(path))), NEW, backups=True)
    assert target.read_text() == "mine"
    assert not (path.parent / f"{path.name}.last-smtp").is_symlink()


def test_modification_time_of_a_restored_file(path: pathlib.Path) -> None:
    replace(look(enter(str(path))), NEW, modified=123456789)
    assert path.stat().st_mtime_ns == 123456789


def test_somebody_else_changed_it_in_between(path: pathlib.Path) -> None:
    seen = look(enter(str(path)))
    path.write_bytes(b"THEIRS=1\n")
    with pytest.raises(FindingError) as caught:
        replace(seen, NEW, backups=False)
    assert caught.value.finding.code == "env-file-changed"
    assert path.read_bytes() == b"THEIRS=1\n"
    assert names(path) == {path.name}


def test_somebody_else_replaced_it_by_the_same_content(path: pathlib.Path) -> None:
    seen = look(enter(str(path)))
    other = path.with_name("other")
    other.write_bytes(OLD)
    other.rename(path)
    with pytest.raises(FindingError) as caught:
        replace(seen, NEW)
    assert caught.value.finding.code == "env-file-changed"


CALLS = ["open", "fdopen", "fchown", "fchmod", "utime", "fsync", "rename", "removexattr", "setxattr"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("name", CALLS)
def test_a_fault_at_any_step_leaves_the_old_file_or_the_new_one(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    """The n-th call of each function of the system fails, for every n that happens."""
    if not os.geteuid():
        os.chown(path, 1, 2)
    os.setxattr(path, "user.note", b"kept")
    os.setxattr(path.parent, "system.posix_acl_default", NAMED_USER)
    real = getattr(os, name)
    for failing in range(1, 30):
        path.write_bytes(OLD)
        seen = look(enter(str(path)))
        calls = 0

        def broken(*args, **options):
            nonlocal calls
            calls += 1
            if calls == failing:  # noqa: B023
                raise OSError(number, os.strerror(number))
            return real(*args, **options)

        with monkeypatch.context() as patched:
            patched.setattr(module.os, name, broken)
            try:
                replace(seen, NEW, backups=True)
            except FindingError as caught:
                assert caught.finding.severity == "error"
        assert path.read_bytes() in (OLD, NEW)
        assert names(path) <= {
            path.name,
            f"{path.name}.before-smtp",
            f"{path.name}.last-smtp",
            f"{path.name}.last-smtp.sha256",
        }
        for one in path.parent.iterdir():
            assert one.stat().st_mode & 0o007 == 0
        if calls < failing:
            break
    else:
        pytest.fail(f"os.{name} is called more than 29 times")
    if name not in ("fchown",) or not os.geteuid():
        assert failing > 1, f"os.{name} is never called"


def test_what_a_killed_edit_left_goes_with_the_next_one(path: pathlib.Path) -> None:
    left = path.parent / f".{path.name}.4711-0123456789ab.fediops"
    left_backup = path.parent / f".{path.name}.last-smtp.4711-0123456789ab.fediops"
    left_note = path.parent / f".{path.name}.last-smtp.sha256.4711-0123456789ab.fediops"
    foreign = path.parent / f".{path.name}.swp"
    other = path.parent / ".other.4711-0123456789ab.fediops"
    for one in (left, left_backup, left_note, foreign, other):
        one.write_text("x")
    with locked(enter(str(path))):
        assert names(path) == {path.name, foreign.name, other.name}


def test_lock_leaves_nothing_and_keeps_two_apart(path: pathlib.Path) -> None:
    holds, done = threading.Event(), threading.Event()

    def first() -> None:
        with locked(enter(str(path))):
            holds.set()
            done.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    assert holds.wait(10)
    with pytest.raises(FindingError) as caught, locked(enter(str(path)), wait=0.2):
        pytest.fail("two locks at once")
    assert caught.value.finding.code == "env-file-busy"
    done.set()
    thread.join(10)
    with locked(enter(str(path)), wait=0.2):
        pass
    assert names(path) == {path.name}


def test_a_file_system_without_locks_is_told(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_args: object) -> None:
        raise OSError(errno.ENOLCK, "x")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(FindingError) as caught, locked(enter(str(path))):
        pytest.fail("no lock")
    assert caught.value.finding.code == "env-file-failed"


def test_check_mode_looks_whether_the_directory_can_be_written(path: pathlib.Path, monkeypatch) -> None:
    writable(look(enter(str(path))))
    monkeypatch.setattr(os, "access", lambda *_args, **_options: False)
    with pytest.raises(FindingError) as caught:
        writable(look(enter(str(path))))
    assert caught.value.finding.code == "env-file-denied"
