# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""The part of the page that speaks of one host."""

from __future__ import annotations

import typing as t

from .markup import Child, Markup, el
from .page_run import Document, badge, findings, icon
from .sentences import clock, fixes
from .words import CELL_STATES, HOST_STATES, cell_label, duration, label_of, plural, text_of

#: Effective settings as a person names them; those of the relay without its name.
SETTING_WORDS = {
    "delivery_method": "Delivery method",
    "from": "From",
    "reply_to": "Reply-To",
    "return_path": "Return path",
    "error": "Rails refuses",
    "address": "Server",
    "port": "Port",
    "domain": "HELO name",
    "authentication": "Login mechanism",
    "ca_file": "CA file",
    "openssl_verify_mode": "Certificate check",
    "enable_starttls": "STARTTLS",
    "enable_starttls_auto": "STARTTLS if offered",
    "tls": "TLS from the first byte",
    "ssl": "SSL from the first byte",
    "read_timeout": "Read timeout",
    "open_timeout": "Open timeout",
    "login_set": "Login set",
    "password_set": "Password set",
}
#: What became of the queued mail.
QUEUE_WORDS = {
    "delivered": "delivered",
    "performed": "delivered, as far as the log tells",
    "failed": "failed",
    "waiting": "still in the queue when the time was up",
    "not_queued": "did not get into the queue",
    "not_sent": "none was sent",
    "unknown": "the log does not tell",
}
WHAT_WORDS = {"added": "added", "changed": "changed", "removed": "removed", "requoted": "quoted anew"}


def hosts(made: Document, *, all_open: bool) -> Markup | None:
    """The details of every host; those that did not pass are open."""
    found = made["hosts"]
    if not found:
        return None
    return el(
        "section",
        el("h2", "Details"),
        [
            _host(place, one, all_open or HOST_STATES[one["state"]].tone in ("bad", "busy"), made["run"]["check_mode"])
            for place, one in enumerate(found, 1)
        ],
        id="details",
    )


def _host(place: int, host: Document, is_open: bool, dry: bool) -> Markup:
    instance = host["instance"] or {}
    release = f"Mastodon {instance['release']}" if instance.get("release") else ""
    # The target of links is inside, so that a browser opens the details by itself.
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
            _cause(host),
            _facts(host),
            _variables(host["variables"]),
            _settings(host["settings"]),
            _relays(host["relays"]),
            _services(host["services"]),
            _mail(host),
            _findings(host),
            _timeline(host["timeline"], dry),
            id=f"host-{place}",
            class_="inside",
        ),
        open=is_open,
        class_="host",
        data_state=host["state"],
        data_name=host["name"],
    )


def _cause(host: Document) -> Markup | None:
    cause = host["cause"]
    if not cause:
        return None
    return el(
        "div",
        el("p", el("strong", label_of(cause["step"]) or cause["task"]), class_="meta"),
        [
            el("div", el("p", wrong, class_="wrong"), el("p", el("b", "Fix "), fix, class_="fix") if fix else None)
            for wrong, fix in fixes(cause)
        ],
        el("p", el("b", "Afterwards "), host["undone"]) if host["undone"] else None,
        class_=f"problem{' warn' if HOST_STATES[host['state']].tone != 'bad' else ''}",
    )


def _part(title: str, *children: Child) -> Markup:
    return el("div", el("h4", title), children, class_="part")


def _table(label: str, head: t.Sequence[str], rows: t.Sequence[t.Sequence[Child]], class_: str = "") -> Markup:
    """A table whose first column names the row; on a phone each row becomes a block with labels."""
    body = [
        el("tr", el("th", row[0], scope="row"), [_cell(one, name) for one, name in zip(row[1:], head[1:])])
        for row in rows
    ]
    return el(
        "div",
        el(
            "table",
            el("thead", el("tr", [el("th", one, scope="col") for one in head])) if any(head) else None,
            el("tbody", body),
            class_=f"plain {class_}".strip(),
        ),
        class_="scroll",
        tabindex="0",
        role="group",
        aria_label=label,
    )


def _cell(child: Child, name: str) -> Markup:
    return el("td", el("div", child), data_label=name or None)


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


