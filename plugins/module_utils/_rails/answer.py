# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse the output of Rails: the one marked line, or why there is none."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import json
import re
import typing as t

from .._diagnosis.model import Failure, Stage
from .._text import bounded

#: First line of Ruby's report of an uncaught exception: "file:line:in 'method': message (Class)". If the message has
#: more lines, the class is at the end of its first line. The line is parsed from both ends.
_PLACE = re.compile(r":(?P<line>\d+):in [`']")
#: A syntax error in the app's own Ruby and some early failures have no "in".
_EARLY_PLACE = re.compile(r":(?P<line>\d+): ")
_CLASS = re.compile(r"[A-Z]\w*(?:::[A-Z]\w*)*")
#: RubyGems loads rails/commands a second time inside a rescue, so this is the "cause" of whatever follows.
_AMBIENT = "cannot load such file -- rails/commands"
_FRAME = re.compile(r":(?P<line>\d+):in ")
#: Bytes. An answer has a few thousand, however many accounts and settings there are.
LARGEST = 512 * 1024
TOO_MUCH = f"bin/rails runner wrote more than {LARGEST // 1024} KB, too much for an answer. It was discarded."
#: At most so many exceptions (an exception and its causes) are read.
_CHAIN = 16


class _Raised(t.NamedTuple):
    """One exception in Ruby's output, and the number of its line."""

    file: str
    line: str
    message: str
    kind: str
    at: int


def marked(stdout: bytes, mark: str) -> dict[str, t.Any] | None:
    """The JSON after the mark; None if there is no complete line with it, or the line is too large for an answer."""
    for line in reversed(stdout.split(b"\n")):
        if line.startswith(mark.encode("ascii")):
            if len(line) > LARGEST:
                return None
            try:
                found = json.loads(line[len(mark) :].decode("utf-8", "replace"))
            except (ValueError, RecursionError):
                return None
            return found if isinstance(found, dict) else None
    return None


def too_much(stdout: bytes, truncated: bool) -> bool:
    """Whether there is no answer because the output was too large.

    :param truncated: whether part of the output was dropped.
    """
    return truncated or len(stdout) > LARGEST


def boot_failure(stderr: bytes, app_dir: str) -> Failure:
    """Why Rails did not start, from Ruby's output: the exception and its causes, and the place in the app.

    Without an exception, the last lines are used.
    """
    lines = bounded(stderr.decode("utf-8", "replace")).split("\n")
    found = [one for one in _exceptions(lines, _uncaught) if not one.message.endswith(_AMBIENT)]
    found = found or _exceptions(lines, _early)
    if not found:
        last = [line.strip() for line in lines if line.strip()][-3:]
        return Failure("boot", message=" / ".join(last) or "it ended without output")
    message = found[0].message
    place = _place_in_app(lines, found[0], app_dir)
    causes = [one.message for one in found[1:3] if one.message != message]
    words = " <- ".join([f"{message} ({place})" if place else message, *causes])
    return Failure("boot", tuple(one.kind for one in found[:_CHAIN]), words)


def _exceptions(lines: list[str], read: t.Callable[[int, str], _Raised | None]) -> list[_Raised]:
    return [one for at, line in enumerate(lines) if line[:1].strip() and (one := read(at, line))]


def _uncaught(at: int, line: str) -> _Raised | None:
    place = _PLACE.search(line, 1)
    end = line.find("': ", place.end()) if place else -1
    return _raised(at, line, place, end + len("': ")) if place and end >= 0 else None


def _early(at: int, line: str) -> _Raised | None:
    place = _EARLY_PLACE.search(line, 1)
    return _raised(at, line, place, place.end()) if place else None


def _raised(at: int, line: str, place: re.Match[str], start: int) -> _Raised | None:
    """The exception whose message begins at C(start); its class is the last word of the line, in parentheses."""
    end = line.rfind(" (", start)
    if end < 0 or not line.endswith(")") or not _CLASS.fullmatch(line, end + 2, len(line) - 1):
        return None
    return _Raised(line[: place.start()], place["line"], line[start:end], line[end + 2 : -1], at)


def failure(error: t.Mapping[str, t.Any]) -> Failure:
    """An error reported by the program in Rails: its stage, and the chain of classes and messages, outermost first."""
    chain = error["chain"]
    messages = dict.fromkeys(one["message"] for one in chain)
    return Failure(
        t.cast(Stage, error["stage"] or "build"),
        tuple(one["class"] for one in chain),
        " <- ".join(messages),
    )


def _place_in_app(lines: list[str], first: _Raised, app_dir: str) -> str:
    """The innermost line in the app's own files, without vendor/ and bin/, relative to the app; empty if none."""
    frames = [(first.file, first.line)]
    for line in lines[first.at + 1 :]:
        text = line.lstrip()
        place = _FRAME.search(text, len("from ") + 1) if text != line and text.startswith("from ") else None
        if place:
            frames.append((text[len("from ") : place.start()], place["line"]))
    for path, line in frames:
        inside = path[len(app_dir) + 1 :] if path.startswith(f"{app_dir}/") else ""
        if inside and not inside.startswith(("vendor/", "bin/")):
            return f"{inside}:{line}"
    return ""
