# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The note that an edit is not proved: what the next run knows when one has died at any point."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import threading
import types
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._files import replace as replacing
from ansible_collections.fediops.mastodon.plugins.module_utils._files import unproved
from ansible_collections.fediops.mastodon.plugins.module_utils._files.gate import Place, enter
from ansible_collections.fediops.mastodon.plugins.module_utils._files.snapshot import checksum
from ansible_collections.fediops.mastodon.plugins.module_utils._files.steps import Outcome, Request, present, restored
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError

OLD = b"A=1\nSMTP_SERVER=old\n"
ALL = ("mailer", "services", "queue")


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    found = tmp_path / ".env.production"
    found.write_bytes(OLD)
    os.utime(found, ns=(10**18, 10**18))
    return found


def rollout(path: pathlib.Path, server: str = "new", **options: t.Any) -> Outcome:
    return present(Request(str(path), set={"SMTP_SERVER": server}, prove=options.pop("prove", ALL), **options))


def undo(path: pathlib.Path, edit: Outcome, **options: t.Any) -> Outcome:
    request = Request(
        str(path), backup_file=edit.backup_file, expected_checksum=edit.checksum_after, ticket=edit.ticket, **options
    )
    return restored(request)


def prove(path: pathlib.Path, edit: Outcome, *names: str) -> None:
    driver: t.Any = types.SimpleNamespace(instance=types.SimpleNamespace(env_file=str(path)))
    for name in names:
        with unproved.proving(driver, edit.ticket, name, wait=0.2) as proof:
            proof.done()


def missing(path: pathlib.Path) -> list[str]:
    known, findings = unproved.about(str(path))
    assert [one.code for one in findings] == (["edit-unproved"] if known["ticket"] else [])
    return known["unproved"]


def names(path: pathlib.Path) -> list[str]:
    return sorted(one.name.removeprefix(".env.production") for one in path.parent.iterdir())


def codes(outcome: Outcome) -> list[str]:
    return [one.code for one in outcome.findings]


def test_the_note_lives_from_the_edit_to_the_last_proof(path: pathlib.Path) -> None:
    path.chmod(0o644)
    edit = rollout(path)
    assert edit.changed and edit.unproved == ALL and edit.ticket
    note = path.with_name(".env.production.smtp-unproved")
    assert note.stat().st_mode & 0o007 == 0 and b"old" not in note.read_bytes()
    prove(path, edit, "mailer", "services")
    assert missing(path) == ["queue"]
    prove(path, edit, "queue")
    assert names(path) == ["", ".before-smtp", ".last-smtp", ".last-smtp.sha256"]
    again = rollout(path)
    assert (again.changed, again.unproved, again.ticket, again.backup_file) == (False, (), None, None)


def test_without_proofs_nothing_is_noted(path: pathlib.Path) -> None:
    edit = present(Request(str(path), set={"SMTP_SERVER": "new"}))
    assert edit.changed and (edit.unproved, edit.ticket) == ((), None)
    assert names(path) == ["", ".before-smtp", ".last-smtp", ".last-smtp.sha256"]


def test_check_mode_says_what_would_have_to_be_proved(path: pathlib.Path) -> None:
    planned = rollout(path, check_mode=True)
    assert planned.unproved == ALL and planned.ticket is None and names(path) == [""]
    edit = rollout(path)
    prove(path, edit, "mailer")
    before = path.with_name(".env.production.smtp-unproved").read_bytes()
    assert rollout(path, check_mode=True).unproved == ("services", "queue")
    assert path.with_name(".env.production.smtp-unproved").read_bytes() == before


def test_the_next_run_takes_over_what_is_missing_and_the_dead_one_cannot_go_on(path: pathlib.Path) -> None:
    dead = rollout(path)
    prove(path, dead, "mailer")
    heir = rollout(path)
    assert not heir.changed and heir.unproved == ("services", "queue") and heir.ticket != dead.ticket
    assert heir.backup_file == dead.backup_file and heir.checksum_after == dead.checksum_after
    with pytest.raises(FindingError) as caught:
        prove(path, dead, "services")
    assert caught.value.finding.code == "edit-taken-over"
    refused = undo(path, dead)
    assert codes(refused) == ["edit-taken-over"] and path.read_bytes() != OLD
    prove(path, heir, "services", "queue")
    assert names(path) == ["", ".before-smtp", ".last-smtp", ".last-smtp.sha256"]
    with pytest.raises(FindingError):
        prove(path, heir, "queue")


