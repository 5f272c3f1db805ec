# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of a mailbox, and messages in them by Message-ID. Looks only; C(delete) is the exception."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import base64
import binascii
import dataclasses
import imaplib
import re
import time
import typing as t

from .imap import Connection
from .message import HEADERS, fields_of, fingerprint, value_of

#: More folders are not searched, and of one folder no more messages with one Message-ID are read.
MOST_FOLDERS = 200
MOST_COPIES = 10
#: Larger messages are judged by their headers alone.
WHOLE = 1024 * 1024

_LISTED = re.compile(rb"\(([^()]{0,400})\) (?:\"(?:[^\"\\]|\\.)?\"|NIL) ?(.{0,1000})", re.DOTALL)
_JUNK = re.compile(r"(?:junk|spam|bulk)", re.IGNORECASE)
_ENCODED = re.compile(r"&([A-Za-z0-9+,]{0,400})-")
_DATE = re.compile(rb'INTERNALDATE "[^"]{20,40}"')
_SIZE = re.compile(rb"RFC822\.SIZE (\d{1,12})")
_UID = re.compile(rb"[( ]UID (\d{1,12})")
_VALIDITY = re.compile(rb"\d{1,12}")


@dataclasses.dataclass(frozen=True)
class Folder:
    """One folder: the name as the server has it, the name for people, and whether it is for junk mail.

    :ivar everything: it shows the messages of the other folders (\\All).
    """

    raw: bytes
    name: str
    junk: bool = False
    everything: bool = False

    @property
    def inbox(self) -> bool:
        """Whether it is the one that every mailbox has; its name may be in any case (RFC 9051, section 5.1)."""
        return self.raw.upper() == b"INBOX"

    def quoted(self) -> t.Any:
        """The name in a command (octets, which imaplib sends as they are)."""
        return b'"' + self.raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@dataclasses.dataclass(frozen=True)
class Found:
    """One message: where it is, when the server took it (seconds since 1970), its size and the header's octets."""

    folder: Folder
    uid: str
    validity: str
    arrived: float
    size: int
    header: bytes

    @property
    def fingerprint(self) -> str:
        """The same for copies of it in other folders."""
        return fingerprint(self.header)


def folders_of(connection: Connection) -> list[Folder]:
    """The folders that can be opened: INBOX first, then those for junk mail; what only shows others, last."""
    pattern = '"*"'
    if {"SPECIAL-USE", "LIST-EXTENDED"} <= _capabilities(connection):
        pattern = '"*" RETURN (SPECIAL-USE)'  # RFC 6154, section 3
    connection.forget()
    data = connection.granted("list its folders", connection.list('""', pattern))
    found = [folder for one in data if (folder := _folder(one))]
    inbox = next((one for one in found if one.inbox), Folder(b"INBOX", "INBOX"))
    others = {one.raw: one for one in found if one.raw != inbox.raw}.values()
    return [inbox, *sorted(others, key=lambda one: (one.everything, not one.junk))][:MOST_FOLDERS]


def _capabilities(connection: Connection) -> set[str]:
    """What the server offers after the login."""
    connection.forget()
    _status, data = connection.capability()
    return set(bytes(data[-1] or b"").decode("ascii", "replace").upper().split())


def _folder(listed: t.Any) -> Folder | None:
    prefix, literal = listed if isinstance(listed, tuple) else (listed, None)
    matched = _LISTED.match(prefix or b"")
    if not matched:
        return None
    raw = literal if literal is not None else _unquoted(matched[2])
    flags = {one.lower() for one in matched[1].split()}
    if not raw or rb"\noselect" in flags or rb"\nonexistent" in flags or raw.translate(None, b"\r\n\0") != raw:
        return None
    name = _readable(raw)
    junk = rb"\junk" in flags or (not flags & _OTHER_USES and bool(_JUNK.search(re.split(r"[/.]", name)[-1])))
    return Folder(raw, name, junk, everything=bool(flags & {rb"\all", rb"\flagged"}))


#: A folder with one of these attributes is not for junk mail, whatever its name is.
_OTHER_USES = {rb"\all", rb"\archive", rb"\drafts", rb"\flagged", rb"\sent", rb"\trash"}


def _unquoted(text: bytes) -> bytes:
    text = text.strip()
    return re.sub(rb"\\(.)", rb"\1", text[1:-1]) if text[:1] == b'"' and text[-1:] == b'"' else text


