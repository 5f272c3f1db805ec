# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it may change in any release without notice.

"""Which release an app directory holds, read from Mastodon's lib/mastodon/version.rb without running Ruby.

The file is a handful of one-line methods. Only the shapes that releases and known forks have used are understood;
an expression of another shape counts as absent, since the three numbers are what decides about mail.
"""

from __future__ import annotations

import re
import typing as t

PATH = "lib/mastodon/version.rb"

#: def NAME, one line of body, end; a leading "self." as some forks write it.
_METHOD = re.compile(r"^\s*def\s+(?:self\.)?(\w+)\s*\n\s*(.*?)\s*\n\s*end\b", re.MULTILINE)

_TEXT = r"""(?:'([^'\\]*)'|"([^"\\#]*)")"""

#: Shapes of a method's body. Each row: what it looks like, what it stands for given the match and the environment.
#: Sources: version.rb of v3.5.0 to v4.6.0, and glitch-soc for the list shape.
_Environment = t.Mapping[str, str]
_SHAPES: tuple[tuple[re.Pattern[str], t.Callable[[re.Match[str], _Environment], str | None]], ...] = (
    (re.compile(r"(\d+)"), lambda found, _unused: found[1]),
    (re.compile(r"nil"), lambda *_unused: None),
    (re.compile(_TEXT), lambda found, _unused: _text(found)),
    # 4.0, 4.1: ENV.fetch('MASTODON_VERSION_SUFFIX', '') and ENV.fetch('...') { '' }
    (
        re.compile(r"""ENV\.fetch\(['"](\w+)['"],\s*nil\)"""),
        lambda found, environment: environment.get(found[1]),
    ),
    (
        re.compile(rf"""ENV\.fetch\(['"](?P<name>\w+)['"](?:,\s*{_TEXT}\)|\)\s*\{{\s*{_TEXT}\s*\}})"""),
        lambda found, environment: environment.get(found["name"], _text(found, 2) or ""),
    ),
    # 4.2, 4.3: the environment first, if not blank
    (
        re.compile(r"""ENV(?:\[|\.fetch\()['"](\w+)['"](?:,\s*nil)?[\])]\.presence \|\| default_prerelease"""),
        lambda found, environment: environment.get(found[1], "").strip() or None,
    ),
    # 4.4 and later: config/mastodon.yml, whose version section reads the same two variables
    (
        re.compile(r"(?:version_configuration|configuration\.version)\[:prerelease\](?:\.presence)? \|\| .*"),
        lambda _unused, environment: environment.get("MASTODON_VERSION_PRERELEASE", "").strip() or None,
    ),
    (
        re.compile(r"(?:version_configuration|configuration\.version)\[:metadata\]"),
        lambda _unused, environment: environment.get("MASTODON_VERSION_METADATA"),
    ),
    # glitch-soc
    (
        re.compile(
            rf"""\[{_TEXT},\s*(?:ENV\.fetch\(['"](?P<name>\w+)['"],\s*nil\)|version_configuration\[:metadata\])\]"""
            r"""\.compact_blank\.join\(['"]\.['"]\)"""
        ),
        lambda found, environment: ".".join(
            part
            for part in (_text(found), environment.get(found["name"] or "MASTODON_VERSION_METADATA", "").strip())
            if part
        ),
    ),
)


def read(source: str, environment: _Environment) -> str | None:
    """The release as Mastodon::Version.to_s gives it, such as C(4.3.8) or C(4.5.0-rc.1+glitch).

    :param source: the text of lib/mastodon/version.rb.
    :param environment: the instance's variables; MASTODON_VERSION_* of them count.
    :returns: None when the three numbers are not there.
    """
    bodies = dict(_METHOD.findall(_without_comments(source)))
    numbers = [bodies.get(name, "") for name in ("major", "minor", "patch")]
    if not all(number.isdecimal() for number in numbers):
        return None
    release = ".".join(str(int(number)) for number in numbers)
    if "flags" in bodies or "suffix" in bodies:  # up to 4.1: written one after the other, as they are
        return release + _value(bodies, "flags", environment) + _value(bodies, "suffix", environment)
    prerelease = _value(bodies, "prerelease", environment) or _value(bodies, "default_prerelease", environment)
    metadata = _value(bodies, "build_metadata", environment)
    return release + (f"-{prerelease}" if prerelease else "") + (f"+{metadata}" if metadata else "")


def _value(bodies: t.Mapping[str, str], name: str, environment: _Environment) -> str:
    body = bodies.get(name, "")
    for shape, stands_for in _SHAPES:
        found = shape.fullmatch(body)
        if found:
            return (stands_for(found, environment) or "").strip()
    return ""


def _text(found: re.Match[str], first: int = 1) -> str | None:
    """The text literal among the groups from C(first) on, whichever quote it has."""
    return next((group for group in found.groups()[first - 1 :] if group is not None), None)


def _without_comments(source: str) -> str:
    """Without lines that are comments only and without blank lines, so that a method's body is one line."""
    lines = (line for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return "\n".join(lines) + "\n"
