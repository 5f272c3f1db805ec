# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup dotenv, with its options as Ansible takes them from its documentation."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.fediops.mastodon.plugins.lookup import dotenv
from ansible_collections.fediops.mastodon.plugins.lookup.dotenv import DOCUMENTATION, LookupModule

NAME = "fediops.mastodon.dotenv"
constants.config.initialize_plugin_configuration_definitions("lookup", NAME, yaml.safe_load(DOCUMENTATION)["options"])

Lookup = t.Callable[..., t.Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "relay.env"
    made.write_text("# relay\nPASSWORD='p$a${b}s #1'\nexport LOGIN=me@example.org\nEMPTY=\nBARE\nPASSWORD2=\"x\\ny\"\n")
    made.chmod(0o600)
    return made


@pytest.fixture
def lookup() -> Lookup:
    def one(*names: str, loader: DataLoader | None = None, **options: t.Any) -> t.Any:
        plugin = LookupModule(loader=loader or DataLoader())
        plugin._load_name = NAME
        return plugin.run(list(names), {}, **options)

    return one


def test_values_come_as_they_are_in_the_order_asked_for(lookup: Lookup, file: Path) -> None:
    assert lookup("LOGIN", "PASSWORD", "EMPTY", file=str(file)) == ["me@example.org", "p$a${b}s #1", ""]
    assert lookup("PASSWORD2", file=str(file)) == ["x\ny"]


def test_interpolation_only_when_asked_for(lookup: Lookup, tmp_path: Path) -> None:
    path = tmp_path / "x.env"
    path.write_text("A=1\nB=${A}2\n")
    assert lookup("B", file=str(path)) == ["${A}2"]
    assert lookup("B", file=str(path), interpolate=True) == ["12"]


@pytest.mark.parametrize(("name", "why"), [("NOT_THERE", "is not there"), ("BARE", "has no value there")])
def test_what_is_missing_is_an_error_unless_there_is_a_default(lookup: Lookup, file: Path, name: str, why: str) -> None:
    with pytest.raises(AnsibleLookupError, match=f"relay.env: {name} {why}") as caught:
        lookup(name, file=str(file))
    assert "p$a" not in str(caught.value)
    assert lookup(name, file=str(file), default="d") == ["d"] and lookup(name, file=str(file), default=None) == [None]


def test_a_line_that_cannot_be_understood_is_named_by_its_number_alone(lookup: Lookup, tmp_path: Path) -> None:
    path = tmp_path / "x.env"
    path.write_text("A=1\nPASSWORD='s3cret\n")
    with pytest.raises(AnsibleLookupError, match="line 2: this is not NAME=value") as caught:
        lookup("A", file=str(path))
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_not_there(lookup: Lookup, tmp_path: Path) -> None:
    with pytest.raises(AnsibleLookupError, match=r"The file .*nowhere\.env does not exist here\. Set its path"):
        lookup("A", file=str(tmp_path / "nowhere.env"))


def test_the_file_may_be_named_by_the_environment(lookup: Lookup, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTODON_DOTENV_FILE", str(file))
    assert lookup("LOGIN") == ["me@example.org"]


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read_is_warned_of(
    lookup: Lookup, file: Path, capsys: pytest.CaptureFixture[str], mode: int, warned: bool
) -> None:
    renamed = file.rename(file.with_name(f"mode-{mode:o}.env"))
    renamed.chmod(mode)
    lookup("LOGIN", file=str(renamed))
    assert ("can be read by others" in capsys.readouterr().err) is warned


def test_a_file_in_a_vault(lookup: Lookup, file: Path) -> None:
    secrets = [("default", VaultSecret(b"vault password"))]
    file.write_bytes(VaultLib(secrets).encrypt(file.read_bytes()))
    loader = DataLoader()
    loader.set_vault_secrets(secrets)
    assert lookup("LOGIN", loader=loader, file=str(file)) == ["me@example.org"]


def test_without_python_dotenv_it_says_where_to_install_what(
    lookup: Lookup, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dotenv, "HAS_DOTENV", False)
    with pytest.raises(AnsibleLookupError) as caught:
        lookup("LOGIN", file=str(file))
    assert f"({sys.executable}, on this machine) lacks. Run: {sys.executable} -m pip install" in str(caught.value)
