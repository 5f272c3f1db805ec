# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of controller steps: what it validates, when it fails, and that no secret leaves it."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import ControllerStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry, Record
from ansible_collections.fediops.mastodon.tests.unit.plugins.of_core import HIDES_OPTIONS, trust_as_template

SECRET = "pa55-w0rd-of-the-relay"


class Step(ControllerStep):
    """Does what the test asks."""

    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]] = {
        "password": {"type": "str", "no_log": True},
        "port": {"type": "int"},
        "mode": {"type": "str", "choices": ["a", "b"]},
        "inner": {"type": "dict", "options": {"login": {"type": "str"}, "token": {"type": "str", "no_log": True}}},
    }

    does: t.ClassVar[t.Callable[[dict[str, t.Any]], tuple[list[Finding], dict[str, t.Any]]]]

    def unmasked(self, findings: list[Finding]) -> frozenset[str]:  # noqa: ARG002
        return frozenset({"verdict"})

    def conclude_from(
        self,
        options: dict[str, t.Any],
        task_vars: dict[str, t.Any],  # noqa: ARG002
    ) -> tuple[list[Finding], dict[str, t.Any]]:
        return type(self).does(options)


def run(
    does: t.Callable[[dict[str, t.Any]], t.Any], variables: dict[str, t.Any] | None = None, **arguments: t.Any
) -> dict[str, t.Any]:
    Step.does = staticmethod(does)
    return made(arguments, variables).run(task_vars=variables or {})


def made(arguments: dict[str, t.Any], variables: dict[str, t.Any] | None = None) -> Step:
    task = SimpleNamespace(
        args=arguments, async_val=0, check_mode=False, diff=False, environment=[], action="step", no_log=False
    )
    step = Step(
        task,
        SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)),
        SimpleNamespace(check_mode=False),
        DataLoader(),
        Templar(DataLoader(), variables=variables),
        None,
    )
    assert "password" not in arguments or task.args["password"] == "********", "the task itself shows the secret"
    return step


def finding(severity: t.Any, text: str) -> Finding:
    return Finding("a-code", severity, text, f"There is {text}.", f"Change {text}.")


def test_a_result_has_its_findings_and_is_unchanged() -> None:
    result = run(lambda options: ([finding("warning", "this")], {"port": options["port"]}), port="25")
    assert result["port"] == 25
    assert result["changed"] is False
    assert "failed" not in result
    assert result["findings"] == [finding("warning", "this").as_dict()]


def test_a_secret_is_masked_everywhere_on_success() -> None:
    evidence = {"a": {"deep": [f"x{SECRET}y"]}, "b": SECRET}
    result = run(lambda _unused: ([finding("info", SECRET)], evidence), password=SECRET)
    assert SECRET not in str(result)
    assert "x********y" in str(result)


def test_a_secret_is_masked_everywhere_on_failure() -> None:
    result = run(lambda _unused: ([finding("error", SECRET)], {"a": SECRET}), password=SECRET)
    assert result["failed"] is True
    assert "a-code" in result["msg"]
    assert SECRET not in str(result)


def test_a_secret_of_an_inner_option_is_masked_too() -> None:
    result = run(lambda options: ([], {"seen": options["inner"]}), inner={"login": "me", "token": SECRET})
    assert result["seen"]["login"] == "me"
    assert SECRET not in str(result)


def test_a_verdict_is_not_eaten_by_a_short_secret() -> None:
    result = run(lambda _unused: ([], {"verdict": "passed", "other": "passed"}), password="pass")
    assert result["verdict"] == "passed"
    assert result["other"] == "passed"  # a mask would tell the password


def test_a_verdict_is_not_eaten_by_a_secret_of_the_same_text() -> None:
    result = run(lambda _unused: ([], {"verdict": "passed well", "other": "passed well"}), password="passed well")
    assert result["verdict"] == "passed well"
    assert result["other"] != "passed well"


def test_what_came_from_outside_is_shown() -> None:
    hostile = "x\n::stop-commands::t \x1b ##[y] \u202e"
    result = run(lambda _unused: ([finding("error", hostile)], {"record": [hostile]}))
    assert result["record"] == [shown(hostile)]
    assert all(shown(one) == one for one in [result["msg"], *result["findings"][0].values()])


