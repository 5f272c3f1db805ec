# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance import release


def version_rb(major="4", minor="3", patch="8", **methods: str) -> str:
    """A version.rb with these method bodies, laid out as Mastodon's is."""
    bodies = {"major": major, "minor": minor, "patch": patch, **methods}
    defs = "\n".join(f"    def {name}\n      {body}\n    end\n" for name, body in bodies.items())
    return (
        "# frozen_string_literal: true\n\nmodule Mastodon\n  module Version\n    module_function\n\n"
        f"{defs}\n"
        "    def to_s\n      components = [to_a.join('.')]\n      components.join\n    end\n"
        "    # specify git tag or commit hash here\n    def source_tag\n      ENV.fetch('SOURCE_TAG', nil)\n    end\n"
        "  end\nend\n"
    )


PRE_4_2 = "ENV['MASTODON_VERSION_PRERELEASE'].presence || default_prerelease"
PRE_4_4 = "version_configuration[:prerelease].presence || default_prerelease"
META_4_2 = "ENV.fetch('MASTODON_VERSION_METADATA', nil)"
META_4_4 = "version_configuration[:metadata]"
META_GLITCH = "['glitch', ENV.fetch('MASTODON_VERSION_METADATA', nil)].compact_blank.join('.')"

FETCH = "ENV.fetch('MASTODON_VERSION_METADATA', nil)"
GLITCH = f"['glitch', {FETCH}].compact_blank.join('.')"
#: The line "metadata" of config/mastodon.yml, by who uses it.
METADATA = {
    "4.4.0": f"<%= {FETCH} %>",
    "4.6.5": f"<%= {FETCH}&.to_json %>",
    "glitch-soc 4.4.0": f"<%= {GLITCH} %>",
    "glitch-soc 4.6.5": f"<%= {GLITCH}.to_json %>",
}


def mastodon_yml(metadata: str) -> str:
    """A config/mastodon.yml, laid out as Mastodon's is."""
    return (
        "---\nshared:\n  self_destruct_value: <%= ENV.fetch('SELF_DESTRUCT', nil)&.to_json %>\n"
        "  source:\n    base_url: <%= ENV.fetch('SOURCE_BASE_URL', nil)&.to_json %>\n"
        "    # who we are\n    metadata: none of the version's\n"
        f"  version:\n    metadata: {metadata}\n"
        "    prerelease: <%= ENV.fetch('MASTODON_VERSION_PRERELEASE', nil)&.to_json %>\n"
        "test:\n  experimental_features: <%= nil %>\n"
    )


TODAY = {
    "minor": "6",
    "patch": "5",
    "default_prerelease": "''",
    "prerelease": "version_configuration[:prerelease].presence || default_prerelease",
    "build_metadata": "version_configuration[:metadata]",
}


@pytest.mark.parametrize(
    ("metadata", "environment", "expected"),
    [
        (METADATA["4.4.0"], {}, "4.6.5"),
        (METADATA["4.6.5"], {}, "4.6.5"),
        (METADATA["4.6.5"], {"MASTODON_VERSION_METADATA": "mine"}, "4.6.5+mine"),
        (METADATA["glitch-soc 4.4.0"], {}, "4.6.5+glitch"),
        (METADATA["glitch-soc 4.6.5"], {}, "4.6.5+glitch"),
        (METADATA["glitch-soc 4.6.5"], {"MASTODON_VERSION_METADATA": "th"}, "4.6.5+glitch.th"),
        (METADATA["glitch-soc 4.6.5"], {"MASTODON_VERSION_PRERELEASE": "rc.1"}, "4.6.5-rc.1+glitch"),
        ("chuckya", {"MASTODON_VERSION_METADATA": "mine"}, "4.6.5+chuckya"),
        ("'chuckya'", {}, "4.6.5+chuckya"),
        ('"a.b" # a comment is another shape', {}, "4.6.5"),
        ("<%= Git.describe %>", {"MASTODON_VERSION_METADATA": "mine"}, "4.6.5"),
        ("", {}, "4.6.5"),
    ],
)
def test_the_section_of_mastodon_yml_that_4_4_reads(metadata, environment, expected):
    assert release.read(version_rb(**TODAY), environment, mastodon_yml(metadata)) == expected
    both = version_rb(**TODAY) + mastodon_yml(metadata)  # as one command prints them
    assert release.read(both, environment, both) == expected


def test_without_mastodon_yml_the_variables_count():
    both = {"MASTODON_VERSION_METADATA": "mine", "MASTODON_VERSION_PRERELEASE": "rc.1"}
    for config in ("", "---\nshared:\n  version: 3\n"):
        assert release.read(version_rb(**TODAY), both, config) == "4.6.5-rc.1+mine"


def test_a_fork_that_adds_its_name_at_the_end():
    """Hometown."""
    line = '      components << "+#{hometown_version}"\n      components.join\n'
    source = version_rb(**TODAY, hometown_version="'hometown-1.1.2'").replace("      components.join\n", line)
    assert release.read(source, {}, mastodon_yml(METADATA["4.6.5"])) == "4.6.5+hometown-1.1.2"
    environment = {"MASTODON_VERSION_METADATA": "mine"}
    assert release.read(source, environment, mastodon_yml(METADATA["4.6.5"])) == "4.6.5+mine+hometown-1.1.2"


