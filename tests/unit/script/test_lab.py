# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What script/lab says when it is not understood; no lab is needed for that."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lab"))

from control import fleet, inventory

CHECKOUT = Path(__file__).resolve().parents[3]


def lab(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [str(CHECKOUT / "script" / "lab"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("stat", "error: unknown command 'stat'; did you mean status?\n"),
        ("log", "error: unknown command 'log'; did you mean logs?\n"),
        ("frobnicate", "error: unknown command 'frobnicate'; there are up, down, "),
    ],
)
def test_an_unknown_command_is_named_with_the_nearest_one(command: str, said: str) -> None:
    status, output, errors = lab(command)
    assert (status, output) == (2, "") and errors.startswith(said) and errors.count("\n") == 1


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_is_no_error(word: str) -> None:
    status, output, errors = lab(word)
    assert (status, errors) == (0, "") and "usage: script/lab COMMAND" in output


def test_without_a_command_the_help_is_an_error() -> None:
    status, output, errors = lab()
    assert (status, output) == (2, "") and "usage: script/lab COMMAND" in errors


@pytest.mark.parametrize("machine", fleet.MACHINES, ids=lambda machine: machine.name)
def test_every_machine_and_its_group_are_in_the_help_and_on_the_page(machine: fleet.Machine) -> None:
    page = (CHECKOUT / "docs" / "lab.md").read_text(encoding="utf-8")
    said = lab("help")[1]
    assert machine.name in said and machine.name in page
    if machine.kind != "relay":
        assert machine.group in said and f"`{machine.group}`" in page


def test_the_fleet_is_every_instance_but_the_spare_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, object] = {}
    monkeypatch.setattr(inventory, "_yaml", written.__setitem__)
    monkeypatch.setattr(inventory, "_vault", lambda *_unused: None)
    for name in ("KNOWN_HOSTS", "MAILBOXES"):
        monkeypatch.setattr(inventory, name, tmp_path / name)
    names = [machine.name for machine in fleet.MACHINES]
    secrets = inventory.seed.Secrets(dict.fromkeys(names, "x"), {}, "x", {})
    inventory.write(dict.fromkeys(names, "192.0.2.1"), dict.fromkeys(names, "key"), secrets)
    groups = written["hosts.yml"]["all"]["children"]  # type: ignore[index]
    members = {group: list(content["hosts"]) for group, content in groups["fleet"]["children"].items()}
    assert members == {
        "mastodon": ["masto1", "masto2"],
        "mastodon_compose": ["masto3"],
        "mastodon_newest": ["masto5"],
    }
    assert list(groups["mastodon_spare"]["hosts"]) == ["masto4"]
    # Each group has the settings of the fleet.
    assert {name for name in written if name.startswith("group_vars/")} == {
        f"group_vars/{group}.yml" for group in (*members, "mastodon_spare")
    }


def test_the_vaults_are_written_whatever_ansible_s_variables_of_the_caller_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As molecule sets them: two passwords at once are one too many for ansible-vault."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    (tmp_path / "other").write_text("another password\n")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(tmp_path / "other"))
    monkeypatch.setattr(inventory, "FOLDER", tmp_path / "inventory")
    monkeypatch.setattr(fleet, "HOME", tmp_path)
    for name in ("SECRETS", "VAULT_PASSWORD"):
        (tmp_path / name).write_text("of the lab\n")
        monkeypatch.setattr(inventory.seed, name, tmp_path / name)
    real = inventory.capture

    def capture(*command: str, **options: t.Any) -> str:
        return sys.prefix if command[0].endswith("script/bootstrap") else real(*command, **options)

    monkeypatch.setattr(inventory, "capture", capture)
    inventory._vault("vault.yml", {"secret": "word"})
    done = subprocess.run(
        [f"{sys.prefix}/bin/ansible-vault", "decrypt", "--output=-", str(tmp_path / "inventory/vault.yml")],
        env={**os.environ, "ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "VAULT_PASSWORD")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert '"secret": "word"' in done.stdout
