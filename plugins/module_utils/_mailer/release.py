# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mastodon's releases, in order, and the eras: runs of releases in which mail variables mean the same."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import functools
import re

# 4.4.1, v4.0.0rc2, 4.5.0-rc.1, 4.6.0-nightly.2026-10-01, 4.3.0+glitch, 4.2.10+hometown-1.1.2
_VERSION = re.compile(
    r"v?(?P<major>\d{1,4})\.(?P<minor>\d{1,4})(?:\.(?P<patch>\d{1,4}))?"
    r"(?:-?(?P<pre>[A-Za-z][0-9A-Za-z.-]*))?(?:\+(?P<build>[0-9A-Za-z.+_-]+))?\Z"
)

#: Build metadata of Mastodon's own images; any other metadata counts as a fork's name.
_OFFICIAL_BUILDS = ("nightly", "security", "edge", "pr-")
#: Mastodon's own prereleases; any other word after a hyphen (4.2.1-name) is a fork's name, not a prerelease.
_PRERELEASES = ("alpha", "beta", "rc", *_OFFICIAL_BUILDS)


@functools.total_ordering
@dataclasses.dataclass(frozen=True)
class Release:
    """One release as C(lib/mastodon/version.rb) or an operator names it.

    :ivar text: as given, without surrounding blanks.
    :ivar number: major, minor, patch; None when the text is not a version. Such a release sorts after every version.
    :ivar prerelease: words and numbers in turn (C(rc.1) and C(rc1) are the same); empty for a final release.
    :ivar build: the text after a C(+), for example C(glitch), or after a hyphen if that is not a prerelease.
    """

    text: str
    number: tuple[int, int, int] | None
    prerelease: tuple[tuple[int, int, str], ...] = ()
    build: str = ""

    @classmethod
    def parse(cls, text: str) -> Release:
        """Parse a version. Never fails: a text that is not a version is an unknown release, newer than all others."""
        found = _VERSION.match(text.strip())
        if not found:
            return cls(text.strip(), None)
        number = (int(found["major"]), int(found["minor"]), int(found["patch"] or 0))
        pre, build = found["pre"] or "", found["build"] or ""
        if not pre.lower().startswith(_PRERELEASES):
            pre, build = "", "+".join(filter(None, (pre, build)))
        # Numbers sort before words, as in semantic versioning (https://semver.org, item 11).
        words = tuple(
            (0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in re.findall(r"\d+|[A-Za-z]+", pre)
        )
        return cls(text.strip(), number, words, build)

    @property
    def fork(self) -> bool:
        """Whether it is a fork's release, judging by the build metadata."""
        return bool(self.build) and not self.build.lower().startswith(_OFFICIAL_BUILDS)

    def _order(self) -> tuple[bool, tuple[int, int, int], bool, tuple[tuple[int, int, str], ...]]:
        return (self.number is None, self.number or (0, 0, 0), not self.prerelease, self.prerelease)

    def __lt__(self, other: Release) -> bool:
        return self._order() < other._order()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Release) and self._order() == other._order()

    def __hash__(self) -> int:
        return hash(self._order())

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True)
class Era:
    """A run of releases in which the same mail variables have the same effect.

    :ivar name: stable name, shown to people.
    :ivar since: its first release.
    :ivar mail: version of the mail gem, which decides the effect of the TLS settings.
    :ivar net_smtp: generation of net-smtp (C(0.3) or C(0.5)), which decides when AUTH fails before connecting.
    :ivar yaml: whether the variables pass through config/email.yml.
    :ivar source: Mastodon's files and pull requests.
    """

    name: str
    since: Release
    mail: str
    net_smtp: str
    yaml: bool
    source: str


def _era(name: str, since: str, mail: str, net_smtp: str, yaml: bool, source: str) -> Era:
    return Era(name, Release.parse(since), mail, net_smtp, yaml, source)


#: All eras, oldest first. The last one covers everything newer.
ERAS: tuple[Era, ...] = (
    _era("3.4", "0.0.0", "2.7.1", "0.3", False, "config/environments/production.rb before mastodon#17216"),
    _era("3.5", "3.5.0-rc.1", "2.7.1", "0.3", False, "production.rb with mastodon#17216, #10857, #17886"),
    _era("4.0", "4.0.0-rc.4", "2.7.1", "0.3", False, "production.rb with mastodon#20321, #20377"),
    _era("4.1.0", "4.1.0-rc.1", "2.8.0.1", "0.3", False, "Gemfile.lock of 4.1.0: mail 2.8.0.1"),
    _era("4.1", "4.1.1", "2.8.1", "0.3", False, "production.rb with mastodon#23750"),
    _era("4.3", "4.3.0-beta.1", "2.8.1", "0.5", False, "Gemfile.lock of 4.3.0: net-smtp 0.5.0"),
    _era("4.4.0", "4.4.0-rc.1", "2.8.1", "0.5", True, "config/email.yml of mastodon#35191, #35203"),
    _era("4.4", "4.4.1", "2.8.1", "0.5", True, "config/email.yml with mastodon#35314"),
    _era("4.5.0-rc.1", "4.5.0-rc.1", "2.9.0", "0.5", True, "mastodon#36639"),
    _era("4.5", "4.5.0-rc.2", "2.9.0", "0.5", True, "lib/mastodon/email_configuration_helper.rb with mastodon#36646"),
)

#: The newest release whose source was read: Mastodon's main branch of August 2026. config/email.yml, its helper and the
#: mail part of production.rb have not changed since 4.5.0-rc.2; mail 2.9.1, which main uses, differs from 2.9.0 only in
#: utilities.rb.
NEWEST_READ = Release.parse("4.7.0-alpha.2")
#: The oldest release that the collection supports; older ones are treated as era 3.4.
OLDEST_SUPPORTED = Release.parse("3.5.0")


def era_of(release: Release) -> Era:
    """The era of a release; the newest era if the release is newer than all known ones or not a version.

    A fork whose version can be parsed has the era of that version: forks keep Mastodon's mail files.
    """
    return [era for era in ERAS if era.since <= release or era is ERAS[0]][-1]


def since(era: Era, name: str) -> bool:
    """Whether an era is the named one or a later one."""
    names = [one.name for one in ERAS]
    return names.index(era.name) >= names.index(name)
