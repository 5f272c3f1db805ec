# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the arrival of a mail: from what was seen to findings. Does no I/O."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.arrival import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._text import listed

from .judge import Judgement
from .message import Hop
from .results import Results

#: Results of SPF that mean: this address may not.
_SPF_BAD = frozenset({"fail", "softfail", "permerror"})
#: What to do where our own judgement is open, by the verdict that leaves it so.
_REMEDY = {
    "temperror": "Give name servers that answer.",
    "unknown": "Set authserv_id of the mailbox to the receiver's name in Authentication-Results, so that they count.",
}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One message to find.

    :ivar message_id: its Message-ID, without the angle brackets.
    :ivar to: the address of the mailbox where it is expected; empty for any.
    :ivar name: what it is, for people.
    :ivar sent: when it was sent (seconds since 1970); None if unknown.
    """

    message_id: str
    to: str = ""
    name: str = "mail"
    sent: float | None = None
    bulk: bool = False

    @property
    def subject(self) -> str:
        """What findings about it are about."""
        return f"{self.name} to {self.to}" if self.to else f"{self.name} <{self.message_id}>"


@dataclasses.dataclass(frozen=True)
class Arrival:
    """One message that arrived.

    :ivar seconds: from send to arrival; None without the time when it was sent.
    :ivar others: how many other messages with the same Message-ID are in the mailbox.
    """

    wanted: Wanted
    mailbox: str
    folder: str
    junk: bool
    seconds: float | None
    hop: Hop | None
    receiver: Results
    judged: Judgement
    spam: t.Mapping[str, str]
    unsubscribe: t.Mapping[str, t.Any]
    others: int = 0

    @property
    def dmarc(self) -> str:
        """The receiver's result of DMARC; ours without one."""
        return self.receiver.word("dmarc") or self.judged.dmarc


def not_arrived(wanted: Wanted, seconds: float, searched: t.Sequence[str]) -> Finding:
    """The finding about a message that did not arrive."""
    where = f"no folder of {listed(list(searched))}" if searched else "no mailbox that could be searched"
    message = f"After {seconds:.0f} s it is in {where} (Message-ID {wanted.message_id})."
    return TABLE.finding("mail-not-arrived", wanted.subject, message)


def findings_of(arrival: Arrival, late_after: float, *, judging: bool = True) -> list[Finding]:
    """What is wrong with a message that arrived.

    :param judging: whether the library for DNS is there; without it, it is known already why nothing is judged.
    """
    found = [*_place(arrival, late_after), *_dmarc(arrival), *_dkim(arrival), *_spf(arrival)]
    subject, judged = arrival.wanted.subject, arrival.judged
    if judging and judged.from_domain and arrival.dmarc == "unknown":
        parts = [(one.verdict, one.why) for one in judged.signatures] + [(judged.spf.verdict, judged.spf.why)]
        open_ones = [(verdict, why) for verdict, why in parts if verdict in ("unknown", "temperror") and why]
        verdict, why = next(iter(open_ones), ("temperror", "DNS did not answer"))
        message = f"DMARC for {judged.from_domain} is unknown: {why}."
        found.append(TABLE.finding("arrival-unjudged", subject, message, _REMEDY[verdict]))
    if arrival.hop is not None and arrival.hop.tls is False:
        who, whom = arrival.hop.name or arrival.hop.address, arrival.hop.by or "the receiver"
        message = f"{who} handed it to {whom} without TLS."
        found.append(TABLE.finding("arrival-without-tls", subject, message))
    if arrival.wanted.bulk and not arrival.unsubscribe.get("one_click"):
        what = "its List-Unsubscribe is not for one click" if arrival.unsubscribe.get("present") else "it has none"
        found.append(TABLE.finding("arrival-unsubscribe-missing", subject, f"This is bulk mail, and {what}."))
    if arrival.others:
        message = f"Other messages in {arrival.mailbox} with its Message-ID: {arrival.others}."
        found.append(TABLE.finding("arrival-id-reused", subject, message))
    return found


def _place(arrival: Arrival, late_after: float) -> list[Finding]:
    found = []
    subject = arrival.wanted.subject
    if arrival.junk:
        spam = "; ".join(f"{name}: {value}" for name, value in arrival.spam.items())
        why = f" Spam headers (a sender can write them, too): {spam}." if spam else ""
        found.append(TABLE.finding("mail-in-junk", subject, f"{arrival.mailbox} has it in {arrival.folder}.{why}"))
    if arrival.seconds is not None and arrival.seconds > late_after:
        message = f"It arrived {arrival.seconds:.0f} s after it was sent (limit {late_after:.0f} s)."
        found.append(TABLE.finding("mail-late", subject, message))
    return found


