# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for people: what they tell to type, to write and to read is there."""

from __future__ import annotations

import re
import shlex
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import presets

CHECKOUT = Path(__file__).resolve().parents[3]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "roles/mastodon_smtp/README.md",
    *(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md")),
]
SPECS = yaml.safe_load((CHECKOUT / "roles/mastodon_smtp/meta/argument_specs.yml").read_text(encoding="utf-8"))
OPTIONS = SPECS["argument_specs"]["main"]["options"]


def read(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8")


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", read(page), re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[list[str]]:
    """The commands that a reader is told to type, in words."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in found}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if "://" in target:
            continue
        path, _hash, anchor = target.partition("#")
        file = (CHECKOUT / page).parent / path if path else CHECKOUT / page
        assert file.exists(), target
        assert not anchor or anchor in headings(file), target


@pytest.mark.parametrize("page", ["README.md", "docs/lab.md", "docs/ci.md"])
def test_playbooks_and_scripts_in_commands_exist(page: str) -> None:
    typed = commands(page)
    assert typed
    for words in typed:
        if words[0] == "ansible-playbook":
            namespace, _dot, name = words[1].rpartition(".")
            assert namespace == "fediops.mastodon" and (CHECKOUT / "playbooks" / f"{name}.yml").exists(), words
        elif words[0].startswith("script/"):
            assert (CHECKOUT / words[0]).exists(), words
        # an inventory with a vault in it wants the password whatever the playbook
        if words[0] == "ansible-playbook" and page == "README.md":
            assert "--ask-vault-pass" in words, words


def variables(node: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    """All variables of an inventory, however deep."""
    for name, value in node.items() if isinstance(node, dict) else ():
        if name.startswith("mastodon_smtp_"):
            yield name, value
        else:
            yield from variables(value)


def test_the_inventories_of_the_readme_are_ones_with_known_variables_and_types() -> None:
    types = {"str": str, "int": int, "bool": bool, "path": str, "list": list, "dict": dict}
    found = [pair for block in blocks("README.md", "yaml") for pair in variables(yaml.safe_load(block))]
    assert len(found) > 8
    for name, value in found:
        option = OPTIONS[name]
        assert isinstance(value, types[option["type"]]) and value in option.get("choices", [value]), name
        if name == "mastodon_smtp_provider":
            assert value in presets()


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_files_and_folders_that_are_named_exist(page: str) -> None:
    tops = "|".join(path.name for path in CHECKOUT.iterdir() if path.is_dir() and path.name[0] != ".")
    named = set(re.findall(rf"`((?:{tops})/[\w./-]*)`", read(page)))
    assert len(named) > 5
    assert {one for one in named if not (CHECKOUT / one).exists()} == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/lab.md"])  # the lab's inventory has no vault
def test_commands_take_the_password_of_the_vault(page: str) -> None:
    fenced = re.findall(r"^```\w*\n(.*?)^```$", read(page), re.DOTALL | re.MULTILINE)
    for line in [line for block in fenced for line in block.splitlines()]:
        if re.match(r"(\$ )?ansible-playbook ", line):
            assert "--ask-vault-pass" in line or "--vault-id" in line, line


def test_the_readme_names_everything_that_can_be_called() -> None:
    table = read("README.md").partition("## What is in it")[2].partition("\n## ")[0]
    called = {
        path.stem
        for folder in ("modules", "lookup", "callback")
        for path in (CHECKOUT / "plugins" / folder).glob("*.py")
    }
    called |= {path.stem for path in (CHECKOUT / "playbooks").glob("*.yml")}
    assert called - set(re.findall(r"`(\w+)` \|", table)) == set()
