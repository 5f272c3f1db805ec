# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who else writes the environment file and would undo an edit: a configuration management, a distribution.

Only what says so counts: a comment in the file, or the place where it is. A version control (etckeeper, git) keeps an
edit and is none.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import os
import re
import typing as t

from .._findings.env_file import TABLE
from .._findings.model import Finding

#: Comment lines that are looked at: headers are at the top, but a block may be anywhere.
_MOST_LINES = 2000
_LINE = 300

_NAMES = "ansible|puppet|chef|salt(?:stack)?|cfengine|terraform|nixos|home-manager|yunohost"
#: The names of owners in their own spelling.
_SPELT = {"nixos": "NixOS", "yunohost": "YunoHost", "cfengine": "CFEngine", "saltstack": "Salt", "salt": "Salt"}
#: A comment that says who writes the file, the plainest first. The group is the owner's name.
#: Sources: ansible-core DEFAULT_MANAGED_STR and blockinfile's marker; Puppet, Chef and Salt have customary headers.
_START = r"^\s*#[#\s*!-]*(?:warning\W+|note\W+)?(?:this file (?:is|was) |file )?(?:automatically |auto-?)?"
_MARKERS: tuple[re.Pattern[str], ...] = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        rf"\b({_NAMES})[ -]managed\b",
        rf"{_START}(?:managed|maintained|generated|deployed|written|created) (?:by|with|from) ({_NAMES})\b",
        r"\bfile (?:is|was) (?:automatically |auto-?)?(?:managed|generated|maintained) by (?!hand\b)([\w.-]+)",
        r"\b(do not edit|do not modify)\b(?=\W{0,40}$|.{0,200}\b(?:this file|by hand|manually|overwritten|changes)\b)",
        r"^\s*#\W*(?:this file (?:is|was) )?(auto-?generated)\b(?! by)",
    )
)
#: Ansible's module blockinfile owns only what is between two such lines.
_BLOCK = re.compile(r"\b(BEGIN|END) ANSIBLE MANAGED BLOCK\b")
_MAIL = re.compile(r"\s*(?:export\s+)?(?:BULK_)?SMTP_")
#: What Mastodon's own wizard writes at the top. Source: Mastodon lib/tasks/mastodon.rake.
_MASTODONS = re.compile(r"mastodon:setup")

_YUNOHOST = "/etc/yunohost/apps"
_NIXOS = "/etc/NIXOS"
_STORE = "/nix/store/"


def about(path: str, data: bytes, links: t.Sequence[str] = ()) -> list[Finding]:
    """A warning that names who will write over an edit of the file; none where nobody is known to.

    :param path: the file, with links resolved.
    :param links: where the links that lead to it point.
    """
    by_place = _by_place(path, links)
    if by_place:
        owner, why, fix = by_place
        return [
            TABLE.finding("env-file-of-others", path, f"{owner} writes this file ({why}) and will undo an edit.", fix)
        ]
    marked = marker(data)
    if not marked:
        return []
    owner, line = marked
    message = f"{owner} writes this file (line {line} says so) and will undo an edit when it runs next."
    return [TABLE.finding("env-file-of-others", path, message)]


def marker(data: bytes) -> tuple[str, int] | None:
    """(who, line) of the first comment that says who writes the file."""
    lines = data[: _MOST_LINES * _LINE].decode("utf-8", "replace").splitlines()[:_MOST_LINES]
    comments = [(number, line[:_LINE]) for number, line in enumerate(lines, 1) if line.lstrip().startswith("#")]
    for shape in _MARKERS:
        for number, line in comments:
            found = None if _MASTODONS.search(line) else shape.search(line)
            if found and _owns_mail(lines, number):
                return _owner(found[1]), number
    return None


def _owns_mail(lines: t.Sequence[str], number: int) -> bool:
    """Whether the mark in a line is about mail variables: one of a block, only if the block sets some."""
    block = _BLOCK.search(lines[number - 1])
    if not block:
        return True
    for line in lines[number:] if block[1] == "BEGIN" else ():
        if _BLOCK.search(line):
            return False
        if _MAIL.match(line):
            return True
    return False


def _owner(name: str) -> str:
    plain = name.lower().strip(".")
    if " " in plain or plain.startswith("auto"):
        return "Another program"
    return _SPELT.get(plain, plain.capitalize() if re.fullmatch(_NAMES, plain) else name.strip("."))


def _by_place(path: str, links: t.Sequence[str]) -> tuple[str, str, str] | None:
    """(who, why, what to do) by where the file is."""
    if any(one.startswith(_STORE) for one in (path, *links)):
        why = "it is in the Nix store"
    elif os.path.exists(_NIXOS) and path.startswith(("/var/lib/", "/etc/", "/run/")):
        why = "the host runs it, and its modules write such files at each start"
    else:
        app = path.split("/")[3] if path.startswith("/var/www/") else ""
        if not app or not os.path.isdir(os.path.join(_YUNOHOST, app)):
            return None
        fix = f"The next yunohost app upgrade {app} writes it from its template: run this again after each upgrade."
        return "YunoHost", f"it belongs to its app {app}", fix
    fix = (
        "Set the variables in the NixOS configuration instead (services.mastodon.smtp and extraConfig; the module "
        "fediops.mastodon.smtp_settings, used alone, returns them as snippets), and rebuild."
    )
    return "NixOS", why, fix
