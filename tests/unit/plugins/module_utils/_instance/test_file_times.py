# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.file_times import (
    Sighting,
    Stamp,
    Start,
    ahead,
    is_stale,
    look,
)

NOW = 10_000.0


def stamp(modified: float, changed: float | None = None, inode: int = 1, size: int = 5) -> Stamp:
    at = modified if changed is None else changed
    return Stamp(1, inode, size, int(modified * 1e9), int(at * 1e9))


def start(earliest: float, monotonic: float = 100.0) -> Start:
    return Start("web", monotonic, earliest)


def seen(stamp_: Stamp, at: float = 90.0, **current: float) -> Sighting:
    return Sighting("boot", at, {"env": stamp_}, current)


FUTURE = stamp(13_000.0)


@pytest.mark.parametrize(
    ("process", "file", "sighting", "stale"),
    [
        (None, stamp(1.0), None, True),
        # Times that can be true decide.
        (start(9_000.0), stamp(8_000.0), None, False),
        (start(9_000.0), stamp(9_000.0), None, True),
        (start(9_000.0), stamp(8_000.0, 9_500.0), None, False),  # put back with its old time, or chmod
        # One that cannot be true does not: the inode's does, if it can be.
        (start(9_000.0), stamp(13_000.0, 8_000.0), None, False),
        (start(9_000.0), stamp(13_000.0, 9_500.0), None, True),
        (start(9_999.0), FUTURE, None, True),
        # The same file as at a sighting has not changed since.
        (start(9_000.0, 91.0), FUTURE, seen(FUTURE), False),
        (start(9_000.0, 89.0), FUTURE, seen(FUTURE), True),
        (start(9_000.0, 89.0), FUTURE, seen(FUTURE, web=89.0), False),
        (start(9_000.0, 89.0), FUTURE, seen(FUTURE, web=70.0), True),
        (start(9_000.0, 89.0), FUTURE, seen(FUTURE, other=89.0), True),
        # Another one has, though not necessarily since the process started.
        (start(9_000.0, 91.0), FUTURE, seen(stamp(12_000.0)), True),
        (start(9_000.0, 91.0), stamp(8_000.0), seen(FUTURE), False),
        # Edited while the clock was behind.
        (start(9_000.0, 80.0), stamp(8_000.0), seen(stamp(7_000.0)), True),
        (start(9_000.0, 80.0), stamp(8_000.0, 8_000.0), seen(stamp(8_000.0, 7_000.0, inode=2)), False),
    ],
)
def test_when_a_process_is_stale(process: Start | None, file: Stamp, sighting: Sighting | None, stale: bool) -> None:
    assert is_stale(process, {"env": file}, NOW, sighting) is stale
    assert is_stale(process, {"old": stamp(1.0), "env": file}, NOW, sighting) is stale


def test_without_files_only_an_unknown_start_is_a_doubt() -> None:
    assert is_stale(None, {}, NOW, None) and not is_stale(start(1.0), {}, NOW, None)


def test_what_is_said_of_times_that_are_ahead() -> None:
    files = {"a": stamp(NOW + 1.5), "b": stamp(NOW + 90, NOW - 5), "c": stamp(NOW + 3 * 86400)}
    first, second = ahead(files, NOW)
    assert (
        first.subject == "b"
        and first.message == "Its time is 1970-01-01T02:48:10Z, 90 seconds ahead of this host's clock."
    )
    assert second.subject == "c" and "3 days ahead" in second.message and "was set back" in second.message


def test_links_count_as_well_as_what_they_lead_to(tmp_path) -> None:
    (tmp_path / "old").write_text("x")
    (tmp_path / "env").symlink_to("old")
    os.utime(tmp_path / "old", (1000, 1000))
    os.utime(tmp_path / "env", (3000, 3000), follow_symlinks=False)
    found = look([str(tmp_path / "env"), str(tmp_path / "none")])
    assert sorted(found) == [f"{tmp_path}/env", f"{tmp_path}/env (link)"]
    assert sorted(one.modified for one in found.values()) == [1000 * 10**9, 3000 * 10**9]
    assert is_stale(start(2_000.0), found, NOW, None) and not is_stale(start(4_000.0), found, NOW, None)
