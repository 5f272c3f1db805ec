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
    "SECURITY.md",
    "examples/README.md",
    "roles/mastodon_smtp/README.md",
    *(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md")),
]
#: Galaxy and Automation Hub show the README alone, so its links are absolute.
REPOSITORY = "https://github.com/fediops/ansible-collection-mastodon"
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
        ours = re.match(rf"{REPOSITORY}/(?:blob|tree)/main/(.+)", target)
        if "://" in target and not ours:
            continue
        path, _hash, anchor = (ours.group(1) if ours else target).partition("#")
        file = (CHECKOUT if ours else (CHECKOUT / page).parent) / path if path else CHECKOUT / page
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


def test_the_readme_is_short_and_its_links_are_absolute() -> None:
    assert len(read("README.md").splitlines()) <= 150
    assert [link for link in re.findall(r"\]\(([^)\s]+)\)", read("README.md")) if "://" not in link] == []


@pytest.mark.parametrize("file", ["inventory/hosts.yml", "ansible.cfg"])
def test_the_files_of_the_readme_are_those_of_the_example(file: str) -> None:
    shown = [block for kind in ("yaml", "ini") for block in blocks("README.md", kind)]
    text = (CHECKOUT / "examples" / "one-server" / file).read_text(encoding="utf-8")
    assert f"# {file}\n{text.removeprefix('---' + chr(10))}" in shown


def test_the_versions_that_are_required_are_those_of_the_collection_and_told_once() -> None:
    core = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
    least = re.fullmatch(r">=(\d+\.\d+)\.0", core)
    assert least and read("README.md").count(least.group(1)) == 1
    assert f"ansible-core {least.group(1)} or newer" in read("README.md")
    version = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    assert re.findall(r"fediops-mastodon-([\d.]+)\.tar", read("README.md")) == [version]


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
    assert len(found) >= 5
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


# The lab's inventory has no vault, and the ansible.cfg of the README has Ansible ask.
@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("docs/lab.md", "README.md")])
def test_commands_take_the_password_of_the_vault(page: str) -> None:
    fenced = re.findall(r"^```\w*\n(.*?)^```$", read(page), re.DOTALL | re.MULTILINE)
    for line in [line for block in fenced for line in block.splitlines()]:
        if re.match(r"(\$ )?ansible-playbook ", line):
            assert "--ask-vault-pass" in line or "--vault-id" in line, line


def test_the_reference_names_everything_that_can_be_called() -> None:
    table = read("docs/reference.md").partition("## What is in it")[2].partition("\n## ")[0]
    called = {
        path.stem
        for folder in ("modules", "lookup", "callback")
        for path in (CHECKOUT / "plugins" / folder).glob("*.py")
    }
    called |= {path.stem for path in (CHECKOUT / "playbooks").glob("*.yml")}
    assert called - set(re.findall(r"`(\w+)` \|", table)) == set()
