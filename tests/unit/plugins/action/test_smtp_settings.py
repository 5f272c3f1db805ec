# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step smtp_settings: options to plan, documentation and options alike, and no secret in any result."""

from __future__ import annotations

import json
import typing as t
from types import SimpleNamespace

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.parameters import remove_values
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.fediops.mastodon.plugins.action.smtp_settings import ActionModule
from ansible_collections.fediops.mastodon.plugins.doc_fragments import readers
from ansible_collections.fediops.mastodon.plugins.modules import smtp_settings as documented

SECRET = "pa55-w0rd-of-the-relay"
GOOD: dict[str, t.Any] = {
    "host": "smtp.example.com",
    "login": "user",
    "password": SECRET,
    "from_address": "a@example.com",
    "mastodon_release": "4.6.5",
    "local_domain": "social.example.org",
}


def run(**options: t.Any) -> dict[str, t.Any]:
    task = SimpleNamespace(
        args=options, async_val=0, check_mode=True, diff=True, environment=[], action="x", no_log=False
    )
    step = ActionModule(
        task,
        SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)),
        SimpleNamespace(check_mode=True),
        DataLoader(),
        Templar(DataLoader()),
        None,
    )
    result = step.run(task_vars={})
    json.dumps(result)
    return result


def test_a_plan() -> None:
    result = run(**GOOD)
    assert "failed" not in result
    assert result["changed"] is False
    assert result["findings"] == []
    plan = result["plan"]
    assert plan["set"] == {
        "SMTP_SERVER": "smtp.example.com",
        "SMTP_PORT": "587",
        "SMTP_LOGIN": "user",
        "SMTP_AUTH_METHOD": "plain",
        "SMTP_OPENSSL_VERIFY_MODE": "peer",
        "SMTP_ENABLE_STARTTLS": "always",
        "SMTP_FROM_ADDRESS": "a@example.com",
    }
    assert plan["secret_variables"] == ["SMTP_PASSWORD"]
    assert plan["effective"]["main"]["tls_mode"] == "starttls"
    assert plan["effective"]["main"]["settings"]["domain"] == "social.example.org"
    assert (plan["release"], plan["era"]) == ("4.6.5", "4.5")
    assert SECRET not in str(result)


def test_a_method_in_capitals_is_refused_with_the_right_names() -> None:  # t14 of the field reports
    with pytest.raises(AnsibleActionFail, match="auth must be one of: plain, login, cram_md5, none, got: LOGIN"):
        run(**GOOD, auth="LOGIN")


SENDER = {
    "service": "mastodon-sidekiq.service",
    "role": "sidekiq",
    "elsewhere": [
        {"variable": "SMTP_PORT", "layer": "Environment", "path": "/x.conf", "line": 2, "value": "465"},
        {"variable": "SMTP_PASSWORD", "layer": "Environment", "path": "/x.conf", "line": 3, "digest": "ab"},
        {"variable": "SMTP_SERVER", "layer": "Environment", "path": "/x.conf", "line": 4, "value": GOOD["host"]},
    ],
}


def test_an_override_that_contradicts_the_plan_is_an_error_that_can_be_accepted() -> None:
    options = {**GOOD, "senders": [SENDER], "env_file": "/live/.env.production", "digest_key": "k" * 32}
    result = run(**options)
    assert result["failed"] is True and "mastodon-sidekiq.service" in result["msg"]
    assert [(one["code"], one["subject"]) for one in result["findings"]] == [
        ("override-contradicts", "SMTP_PORT in /x.conf, line 2"),
        ("override-contradicts", "SMTP_PASSWORD in /x.conf, line 3"),
    ]
    assert SECRET not in str(result) and "k" * 32 not in str(result)
    accepted = run(**options, accept=["override-contradicts"])
    assert "failed" not in accepted and {one["severity"] for one in accepted["findings"]} == {"info"}


def test_a_failure_has_the_plan_too_and_no_secret() -> None:
    result = run(**{**GOOD, "port": 465, "tls": "starttls", "from_address": f"{SECRET}@example.com"})
    assert result["failed"] is True
    assert result["plan"]["set"]["SMTP_PORT"] == "465"
    assert {"port-contradicts-tls", "secret-in-value"} <= {one["code"] for one in result["findings"]}
    assert SECRET not in str(result)


