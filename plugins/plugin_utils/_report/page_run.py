# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the page about the whole run."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from markupsafe import Markup

from .markup import Child, el
from .page_parts import Document, badge, bars, causes, closing, icon, problem_class, scroll
from .sentences import UNREACHED, afterwards, clock, counts, fixes, lead_of, where
from .words import CELL_STATES, HOST_STATES, ON_REQUEST, STEPS, cell_label, duration, plural

#: At most so many hosts are named for a problem; the rest are only counted.
NAMED = 12


def anchor(made: Document, host: str) -> str:
    """The id of a host's details, made from its position in the list, because a name may contain anything."""
    return f"host-{[one['name'] for one in made['hosts']].index(host) + 1}"


def proportion(made: Document) -> Markup | None:
    """The number of hosts in each state, as a bar and as chips that filter the page."""
    found = counts(made)
    total = sum(number for _key, number in found)
    if not total:
        return None
    left, bars = 0.0, []
    for key, number in found:
        width = 100.0 * number / total
        bars.append(
            el(
                "rect",
                x=f"{left:.3f}%",
                y="0",
                width=f"{width:.3f}%",
                height="100%",
                class_=f"fill-{HOST_STATES[key].tone}",
            )
        )
        left += width
    chips = [
        el("input", type="radio", name="only", id="only-all", checked=True),
        el("label", el("b", total), f" {'host' if total == 1 else 'hosts'}", for_="only-all", class_="chip"),
    ]
    for key, number in found:
        tone = HOST_STATES[key].tone
        chips += [
            el("input", type="radio", name="only", id=f"only-{key}"),
            el(
                "label",
                icon(tone),
                el("b", number),
                HOST_STATES[key].label,
                for_=f"only-{key}",
                class_=f"chip tone-{tone}",
            ),
        ]
    return el(
        "div",
        el("svg", bars, class_="proportion", aria_hidden="true", width="100%", height="12"),
        el("fieldset", el("legend", "Show hosts by state", class_="away"), chips, class_="chips"),
        class_="totals",
    )


def failures(made: Document) -> Markup | None:
    """The failures, the earliest first, each cause once with all its hosts."""
    problems, stops = made["problems"], made["stops"]
    if not problems and not stops:
        return None
    unreached = [one for one in problems if lead_of(made, one) == UNREACHED]
    failed = [one for one in problems if one not in unreached]
    first, others = failed[:1], failed[1:]
    parts: list[Child] = [_problem(made, one, first=True) for one in first]
    if others:
        parts.append(el("h3", "Other causes", class_="sub"))
        parts += [_problem(made, one, first=False) for one in others]
    if unreached:
        parts.append(el("h3", UNREACHED, class_="sub") if failed else None)
        parts += [_problem(made, one, first=False) for one in unreached]
    if stops:
        parts.append(
            el("div", el("h3", "Why the run stopped"), [el("p", one["message"]) for one in stops], class_="stop")
        )
    title = lead_of(made, (failed or unreached)[0]) if problems else "Why the run stopped"
    return el("section", el("h2", title), parts, aria_label="Failures")


def _problem(made: Document, one: Document, *, first: bool) -> Markup:
    hosts = one["hosts"]
    links: list[Child] = []
    for name in hosts[:NAMED]:
        links += [el("a", name, href=f"#{anchor(made, name)}"), " "]
    if len(hosts) > NAMED:
        links.append(el("span", f"and {len(hosts) - NAMED} more", class_="muted"))
    return el(
        "article",
        el(
            "p",
            el("strong", where(one)) if where(one) else None,
            el("span", plural(len(hosts), "host")),
            el("time", clock(one["at"]), datetime=one["at"]) if one["at"] else None,
            class_="meta",
        ),
        causes(fixes(one)),
        closing(afterwards(made, hosts)),
        el("p", links, class_="hostlist"),
        class_=problem_class(one["state"], *(["first"] if first else [])),
    )


def _has_cell(host: Document, step: str) -> bool:
    """Whether the host has something to show of a step; not of one that nobody asked for."""
    cell = host["steps"].get(step)
    return cell is not None and not (step in ON_REQUEST and cell["state"] == "skipped")


