# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a dialogue ended before its end: the one exception of this package, and the record that is kept of it."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._diagnosis.model import Failure, Stage

Kind = t.Literal[
    "name-unknown",  # the name has no address
    "name-unanswered",  # the resolver did not answer, or not for now
    "timed-out",
    "refused",
    "unreachable",
    "closed",  # by the other side, where an answer was due
    "reply",  # an SMTP reply that says no
    "garbage",  # not an SMTP reply
    "too-long",  # a line or a reply without end
    "plaintext",  # readable text where TLS was due
    "certificate",  # the certificate does not pass verification
    "tls",  # any other failure of TLS
    "ca-file",  # the file of trusted certificates cannot be used
    "no-starttls",
    "injected",  # bytes after the answer to STARTTLS and before the handshake
    "no-auth",
    "no-mechanism",
    "not-ascii",  # a login that Ruby cannot say, although others can
    "no-encryption",  # the login would travel in the clear although nobody asked for that
]

#: What Python calls the same trouble: the diagnosis goes by such names.
_CLASSES: dict[str, tuple[str, ...]] = {
    "name-unknown": ("gaierror",),
    "name-unanswered": ("gaierror",),
    "timed-out": ("TimeoutError",),
    "refused": ("ConnectionRefusedError",),
    "unreachable": ("OSError",),
    "closed": ("EOFError",),
    "certificate": ("SSLCertVerificationError",),
    "tls": ("SSLError",),
    "not-ascii": ("Encoding::CompatibilityError",),
}


@dataclasses.dataclass(frozen=True)
class Trouble:
    """How a dialogue failed.

    :ivar stage: how far it had come.
    :ivar message: the system's or the relay's own words, cleaned; may be empty.
    :ivar errno_name: C(EHOSTUNREACH) and the like, where the operating system named one.
    :ivar code: SMTP reply code; enhanced: RFC 3463 code; verify_code: X509_V_ERR_* number.
    """

    stage: Stage
    kind: Kind
    message: str = ""
    errno_name: str = ""
    code: int | None = None
    enhanced: str | None = None
    verify_code: int | None = None

    def failure(self) -> Failure:
        """The same in the terms of the diagnosis."""
        classes = _CLASSES.get(self.kind, ())
        if self.errno_name:
            classes = (f"Errno::{self.errno_name}",)
        return Failure(self.stage, classes, self.message, self.code, self.enhanced, self.verify_code)


class Stopped(Exception):
    """Ends a dialogue. The stage is added by whoever knows it."""

    def __init__(
        self,
        kind: Kind,
        message: str = "",
        *,
        errno_name: str = "",
        code: int | None = None,
        enhanced: str | None = None,
        verify_code: int | None = None,
    ) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.errno_name = errno_name
        self.code = code
        self.enhanced = enhanced
        self.verify_code = verify_code

    def at(self, stage: Stage) -> Trouble:
        """The record of it."""
        return Trouble(stage, self.kind, self.message, self.errno_name, self.code, self.enhanced, self.verify_code)
