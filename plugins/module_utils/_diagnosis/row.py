# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One row of the table of failures: when it applies, and what it says."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._loopback import is_loopback
from .model import Context, Failure, Stage

#: Ports with implicit TLS (RFC 8314 for 465; the others are providers' alternatives to it).
IMPLICIT_TLS_PORTS = frozenset({443, 465, 2465, 8465})


@dataclasses.dataclass(frozen=True)
class Sign:
    """One way to recognise a failure: all given conditions must hold. Without conditions it matches everything.

    :ivar stages: any of these.
    :ivar classes: any of these exception names in the chain, or the probe's kind of failure (Kind).
    :ivar text: regular expression, searched in the message, ignoring case.
    :ivar also: a second one; both must be found, in any order.
    :ivar unless: one that must not be found.
    :ivar status: regular expression for the whole SMTP code, such as C(53[05]).
    :ivar enhanced: regular expression for the whole enhanced code.
    :ivar verify_codes: OpenSSL's numbers of a failed certificate check.
    :ivar when: a condition on the failure's context.
    :ivar source: where the fact comes from, if that is not the source of the code.
    """

    stages: tuple[Stage, ...] = ()
    classes: tuple[str, ...] = ()
    text: str = ""
    also: str = ""
    unless: str = ""
    status: str = ""
    enhanced: str = ""
    verify_codes: tuple[int, ...] = ()
    when: t.Callable[[Context], bool] | None = None
    source: str = ""

    def fits(self, failure: Failure, context: Context) -> bool:
        """Whether a completed failure (see Failure.completed) matches this sign."""
        return (
            (not self.stages or failure.stage in self.stages)
            and (not self.classes or not {*(failure.classes or (failure.kind,))}.isdisjoint(self.classes))
            and (not self.text or _found(self.text, failure))
            and (not self.also or _found(self.also, failure))
            and (not self.unless or not _found(self.unless, failure))
            and (not self.status or _whole(self.status, failure.code))
            and (not self.enhanced or _whole(self.enhanced, failure.enhanced))
            and (not self.verify_codes or failure.verify_code in self.verify_codes)
            and (self.when is None or self.when(context))
        )


class Row:
    """One row of the table: the finding for a failure that matches any of the signs.

    :ivar code: the finding's code.
    :ivar message: what is wrong. Fields: endpoint, host, port, sender, recipient, file, release, said (the message of
        the program or relay), and option[x], the role's name for an option.
    :ivar fix: what to do, with the same fields; empty uses the code's remedy.
    :ivar hinted: whether the provider's hint is added to the fix although the relay refused nothing.
    :ivar of_file: added to the fix if the settings come from the environment file, with the same fields.
    """

    def __init__(
        self, code: str, message: str, fix: str, *signs: Sign, hinted: bool = False, of_file: str = ""
    ) -> None:
        self.code = code
        self.message = message
        self.fix = fix
        self.signs = signs
        self.hinted = hinted
        self.of_file = of_file

    def matches(self, failure: Failure, context: Context) -> bool:
        """Whether a completed failure (see Failure.completed) matches any sign of this row."""
        return any(sign.fits(failure, context) for sign in self.signs)


def implicit_port(context: Context) -> bool:
    """Whether the port is one for implicit TLS."""
    return context.port in IMPLICIT_TLS_PORTS


def wants_implicit(context: Context) -> bool:
    """Whether the settings ask for implicit TLS."""
    return context.tls == "implicit"


def plain_mode_known(context: Context) -> bool:
    """Whether the settings are known not to ask for implicit TLS."""
    return context.tls in ("starttls", "starttls_optional", "none")


def loopback(context: Context) -> bool:
    """Whether the relay is the host or container itself."""
    return is_loopback(context.host)


def _found(pattern: str, failure: Failure) -> bool:
    return re.search(pattern, failure.words, re.IGNORECASE | re.DOTALL) is not None


def _whole(pattern: str, value: object) -> bool:
    return value is not None and re.fullmatch(pattern, str(value)) is not None