def test_the_heir_can_undo_what_the_dead_run_did(path: pathlib.Path) -> None:
    rollout(path)
    heir = rollout(path)
    done = undo(path, heir)
    assert done.changed and path.read_bytes() == OLD and path.stat().st_mtime_ns == 10**18
    assert names(path) == ["", ".before-smtp", ".last-smtp", ".last-smtp.sha256"] and missing(path) == []


def test_an_edit_over_an_unproved_one_keeps_the_last_good_state(path: pathlib.Path) -> None:
    rollout(path, "wrong")
    second = rollout(path, "better")
    assert second.changed and second.unproved == ALL
    # the backup belongs to the second edit now, so that a rollback finds it
    assert replacing.noted(enter(str(second.backup_file))) == second.checksum_after
    assert pathlib.Path(str(second.backup_file)).read_bytes() == OLD
    undo(path, second)
    assert path.read_bytes() == OLD


def test_a_proved_edit_is_the_state_that_the_next_undo_goes_back_to(path: pathlib.Path) -> None:
    first = rollout(path, "first")
    prove(path, first, *ALL)
    second = rollout(path, "second")
    undo(path, second)
    assert b"SMTP_SERVER=first" in path.read_bytes()


def test_what_lacks_only_a_mail_through_the_queue_is_a_good_state(path: pathlib.Path) -> None:
    """Nobody may ever be set to receive one; an edit years later must not fall back to the state before the first."""
    first = rollout(path, "first")
    prove(path, first, "mailer", "services")
    good = path.read_bytes()
    second = rollout(path, "second")
    assert pathlib.Path(str(second.backup_file)).read_bytes() == good
    undo(path, second)
    assert path.read_bytes() == good


@pytest.mark.parametrize("before", [(), ("wrong",)], ids=["first-edit", "over-an-unproved-one"])
def test_killed_between_the_note_and_the_edit(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...]
) -> None:
    for server in before:
        rollout(path, server)

    class Killed(BaseException):
        pass

    def die(*_args: object, **_options: object) -> None:
        raise Killed

    target = "ansible_collections.fediops.mastodon.plugins.module_utils._files.steps.replace"
    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(target, die)
        rollout(path)
    assert missing(path) == (list(ALL) if before else [])
    edit = rollout(path)
    assert edit.changed and pathlib.Path(str(edit.backup_file)).read_bytes() == OLD
    undo(path, edit)
    assert path.read_bytes() == OLD


@pytest.mark.parametrize("before", [(), ("wrong",)], ids=["first-edit", "over-an-unproved-one"])
def test_an_edit_that_fails_leaves_the_note_as_it_was(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...]
) -> None:
    for server in before:
        rollout(path, server)
    note = path.with_name(".env.production.smtp-unproved")
    known = note.read_bytes() if before else None
    real = replacing._write

    def full(old: t.Any, there: Place, *rest: t.Any) -> str:
        if there.target == str(path):
            raise OSError(errno.ENOSPC, "full")
        return real(old, there, *rest)

    monkeypatch.setattr(replacing, "_write", full)
    failed = rollout(path)
    assert codes(failed) == ["env-disk-full"] and (failed.unproved, failed.ticket) == ((), None)
    assert (note.read_bytes() if note.exists() else None) == known


def test_a_state_that_somebody_edited_is_proved_again_but_never_undone(path: pathlib.Path) -> None:
    edit = rollout(path)
    prove(path, edit, "mailer", "services")
    path.write_bytes(path.read_bytes() + b"B=2\n")
    heir = rollout(path)
    assert (heir.changed, heir.unproved, heir.backup_file) == (False, ALL, None)
    assert codes(undo(path, edit)) == ["edit-taken-over"]


