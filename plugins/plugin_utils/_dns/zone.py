# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything to publish for one sender, all at once: as lines of a zone file, and in octoDNS' YAML.

Nothing is invented. What only the operator or the provider knows, and what the findings cannot prove, is a comment.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

import yaml

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown

from . import names
from .facts import Facts
from .wording import Advised, DnsRecord

try:
    import dns.exception
    import dns.name
    import dns.rdata
except ImportError:  # reported by the step; see libraries.py
    pass

#: Seconds for which a new record is cached; short, since it may have to be corrected.
TTL = 3600
#: The longest string of a TXT record (RFC 1035, section 3.3); receivers join them without a space.
LONGEST_STRING = 255

_HEAD = "What the findings ask for, in their order. A line after a semicolon has no effect until you complete it."
_BLANK = "Only you or your provider know what is in capitals. Fill it in, then remove the semicolon:"
_MERGE = (
    "The names are relative to {zone}. If that is not a zone of its own, complete them with its labels. Keep other "
    "values at the same name."
)


@dataclasses.dataclass(frozen=True)
class _Entry:
    """One finding with its record.

    :ivar hint: why the record is a comment; empty for one to publish as it is.
    """

    finding: Finding
    record: DnsRecord | None
    hint: str


def zone_text(facts: Facts, findings: t.Sequence[Finding]) -> str:
    """The lines of a zone file; empty if there is nothing to publish or to correct.

    :param findings: worst first; infos are not about anything wrong.
    """
    lines: list[str] = []
    for entry in _entries(facts, findings):
        found, record = entry.finding, entry.record
        why = found.why if isinstance(found, Advised) else f"{found.told()} {found.advice()}"
        lines += ["", _comment(f"{found.severity} {found.code}: {why}")]
        if record is None:
            continue
        if record.replaces:
            lines.append(_comment(f"In place of {record.replaces}:"))
        if entry.hint:
            lines.append(_comment(entry.hint))
        lines.append(_comment(_line(record)) if entry.hint else _line(record))
    return "\n".join([_comment(_HEAD), *lines, ""]) if lines else ""


def octodns(facts: Facts, findings: t.Sequence[Finding]) -> dict[str, str]:
    """The records to publish as they are: zone -> the YAML for octoDNS."""
    zones: dict[str, dict[str, list[dict[str, t.Any]]]] = {}
    for entry in _entries(facts, findings):
        if entry.record is not None and not entry.hint:
            zone = _zone_of(facts, entry.record.name)
            label = entry.record.name[: -len(zone)].rstrip(".")
            _add(zones.setdefault(zone, {}).setdefault(label, []), _octodns_record(entry.record))
    return {
        zone: f"# {_MERGE.format(zone=zone)}\n---\n{yaml.safe_dump(records, width=2**20)}"
        for zone, records in zones.items()
    }


def _entries(facts: Facts, findings: t.Sequence[Finding]) -> t.Iterator[_Entry]:
    aliases = {alias.name for alias, _others in facts.neighbours if alias.records}
    wrong = [one for one in findings if one.severity != "info"]
    advised = [one.record for one in wrong if isinstance(one, Advised) and one.record is not None]
    aliases |= {one.name for one in advised if one.rtype == "CNAME"}
    told: set[tuple[str, ...]] = set()
    for finding in wrong:
        record = finding.record if isinstance(finding, Advised) else None
        if record is None:
            yield _Entry(finding, None, "")
            continue
        # A name may have several MX records, but only one record for SPF, DKIM or DMARC, and one CNAME.
        key = (record.name, record.rtype, record.value if record.rtype == "MX" else "")
        yield _Entry(finding, record, _hint(finding, record, aliases, repeated=key in told))
        told.add(key)


def _hint(finding: Finding, record: DnsRecord, aliases: set[str], *, repeated: bool) -> str:
    """Why a record cannot be published as it is; empty if it can."""
    if record.rtype != "CNAME" and record.name in aliases:
        return f"{record.name} has or gets a CNAME, so this belongs where that leads:"
    if repeated:
        return "The record above for the same name resolves this, too. Instead of:"
    if finding.severity == "unknown":
        return "It is not proved that this is needed:"
    if not record.complete:
        return _BLANK
    return "" if _parses(record) else "This cannot be published as it is:"


def _line(record: DnsRecord) -> str:
    return f"{record.name}. {TTL} IN {record.rtype} {_data(record)}"


def _data(record: DnsRecord) -> str:
    """The value as in a zone file: names end with a dot, texts are split into strings."""
    if record.rtype == "TXT":
        octets = record.value.encode("utf-8", "replace")
        strings = [octets[start : start + LONGEST_STRING] for start in range(0, len(octets), LONGEST_STRING)]
        return " ".join(f'"{"".join(map(_escaped, one))}"' for one in strings or [b""])
    if record.rtype in ("CNAME", "MX"):
        return f"{record.value.rstrip('.')}."
    return record.value


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return f"\\{octet:c}"
    return chr(octet) if 32 <= octet < 127 else f"\\{octet:03d}"


def _comment(text: str) -> str:
    """One line of comment, whatever is in the text."""
    return f"; {shown(text)}"


def _parses(record: DnsRecord) -> bool:
    """Whether a name server would take it: a record may repeat what a stranger has published."""
    try:
        dns.name.from_text(record.name)
        dns.rdata.from_text("IN", record.rtype, _data(record))
    except (dns.exception.DNSException, ValueError):
        return False
    return True


def _zone_of(facts: Facts, name: str) -> str:
    """The sender's domain that a name is in, the shortest if there are several."""
    domains = [facts.sender.from_domain, facts.sender.dkim_domain, facts.return_path.domain]
    around = [one for one in domains if one and names.within(name, one)]
    # A DMARC record may be that of a parent domain.
    return min(around, key=len) if around else name.removeprefix("_dmarc.")


def _add(known: list[dict[str, t.Any]], made: dict[str, t.Any]) -> None:
    """Add a record to those of a label, where a type stands once, with all its values."""
    same = next((one for one in known if one["type"] == made["type"] and "values" in one), None)
    if same:
        same["values"] += made["values"]
    else:
        known.append(made)


def _octodns_record(record: DnsRecord) -> dict[str, t.Any]:
    made: dict[str, t.Any] = {"ttl": TTL, "type": record.rtype}
    if record.rtype == "TXT":
        return {**made, "values": [record.value.replace(";", r"\;")]}
    if record.rtype == "MX":
        preference, _blank, host = record.value.partition(" ")
        return {**made, "values": [{"preference": int(preference), "exchange": f"{host.rstrip('.')}."}]}
    return {**made, "value": _data(record)}