def test_a_defect_that_quotes_what_came_from_outside_is_shown() -> None:
    def break_down(_options: dict[str, t.Any]) -> t.NoReturn:
        raise RuntimeError("cannot use a\x1bb")

    with pytest.raises(AnsibleActionFail, match=r"cannot use a\\x1bb"):
        run(break_down)


def test_a_finding_that_is_raised_fails_the_step_as_a_result() -> None:
    def refuse(_options: dict[str, t.Any]) -> t.NoReturn:
        raise FindingError(finding("error", SECRET))

    result = run(refuse, password=SECRET)
    assert result["failed"] is True
    assert [one["code"] for one in result["findings"]] == ["a-code"]
    assert SECRET not in str(result)


def test_a_defect_does_not_show_a_secret() -> None:
    def break_down(_options: dict[str, t.Any]) -> t.NoReturn:
        raise RuntimeError(f"cannot use {SECRET}")

    with pytest.raises(AnsibleActionFail) as caught:
        run(break_down, password=SECRET)
    assert "RuntimeError: cannot use ********" in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_defect_without_a_secret_keeps_its_traceback() -> None:
    def break_down(_options: dict[str, t.Any]) -> t.NoReturn:
        raise ZeroDivisionError("nothing secret")

    with pytest.raises(ZeroDivisionError):
        run(break_down, password=SECRET)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"port": "abc"}, "port"),
        ({"port": SECRET}, "port"),
        ({"mode": SECRET}, "mode"),
        ({"mode": f"mode={SECRET}"}, "mode"),
        ({"port": [SECRET]}, "port"),
        ({"inner": {"passwort": 1}}, "Unsupported parameters: inner.passwort"),
        ({"passwort": 1}, "Unsupported parameters: passwort"),
        ({"inner": SECRET}, "inner"),
    ],
)
def test_a_wrong_option_is_named_without_a_secret(arguments: dict[str, t.Any], words: str) -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        run(lambda _unused: pytest.fail("the step must not run"), password=SECRET, **arguments)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "secret",
    [
        20261128,
        {"value": "dict-inside"},
        ["list-inside"],
        "back\\slash",
        "it's a secret",
        "wörd of the relay",
        'say "x" twice',
    ],
)
def test_what_was_given_for_a_password_is_not_quoted_by_a_message(secret: t.Any) -> None:
    plain = secret if isinstance(secret, str) else str(next(iter(_leaves(secret))))
    quoted = {plain, repr(plain)[1:-1], ascii(plain)[1:-1], json.dumps(plain)[1:-1]}
    for does, given in (
        (lambda _unused: ([], {}), {"port": secret}),
        (lambda _unused: ([finding("error", repr(secret))], {"a": json.dumps(secret), "b": secret}), {}),
        (lambda _unused: 1 / 0, {"mode": secret}),
    ):
        try:
            told = str(run(does, password=secret, **given))
        except (AnsibleActionFail, ZeroDivisionError) as refused:
            told = f"{refused} {refused!r}"
        assert [one for one in quoted if one in told] == []


def _leaves(value: t.Any) -> t.Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]


#: Before 2.19 every option is worked out before its action begins, also a secret one.
hides_options = pytest.mark.skipif(not HIDES_OPTIONS, reason="this ansible-core works out every option itself")


def trusted(text: str) -> str:
    made: str = trust_as_template(text)
    return made


@hides_options
def test_a_secret_stays_a_template_until_the_step_itself_begins() -> None:
    template = trusted("{{ vault_password }}")
    assert Step.finalize_task_arg("password", template, None, None) is template
    result = run(
        lambda options: ([], {"length": len(options["password"])}), {"vault_password": SECRET}, password=template
    )
    assert result["length"] == len(SECRET)


@hides_options
def test_a_secret_that_is_omitted_is_not_given() -> None:
    template = trusted("{{ nobody_set_this | default(omit) }}")
    assert run(lambda options: ([], {"given": options["password"]}), password=template)["given"] is None


@hides_options
def test_a_secret_that_is_not_defined_is_told_as_ansible_tells_it() -> None:
    with pytest.raises(AnsibleError) as caught:
        run(lambda _unused: ([], {}), password=trusted("{{ vault_password }}"))
    assert "Error while resolving value for 'password'" in str(caught.value)
    assert "'vault_password' is undefined" in str(caught.value)


