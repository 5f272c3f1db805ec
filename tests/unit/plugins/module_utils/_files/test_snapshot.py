# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at a file: what it is, and a clear word for all that is no file to edit."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pathlib
import socket

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._files import snapshot
from ansible_collections.fediops.mastodon.plugins.module_utils._files.snapshot import checksum, look, opened, trouble
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError


@contextlib.contextmanager
def not_root():
    """As somebody without privileges, even where the tests run as root."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def code_of(path: pathlib.Path) -> str:
    with pytest.raises(FindingError) as caught, opened(str(path)) as place:
        look(place)
    assert caught.value.finding.subject == str(path)
    assert caught.value.finding.fix
    return caught.value.finding.code


def test_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "e"
    path.write_bytes(b"A=1\n")
    with opened(str(path)) as place:
        seen = look(place)
    assert (seen.path, seen.target, seen.data) == (str(path), os.path.realpath(path), b"A=1\n")
    assert seen.checksum == checksum(b"A=1\n") == hashlib.sha256(b"A=1\n").hexdigest()


def test_a_link_is_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "real").write_bytes(b"A=1\n")
    (tmp_path / "mid").symlink_to("real")
    (tmp_path / "e").symlink_to(tmp_path / "mid")
    with opened(str(tmp_path / "e")) as place:
        assert look(place).target == os.path.realpath(tmp_path / "real")


def test_nothing_there(tmp_path: pathlib.Path) -> None:
    assert code_of(tmp_path / "e") == "env-file-missing"
    assert code_of(tmp_path / "no" / "e") == "env-file-missing"


def test_a_link_to_nothing(tmp_path: pathlib.Path) -> None:
    (tmp_path / "e").symlink_to("gone")
    assert code_of(tmp_path / "e") == "env-file-dangling"


def test_a_link_to_itself(tmp_path: pathlib.Path) -> None:
    (tmp_path / "e").symlink_to("e")
    assert code_of(tmp_path / "e") == "env-file-failed"


def test_what_is_no_regular_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "d").mkdir()
    assert code_of(tmp_path / "d") == "env-file-not-regular"
    os.mkfifo(tmp_path / "p")
    assert code_of(tmp_path / "p") == "env-file-not-regular"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "s"))
        assert code_of(tmp_path / "s") == "env-file-not-regular"


def test_what_is_no_environment_file_by_its_size(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "e"
    with open(path, "wb") as stream:
        stream.truncate(2**40)  # a hole: it takes no room
    assert code_of(path) == "env-file-too-large"


def test_a_path_through_a_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "f").write_text("")
    assert code_of(tmp_path / "f" / "e") in ("env-file-failed", "env-file-missing")


def test_no_permission(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "e"
    path.write_text("A=1\n")
    path.chmod(0)
    for folder in (tmp_path, *tmp_path.parents):
        if folder != pathlib.Path("/") and "pytest" in str(folder):
            folder.chmod(0o755)
    with not_root():
        assert code_of(path) == "env-file-denied"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOENT, "env-file-missing"),
        (errno.EACCES, "env-file-denied"),
        (errno.EPERM, "env-file-denied"),
        (errno.EROFS, "env-file-read-only"),
        (errno.ENOSPC, "env-disk-full"),
        (errno.EDQUOT, "env-disk-full"),
        (errno.EIO, "env-file-failed"),
        (errno.EBUSY, "env-file-mounted"),
    ],
)
def test_the_systems_words(number: int, code: str) -> None:
    one = trouble(OSError(number, "x"), "/e", "replace the file")
    assert (one.code, one.subject, one.severity) == (code, "/e", "error")
    assert os.strerror(number) in one.message


@pytest.mark.parametrize(
    ("enforce", "uid", "code", "named"),
    [
        ("1", 0, errno.EACCES, True),
        ("1", 0, errno.EPERM, True),
        ("0", 0, errno.EACCES, False),
        (None, 0, errno.EACCES, False),
        ("1", 1000, errno.EACCES, False),
        ("1", 0, errno.ENOSPC, False),
    ],
)
def test_selinux_is_named_where_root_is_denied_and_only_there(tmp_path, monkeypatch, enforce, uid, code, named):
    setting = tmp_path / "enforce"
    if enforce:
        setting.write_text(enforce)
    monkeypatch.setattr(snapshot, "_SELINUX", str(setting))
    monkeypatch.setattr("os.geteuid", lambda: uid)
    finding = trouble(OSError(code, "x"), "/live/.env.production", "replace the file")
    assert ("SELinux is enforcing" in finding.message) is named and ("ausearch" in finding.fix) is named
    if named:
        assert finding.message == (
            f"Could not replace the file: {os.strerror(code)}. It was tried as root. "
            "SELinux is enforcing on this host and may deny it."
        )
