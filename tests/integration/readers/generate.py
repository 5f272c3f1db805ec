# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values and files to try the readers on, always the same for the same seed."""

from __future__ import annotations

import random
import string

LETTERS = string.ascii_letters + string.digits
_PRINTABLE = "".join(chr(code) for code in range(32, 127))
_WICKED = "'\"$\\`#"
_ODD = "äßé漢字🐘\u00a0\u2028\u0301\t€"


def values(count: int, seed: int = 777, *, longest: int = 32) -> list[str]:
    """Random secrets: printable characters, some with other scripts, some of the wicked characters only."""
    source = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        kind = source.random()
        alphabet = _WICKED + "ab" if kind < 0.15 else _PRINTABLE + _ODD if kind < 0.4 else _PRINTABLE
        found["".join(source.choice(alphabet) for _unused in range(source.randint(1, longest)))] = None
    return list(found)


def files(count: int, seed: int = 4711, *, wild: bool = True) -> list[str]:
    """Random files of a few lines, most of them broken in some reader's eyes.

    :param wild: also what a shell would run: parentheses, semicolons, ampersands.
    """
    source = random.Random(seed)
    soup = "'\"\\$`#ab =:{}-nr\t,.%" + ("();&|<>!" if wild else "")
    return [_file(source, soup) for _unused in range(count)]


def _file(source: random.Random, soup: str) -> str:
    newline = source.choice(["\n"] * 8 + ["\r\n", "\r"])
    lines = [_line(source, soup) for _unused in range(source.randint(1, 6))]
    text = newline.join(lines) + source.choice([newline, newline, newline, ""])
    return ("\ufeff" if source.random() < 0.03 else "") + text


def _line(source: random.Random, soup: str) -> str:
    kind = source.random()
    if kind < 0.05:
        return ""
    if kind < 0.12:
        return source.choice(["# a comment", "#A=old", "# it's", '# "', "  # x", "# ends in \\"])
    name = source.choice("ABCDEF")
    if kind < 0.16:
        return source.choice([name, f"export {name}", f"{name} {name}", f"export {name}="])
    start = source.choice([""] * 8 + ["export ", "  ", "\t"])
    separator = source.choice(["="] * 12 + [" = ", "= ", " =", ": ", ":"])
    end = source.choice([""] * 6 + [" # c", "# c", " #", "\t# c", "  "])
    return f"{start}{name}{separator}{_value(source, soup)}{end}"


def _value(source: random.Random, soup: str) -> str:
    kind = source.random()
    inner = "".join(source.choice(soup) for _unused in range(source.randint(0, 8)))
    if kind < 0.2:
        return "".join(source.choice(LETTERS) for _unused in range(source.randint(0, 6)))
    if kind < 0.45:
        return inner
    if kind < 0.5:
        return source.choice(["$A", "${B}", "${C:-x}", "${D-y}", "$$", "x$A.y", "${E:+z}", "~/x", "a:~"])
    quote = source.choice("''\"\"`")
    if kind < 0.6:
        return f"{quote}{inner}\n{inner}{quote}"
    return f"{quote}{inner}{quote}"
