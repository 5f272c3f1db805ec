# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commands would do nothing. The rule of tags is Ansible's own: both are asked about the same tags."""

from __future__ import annotations

import itertools
import typing as t
import unittest.mock
from pathlib import Path

import pytest
import yaml
from ansible.playbook.taggable import Taggable

from ansible_collections.fediops.mastodon.plugins.plugin_utils import _command
from ansible_collections.fediops.mastodon.plugins.plugin_utils._command import Command, refusal, too_old

HERE = {"matched": ["a.test"], "groups": ["mastodon"], "hosts": 1}


def said(**more: t.Any) -> str:
    return refusal(Command(**{"tagged": True, **HERE, **more}))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"run_tags": ["all"]},
        *({"run_tags": [tag]} for tag in _command.TAGS),
        *({"skip_tags": [tag]} for tag in _command.STEPS),
        {"run_tags": ["mastodon_smtp_edit", "mastodon_smtp_queue"], "skip_tags": ["mastodon_smtp_edit"]},
        {"tagged": False, "run_tags": ["all"]},
        {"tagged": False, "skip_tags": ["tagged"]},
        {"alone": False, "run_tags": ["nginx"], "start_at": "Theirs"},
    ],
)
def test_what_does_something_is_not_refused(more: dict[str, t.Any]) -> None:
    assert said(**more) == ""


@pytest.mark.parametrize(
    "more",
    [
        {"run_tags": ["always"]},
        {"run_tags": ["never"]},
        {"skip_tags": list(_command.TAGS)},
        {"skip_tags": ["all"]},
        {"tagged": False, "run_tags": ["tagged"]},
        {"tagged": False, "run_tags": ["mastodon_smtp_edit"]},
        {"tagged": False, "skip_tags": ["untagged"]},
        {"alone": False, "skip_tags": ["mastodon_smtp_preflight"]},
        {"start_at": "Prove the queue"},
        {"matched": []},
    ],
)
def test_what_does_nothing_is_refused(more: dict[str, t.Any]) -> None:
    assert _command.NOTHING_DONE in said(**more)


@pytest.mark.parametrize("tagged", [True, False])
def test_the_rule_of_tags_is_that_of_ansible(tagged: bool) -> None:
    words = ["all", "tagged", "untagged", "always", "mastodon_smtp_apply", "mastodon_smtp_edit", "other"]
    sets = [list(one) for number in (0, 1, 2) for one in itertools.combinations(words, number)]
    for tags, only, skipped in itertools.product(_command._steps(tagged), sets, sets):
        own = sorted(tags - {"untagged"})
        task = unittest.mock.Mock(tags=own, _tags=own, untagged=Taggable.untagged, _loader=None, _parent=None)
        task._get_all_taggable_objects.return_value = []
        theirs = Taggable.evaluate_tags(task, only, skipped, {})
        assert _command._runs(tags, Command(run_tags=only, skip_tags=skipped)) == theirs, (tags, only, skipped)


@pytest.mark.parametrize(
    ("core", "told"),
    [("2.19.0", False), ("2.19.0b1", False), ("2.20.1", False), ("3.0", False), ("2.18.9", True), ("2.9.27", True)],
)
def test_which_ansible_core_is_too_old(core: str, told: bool) -> None:
    assert bool(too_old(core, ">=2.19.0", (3, 11, 2))) is told


def test_a_python_that_is_too_old_for_the_ansible_core_is_named() -> None:
    told = too_old("2.15.13", ">=2.19.0", (3, 9, 18))
    assert "this is ansible-core 2.15.13 on Python 3.9" in told and "install Python 3.11" in told


def test_the_tags_are_those_of_the_playbook() -> None:
    root = Path(__file__).resolve().parents[4]
    block = yaml.safe_load((root / "roles/mastodon_smtp/tasks/apply.yml").read_text())[0]["block"]
    assert [task["tags"] for task in block] == [[tag] for tag in _command.STEPS]
