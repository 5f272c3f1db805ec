# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to a file in a folder of another user: what is followed, what is not, and that it is walked only once."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import subprocess
import time

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._files import gate
from ansible_collections.fediops.mastodon.plugins.module_utils._files.gate import Refused, enter, owner, read

#: The app's user, and another tenant of the host.
APP, TENANT = 4711, 4712
SECRET = b"TENANT_SECRET=zq\n"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder of the app's user, with his file."""
    for folder in (tmp_path, *tmp_path.parents):
        if "pytest" in str(folder):
            folder.chmod(0o755)
    folder = tmp_path / "mastodon" / "live"
    folder.mkdir(parents=True)
    (folder / ".env.production").write_text("A=1\n")
    for one in (folder.parent, folder, folder / ".env.production"):
        os.chown(one, APP, APP)
    return folder


@pytest.fixture
def foreign(tmp_path: pathlib.Path) -> pathlib.Path:
    """A file of root that is closed to all others."""
    folder = tmp_path / "private"
    folder.mkdir()
    (folder / ".env.production").write_bytes(SECRET)
    (folder / ".env.production").chmod(0o600)
    return folder / ".env.production"


def link(path: pathlib.Path, target: str | pathlib.Path, owner: int) -> pathlib.Path:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    os.lchown(path, owner, owner)
    return path


def refusal(path: str | pathlib.Path) -> Refused:
    with pytest.raises(Refused) as caught:
        read(str(path), 4096)
    return caught.value


def test_a_plain_file(home: pathlib.Path) -> None:
    with enter(str(home / ".env.production")) as place:
        assert place.read(9) == b"A=1\n" and place.links == ()
        assert (place.target, place.folder, place.name) == (f"{home}/.env.production", str(home), ".env.production")
        beside = place.beside(".last-smtp")
        assert beside.target == f"{home}/.env.production.last-smtp" and beside.status() is None


def test_a_relative_path_and_one_that_goes_up(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.parent)
    for path in ("live/.env.production", "./live//../live/.env.production"):
        with enter(path) as place:
            assert place.target == f"{home}/.env.production" and place.read(9) == b"A=1\n"


@as_root
def test_the_apps_user_cannot_lend_himself_our_rights(home: pathlib.Path, foreign: pathlib.Path) -> None:
    """The file itself is a link, to /etc/shadow for example."""
    path = link(home / ".env.production", foreign, APP)
    told = refusal(path)
    why = f"{path} is a symbolic link that uid {APP} created, and it points to {foreign}, which belongs to root"
    assert why in str(told.strerror)
    assert f"chown -h root {path}" in told.fix


@as_root
def test_nor_by_a_folder_nor_by_a_link_to_a_link(home: pathlib.Path, foreign: pathlib.Path) -> None:
    link(home / "config", foreign.parent, APP)
    refusal(home / "config" / ".env.production")
    link(home / "first", home / "second", APP)
    link(home / "second", foreign, APP)
    refusal(home / "first")
    # a link of his own that is fine by itself does not cover for the one behind it
    link(home / "up", "../live", APP)
    refusal(home / "up" / "second")
    # nor does a folder of another user at the end
    os.chown(foreign.parent, TENANT, TENANT)
    refusal(home / "config" / ".env.production")


@as_root
def test_a_file_of_his_that_he_cannot_get_at_is_not_his_to_lend(home: pathlib.Path, foreign: pathlib.Path) -> None:
    """A backup of another host keeps the numbers of that host's users, and the folder above it is closed."""
    os.chown(foreign, APP, APP)
    assert read(str(link(home / ".env.production", foreign, APP)), 99) == SECRET
    for mode in (0o700, 0o710):
        foreign.parent.chmod(mode)
        assert f"it points into {foreign.parent}, which is closed to uid {APP}" in str(
            refusal(home / ".env.production").strerror
        )
    os.chown(foreign.parent, APP, 0)
    assert read(str(home / ".env.production"), 99) == SECRET