SHAPES = [
    # release, methods, environment, what to_s gives
    ("2.4", {"major": "2", "minor": "4", "patch": "3", "pre": "nil", "flags": "'rc3'"}, {}, "2.4.3rc3"),
    ("3.5", {"major": "3", "minor": "5", "patch": "19", "flags": "''", "suffix": "''"}, {}, "3.5.19"),
    ("3.5 fork", {"major": "3", "minor": "5", "patch": "3", "flags": "''", "suffix": "'+glitch'"}, {}, "3.5.3+glitch"),
    ("4.0 rc", {"minor": "0", "patch": "0", "flags": "'rc3'", "suffix": "''"}, {}, "4.0.0rc3"),
    (
        "4.1 from the environment",
        {"minor": "1", "patch": "2", "flags": "ENV.fetch('FLAGS', '')", "suffix": "ENV.fetch('SUFFIX') { '' }"},
        {"SUFFIX": "+nightly"},
        "4.1.2+nightly",
    ),
    (
        "4.1 default of a block",
        {"minor": "1", "patch": "2", "flags": "''", "suffix": "ENV.fetch('SUFFIX') { '+x' }"},
        {},
        "4.1.2+x",
    ),
    ("4.2", {"minor": "2", "default_prerelease": "''", "prerelease": PRE_4_2, "build_metadata": META_4_2}, {}, "4.2.8"),
    (
        "4.3 alpha",
        {"patch": "0", "default_prerelease": "'alpha.4'", "prerelease": PRE_4_2, "build_metadata": META_4_2},
        {},
        "4.3.0-alpha.4",
    ),
    (
        "4.3 nightly, from the environment",
        {"patch": "0", "default_prerelease": "'alpha.4'", "prerelease": PRE_4_2, "build_metadata": META_4_2},
        {"MASTODON_VERSION_PRERELEASE": "nightly.2024-10-28", "MASTODON_VERSION_METADATA": "mine"},
        "4.3.0-nightly.2024-10-28+mine",
    ),
    (
        "4.3 blank in the environment",
        {"patch": "0", "default_prerelease": "'alpha.4'", "prerelease": PRE_4_2, "build_metadata": META_4_2},
        {"MASTODON_VERSION_PRERELEASE": "  ", "MASTODON_VERSION_METADATA": ""},
        "4.3.0-alpha.4",
    ),
    (
        "4.3 glitch-soc",
        {"default_prerelease": "''", "prerelease": PRE_4_2, "build_metadata": META_GLITCH},
        {"MASTODON_VERSION_METADATA": "th"},
        "4.3.8+glitch.th",
    ),
    (
        "4.4 alpha, older name",
        {
            "minor": "4",
            "patch": "0",
            "default_prerelease": "'alpha.1'",
            "prerelease": "configuration.version[:prerelease] || default_prerelease",
            "build_metadata": "configuration.version[:metadata]",
        },
        {},
        "4.4.0-alpha.1",
    ),
    (
        "4.6",
        {
            "minor": "6",
            "patch": "0",
            "default_prerelease": "'alpha.4'",
            "prerelease": PRE_4_4,
            "build_metadata": META_4_4,
        },
        {"MASTODON_VERSION_METADATA": "example"},
        "4.6.0-alpha.4+example",
    ),
    (
        "kmyblue: more methods, one of them unknown",
        {"kmyblue_major": "5", "kmyblue_flag": "nil # 'LTS'", "default_prerelease": "''", "prerelease": PRE_4_2},
        {},
        "4.3.8",
    ),
    (
        "an expression of another shape counts as absent",
        {"default_prerelease": "'beta.1'", "prerelease": "read_git_hash", "build_metadata": "`git describe`"},
        {},
        "4.3.8-beta.1",
    ),
    ("double quotes", {"default_prerelease": '"rc.1"', "prerelease": PRE_4_2}, {}, "4.3.8-rc.1"),
]


@pytest.mark.parametrize(
    ("methods", "environment", "expected"), [row[1:] for row in SHAPES], ids=[r[0] for r in SHAPES]
)
def test_each_shape_that_releases_have_used(methods, environment, expected):
    assert release.read(version_rb(**methods), environment) == expected


@pytest.mark.parametrize(
    "source",
    ["", "nonsense", version_rb(major="upstream"), version_rb(patch="nil"), "def major\n4\nend\ndef minor\n3\nend"],
    ids=["empty", "no ruby", "no number", "no patch", "patch missing"],
)
def test_without_three_numbers_there_is_no_release(source):
    assert release.read(source, {}) is None


def test_comments_and_windows_line_ends_do_not_matter():
    source = version_rb().replace("      4\n", "      # the era of mail 2.9\n      4\n").replace("\n", "\r\n")
    assert release.read(source, {}) == "4.3.8"
