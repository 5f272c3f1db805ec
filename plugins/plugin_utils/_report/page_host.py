# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the page about one host."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from markupsafe import Markup

from ansible_collections.fediops.mastodon.plugins.module_utils._waiting.words import name_of

from .._services import renewed
from .markup import Child, el
from .page_parts import Document, badge, bars, causes, closing, findings, icon, part, problem_class, table
from .page_settings import settings, variables
from .sentences import afterwards, clock, fixes, purpose_of, where
from .words import CELL_STATES, HOST_STATES, cell_label, duration, plural

#: What became of the queued mail.
QUEUE_WORDS = {
    "delivered": "delivered",
    "performed": "delivered, according to the log",
    "failed": "failed",
    "waiting": "still in the queue at the time limit",
    "not_queued": "was not queued",
    "not_sent": "none was sent",
    "unknown": "unknown from the log",
}

#: Where a mail of an outage is.
PLACES = {"queue": "in the queue", "scheduled": "for a set time", "retry": "to be tried again", "dead": "given up"}

#: What became of a mail that was to be retried (_waiting.retry.Outcome), in the order of the page; then what was not.
ENDS = {
    "sent": "Handed to the relay",
    "failed": "Failed again",
    "moving": "Still on the way, or of unknown outcome",
    "passed": "Already taken by Sidekiq",
    "left": "Left as they were",
}
FATES = {
    "chosen": "Chosen",
    **ENDS,
    "expired": "Expired, not retried",
    "dropped": "Of these, deleted",
    "refused": "Not retried: the recipient does not exist",
    "old": "Not retried: failed more than 14 days ago",
}
#: Why not every mail had its turn.
STOPPED = {
    "time": "the time was up",
    "failures": "three in a row failed again",
    "idle": "no running Sidekiq process takes these mails",
    "elsewhere": "Sidekiq on another host takes them, too",
    "error": "an error ended the retry",
}


def hosts(made: Document, *, all_open: bool) -> Markup | None:
    """The details of every host; those of hosts that did not pass are open."""
    found = made["hosts"]
    if not found:
        return None
    return el(
        "section",
        el("h2", "Details"),
        [
            _host(made, place, one, all_open or HOST_STATES[one["state"]].tone in ("bad", "busy"))
            for place, one in enumerate(found, 1)
        ],
        id="details",
    )


def _host(made: Document, place: int, host: Document, is_open: bool) -> Markup:
    purpose = purpose_of(made).key
    instance = host["instance"] or {}
    release = f"Mastodon {instance['release']}" if instance.get("release") else ""
    # The link target is inside the details element, so that browsers open it automatically.
    return el(
        "details",
        el(
            "summary",
            el("h3", host["name"]),
            badge(host["state"]),
            el(
                "span",
                " · ".join(one for one in (release, duration(host["seconds"]) if host["timeline"] else "") if one),
                class_="muted",
            ),
        ),
        el(
            "div",
            el("p", host["headline"]) if host["headline"] and not host["cause"] else None,
            _cause(made, host),
            _facts(host),
            _adopted(host["adopted"]),
            variables(host["variables"], purpose),
            settings(host, purpose),
            _relays(host["relays"]),
            _services(host),
            _mail(host),
            _arrivals(host["arrivals"]),
            _waiting(host["waiting"]),
            _retried(host["retried"], made["run"]["check_mode"]),
            _findings(host),
            _timeline(host["timeline"], made["run"]["check_mode"]),
            id=f"host-{place}",
            class_="inside",
        ),
        open=is_open,
        class_="host",
        data_state=host["state"],
        data_name=host["name"],
    )


def _cause(made: Document, host: Document) -> Markup | None:
    cause = host["cause"]
    if not cause:
        return None
    step = where({**cause, "state": host["state"]})
    return el(
        "div",
        el("p", el("strong", step), class_="meta") if step else None,
        causes(fixes(cause)),
        closing(afterwards(made, [host["name"]])),
        class_=problem_class(host["state"]),
    )


def _adopted(adopted: Document | None) -> Markup | None:
    if not adopted:
        return None
    files = adopted.get("files") or []
    what = "Written into the inventory" if adopted["applied"] else "What the inventory contains, or would contain"
    rows: list[list[Child]] = [["File", el("code", one)] for one in files]
    rows.append(["Variables", ", ".join(adopted.get("variables") or [])])
    return part(what, table(what, ("", ""), rows, "facts-table"))


