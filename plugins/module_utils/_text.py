# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Untrusted text (from a host, a relay, a DNS record, a program): limits on its size, and making it safe to show.

Patterns are applied only to text bounded by bounded(). People see it only as shown() writes it.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t
import unicodedata

#: Characters kept of one line; including its end, where Ruby and Sidekiq put the essential part.
LINE = 2048
_LINE_END = 512
#: Characters kept of a whole text, most of them from its end, where results are.
WHOLE = 64 * 1024
_WHOLE_HEAD = 16 * 1024
#: Marks the place where something was cut.
CUT = "…"


def listed(words: t.Sequence[str]) -> str:
    """The words as a list: a, b and c."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def bounded(text: str) -> str:
    """The text, cut in the middle (at the mark) if it is too long, and each of its lines likewise."""
    if len(text) > WHOLE:
        # Cut at line ends if possible: a partial line could be read as a different one.
        head, tail = text[:_WHOLE_HEAD], text[len(text) - (WHOLE - _WHOLE_HEAD - 3) :]
        if "\n" in head and "\n" in tail:
            text = f"{head[: head.rindex(chr(10))]}\n{CUT}\n{tail[tail.index(chr(10)) + 1 :]}"
        else:
            text = f"{head}{CUT}{tail}"
    if len(text) <= LINE:
        return text
    return "\n".join(map(bounded_line, text.split("\n")))


def bounded_line(line: str) -> str:
    """One line, cut in the middle if it is too long."""
    if len(line) <= LINE:
        return line
    return f"{line[: LINE - _LINE_END - len(CUT)]}{CUT}{line[-_LINE_END:]}"


#: Categories of characters with an effect instead of an appearance: control characters (including ESC and C1), marks of
#: the writing direction and other invisible ones, line and paragraph separators, halves of surrogate pairs.
_ACTING = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
#: GitHub's runner obeys ##[command] anywhere in a line (actions/runner: src/Runner.Common/ActionCommand.cs, TryParse),
#: Azure's obeys ##vso[command] and ##[command] at its start.
_HASHED = re.compile(r"(?<=#)#(?=\[|vso\[)", re.IGNORECASE)
#: GitHub's obeys ::command:: at the start of a line, after blanks (TryParseV2). Escaped after any blank, because YAML
#: may fold long lines there. No command consists of hexadecimal digits, so IPv6 addresses are left alone.
_COLONS = re.compile(r"(?<!\S):(?=:(?![0-9A-Fa-f:.]*(?![\w-])))")
#: Return values that are texts of many lines; they are made safe line by line.
_MANY_LINES = frozenset({"before", "after", "module_stdout", "module_stderr", "stdout", "stderr"})
#: No real answer is nested deeper or has larger numbers.
_DEEPEST = 24
_HIGHEST = 2**63


def shown(text: str) -> str:
    """The text, safe to show: on one line, and without anything that a terminal, log, page or CI runner would obey.

    Such characters are written as escapes of their code points, as in Python, C and YAML (C(\\x1b), C(\\u202e),
    C(\\U000e0001), and the short C(\\n), C(\\r), C(\\t)), so that a reader sees what was there. A command for a CI
    runner is broken by one such escape: C(##[x]) becomes C(#\\x23[x]), and C(::x::) at the start of a line or after a
    blank becomes C(\\x3a:x::). Everything else is unchanged, including blanks and all scripts. Applying it twice has no
    further effect.
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    if "##" in text:
        text = _HASHED.sub(r"\\x23", text)
    return _COLONS.sub(r"\\x3a", text) if "::" in text else text


def shown_lines(text: str) -> str:
    """The same for a text of many lines: each line separately, and tabs are kept."""
    return "\n".join("\t".join(map(shown, line.split("\t"))) for line in text.replace("\r\n", "\n").split("\n"))


def shown_value(value: t.Any, *, name: str = "", deepest: int = _DEEPEST) -> t.Any:
    """The same for all texts in lists and dictionaries, including keys, as in JSON.

    What no answer of ours contains (NaN, too large numbers, too deep nesting) is replaced by its description.

    :param name: the key of the value; decides whether its text has many lines.
    """
    if isinstance(value, str):
        return shown_lines(value) if name in _MANY_LINES else shown(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value if -_HIGHEST < value < _HIGHEST else "(a number out of range)"
    if deepest <= 0:
        return "(nested too deeply)"
    if isinstance(value, t.Mapping):
        return {shown(str(key)): shown_value(one, name=str(key), deepest=deepest - 1) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [shown_value(one, name=name, deepest=deepest - 1) for one in value]
    return shown(str(value))


def _escaped(char: str) -> str:
    code = ord(char)
    if unicodedata.category(char) not in _ACTING and code & 0xFFFE != 0xFFFE:
        return char
    return _SHORT.get(char) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )
