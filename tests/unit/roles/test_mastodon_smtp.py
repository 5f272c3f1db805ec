# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables: defaults, argument specs, README and tasks say the same."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.fediops.mastodon.plugins.module_utils._edge import INSTANCE_ARGUMENTS
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import (
    CREDENTIAL,
    CREDENTIALS,
    PASSWORDS,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.variables import VARIABLES
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import SECRET_NAME
from ansible_collections.fediops.mastodon.plugins.modules import smtp_settings
from ansible_collections.fediops.mastodon.plugins.plugin_utils._names import OF_PLAYBOOKS, unknown

ROLE = Path(__file__).resolve().parents[3] / "roles" / "mastodon_smtp"


def load(name: str) -> t.Any:
    return yaml.safe_load((ROLE / name).read_text())


SPECS = load("meta/argument_specs.yml")["argument_specs"]
OPTIONS = SPECS["main"]["options"]


def test_defaults_and_argument_specs_agree() -> None:
    specified = {name: option["default"] for name, option in OPTIONS.items() if "default" in option}
    assert load("defaults/main.yml") == specified


@pytest.mark.parametrize("entry_point", sorted(set(SPECS) - {"main"}))
def test_an_entry_point_takes_the_variables_as_the_role_does(entry_point: str) -> None:
    taken = SPECS[entry_point]["options"]
    assert taken == {name: OPTIONS[name] for name in taken}


@pytest.mark.parametrize("entry_point", ["adopt", "rollback"])
def test_an_entry_point_that_is_no_part_of_a_rollout_shows_only_what_it_uses(entry_point: str) -> None:
    hints = {f"mastodon_smtp_{name}" for name in load("vars/main.yml")["__mastodon_smtp_hints"]}
    text = (ROLE / "tasks" / f"{entry_point}.yml").read_text()
    used = (set(re.findall(r"(?<!_)\bmastodon_smtp_\w+", text)) & set(OPTIONS)) | hints | {"mastodon_smtp_accept"}
    if entry_point == "rollback":  # an edit of a run that died may still be at work (Known.longest_step)
        used |= {"mastodon_smtp_rails_timeout", "mastodon_smtp_queue_deadline"}
    assert set(SPECS[entry_point]["options"]) == used


def test_the_keys_of_the_second_relay_are_told() -> None:
    module = yaml.safe_load(smtp_settings.DOCUMENTATION)["options"]["bulk"]["suboptions"]
    told = re.findall(r"C\((\w+)\)", " ".join(OPTIONS["mastodon_smtp_bulk"]["description"]))
    assert sorted(told) == sorted(module)


def test_every_option_is_described() -> None:
    assert [name for name, option in OPTIONS.items() if not option.get("description")] == []


def test_secrets_have_no_choices_so_that_a_refusal_cannot_print_them() -> None:
    for name in ("mastodon_smtp_password", "mastodon_smtp_bulk_password", "mastodon_smtp_login"):
        assert OPTIONS[name]["type"] == "str" and "choices" not in OPTIONS[name]


def test_the_readme_lists_exactly_the_options() -> None:
    rows = re.findall(r"^\| `(mastodon_smtp_\w+)`", (ROLE / "README.md").read_text(), re.M)
    assert sorted(rows) == sorted(OPTIONS) and len(rows) == len(set(rows))


def test_no_task_reckons_with_a_variable() -> None:
    """-e mastodon_smtp_undo=false is the text "false". The steps convert what they are given, a condition does not."""
    text = "".join(path.read_text() for folder in ("tasks", "vars") for path in (ROLE / folder).glob("*.yml"))
    handed_on = r"\{\{ \w+(?: \| default\(omit\))? \}\}"
    uses = re.findall(r"(?<!_)\b(mastodon_smtp_\w+)\b(.{0,12})", re.sub(rf"#.*|'[^'\n]*'|{handed_on}", "", text))
    switches = [name + rest for name, rest in uses if OPTIONS.get(name, {}).get("type") in ("bool", "int")]
    assert switches and all(one.partition(" ")[2].startswith("| bool") for one in switches), switches


#: What the steps themselves decide by: smtp_variables has checked it, and leaves it in the record of the run.
DECIDED_BY = {"mastodon_smtp_check_envelope", "mastodon_smtp_check_send", "mastodon_smtp_fail_on", "mastodon_smtp_send"}
DECIDED_BY |= {"mastodon_smtp_undo", "mastodon_smtp_unproved", "mastodon_smtp_dns_fail_on"}


def test_tasks_use_every_option_and_none_that_is_not_specified() -> None:
    text = "".join(path.read_text() for folder in ("tasks", "vars") for path in (ROLE / folder).glob("*.yml"))
    used = set(re.findall(r"(?<!_)\bmastodon_smtp_\w+", re.sub(r"#.*", "", text))) - {
        "mastodon_smtp_result",  # the facts that the role leaves
        "mastodon_smtp_drift",
        *(f"mastodon_smtp_{tag}" for tag in ("preflight", "apply", "edit", "check", "restart", "queue")),
    }
    assert used | DECIDED_BY == set(OPTIONS) and not used & DECIDED_BY
    plugins = ROLE.parents[1] / "plugins"
    deciding = [
        plugins / "plugin_utils/_known.py",
        plugins / "plugin_utils/_conclusion.py",
        *plugins.glob("action/*.py"),
    ]
    asked = set(re.findall(r'setting\("(\w+)"\)', "".join(path.read_text() for path in deciding)))
    assert {f"mastodon_smtp_{name}" for name in asked} >= DECIDED_BY
    assert {f"mastodon_smtp_{name}" for name in asked - set(OF_PLAYBOOKS)} <= set(OPTIONS)


def test_every_variable_of_the_written_pages_and_playbooks_is_known() -> None:
    """A name that smtp_settings would call a stranger must not be in what an operator copies."""
    root = ROLE.parents[1]
    pages = [
        root / "README.md",
        root / "CONTRIBUTING.md",
        ROLE / "README.md",
        *(root / "docs").glob("*.md"),
        *(root / "examples/ci").iterdir(),
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
        assert "unprivileged account" in " ".join(text.split())


def test_nobody_is_told_that_an_account_must_be_confirmed() -> None:
    """Mastodon mails a reset to those who are not (User#active_for_authentication? is false for a memorial alone)."""
    root = ROLE.parents[1]
    told = [*(root / "plugins").rglob("*.py"), *ROLE.rglob("*.yml"), *ROLE.glob("*.md"), root / "README.md"]
    told += [root / "docs/faults.md", root / "docs/findings.md", root / "tests/integration/rollout/faults.yml"]
    assert len(told) > 100
    assert [path for path in told if re.search(r"\b(?:not|be) confirmed\b", path.read_text())] == []


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


def blocks() -> list[tuple[str, dict[str, t.Any]]]:
    """Every block that has options for all of its steps: (its file, those options)."""
    found = [(path.name, one) for path in (ROLE / "tasks").glob("*.yml") for one in yaml.safe_load(path.read_text())]
    return [(name, one["module_defaults"]) for name, one in found if "module_defaults" in one]


def test_the_options_of_all_steps_are_said_once_for_each_part() -> None:
    """A hint that one step does not get would have it look at another instance of the host."""
    hints = {"deployment", "app_dir", "user", "env_file", "services", "project"}
    assert set(load("vars/main.yml")["__mastodon_smtp_hints"]) == hints == set(INSTANCE_ARGUMENTS) - {"chain", "handed"}
    assert {name: sorted(hints & set(given)) for name, given in calls() if hints & set(given)} == {}
    parts = {name: given["group/fediops.mastodon.chain"]["chain"] for name, given in blocks()}
    assert parts == {
        "adopt.yml": "adopt",
        "apply.yml": "rollout",
        "check.yml": "check",
        "preflight.yml": "preflight",
        "rollback.yml": "rollback",
        "undo.yml": "undo",  # included in a block of apply.yml, which has the hints
        "waiting.yml": "waiting",
    }
    told = {name for name, given in blocks() if given.get("group/fediops.mastodon.instance") == HINTS}
    assert told == set(parts) - {"undo.yml"}


HINTS = "{{ __mastodon_smtp_hints }}"


def test_the_map_of_secrets_has_every_variable_that_holds_a_credential() -> None:
    assert set(load("vars/main.yml")["__mastodon_smtp_secrets"]) == set(CREDENTIALS)


def test_of_the_variables_the_passwords_alone_are_called_like_secrets() -> None:
    """The diff of smtp_adopt tells them by their names."""
    named = {name for name in OPTIONS if SECRET_NAME.search(name) and "_adopt_" not in name}
    assert named == {f"mastodon_smtp_{name}" for name in PASSWORDS}
    for name in VARIABLES:
        assert bool(SECRET_NAME.search(name)) is name.endswith(CREDENTIAL["password"])


def test_the_action_groups_have_every_module_that_takes_their_options() -> None:
    root = ROLE.parents[1]
    groups = yaml.safe_load((root / "meta/runtime.yml").read_text())["action_groups"]
    pages = {path.stem: path.read_text() for path in (root / "plugins/modules").glob("*.py")}
    for group in ("instance", "chain"):
        taking = sorted(name for name, text in pages.items() if f"\n  - fediops.mastodon.{group}\n" in text)
        assert groups[group] == [f"fediops.mastodon.{name}" for name in taking]
    assert len(groups["chain"]) == len(pages)


def test_the_chain_is_plain_ansible() -> None:
    """No failure is suppressed, and nothing is computed but what is handed on."""
    text = "".join(path.read_text() for folder in ("tasks", "vars") for path in (ROLE / folder).glob("*.yml"))
    assert not re.search(r"failed_when|ignore_errors|set_fact", text)
    assert len(text.splitlines()) < 420


def test_the_file_is_written_for_the_readers_that_were_found() -> None:
    readers = {name: given["readers"] for name, given in calls() if "readers" in given}
    assert len(readers) >= 5 and set(readers.values()) == {"{{ mastodon_smtp_readers | default(omit) }}"}


def test_playbooks_leave_the_look_at_the_types_to_the_role() -> None:
    """Ansible's own shows the whole specification. Without it, every entry that a playbook begins with has to look."""
    for playbook in (ROLE.parents[1] / "playbooks").glob("*.yml"):
        tasks = [one for play in yaml.safe_load(playbook.read_text()) for one in play.get("tasks", ())]
        for role in [one["ansible.builtin.import_role"] for one in tasks if "ansible.builtin.import_role" in one]:
            assert role["rolespec_validate"] is False, playbook
    for entry in ("look", "adopt", "rollback"):
        first = load(f"tasks/{entry}.yml")[0]
        assert "fediops.mastodon.smtp_variables" in first.get("block", [first])[0]