def _variables(variables: Document | None) -> Markup | None:
    if variables is None:
        return None
    changed = variables["changed"]
    if not changed:
        return _part("Environment file", el("p", "It already said what the inventory says.", class_="muted"))
    rows = [
        [
            el("code", one["name"]),
            WHAT_WORDS.get(one["what"], one["what"]),
            _value(one["before"], one["what"] == "added", variables["recorded"]),
            _value(one["after"], one["what"] == "removed", True),
        ]
        for one in changed
    ]
    done = variables["applied"]
    kept = f"The file as it was before is {variables['backup_file']}." if done and variables["backup_file"] else ""
    unknown = "" if variables["recorded"] else "Values before the edit are recorded by a run with --diff."
    remarks = " ".join(one for one in (kept, unknown) if one)
    return _part(
        "Environment file: before and after" if done else "Environment file: now, and as the inventory has it",
        _table(
            "Variables before and after",
            ("Variable", "What", *(("Before", "After") if done else ("Now", "Inventory"))),
            rows,
        ),
        el("p", remarks, class_="muted") if remarks else None,
    )


def _value(value: t.Any, absent: bool, recorded: bool) -> Child:
    if value is not None:
        return el("code", value)
    return el("span", "absent" if absent else "not recorded" if not recorded else "set", class_="muted")


def _settings(settings: t.Sequence[Document]) -> Markup | None:
    if not settings:
        return None
    said = any(one["rails"] is not None for one in settings)
    changed: list[list[Child]] = []
    same: list[list[Child]] = []
    for one in settings:
        now = one["rails"] if said else one["planned"]
        before, after = text_of(one["before"]), text_of(now)
        if before == after and not one["differs"]:
            same.append([_setting(one["name"]), after])
            continue
        planned = el("span", f"planned: {text_of(one['planned'])}", class_="differs") if one["differs"] else None
        changed.append([_setting(one["name"]), el("span", before, class_="muted"), [el("b", after), planned]])
    title = (
        "Effective settings: before, and as Rails itself says" if said else "Effective settings: before, and planned"
    )
    return _part(
        title,
        _table(title, ("Setting", "Before", "Rails" if said else "Planned"), changed) if changed else None,
        el(
            "details",
            el("summary", plural(len(same), "setting"), " the same before and after"),
            _table("Settings that stay", ("Setting", "Before and after"), same),
            open=not changed,
            class_="same",
        )
        if same
        else None,
    )


def _setting(name: str) -> str:
    relay, _dot, setting = name.rpartition(".")
    words = SETTING_WORDS.get(setting, setting.replace("_", " "))
    return f"{words} (announcements)" if relay == "bulk" else words


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
    return _part(title, _table(title, ("", ""), rows, "facts-table"))


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


def _services(services: t.Sequence[Document]) -> Markup | None:
    if not services:
        return None
    rows: list[list[Child]] = [
        [
            el("code", one.get("name") or ""),
            _service(one.get("before") or {}),
            _service(one.get("after") or {}) or "as before",
            _renewal(one),
        ]
        for one in services
    ]
    return _part("Services", _table("Services", ("Service", "Before", "After", "What"), rows))


def _renewal(one: Document) -> str:
    if one.get("restarted"):
        return "restarted by this run"
    if one.get("would_restart"):
        return "would be restarted"
    if one.get("stale") and one.get("role") != "streaming":
        return "runs on old settings"
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
    return _part("Mail", _table("Mail", ("Mail", "Which", "Message-ID", "Answer"), rows))


def _queued(queued: Document) -> str:
    after = f" after {duration(queued['waited'])}" if queued.get("waited") else ""
    outcome = str(queued.get("outcome"))
    return f"{QUEUE_WORDS.get(outcome, outcome)}{after}"


def _job(queued: Document) -> str:
    job, error = queued.get("job"), queued.get("error")
    if error:
        return f"{error.get('class')}: {error.get('message')}"
    return f"queue {job.get('queue')}, tried {plural(int(job.get('attempts') or 0), 'time')}" if job else ""


def _findings(host: Document) -> Markup | None:
    # Errors of the cause stand on top already.
    told = {(one["code"], one["subject"]) for one in (host["cause"] or {}).get("findings") or ()}
    rest = [one for one in host["findings"] if (one["code"], one["subject"]) not in told]
    return _part("Findings", findings(rest)) if rest else None


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
                el(
                    "svg",
                    el(
                        "rect",
                        x="0",
                        y="3",
                        width=f"{max(0.5, 100 * one['seconds'] / top):.2f}%",
                        height="8",
                        rx="2",
                        class_="bar-mid",
                    ),
                    width="100%",
                    height="14",
                    aria_hidden="true",
                ),
            ]
        )
    return _part("Steps in order", _table("Steps in order", ("Task", "State", "Took", ""), rows, "timeline"))
