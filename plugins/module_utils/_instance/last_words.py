# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a service's log, made safe to show: why it ended, without secrets and addresses. No I/O here."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from .._diagnosis.redact import one_line, redact
from .._text import bounded_line
from .model import LogLine

_LOG_LINES = 8

#: A line of a Ruby backtrace, recognised by its end: "from /path/file.rb:12:in `boot'". It says where, not what.
_FRAME = re.compile(r"\S:\d+:in [`'][^`']*'$")
#: What differs when the same message is logged again: times, process and thread numbers.
_NUMBER = re.compile(r"\b(?=[A-Za-z]*[0-9])[0-9A-Za-z]+\b")


def telling(logged: t.Sequence[LogLine]) -> list[str]:
    """The lines that show why a service ended: its own last lines, without backtraces and repetitions.

    Lines of the service manager count only if the service itself logged nothing.
    """
    own = [line.text for line in logged if line.pid > 1]
    said = own or [line.text for line in logged]
    # Only the copy to match against is shortened: a secret cut in half would no longer be found and masked later.
    texts = [text for text in said if text.strip() and not _FRAME.search(bounded_line(text))]
    last_said = {_NUMBER.sub("#", bounded_line(text)): position for position, text in enumerate(texts)}
    return [texts[position] for position in sorted(last_said.values())][-_LOG_LINES:]


def secret_values(variables: t.Mapping[str, str]) -> list[str]:
    """The secret values among an instance's variables, to be removed from other programs' output."""
    words = ("PASS", "SECRET", "TOKEN", "KEY", "SALT", "CREDENTIAL")
    return [value for name, value in variables.items() if len(value) >= 6 and any(word in name for word in words)]


def fit_to_see(
    logged: t.Sequence[LogLine], variables: t.Mapping[str, str], names: t.Collection[str], lines: int = _LOG_LINES
) -> list[str]:
    """The last telling lines, without secrets and addresses.

    :param variables: the instance's; the secrets among them are removed from the lines.
    :param names: the names of its services, which are kept (some look like addresses).
    """
    # A value that is part of a service's name (a database password "mastodon") cannot be masked.
    secrets = [value for value in secret_values(variables) if not any(value in name for name in names)]
    return [one_line(redact(text, secrets, keep=names), 240) for text in telling(logged)[-lines:]]