def test_a_value_that_a_reader_cannot_be_given_fails_without_being_shown() -> None:
    result = run(**{**GOOD, "password": SECRET + " \\' \" ` ${x}"}, readers=["raw", "sh"])
    assert result["failed"] is True
    assert "SMTP_PASSWORD" in result["msg"]
    assert SECRET not in str(result)


def test_accept_turns_a_named_error_into_an_info() -> None:
    options = {**GOOD, "port": 465, "tls": "starttls"}
    assert run(**options)["failed"] is True
    result = run(**options, accept=["port-contradicts-tls"])
    assert "failed" not in result
    assert [(one["code"], one["severity"]) for one in result["findings"]] == [("port-contradicts-tls", "info")]
    assert run(**options, accept=["verify-off"])["failed"] is True


def test_an_accepted_secret_in_a_value_leaves_the_value_whole() -> None:
    options = {**GOOD, "host": f"{SECRET}.example.com"}
    refused = run(**options)
    assert refused["failed"] is True
    assert SECRET not in str(refused)
    result = run(**options, accept=["secret-in-value"])
    assert "failed" not in result
    assert result["plan"]["set"]["SMTP_SERVER"] == f"{SECRET}.example.com"
    assert result["plan"]["effective"]["main"]["settings"]["address"] == f"{SECRET}.example.com"


