# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks into the mailboxes until everything has arrived or the time is up: a thread and a connection for each."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import concurrent.futures
import dataclasses
import time
import typing as t

from . import folders, imap
from .verdict import Wanted

#: Seconds between two looks, and how often in a row a server may fail before it is given up.
PAUSE = 2.0
FAILURES = 3


@dataclasses.dataclass(frozen=True)
class Box:
    """One mailbox: the address that it belongs to, its server, and the receiver's name in its own results."""

    address: str
    server: imap.Server
    authserv_id: str = ""

    def may_have(self, wanted: Wanted) -> bool:
        """Whether a message may be in it: one without an address may be in any."""
        return not wanted.to or wanted.to.lower() == self.address.lower()


@dataclasses.dataclass(frozen=True)
class Seen:
    """One message in a mailbox; C(text) is None where it is too large."""

    box: Box
    found: folders.Found
    text: bytes | None
    others: int


@dataclasses.dataclass
class Search:
    """The search in one mailbox.

    :ivar seen: what was found. One Message-ID may be wanted in several mailboxes, so it alone is no key.
    :ivar code: the code of the finding if it cannot be searched; empty otherwise.
    """

    box: Box
    seen: dict[Wanted, Seen] = dataclasses.field(default_factory=dict)
    code: str = ""
    why: str = ""


def search_all(boxes: t.Sequence[Box], wanted: t.Sequence[Wanted], since: float | None, seconds: float) -> list[Search]:
    """Search all mailboxes at once. In one that can have none of the messages, nobody logs in.

    :param since: what the servers took before is not meant.
    """
    until = time.monotonic() + seconds
    missing = set(wanted)
    searches = [Search(box) for box in boxes]

    def one(search: Search) -> None:
        mine = [each for each in wanted if search.box.may_have(each)]
        if mine:
            _search(search, mine, since, until, missing)

    with concurrent.futures.ThreadPoolExecutor(max(1, len(boxes))) as pool:
        list(pool.map(one, searches))
    return searches


def _search(search: Search, mine: t.Sequence[Wanted], since: float | None, until: float, missing: set[Wanted]) -> None:
    failures, rounds = 0, 0
    while True:
        try:
            with imap.opened(search.box.server, until) as connection:
                places = folders.folders_of(connection)
                while True:
                    done = _round(search, connection, places, mine, since, missing)
                    search.code, failures, rounds = "", 0, rounds + 1
                    if done or not _paused(until):
                        return
        except imap.Refused as refused:  # trying again would lock the account
            search.code, search.why = "mailbox-login-refused", str(refused)
            return
        except imap.Unreachable as error:
            if (rounds or failures) and time.monotonic() >= until:  # the time was up in the middle of a look
                return
            failures += 1
            search.code, search.why = "mailbox-unreachable", str(error)
            if failures >= FAILURES or not _paused(until):
                return


def _paused(until: float) -> bool:
    """Wait for the next look; false if there is none."""
    if time.monotonic() + PAUSE >= until:
        return False
    time.sleep(PAUSE)
    return True


def _round(
    search: Search,
    connection: imap.Connection,
    places: t.Sequence[folders.Folder],
    mine: t.Sequence[Wanted],
    since: float | None,
    missing: set[Wanted],
) -> bool:
    """Look once; whether there is nothing left to wait for."""
    for one in mine:
        if one not in missing:
            continue
        found = [each for place in places for each in folders.search(connection, place, one.message_id, since)]
        if found:
            first = min(found, key=lambda each: (each.arrived, each.folder.everything))
            others = {each.fingerprint for each in found} - {first.fingerprint}
            search.seen[one] = Seen(search.box, first, folders.whole(connection, first), len(others))
            missing.discard(one)
    return not any(one in missing for one in mine)


def delete(seen: Seen, seconds: float = 30.0) -> bool:
    """Delete one message that was found; whether it is gone."""
    try:
        with imap.opened(seen.box.server, time.monotonic() + seconds) as connection:
            return folders.delete(connection, seen.found)
    except (imap.Unreachable, imap.Refused):
        return False
