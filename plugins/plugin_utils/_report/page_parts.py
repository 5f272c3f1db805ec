# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building blocks of the page: icons, chips, tables, bars, causes and findings."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from markupsafe import Markup

from .markup import Child, el
from .sentences import advice, told
from .words import HOST_STATES

Document = t.Mapping[str, t.Any]


def icon(name: str) -> Markup:
    """A decorative icon beside words that say the same."""
    return el("svg", el("use", href=f"#i-{name}"), class_="icon", aria_hidden="true", width="16", height="16")


def badge(state: str) -> Markup:
    """The state of a host as a chip."""
    one = HOST_STATES[state]
    return el("span", icon(one.tone), one.label, class_=f"badge tone-{one.tone}", title=one.meaning)


def scroll(label: str, content: Markup, role: str = "group") -> Markup:
    """A scrollable box (also by keyboard) for content that may be wider than the page."""
    return el("div", content, class_="scroll", tabindex="0", role=role, aria_label=label)


def table(label: str, head: t.Sequence[str], rows: t.Sequence[t.Sequence[Child]], class_: str = "") -> Markup:
    """A table whose first column names the row; on a phone each row becomes a block with labels."""
    body = [
        el("tr", el("th", row[0], scope="row"), [_cell(one, name) for one, name in zip(row[1:], head[1:])])
        for row in rows
    ]
    made = el(
        "table",
        el("thead", el("tr", [el("th", one, scope="col") for one in head])) if any(head) else None,
        el("tbody", body),
        class_=f"plain {class_}".strip(),
    )
    return scroll(label, made)


def _cell(child: Child, name: str) -> Markup:
    return el("td", el("div", child), data_label=name or None)


def part(title: str, *children: Child) -> Markup:
    return el("div", el("h4", title), children, class_="part")


def bars(*lengths: tuple[float, str]) -> Markup:
    """Horizontal bars on one line, each as (share of the width from 0 to 1, class); decorative, words say the same."""
    drawn = [
        el("rect", x="0", y="3", width=f"{max(0.5, 100 * share):.2f}%", height="8", rx="2", class_=class_)
        for share, class_ in lengths
    ]
    return el("svg", drawn, width="100%", height="14", aria_hidden="true")


def causes(found: t.Iterable[tuple[str, str]]) -> list[Markup]:
    """The problems, each with its fix."""
    return [el("div", el("p", wrong, class_="wrong"), fixing(fix)) for wrong, fix in found]


def fixing(fix: str) -> Markup | None:
    """The fix; None if it is empty."""
    return el("p", el("b", "Fix "), fix, class_="fix") if fix else None


def closing(text: str) -> Markup | None:
    """The state in which a failed host was left; None if it is empty."""
    return el("p", el("b", "Afterwards "), text, class_="afterwards") if text else None


def problem_class(state: str, *more: str) -> str:
    """The classes of a box about a problem; less prominent for a host that did not answer."""
    return " ".join(["problem", *more, *([] if HOST_STATES[state].tone == "bad" else ["warn"])])


def findings(found: t.Sequence[Document]) -> Markup | None:
    """Findings as a list, infos last."""
    if not found:
        return None
    tones = {"error": "bad", "warning": "warn", "unknown": "idle", "info": "info"}
    return el(
        "ul",
        [
            el(
                "li",
                icon(tones[one["severity"]]),
                el(
                    "div",
                    el("p", el("b", one["severity"]), " ", told(one)),
                    fixing(advice(one)) if one["severity"] != "info" else None,
                    el("code", one["code"], class_="code"),
                ),
                class_=f"finding tone-{tones[one['severity']]}",
            )
            for one in found
        ],
        class_="findings",
    )
