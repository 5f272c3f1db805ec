# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SMTP replies and the answer to EHLO (RFC 5321, sections 4.2 and 4.1.1.1)."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.DOTALL)
#: RFC 2034: the enhanced code begins the text, and its first digit is that of the reply code.
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?!\S)")
_SHOWN_EXTENSIONS = 40


@dataclasses.dataclass(frozen=True)
class Reply:
    """One reply, of one or many lines.

    :ivar code: the code of the first line, which Ruby's net-smtp uses.
    :ivar lines: the texts after the codes, printable characters only. They may hold anything, as the relay likes.
    """

    code: int
    lines: tuple[str, ...]

    @property
    def positive(self) -> bool:
        """Whether the code is 2xx."""
        return self.code // 100 == 2

    @property
    def enhanced(self) -> str | None:
        """The first enhanced status code. Many relays send none, some send one on each line."""
        for line in self.lines:
            found = _ENHANCED.match(line)
            if found and found.group(1) == str(self.code)[0]:
                return found.group(0)
        return None

    @property
    def text(self) -> str:
        """Code and texts on one line; an enhanced code repeated on each line appears once."""
        first, *others = self.lines or ("",)
        repeated = f"{self.enhanced} " if self.enhanced and first.startswith(self.enhanced) else ""
        shortened = [line[len(repeated) :] if repeated and line.startswith(repeated) else line for line in others]
        return " ".join(filter(None, (str(self.code), first, *shortened)))


def parse_line(line: bytes) -> tuple[int, bool, str] | None:
    """The code, whether more lines follow, and the text of one line without its line end; None if it is not a reply."""
    found = _LINE.match(line)
    if not found:
        return None
    return int(found.group(1)), found.group(2) == b"-", readable(found.group(3) or b"")


def readable(data: bytes) -> str:
    """Bytes from the network as text; unprintable ones are escaped or become a space."""
    text = data.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


@dataclasses.dataclass(frozen=True)
class Ehlo:
    """The capabilities that a relay announces.

    :ivar name: the relay's name for itself.
    :ivar size: largest accepted message in bytes; 0: no limit (RFC 1870); None: not announced.
    :ivar auth: SASL mechanisms, in upper case.
    :ivar extensions: all keywords with their parameters, as sent.
    :ivar esmtp: False if it refused EHLO and only accepted HELO; then nothing else is known.
    """

    name: str
    size: int | None = None
    auth: tuple[str, ...] = ()
    starttls: bool = False
    extensions: tuple[str, ...] = ()
    esmtp: bool = True

    @classmethod
    def of(cls, reply: Reply, *, esmtp: bool = True) -> Ehlo:
        """Read a positive reply to EHLO, or to HELO."""
        name = reply.lines[0].split(" ")[0] if reply.lines else ""
        if not esmtp:
            return cls(name, esmtp=False)
        size: int | None = None
        starttls = False
        auth: list[str] = []
        for line in reply.lines[1:]:
            # Before RFC 2554 servers sent "AUTH=LOGIN"; some still send both forms.
            keyword, *words = line.upper().replace("AUTH=", "AUTH ", 1).split()[:64] or [""]
            if keyword == "STARTTLS":
                starttls = True
            elif keyword == "AUTH":
                auth += [word for word in words if word not in auth]
            elif keyword == "SIZE":
                # Without a parameter there is no fixed limit (RFC 1870, 4).
                size = int(words[0]) if words and words[0].isascii() and words[0].isdigit() else 0
        return cls(name, size, tuple(auth), starttls, reply.lines[1 : 1 + _SHOWN_EXTENSIONS])
