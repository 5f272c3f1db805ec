# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import json
import sys
import typing as t

import pytest
import yaml
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.fediops.mastodon.plugins.doc_fragments import handed
from ansible_collections.fediops.mastodon.plugins.module_utils import _edge
from ansible_collections.fediops.mastodon.plugins.module_utils._files.unproved import PROOFS
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import LEFT_OUT
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown


def test_a_python_that_is_too_old_is_named_before_anything_of_it_can_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 18, "final", 0))
    with pytest.raises(SystemExit) as ended:
        importlib.reload(_edge)
    said = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1 and said["failed"] is True
    assert sys.executable in said["msg"] and "ansible_python_interpreter" in said["msg"]


# The way out


class Module:
    """What conclude() and guarded() touch of AnsibleModule, which masks as ansible-core does."""

    def __init__(self, *secrets: str) -> None:
        self.params = {"password": secrets[0] if secrets else None, "host": "relay.example"}
        self.argument_spec = {"password": {"no_log": True}, "host": {}}
        self.no_log_values = set(secrets)
        self.said: dict[str, t.Any] = {}

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        result.setdefault("invocation", {"module_args": self.params})
        self.said = remove_values(result, self.no_log_values)
        raise SystemExit(0)

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        self.exit_json(failed=True, msg=msg, **result)


def concluded(module: Module, *findings: Finding, **evidence: t.Any) -> dict[str, t.Any]:
    with pytest.raises(SystemExit):
        _edge.conclude(module, findings, **evidence)
    return module.said


HOSTILE = "x\n::stop-commands::t \x1b]0;a\x07 ##[set-output name=x;]y \u202e"


def test_nothing_that_is_obeyed_leaves_a_module() -> None:
    said = concluded(Module(), Finding("code", "error", HOSTILE, HOSTILE, HOSTILE), answer=[HOSTILE], **{HOSTILE: 1})
    for text in strings(said):
        assert shown(text) == text
    assert said["findings"][0]["subject"].startswith(r"x\n\x3a:stop") or r"x\n::stop" in said["findings"][0]["subject"]
    assert "\n" not in said["msg"]


def strings(value: t.Any) -> list[str]:
    if isinstance(value, dict):
        return [*map(str, value), *(one for item in value.values() for one in strings(item))]
    if isinstance(value, list):
        return [one for item in value for one in strings(item)]
    return [value] if isinstance(value, str) else []


def test_a_short_password_is_not_betrayed_by_ansibles_mask() -> None:
    module = Module("ab")
    said = concluded(module, Finding("code", "warning", "relay", "The relay is unavailable."), about="disabled")
    assert said["findings"][0]["message"] == "The relay is unavailable." and said["about"] == "disabled"
    assert said["invocation"]["module_args"]["password"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert "'ab'" not in str(said)


def test_a_secret_that_the_gate_would_rewrite_is_masked_before() -> None:
    secret = "pass\x07word##[1]"
    said = concluded(Module(secret), Finding("code", "error", "s", f"It said {secret}."), answer=f"x{secret}y")
    assert "word" not in str(said).replace("password", "") and r"\x07" not in str(said)


def test_a_line_of_the_diff_that_holds_a_short_password_is_left_out() -> None:
    before = "A=1\n# was ab once\nB=lab\n"
    said = concluded(Module("ab"), diff={"before": before, "after": "A=1\n", "before_header": "p", "after_header": "p"})
    assert said["diff"]["before"] == f"A=1\n{LEFT_OUT}\nB=lab\n"


def test_the_text_of_a_defect_goes_the_same_way() -> None:
    def body(_module: t.Any) -> None:
        raise ValueError(f"cannot take ab and {HOSTILE}")

    module = Module("ab")
    with pytest.raises(SystemExit):
        _edge.guarded(module, body)
    assert LEFT_OUT in module.said["msg"] and shown(module.said["msg"]) == module.said["msg"]
    assert "'ab'" not in str(module.said) and " ab " not in str(module.said)


@pytest.mark.parametrize(
    ("seen", "services", "mark"),
    [
        ({"services": ["a.service"], "mark": "m"}, ("a.service",), "m"),
        ({"services": "a.service", "mark": "m"}, (), ""),
        ({"services": ["a.service"], "mark": None}, (), ""),
        ({}, (), ""),
        (None, (), ""),
    ],
)
def test_what_was_seen_comes_in_only_as_the_controller_gives_it(seen: t.Any, services: t.Any, mark: str) -> None:
    params = dict.fromkeys(_edge.INSTANCE_ARGUMENTS)
    hints = _edge.hints_from({**params, "handed": seen})
    assert (hints.seen, hints.mark) == (services, mark)


def test_what_is_handed_on_is_documented_as_it_is_taken() -> None:
    def plain(options: dict[str, t.Any], inner: str) -> dict[str, t.Any]:
        kept = ("type", "elements", "choices", "required", "default")
        return {
            name: {
                **{key: one[key] for key in kept if key in one},
                **({"options": plain(one[inner], inner)} if inner in one else {}),
            }
            for name, one in options.items()
        }

    documented = yaml.safe_load(handed.ModuleDocFragment.DOCUMENTATION)["options"]
    assert plain(documented, "suboptions") == plain(_edge.HANDED_ARGUMENTS, "options")
    assert _edge.HANDED_ARGUMENTS["handed"]["options"]["prove"]["choices"] == list(PROOFS)


def test_of_what_is_handed_on_only_what_is_there_counts() -> None:
    assert _edge.handed({"handed": {"ticket": "t", "queue": None}}) == {"ticket": "t"}
    assert _edge.handed({"handed": None}) == _edge.handed({}) == {}