def _facts(host: Document) -> Markup | None:
    instance = host["instance"]
    if not instance:
        return None
    versions = instance.get("versions") or {}
    software = [
        f"{name} {versions[key]}"
        for name, key in (("Rails", "rails"), ("mail gem", "mail"), ("Ruby", "ruby"))
        if versions.get(key)
    ]
    facts = [
        ("App", instance.get("app_dir")),
        ("Environment file", instance.get("env_file")),
        ("Deployment", instance.get("deployment")),
        ("Software", ", ".join(software)),
        ("Batch", host["batch"] if host["batch"] > 1 else None),
    ]
    overrides = [f"{one.get('variable')} in {one.get('path')}" for one in instance.get("overrides") or ()]
    if overrides:
        facts.append(("Overridden elsewhere", "; ".join(overrides)))
    return el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in facts if value], class_="facts")


def _relays(relays: t.Mapping[str, Document]) -> Child:
    return [_relay(name, one) for name, one in relays.items()]


def _relay(name: str, relay: Document) -> Markup:
    rows: list[list[Child]] = [["Address", el("code", f"{relay.get('host')}:{relay.get('port')}")]]
    tried = [f"{one.get('address')} {one.get('outcome')}" for one in relay.get("addresses") or ()]
    facts = (
        ("Reached", ", ".join(tried)),
        ("TLS", _encryption(relay.get("tls_details") or {})),
        ("Certificate", _certificate(relay.get("tls_details") or {})),
        ("Login", _login(relay.get("auth") or {})),
        ("Open instead", ", ".join(str(one.get("port")) for one in relay.get("open_ports") or () if one.get("open"))),
        ("Ended at", str(relay.get("stage") or "")),
    )
    rows += [[label, fact] for label, fact in facts if fact]
    title = "Relay as seen from the host" if name == "main" else "Relay for announcements as seen from the host"
    return part(title, table(title, ("", ""), rows, "facts-table"))


def _encryption(tls: Document) -> str:
    return f"{tls['version']}, {tls.get('cipher') or ''}" if tls.get("version") else ""


def _certificate(tls: Document) -> str:
    if "verified" not in tls:
        return ""
    until = f", until {clock(str(tls['not_after']))}" if tls.get("not_after") else ""
    left = f" ({plural(int(tls['days_left']), 'day')})" if tls.get("days_left") is not None else ""
    return f"{'verified' if tls['verified'] else 'NOT verified'}, {tls.get('issuer') or 'no issuer'}{until}{left}"


def _login(auth: Document) -> str:
    if not auth:
        return ""
    outcome = "accepted" if auth.get("accepted") else "refused" if auth.get("tried") else "not tried"
    answer = f": {auth['answer']}" if auth.get("answer") else ""
    return f"{auth.get('mechanism') or 'none'}, {outcome}{answer}"


def _services(host: Document) -> Markup | None:
    services: t.Sequence[Document] = host["services"]
    if not services:
        return None
    word = renewed((host["instance"] or {}).get("deployment"))
    rows = [
        [el("code", one.get("name") or ""), _service(before), _service(after), _renewal(one, word)]
        for one in services
        for before in [one.get("before") or {}]
        for after in [one.get("after") or before]
    ]
    head = ("Service", "Before", "After", "What")
    if all(row[1] == row[2] for row in rows):
        head, rows = ("Service", "State", "What"), [[row[0], row[1], row[3]] for row in rows]
    return part("Services", table("Services", head, rows))


def _renewal(one: Document, word: str) -> str:
    if one.get("restarted"):
        return f"{word} by this run"
    if one.get("would_restart"):
        return f"would be {word}"
    if one.get("stale") and one.get("role") != "streaming":
        return "runs with old settings"
    return "left alone"


def _service(state: Document) -> str:
    since = f" since {clock(str(state['since']))}" if state.get("since") else ""
    return f"{state.get('state') or ''}{since}"


