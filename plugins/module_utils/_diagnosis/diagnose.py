# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose a failure: the first row of the table that matches gives its cause and its fix.

The order is the whole rule: what ends before an answer (rows_start), then the words of a refusal (rows_host,
rows_addresses, rows_account), then the connection (rows_network), then a code with one meaning, then the stage
(rows_codes). A probe and a queue job go through the same rows; where the log of a job does not tell the stage, only the
last ones can differ.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t

from .._findings.delivery import TABLE as DELIVERY
from .._findings.model import Code, Finding
from .._findings.refusals import TABLE as REFUSALS
from .model import Context, Failure
from .redact import one_line, redact

if t.TYPE_CHECKING:
    from .row import Row


@functools.cache
def rows() -> tuple[Row, ...]:
    """The rows, in order; the first that matches decides, and the last ones match everything.

    Imported only after a failure, because the host compiles every file that a step imports.
    """
    from .rows_account import ACCOUNT
    from .rows_addresses import RECIPIENT, SENDER
    from .rows_codes import CODES
    from .rows_host import HOST
    from .rows_network import NETWORK
    from .rows_start import START

    return START + HOST + RECIPIENT + ACCOUNT + SENDER + NETWORK + CODES


def code_row(code: str) -> Code:
    """The row of the table of codes for a code that the diagnosis gives."""
    return DELIVERY.rows.get(code) or REFUSALS.rows[code]


def is_temporary(failure: Failure, context: Context = Context()) -> bool:  # noqa: B008 (frozen)
    """Whether waiting may help: the cause decides, not the code, since providers refuse for good with 4xx as well."""
    return code_row(row_for(failure, context).code).of_test


class _Options:
    """Makes option[port] in a template expand to the role variable for this relay."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __getitem__(self, name: str) -> str:
        return self._context.option(name)


def row_for(failure: Failure, context: Context = Context()) -> Row:  # noqa: B008 (frozen)
    """The first row that matches this failure; there always is one."""
    complete = failure.completed()
    context = _with_variable(complete, context)
    return next(row for row in rows() if row.matches(complete, context))


def diagnose(failure: Failure, context: Context = Context()) -> Finding:  # noqa: B008 (frozen)
    """What the failure means and what to do about it.

    The finding's subject is the relay's host and port (or the environment file, if Rails did not start). Its message
    quotes the program or the relay, without secrets and without other people's addresses.
    """
    complete = failure.completed()
    context = _with_variable(complete, context)
    row = row_for(complete, context)
    fields = {
        "endpoint": context.endpoint,
        "host": context.host or "the relay",
        "port": context.port if context.port is not None else "its port",
        "sender": context.sender or "the sender's address",
        "recipient": context.recipient or "the recipient",
        "file": context.file or "the environment file",
        "variable": context.variable,
        "release": context.release or "this release",
        "said": said(complete, context),
        "stage": _STAGE_WORDS.get(complete.stage, "") if complete.code is not None else "",
        "blocklist": blocklist(complete.message),
        "option": _Options(context),
    }
    fix = (row.fix or code_row(row.code).remedy).format_map(fields)
    if row.of_file and context.file and not context.as_intended:
        fix = f"{fix} {row.of_file.format_map(fields)}"
    fix = " ".join([fix, *_hints(row, complete, context)])
    table = DELIVERY if row.code in DELIVERY.rows else REFUSALS
    return table.finding(row.code, _subject(row.code, complete, context), row.message.format_map(fields), fix)


#: Where in the dialogue a refusal came, for texts that no row knows.
_STAGE_WORDS: dict[str, str] = {
    "banner": " in its greeting",
    "ehlo": " in reply to EHLO",
    "auth": " during the login",
    "mail": " in reply to MAIL FROM (the sender)",
    "rcpt": " in reply to RCPT TO (the recipient)",
    "data": " after the message",
}


def _hints(row: Row, failure: Failure, context: Context) -> list[str]:
    """What is known about the provider: with each refusal that is for good, and not about the recipient."""
    refused = failure.code is not None and row.code not in ("recipient-refused", "login-accepted")
    if not row.hinted and (not refused or code_row(row.code).of_test):
        return []
    return hints(row.code, context)


def hints(code: str, context: Context) -> list[str]:
    """What is known about this finding at the relay's provider, and about its logins."""
    from .providers import about

    return [one for one in (about(context.host, code), context.hint) if one]


#: A blocklist by its zone ("using zen.spamhaus.org", "listed in bl.spamcop.net") or the link to it.
_ZONE = re.compile(r"(?i)(?:using|by|at|in|on|https?://|see) ?((?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24})")
#: Names of blocklists as relays write them without a zone.
_LISTS = ("Spamhaus", "SpamCop", "Barracuda", "SORBS", "UCEPROTECT", "Abusix", "Mailspike", "SpamRATS", "S3150")


def blocklist(text: str) -> str:
    """The blocklist that a refusal names; without one, words for it."""
    named = next((name for name in _LISTS if name.casefold() in text.casefold()), "")
    zones = [found.group(1) for found in _ZONE.finditer(text)]
    ours = [zone for zone in zones if named.casefold() in zone.casefold()] if named else zones
    if ours:
        return ours[0]
    return {"": "that the relay uses", "S3150": "of Microsoft (S3150)"}.get(named, named)


#: Failures of the probe that come without a message -> the words for them.
_WORDLESS = {"timed-out": "no answer in time", "closed": "the connection was closed"}


def said(failure: Failure, context: Context = Context()) -> str:  # noqa: B008 (frozen)
    """The message of the program or relay, made safe to show: class and message on one line, redacted."""
    text = redact(failure.message, context.secrets, (context.sender, context.recipient))
    number = str(failure.code) if failure.code is not None else ""
    words = one_line(text if number in text[:6] else f"{number} {text}")
    if not failure.classes:
        return f'"{words}"' if words else _WORDLESS.get(failure.kind, '""')
    return f'{failure.classes[0]}: "{words}"' if words else failure.classes[0]


def _with_variable(failure: Failure, context: Context) -> Context:
    """The context with the faulty variable; if the caller has not named it, from the line in Rails' error."""
    if context.variable or failure.stage != "boot" or "email.yml" not in failure.message:
        return context
    from .._mailer.email_yml import variable_at

    return dataclasses.replace(context, variable=variable_at(failure.message))


#: Failures of the boot whose cause need not be in the environment file.
_OF_THE_APP = frozenset({"rails-does-not-boot", "ruby-not-found", "redis-unreachable"})


def _subject(code: str, failure: Failure, context: Context) -> str:
    if code in _OF_THE_APP:
        return "Rails"
    if failure.stage == "boot":
        return context.file or "Rails"
    if failure.stage == "queue" and not failure.classes:
        return "Sidekiq"
    return context.endpoint if context.host else ("bulk relay" if context.relay == "bulk" else "relay")
