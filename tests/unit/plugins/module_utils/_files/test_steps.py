# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of the module: what is refused before anything is touched, what comes out, and the way back."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.rewrite import Change
from ansible_collections.fediops.mastodon.plugins.module_utils._files.snapshot import checksum
from ansible_collections.fediops.mastodon.plugins.module_utils._files.steps import (
    Outcome,
    Request,
    present,
    restored,
)

OLD = b"A=1\nSMTP_SERVER=old\n"


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    found = tmp_path / ".env.production"
    found.write_bytes(OLD)
    found.chmod(0o640)
    os.utime(found, ns=(10**18, 10**18))
    return found


def codes(outcome: Outcome) -> list[str]:
    return [one.code for one in outcome.findings]


def tree(path: pathlib.Path) -> dict[str, tuple[bytes, int]]:
    return {one.name: (one.read_bytes(), one.stat().st_mtime_ns) for one in path.parent.iterdir()}


def edited(path: pathlib.Path, **options: object) -> Outcome:
    return present(Request(str(path), set={"SMTP_SERVER": "new"}, **options))


def test_edit(path: pathlib.Path) -> None:
    outcome = present(
        Request(str(path), set={"SMTP_SERVER": "new", "SMTP_PORT": 587}, secrets={"SMTP_PASSWORD": "a b"})
    )
    assert path.read_bytes() == b"A=1\nSMTP_SERVER=new\nSMTP_PORT=587\nSMTP_PASSWORD='a b'\n"
    assert outcome.changed
    assert outcome.changes == [
        Change("SMTP_SERVER", "changed"),
        Change("SMTP_PORT", "added"),
        Change("SMTP_PASSWORD", "added"),
    ]
    assert (outcome.checksum_before, outcome.checksum_after) == (checksum(OLD), checksum(path.read_bytes()))
    assert outcome.backup_file == f"{path}.last-smtp"
    assert pathlib.Path(outcome.backup_file).read_bytes() == OLD
    assert outcome.diff == (
        "SMTP_SERVER=old\n",
        "SMTP_SERVER=new\nSMTP_PORT=587\nSMTP_PASSWORD=(hidden, added)\n",
    )
    again = present(Request(str(path), set={"SMTP_SERVER": "new", "SMTP_PORT": 587}, secrets={"SMTP_PASSWORD": "a b"}))
    assert (again.changed, again.changes, again.backup_file, again.diff) == (False, [], None, ("", ""))
    assert again.checksum_before == again.checksum_after == outcome.checksum_after


def test_check_mode_tells_the_same_and_touches_nothing(path: pathlib.Path) -> None:
    before = tree(path)
    planned = edited(path, check_mode=True)
    assert tree(path) == before
    assert planned == edited(path)
    assert tree(path) != before


def test_check_mode_of_an_edit_that_fails_fails_alike(path: pathlib.Path) -> None:
    wanted = {"set": {"SMTP_SERVER": 'it\'s "odd" \\'}}
    assert present(Request(str(path), check_mode=True, **wanted)) == present(Request(str(path), **wanted))


def test_without_backup(path: pathlib.Path) -> None:
    assert edited(path, backup=False).backup_file is None
    assert list(tree(path)) == [path.name]


def test_expected_checksum(path: pathlib.Path) -> None:
    before = tree(path)
    outcome = edited(path, expected_checksum=checksum(b"another"))
    assert (codes(outcome), outcome.changed, tree(path)) == (["env-file-changed"], False, before)
    assert outcome.checksum_before == outcome.checksum_after == checksum(OLD)
    assert edited(path, expected_checksum=checksum(OLD)).changed


@pytest.mark.parametrize(
    ("value", "written"),
    [(587, b"587"), (True, b"true"), (False, b"false"), (1.5, b"1.5"), ("", b""), ("x y", b"'x y'")],
)
def test_values_that_are_no_text(path: pathlib.Path, value: object, written: bytes) -> None:
    present(Request(str(path), set={"SMTP_SERVER": value}))
    assert path.read_bytes() == b"A=1\nSMTP_SERVER=" + written + b"\n"


@pytest.mark.parametrize("value", [None, [], {}, ["a"]])
def test_values_that_cannot_be_text(path: pathlib.Path, value: object) -> None:
    before = tree(path)
    outcome = present(Request(str(path), set={"SMTP_SERVER": value}))
    assert (codes(outcome), outcome.changed, tree(path)) == (["env-value-not-text"], False, before)


