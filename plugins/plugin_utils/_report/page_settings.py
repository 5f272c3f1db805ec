# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the page about one host's settings: variables of the file, and the settings that Rails uses."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from markupsafe import Markup

from .._drift import DRIFT_WORDS
from .._summary import encryption as in_words
from .markup import Child, el
from .page_parts import Document, part, table
from .words import plural, text_of

WHAT_WORDS = {"added": "added", "changed": "changed", "removed": "removed", "requoted": "quotes changed"}
#: The same if nothing was edited: how the file differs from the inventory.

#: Setting (without the relay's name) -> its name for people.
SETTING_WORDS = {
    "delivery_method": "Delivery method",
    "from": "From",
    "reply_to": "Reply-To",
    "return_path": "Return path",
    "error": "Rails refuses",
    "domain": "HELO name",
    "ca_file": "CA file",
    "openssl_verify_mode": "Certificate check",
    "enable_starttls": "STARTTLS",
    "enable_starttls_auto": "STARTTLS if offered",
    "tls": "TLS from the first byte",
    "ssl": "SSL from the first byte",
    "read_timeout": "Read timeout",
    "open_timeout": "Open timeout",
    "login_set": "Login given",
    "password_set": "Password given",
}
VERIFY_WORDS = {"peer": "checked", "none": "NOT checked"}
#: The settings that four rows summarize in words: server, encryption, certificate, login.
SUMMED_UP = frozenset(
    {"address", "port", "authentication", "login_set", "password_set", "tls_mode", "verify_mode", "auth_mode"}
    | {"enable_starttls", "enable_starttls_auto", "tls", "ssl", "openssl_verify_mode"}
)


def variables(found: Document | None, purpose: str) -> Markup | None:
    """The variables of the environment file, before and after."""
    if found is None:
        return None
    changed = found["changed"]
    if not changed:
        same = "There was nothing to restore." if purpose == "rollback" else "It matches the inventory."
        return part("Environment file", el("p", same, class_="muted"))
    title, before, after = _file_words(found, purpose)
    words = DRIFT_WORDS if purpose == "drift_check" else WHAT_WORDS
    rows = [
        [
            el("code", one["name"]),
            words.get(one["what"], one["what"]),
            _value(one["before"], one["what"] == "added", found["recorded"]),
            _value(one["after"], one["what"] == "removed", True),
        ]
        for one in changed
    ]
    remarks = _remarks(found, purpose)
    return part(
        title,
        table("Variables before and after", ("Variable", "What", before, after), rows),
        el("p", remarks, class_="muted") if remarks else None,
    )


def _file_words(found: Document, purpose: str) -> tuple[str, str, str]:
    """The headings of the table of variables and of its two columns of values."""
    if found["put_back"]:
        return ("Environment file: tried, then restored", "In effect again", "Tried")
    if purpose == "rollback":
        if found["applied"]:
            return ("Environment file: restored", "Before", "In effect again")
        return ("Environment file: now, and as it would be restored", "Now", "Before the last edit")
    if found["applied"]:
        return ("Environment file: before and after", "Before", "After")
    return ("Environment file: now, and according to the inventory", "Now", "Inventory")


def _remarks(found: Document, purpose: str) -> str:
    done = found["applied"] and not found["put_back"] and purpose != "rollback"
    which = "Values before the edit" if found["applied"] else "The values in the file"
    back = "The file is as it was before this run: the values that were tried are gone." if found["put_back"] else ""
    kept = f"The previous file is kept in {found['backup_file']}." if done and found["backup_file"] else ""
    unknown = "" if found["recorded"] else f"{which} are recorded by a run with --diff."
    return " ".join(one for one in (back, kept, unknown) if one)


def _value(value: t.Any, absent: bool, recorded: bool) -> Child:
    if value is not None:
        return el("code", value)
    return el("span", "absent" if absent else "not recorded" if not recorded else "set", class_="muted")


#: A row: its name, the value before, the value now, and the planned value if Rails uses another.
Row = tuple[str, str, str, str]


