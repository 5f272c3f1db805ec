# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release an app directory holds, read from Mastodon's lib/mastodon/version.rb without running Ruby.

The file is a handful of one-line methods. From 4.4 on it takes prerelease and metadata from config/mastodon.yml, where
glitch-soc puts its name. Only the expressions that releases and known forks have used are recognised; any other counts
as absent, because only the three numbers decide about mail.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from .._text import bounded

PATH = "lib/mastodon/version.rb"
#: Since 4.4.
CONFIG = "config/mastodon.yml"

#: def NAME, one line of body, end; a leading "self." as some forks write it.
_METHOD = re.compile(r"^[ \t]*def[ \t]+(?:self\.)?(\w+)[ \t]*\n[ \t]*(\S.*)\n[ \t]*end\b", re.MULTILINE)

_TEXT = r"""(?:'([^'\\]*)'|"([^"\\#]*)")"""

#: Known forms of a method's body. Each row: its pattern, and its value given the match and the environment.
#: Sources: version.rb of v3.5.0 to v4.6.0 and config/mastodon.yml of v4.4.0 to v4.6.5, and glitch-soc's of the same
#: releases for the form with a list.
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
    # glitch-soc
    (
        re.compile(
            rf"""\[{_TEXT},\s*ENV\.fetch\(['"](?P<name>\w+)['"],\s*nil\)\]\.compact_blank\.join\(['"]\.['"]\)"""
        ),
        lambda found, environment: ".".join(
            part for part in (_text(found), environment.get(found["name"], "").strip()) if part
        ),
    ),
)

#: 4.4 and later: an entry of the section "version" of config/mastodon.yml, up to 4.4.0-alpha.2 through another method.
_CONFIGURED = re.compile(r"(?:version_configuration|configuration\.version)\[:(\w+)\](?:\.presence)?(?: \|\| .*)?")

#: The section of config/mastodon.yml, and an entry of it. 4.4.2 and later append .to_json to the expression.
_SECTION = re.compile(r"^(?P<indent>[ ]+)version:[ ]*\n(?P<entries>(?:(?P=indent)[ ]+\S.*(?:\n|\Z))+)", re.MULTILINE)
_ENTRY = re.compile(r"^[ \t]*(\w+):[ ]*(?:<%=([^%\n]*)%>|([\w.+-]+|'[^'\n]*'|\"[^\"\\\n]*\"))[ \t]*$", re.MULTILINE)
#: The section's content when the file cannot be read: upstream's.
_UPSTREAM = {
    "prerelease": "ENV.fetch('MASTODON_VERSION_PRERELEASE', nil)",
    "metadata": "ENV.fetch('MASTODON_VERSION_METADATA', nil)",
}
#: An unconditional addition at the end of a fork's to_s: components << "+#{hometown_version}". Source: Hometown.
_ADDED = re.compile(r"""^[ \t]*components << "\+#\{(\w+)\}"[ \t]*$""", re.MULTILINE)


def read(source: str, environment: _Environment, config: str = "") -> str | None:
    """The release as Mastodon::Version.to_s gives it, such as C(4.3.8) or C(4.5.0-rc.1+glitch).

    :param source: the text of lib/mastodon/version.rb.
    :param environment: the instance's variables; MASTODON_VERSION_* matter.
    :param config: the text of config/mastodon.yml; empty where there is none.
    :returns: None when the three numbers are not there.
    """
    plain = _without_comments(source)
    bodies = {name: body.rstrip() for name, body in _METHOD.findall(plain)}
    numbers = [bodies.get(name, "") for name in ("major", "minor", "patch")]
    if not all(number.isdecimal() for number in numbers):
        return None
    release = ".".join(str(int(number)) for number in numbers)
    section = _section(config)

    def value(name: str) -> str:
        body = bodies.get(name, "")
        configured = _CONFIGURED.fullmatch(body)
        return _value(section.get(configured[1], "") if configured else body, environment)

    if "flags" in bodies or "suffix" in bodies:  # up to 4.1: appended literally, one after the other
        return release + value("flags") + value("suffix")
    prerelease = value("prerelease") or value("default_prerelease")
    metadata = [value("build_metadata"), *(value(name) for name in _ADDED.findall(plain) if name != "build_metadata")]
    return release + (f"-{prerelease}" if prerelease else "") + "".join(f"+{part}" for part in metadata if part)


def _section(config: str) -> dict[str, str]:
    """The section "version" of config/mastodon.yml: each entry as a Ruby expression, or as a text in quotes."""
    found = _SECTION.search(_without_comments(config))
    if not found:
        return dict(_UPSTREAM)
    entries = {}
    for name, written, scalar in _ENTRY.findall(found["entries"]):
        expression = written.strip()
        for ending in (".to_json", "&"):
            expression = expression[: -len(ending)] if expression.endswith(ending) else expression
        entries[name] = expression or (scalar if scalar[:1] in "'\"" else f"'{scalar}'")
    return entries


def _value(body: str, environment: _Environment) -> str:
    for shape, stands_for in _SHAPES:
        found = shape.fullmatch(body)
        if found:
            return (stands_for(found, environment) or "").strip()
    return ""


def _text(found: re.Match[str], first: int = 1) -> str | None:
    """The text literal among the groups from C(first) on, in either kind of quotes."""
    return next((group for group in found.groups()[first - 1 :] if group is not None), None)


def _without_comments(source: str) -> str:
    """The source without comment lines and blank lines, so that a method's body is one line."""
    lines = (line for line in bounded(source).splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return "\n".join(lines) + "\n"
