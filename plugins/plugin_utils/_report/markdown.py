# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as a short Markdown summary, for the page of a CI run."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown

from .sentences import (
    UNREACHED,
    afterwards,
    clock,
    counts,
    fixes,
    heading,
    lead_of,
    mode,
    names,
    note,
    since,
    verdict,
    where,
)
from .words import HOST_STATES, duration, plural

#: More rows and problems than this are only counted; the HTML page has them all. A job summary is cut at 1 MiB.
ROWS = 60
PROBLEMS = 15
LONGEST = 600

#: Characters that Markdown or HTML could interpret, including those that make automatic links.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~&@]|:(?=//)|(?<=www)\.")
_SIGNS = {"bad": "❌", "warn": "⚠️", "busy": "⏳", "idle": "⏸️", "info": "🔷", "good": "✅"}


def markdown(made: t.Mapping[str, t.Any]) -> str:
    """The summary; every text from a host or the inventory is escaped to plain text."""
    run = made["run"]
    sentence, tone = verdict(made)
    lines = [
        f"## {plain(heading(made))}",
        "",
        f"{_SIGNS[tone]} **{plain(sentence)}**",
        "",
    ]
    if note(made):
        lines += [f"> {plain(note(made))}", ""]
    lines += [" · ".join(f"{number} {HOST_STATES[key].label}" for key, number in counts(made)), ""]
    lines += [f"- **{plain(label)}:** {plain(words)}" for label, words in since(made)]
    lines += [""] if since(made) else []
    lines += _problems(made)
    lines += _table(made)
    lines.append(f"{plain(run['playbook'])}, {mode(made)}, {clock(run['started'])}, {duration(run['seconds'])}")
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """The text on one line, escaped so that Markdown and HTML show it literally."""
    line = shown(" ".join(text.split()))
    if len(line) > LONGEST:
        line = line[: LONGEST - 1].rstrip() + "…"
    # Entities instead of backslashes: they work in table cells and in every dialect.
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line)


def _problems(made: t.Mapping[str, t.Any]) -> list[str]:
    problems = sorted(made["problems"], key=lambda one: lead_of(made, one) == UNREACHED)
    lines: list[str] = []
    for number, one in enumerate(problems[:PROBLEMS]):
        before = [lead_of(made, other) for other in problems[:number]]
        lead = "Also" if lead_of(made, one) in before else lead_of(made, one)
        place = f"{plain(where(one))} on " if where(one) else ""
        lines += [f"### {lead}: {place}{plain(names(one['hosts'], 3))}", ""]
        for wrong, fix in fixes(one):
            lines.append(f"- {plain(wrong)}" + (f"<br>**Fix:** {plain(fix)}" if fix else ""))
        lines.append("")
        if afterwards(made, one["hosts"]):
            lines += [plain(afterwards(made, one["hosts"])), ""]
    if len(problems) > PROBLEMS:
        lines += [f"And {plural(len(problems) - PROBLEMS, 'more problem')}: see the HTML page.", ""]
    return lines + [f"> {plain(one['message'])}\n" for one in made["stops"]]


def _table(made: t.Mapping[str, t.Any]) -> list[str]:
    hosts = made["hosts"]
    if not hosts:
        return []
    lines = ["| | Host | State | Mastodon | Took |", "| --- | --- | --- | --- | ---: |"]
    for host in hosts[:ROWS]:
        state = HOST_STATES[host["state"]]
        release = plain(str((host["instance"] or {}).get("release") or ""))
        cells = (_SIGNS[state.tone], plain(host["name"]), state.label, release, duration(host["seconds"]))
        lines.append(f"| {' | '.join(cells)} |")
    if len(hosts) > ROWS:
        lines += ["", f"And {plural(len(hosts) - ROWS, 'more host')}: see the HTML page."]
    return [*lines, ""]
