# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables: defaults, argument specs, README and tasks say the same."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.plugin_utils._names import unknown

ROLE = Path(__file__).resolve().parents[3] / "roles" / "mastodon_smtp"


def load(name: str) -> t.Any:
    return yaml.safe_load((ROLE / name).read_text())


SPECS = load("meta/argument_specs.yml")["argument_specs"]
OPTIONS = SPECS["main"]["options"]


def test_defaults_and_argument_specs_agree() -> None:
    specified = {name: option["default"] for name, option in OPTIONS.items() if "default" in option}
    assert load("defaults/main.yml") == specified


@pytest.mark.parametrize("entry_point", sorted(set(SPECS) - {"main"}))
def test_every_entry_point_takes_the_same_variables(entry_point: str) -> None:
    assert SPECS[entry_point]["options"] == OPTIONS


def test_every_option_is_described() -> None:
    assert [name for name, option in OPTIONS.items() if not option.get("description")] == []


def test_secrets_have_no_choices_so_that_a_refusal_cannot_print_them() -> None:
    for name in ("mastodon_smtp_password", "mastodon_smtp_bulk_password", "mastodon_smtp_login"):
        assert OPTIONS[name]["type"] == "str" and "choices" not in OPTIONS[name]


def test_the_readme_lists_exactly_the_options() -> None:
    rows = re.findall(r"^\| `(mastodon_smtp_\w+)`", (ROLE / "README.md").read_text(), re.M)
    assert sorted(rows) == sorted(OPTIONS) and len(rows) == len(set(rows))


@pytest.mark.parametrize(("kind", "cast"), [("bool", "bool"), ("int", "int")])
def test_what_key_value_gives_as_a_text_is_converted_wherever_it_is_reckoned_with(kind: str, cast: str) -> None:
    """-e mastodon_smtp_undo=false is the text "false". A module converts its own options, a condition does not."""
    names = [name for name, option in OPTIONS.items() if option["type"] == kind]
    text = "".join(path.read_text() for folder in ("tasks", "vars") for path in (ROLE / folder).glob("*.yml"))
    handed_on = r"\{\{ \w+(?: \| default\(omit\))? \}\}"
    expressions = re.sub(rf"#.*|'[^'\n]*'|{handed_on}", "", text)
    uses = re.findall(rf"(?<!_)\b({'|'.join(names)})\b(.{{0,10}})", expressions)
    assert [name + rest for name, rest in uses if not rest.startswith(f" | {cast}")] == []
    assert uses, "nothing was looked at"


def test_tasks_use_every_option_and_none_that_is_not_specified() -> None:
    text = "".join(path.read_text() for folder in ("tasks", "vars") for path in (ROLE / folder).glob("*.yml"))
    used = set(re.findall(r"(?<!_)\bmastodon_smtp_\w+", text)) - {
        "mastodon_smtp_result",  # the facts that the role leaves
        "mastodon_smtp_drift",
        *(f"mastodon_smtp_{tag}" for tag in ("preflight", "apply", "edit", "check", "restart", "queue")),
    }
    assert used == set(OPTIONS)


def test_every_variable_of_the_written_pages_and_playbooks_is_known() -> None:
    """A name that smtp_settings would call a stranger must not be in what an operator copies."""
    root = ROLE.parents[1]
    pages = [
        root / "README.md",
        root / "CONTRIBUTING.md",
        ROLE / "README.md",
        *(root / "docs").glob("*.md"),
        *(root / "docs/ci").iterdir(),
        *(root / "playbooks").rglob("*.yml"),
    ]
    used = {
        name for page in pages for name in re.findall(r"(?<!\w)mastodon_smtp_[a-z_]*[a-z]\b(?!\.yml)", page.read_text())
    }
    tags = {f"mastodon_smtp_{tag}" for tag in ("preflight", "apply", "edit", "check", "restart", "queue")}
    assert [one.subject for one in unknown(used - tags)] == [] and "mastodon_smtp_batches" in used