def test_a_step_that_is_tried_again_has_its_secret_still() -> None:
    step = made({"password": SECRET})
    Step.does = staticmethod(lambda options: ([], {"length": len(options["password"])}))
    assert [step.run(task_vars={})["length"] for _unused in range(2)] == [len(SECRET)] * 2
    again = type(step)(step._task, step._connection, step._play_context, step._loader, step._templar, None)
    assert again.run(task_vars={})["length"] == len(SECRET)  # ansible-core makes a step anew for each try


def test_facts_that_set_our_variables_end_the_step_before_it_begins() -> None:
    facts = {"ansible_facts": {"mastodon_smtp_host": "evil.example"}, "inventory_hostname": "masto1"}
    result = run(lambda _unused: pytest.fail("the step must not run"), facts)
    assert result["failed"] and [one["code"] for one in result["findings"]] == ["setting-from-facts"]
    assert "mastodon_smtp_host: set by facts of masto1." in result["msg"]


def test_facts_that_ansible_keeps_from_being_variables_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants.config, "get_config_value", lambda name, **_unused: name != "INJECT_FACTS_AS_VARS")
    facts = {"ansible_facts": {"mastodon_smtp_host": "evil.example"}}
    assert "failed" not in run(lambda _unused: ([], {}), facts)


