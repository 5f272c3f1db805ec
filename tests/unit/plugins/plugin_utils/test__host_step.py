# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step on a host does with an answer, and with words that come in place of one."""

from __future__ import annotations

import json
import typing as t
import unittest.mock

import pytest
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError

from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import UNREACHED, HostStep
from ansible_collections.fediops.mastodon.tests.unit.plugins.of_core import HIDES_OPTIONS

HOSTILE = "x\n::stop-commands::t \x1b]0;a\x07 ##[set-output name=x;]y \u202e"


@pytest.fixture
def step() -> HostStep:
    task = unittest.mock.Mock(args={}, async_val=0, check_mode=False, diff=False, action="fediops.mastodon.env_file")
    parts = ("connection", "play_context", "loader", "templar", "shared_loader_obj")
    return HostStep(task=task, **{name: unittest.mock.Mock() for name in parts})


@pytest.mark.parametrize("kind", [AnsibleConnectionFailure, AnsibleAuthenticationFailure, AnsibleError])
def test_what_ssh_or_sudo_said_is_shown_and_the_kind_of_failure_stays(
    step: HostStep, monkeypatch: pytest.MonkeyPatch, kind: type[AnsibleError]
) -> None:
    text = f"Failed to connect to the host via ssh: {HOSTILE}{'x' * 10**6}"

    def lost(**_how: t.Any) -> t.NoReturn:
        raise kind(text)

    monkeypatch.setattr(step, "_execute_module", lost)
    with pytest.raises(kind) as caught:
        step.ask({})
    told = str(caught.value)
    assert caught.type is kind and told[:30] == str(kind(text))[:30] and len(told) < 100_000
    assert shown(told) == told and caught.value.__cause__ is None


def test_a_harmless_one_stays_itself(step: HostStep, monkeypatch: pytest.MonkeyPatch) -> None:
    error = AnsibleConnectionFailure("Connection timed out.")
    monkeypatch.setattr(step, "_execute_module", unittest.mock.Mock(side_effect=error))
    with pytest.raises(AnsibleConnectionFailure) as caught:
        step.ask({})
    assert caught.value is error


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Host key verification failed.", "log in to it once by hand"),
        ("Missing sudo password", "--ask-become-pass"),
        ("Incorrect sudo password", "the user that Ansible logs in as"),
        ("Permission denied (publickey).", ""),
    ],
)
def test_what_ansible_or_ssh_says_gets_its_advice(
    step: HostStep, monkeypatch: pytest.MonkeyPatch, said: str, advice: str
) -> None:
    monkeypatch.setattr(step, "_execute_module", unittest.mock.Mock(side_effect=AnsibleError(said)))
    with pytest.raises(AnsibleError) as caught:
        step.ask({})
    told = str(caught.value)
    assert said.rstrip(".") in told and advice in told and ("hand" in told) == ("hand" in advice)


def test_a_step_that_asks_a_host_first_says_what_to_do_when_it_does_not_answer(
    step: HostStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = AnsibleConnectionFailure("Connection timed out.")
    monkeypatch.setattr(step, "_execute_module", unittest.mock.Mock(side_effect=error))
    monkeypatch.setattr(step, "UNREACHED", UNREACHED)
    with pytest.raises(AnsibleConnectionFailure) as caught:
        step.ask({})
    told = str(caught.value)
    assert told.endswith(f"Connection timed out. {UNREACHED}")
    assert shown(told) == told  # else the step would take it for a hostile text, and fail instead


@pytest.mark.parametrize(
    "forged",
    [
        {"exception": {"__ansible_type": "ErrorSummary", "bogus": 1}},
        {"warnings": [{"__ansible_type": "WarningSummary"}]},
        {"deprecations": [{"__ansible_type": "DeprecationSummary", "event": 7}]},
        {"a": {"__ansible_type": "Nonsense"}},
        {"warnings": 7, "deprecations": "x", "exception": ["x"], "diff": 7, "stdout": [1], "rc": "x"},
    ],
)
def test_forms_of_ansibles_own_that_are_forged_end_as_an_answer(step: HostStep, forged: dict[str, t.Any]) -> None:
    """One that Ansible would break at is refused; none gets out as an exception."""
    given = {"stdout": json.dumps({"changed": False, **forged}), "stderr": "", "rc": 0}
    for profile in (("modern",), ("legacy",)) if HIDES_OPTIONS else ((),):  # before 2.19 there is one way alone
        assert step._parse_returned_data(dict(given), *profile) is not None
