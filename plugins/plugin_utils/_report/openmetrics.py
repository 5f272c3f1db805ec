# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as metrics, for the textfile collector of Prometheus' node_exporter.

The text is valid both as OpenMetrics and in the older format of Prometheus that the collector reads: only gauges, and
no times beside the samples, which it refuses.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import datetime
import typing as t

from .words import HOST_STATES

Document = t.Mapping[str, t.Any]
Labels = t.Mapping[str, str]

#: Where Sidekiq keeps mails (_waiting.model).
_PLACES = ("queue", "scheduled", "retry", "dead")
_PREFIX = "mastodon_mail_"
_SEVERITIES = ("error", "warning", "unknown", "info")
#: Steps in these states have taken no time yet, or none at all.
_NOT_RUN = frozenset({"skipped", "running"})

#: Name -> help. By the conventions of Prometheus: base units, the unit last; a label has one meaning everywhere.
HELP: dict[str, str] = {
    "ok": "Whether the last run found the mail of the host in order (1) or not (0).",
    "host_info": "How the last run of the host ended, and what it found there; always 1.",
    "findings": "Findings of the last run by severity.",
    "checked_timestamp_seconds": "When the last step of the host ended, in Unix time.",
    "relay_certificate_expiry_timestamp_seconds": "When the certificate of the relay expires, in Unix time.",
    "queue_seconds": "How long the last test mail needed from the queue to the relay.",
    "arrival_seconds": "How long the last test mails needed until they were in the receiver's mailbox.",
    "sidekiq_mails": "Mails in Sidekiq by place: queue, scheduled, retry, or dead for those that it has given up.",
    "step_seconds": "How long each step of the last run took.",
    "run_timestamp_seconds": "When the last run ended, in Unix time.",
    "run_seconds": "How long the last run took.",
}


class _Samples:
    """The samples by metric. Of two with the same labels the first counts: a repeated one would void the whole file."""

    def __init__(self) -> None:
        self._by_name: dict[str, dict[str, float]] = {}

    def add(self, name: str, value: float | None, **labels: t.Any) -> None:
        """Add one sample; None means that the value is not known."""
        if value is not None:
            pairs = ",".join(f'{key}="{_escaped(str(one))}"' for key, one in labels.items())
            self._by_name.setdefault(name, {}).setdefault(f"{{{pairs}}}" if pairs else "", float(value))

    def text(self) -> str:
        lines = []
        for name, help_text in HELP.items():
            if name in self._by_name:
                lines += [f"# HELP {_PREFIX}{name} {help_text}", f"# TYPE {_PREFIX}{name} gauge"]
                lines += [f"{_PREFIX}{name}{labels} {value!r}" for labels, value in self._by_name[name].items()]
        return "\n".join([*lines, "# EOF", ""])


def openmetrics(made: Document) -> str:
    """The metrics of a finished run."""
    samples = _Samples()
    for host in made["hosts"]:
        _host(samples, host)
    samples.add("run_timestamp_seconds", _seconds_of(made["run"]["updated"]))
    samples.add("run_seconds", made["run"]["seconds"])
    return samples.text()


def _host(samples: _Samples, host: Document) -> None:
    name, seen = host["name"], host["instance"] or {}
    samples.add("ok", HOST_STATES[host["state"]].tone == "good", host=name)
    samples.add(
        "host_info",
        1,
        host=name,
        state=host["state"],
        release=seen.get("release") or "",
        deployment=seen.get("deployment") or "",
    )
    # The cause of a failure may be of a step that returned nothing else.
    told = [*host["findings"], *((host["cause"] or {}).get("findings") or ())]
    severities = {(one["code"], one["subject"], one["message"]): one["severity"] for one in reversed(told)}
    for severity in _SEVERITIES:
        samples.add("findings", list(severities.values()).count(severity), host=name, severity=severity)
    ends = [(_seconds_of(one["started"]) or 0) + one["seconds"] for one in host["timeline"]]
    samples.add("checked_timestamp_seconds", max(ends, default=None), host=name)
    for relay, probe in host["relays"].items():
        until = _seconds_of((probe.get("tls_details") or {}).get("not_after"))
        place = f"{probe.get('host') or ''}:{probe.get('port') or ''}"
        samples.add("relay_certificate_expiry_timestamp_seconds", until, host=name, relay=relay, endpoint=place)
    samples.add("queue_seconds", (host["queued_mail"] or {}).get("waited"), host=name)
    # Two relays may have sent the same kind of mail to one mailbox: the later one counts.
    for arrival in sorted(host["arrivals"], key=lambda one: -(one["seconds"] or 0)):
        if arrival["arrived"]:
            samples.add(
                "arrival_seconds", arrival["seconds"], host=name, mail=arrival["name"], mailbox=arrival["mailbox"]
            )
    if host["waiting"]:
        groups = host["waiting"]["groups"]
        for place in _PLACES:
            count = sum(one["count"] for one in groups if one["place"] == place)
            samples.add("sidekiq_mails", count, host=name, place=place)
    for step, cell in host["steps"].items():
        if cell["state"] not in _NOT_RUN:
            samples.add("step_seconds", cell["seconds"], host=name, step=step)


def _seconds_of(stamp: t.Any) -> float | None:
    """A time of the report (ISO 8601, UTC) as Unix time; None for anything else, since a relay writes its own."""
    try:
        at = datetime.datetime.strptime(str(stamp), "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return None
    return at.replace(tzinfo=datetime.timezone.utc).timestamp()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
