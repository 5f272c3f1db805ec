# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our own judgement of a message that arrived, beside the receiver's: DKIM (dkimpy), SPF (spftrace) and DMARC."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import logging
import time
import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import dmarc_record, spf_evaluation
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.answers import Ask

from .effort import excessive
from .message import Field, Hop, domain_of, from_domain, value_of

try:
    import dkim
except ImportError:  # said in a sentence; see libraries.py
    dkim = None  # type: ignore[assignment]

#: Signatures that are verified, and characters of a key's record: the work on a key of 4096 bits is done at once.
MOST_SIGNATURES = 5
LONGEST_KEY = 1200
#: Seconds for one message (no new work begins after them), and for one evaluation of SPF.
SECONDS = 30.0
SPF_SECONDS = 20.0

_LATE = "the time for one message was used up"

_QUIET = logging.getLogger(__name__)
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


@dataclasses.dataclass(frozen=True)
class Signature:
    """One DKIM signature: its domain and selector, the verdict (pass, fail, temperror, or unknown), and why."""

    domain: str
    selector: str
    verdict: str
    why: str = ""


@dataclasses.dataclass(frozen=True)
class Spf:
    """SPF of the address that handed the message over. The verdict is C(unknown) if it was not checked."""

    domain: str
    address: str
    verdict: str
    why: str = ""


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What we conclude.

    :ivar from_domain: the domain that DMARC is about; empty if the message has none.
    :ivar aligned: what passes and is aligned with it, of spf and dkim.
    :ivar dmarc: pass, fail, none (no record), or unknown.
    :ivar policy: what the domain's DMARC record asks for; empty without one.
    :ivar spf_aligned: whether the return path is aligned with the From domain; None if unknown.
    :ivar aligned_domains: the domains of signatures, valid or not, that are aligned.
    """

    from_domain: str
    signatures: tuple[Signature, ...]
    spf: Spf
    dmarc: str = "unknown"
    policy: str = ""
    aligned: tuple[str, ...] = ()
    spf_aligned: bool | None = None
    aligned_domains: tuple[str, ...] = ()


class _NoAnswer(Exception):
    """DNS did not answer."""


def judge(fields: t.Sequence[Field], text: bytes | None, hop: Hop | None, ask: Ask | None, *, spf: bool) -> Judgement:
    """Judge a message.

    :param text: the whole message; None if it is too large.
    :param hop: how it reached the receiver.
    :param ask: DNS; None where dnspython is missing.
    :param spf: whether spftrace is there.
    """
    until = time.monotonic() + SECONDS
    signatures = _signatures(fields, text, ask, until)
    path = _spf(fields, hop, ask if spf else None, until)
    return _dmarc(from_domain(fields), signatures, path, ask)


def _signatures(fields: t.Sequence[Field], text: bytes | None, ask: Ask | None, until: float) -> tuple[Signature, ...]:
    values = [field.value for field in fields if field.name == "dkim-signature"][:MOST_SIGNATURES]
    tags = [_tags(value) for value in values]
    unread = _unread(text, ask) if values else ""

    def verdict(index: int) -> tuple[str, str]:
        if unread or text is None or ask is None:
            return "unknown", unread
        if time.monotonic() > until:
            return "unknown", _LATE
        return _verified(text, index, ask)

    return tuple(
        Signature(domain_of(f"@{one.get('d', '')}"), one.get("s", "")[:100], *verdict(index))
        for index, one in enumerate(tags)
    )


def _unread(text: bytes | None, ask: Ask | None) -> str:
    """Why no signature is verified; empty if they are."""
    if dkim is None or ask is None:
        return "not verified"
    if text is None:
        return "the message is too large to verify it here"
    return "the message is too intricate to verify it here" if excessive(text) else ""


def _tags(value: str) -> dict[str, str]:
    pairs = (piece.partition("=") for piece in value.split(";"))
    return {name.strip().lower(): text.strip() for name, _separator, text in pairs}


def _verified(text: bytes, index: int, ask: Ask) -> tuple[str, str]:
    def key(name: bytes, timeout: float = 5) -> bytes | None:  # noqa: ARG001
        answer = ask(name.decode("ascii", "replace").rstrip("."), "TXT")
        if not answer.known:
            raise _NoAnswer(answer.question)
        records = [one for one in answer.records if len(one) <= LONGEST_KEY]
        return records[0].encode("utf-8", "replace") if records else None

    try:
        good = dkim.DKIM(text, logger=_QUIET).verify(index, dnsfunc=key)
    except _NoAnswer as silent:
        return "temperror", f"DNS did not answer: {silent}"
    except dkim.NaClNotFoundError:
        return "unknown", "Ed25519 is not verified without the library PyNaCl"
    except Exception as bad:  # dkimpy meets whatever a sender wrote with whatever exception comes of it
        return "fail", str(bad)[:200]
    return ("pass", "") if good else ("fail", "the signature or its key is not valid")


def _spf(fields: t.Sequence[Field], hop: Hop | None, ask: Ask | None, until: float) -> Spf:
    sender = value_of(fields, "return-path").strip("<> ")
    domain = domain_of(sender) or (domain_of(f"@{hop.name}") if hop and not sender else "")
    address = hop.address if hop else ""
    if not domain or not address:
        return Spf(domain, address, "unknown", "the headers do not show the return path and the address")
    if hop is None or not hop.from_outside:
        return Spf(domain, address, "unknown", f"the headers do not show whether {address} is the receiver's own")
    if ask is None:
        return Spf(domain, address, "unknown", "not checked")
    seconds = min(SPF_SECONDS, until - time.monotonic())
    if seconds <= 0:
        return Spf(domain, address, "unknown", _LATE)
    try:
        done = spf_evaluation.check_host(ask, address, sender if domain_of(sender) else "", domain, time_limit=seconds)
    except Exception as bad:  # as with dkimpy
        return Spf(domain, address, "unknown", f"SPF could not be evaluated ({type(bad).__name__})")
    return Spf(domain, address, done.verdict, done.reason)


def _dmarc(domain: str, signatures: tuple[Signature, ...], path: Spf, ask: Ask | None) -> Judgement:
    open_ended = Judgement(domain, signatures, path)
    if not domain or ask is None:
        return open_ended
    walk = dmarc_record.walk(ask, domain)
    step = walk.applied()
    record = step.record if step else None

    def aligned(other: str, tag: str) -> bool | None:
        strict = record is not None and record.strict(tag)
        return dmarc_record.aligned(walk, dmarc_record.walk(ask, other), strict=strict) if other else False

    spf_aligned = aligned(path.domain, "aspf")
    near = {one.domain: aligned(one.domain, "adkim") for one in signatures}
    words = [("spf", path.verdict, spf_aligned), *(("dkim", one.verdict, near[one.domain]) for one in signatures)]
    passing = tuple(dict.fromkeys(word for word, verdict, close in words if verdict == "pass" and close))
    undecided = any(
        verdict in ("unknown", "temperror", "pass") and close is not False and not (verdict == "pass" and close)
        for _word, verdict, close in words
    )
    verdict = "pass" if passing else "unknown" if undecided else "fail"
    if record is None or step is None:
        verdict = "none" if walk.decided else "unknown"
    policy = record.policy(below=step.domain != domain, exists=True) if record and step else ""
    close_ones = tuple(name for name, close in near.items() if close)
    return Judgement(domain, signatures, path, verdict, policy, passing, spf_aligned, close_ones)
