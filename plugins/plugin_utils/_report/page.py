# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML page: one file, no external assets, readable without its script."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import base64
import functools
import hashlib
import typing as t
from pathlib import Path

from markupsafe import Markup

from . import page_host, page_run, page_senders
from .markup import asset, el
from .page_parts import icon
from .sentences import clock, heading, mode, note, since, under_way, verdict
from .words import HOST_STATES, duration, touches

#: With at most so many hosts, all details are initially open.
FEW = 3

#: Icons by name: 16 by 16, in the colour of the text; each is drawn once in the page.
ICONS = {
    "bad": "M4 4l8 8M12 4l-8 8",
    "warn": "M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.2",
    "busy": "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 4.8V8l2.2 1.6",
    "idle": "M4 8h8",
    "info": "M3 8h10M9.5 4.5L13 8l-3.5 3.5",
    "good": "M3 8.5l3.2 3.2L13 4.8",
    "lock": "M4.5 7.5h7v5.5h-7zM6 7.5V5.3a2 2 0 0 1 4 0v2.2",
}


def page(made: t.Mapping[str, t.Any]) -> str:
    """The whole page."""
    style, script = _asset("page.css") + _filters(), _asset("page.js")
    sentence, _tone = verdict(made)
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Whatever a text might inject: nothing is loaded, and only this script runs.
        el("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="robots", content="noindex"),
        el("title", f"{heading(made)}: {sentence}"),
        el("style", asset(style)),
    )
    body = el(
        "body",
        _sprite(),
        el("a", "Skip to the hosts", href="#hosts", class_="skip"),
        _header(made),
        el(
            "main",
            page_run.failures(made),
            page_run.matrix(made),
            page_run.timings(made),
            page_senders.senders(made),
            page_host.hosts(made, all_open=len(made["hosts"]) <= FEW),
        ),
        _footer(made),
        el("script", asset(script)),
    )
    return str(Markup("<!doctype html>\n{}\n").format(el("html", head, body, lang="en")))


def _header(made: t.Mapping[str, t.Any]) -> Markup:
    run = made["run"]
    sentence, tone = verdict(made)
    facts = [
        ("Playbook", run["playbook"]),
        ("Started", clock(run["started"])),
        ("Took", duration(run["seconds"])),
        ("Mode", mode(made) + ("" if touches(run["purposes"], run["check_mode"]) else ", nothing was changed")),
    ]
    warning = note(made)
    differences = since(made)
    return el(
        "header",
        el("p", heading(made), class_="eyebrow"),
        el("h1", icon(tone), el("span", sentence), class_=f"verdict tone-{tone}"),
        el("p", icon("busy"), el("span", warning, _under_way(made)), class_="note", role="note") if warning else None,
        page_run.proportion(made),
        el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in differences], class_="since")
        if differences
        else None,
        el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in facts], class_="facts"),
    )


def _under_way(made: t.Mapping[str, t.Any]) -> str:
    lines = under_way(made)
    return f" In progress then: {'; '.join(lines)}." if lines else ""


def _footer(made: t.Mapping[str, t.Any]) -> Markup:
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return el(
        "footer",
        el(
            "p",
            f"Written {clock(made['run']['updated'])} by fediops.mastodon.rollout_report ({versions}). Times are UTC.",
        ),
        el("p", "Secrets are never shown: they appear as (hidden). The same data for programs is in rollout.json."),
    )


def _sprite() -> Markup:
    symbols = [el("symbol", el("path", d=path), id=f"i-{name}", viewBox="0 0 16 16") for name, path in ICONS.items()]
    return el("svg", symbols, class_="sprite", aria_hidden="true", width="0", height="0")


@functools.cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _filters() -> str:
    """The filter by state, in CSS only, so it works without script."""
    return "\n".join(
        f'body:has(#only-{key}:checked) [data-state]:not([data-state="{key}"]) {{ display: none; }}'
        for key in HOST_STATES
    )


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
