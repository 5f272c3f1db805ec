# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edits an environment file without side effects, and proves that with every reader.

The edit is made on the text. Then each generation of each named reader reads the whole result: the wanted variables
must have exactly the wanted values, and all others the same as before. Otherwise nothing is changed, and a finding says
which reader would see what.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import collections.abc as c
import dataclasses
import re

from .._findings.env_file import TABLE
from .._findings.model import Finding, FindingError, errors, worst_first
from . import traps
from .dialects import Generation, decode, generations, named, whole
from .encoder import NAME, encode, refusal
from .placement import Extent, block_of, extents, place
from .rewrite import Change, Splice, apply, removals, rewritten
from .source import BYTE_ORDER_MARK, Reading, Source, Statement

Readings = list[tuple[Generation, Reading]]


@dataclasses.dataclass(frozen=True)
class Edit:
    """The result of an edit.

    :ivar data: the new bytes; the old ones if there is nothing to change or a finding is an error.
    :ivar changes: what happened to each variable, in the order of the request; empty if a finding is an error.
    :ivar findings: traps in the file, additional changes, and obstacles. Never a value.
    """

    data: bytes
    changes: list[Change]
    findings: list[Finding]


def texts(options: c.Mapping[str, object]) -> tuple[dict[str, str], list[Finding]]:
    """The values of an option as texts for the file, and a finding for each value that cannot be a text."""
    found: dict[str, str] = {}
    problems = []
    for name, value in options.items():
        if isinstance(value, bool):
            found[str(name)] = "true" if value else "false"  # as Mastodon writes them
        elif isinstance(value, (int, float, str)):
            found[str(name)] = str(value)
        else:
            problems.append(TABLE.finding("env-value-not-text", str(name), "The value is not a string."))
    return found, problems


def edit(
    data: bytes,
    *,
    set: c.Mapping[str, str],  # noqa: A002
    remove: c.Collection[str],
    readers: c.Sequence[str],
) -> Edit:
    """The file with variables set and removed.

    A value that every reader already reads as wanted is left as written. All errors are returned together as findings;
    the data is then unchanged.

    :param readers: names of readers (see dialects.READERS); a value is written for all generations of each.
    """
    try:
        source = decode(data)
    except FindingError as error:
        return Edit(data, [], [error.finding])
    everyone, at_work = generations(whole(readers)), generations(readers)
    readings = [(one, one.read(source, {})) for one in everyone]
    before = [one for one in readings if one[0] in at_work]
    current = {name: [reading.value(name) for _one, reading in readings] for name in set}
    stale = {name: value for name, value in set.items() if any(seen != value for seen in current[name])}
    invalid = [
        finding
        for name, value in [*stale.items(), *((name, "") for name in remove)]
        if (finding := refusal(name, value, readers) if not NAME.fullmatch(name) or name in stale else None)
    ]
    if errors(invalid):
        return Edit(data, [], worst_first([*invalid, *traps.find(source, before)]))
    best: Edit | None = None
    for at_end in (False, True):
        attempt = _Attempt(source, everyone, before, stale, remove, at_end=at_end)
        outcome = attempt.outcome(data)
        if not errors(outcome.findings):
            return outcome
        best = best or outcome
        if not attempt.added:
            break
    return best or Edit(data, [], [])


