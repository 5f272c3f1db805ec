# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a dialogue ended early: the only exception of this package."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .._diagnosis.model import Failure, Kind, Stage


class Stopped(Exception):
    """Ends a dialogue. The caller that knows the stage adds it; see at().

    :ivar message: the message of the system or the relay, cleaned; may be empty.
    :ivar errno_name: C(EHOSTUNREACH) and the like, if the operating system gave one.
    :ivar code: SMTP reply code; enhanced: RFC 3463 code; verify_code: X509_V_ERR_* number.
    """

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

    def at(self, stage: Stage) -> Failure:
        """The failure at this stage; an error of the operating system gets the name that Ruby gives it."""
        classes = (f"Errno::{self.errno_name}",) if self.errno_name else ()
        return Failure(stage, classes, self.message, self.code, self.enhanced, self.verify_code, self.kind)
