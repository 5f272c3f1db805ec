# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the page about the senders' DNS."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from markupsafe import Markup

from .markup import Child, el
from .page_parts import Document, findings, icon, scroll
from .words import plural

#: DNS topics in their usual spelling.
TOPICS = {"mx": "MX", "spf": "SPF", "dkim": "DKIM", "dmarc": "DMARC"}


def senders(made: Document) -> Markup | None:
    """The result of the DNS check for each sender."""
    if not made["senders"]:
        return None
    return el("section", el("h2", "Sender DNS"), [_sender(one) for one in made["senders"]])


def _sender(one: Document) -> Markup:
    tone = {"ok": "good", "error": "bad", "warning": "warn"}.get(str(one.get("verdict")), "idle")
    words = {"ok": "in order", "error": "errors", "warning": "warnings", "unknown": "DNS did not answer"}
    records = [
        el(
            "tr",
            el("th", topic, scope="row"),
            el("td", el("code", answer.get("name") or "")),
            el("td", _answer(answer)),
        )
        for topic, answer in _answers(one.get("records") or {})
    ]
    return el(
        "article",
        el(
            "h3",
            one.get("from_domain") or "",
            el(
                "span",
                icon(tone),
                words.get(str(one.get("verdict")), str(one.get("verdict"))),
                class_=f"badge tone-{tone}",
            ),
        ),
        el("p", _sender_facts(one), class_="muted"),
        findings(one.get("findings") or []),
        _zone(str(one.get("zone") or "")),
        el(
            "details",
            el("summary", "What DNS answered"),
            scroll("What DNS answered", el("table", el("tbody", records), class_="plain")),
        )
        if records
        else None,
        class_="card",
    )


def _zone(text: str) -> Markup | None:
    """Everything to publish, to copy at once."""
    if not text:
        return None
    title = "Records to publish"
    return el("details", el("summary", title), scroll(title, el("pre", text, class_="zone")))


def _sender_facts(one: Document) -> str:
    hosts = one.get("hosts") or []
    facts = [plural(len(hosts), "host") if len(hosts) != 1 else hosts[0]]
    if one.get("provider"):
        facts.append(f"provider {one['provider']}")
    if one.get("return_path_domain"):
        facts.append(f"bounces to {one['return_path_domain']}")
    if one.get("nameservers"):
        facts.append(f"asked {', '.join(one['nameservers'])}")
    return " · ".join(facts)


def _answers(records: Document) -> t.Iterator[tuple[str, Document]]:
    """The answers by topic; a topic may have one answer, several by name, or a list."""
    for topic, answer in records.items():
        label = TOPICS.get(topic, topic.replace("_", " "))
        if isinstance(answer, dict) and "status" in answer:
            yield label, answer
        elif isinstance(answer, dict):
            for name, inner in answer.items():
                if isinstance(inner, dict):
                    yield f"{label} {name}", inner
        elif isinstance(answer, list):
            for inner in answer:
                if isinstance(inner, dict):
                    yield label, inner


def _answer(answer: Document) -> Child:
    records = answer.get("records")
    if isinstance(records, list) and records:
        return [el("code", str(one), class_="record") for one in records]
    known = {key: value for key, value in answer.items() if key not in ("name", "type", "status", "records")}
    said = str(answer.get("status") or "")
    more = ", ".join(f"{key} {value}" for key, value in known.items() if isinstance(value, (str, int, float)))
    return " ".join(one for one in (said, more) if one)
