# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adopting: which files come to be, what is in them, and what never is."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import typing as t
import unittest.mock

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.fediops.mastodon.plugins.action.smtp_adopt import ActionModule
from ansible_collections.fediops.mastodon.plugins.module_utils._seal import seal
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown
from ansible_collections.fediops.mastodon.plugins.plugin_utils import _inventory_file

SECRET = "pa$$ {{ not a template }} #wörd"
VARIABLES = {
    "SMTP_SERVER": "smtp.example.net",
    "SMTP_PORT": "587",
    "SMTP_LOGIN": "masto@example.net",
    "SMTP_PASSWORD": SECRET,
    "SMTP_AUTH_METHOD": "plain",
    "SMTP_ENABLE_STARTTLS": "always",
    "SMTP_OPENSSL_VERIFY_MODE": "peer",
    "SMTP_FROM_ADDRESS": "Social <social@example.org>",
}
Adopt = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def adopt(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Adopt:
    def run(
        variables: dict[str, str] | None = None,
        vaults: tuple[tuple[str, bytes], ...] = (("default", b"vault-password"),),
        check: bool = False,
        answer: dict[str, t.Any] | None = None,
        mail_variables: tuple[str, ...] = (),
        task_vars: dict[str, t.Any] | None = None,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        loader = DataLoader()
        loader.set_vault_secrets([(name, VaultSecret(password)) for name, password in vaults])
        given = {"dest": str(tmp_path / "host_vars" / "social"), **options}
        task = unittest.mock.Mock(
            args={name: value for name, value in given.items() if value is not None},
            check_mode=check,
            diff=True,
            async_val=0,
            action="fediops.mastodon.smtp_adopt",
        )
        action = ActionModule(
            task=task,
            connection=unittest.mock.Mock(),
            play_context=unittest.mock.Mock(),
            loader=loader,
            templar=unittest.mock.Mock(),
            shared_loader_obj=unittest.mock.Mock(),
        )

        def execute(module_name: str, module_args: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:  # noqa: ARG001
            assert module_name == "fediops.mastodon.smtp_adopt"
            known = {
                "findings": [],
                "release": "4.5.3",
                "local_domain": "example.org",
                "stale": [],
                "mail_variables": list(mail_variables),
            }
            return {**known, "sealed": seal(variables or VARIABLES, module_args["seal"])} if answer is None else answer

        monkeypatch.setattr(action, "_execute_module", execute)
        result = action.run(task_vars={"inventory_hostname": "social", **(task_vars or {})})
        assert SECRET not in json.dumps(result, ensure_ascii=False)
        return result

    return run


def files(tmp_path: pathlib.Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (tmp_path / "host_vars" / "social").glob("*")}


def codes(result: dict[str, t.Any]) -> list[str]:
    return [one["code"] for one in result["findings"]]


class Loader(yaml.SafeLoader):
    pass


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def test_placeholders(adopt: Adopt, tmp_path: pathlib.Path) -> None:
    result = adopt()
    assert result["changed"] and not result.get("failed") and result["findings"] == []
    found = files(tmp_path)
    assert list(found) == ["mastodon_smtp.yml"]
    content = yaml.safe_load(found["mastodon_smtp.yml"])
    assert content["mastodon_smtp_host"] == "smtp.example.net" and content["mastodon_smtp_port"] == 587
    assert content["mastodon_smtp_password"] == "{{ vault_mastodon_smtp_password }}"
    assert "mastodon_smtp_password" in result["variables"]
    assert result["placeholders"] == ["vault_mastodon_smtp_password"] and result["written"] == result["files"]
    again = adopt()
    assert again["changed"] is False and again["written"] == []


def test_a_vault(adopt: Adopt, tmp_path: pathlib.Path) -> None:
    vaults = (("default", b"one"), ("prod", b"two"))
    result = adopt(secrets="vault", vault_id="prod", vaults=vaults)
    path = tmp_path / "host_vars" / "social" / "mastodon_smtp_vault.yml"
    assert result["files"][1] == str(path) and path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert text.startswith("$ANSIBLE_VAULT;1.2;AES256;prod")
    opened = VaultLib([("prod", VaultSecret(b"two"))]).decrypt(text.encode()).decode()
    assert yaml.load(opened, Loader) == {"mastodon_smtp_password": SECRET}
    # Ansible would take it for a template otherwise
    assert "!unsafe" in opened
    again = adopt(secrets="vault", vaults=vaults)
    assert again["changed"] is False and path.read_text() == text


def test_check_mode_shows_and_writes_nothing(adopt: Adopt, tmp_path: pathlib.Path) -> None:
    result = adopt(secrets="vault", check=True)
    assert result["changed"] and len(result["diff"]) == 1 and "+" not in result["diff"][0]["before"]
    assert not (tmp_path / "host_vars").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"vaults": ()}, "adopt-no-vault"),
        ({"vault_id": "other"}, "adopt-no-vault"),
    ],
)
def test_without_a_vault_password_nothing_is_written(
    adopt: Adopt, tmp_path: pathlib.Path, options: dict[str, t.Any], code: str
) -> None:
    result = adopt(secrets="vault", **options)
    assert result["failed"] and codes(result) == [code]
    assert not (tmp_path / "host_vars").exists()