def settings(host: Document, purpose: str) -> Markup | None:
    """The settings that Rails uses. Settings that are not set are left out."""
    found = host["settings"]
    said = any(one["rails"] is not None for one in found)
    if not said and all(one["planned"] is None for one in found):
        return None  # nothing to compare with
    back = bool(host["variables"] and host["variables"]["put_back"])
    title, before, after = _settings_words(said, back, purpose)
    rows = _rows(found, "planned" if purpose == "drift_check" and said else "before", "rails" if said else "planned")
    old_tag, new_tag = ("b", "span") if back else ("span", "b")
    changed: list[list[Child]] = [
        [
            name,
            el(old_tag, old, class_=None if back else "muted"),
            [
                el(new_tag, new, class_="muted" if back else None),
                el("span", f"planned: {plan}", class_="differs") if plan else None,
            ],
        ]
        for name, old, new, plan in rows
        if old != new or plan
    ]
    same: list[list[Child]] = [[name, new] for name, old, new, plan in rows if old == new and not plan]
    return part(
        title,
        table(title, ("Setting", before, after), changed) if changed else None,
        el(
            "details",
            el("summary", plural(len(same), "setting"), " the same on both sides"),
            table("Settings that are the same", ("Setting", "Value"), same),
            open=not changed,
            class_="same",
        )
        if same
        else None,
    )


def _settings_words(said: bool, back: bool, purpose: str) -> tuple[str, str, str]:
    if purpose == "drift_check" and said:
        return ("Settings: in the inventory, and as Rails uses them", "Inventory", "Rails")
    if back:
        return ("Settings: in effect again, and as tried", "In effect again", "Tried")
    if said:
        return ("Settings: before, and as Rails uses them now", "Before", "Rails")
    return ("Settings: before, and planned", "Before", "Planned")


def _rows(found: t.Sequence[Document], before: str, after: str) -> list[Row]:
    values = {one["name"]: one for one in found}
    rows: list[Row] = []
    for relay, remark in (("main", ""), ("bulk", " (announcements)")):
        if any(name.startswith(f"{relay}.") for name in values):
            rows += [(f"{row[0]}{remark}", *row[1:]) for row in _summed_up(values, relay, before, after)]
    for name, one in values.items():
        relay, _dot, setting = name.rpartition(".")
        plan = text_of(one["planned"]) if one["differs"] and before != "planned" else ""
        # Values that Rails adds by itself are not settings.
        if (relay and setting in SUMMED_UP and not plan) or (one["before"] is None and one["planned"] is None):
            continue
        words = SETTING_WORDS.get(setting, setting.replace("_", " "))
        label = f"{words} (announcements)" if relay == "bulk" else words
        unit = " s" if setting.endswith("_timeout") else ""
        rows.append((label, *(_text(each, unit) for each in (one[before], one[after])), plan))
    return rows


def _text(value: t.Any, unit: str) -> str:
    return text_of(value) if value is None else f"{text_of(value)}{unit}"


def _summed_up(values: t.Mapping[str, Document], relay: str, before: str, after: str) -> t.Iterator[Row]:
    """Rows that summarize a relay's settings: server, encryption, certificate and login."""

    def of(side: str, setting: str) -> t.Any:
        return values.get(f"{relay}.{setting}", {}).get(side)

    def server(side: str) -> str:
        address, port = of(side, "address"), of(side, "port")
        return "none" if address is None else f"{address}:{port}" if port is not None else str(address)

    def encryption(side: str) -> str:
        return in_words(str(of(side, "tls_mode")))

    def certificate(side: str) -> str:
        if of(side, "tls_mode") in (None, "none"):
            return "nothing to check"
        return VERIFY_WORDS.get(str(of(side, "verify_mode")), str(of(side, "verify_mode")))

    def login(side: str) -> str:
        kind = of(side, "auth_mode")
        if kind in (None, "none"):
            return "no login"
        missing = [word for word in ("login", "password") if of(side, f"{word}_set") is False]
        return f"with {kind}{', but no ' + ' and no '.join(missing) if missing else ''}"

    for label, made in (
        ("Server", server),
        ("Encryption", encryption),
        ("Certificate", certificate),
        ("Login", login),
    ):
        yield (label, made(before), made(after), "")
