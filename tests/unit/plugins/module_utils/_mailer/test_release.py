# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.release import ERAS, Release, era_of

IN_ORDER = [
    "2.9.3",
    "3.4.10",
    "3.5.0rc1",
    "3.5.0",
    "3.5.19",
    "4.0.0rc1",
    "4.0.0rc4",
    "4.0.0",
    "4.1.0",
    "4.1.1",
    "4.2.0-beta1",
    "4.2.0",
    "4.3.0-alpha.1",
    "4.3.0-beta.2",
    "4.3.0-rc.1",
    "4.3.0",
    "4.3.10",
    "4.4.0-beta.1",
    "4.4.0-rc.1",
    "4.4.0",
    "4.4.1",
    "4.4.22",
    "4.5.0-alpha.3",
    "4.5.0-beta.1",
    "4.5.0-nightly.2025-10-01",
    "4.5.0-rc.1",
    "4.5.0-rc.2",
    "4.5.0-rc.10",
    "4.5.0",
    "4.6.5",
    "5.0.0",
    "main",
]


def test_releases_are_ordered_as_mastodon_numbers_them() -> None:
    assert [str(one) for one in sorted(map(Release.parse, reversed(IN_ORDER)))] == IN_ORDER


@pytest.mark.parametrize(
    ("text", "era"),
    [
        ("1.6.1", "3.4"),
        ("3.4.10", "3.4"),
        ("3.5.0rc1", "3.5"),
        ("3.5.19", "3.5"),
        ("4.0.0rc2", "3.5"),
        ("4.0.0", "4.0"),
        ("4.0.15", "4.0"),
        ("4.1.0", "4.1.0"),
        ("v4.1.1", "4.1"),
        ("4.2.0-rc1", "4.1"),
        ("4.2.29", "4.1"),
        ("4.3.0", "4.3"),
        ("4.3.23", "4.3"),
        ("4.3.0+glitch", "4.3"),
        ("4.2.10+hometown-1.1.2", "4.1"),
        ("4.1.0-fedibird", "4.1.0"),
        ("4.3.0-alpha.5+glitch", "4.1"),
        ("4.4.0-rc.1+glitch", "4.4.0"),
        ("4.5.0-alpha.2+glitch.1005", "4.4"),
        ("4.6.1+glitch.th", "4.5"),
        ("4.4.0-beta.2", "4.3"),
        ("4.4.0-rc.1", "4.4.0"),
        ("4.4.0", "4.4.0"),
        ("4.4.1", "4.4"),
        ("4.4.22", "4.4"),
        ("4.5.0-beta.2", "4.4"),
        ("4.5.0-rc.1", "4.5.0-rc.1"),
        ("4.5.0-rc.2", "4.5"),
        ("4.6.0-nightly.2026-01-01", "4.5"),
        ("4.6.5", "4.5"),
        ("5.1.0", "4.5"),
        ("main", "4.5"),
        ("", "4.5"),
        ("4", "4.5"),
    ],
)
def test_era_of_a_release(text: str, era: str) -> None:
    assert era_of(Release.parse(text)).name == era


#: Section 3.1: release, mail gem, generation of net-smtp, whether config/email.yml is there.
CARRIED = [
    ("3.4.10", "2.7.1", "0.3", False),
    ("3.5.19", "2.7.1", "0.3", False),
    ("4.0.15", "2.7.1", "0.3", False),
    ("4.1.0", "2.8.0.1", "0.3", False),
    ("4.1.25", "2.8.1", "0.3", False),
    ("4.2.0", "2.8.1", "0.3", False),
    ("4.2.29", "2.8.1", "0.3", False),
    ("4.3.0", "2.8.1", "0.5", False),
    ("4.3.3", "2.8.1", "0.5", False),
    ("4.3.4", "2.8.1", "0.5", False),
    ("4.3.23", "2.8.1", "0.5", False),
    ("4.4.0", "2.8.1", "0.5", True),
    ("4.4.1", "2.8.1", "0.5", True),
    ("4.4.22", "2.8.1", "0.5", True),
    ("4.5.0-rc.1", "2.9.0", "0.5", True),
    ("4.5.0-rc.2", "2.9.0", "0.5", True),
    ("4.5.0", "2.9.0", "0.5", True),
    ("4.6.5", "2.9.0", "0.5", True),
]


@pytest.mark.parametrize(("release", "mail", "net_smtp", "yaml"), CARRIED)
def test_3_1_what_a_release_carries(release: str, mail: str, net_smtp: str, yaml: bool) -> None:
    era = era_of(Release.parse(release))
    assert (era.mail, era.net_smtp, era.yaml) == (mail, net_smtp, yaml)


def test_eras_are_ordered_and_start_where_they_say() -> None:
    assert [era.since for era in ERAS] == sorted(era.since for era in ERAS)
    assert all(era_of(era.since) is era for era in ERAS)


@pytest.mark.parametrize(
    ("text", "fork"),
    [
        ("4.3.0+glitch", True),
        ("4.2.10+hometown-1.1.2", True),
        ("4.3.0-alpha.5+glitch", True),
        ("4.1.0-fedibird", True),
        ("4.1.0-fedibird-0.1+x", True),
        ("4.3.0", False),
        ("4.3.0-rc.1", False),
        ("4.5.0-nightly.2025-10-01", False),
        ("4.5.0+nightly.2025-10-01", False),
        ("4.2.0rc1", False),
        ("4.6.0-beta.1", False),
        ("4.6.0-security.2026-02-03", False),
        ("main", False),
    ],
)
def test_a_fork_shows_in_the_build_metadata(text: str, fork: bool) -> None:
    assert Release.parse(text).fork is fork