@pytest.mark.parametrize(
    "options",
    [
        {"set": {"K": "1"}, "secrets": {"K": "2"}},
        {"set": {"K": "1"}, "remove": ["K"]},
        {"secrets": {"K": "1"}, "remove": ["K"]},
    ],
)
def test_a_name_asked_for_twice(path: pathlib.Path, options: dict[str, object]) -> None:
    before = tree(path)
    outcome = present(Request(str(path), **options))
    assert (codes(outcome), [one.subject for one in outcome.findings]) == (["env-name-twice"], ["K"])
    assert tree(path) == before


def test_no_reader_named(path: pathlib.Path) -> None:
    before = tree(path)
    assert codes(present(Request(str(path), set={"K": "a b"}, readers=[]))) == ["env-no-reader"]
    assert tree(path) == before
    edit = edited(path)
    assert restored(Request(str(path), readers=[], expected_checksum=edit.checksum_after)).changed


def test_a_value_of_bytes_that_are_no_text(path: pathlib.Path) -> None:
    before = tree(path)
    outcome = present(Request(str(path), secrets={"K": "zq\udcff"}, readers=["compose"]))
    assert codes(outcome) == ["env-value-not-writable"]
    assert "not UTF-8" in outcome.findings[0].message
    assert "zq" not in outcome.findings[0].sentence()
    assert tree(path) == before


def test_missing_file_is_not_made(tmp_path: pathlib.Path) -> None:
    outcome = edited(tmp_path / "none")
    assert (codes(outcome), outcome.checksum_before, list(tmp_path.iterdir())) == (["env-file-missing"], None, [])


def test_not_utf8_and_empty(path: pathlib.Path) -> None:
    path.write_bytes(b"A=\xff\n")
    assert codes(edited(path)) == ["env-file-not-utf8"]
    path.write_bytes(b"")
    assert edited(path).changed
    assert path.read_bytes() == b"SMTP_SERVER=new\n"


def test_warnings_come_with_a_good_edit_too(path: pathlib.Path) -> None:
    path.write_bytes(OLD + b"TAG=$(id)\n")
    outcome = edited(path)
    assert outcome.changed
    assert codes(outcome) == ["env-command-runs"]


def test_restored(path: pathlib.Path) -> None:
    edit = edited(path)
    asked = Request(str(path), expected_checksum=edit.checksum_after, backup_file=edit.backup_file)
    planned = restored(Request(**{**vars(asked), "check_mode": True}))
    assert path.read_bytes() != OLD
    outcome = restored(asked)
    assert outcome == planned
    assert (outcome.changed, outcome.changes) == (True, [Change("SMTP_SERVER", "changed")])
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (OLD, 10**18)
    assert outcome.checksum_after == checksum(OLD)
    again = restored(asked)
    assert (again.changed, again.findings) == (False, [])


def test_restored_may_count_as_new(path: pathlib.Path) -> None:
    edit = edited(path)
    restored(Request(str(path), expected_checksum=edit.checksum_after, keep_mtime=False))
    assert path.read_bytes() == OLD
    assert path.stat().st_mtime_ns > 10**18


def test_the_rolling_backup_is_the_default_and_the_first_one_can_be_named(path: pathlib.Path) -> None:
    edited(path)
    second = present(Request(str(path), set={"SMTP_SERVER": "third"}))
    outcome = restored(Request(str(path), expected_checksum=second.checksum_after))
    assert path.read_bytes() == b"A=1\nSMTP_SERVER=new\n"
    restored(Request(str(path), expected_checksum=outcome.checksum_after, backup_file=f"{path}.before-smtp"))
    assert path.read_bytes() == OLD


def test_a_file_that_somebody_edited_since_is_left(path: pathlib.Path) -> None:
    edit = edited(path)
    path.write_bytes(path.read_bytes() + b"THEIRS=1\n")
    before = tree(path)
    outcome = restored(Request(str(path), expected_checksum=edit.checksum_after))
    assert (codes(outcome), outcome.changed, tree(path)) == (["env-not-ours"], False, before)


def test_without_a_checksum_the_note_of_the_last_edit_decides(path: pathlib.Path) -> None:
    edited(path)
    second = present(Request(str(path), set={"SMTP_SERVER": "third"}))
    changed = path.read_bytes() + b"THEIRS=1\n"
    path.write_bytes(changed)
    assert codes(restored(Request(str(path)))) == ["env-not-ours"]
    path.write_bytes(changed[: -len(b"THEIRS=1\n")])
    outcome = restored(Request(str(path)))
    assert (outcome.checksum_before, outcome.changed) == (second.checksum_after, True)
    assert path.read_bytes() == b"A=1\nSMTP_SERVER=new\n"
    again = restored(Request(str(path)))
    assert (again.changed, again.findings) == (False, [])


def test_without_a_note_nothing_is_put_back(path: pathlib.Path) -> None:
    edited(path)
    pathlib.Path(f"{path}.last-smtp.sha256").unlink()
    before = tree(path)
    outcome = restored(Request(str(path)))
    assert (codes(outcome), outcome.changed, tree(path)) == (["env-not-ours"], False, before)
    assert "is missing" in outcome.findings[0].message
    # The first backup never has a note: the file may have been edited many times since.
    assert codes(restored(Request(str(path), backup_file=f"{path}.before-smtp"))) == ["env-not-ours"]


def test_no_backup_to_put_back(path: pathlib.Path) -> None:
    outcome = restored(Request(str(path), expected_checksum=checksum(OLD)))
    assert codes(outcome) == ["env-backup-missing"]
    outcome = restored(Request(str(path), expected_checksum=checksum(OLD), backup_file=str(path.parent)))
    assert codes(outcome) == ["env-file-not-regular"]


def test_a_backup_that_cannot_be_read(path: pathlib.Path) -> None:
    edit = edited(path)
    backup = pathlib.Path(str(edit.backup_file))
    backup.chmod(0)
    for folder in (path.parent, *path.parent.parents):
        if "pytest" in str(folder):
            folder.chmod(0o755)
    path.chmod(0o644)
    before = path.read_bytes()
    root = not os.geteuid()
    try:
        if root:
            os.seteuid(65534)
        outcome = restored(Request(str(path), expected_checksum=edit.checksum_after))
    finally:
        if root:
            os.seteuid(0)
    assert [(one.code, one.subject) for one in outcome.findings] == [("env-file-denied", str(backup))]
    assert (outcome.changed, outcome.backup_file, outcome.checksum_after) == (False, None, edit.checksum_after)
    assert path.read_bytes() == before


def test_a_link_in_the_place_of_the_backup_is_not_followed(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The directory may be the application's: its owner must not get to read what only root can."""
    edit = edited(path)
    secret = tmp_path / "shadow"
    secret.write_text("root:zq\n")
    backup = pathlib.Path(str(edit.backup_file))
    backup.unlink()
    backup.symlink_to(secret)
    outcome = restored(Request(str(path), expected_checksum=edit.checksum_after))
    assert (codes(outcome), outcome.changed) == (["env-file-not-regular"], False)
    assert b"zq" not in path.read_bytes()


def test_the_file_is_gone_or_is_the_backup_already(path: pathlib.Path) -> None:
    edit = edited(path)
    asked = Request(str(path), expected_checksum=edit.checksum_after)
    path.write_bytes(OLD)
    before = tree(path)
    outcome = restored(asked)
    assert (outcome.changed, outcome.findings, tree(path)) == (False, [], before)
    path.unlink()
    assert codes(restored(asked)) == ["env-file-missing"]
    assert not path.exists()


def test_restored_keeps_owner_and_mode_of_the_file_and_leaves_nothing(path: pathlib.Path) -> None:
    edit = edited(path)
    path.chmod(0o600)
    names = {one.name for one in path.parent.iterdir()}
    restored(Request(str(path), expected_checksum=edit.checksum_after))
    assert path.stat().st_mode & 0o777 == 0o600
    assert {one.name for one in path.parent.iterdir()} == names


def test_a_backup_that_no_reader_takes_can_be_put_back(path: pathlib.Path) -> None:
    backup = path.with_name("backup")
    backup.write_bytes(b"A=\xff\n")
    outcome = restored(Request(str(path), expected_checksum=checksum(OLD), backup_file=str(backup)))
    assert (outcome.changed, outcome.changes, path.read_bytes()) == (True, [], b"A=\xff\n")


def test_a_line_is_named_with_its_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "e"
    path.write_bytes(b"A=1\nB=\xff\n")
    outcome = present(Request(str(path), set={"A": "2"}))
    assert [(one.code, one.subject) for one in outcome.findings] == [("env-file-not-utf8", f"{path}, line 2")]