def _mail(host: Document) -> Markup | None:
    rows: list[list[Child]] = [
        [
            "Test message" if one.get("relay") == "main" else f"Test message ({one.get('relay')})",
            f"to {one.get('to')}",
            el("code", one.get("message_id") or ""),
            one.get("answer") or "no answer",
        ]
        for one in host["test_messages"]
    ]
    queued = host["queued_mail"]
    if queued:
        rows.append(["Queued mail", _queued(queued), el("code", queued.get("message_id") or ""), _job(queued)])
    if not rows:
        return None
    return part("Mail", table("Mail", ("Mail", "Which", "Message-ID", "Answer"), rows))


def _queued(queued: Document) -> str:
    after = f" after {duration(queued['waited'])}" if queued.get("waited") else ""
    outcome = str(queued.get("outcome"))
    return f"{QUEUE_WORDS.get(outcome, outcome)}{after}"


def _job(queued: Document) -> str:
    job, error = queued.get("job"), queued.get("error")
    if error:
        return f"{error.get('class')}: {error.get('message')}"
    return f"queue {job.get('queue')}, tried {plural(int(job.get('attempts') or 0), 'time')}" if job else ""


def _arrivals(arrivals: t.Sequence[Document]) -> Markup | None:
    """Where the test mails are in the receivers' mailboxes."""
    rows: list[list[Child]] = [
        [
            one["name"],
            _place(one) if one["arrived"] else "not arrived",
            "" if one["seconds"] is None else duration(one["seconds"]),
            one["dmarc"],
        ]
        for one in arrivals
    ]
    return part("Arrival", table("Arrival", ("Mail", "Where", "After", "DMARC"), rows)) if rows else None


def _place(arrival: Document) -> str:
    return f"{arrival['folder']} of {arrival['mailbox']}{' (junk)' if arrival['junk'] else ''}"


def _waiting(waiting: Document | None) -> Markup | None:
    """The mails that wait in Sidekiq; the findings say what they mean."""
    if not waiting or not waiting["groups"]:
        return None
    rows = [
        [
            _mails(one),
            PLACES.get(one["place"], one["place"]),
            _of_use(one),
            el("code", one["cause"] or one["error_class"]),
        ]
        for one in waiting["groups"]
    ]
    title = "Mails in Sidekiq" if waiting["complete"] else "Mails in Sidekiq (at least)"
    return part(title, table(title, ("Mails", "State", "Of use", "Last error"), rows))


def _mails(group: Document) -> str:
    one, several = name_of(group["mailer"], group["method"])
    return f"{group['count']:g} {one if group['count'] == 1 else several}"


def _of_use(group: Document) -> str:
    words = {"fresh": "of use", "expired": "expired", "gone": "about something that is gone", "unknown": "not judged"}
    return ", ".join(f"{group[name]:g} {word}" for name, word in words.items() if group[name])


def _retried(retried: Document | None, dry: bool) -> Markup | None:
    """What became of the mails that were retried, or which would be."""
    if not retried:
        return None
    names = [name for name in FATES if retried[name] and not (dry and name in ENDS)]
    if not names:
        return None
    title = "Mails that would be retried" if dry else "Mails that were retried"
    stopped = STOPPED.get(retried["stopped"] or "")
    return part(
        title,
        table(title, ("Mails", "Number"), [[FATES[name], f"{retried[name]:g}"] for name in names]),
        el("p", f"Not every mail had its turn: {stopped}.") if stopped else None,
    )


def _findings(host: Document) -> Markup | None:
    # Errors of the cause are already shown at the top.
    told = {(one["code"], one["subject"]) for one in (host["cause"] or {}).get("findings") or ()}
    rest = [one for one in host["findings"] if (one["code"], one["subject"]) not in told]
    return part("Findings", findings(rest)) if rest else None


def _timeline(timeline: t.Sequence[Document], dry: bool) -> Markup | None:
    if not timeline:
        return None
    top = max(one["seconds"] for one in timeline) or 1.0
    rows: list[list[Child]] = []
    for one in timeline:
        state = CELL_STATES[one["state"]]
        rows.append(
            [
                one["task"],
                el("span", icon(state.tone), cell_label(one["state"], dry), class_=f"key tone-{state.tone}"),
                duration(one["seconds"]),
                bars((one["seconds"] / top, "bar-mid")),
            ]
        )
    return part("Steps in order", table("Steps in order", ("Task", "State", "Took", ""), rows, "timeline"))