def matrix(made: Document) -> Markup:
    """The table of the hosts' steps."""
    hosts = made["hosts"]
    if not hosts:
        return el("section", el("h2", "Hosts", id="hosts"), el("p", "None.", class_="muted"))
    used = [step for step in STEPS if any(_has_cell(host, step.key) for host in hosts)]
    kept = any(host.get("earlier") for host in hosts)
    head = el(
        "tr",
        el("th", "Host", scope="col", class_="host"),
        el("th", "State", scope="col"),
        el("th", "Runs", scope="col") if kept else None,
        [el("th", el("span", step.label), scope="col", class_="step") for step in used],
        el("th", "Took", scope="col", class_="number"),
    )
    rows = [
        el(
            "tr",
            el("th", el("a", host["name"], href=f"#host-{place}"), scope="row", class_="host"),
            el("td", badge(host["state"]), class_="state"),
            _strip(host) if kept else None,
            [_cell(host["steps"].get(step.key), step.label, made["run"]["check_mode"]) for step in used],
            el("td", duration(host["seconds"]) if host["timeline"] else "", class_="number"),
            data_state=host["state"],
            data_name=host["name"],
        )
        for place, host in enumerate(hosts, 1)
    ]
    return el(
        "section",
        el("div", el("h2", "Steps of each host", id="hosts", tabindex="-1"), _tools(), class_="headline"),
        scroll(
            "Steps of each host",
            el(
                "table",
                el("caption", "Every host with the result of each step", class_="away"),
                el("thead", head),
                el("tbody", rows),
                id="matrix",
            ),
            "region",
        ),
        _legend(made, used),
    )


def _strip(host: Document) -> Markup:
    """How the host ended in the kept runs and in this one, the oldest at the left."""
    states = [*(one["state"] for one in host.get("earlier") or ()), host["state"]]
    blocks = [
        el("rect", x=str(6 * place), y="0", width="4", height="14", class_=f"fill-{HOST_STATES[state].tone}")
        for place, state in enumerate(states)
    ]
    number = {state: states.count(state) for state in dict.fromkeys(reversed(states))}
    said = ", ".join(f"{how_many} {HOST_STATES[state].label}" for state, how_many in number.items())
    words = f"{plural(len(states), 'run')}: {said}"
    return el(
        "td",
        el("svg", blocks, aria_hidden="true", width=str(6 * len(states)), height="14"),
        el("span", words, class_="away"),
        class_="strip",
        data_label="Runs",
        title=words,
    )


def _tools() -> Markup:
    """The controls of the table. The script shows them, since they need it."""
    return el(
        "div",
        el("label", "Find a host", for_="find", class_="away"),
        el("input", type="search", id="find", placeholder="Find a host", autocomplete="off", spellcheck="false"),
        el("output", id="found", for_="find", aria_live="polite"),
        el("button", "Open all", type="button", id="unfold", aria_controls="details"),
        class_="tools",
        id="tools",
        hidden=True,
    )


def _cell(cell: Document | None, step: str, check_mode: bool) -> Markup:
    if cell is None:
        return el("td", el("span", f"{step}: not reached", class_="away"), class_="cell none")
    state, label = CELL_STATES[cell["state"]], cell_label(cell["state"], check_mode)
    took = cell["seconds"] if cell["state"] not in ("skipped", "running") else None
    return el(
        "td",
        icon(state.tone),
        el("span", f"{step}: {label} ", class_="away"),
        el("small", duration(took)) if took is not None else None,
        icon("lock") if cell["hidden"] else None,
        class_=f"cell tone-{state.tone}",
        data_label=step,
        title=f"{step}: {label}{', output hidden by no_log' if cell['hidden'] else ''}",
    )


def _legend(made: Document, used: t.Sequence[t.Any]) -> Markup:
    hosts, dry = made["hosts"], made["run"]["check_mode"]
    seen = {host["steps"][step.key]["state"] for host in hosts for step in used if step.key in host["steps"]}
    missing = any(step.key not in host["steps"] for host in hosts for step in used)
    keys = [(state.tone, cell_label(key, dry)) for key, state in CELL_STATES.items() if key in seen]
    return el(
        "p",
        [el("span", icon(tone), label, class_=f"key tone-{tone}") for tone, label in keys],
        el("span", el("span", class_="blank"), "not reached", class_="key") if missing else None,
        class_="legend",
        aria_hidden="true",
    )


def timings(made: Document) -> Markup | None:
    """How long each step took: the median and the longest of all hosts."""
    steps = [one for one in made["steps"] if one["hosts"]]
    top = max((one["longest"] for one in steps), default=0.0)
    if not steps or top <= 0:
        return None
    rows = [
        el(
            "tr",
            el("th", one["label"], scope="row"),
            el(
                "td",
                bars((one["longest"] / top, "bar-long"), (one["median"] / top, "bar-mid")),
                class_="bar",
            ),
            el("td", duration(one["median"]), class_="number"),
            el("td", duration(one["longest"]), class_="number"),
            el("td", one["longest_host"] if one["hosts"] > 1 else "", class_="slowest"),
        )
        for one in steps
    ]
    head = el(
        "tr",
        el("th", "Step", scope="col"),
        el("td", "", class_="bar"),
        el("th", "Median", scope="col", class_="number"),
        el("th", "Longest", scope="col", class_="number"),
        el("th", "Slowest host", scope="col", class_="slowest"),
    )
    return el(
        "section",
        el("h2", "How long each step took"),
        scroll(
            "How long each step took", el("table", el("thead", head), el("tbody", rows), class_="timings"), "region"
        ),
    )
