# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selects what the report keeps of a task's result.

Only the keys named here are copied, as plain values: a result may hold anything, including tagged strings.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import base64
import itertools
import json
import typing as t
import urllib.parse

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import PASSWORDS
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import SHORT
from ansible_collections.fediops.mastodon.plugins.module_utils._text import (
    CUT,
    bounded,
    bounded_line,
    shown,
    shown_lines,
)

HIDDEN = "(hidden)"
#: Shorter secrets are not masked, because the mask would reveal them; modules never return them.
SHORTEST_SECRET = SHORT
#: Characters kept of one result, and of all results of a run. A result has a few thousand.
OF_RESULT = 256 * 1024
OF_RUN = 64 * 1024 * 1024
#: Extra characters that each value counts for, because a page puts markup around it.
EACH = 16
#: Larger numbers are not shown.
_HIGHEST = 2**63
#: Options of the collection's modules that hold a secret, a dictionary of secrets, or a list of what has a password.
SECRET_OPTIONS = (*PASSWORDS, "secrets", "mailboxes")

Plain = t.Any
Result = t.Mapping[str, t.Any]


class Room:
    """Counts the characters that may still be kept; text beyond that is dropped."""

    def __init__(self, left: float = float("inf")) -> None:
        self.left = left

    def take(self, text: str) -> str:
        """The text, cut to the remaining room."""
        kept = text if len(text) < self.left else text[: int(max(0, self.left - 1))] + CUT
        self.left -= len(kept) + EACH
        return kept


def plain(value: t.Any, room: Room | None = None, depth: int = 16) -> Plain:
    """A copy in plain strings, numbers, lists and dictionaries, with each text bounded and safe to show."""
    room = room or Room()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return room.take(shown_lines(bounded("".join(value))))
    if isinstance(value, (int, float)):
        room.left -= EACH
        number = float(value) if isinstance(value, float) else int(value)
        return number if -_HIGHEST < number < _HIGHEST else None
    if depth <= 0:
        return CUT
    if isinstance(value, t.Mapping):
        some = itertools.takewhile(lambda _unused: room.left > 0, value.items())
        return {room.take(shown(bounded_line(str(key)))): plain(item, room, depth - 1) for key, item in some}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, room, depth - 1) for item in itertools.takewhile(lambda _unused: room.left > 0, value)]
    return plain(str(value), room, depth)


def some(value: t.Any, *names: str) -> dict[str, Plain]:
    """The named keys that a dictionary has; empty for any other value."""
    if not isinstance(value, t.Mapping):
        return {}
    return {name: plain(value[name]) for name in names if name in value}


def maps(value: t.Any) -> list[Result]:
    """The dictionaries in a list; empty for any other value."""
    return [one for one in value if isinstance(one, t.Mapping)] if isinstance(value, (list, tuple)) else []


def rows(value: t.Any, *names: str) -> list[dict[str, Plain]]:
    """The named keys of each dictionary in a list."""
    return [some(one, *names) for one in maps(value)]


def texts(value: t.Any) -> list[str]:
    """The texts in a list; empty for any other value."""
    return [plain(one) for one in value if isinstance(one, str)] if isinstance(value, (list, tuple)) else []


def number(value: t.Any) -> float | None:
    """The value if it is a number, else None."""
    found = plain(value)
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def findings(result: Result) -> list[dict[str, str]]:
    """The findings of a step."""
    wanted = ("code", "severity", "subject", "message", "fix")
    return [
        {name: shown(bounded_line(str(one.get(name) or ""))) for name in wanted}
        for one in rows(result.get("findings"), *wanted)
        if one.get("severity") in ("error", "warning", "unknown", "info")
    ]


def secrets_of(arguments: t.Any) -> set[str]:
    """The secret values among a task's arguments."""
    if not isinstance(arguments, t.Mapping):
        return set()
    found: set[str] = set()
    for name in SECRET_OPTIONS:
        value = arguments.get(name)
        if isinstance(value, (list, tuple)):
            several = [one.get("password") for one in value if isinstance(one, t.Mapping)]
        else:
            several = list(value.values()) if isinstance(value, t.Mapping) else [value]
        for one in several:
            if isinstance(one, str) and len(one) >= SHORTEST_SECRET:
                found.add("".join(one))
    return found


def shapes(secret: str) -> set[str]:
    """The forms in which a secret may appear in other text."""
    return {
        secret,
        shown(secret),
        json.dumps(secret)[1:-1],
        urllib.parse.quote(secret, safe=""),
        base64.b64encode(secret.encode("utf-8", "replace")).decode("ascii").rstrip("="),
    }


def mask(value: Plain, forms: t.Sequence[str]) -> Plain:
    """The same value with every secret masked in its texts.

    :param forms: the texts to mask, longest first.
    """
    if not forms:
        return value
    if isinstance(value, str):
        for one in forms:
            if one in value:
                value = value.replace(one, HIDDEN)
        return value
    if isinstance(value, dict):
        return {mask(key, forms): mask(item, forms) for key, item in value.items()}
    if isinstance(value, list):
        return [mask(item, forms) for item in value]
    return value


#: Derived from a relay's settings: whether there is a login, and the TLS and AUTH modes.
_JUDGED = ("login_set", "password_set", "tls_mode", "verify_mode", "auth_mode")
_SERVICE = ("name", "role", "state", "since", "stale", "restarts")
_RELAY = ("host", "port", "tls", "speaks", "stage", "greeting")
_TLS = ("version", "cipher", "verified", "would_verify", "subject", "issuer", "not_after", "days_left", "sha256")


def of_instance(result: Result) -> dict[str, Plain]:
    seen = result.get("instance")
    found = some(seen, "deployment", "app_dir", "user", "env_file", "release", "local_domain")
    if isinstance(seen, t.Mapping):
        found["services"] = rows(seen.get("services"), *_SERVICE)
        found["overrides"] = rows(seen.get("overrides"), "variable", "layer", "path")
        found["effective"] = effective(seen.get("effective"))
    return found


def of_settings(result: Result) -> dict[str, Plain]:
    plan = result.get("plan")
    found = some(plan, "remove", "secret_variables", "release", "era", "relay", "bulk_relay", "sender")
    if isinstance(plan, t.Mapping):
        found["secret_variables"] = texts(plan.get("secret_variables"))
        secret = set(found["secret_variables"])
        values = plan.get("set")
        found["set"] = {
            name: HIDDEN if name in secret else value
            for name, value in (plain(values) if isinstance(values, t.Mapping) else {}).items()
        }
        found["effective"] = effective(plan.get("effective"))
    return found


def of_relay(result: Result) -> dict[str, Plain]:
    seen = result.get("relay")
    found = some(seen, *_RELAY)
    if isinstance(seen, t.Mapping):
        found["addresses"] = rows(seen.get("addresses"), "family", "address", "outcome", "seconds")
        found["open_ports"] = rows(seen.get("open_ports"), "port", "tls", "open")
        found["tls_details"] = some(seen.get("tls_details"), *_TLS) or None
        if found["tls_details"] and "days_left" in found["tls_details"]:
            found["tls_details"]["days_left"] = number(found["tls_details"]["days_left"])
        found["auth"] = some(seen.get("auth"), "mechanism", "tried", "accepted", "answer") or None
    return found


def of_edit(result: Result) -> dict[str, Plain]:
    found = some(result, "backup_file", "checksum_before", "checksum_after")
    changed = rows(result.get("changed_variables"), "name", "what")
    names = [str(one.get("name")) for one in changed]
    diff = result.get("diff")
    diffs = maps(diff if isinstance(diff, (list, tuple)) else [diff])
    before, after = (
        (_variables(diffs[0].get("before"), names), _variables(diffs[0].get("after"), names)) if diffs else ({}, {})
    )
    found["recorded"] = bool(diffs)
    found["variables"] = [
        {
            "name": str(one.get("name")),
            "what": str(one.get("what")),
            "before": before.get(str(one.get("name"))),
            "after": after.get(str(one.get("name"))),
        }
        for one in changed
    ]
    return found


def _variables(text: t.Any, names: t.Sequence[str]) -> dict[str, str]:
    """The lines NAME=value of a masked diff; a value in quotes may run over several."""
    found: dict[str, str] = {}
    current = ""
    for line in (plain(text) if isinstance(text, str) else "").splitlines():
        name, equals, value = line.partition("=")
        if equals and name in names:
            current, found[name] = name, value
        elif current:
            found[current] += f"\n{line}"
    return {name: HIDDEN if value.startswith("(hidden") else value for name, value in found.items()}


def of_rails(result: Result) -> dict[str, Plain]:
    return {
        **some(result, "password_matches", "planned"),
        "versions": some(result.get("rails"), "release", "rails", "mail", "net_smtp", "ruby"),
        "effective": effective(result.get("effective")),
        "differences": rows(result.get("differences"), "setting", "expected", "actual"),
        "test_messages": rows(result.get("test_message"), "relay", "to", "message_id", "envelope_from", "answer"),
        "waiting": of_waiting(result.get("waiting")),
    }


def of_waiting(value: t.Any) -> dict[str, Plain] | None:
    """The mails that wait in Sidekiq, in numbers; None if they were not counted."""
    if not isinstance(value, t.Mapping):
        return None
    words = ("place", "mailer", "method", "error_class", "cause")
    counts = ("count", "fresh", "expired", "gone", "unknown")
    groups = [
        {
            **{name: str(plain(one.get(name)) or "") for name in words},
            **{name: number(one.get(name)) or 0 for name in counts},
        }
        for one in maps(value.get("groups"))
    ]
    return {"complete": value.get("complete") is True, "groups": groups}


def of_services(result: Result) -> dict[str, Plain]:
    return {
        "ready_after": number(result.get("ready_after")),
        "services": [
            {
                **some(one, "name", "role", "stale", "restarted"),
                "before": some(one.get("before"), "state", "since", "restarts"),
                "after": some(one.get("after"), "state", "since", "restarts"),
            }
            for one in maps(result.get("services"))
        ],
    }


def of_adopt(result: Result) -> dict[str, Plain]:
    return some(result, "files", "variables")


def differs(step: str, result: Result) -> bool:
    """Whether a step that ran without changing anything found something to change."""
    if step == "edit":
        return bool(maps(result.get("changed_variables")))
    return step == "services" and any(one.get("restarted") for one in maps(result.get("services")))


def of_queue(result: Result) -> dict[str, Plain]:
    job = some(result.get("job"), "id", "queue", "attempts")
    if "attempts" in job:
        job["attempts"] = number(job["attempts"])
    return {
        **some(result, "outcome", "message_id"),
        **({} if number(result.get("waited")) is None else {"waited": number(result.get("waited"))}),
        "job": job or None,
        "error": some(result.get("error"), "class", "message") or None,
    }


def of_arrival(result: Result) -> dict[str, Plain]:
    """The mails that were searched in mailboxes; of a receiver's words only its result of DMARC."""
    return {
        "arrivals": [
            {
                **{name: str(plain(one.get(name)) or "") for name in ("name", "message_id", "to", "mailbox", "folder")},
                **{name: one.get(name) is True for name in ("arrived", "junk")},
                "seconds": number(one.get("seconds")),
                "dmarc": _dmarc(one),
            }
            for one in maps(result.get("arrivals"))
        ]
    }


def _dmarc(arrival: Result) -> str:
    receiver, judged = (some(arrival.get(name), "dmarc").get("dmarc") for name in ("receiver", "judged"))
    return str(receiver or judged or "")


def of_retry(result: Result) -> dict[str, Plain]:
    """The mails that waited, and what became of those that were retried, in numbers."""
    names = ("chosen", "sent", "failed", "passed", "moving", "left", "expired", "dropped", "refused", "old", "stopped")
    retried = some(result.get("retried"), *names)
    return {"waiting": of_waiting(result.get("waiting")), "retried": retried if set(retried) == set(names) else None}


def of_dns(result: Result) -> list[dict[str, Plain]]:
    """The results of the DNS check, for each sender."""
    domains = result.get("domains")
    found = []
    for one in maps(result.get("sender_dns")):
        own = domains.get(str(one.get("from_domain"))) if isinstance(domains, t.Mapping) else None
        records = one.get("records")
        found.append(
            {
                **some(one, "from_domain", "return_path_domain", "dkim_domain", "provider", "verdict"),
                "rules": rows(one.get("rules"), "id", "outcome"),
                "records": plain(records) if isinstance(records, t.Mapping) else {},
                "zone": plain(one.get("zone") or ""),
                "findings": findings(own) if isinstance(own, t.Mapping) else [],
                "nameservers": texts(result.get("nameservers")),
            }
        )
    return found


def effective(value: t.Any) -> dict[str, Plain] | None:
    """Effective settings, flat: V(main.port) and so on."""
    if not isinstance(value, t.Mapping):
        return None
    flat = some(value, "delivery_method", "from", "reply_to", "return_path")
    failure = value.get("error")
    if isinstance(failure, t.Mapping):
        flat["error"] = f"{failure.get('class')}: {failure.get('message')}"
    for relay in ("main", "bulk"):
        seen = value.get(relay)
        if not isinstance(seen, t.Mapping):
            continue
        flat.update({f"{relay}.{name}": item for name, item in some(seen.get("settings"), *_names(seen)).items()})
        flat.update({f"{relay}.{name}": seen[name] for name in _JUDGED if name in seen})
    return plain(flat)


def _names(seen: Result) -> list[str]:
    settings = seen.get("settings")
    return (
        [name for name in settings if name not in ("user_name", "password")] if isinstance(settings, t.Mapping) else []
    )


OF_STEP: dict[str, t.Callable[[Result], dict[str, Plain]]] = {
    "instance": of_instance,
    "settings": of_settings,
    "relay": of_relay,
    "edit": of_edit,
    "rails": of_rails,
    "services": of_services,
    "queue": of_queue,
    "arrival": of_arrival,
    "retry": of_retry,
    "adopt": of_adopt,
}