def texts(value: t.Any) -> t.Any:
    """A plan without what is no text: before ansible-core 2.19, remove_values takes None and True for words."""
    if isinstance(value, dict):
        return {name: texts(one) for name, one in value.items() if one is not None and not isinstance(one, bool)}
    return [texts(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("secret", ["PASSWORD", "start", "one", "True", "4.5", "587", "465", "SMTP_TLS", "user", "tls"])
@pytest.mark.parametrize("provider", ["", "mailgun"])
def test_no_plan_is_garbled_by_masking(secret: str, provider: str) -> None:
    options = {**GOOD, "password": secret, "provider": provider}
    found = {one["code"]: one["severity"] for one in run(**options)["findings"]}
    plan = texts(run(**options, accept=["secret-in-value"])["plan"])
    garbled = remove_values(plan, {secret})
    for relay in (plan, garbled):
        del relay["relay"]["hint"]
    assert (found.get("secret-in-value") == "error") is (garbled != plan)


def test_the_bulk_relay_has_a_password_of_its_own() -> None:
    bulk = {"host": "bulk.example.com", "port": 465, "login": "bulk"}
    result = run(**GOOD, bulk=bulk, bulk_password="an0ther-s3cret")
    assert result["plan"]["secret_variables"] == ["BULK_SMTP_PASSWORD", "SMTP_PASSWORD"]
    assert result["plan"]["effective"]["bulk"]["tls_mode"] == "implicit"
    assert result["plan"]["bulk_relay"]["host"] == "bulk.example.com"
    assert "an0ther-s3cret" not in str(result)


def test_empty_options_count_as_not_given() -> None:
    empty = {"provider": "", "region": "", "ca_file": "", "helo_domain": "", "reply_to": "", "return_path": ""}
    assert run(**GOOD, **empty, bulk_password="", current=[], accept=[]) == run(**GOOD)


def test_no_option_at_all_says_what_is_needed() -> None:
    result = run()
    assert {"host-missing", "from-missing"} <= {one["code"] for one in result["findings"]}


def _documented(options: dict[str, t.Any]) -> dict[str, t.Any]:
    shape = {}
    for name, option in options.items():
        kept = {key: option[key] for key in ("type", "choices", "default", "elements") if key in option}
        if "suboptions" in option:
            kept["options"] = _documented(option["suboptions"])
        shape[name] = kept
    return shape


def _specified(options: dict[str, t.Any]) -> dict[str, t.Any]:
    shape = {}
    for name, option in options.items():
        kept = {key: value for key, value in option.items() if key not in ("no_log", "options")}
        if "options" in option:
            kept["options"] = _specified(option["options"])
        shape[name] = kept
    return shape


def test_the_documentation_says_what_the_step_takes() -> None:
    pages = (readers.ModuleDocFragment.DOCUMENTATION, documented.DOCUMENTATION)
    options = {name: option for page in pages for name, option in yaml.safe_load(page)["options"].items()}
    assert _documented(options) == _specified(ActionModule.ARGUMENT_SPEC)


def test_the_documentation_says_what_the_step_gives() -> None:
    returned = yaml.safe_load(documented.RETURN)
    result = run(**GOOD)
    assert set(returned) == set(result) - {"changed"}
    assert set(returned["plan"]["contains"]) == set(result["plan"])
    for name in ("effective", "relay"):
        assert set(returned["plan"]["contains"][name]["contains"]) == set(result["plan"][name])


OWN_EXAMPLES = [one for one in yaml.safe_load(documented.EXAMPLES) if "fediops.mastodon.smtp_settings" in one]


def test_used_alone_it_returns_snippets_without_the_password() -> None:
    found = run(**GOOD)["snippets"]
    assert sorted(found) == ["helm_chart", "helm_charts", "nixos"]
    assert '    server: "smtp.example.com"' in found["helm_charts"] and SECRET not in str(found)
    assert "snippets" not in run(**GOOD, chain="preflight")


@pytest.mark.parametrize("example", OWN_EXAMPLES, ids=lambda one: one["name"])
def test_an_example_works(example: dict[str, t.Any]) -> None:
    options = dict(example["fediops.mastodon.smtp_settings"])
    for name in ("password", "bulk_password", "login"):
        if str(options.get(name, "")).startswith("{{"):
            options[name] = SECRET
    bulk = options.get("bulk")
    if bulk and bulk["login"].startswith("{{"):
        options["bulk"] = {**bulk, "login": "an-access-key"}
        options["bulk_password"] = "an0ther-s3cret"
    result = run(**options)
    assert "failed" not in result, result["msg"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mastodon_smtp_from_adress", "mastodon_smtp_from_address"),
        ("mastodon_smtp_passwort", "mastodon_smtp_password"),
        ("mastodon_smtp_test_recipent", "mastodon_smtp_test_recipient"),
        ("mastodon_smtp_max_fail_percent", "mastodon_smtp_max_fail_percentage"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_one_that_is_meant(name: str, meant: str) -> None:
    result = run(**GOOD, variables=[name, "mastodon_smtp_host", "mastodon_smtp_batches", "mastodon_smtp_result"])
    assert [(one["code"], one["subject"]) for one in result["findings"]] == [("setting-unknown", name)]
    assert f"The collection has no setting {name}; did you mean {meant}?" in result["msg"]
    known = run(**GOOD, variables=[name], accept=["setting-unknown"])
    assert "failed" not in known and known["findings"][0]["severity"] == "info"


def test_what_a_misspelt_variable_leaves_missing_is_no_second_problem() -> None:
    given = {name: value for name, value in GOOD.items() if name != "password"}
    assert [one["code"] for one in run(**given)["findings"]] == ["password-not-given"]
    result = run(**given, variables=["mastodon_smtp_passwort"])
    assert [one["code"] for one in result["findings"]] == ["setting-unknown"]


@pytest.mark.parametrize(
    ("own", "missing", "code"),
    [
        ("mastodon_smtp_password_file", "password", "password-not-given"),
        ("mastodon_smtp_my_from_address", "from_address", "from-missing"),
    ],
)
def test_a_variable_of_the_operator_stands_in_for_no_setting(own: str, missing: str, code: str) -> None:
    given = {name: value for name, value in GOOD.items() if name != missing}
    alone = [one["code"] for one in run(**given, current=["SMTP_FROM_ADDRESS"])["findings"]]
    result = run(**given, current=["SMTP_FROM_ADDRESS"], variables=[own], accept=["setting-unknown"])
    assert code in alone
    assert sorted(one["code"] for one in result["findings"]) == sorted([*alone, "setting-unknown"])


def test_a_variable_that_is_like_none_is_named_alone() -> None:
    (finding,) = run(**GOOD, variables=["mastodon_smtp_zzz", "my_own"])["findings"]
    assert finding["message"] == "The collection has no setting mastodon_smtp_zzz."


@pytest.mark.parametrize("name", ["Mailgun", "mailgunn", "mail-gun"])
def test_a_misspelt_provider_is_one_problem_and_names_the_known_ones(name: str) -> None:
    given = {key: value for key, value in GOOD.items() if key != "host"}
    (finding,) = run(**given, provider=name)["findings"]
    assert finding["code"] == "provider-unknown" and finding["message"].endswith("; did you mean mailgun?")
    assert "postmark" in finding["fix"]


def test_a_misspelt_region_is_asked_about() -> None:
    given = {key: value for key, value in GOOD.items() if key != "host"}
    messages = [one["message"] for one in run(**given, provider="mailgun", region="EU")["findings"]]
    assert any("EU is not a region of Mailgun; did you mean eu?" in one for one in messages), messages
