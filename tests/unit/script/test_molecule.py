# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The molecule scenarios lie at the root, are found there and through extensions/, and make the lab by themselves."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lab"))

from control import fleet

CHECKOUT = Path(__file__).resolve().parents[3]
SCENARIOS = sorted(path.parent.name for path in (CHECKOUT / "molecule").glob("*/molecule.yml"))


def read(name: str) -> t.Any:
    return yaml.safe_load((CHECKOUT / "molecule" / name).read_text(encoding="utf-8"))


def environment_of_a_part(folder: Path) -> dict[str, str]:
    """The variables that a part has from use_lane of script/lib/common.sh."""
    (folder / "script").mkdir()
    (folder / "script/bootstrap").write_text("#!/bin/sh\necho /venv\n")
    (folder / "script/bootstrap").chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", f". {CHECKOUT}/script/lib/common.sh && use_lane && env -0"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def test_the_link_for_other_tools_leads_to_the_scenarios() -> None:
    assert os.readlink(CHECKOUT / "extensions/molecule") == "../molecule"
    assert len(SCENARIOS) == 3 and (CHECKOUT / "extensions/molecule/default/molecule.yml").is_file()


def test_molecule_finds_the_scenarios_and_warns_of_nothing(tmp_path: Path) -> None:
    """With what script/parts sets; without it, molecule says that scenarios should move to extensions/molecule."""
    given = environment_of_a_part(tmp_path)
    names = {name: value for name, value in given.items() if name.startswith("MOLECULE_")}
    done = subprocess.run(
        [sys.executable, "-m", "molecule", "list", "--format", "plain"],
        cwd=CHECKOUT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("MOLECULE_")},
            **names,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_HOME": str(tmp_path / "ansible-home"),
            "NO_COLOR": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr and "should migrate" not in done.stderr
    assert [name for name in SCENARIOS if name in done.stdout] == SCENARIOS


def test_the_parts_keep_the_lab_s_hosts_out_of_the_plays_that_make_them(tmp_path: Path) -> None:
    """Else Ansible warns of an inventory that is not there yet."""
    assert environment_of_a_part(tmp_path)["MOLECULE_ANSIBLE_ARGS_STRICT_MODE"] == "1"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_makes_the_hosts_of_the_lab_and_takes_them_down(scenario: str) -> None:
    settings = read(f"{scenario}/molecule.yml")
    steps = settings["scenario"]["test_sequence"]
    assert steps[:3] == ["destroy", "create", "prepare"] and steps[-1] == "destroy"
    hosts = [platform["name"] for platform in settings["platforms"]]
    assert [fleet.machine(name).name for name in hosts] == hosts and "relay" in hosts


@pytest.mark.parametrize("step", ["create", "destroy"])
def test_what_makes_the_lab_is_one_playbook_for_all_scenarios(step: str) -> None:
    playbook = CHECKOUT / "molecule/default" / read("config.yml")["ansible"]["playbooks"][step]
    assert "script/lab" in playbook.read_text(encoding="utf-8")
    assert not any((CHECKOUT / "molecule" / scenario / f"{step}.yml").exists() for scenario in SCENARIOS)


@pytest.mark.parametrize("there", [True, False])
def test_the_vault_s_password_is_the_lab_s_or_some_word(tmp_path: Path, there: bool) -> None:
    program = tmp_path / "lab" / "vault-password"
    program.parent.mkdir()
    program.write_bytes((CHECKOUT / "lab/vault-password").read_bytes())
    assert (
        CHECKOUT / "lab/vault-password"
    ).stat().st_mode & stat.S_IXUSR  # else Ansible takes its text for the password
    if there:
        (tmp_path / ".work/lab").mkdir(parents=True)
        (tmp_path / ".work/lab/vault-password").write_text("of this lab\n")
    done = subprocess.run(["sh", str(program)], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("of this lab\n" if there else "none\n", "")