@as_root
def test_capistrano_by_a_user_of_its_own(home: pathlib.Path) -> None:
    """deploy made the links and the folders; the file and the release belong to the app's user."""
    shared, releases = home / "shared", home / "releases"
    (releases / "3").mkdir(parents=True)
    shared.mkdir()
    (shared / ".env.production").write_bytes(SECRET)
    for one in (shared, releases):
        os.chown(one, TENANT, TENANT)
    for one in (shared / ".env.production", releases / "3"):
        os.chown(one, APP, APP)
    link(releases / "3" / ".env.production", shared / ".env.production", TENANT)
    link(home / "current", "releases/3", TENANT)
    with enter(str(home / "current" / ".env.production")) as place:
        assert place.read(99) == SECRET and len(place.links) == 2


@as_root
def test_what_proc_shows_of_his_processes_is_not_his_file(home: pathlib.Path) -> None:
    path = link(home / ".env.production", "/proc/self/environ", APP)
    os.chown(home, APP, APP)
    child = subprocess.Popen(["sleep", "60"], user=APP, group=APP, env={"SECRET": "zq"})
    try:
        link(path, f"/proc/{child.pid}/environ", APP)
        with pytest.raises(OSError, match="not a file on disk"):
            read(str(path), 4096)
    finally:
        child.kill()
        child.wait()


@as_root
def test_nothing_is_opened_that_is_not_a_plain_file(home: pathlib.Path, foreign: pathlib.Path) -> None:
    """The open alone would let the writer of a named pipe go on."""
    os.mkfifo(foreign.with_name("pipe"), 0o600)
    link(home / "to-pipe", foreign.with_name("pipe"), APP)
    writer = subprocess.Popen(["sh", "-c", f"echo x > '{foreign.with_name('pipe')}'"])
    try:
        for _unused in range(200):
            with pytest.raises(OSError, match="not a regular file"):
                read(str(home / "to-pipe"), 9)
            time.sleep(0.001)
        assert writer.poll() is None, "it waits for a reader, and still does"
    finally:
        writer.kill()
        writer.wait()


@as_root
def test_whose_folder_it_is(home: pathlib.Path, foreign: pathlib.Path) -> None:
    assert owner(str(home)) == APP
    assert owner(str(foreign.parent)) == 0
    os.chown(home, 0, 0)
    assert owner(str(home)) == APP, "who owns the folder above can put another in the place of root's"
    os.chown(home, TENANT, TENANT)
    assert owner(str(home)) == TENANT
    home.rename(home.with_name("real"))
    link(home, "/", APP)
    with pytest.raises(Refused):
        owner(str(home))


@as_root
def test_nor_by_the_links_of_proc(home: pathlib.Path, foreign: pathlib.Path) -> None:
    descriptor = os.open(foreign, os.O_RDONLY)
    try:
        refusal(link(home / "magic", f"/proc/{os.getpid()}/fd/{descriptor}", APP))
        refusal(link(home / "magic", f"/proc/{os.getpid()}/root{foreign}", APP))
    finally:
        os.close(descriptor)


@as_root
def test_another_tenants_file_is_not_his_either(home: pathlib.Path, foreign: pathlib.Path) -> None:
    os.chown(foreign, TENANT, TENANT)
    refusal(link(home / ".env.production", foreign, APP))
    assert read(str(link(home / ".env.production", foreign, TENANT)), 99) == SECRET


@as_root
def test_a_link_of_root_and_one_to_what_is_his_are_followed(home: pathlib.Path, foreign: pathlib.Path) -> None:
    path = link(home / ".env.production", foreign, 0)
    with enter(str(path)) as place:
        assert place.read(99) == SECRET and place.target == str(foreign)
        assert [(one.path, one.owner) for one in place.links] == [(str(path), 0)]
    (home / "releases").mkdir()
    (home / "shared").write_text("B=2\n")
    for one in (home / "releases", home / "shared"):
        os.chown(one, APP, APP)
    link(home / "current", "releases", APP)
    link(home / "releases" / ".env.production", "../shared", APP)
    with enter(str(home / "current" / ".env.production")) as place:
        assert place.read(9) == b"B=2\n" and place.target == f"{home}/shared" and len(place.links) == 2