def test_an_account_without_powers_is_advised_wherever_one_is_asked_for() -> None:
    """Mastodon logs the link of a reset, and it works for six hours (config/initializers/devise.rb)."""
    root = ROLE.parents[1]
    described = " ".join(OPTIONS["mastodon_smtp_test_account"]["description"])
    module = (root / "plugins/modules/queued_mail_check.py").read_text()
    for text in (described, module, (root / "README.md").read_text(), (ROLE / "README.md").read_text()):
        assert "account without any powers" in " ".join(text.split())


def test_nobody_is_told_that_an_account_must_be_confirmed() -> None:
    """Mastodon mails a reset to those who are not (User#active_for_authentication? is false for a memorial alone)."""
    root = ROLE.parents[1]
    told = [*(root / "plugins").rglob("*.py"), *ROLE.rglob("*.yml"), *ROLE.glob("*.md"), root / "README.md"]
    told += [root / "docs/faults.md", root / "docs/findings.md", root / "tests/integration/rollout/faults.yml"]
    assert len(told) > 100
    assert [path for path in told if re.search(r"\b(?:not|be) confirmed\b", path.read_text())] == []


@pytest.mark.parametrize(
    ("dry", "restored", "restart", "told"),
    [
        (True, {"changed": True}, {"changed": True}, "This was a dry run: nothing has been changed."),
        (False, {"changed": True}, {"changed": False}, "The file was put back and stays so."),
        (False, {"changed": False}, {"changed": True}, "The file was as before already. Services were restarted;"),
        (False, {"changed": False}, {"changed": False}, "Nothing has been changed."),
        (False, {"skipped": True}, {"skipped": True}, "Nothing has been changed."),
        (False, None, None, "Nothing has been changed."),
    ],
)
def test_a_roll_back_that_failed_says_what_it_has_changed(
    dry: bool, restored: dict[str, bool] | None, restart: dict[str, bool] | None, told: str
) -> None:
    seen = {"__mastodon_smtp_restored": restored, "__mastodon_smtp_restart": restart}
    text = load("vars/main.yml")["__mastodon_smtp_not_rolled_back"]["undone"]
    given = {name: value for name, value in seen.items() if value is not None}
    made = jinja2.Template(text).render(ansible_check_mode=dry, __mastodon_smtp_instance={"instance": {}}, **given)
    assert made.startswith(told)


def calls(module: str = "") -> list[tuple[str, dict[str, t.Any]]]:
    """Every use of one of the collection's modules, or of one of them: (file and name of the task, its options)."""
    found = []

    def walk(where: str, tasks: list[dict[str, t.Any]]) -> None:
        for task in tasks:
            for key, given in task.items():
                if key in ("block", "rescue", "always"):
                    walk(where, given)
                elif key.startswith(f"fediops.mastodon.{module}"):
                    found.append((f"{where}: {task['name']}", given or {}))

    for path in (ROLE / "tasks").glob("*.yml"):
        walk(path.name, yaml.safe_load(path.read_text()))
    return found


def test_every_step_is_told_the_same_instance() -> None:
    """A hint that one step does not get would have it look at another instance of the host."""
    hints = {"deployment", "app_dir", "user", "env_file", "services", "project"}
    told = {name: hints & set(given) for name, given in calls()}
    assert len(told) > 12
    assert {name: sorted(hints - given) for name, given in told.items() if given and given != hints} == {}


def test_the_file_is_written_for_the_readers_that_were_found() -> None:
    readers = {name: given["readers"] for name, given in calls() if "readers" in given}
    assert len(readers) >= 5
    found = "{{ mastodon_smtp_readers | default(__mastodon_smtp_instance.instance.readers) }}"
    assert {name: text for name, text in readers.items() if text != found} == {}


def test_playbooks_leave_the_look_at_the_types_to_the_role() -> None:
    """Ansible's own shows the whole specification. Without it, every entry that a playbook begins with has to look."""
    for playbook in (ROLE.parents[1] / "playbooks").glob("*.yml"):
        tasks = [one for play in yaml.safe_load(playbook.read_text()) for one in play.get("tasks", ())]
        for role in [one["ansible.builtin.import_role"] for one in tasks if "ansible.builtin.import_role" in one]:
            assert role["rolespec_validate"] is False, playbook
    for entry in ("look", "adopt", "rollback"):
        assert load(f"tasks/{entry}.yml")[0]["ansible.builtin.import_tasks"] == "types.yml"
