# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing that is a test is forgotten by script/test: the parts name the folders by hand."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
PARTS = CHECKOUT / "script" / "parts"
SCENARIOS = CHECKOUT / "molecule"


def run_by(part: Path) -> set[str]:
    """The folders of tests/integration that a part runs, by itself or by the scenario that it names."""
    text = re.sub(r"^ *#.*$", "", part.read_text(encoding="utf-8"), flags=re.M)
    found = set(re.findall(r"pytest .*\btests/integration/(\w+)", text))
    found |= set(re.findall(r"^[^#\n]*only=\(tests/integration/(\w+)", text, re.M))
    if re.search(r'pytest .*tests/integration/\$folder"', text):
        found |= {name for names in re.findall(r"^folders=\((.*?)\)", text, re.M | re.S) for name in names.split()}
    for scenario in re.findall(r"molecule test --scenario-name (\w+)", text):
        verify = (SCENARIOS / scenario / "verify.yml").read_text(encoding="utf-8")
        found |= set(re.findall(r'tests/integration/(\w+)"$', verify, re.M))
    return found


def test_every_folder_of_integration_tests_is_run_by_a_part_and_by_one_alone() -> None:
    folders = sorted({path.parent.name for path in (CHECKOUT / "tests/integration").glob("*/**/test_*.py")})
    # lts runs what other parts run too, on another ansible-core.
    run = [name for part in sorted(PARTS.iterdir()) if part.name != "lts" for name in run_by(part)]
    assert len(folders) > 10 and sorted(run) == folders


def test_the_list_of_parts_has_every_part() -> None:
    done = subprocess.run([CHECKOUT / "script/test", "--list"], capture_output=True, text=True, timeout=60, check=True)
    listed = [line.split()[0] for line in done.stdout.splitlines()]
    assert sorted(listed) == sorted(path.name for path in PARTS.iterdir())