def _dmarc(arrival: Arrival) -> list[Finding]:
    if arrival.dmarc not in ("fail", "permerror"):
        return []
    judged, receiver = arrival.judged, arrival.receiver
    who = f"{receiver.authserv_id} says" if receiver.word("dmarc") else "by our own judgement"
    domain = judged.from_domain or next((one.domain for one in receiver.of("dmarc")), "")
    told = f"dmarc={arrival.dmarc} for the From domain {domain or '(none)'} ({who})."
    if receiver.word("dmarc") and judged.dmarc == "pass":
        told += " Our own judgement is pass."
    return [TABLE.finding("arrival-dmarc-fail", arrival.wanted.subject, f"{told} {_alignment(arrival)}")]


def _alignment(arrival: Arrival) -> str:
    judged = arrival.judged
    spf = arrival.receiver.word("spf") or judged.spf.verdict
    path = judged.spf.domain or "an unknown domain"
    words = [f"SPF: {spf} for {path}, {_nearness(judged.spf_aligned)}."]
    if not judged.signatures:
        words.append("DKIM: no signature.")
    for one in judged.signatures:
        near = _nearness(one.domain in judged.aligned_domains if judged.dmarc != "unknown" else None)
        words.append(f"DKIM: {_of_signature(arrival, one.domain, one.verdict)} for {one.domain or '?'}, {near}.")
    return " ".join(words)


def _nearness(aligned: bool | None) -> str:
    return "alignment unknown" if aligned is None else "aligned" if aligned else "not aligned"


def _of_signature(arrival: Arrival, domain: str, own: str) -> str:
    theirs = [one.result for one in arrival.receiver.of("dkim") if one.domain == domain]
    return "pass" if "pass" in theirs else next(iter(theirs), own)


def _dkim(arrival: Arrival) -> list[Finding]:
    judged, subject = arrival.judged, arrival.wanted.subject
    if not judged.signatures:
        return [TABLE.finding("arrival-dkim-missing", subject, "It has no DKIM-Signature.")]
    verdicts = {_of_signature(arrival, one.domain, one.verdict) for one in judged.signatures}
    named = listed(list(dict.fromkeys(one.domain for one in judged.signatures)))
    if verdicts <= {"fail", "permerror", "policy", "neutral"}:
        why = next((one.why for one in judged.signatures if one.verdict == "fail" and one.why), "")
        message = f"Its DKIM signature for {named} is not valid{f' ({why})' if why else ''}."
        return [TABLE.finding("arrival-dkim-broken", subject, message)]
    if judged.dmarc == "unknown" or judged.aligned_domains:
        return []
    message = f"It is signed for {named}, and its From domain is {judged.from_domain}: not aligned."
    return [TABLE.finding("arrival-dkim-other-domain", subject, message)]


def _spf(arrival: Arrival) -> list[Finding]:
    spf, theirs = arrival.judged.spf, arrival.receiver.word("spf")
    verdict = theirs or spf.verdict
    if verdict not in _SPF_BAD:
        return []
    who = f"{arrival.receiver.authserv_id} says" if theirs else "by our own judgement"
    message = f"SPF is {verdict} for {spf.domain or 'the return path'} from {spf.address or 'the address'} ({who})."
    return [TABLE.finding("arrival-spf-fail", arrival.wanted.subject, message)]


def shown(arrival: Arrival) -> dict[str, t.Any]:
    """A message that arrived, as the step returns it."""
    judged, receiver, hop = arrival.judged, arrival.receiver, arrival.hop
    return {
        "arrived": True,
        "mailbox": arrival.mailbox,
        "folder": arrival.folder,
        "junk": arrival.junk,
        "seconds": arrival.seconds,
        "receiver": {
            "authserv_id": receiver.authserv_id,
            **{name: receiver.word(name) for name in ("spf", "dkim", "dmarc", "arc")},
            "results": [dataclasses.asdict(one) for one in receiver.results],
            "why": receiver.why,
        },
        "judged": {
            "from_domain": judged.from_domain,
            "dkim": [dataclasses.asdict(one) for one in judged.signatures],
            "spf": dataclasses.asdict(judged.spf),
            "dmarc": judged.dmarc,
            "policy": judged.policy,
            "aligned": list(judged.aligned),
        },
        "last_hop": {
            "from": hop.name if hop else "",
            "address": hop.address if hop else "",
            "by": hop.by if hop else "",
            "tls": hop.tls if hop else None,
            "version": hop.version if hop else "",
        },
        "spam_headers": dict(arrival.spam),
        "list_unsubscribe": dict(arrival.unsubscribe),
        "others_with_this_id": arrival.others,
    }