def _readable(raw: bytes) -> str:
    """A folder's name for people: from the modified UTF-7 of IMAP, or UTF-8."""

    def decoded(part: re.Match[str]) -> str:
        if not part[1]:
            return "&"
        packed = part[1].replace(",", "/")
        try:
            return base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-16-be")
        except (binascii.Error, UnicodeError):
            return part[0]

    return _ENCODED.sub(decoded, raw[:400].decode("utf-8", "replace"))


def search(connection: Connection, folder: Folder, message_id: str, since: float | None) -> list[Found]:
    """The messages of a folder with this Message-ID, earliest first.

    None are in a folder that may not be opened, such as one of somebody else; INBOX always may.

    :param since: messages that the server took before are left out.
    :raises Unreachable: the server refuses to open INBOX, or to search.
    """
    connection.forget()
    opened = connection.select(folder.quoted(), readonly=True)
    if folder.inbox:
        connection.granted("open INBOX", opened)
    if opened[0] != "OK":
        return []
    validity = _validity(connection)
    criteria = ["HEADER", "Message-ID", f'"<{message_id}>"']
    if since is not None:  # a date without a time zone: a day more
        criteria = ["SINCE", _day(since - 86400), *criteria]
    connection.forget()
    data = connection.granted(f"search {folder.name}", connection.uid("SEARCH", *criteria))
    numbers = b" ".join(one for one in data if isinstance(one, bytes)).split()
    uids = sorted({int(one) for one in numbers if one.isdigit() and len(one) < 12})
    found = [one for uid in uids[:MOST_COPIES] if (one := _fetched(connection, folder, str(uid), validity))]
    return [one for one in found if _is(one, message_id) and (since is None or one.arrived >= since)]


def _day(when: float) -> str:
    day = time.gmtime(when)
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day.tm_mday}-{months[day.tm_mon - 1]}-{day.tm_year}"


def _is(found: Found, message_id: str) -> bool:
    """A search finds parts of a Message-ID as well."""
    return value_of(fields_of(found.header), "message-id").strip() == f"<{message_id}>"


def _validity(connection: Connection) -> str:
    _status, data = connection.response("UIDVALIDITY")
    matched = _VALIDITY.match(data[0] or b"") if data else None
    return matched[0].decode() if matched else ""


def _fetched(connection: Connection, folder: Folder, uid: str, validity: str) -> Found | None:
    meta, header = _fetch(connection, folder, uid, f"(UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER]<0.{HEADERS}>)")
    date, size = _DATE.search(meta), _SIZE.search(meta)
    when = imaplib.Internaldate2tuple(date[0]) if date else None
    if when is None or size is None:
        return None
    return Found(folder, uid, validity, time.mktime(when), int(size[1]), header[:HEADERS])


def _fetch(connection: Connection, folder: Folder, uid: str, what: str) -> tuple[bytes, bytes]:
    """The answer about one message: everything around the literal, and the literal."""
    connection.forget()
    data = connection.granted(f"show a message in {folder.name}", connection.uid("FETCH", uid, what))
    for index, one in enumerate(data):
        if isinstance(one, tuple):
            after = data[index + 1] if index + 1 < len(data) and isinstance(data[index + 1], bytes) else b""
            meta = one[0] + b" " + after
            if uid.encode() in _UID.findall(meta):
                return meta, one[1]
    return b"", b""


def whole(connection: Connection, found: Found) -> bytes | None:
    """The whole message; None if it is too large."""
    if found.size > WHOLE:
        return None
    connection.forget()
    connection.select(found.folder.quoted(), readonly=True)
    _meta, text = _fetch(connection, found.folder, found.uid, f"(UID BODY.PEEK[]<0.{WHOLE}>)")
    return text if text.startswith(found.header[:1000]) else None


def delete(connection: Connection, found: Found) -> bool:
    """Delete one message and nothing else; whether it is gone."""
    connection.forget()
    status, _data = connection.select(found.folder.quoted())
    if status != "OK" or not found.validity or _validity(connection) != found.validity:
        return False
    if "UIDPLUS" not in _capabilities(connection):  # EXPUNGE would delete what others have marked
        return False
    connection.granted("mark a message", connection.uid("STORE", found.uid, "+FLAGS.SILENT", r"(\Deleted)"))
    connection.granted("delete a message", connection.uid("EXPUNGE", found.uid))  # OK as well if it is not marked
    return True
