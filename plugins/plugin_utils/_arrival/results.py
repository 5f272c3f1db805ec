# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The receiver's Authentication-Results (RFC 8601): which of them are the receiver's, and what they say."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .message import Field, Hop, domain_of, from_domain

try:
    from authres import NoneAuthenticationResult, all_features

    # Its other modules are imported here, not when the first field is read.
    PARSER: t.Any = all_features()  # type: ignore[no-untyped-call]
    _NOTHING: t.Any = NoneAuthenticationResult
except ImportError:  # said in a sentence; see libraries.py
    PARSER, _NOTHING = None, ()

#: Results that are kept of one message.
MOST_RESULTS = 30


@dataclasses.dataclass(frozen=True)
class Result:
    """One result: the method (spf, dkim, dmarc, arc), its result, and the domain that it is about: empty if it names
    none, C(?) if that is no domain."""

    method: str
    result: str
    domain: str = ""


@dataclasses.dataclass(frozen=True)
class Results:
    """What the receiver wrote.

    :ivar authserv_id: the name under which it did; empty if nothing of it was found.
    :ivar results: its results, in order.
    :ivar why: why there are none.
    :ivar from_domain: the From domain of the message.
    """

    authserv_id: str = ""
    results: tuple[Result, ...] = ()
    why: str = ""
    from_domain: str = ""

    def of(self, method: str) -> list[Result]:
        """The results of one method."""
        return [one for one in self.results if one.method == method]

    def word(self, method: str) -> str:
        """The result of one method; empty without one.

        Of several, a pass counts: one valid signature is enough. For DMARC a failure counts before it, and a pass
        for another domain than the From domain is none: no message has two.
        """
        words = [one.result for one in self.of(method)]
        first = ["pass"]
        if method == "dmarc":
            own = ("", self.from_domain)
            words = [one.result for one in self.of(method) if one.result != "pass" or one.domain in own]
            first = ["fail", "permerror", "pass"]
        return next((one for one in (*first, *words) if one in words), "")


def read(fields: t.Sequence[Field], hop: Hop | None, authserv_id: str = "") -> Results:
    """The results of the receiver.

    :param hop: how the message reached the receiver. A sender can write any field below it, so without an
        authserv-id only fields above it count.
    :param authserv_id: the receiver's name in the field, for receivers that write it below that. Then the topmost
        one with that name is the receiver's, because not every receiver removes what a sender wrote (RFC 8601,
        section 5).
    """
    found = [(index, field.value) for index, field in enumerate(fields) if field.name == "authentication-results"]
    if not found:
        return Results(why="The receiver added no Authentication-Results.")
    above = [value for index, value in found if hop is not None and index < hop.index]
    server = authserv_id.lower() or (_server(above[0]) if above else None)
    own = [value for value in above if _server(value) == server]
    if authserv_id:
        own = own or [value for _index, value in found if _server(value) == server][:1]
        if not own:
            return Results(why=f"No Authentication-Results is from {authserv_id}.")
    elif not own:
        why = "Its Authentication-Results may be the sender's. Set authserv_id if this receiver writes them there."
        return Results(why=why)
    if PARSER is None:
        return Results(_server(own[0]), why="")
    return dataclasses.replace(_parsed(own), from_domain=from_domain(fields))


def _server(value: str) -> str:
    """The authserv-id of a field."""
    words = value.partition(";")[0].split()
    return words[0].strip('"').lower() if words else ""


def _parsed(values: t.Sequence[str]) -> Results:
    results: list[Result] = []
    broken = ""
    for value in values[:10]:
        try:
            header = PARSER.parse(f"Authentication-Results: {value}")
            # C(none), a field without results, has no method
            results += [_result(one) for one in header.results or () if not isinstance(one, _NOTHING)]
        except Exception:  # authres meets whatever stands there with whatever exception comes of it
            broken = "An Authentication-Results of the receiver cannot be parsed."
    return Results(_server(values[0]), tuple(results[:MOST_RESULTS]), "" if results else broken)


#: Method -> the properties that name its domain, best first (RFC 8601, section 2.7).
_NAMED = {
    "spf": (("smtp", "mailfrom"), ("smtp", "helo")),
    "dkim": (("header", "d"), ("header", "i")),
    "dmarc": (("header", "from"),),
}


def _result(one: t.Any) -> Result:
    values = {(prop.type, prop.name): str(prop.value or "") for prop in one.properties or ()}
    method = str(one.method).lower()
    named = next((values[key] for key in _NAMED.get(method, ()) if key in values), "")
    domain = (domain_of(named if "@" in named else f"@{named}") or "?") if named else ""
    return Result(method, str(one.result).lower(), domain)
