# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""Python's exceptions and SMTP replies as a Failure."""

from __future__ import annotations

import errno
import smtplib
import ssl

from .model import Failure, Stage


def from_reply(stage: Stage, code: int, text: bytes | str) -> Failure:
    """A reply that is not what was hoped for.

    :param text: the reply without its codes; lines of a multi-line reply separated by newlines, as smtplib gives it.
    """
    return Failure(stage, message=_text(text), code=code).completed()


def from_exception(stage: Stage, error: BaseException) -> Failure:
    """An exception of C(smtplib), C(ssl) or C(socket), with its causes.

    Takes the reply out of smtplib's exceptions, names system errors as Ruby does (C(Errno::ECONNREFUSED)), and
    keeps OpenSSL's number of a failed certificate check.
    """
    classes: list[str] = []
    verify_code: int | None = None
    seen: BaseException | None = error
    while seen is not None and len(classes) < 16:
        classes.append(type(seen).__name__)
        if isinstance(seen, OSError) and not isinstance(seen, ssl.SSLError) and (seen.errno or 0) in errno.errorcode:
            classes.append(f"Errno::{errno.errorcode[seen.errno or 0]}")
        if isinstance(seen, ssl.SSLCertVerificationError) and verify_code is None:
            verify_code = getattr(seen, "verify_code", None)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    code, text = _reply_of(error)
    if code is None:
        # The text of an encoding error holds the value that could not be encoded.
        shown = "characters outside ASCII" if isinstance(error, UnicodeError) else str(error)
        return Failure(stage, tuple(classes), shown, verify_code=verify_code)
    return Failure(stage, tuple(classes), text, code, verify_code=verify_code).completed()


def _reply_of(error: BaseException) -> tuple[int | None, str]:
    """The reply inside one of smtplib's exceptions."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        for code, text in error.recipients.values():
            return code, _text(text)
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code, _text(error.smtp_error)
    return None, ""


def _text(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