HOST = {"inventory_hostname": "masto1"}
WRONG = Finding("port-invalid", "error", "port", "It is none.", "Give one.")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the steps of this run leave their results."""
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return tmp_path


def left(key: str = "") -> Entry:
    entry = Record("masto1").entry(key)
    assert entry is not None
    return entry


@pytest.mark.parametrize(
    ("part", "closing"),
    [("rollout", ""), ("rollback", ""), ("adopt", "\nNothing has been written for this host.")],
)
def test_in_the_role_a_failing_step_shows_its_sentences_and_leaves_the_rest(
    folder: Path,  # noqa: ARG001
    part: str,
    closing: str,
) -> None:
    result = run(lambda _unused: ([WRONG], {"seen": [1]}), HOST, chain=part)
    assert {name: one for name, one in result.items() if name != "_ansible_evidence"} == {
        "changed": False,
        "failed": True,
        "msg": f"port: It is none. Give one. [port-invalid]{closing}",
    }
    # ansible-core neither shows nor registers what begins like this; a rescue has it
    assert result["_ansible_evidence"]["seen"] == [1]
    assert result["_ansible_evidence"]["findings"] == [WRONG.as_dict()]
    assert left().outcome == "failed" and left().problems == (WRONG.sentence(),)
    assert left().result["seen"] == [1] and left().result["findings"] == [WRONG.as_dict()]


@pytest.mark.parametrize("part", ["preflight", "check", "undo"])
def test_in_the_parts_that_collect_every_step_has_its_turn(folder: Path, part: str) -> None:  # noqa: ARG001
    result = run(lambda _unused: ([WRONG], {"seen": [1]}), HOST, chain=part)
    assert result["failed"] is False and result["msg"] == WRONG.sentence() and result["seen"] == [1]
    # the task is shown as "ok", so what is wrong is shown before it
    assert result["warnings"] == [f"masto1: {WRONG.sentence()}"]
    assert left().outcome == "failed"


@pytest.mark.parametrize(
    ("variables", "severity"),
    [
        ({}, "error"),
        ({"accept": ["port-invalid"]}, "info"),
        ({"accept": ["port-unusual"]}, "error"),
        ({"fail_on": "never"}, "info"),
        ({"accept": ["port-invalid"], "fail_on": "warning"}, "info"),
    ],
)
@pytest.mark.parametrize("part", ["preflight", "check"])
def test_what_the_operator_accepts_counts_in_each_part_of_the_role(
    folder: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    variables: dict[str, t.Any],
    severity: str,
) -> None:
    Record("masto1").leave("variables", Entry("x", "ok", (), {"variables": variables}))
    monkeypatch.setattr(Step, "ACCEPTABLE", frozenset({"port-invalid"}))
    monkeypatch.setattr(Step, "fail_on", lambda self: self.known.setting("fail_on") or "error")
    result = run(lambda _unused: ([WRONG], {"seen": [1]}), HOST, chain=part)
    assert [one["severity"] for one in result["findings"]] == [severity] and result["seen"] == [1]
    assert left().outcome == ("failed" if severity == "error" else "ok")
    assert left().problems == ((WRONG.sentence(),) if severity == "error" else ())
    accepted = "accept" in variables and severity == "info"
    assert ("(Accepted by the operator.)" in result["findings"][0]["message"]) is accepted


@pytest.mark.parametrize("acceptable", [(), ("port-unusual",)])
def test_what_cannot_be_accepted_fails_the_step_all_the_same(
    folder: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    acceptable: tuple[str, ...],
) -> None:
    """An edit that was not made is not made by accepting why."""
    monkeypatch.setattr(Step, "ACCEPTABLE", frozenset(acceptable))
    Record("masto1").leave("variables", Entry("x", "ok", (), {"variables": {"accept": ["port-invalid"]}}))
    run(lambda _unused: ([WRONG], {}), HOST, chain="preflight")
    assert left().outcome == "failed"


def test_a_warning_can_be_accepted_in_every_step(folder: Path) -> None:  # noqa: ARG001
    Record("masto1").leave("variables", Entry("x", "ok", (), {"variables": {"accept": ["mails-waiting"]}}))
    waiting = Finding("mails-waiting", "warning", "Sidekiq", "2 mails wait.")
    run(lambda _unused: ([waiting, WRONG], {}), HOST, chain="rollout")
    assert [(one["code"], one["severity"]) for one in left().result["findings"]] == [
        (WRONG.code, "error"),
        ("mails-waiting", "info"),
    ]
    assert left().outcome == "failed" and left().problems == (WRONG.sentence(),)


def test_what_only_a_test_could_not_do_is_no_failure_in_the_role(folder: Path) -> None:  # noqa: ARG001
    no_account = Finding("account-gets-no-mail", "error", "a@b.test", "It is none.")
    assert run(lambda _unused: ([no_account], {}), HOST, chain="rollout")["failed"] is False
    assert left().outcome == "not_proved"
    # used alone, the step fails as documented
    assert run(lambda _unused: ([no_account], {}), HOST)["failed"] is True
    assert run(lambda _unused: ([no_account, WRONG], {}), HOST, chain="rollout")["failed"] is True


def test_a_step_that_breaks_off_fails_with_a_sentence_and_without_its_secret(folder: Path) -> None:
    result = run(lambda _unused: {}[SECRET], HOST, chain="rollout", password=SECRET)
    assert result["failed"] and "KeyError" in result["msg"] and SECRET not in str(result)
    assert SECRET not in "".join(file.read_text() for file in folder.rglob("*.json"))


@hides_options
def test_a_value_that_cannot_be_worked_out_is_said_in_the_role(folder: Path) -> None:  # noqa: ARG001
    result = run(lambda _unused: ([], {}), HOST, chain="rollout", password=trusted("{{ vault_password }}"))
    assert result["failed"] and "refers to vault_password, which is not defined for this host" in result["msg"]


def test_a_host_that_cannot_be_reached_is_noted_as_that(folder: Path) -> None:  # noqa: ARG001
    def lost(_unused: t.Any) -> t.NoReturn:
        raise AnsibleConnectionFailure("no route")

    with pytest.raises(AnsibleConnectionFailure):
        run(lost, HOST, chain="rollout")
    assert left().outcome == "unreachable"


def test_a_step_with_nothing_to_do_leaves_itself_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.setattr(Step, "linked", lambda *_unused: None)
    Step.does = staticmethod(lambda _unused: pytest.fail("it must not run"))
    step = made({"chain": "rollout", "password": SECRET, "mode": f"{SECRET} by mistake"}, HOST)
    assert step.run(task_vars=HOST)["skipped"] is True and left().outcome == "skipped"
    assert SECRET not in str(step._task.args)


def test_a_part_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AnsibleActionFail, match="chain must be one of"):
        run(lambda _unused: ([], {}), HOST, chain="other")


def test_alone_a_step_leaves_nothing_and_fails_with_its_evidence(folder: Path) -> None:
    result = run(lambda _unused: ([WRONG], {"seen": [1]}), HOST)
    assert result["failed"] and result["seen"] == [1] and not list(folder.iterdir())
