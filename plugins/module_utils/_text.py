# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""How much of a text from outside is looked at: of a host, a relay, a program. No pattern sees more."""

from __future__ import annotations

#: Of one line so many characters are kept; its end too, because Ruby and Sidekiq say there what it comes to.
LINE = 2048
_LINE_END = 512
#: Of a whole text so many are kept, most of them of its end, where results stand.
WHOLE = 64 * 1024
_WHOLE_HEAD = 16 * 1024
#: Stands where something was left out.
CUT = "…"


def bounded(text: str) -> str:
    """The text, cut in its middle when it is too long, and each of its lines likewise; the mark says where."""
    if len(text) > WHOLE:
        # Whole lines, where there are some: what begins inside of one would read as another.
        head, tail = text[:_WHOLE_HEAD], text[len(text) - (WHOLE - _WHOLE_HEAD - 3) :]
        if "\n" in head and "\n" in tail:
            text = f"{head[: head.rindex(chr(10))]}\n{CUT}\n{tail[tail.index(chr(10)) + 1 :]}"
        else:
            text = f"{head}{CUT}{tail}"
    if len(text) <= LINE:
        return text
    return "\n".join(map(bounded_line, text.split("\n")))


def bounded_line(line: str) -> str:
    """One line, cut in its middle when it is too long."""
    if len(line) <= LINE:
        return line
    return f"{line[: LINE - _LINE_END - len(CUT)]}{CUT}{line[-_LINE_END:]}"