def test_words_of_somebody_else_are_kept_unless_told_otherwise(adopt: Adopt, tmp_path: pathlib.Path) -> None:
    adopt()
    plain = tmp_path / "host_vars" / "social" / "mastodon_smtp.yml"
    plain.write_text("mastodon_smtp_port: 2525\n")
    result = adopt()
    assert result["failed"] and codes(result) == ["adopt-file-exists"] and "2525" in plain.read_text()
    assert adopt(overwrite=True)["changed"] and "587" in plain.read_text()


@pytest.mark.parametrize("name", ["social.yml", "social.yaml", "social.json", "social"])
def test_a_file_that_the_new_folder_would_hide_is_named(adopt: Adopt, tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / name).write_text("x: 1\n")
    result = adopt()
    assert result["failed"] and codes(result) == ["adopt-hides-file"] and name in result["msg"]


def test_a_folder_that_cannot_be_written_is_said(adopt: Adopt, tmp_path: pathlib.Path) -> None:
    (tmp_path / "host_vars").write_text("in the way")
    result = adopt()
    assert result["failed"] and codes(result) == ["adopt-write-failed"]


@pytest.mark.parametrize("before", [None, "mastodon_smtp_port: 2525\n"])
def test_where_the_second_file_cannot_be_written_the_first_is_as_before(
    adopt: Adopt, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    plain = tmp_path / "host_vars" / "social" / "mastodon_smtp.yml"
    if before:
        plain.parent.mkdir(parents=True)
        plain.write_text(before)
        plain.chmod(0o640)
    renamed: list[str] = []

    def rename(old: str, new: str) -> None:
        renamed.append(pathlib.Path(new).name)
        if new.endswith("_vault.yml"):
            raise OSError(errno.ENOSPC, "full")
        os.replace(old, new)

    monkeypatch.setattr(_inventory_file.os, "rename", rename)
    result = adopt(secrets="vault", overwrite=True)
    assert result["failed"] and codes(result) == ["adopt-write-failed"] and "mastodon_smtp_vault.yml" in result["msg"]
    assert renamed[:2] == ["mastodon_smtp.yml", "mastodon_smtp_vault.yml"]
    assert files(tmp_path) == ({"mastodon_smtp.yml": before} if before else {})
    assert not before or plain.stat().st_mode & 0o777 == 0o640


def test_what_does_not_work_is_not_adopted(adopt: Adopt, tmp_path: pathlib.Path) -> None:
    result = adopt({"SMTP_FROM_ADDRESS": "<broken"})
    assert result["failed"] and codes(result) == ["adopt-unusable"] and not (tmp_path / "host_vars").exists()


def test_names_that_nothing_reads_and_hosts_that_do_not_exist_are_told(adopt: Adopt) -> None:
    result = adopt({**VARIABLES, "SMTP_SERVER": "email-smtp.amazonaws.com"}, mail_variables=("SMTP_HOST", *VARIABLES))
    told = [one for one in result["findings"] if one["severity"] == "warning"]
    assert [one["code"] for one in told] == ["variable-unread", "adopt-would-stop"]
    assert "[host-unknown]" in told[1]["message"] and "SMTP_HOST" in result["summary"][1]


def test_an_answer_without_the_names_is_discarded(adopt: Adopt) -> None:
    answer = {"findings": [], "release": "4.5.3", "local_domain": "", "stale": [], "sealed": "x"}
    assert "not a valid result" in adopt(answer=answer)["msg"]


def test_a_failure_on_the_host_is_told_as_it_is(adopt: Adopt, tmp_path: pathlib.Path) -> None:
    result = adopt(answer={"failed": True, "msg": "No Mastodon was found here.", "findings": []})
    assert result["failed"] and result["msg"] == "No Mastodon was found here." and not (tmp_path / "host_vars").exists()


@pytest.mark.parametrize(
    "name", ["../../../x", "a/b", ".", "..", "", " ", ".git", "a\nb", "a\x1b[31m", "a\u202eb", "x" * 300]
)
@pytest.mark.parametrize("dest", [None, "elsewhere"])
def test_a_host_whose_name_is_no_file_name_is_refused(
    adopt: Adopt, tmp_path: pathlib.Path, name: str, dest: str | None
) -> None:
    variables = {"inventory_hostname": name, "inventory_dir": str(tmp_path / "inventory")}
    result = adopt(task_vars=variables, dest=dest and str(tmp_path / dest))
    assert result["failed"] and codes(result) == ["adopt-host-name"] and list(tmp_path.iterdir()) == []
    assert result["msg"].isprintable()


def test_without_a_folder_of_the_operators_it_is_the_hosts_own_beneath_the_inventory(
    adopt: Adopt, tmp_path: pathlib.Path
) -> None:
    result = adopt(task_vars={"inventory_dir": str(tmp_path)}, dest=None)
    assert result["written"] == [str(tmp_path / "host_vars" / "social" / "mastodon_smtp.yml")]
    nowhere = adopt(task_vars={"inventory_dir": None}, dest=None)
    assert nowhere["failed"] and codes(nowhere) == ["adopt-no-folder"]


@pytest.mark.parametrize("fact", ["mastodon_smtp_adopt_dir", "inventory_dir", "inventory_hostname"])
def test_a_host_does_not_say_where_to_write(adopt: Adopt, tmp_path: pathlib.Path, fact: str) -> None:
    result = adopt(task_vars={"ansible_facts": {fact: "/elsewhere"}, "inventory_dir": str(tmp_path)}, dest=None)
    assert result["failed"] and codes(result) == ["setting-from-facts"] and fact in result["msg"]
    assert list(tmp_path.iterdir()) == []


OLD = """---
mastodon_smtp_host: old.example
mastodon_smtp_password: an old password
mastodon_smtp_bulk_password: |
  on lines

  of its own
mastodon_smtp_bulk:
  host: bulk.example
  password: inner password
mastodon_smtp_login: "{{ vault_mastodon_smtp_login }}"
my_api_token: 'a token'
mastodon_smtp_password_of_old: "{{ vault_x }}"
"""
SECRETS_OF_OLD = ("an old password", "on lines", "of its own", "inner password", "a token")


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("check", [False, True])
def test_a_diff_shows_no_secret_of_the_file_that_was_there(
    adopt: Adopt, tmp_path: pathlib.Path, encrypted: bool, check: bool
) -> None:
    path = tmp_path / "host_vars" / "social" / "mastodon_smtp.yml"
    path.parent.mkdir(parents=True)
    vault = VaultLib([("default", VaultSecret(b"vault-password"))])
    path.write_bytes(vault.encrypt(OLD) if encrypted else OLD.encode())
    (shown,) = adopt(overwrite=True, check=check)["diff"]
    assert [one for one in SECRETS_OF_OLD if one in str(shown)] == []
    if encrypted:
        assert shown["before"] == "(encrypted)\n"
    else:
        kept = ("host: old.example", "host: bulk.example", "{{ vault_mastodon_smtp_login }}", "{{ vault_x }}")
        assert [one for one in kept if one not in shown["before"]] == []
        assert "mastodon_smtp_password: (hidden)\n" in shown["before"]


ODD = [
    "a\x85b",
    "a\u2028b\u2029",
    "\ufeffa",
    "a\u202eb\u2066",
    "a\u200bb",
    "a\x1b[2Jb\x07",
    "##[x]::y::z",
    "a\tb\nc",
    "é😀'\"\\\\x1b",
]


@pytest.mark.parametrize("login", [*ODD, "{{ x }}\x85", "{% raw %}\u2028"])
def test_a_value_is_read_again_as_it_was(adopt: Adopt, tmp_path: pathlib.Path, login: str) -> None:
    """It was changed: PyYAML writes the line breaks of Unicode as they are, and folds them when it reads."""
    assert not adopt({**VARIABLES, "SMTP_LOGIN": login}).get("failed")
    path = tmp_path / "host_vars" / "social" / "mastodon_smtp.yml"
    assert DataLoader().load_from_file(str(path))["mastodon_smtp_login"] == login
    text = path.read_text(encoding="utf-8")
    assert all(shown(line) == line for line in text.split("\n"))


def test_the_diff_shows_what_is_there_and_nothing_is_obeyed(adopt: Adopt, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "host_vars" / "social"
    folder.mkdir(parents=True)
    (folder / "mastodon_smtp.yml").write_text("a: 1\n ::stop-commands::t\n# \x1b[2J\n")
    (diff,) = adopt(overwrite=True)["diff"]
    assert diff["before"] == "a: 1\n \\x3a:stop-commands::t\n# \\x1b[2J\n"


LIES: list[dict[str, t.Any]] = [
    {"sealed": "x"},
    {"sealed": 7, "findings": [], "release": "4.5.3", "local_domain": "a", "stale": []},
    {"sealed": "AAAA", "findings": [], "release": [], "local_domain": {}, "stale": 7},
    {"sealed": ["x"]},
]


@pytest.mark.parametrize("answer", LIES)
def test_an_answer_that_is_none_of_ours_is_named(
    adopt: Adopt, tmp_path: pathlib.Path, answer: dict[str, t.Any]
) -> None:
    result = adopt(answer=dict(answer))
    assert result["failed"] and "was discarded" in result["msg"] and files(tmp_path) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"release": None},
        {"local_domain": ["a"]},
        {"stale": "x"},
        {"stale": [1]},
        {"stale": None},
        {"findings": 7},
        {"mail_variables": [1]},
    ],
)
def test_a_sealed_answer_with_other_lies_is_named(
    adopt: Adopt, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, t.Any]
) -> None:
    key = "k" * 64
    monkeypatch.setattr("ansible_collections.fediops.mastodon.plugins.action.smtp_adopt.new_key", lambda: key)
    known = {"findings": [], "release": "4.5.3", "local_domain": "example.org", "stale": [], "mail_variables": []}
    result = adopt(answer={**known, **changes, "sealed": seal(VARIABLES, key)})
    if changes != {"stale": "x"}:  # a text is a list of texts
        assert result["failed"] and "was discarded" in result["msg"] and files(tmp_path) == {}
