# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer to one DNS query.

The crucial distinction: "there is no such record" is an answer, "no server answered" is not.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

#: records: it exists; nodata: the name exists without it; nxdomain: no such name. All others mean: no answer.
Status = t.Literal["records", "nodata", "nxdomain", "timeout", "servfail", "refused", "bad_answer"]

ANSWERED: frozenset[str] = frozenset({"records", "nodata", "nxdomain"})

#: Why there was no answer, in words.
REASONS: dict[str, str] = {
    "timeout": "no answer in time",
    "servfail": "the name server reports a server failure (SERVFAIL)",
    "refused": "the name server refuses to answer (REFUSED)",
    "bad_answer": "the answer was unusable",
}

#: Characters of a record that are shown at most (a DKIM key has about 400).
SHOWN = 512


@dataclasses.dataclass(frozen=True)
class Answer:
    """The result of one query.

    :ivar name: the name asked for, lower case, no final dot.
    :ivar rtype: TXT, MX, A, AAAA, CNAME or PTR.
    :ivar status: one of C(Status).
    :ivar records: TXT as joined text; MX as C(10 mail.example.org) (null MX: C(0 .)); names and addresses as text.
    :ivar aliases: the targets of the CNAME records followed, in order; the last one owns the records.
    :ivar detail: without an answer: which server, and what happened, for people.
    """

    name: str
    rtype: str
    status: Status
    records: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    detail: str = ""

    @property
    def known(self) -> bool:
        """Whether DNS answered at all."""
        return self.status in ANSWERED

    @property
    def absent(self) -> bool:
        """Whether DNS answered that there is no such record."""
        return self.known and not self.records

    @property
    def question(self) -> str:
        """The query, for people."""
        return f"{self.rtype} {self.name}"

    def as_dict(self) -> dict[str, t.Any]:
        """The answer as the step returns it: bounded and printable."""
        shown: dict[str, t.Any] = {
            "name": self.name,
            "type": self.rtype,
            "status": self.status,
            "records": [printable(one) for one in self.records[:20]],
        }
        if self.aliases:
            shown["aliases"] = list(self.aliases)
        if self.detail:
            shown["detail"] = self.detail
        return shown


#: The interface to DNS for the rest of this package: (name, type) -> answer; never raises.
Ask = t.Callable[[str, str], Answer]


def printable(text: str, limit: int = SHOWN) -> str:
    """A record's text, safe to show: without control characters, and bounded, since anyone can publish anything."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def mail_hosts(answer: Answer) -> tuple[str, ...]:
    """The host names of an MX answer by preference; the single name "" for a null MX (RFC 7505)."""
    pairs = sorted((int(preference), host) for preference, host in (one.split(" ", 1) for one in answer.records))
    return tuple("" if host == "." else host for _preference, host in pairs)


def null_mx(answer: Answer) -> bool:
    """Whether a domain publishes that it accepts no mail (RFC 7505, section 3)."""
    return "" in mail_hosts(answer)