class _Attempt:
    """One way to make the edit: new variables next to related ones, or all of them at the end."""

    def __init__(
        self,
        source: Source,
        targets: tuple[Generation, ...],
        before: Readings,
        wanted: c.Mapping[str, str],
        remove: c.Collection[str],
        *,
        at_end: bool,
    ) -> None:
        self.source = source
        self.targets = targets
        self.before = before
        self.wanted = wanted
        self.remove = remove
        self.at_end = at_end
        self.changes: list[Change] = []
        self.findings: list[Finding] = []
        self.splices: list[Splice] = []
        self.added: list[str] = []
        self.known = extents((reading for _one, reading in before), len(source.text))
        self.newline = _newline(source.text)

    def outcome(self, data: bytes) -> Edit:
        """Make the edit and prove it."""
        for name, value in self.wanted.items():
            views = self._views(name)
            if views:
                self._rewrite(name, value, views)
            else:
                self._add(name, value)
        for name in self.remove:
            self._remove(name)
        if errors(self.findings):
            return Edit(data, [], worst_first([*self.findings, *traps.find(self.source, self.before)]))
        if not self.splices:
            return Edit(data, [], worst_first(traps.find(self.source, self.before)))
        result = Source(apply(self.source.text, self.splices))
        after = [(one, one.read(result, {})) for one, _reading in self.before]
        self._prove(result, after)
        if errors(self.findings):
            blocking = [*self.findings, *traps.find(self.source, self.before)]
            return Edit(data, [], worst_first(blocking))
        # What this edit writes has been proved to be read as planned, however odd it looks.
        found = [*self.findings, *traps.find(result, after, only=lambda name: name not in self.wanted)]
        if errors(found):
            return Edit(data, [], worst_first(found))
        order = [*self.wanted, *self.remove]
        self.changes.sort(key=lambda change: order.index(change.name))
        return Edit(result.text.encode("utf-8"), self.changes, worst_first(found))

    def _views(self, name: str) -> list[Statement]:
        """The variable's last statement, as each reader that has the variable sees it.

        A text that looks like a statement, but is part of another variable's value for other readers, does not count.
        """
        last = [statement for _one, reading in self.before if (statement := reading.last().get(name))]
        return [
            one
            for one in last
            if not any(other.start < one.start < other.end for other in self.known if other.name != name)
        ]

    def _rewrite(self, name: str, value: str, views: list[Statement]) -> None:
        last = max(one.start for one in views)
        extent = next(one for one in self.known if one.start == last and one.name == name)
        splice, notes = rewritten(
            self.source, name, value, [one for one in views if one.start == last], extent, self.targets, self.newline
        )
        self.findings.extend(notes)
        if splice is None:
            return
        line_start = self.source.line_start(last)
        hidden = len(views) < len(self.before) and self.source.text[:line_start].rstrip("\r\n").endswith("\\")
        if hidden:
            # Some reader treats the line as part of the one above.
            self.splices.append(Splice(line_start, line_start, self.newline))
        self.splices.append(splice)
        seen = [reading.value(name) for _one, reading in self.before]
        self.changes.append(Change(name, "requoted" if value in seen else "changed"))

    def _add(self, name: str, value: str) -> None:
        text = self.source.text
        position = None if self.at_end else place(self.source, name, self.known)
        at = len(text) if position is None else position
        following = text[at:].lstrip()[:1]
        spelling = encode(name, value, self.targets, quoted=not value and following in ("'", '"', "`"))
        if spelling is None:
            self.findings.append(
                TABLE.finding("env-edit-unsafe", name, "The value cannot be written safely at this place.")
            )
            return
        lead = ""
        above = text[:at]
        mates = [one for one in self.splices if one.start == at and one.start == one.end]
        if not mates:
            if above and not above.endswith(("\n", "\r")):
                lead = self.newline
            if above.rstrip("\r\n").endswith("\\"):
                lead += self.newline
            if position is None and above.strip("\r\n") and not above.endswith(self.newline * 2):
                lead += "" if self._same_block_above(above, name) else self.newline
        self.splices.append(Splice(at, at, f"{lead}{name}={spelling}{self.newline}"))
        self.added.append(name)
        self.changes.append(Change(name, "added"))

    def _same_block_above(self, above: str, name: str) -> bool:
        last_line = above.rstrip("\r\n").rpartition("\n")[2]
        return last_line.startswith(block_of(name))

    def _remove(self, name: str) -> None:
        own = [one for one in self.known if one.name == name]
        cuts = removals(self.source, name, own, self.known)
        if cuts:
            self.splices.extend(cuts)
            self.changes.append(Change(name, "removed"))

    def _prove(self, result: Source, after: Readings) -> None:
        """Check that every reader sees the wanted values, no removed variable, and everything else as before."""
        ours = {*self.wanted, *self.remove}
        dependent: dict[str, None] = {}
        unsafe: dict[str, list[Generation]] = {}
        for (target, old), (_same, new) in zip(self.before, after):
            if new.refusal:
                continue  # reported with its line by traps.find
            seen = new.values()
            for name in ours:
                if seen.get(name) != self.wanted.get(name):
                    unsafe.setdefault(name, []).append(target)
            previous = old.values()
            for name in {*seen, *previous} - ours:
                if seen.get(name, _ABSENT) == previous.get(name, _ABSENT) or (old.refusal and name not in previous):
                    continue
                if _AS_SEEN.sub("", name) in ours:
                    continue
                if (
                    name in seen
                    and name in previous
                    and self._made_of_others(old.last()[name], new.last()[name], result)
                ):
                    dependent[name] = None
                else:
                    unsafe.setdefault(name, []).append(target)
        for name, those in unsafe.items():
            what = "as wanted" if name in ours else "as before"
            message = f"After the edit, it would not be read {what} by {named(those)}; nothing was changed."
            self.findings.append(TABLE.finding("env-edit-unsafe", name, message))
        for name in dependent:
            self.findings.append(
                TABLE.finding(
                    "env-dependent-variable", name, "It is built from a changed variable and changes with it."
                )
            )

    def _made_of_others(self, old: Statement, new: Statement, result: Source) -> bool:
        written = self.source.text[old.value_start : old.value_end]
        return "$" in written and written == result.text[new.value_start : new.value_end]


_ABSENT = object()
#: What some readers treat as part of the name: a byte order mark, C(export), blanks, a colon and what follows.
_AS_SEEN = re.compile(rf"^{BYTE_ORDER_MARK}?(?:export\s+)?|(?<!\s)\s+(?:$|:.*$)|:.*$", re.DOTALL)


def _newline(text: str) -> str:
    """The line break of the file's first line; a carriage return alone counts only if the file has no other."""
    found = re.search("\r?\n", text)
    return found[0] if found else "\r" if "\r" in text else "\n"


__all__ = ["Change", "Edit", "Extent", "edit"]
