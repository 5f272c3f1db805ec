# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What DNS said to one question, and what it did not say.

The difference that everything rests on: "there is no such record" is an answer, "nobody answered" is not.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

#: records = the record is there; nodata = the name exists without it; nxdomain = no such name. All else is no answer.
Status = t.Literal["records", "nodata", "nxdomain", "timeout", "servfail", "refused", "bad_answer"]

ANSWERED: frozenset[str] = frozenset({"records", "nodata", "nxdomain"})

#: How a person is told why there was no answer.
REASONS: dict[str, str] = {
    "timeout": "no answer in time",
    "servfail": "the name server reports a server failure (SERVFAIL)",
    "refused": "the name server refuses to answer (REFUSED)",
    "bad_answer": "the answer was unusable",
}

#: Longest piece of a record that is shown; longer ones (a DKIM key has about 400) say nothing more to a person.
SHOWN = 512


@dataclasses.dataclass(frozen=True)
class Answer:
    """The outcome of one question.

    :ivar name: the name asked for, lower case, no final dot.
    :ivar rtype: TXT, MX, A, AAAA, CNAME or PTR.
    :ivar status: one of C(Status).
    :ivar records: TXT as joined text; MX as C(10 mail.example.org) (null MX: C(0 .)); names and addresses as text.
    :ivar aliases: the names that CNAME records led through, in order; the last one owns the records.
    :ivar detail: for a person, when there was no answer: which server, what happened.
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
        """DNS answered, and there is no such record."""
        return self.known and not self.records

    @property
    def question(self) -> str:
        """The question, for a person."""
        return f"{self.rtype} {self.name}"

    def as_dict(self) -> dict[str, t.Any]:
        """The answer as the step returns it: bounded, printable."""
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


#: How the rest of this package asks DNS: name and type in, answer out, never an exception.
Ask = t.Callable[[str, str], Answer]


def printable(text: str, limit: int = SHOWN) -> str:
    """A record's text as it may be shown: anyone can publish anything, so no control characters and no novels."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def mail_hosts(answer: Answer) -> tuple[str, ...]:
    """The host names of an MX answer by preference; a null MX (RFC 7505) gives the single name ""."""
    pairs = sorted((int(preference), host) for preference, host in (one.split(" ", 1) for one in answer.records))
    return tuple("" if host == "." else host for _preference, host in pairs)


def null_mx(answer: Answer) -> bool:
    """Whether a domain says that it accepts no mail (RFC 7505, section 3)."""
    return "" in mail_hosts(answer)
