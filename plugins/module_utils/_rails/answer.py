# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""Reading what came back from Rails: the one marked line, or why there is none."""

from __future__ import annotations

import json
import re
import typing as t

from .._diagnosis.model import Failure, Stage

#: Ruby's report of an exception that nobody rescued, first line: "file:line:in 'method': message (Class)". The message
#: may have more lines, the class then stands at the end of its first one.
_UNCAUGHT = re.compile(
    r"^(?P<file>\S[^\n]*?):(?P<line>\d+):in [`'][^\n]*?': (?P<message>.*?) \((?P<class>[A-Z]\w*(?:::[A-Z]\w*)*)\)$",
    re.MULTILINE,
)
#: A syntax error in the app's own Ruby and some early failures have no "in".
_EARLY = re.compile(
    r"^(?P<file>\S[^\n]*?):(?P<line>\d+): (?P<message>.*?) \((?P<class>[A-Z]\w*(?:::[A-Z]\w*)*)\)$",
    re.MULTILINE,
)
#: RubyGems loads rails/commands a second time inside a rescue, so this stands as the "cause" of whatever follows.
_AMBIENT = "cannot load such file -- rails/commands"
_FRAME = re.compile(r"^\s+from (?P<file>\S[^\n]*?):(?P<line>\d+):in ", re.MULTILINE)


def marked(stdout: bytes, mark: str) -> dict[str, t.Any] | None:
    """The JSON behind the mark; None when there is no whole line of it."""
    for line in reversed(stdout.split(b"\n")):
        if line.startswith(mark.encode("ascii")):
            try:
                found = json.loads(line[len(mark) :].decode("utf-8", "replace"))
            except ValueError:
                return None
            return found if isinstance(found, dict) else None
    return None


def boot_failure(stderr: bytes, app_dir: str) -> Failure:
    """Why Rails did not start, from what Ruby wrote: the exception and its causes, and the place in the app.

    Without an exception in it, the last lines speak.
    """
    text = stderr.decode("utf-8", "replace")
    found = [one for one in _UNCAUGHT.finditer(text) if not one.group("message").endswith(_AMBIENT)]
    found = found or list(_EARLY.finditer(text))
    if not found:
        last = [line.strip() for line in text.splitlines() if line.strip()][-3:]
        return Failure("boot", message=" / ".join(last) or "it ended without a word")
    message = found[0].group("message")
    place = _place_in_app(text, found[0], app_dir)
    causes = [one.group("message") for one in found[1:3] if one.group("message") != message]
    words = " <- ".join([f"{message} ({place})" if place else message, *causes])
    return Failure("boot", tuple(one.group("class") for one in found), words)


def failure(error: t.Mapping[str, t.Any]) -> Failure:
    """An error that the program inside Rails reports: stage and chain of class and message, outermost first."""
    chain = error["chain"]
    messages = dict.fromkeys(one["message"] for one in chain)
    return Failure(
        t.cast(Stage, error["stage"] or "build"),
        tuple(one["class"] for one in chain),
        " <- ".join(messages),
    )


def _place_in_app(text: str, first: re.Match[str], app_dir: str) -> str:
    """The innermost line of the app's own files, relative to the app; where it happened otherwise."""
    frames = [(first.group("file"), first.group("line"))]
    frames += [(one.group("file"), one.group("line")) for one in _FRAME.finditer(text, first.end())]
    for path, line in frames:
        inside = path[len(app_dir) + 1 :] if path.startswith(f"{app_dir}/") else ""
        if inside and not inside.startswith(("vendor/", "bin/")):
            return f"{inside}:{line}"
    return ""