@as_root
def test_the_owner_of_the_process_follows_his_own_links(home: pathlib.Path, foreign: pathlib.Path) -> None:
    """Without root there are no rights to lend: the kernel itself says no."""
    path = link(home / ".env.production", foreign, APP)
    for folder in home.parents:
        if "pytest" in str(folder):
            folder.chmod(0o755)
    os.seteuid(APP)
    try:
        with pytest.raises(PermissionError):
            read(str(path), 9)
    finally:
        os.seteuid(0)


@as_root
def test_a_second_name_counts_as_a_link_where_anybody_can_give_one(
    home: pathlib.Path, foreign: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(foreign, home / "second-name")
    guard = tmp_path / "guard"
    monkeypatch.setattr(gate, "_GUARD", str(guard))
    for setting in ("0\n", ""):
        guard.write_text(setting) if setting else guard.unlink()
        assert "has 2 names and belongs to root" in str(refusal(home / "second-name").strerror)
    link(foreign.with_name("roots-link"), foreign, 0)
    os.link(foreign.with_name("roots-link"), home / "moved", follow_symlinks=False)
    refusal(home / "moved")
    guard.write_text("1\n")
    assert read(str(home / "second-name"), 99) == SECRET
    assert read(str(home / "moved"), 99) == SECRET


def test_nothing_is_waited_for_and_only_a_regular_file_is_read(home: pathlib.Path) -> None:
    os.mkfifo(home / "pipe")
    with pytest.raises(OSError) as caught:
        read(str(home / "pipe"), 9)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(IsADirectoryError):
        read(str(home), 9)
    with pytest.raises(OSError, match="NUL"):
        read("/a\0b", 9)
    for whole in ("/", "/.."):
        with pytest.raises(IsADirectoryError):
            read(whole, 9)
    with pytest.raises(OSError) as caught:
        read(str(home / ".env.production"), 3)
    assert caught.value.errno == errno.EFBIG


def test_loops_end(home: pathlib.Path) -> None:
    (home / "loop").symlink_to("loop")
    (home / "around").symlink_to("around/more")
    for name in ("loop", "around", "around/x"):
        with pytest.raises(OSError) as caught:
            read(str(home / name), 9)
        assert caught.value.errno == errno.ELOOP, name


def test_the_last_link_can_be_left_alone(home: pathlib.Path) -> None:
    (home / "link").symlink_to(".env.production")
    with enter(str(home / "link"), follow=False) as place:
        assert place.name == "link" and place.links == ()
        with pytest.raises(OSError) as caught:
            place.open_file()
        assert caught.value.errno == errno.ELOOP


def test_what_was_opened_is_not_looked_up_again(home: pathlib.Path, foreign: pathlib.Path) -> None:
    with enter(str(home / ".env.production")) as place:
        home.rename(home.with_name("gone"))
        home.symlink_to(foreign.parent)
        assert place.read(9) == b"A=1\n"
        with enter(str(home / ".env.production")) as now:
            assert not now.same_as(place)
    with (
        enter(str(home.with_name("gone") / ".env.production")) as one,
        enter(f"{home.parent}/gone/../gone/.env.production") as two,
    ):
        assert one.same_as(two)


def test_no_descriptor_is_left_open(home: pathlib.Path, foreign: pathlib.Path) -> None:
    link(home / "a", foreign, 0 if os.geteuid() == 0 else os.geteuid())
    before = len(os.listdir("/proc/self/fd"))
    for path in ("a", "loop", "no/such", ".env.production", ".env.production/x"):
        with contextlib.suppress(OSError):
            read(str(home / path), 1)
    assert len(os.listdir("/proc/self/fd")) == before
