# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dry run foresees what the edit then meets: with real mounts, flags and full disks, dry and then for real."""

from __future__ import annotations

import errno
import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._files import foresight
from ansible_collections.fediops.mastodon.plugins.module_utils._files import replace as replacing
from ansible_collections.fediops.mastodon.plugins.module_utils._files.foresight import Room, Writing, shortage
from ansible_collections.fediops.mastodon.plugins.module_utils._files.gate import enter
from ansible_collections.fediops.mastodon.plugins.module_utils._files.steps import Outcome, Request, present, restored

OLD = b"SMTP_SERVER=old.example\n"
PROOFS = ("mailer", "services", "queue")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount and to set flags")


def do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def live(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "live"
    folder.mkdir()
    (folder / ".env.production").write_bytes(OLD)
    return folder


@pytest.fixture
def mount() -> t.Iterator[t.Callable[..., pathlib.Path]]:
    """Mount something; what cannot be mounted where the tests run is told by the skip."""
    mounted: list[pathlib.Path] = []

    def done(place: pathlib.Path, *options: str) -> pathlib.Path:
        asked = subprocess.run(["mount", *options, str(place)], check=False, capture_output=True, text=True)
        if asked.returncode != 0:
            pytest.skip(f"mount {' '.join(options)}: {asked.stderr.strip()}")
        mounted.append(place)
        return place

    yield done
    for place in reversed(mounted):
        do("umount", str(place))


@pytest.fixture
def ext4(tmp_path: pathlib.Path, mount: t.Callable[..., pathlib.Path]) -> t.Iterator[pathlib.Path]:
    """A folder with an environment file on a file system that knows the flags of chattr."""
    image, place = tmp_path / "image", tmp_path / "ext4"
    with open(image, "wb") as file:
        file.truncate(4 * 1024 * 1024)
    do("mkfs.ext4", "-q", "-F", str(image))
    place.mkdir()
    folder = mount(place, "-o", "loop", str(image)) / "live"
    folder.mkdir()
    (folder / ".env.production").write_bytes(OLD)
    yield folder
    subprocess.run(["chattr", "-R", "-i", "-a", str(folder)], check=False, capture_output=True)


def edit(folder: pathlib.Path, *, check: bool, value: str = "new.example", **more: t.Any) -> Outcome:
    asked = Request(str(folder / ".env.production"), set={"SMTP_SERVER": value}, prove=PROOFS, check_mode=check, **more)
    return present(asked)


def codes(outcome: Outcome) -> list[str]:
    return [one.code for one in outcome.findings]


def names(folder: pathlib.Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def refused(folder: pathlib.Path, code: str) -> Outcome:
    """Refused in a dry run and for real, with the same words, and nothing is left of it."""
    before = names(folder)
    dry, real = edit(folder, check=True), edit(folder, check=False)
    assert codes(dry) == codes(real) == [code], (dry.findings, real.findings)
    assert not dry.changed and not real.changed and real.ticket is None
    assert names(folder) == before and (folder / ".env.production").read_bytes() == OLD
    return dry


# Mounts


@as_root
def test_a_file_that_is_mounted_by_itself(live: pathlib.Path, mount: t.Any, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "settings"
    source.write_bytes(OLD)
    mount(live / ".env.production", "--bind", str(source))
    (finding,) = refused(live, "env-file-mounted").findings
    assert finding.subject == f"{live}/.env.production" and str(source).rsplit("/", 2)[-1] in finding.message
    assert "symbolic link" in finding.fix and "Unmount" in finding.fix


@as_root
def test_a_folder_that_is_mounted_is_no_matter(live: pathlib.Path, mount: t.Any, tmp_path: pathlib.Path) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    mount(place, "--bind", str(live))
    assert codes(edit(place, check=True)) == [] and codes(edit(place, check=False)) == []


def test_a_busy_file_has_a_fix(live: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that appears after the look."""

    def busy(*_unused: t.Any, **_options: t.Any) -> None:
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(replacing.os, "rename", busy)
    (finding,) = edit(live, check=False).findings
    assert finding.code == "env-file-mounted" and "findmnt" in finding.fix
    assert names(live) == {".env.production"}


# Flags


@as_root
@pytest.mark.parametrize("flag", ["i", "a"])
@pytest.mark.parametrize("name", ["", ".env.production"])
def test_what_chattr_has_locked(ext4: pathlib.Path, flag: str, name: str) -> None:
    do("chattr", f"+{flag}", str(ext4 / name))
    (finding,) = refused(ext4, "env-file-locked").findings
    assert finding.subject == str(ext4 / name).rstrip("/") and f"chattr -{flag} {finding.subject}" in finding.fix
    do("chattr", f"-{flag}", str(ext4 / name))
    assert edit(ext4, check=False).changed


@as_root
def test_a_locked_backup_is_foreseen_before_anything_is_written(ext4: pathlib.Path) -> None:
    assert edit(ext4, check=False, value="first.example").changed
    restored(Request(str(ext4 / ".env.production")))
    do("chattr", "+i", str(ext4 / ".env.production.before-smtp"))
    assert codes(edit(ext4, check=True)) == []  # it is never replaced
    do("chattr", "+i", str(ext4 / ".env.production.last-smtp"))
    (finding,) = refused(ext4, "env-file-locked").findings
    assert finding.subject.endswith(".last-smtp")


@as_root
def test_a_locked_folder_keeps_a_backup_from_being_put_back_as_well(ext4: pathlib.Path) -> None:
    assert edit(ext4, check=False).changed
    do("chattr", "+i", str(ext4))
    for check in (True, False):
        assert codes(restored(Request(str(ext4 / ".env.production"), check_mode=check))) == ["env-file-locked"]


# Space


@as_root
@pytest.mark.parametrize("free", range(1, 7))
def test_a_full_disk_is_foreseen_to_the_block(tmp_path: pathlib.Path, mount: t.Any, free: int) -> None:
    """New file, two backups, two notes: five blocks."""
    place = tmp_path / "small"
    place.mkdir()
    mount(place, "-t", "tmpfs", "-o", "size=256k", "tmpfs")
    (place / ".env.production").write_bytes(OLD)
    fill(place, free)
    (dry, real) = (edit(place, check=True), edit(place, check=False))
    assert codes(dry) == codes(real) == ([] if free >= 5 else ["env-disk-full"])
    if free < 5:
        assert names(place) == {".env.production", "filler"}
        assert f"has {4 * free} KiB free, but the edit needs 20 KiB" in dry.findings[0].message


def fill(place: pathlib.Path, free: int) -> None:
    told = os.statvfs(place)
    (place / "filler").write_bytes(b"x" * told.f_frsize * (told.f_bfree - free))
    assert os.statvfs(place).f_bfree == free


@as_root
@pytest.mark.parametrize("free", [2, 4, 5])
def test_a_disk_without_inodes_is_foreseen(tmp_path: pathlib.Path, mount: t.Any, free: int) -> None:
    place = tmp_path / "few"
    place.mkdir()
    mount(place, "-t", "tmpfs", "-o", "size=1m,nr_inodes=20", "tmpfs")
    (place / ".env.production").write_bytes(OLD)
    while os.statvfs(place).f_ffree > free:
        (place / f"filler-{os.statvfs(place).f_ffree}").touch()
    before = names(place)
    (dry, real) = (edit(place, check=True), edit(place, check=False))
    assert codes(dry) == codes(real) == ([] if free >= 5 else ["env-disk-full"])
    if free < 5:
        assert names(place) == before and f"room for {free} more files (df -i)" in dry.findings[0].message


@as_root
def test_a_disk_that_fills_up_later_leaves_the_backups_of_the_edit_before(tmp_path: pathlib.Path, mount: t.Any) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount(place, "-t", "tmpfs", "-o", "size=256k", "tmpfs")
    (place / ".env.production").write_bytes(OLD)
    assert not codes(edit(place, check=False, value="first.example"))
    beside = {one: one.read_bytes() for one in place.iterdir() if one.name.endswith(("smtp", "sha256"))}
    for free in range(3):  # it needs three blocks
        (place / "filler").unlink(missing_ok=True)
        fill(place, free)
        present(Request(str(place / ".env.production"), set={"SMTP_SERVER": "second.example"}))
        assert {one: one.read_bytes() for one in beside} == beside, free
        kept = {".env.production", ".env.production.smtp-unproved", "filler"}
        assert names(place) == kept | {one.name for one in beside}


def test_what_the_reserve_of_root_and_odd_file_systems_mean() -> None:
    five = [Writing("", 100)] * 5
    assert not shortage(Room(4096, 5 * 4096, 5), five) and not shortage(Room(4096, None, None), five)
    assert "20 KiB" in shortage(Room(4096, 5 * 4096 - 1, 5), five)
    assert "4 more files" in shortage(Room(4096, 0, 4), five)
    assert "2.0 MiB free" in shortage(Room(4096, 2 * 1024 * 1024, None), [Writing("", 3 * 1024 * 1024)])
    assert shortage(Room(4096, 9 * 4096, None), five, attributes=200) and not shortage(Room(4096, 9 * 4096, 5), five)


def test_root_may_use_what_is_reserved_for_root(live: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(live)
    told = os.statvfs_result((4096, 4096, 1000, 100, 10, 50, 40, 30, real.f_flag, 255))
    monkeypatch.setattr(foresight.os, "statvfs", lambda _unused: told)
    for user, room in ((0, Room(4096, 100 * 4096, 40)), (1000, Room(4096, 10 * 4096, 30))):
        monkeypatch.setattr(foresight.os, "geteuid", lambda user=user: user)
        assert foresight.room_of(0) == room


def test_that_a_quota_cannot_be_looked_into_is_said(live: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options, found in (
        (("rw", "usrquota", "relatime"), ["env-quota-unseen"]),
        (("rw", "prjquota"), ["env-quota-unseen"]),
        (("rw", "grpjquota=aquota.group"), ["env-quota-unseen"]),
        (("rw", "noquota"), []),
        (("rw", "attr2"), []),
    ):
        monkeypatch.setattr(foresight, "_mount", lambda _unused, options=options: ("", options))
        outcome = edit(live, check=True)
        assert codes(outcome) == found and outcome.changed, options
        assert all(one.severity == "info" for one in outcome.findings)


# What is in the way, and other names


def a_pipe(path: pathlib.Path) -> None:
    os.mkfifo(path)


def a_folder(path: pathlib.Path) -> None:
    path.mkdir()


def a_dead_link(path: pathlib.Path) -> None:
    path.symlink_to("nowhere")


def a_link(path: pathlib.Path) -> None:
    path.symlink_to(".env.production")


@pytest.mark.parametrize(
    ("suffix", "make", "word"),
    [
        (".before-smtp", a_pipe, "A named pipe"),
        (".before-smtp", a_folder, "A directory"),
        (".before-smtp", a_dead_link, "A symbolic link to nowhere"),
        (".before-smtp", a_link, "A symbolic link to .env.production"),
        (".last-smtp", a_folder, "A directory"),
        (".last-smtp.sha256", a_folder, "A directory"),
        (".smtp-unproved", a_folder, "A directory"),
    ],
)
def test_what_is_where_a_backup_has_to_go(
    live: pathlib.Path, suffix: str, make: t.Callable[[pathlib.Path], None], word: str
) -> None:
    make(live / f".env.production{suffix}")
    (finding,) = refused(live, "env-backup-blocked").findings
    assert finding.subject == f"{live}/.env.production{suffix}" and word in finding.message


@pytest.mark.parametrize("make", [a_pipe, a_dead_link])
def test_what_can_be_replaced_is(live: pathlib.Path, make: t.Callable[[pathlib.Path], None]) -> None:
    make(live / ".env.production.last-smtp")
    assert codes(edit(live, check=True)) == codes(edit(live, check=False)) == []
    assert (live / ".env.production.last-smtp").read_bytes() == OLD


def test_without_backups_nothing_is_in_the_way(live: pathlib.Path) -> None:
    a_folder(live / ".env.production.before-smtp")
    assert codes(edit(live, check=False, backup=False)) == []


def test_other_names_of_the_file_are_told_before_they_are_cut(live: pathlib.Path) -> None:
    os.link(live / ".env.production", live / "other")
    for check in (True, False):
        (finding,) = edit(live, check=check).findings
        assert (finding.code, finding.severity) == ("env-file-hard-links", "warning")
        assert "2 names" in finding.message and "samefile" in finding.fix
    assert (live / "other").read_bytes() == OLD and b"new" in (live / ".env.production").read_bytes()


# An edit that fails leaves no backup of it


def test_a_failed_edit_leaves_the_backups_as_they_were(live: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rename of the new file itself fails, which is the last thing that can."""
    real = os.rename

    def broken(old: str, new: str, **options: t.Any) -> None:
        if new == ".env.production":
            raise OSError(errno.EIO, "broken")
        real(old, new, **options)

    for round_ in range(2):
        before = {one.name: one.read_bytes() for one in live.iterdir()}
        with monkeypatch.context() as patched:
            patched.setattr(replacing.os, "rename", broken)
            assert codes(edit(live, check=False, value=f"{round_}.example")) == ["env-file-failed"]
        assert {one.name: one.read_bytes() for one in live.iterdir()} == before
        edit(live, check=False, value="between.example")


def test_where_the_file_system_has_no_links_an_edit_goes_well_all_the_same(
    live: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_unused: t.Any, **_options: t.Any) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(replacing.os, "link", none)
    for value in ("first.example", "second.example"):
        assert codes(edit(live, check=False, value=value)) == []
    assert (live / ".env.production.before-smtp").read_bytes() == OLD


def test_a_file_that_is_gone_has_no_mount_and_no_flags(live: pathlib.Path) -> None:
    with enter(str(live / "none")) as place:
        assert foresight.mounted_over(place) == [] and foresight.flagged(place, [""]) == []
