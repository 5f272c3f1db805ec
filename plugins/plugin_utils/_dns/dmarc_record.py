# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DMARC records and the DNS tree walk (RFC 9989), which needs no public suffix list: the records decide."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from . import names
from .answers import Answer, Ask

VERSION = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")

#: Names with more labels are cut to this number after the first query: at most eight queries (RFC 9989, tree walk).
MOST_LABELS = 7

POLICIES = ("none", "quarantine", "reject")
WEAKER = {"reject": "quarantine", "quarantine": "none", "none": "none"}

#: Tag -> its valid values; other tags may have any value.
VALUES: dict[str, tuple[str, ...]] = {
    "p": POLICIES,
    "sp": POLICIES,
    "np": POLICIES,
    "adkim": ("r", "s"),
    "aspf": ("r", "s"),
    "psd": ("y", "n", "u"),
    "t": ("y", "n"),
}

#: Tags of RFC 7489 that RFC 9989 removed.
OBSOLETE = ("pct", "rf", "ri")


@dataclasses.dataclass(frozen=True)
class Record:
    """One valid DMARC record.

    :ivar text: as published.
    :ivar tags: tag -> value; for the tags in C(VALUES) only valid values, in lower case.
    :ivar problems: what is wrong with it, in words.
    :ivar obsolete: its tags that no longer have a meaning.
    """

    text: str
    tags: t.Mapping[str, str]
    problems: tuple[str, ...] = ()
    obsolete: tuple[str, ...] = ()

    def policy(self, *, below: bool, exists: bool) -> str:
        """The policy for a From domain.

        :param below: the From domain is below the record's domain.
        :param exists: the From domain exists.
        """
        chain = ["p"] if not below else ["sp", "p"] if exists else ["np", "sp", "p"]
        wanted = next((self.tags[one] for one in chain if one in self.tags), "none")
        return WEAKER[wanted] if self.tags.get("t") == "y" else wanted

    def strict(self, tag: str) -> bool:
        """Whether C(adkim) or C(aspf) requires identical names."""
        return self.tags.get(tag) == "s"

    def report_addresses(self) -> tuple[str, ...]:
        """The mail addresses of C(rua)."""
        uris = (one.strip() for one in self.tags.get("rua", "").split(","))
        return tuple(one[7:].partition("!")[0] for one in uris if one.lower().startswith("mailto:") and "@" in one)


def claims(text: str) -> bool:
    """Whether a TXT record counts as DMARC: its first tag is the version."""
    return VERSION.match(text) is not None


def parse(text: str) -> Record:
    """Parse a record that C(claims) to be DMARC. Invalid parts are ignored, as receivers do, and listed as problems."""
    tags: dict[str, str] = {}
    problems: list[str] = []
    for piece in text.split(";")[1:]:
        if not piece.strip():
            continue
        tag, separator, value = (part.strip() for part in piece.partition("="))
        tag = tag.lower()
        if not separator or not re.fullmatch(r"[a-z][a-z0-9_]*", tag):
            problems.append(f'"{piece.strip()}" is not tag=value')
        elif tag in tags:
            problems.append(f'the tag "{tag}" appears twice')
        elif tag in VALUES and value.lower() not in VALUES[tag]:
            problems.append(f'"{tag}={value}" is none of {", ".join(VALUES[tag])}')
        else:
            tags[tag] = value.lower() if tag in VALUES else value
    if "p" not in tags:
        problems.append('the "p" tag is missing or invalid, which counts as p=none')
    if tags.get("rua") and not Record(text, tags).report_addresses():
        problems.append('"rua" contains no mailto: address')
    return Record(text, tags, tuple(problems), tuple(one for one in OBSOLETE if one in tags))


@dataclasses.dataclass(frozen=True)
class Step:
    """One query of the walk: the C(domain) whose C(_dmarc) name was queried, the answer, its only DMARC record."""

    domain: str
    answer: Answer
    record: Record | None

    @property
    def duplicates(self) -> int:
        """The number of DMARC records if there is more than one (they then count as none), else 0."""
        found = sum(claims(one) for one in self.answer.records)
        return found if found > 1 else 0


@dataclasses.dataclass(frozen=True)
class Walk:
    """The walk from one domain upwards, nearest first."""

    start: str
    steps: tuple[Step, ...]

    def unanswered(self) -> tuple[Answer, ...]:
        """The queries that no server answered."""
        return tuple(one.answer for one in self.steps if not one.answer.known)

    def organizational(self) -> str | None:
        """The organizational domain; None if DNS did not answer enough to decide."""
        chosen = self.start
        for step in self.steps:
            if not step.answer.known:
                return None
            if step.record is None:
                continue
            role = step.record.tags.get("psd", "u")
            if role == "n":
                return step.domain
            if role == "y" and step.domain != self.start:
                return self._one_below(step.domain)
            chosen = step.domain
        return chosen

    def _one_below(self, domain: str) -> str:
        labels = self.start.split(".")
        return ".".join(labels[-(domain.count(".") + 2) :])

    def applied(self) -> Step | None:
        """The step whose record receivers apply: the From domain's own, else the organizational domain's, else the
        public suffix's. None if there is none, or if that is unknown (see C(unanswered))."""
        if self.steps[0].record is not None:
            return self.steps[0]
        organizational = self.organizational()
        for step in self.steps:
            own = step.domain == organizational or (step.record and step.record.tags.get("psd") == "y")
            if organizational is not None and step.record is not None and own:
                return step
        return None

    @property
    def decided(self) -> bool:
        """Whether C(applied) is certain."""
        return self.steps[0].record is not None or self.organizational() is not None


def walk(ask: Ask, domain: str) -> Walk:
    """Query C(_dmarc) of the domain and of its parents, at most eight queries."""
    steps: list[Step] = []
    above = [one for one in names.parents(domain) if one.count(".") < MOST_LABELS]
    for name in (domain, *above):
        answer = ask(f"_dmarc.{name}", "TXT")
        found = [one for one in answer.records if claims(one)]
        record = parse(found[0]) if len(found) == 1 else None
        steps.append(Step(name, answer, record))
        role = record.tags.get("psd") if record else None
        if role == "n" or (role == "y" and name != domain):
            break
    return Walk(domain, tuple(steps))


def aligned(from_walk: Walk, other_walk: Walk, *, strict: bool) -> bool | None:
    """Whether another domain is aligned with the From domain (RFC 9989, identifier alignment); None if unknown.

    If no DMARC record exists at all, the result is that with a record at the From domain.
    """
    one, other = from_walk.start, other_walk.start
    if one == other:
        return True
    if strict:
        return False
    organizational = from_walk.organizational(), other_walk.organizational()
    if None in organizational:
        return None if one.rpartition(".")[2] == other.rpartition(".")[2] else False
    if from_walk.applied() is None and other_walk.applied() is None:
        return names.within(one, other) or names.within(other, one)
    return organizational[0] == organizational[1]
