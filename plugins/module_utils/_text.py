# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from outside (of a host, a relay, a DNS record, a program): how much of it is looked at, and its one gate out.

No pattern sees more than bounded() leaves. Nobody reads it but as shown() writes it.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t
import unicodedata

#: Of one line so many characters are kept; its end too, because Ruby and Sidekiq say there what it comes to.
LINE = 2048
_LINE_END = 512
#: Of a whole text so many are kept, most of them of its end, where results stand.
WHOLE = 64 * 1024
_WHOLE_HEAD = 16 * 1024
#: Stands where something was left out.
CUT = "…"


def listed(words: t.Sequence[str]) -> str:
    """Words in a row: a, b and c."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


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


#: What does something instead of standing there: control characters (with ESC and those of C1), marks of the writing
#: direction and whatever else is unseen, separators of lines and paragraphs, halves of surrogate pairs.
_ACTING = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
#: GitHub's runner takes ##[command] anywhere in a line (actions/runner: src/Runner.Common/ActionCommand.cs, TryParse),
#: Azure's takes ##vso[command] and ##[command] at its start.
_HASHED = re.compile(r"(?<=#)#(?=\[|vso\[)", re.IGNORECASE)
#: GitHub's takes ::command:: after nothing but blanks (TryParseV2). After any blank, since YAML folds long lines there.
#: No command is made of hexadecimal digits: an IPv6 address may stand.
_COLONS = re.compile(r"(?<!\S):(?=:(?![0-9A-Fa-f:.]*(?![\w-])))")
#: Texts of many lines in what a step returns: they are shown line by line.
_MANY_LINES = frozenset({"before", "after", "module_stdout", "module_stderr", "stdout", "stderr"})
#: Answers are not nested deeper, and their numbers not larger.
_DEEPEST = 24
_HIGHEST = 2**63


def shown(text: str) -> str:
    """The text as a person may read it: on one line, and such that no terminal, log, page or CI runner obeys it.

    What would be obeyed is written as the escape of its code point that Python, C and YAML have (C(\\x1b), C(\\u202e),
    C(\\U000e0001), and the short C(\\n), C(\\r), C(\\t)), so a reader sees what was there. A command of a CI runner is
    broken by one such escape: C(##[x]) becomes C(#\\x23[x]), and C(::x::) at the start of a line or after a blank
    C(\\x3a:x::). Everything else stays, blanks and all scripts included, and so does a text that went through before.
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    if "##" in text:
        text = _HASHED.sub(r"\\x23", text)
    return _COLONS.sub(r"\\x3a", text) if "::" in text else text


def shown_lines(text: str) -> str:
    """The same for a text of many lines, each of which is shown by itself; tabs stay."""
    return "\n".join("\t".join(map(shown, line.split("\t"))) for line in text.replace("\r\n", "\n").split("\n"))


def shown_value(value: t.Any, *, name: str = "", deepest: int = _DEEPEST) -> t.Any:
    """The same for all texts in lists and dictionaries, keys included, as JSON holds them.

    What no answer of ours holds is named in its place: numbers that are none or too large, nesting without end.

    :param name: the key that the value has; it tells which texts have many lines.
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