def test_what_need_not_be_proved_any_more_is_not_asked_for(path: pathlib.Path) -> None:
    edit = rollout(path)
    prove(path, edit, "mailer", "services")
    assert rollout(path, prove=("mailer", "services")).unproved == ()
    assert names(path) == ["", ".before-smtp", ".last-smtp", ".last-smtp.sha256"]


def test_a_backup_that_is_not_the_last_good_state_is_not_taken_for_it(path: pathlib.Path) -> None:
    edit = rollout(path)
    pathlib.Path(str(edit.backup_file)).write_bytes(b"something else\n")
    assert rollout(path).backup_file is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checksum": 1}', '{"outstanding": null}'])
def test_a_note_that_cannot_be_read_counts_as_none(path: pathlib.Path, text: str) -> None:
    path.with_name(".env.production.smtp-unproved").write_text(text)
    assert missing(path) == []
    assert rollout(path, "old").unproved == () and names(path) == [""]


#: The directory is the application's, and root reads in it.
def by_link(note: pathlib.Path) -> None:
    elsewhere = note.with_name("elsewhere")
    note.rename(elsewhere)
    note.symlink_to(elsewhere)


def by_pipe(note: pathlib.Path) -> None:
    note.unlink()
    os.mkfifo(note)


def by_length(note: pathlib.Path) -> None:
    note.write_bytes(note.read_bytes() + b" " * 5000)


def by_depth(note: pathlib.Path) -> None:
    note.write_text("[" * 4000)


@pytest.mark.parametrize("lay", [by_link, by_pipe, by_length, by_depth])
def test_what_the_application_may_have_laid_there_counts_as_none_and_goes(
    path: pathlib.Path, lay: t.Callable[[pathlib.Path], None]
) -> None:
    rollout(path)
    lay(path.with_name(".env.production.smtp-unproved"))
    assert missing(path) == []
    assert rollout(path).unproved == () and ".smtp-unproved" not in names(path)


def test_a_note_cannot_name_the_file_of_somebody_else_as_the_backup(path: pathlib.Path) -> None:
    edit = rollout(path)
    theirs = path.with_name("theirs")
    theirs.write_bytes(OLD)
    note = path.with_name(".env.production.smtp-unproved")
    note.write_text(json.dumps({**json.loads(note.read_text()), "backup": str(theirs)}))
    assert rollout(path).backup_file == edit.backup_file == str(path) + ".last-smtp"
    os.replace(theirs, path.with_name("secret"))
    path.with_name(".env.production.last-smtp").unlink()
    path.with_name(".env.production.last-smtp").symlink_to(path.with_name("secret"))
    assert rollout(path).backup_file is None


@pytest.mark.parametrize("name", ["checksum", "replaces", "good", "ticket"])
@pytest.mark.parametrize("value", ["{{ 1 + 1 }}", 7, None, ["a"]])
def test_a_note_with_other_words_than_ours_counts_as_none(path: pathlib.Path, name: str, value: object) -> None:
    rollout(path)
    note = path.with_name(".env.production.smtp-unproved")
    note.write_text(json.dumps({**json.loads(note.read_text()), name: value}))
    assert missing(path) == []


def test_a_step_at_work_is_waited_for(path: pathlib.Path) -> None:
    edit = rollout(path)
    driver: t.Any = types.SimpleNamespace(instance=types.SimpleNamespace(env_file=str(path)))
    busy, free = threading.Event(), threading.Event()

    def work() -> None:
        with unproved.proving(driver, edit.ticket, "mailer") as proof:
            busy.set()
            free.wait(10)
            proof.done()

    worker = threading.Thread(target=work)
    worker.start()
    busy.wait(10)
    assert codes(rollout(path, busy_timeout=0.1)) == ["env-file-busy"]
    free.set()
    assert rollout(path, busy_timeout=10).unproved == ("services", "queue")
    worker.join()


def test_what_a_killed_note_left_is_swept(path: pathlib.Path) -> None:
    path.with_name("..env.production.smtp-unproved.7-0123456789ab.fediops").write_text("")
    rollout(path)
    assert [name for name in os.listdir(path.parent) if name.endswith(".fediops")] == []


def test_checksum_of_the_good_state_is_the_one_before_the_edit(path: pathlib.Path) -> None:
    assert rollout(path).checksum_before == checksum(OLD)
